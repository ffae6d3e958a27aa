"""
`<sysmsg>`: notices of the platform in XML, for client and server. Recalls, the most frequent ones, are in `content`.

A notice names people twice: by real ids, which are not a `UserName`, and by nicknames. Its sentence is built from a
template, so that it reads like the same notice in plain text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.codec import tag_text
from webwx.protocol.content import escape_xml, read_loosely, write_tag

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

_PLACEHOLDER = re.compile(r"\$(\w{1,64})\$")
_PLACEHOLDER_OF_PERSON = re.compile(r"\$\{([^{}]{1,128})\}")
_SEPARATOR = "、"
_LONGEST_SEPARATOR = 8
_SHOWN = ("plain", "text")
"""Elements with a sentence that phones show."""
_ANNOUNCEMENT = "mmchatroombarannouncememt"
"""Type of a notice whose `content` is the text of a chatroom's announcement."""


class SystemNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a `<sysmsg>`."""

    type: str
    """`sysmsgtemplate`, `pat`, `roomtips`, `roomtoolstips` and others."""
    text: str = ""
    """Text for display; empty if nothing in the notice is meant for display, or `template` has it."""
    template: str = ""
    """Text with `${real id}` for people; `without_placeholders` returns it without the signs around the ids."""
    actor: str = ""
    """Real id of the person who patted."""
    target: str = ""
    """Real id of the person who was patted."""


def read_notice(xml: str) -> SystemNotice | None:
    """Decode a notice of any type; None if it is not one."""
    root = read_loosely(xml)
    if root is None or root.tag != "sysmsg":
        return None
    kind = root.get("type", "")
    template = root.find("sysmsgtemplate/content_template")
    if template is not None:
        return SystemNotice(type=kind, text=_sentence(template, len(xml)))
    pat = root.find("pat")
    if pat is not None:
        return SystemNotice(
            type=kind,
            template=(pat.findtext("template") or "").strip(),
            actor=(pat.findtext("fromusername") or "").strip(),
            target=(pat.findtext("pattedusername") or "").strip(),
        )
    text = _words(root) or (tag_text(xml, "plain") or "").strip()
    return SystemNotice(type=kind, text=text, template="" if text else (root.findtext("todo/template") or "").strip())


def without_placeholders(template: str) -> str:
    """Return a template with the real ids of the people in place of their placeholders."""
    return _PLACEHOLDER_OF_PERSON.sub(r"\1", template)


def people_in_template(template: str) -> list[str]:
    """List the real ids of the people in a template."""
    return _PLACEHOLDER_OF_PERSON.findall(template)


def _words(root: Element) -> str:
    """
    Return the sentence of a notice of another type, from the elements that hold one.

    All other elements are ids, links with tickets, and values for the app; nothing that a person reads.
    """
    for tag in (*_SHOWN, "content") if root.get("type") == _ANNOUNCEMENT else _SHOWN:
        shown = (root.findtext(f"*/{tag}") or "").strip()
        if shown:
            return shown
    return ""


def _sentence(template: Element, room: int) -> str:
    """Return the sentence of a template; inserted names have a limited total length."""
    names = {link.get("name", ""): _names(link) for link in template.iterfind("link_list/link")}
    sentence = (template.findtext("template") or template.findtext("plain") or "").strip()

    def name(found: re.Match[str]) -> str:
        nonlocal room
        shown = names.get(found[1], found[0])
        room -= len(shown)
        return shown if room >= 0 else found[0]

    return _PLACEHOLDER.sub(name, sentence).strip()


def _names(link: Element) -> str:
    """Return the nicknames that a link shows; a button such as 撤销 is not part of the sentence."""
    names = [(member.findtext("nickname") or "").strip() for member in link.iterfind("memberlist/member")]
    separator = (link.findtext("separator") or "").strip()
    return (separator if 0 < len(separator) <= _LONGEST_SEPARATOR else _SEPARATOR).join(names)


def write_template(template: str, people: Mapping[str, Mapping[str, str]]) -> str:
    """
    Encode a notice by template.

    Args:
        template: Sentence of the notice, with `$name$` for people.
        people: Nicknames by real id, for each such name.
    """
    links = "".join(
        f"{write_tag('link', {'name': name, 'type': 'link_profile'})}><memberlist>"
        + "".join(
            f"<member><username>{escape_xml(real_id)}</username><nickname>{escape_xml(nickname)}</nickname></member>"
            for real_id, nickname in members.items()
        )
        + f"</memberlist><separator>{_SEPARATOR}</separator></link>"
        for name, members in people.items()
    )
    return (
        '<sysmsg type="sysmsgtemplate"><sysmsgtemplate><content_template type="tmpl_type_profile"><plain></plain>'
        f"<template>{escape_xml(template)}</template><link_list>{links}</link_list>"
        "</content_template></sysmsgtemplate></sysmsg>"
    )


def write_pat(*, actor: str, target: str, chat: str) -> str:
    """Encode the notice that one person patted another, with real ids."""
    tags = (
        ("fromusername", actor),
        ("chatusername", chat),
        ("pattedusername", target),
        ("template", f'"${{{actor}}}" 拍了拍 "${{{target}}}"'),
    )
    inner = "".join(f"<{tag}>{escape_xml(text)}</{tag}>" for tag, text in tags)
    return f'<sysmsg type="pat"><pat>{inner}</pat></sysmsg>'
