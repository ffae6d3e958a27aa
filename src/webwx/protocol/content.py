"""
Encoding and decoding of the text and XML in `Content`, for client and server.

Contacts write this XML, so it is hostile: no DTD, limited size and depth. Invalid XML gives `None` and no error, so
that a message with unreadable content is still a message.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import msgspec

from webwx.errors import NotForwardable
from webwx.protocol.codec import tag_text

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_XML = 1024 * 1024
"""Maximum length of XML in characters."""

MAX_XML_DEPTH = 64
"""Maximum nesting of XML."""

MAX_XML_ELEMENTS = 20_000
"""Maximum number of elements in XML; in memory each takes a hundred times its size as text."""


# -- escaping --------------------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Escape a text as it is delivered: once, with `<br/>` for line breaks."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\r\n", "<br/>").replace("\n", "<br/>")


def unescape(text: str) -> str:
    """Undo one level of escaping, `&amp;` last, so that `&amp;lt;` becomes `&lt;` and not `<`."""
    if "&" not in text:
        return text
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


_SENDER_PREFIX = re.compile(r"(@[a-zA-Z0-9]+|[a-zA-Z0-9_-]+):(?:<br/>|\n)")


def split_sender(content: str) -> tuple[str | None, str]:
    """
    Split `@member:<br/>text`, the form of others' messages in a chatroom, into the member and the text.

    Use it only if `FromUserName` is a chatroom: other messages have no prefix, and a text may begin like one. Without a
    prefix the author is unknown, never the account itself.
    """
    found = _SENDER_PREFIX.match(content)
    return (found[1], content[found.end() :]) if found else (None, content)


# -- XML -------------------------------------------------------------------------------------------------------------


class _UnsafeXml(Exception):
    pass


def read_xml(text: str) -> Element | None:
    """Parse XML that a contact wrote; None if it is invalid, too large, too deep, or has a DTD."""
    return _parse(text, keeps_rest=False)


def read_loosely(text: str) -> Element | None:
    """
    Parse XML as it really arrives; None if nothing in it can be parsed.

    A chatroom's prefix, raw `&` and `<` in a title, control characters, a truncated end and text after the root do not
    affect the other elements. What `read_xml` refuses for safety is refused here too.
    """
    text = text[text.find("<") :] if "<" in text else ""
    root = _parse(text, keeps_rest=False)
    if root is not None or len(text) > MAX_XML:
        return root
    return _parse(_STRAY.sub(_repair, text), keeps_rest=True)


_STRAY = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)"
    r"|&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)"
    r"|<(?![A-Za-z_/!?])"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]",
    re.DOTALL,
)
"""Characters that XML must not contain. CDATA is matched first, so that nothing inside it counts."""


def _repair(stray: re.Match[str]) -> str:
    found = stray[0]
    return _REPAIRED.get(found, found if found.startswith("<![CDATA[") else "")


_REPAIRED = {"&": "&amp;", "<": "&lt;"}


def _parse(text: str, *, keeps_rest: bool) -> Element | None:
    """Parse strictly, or keep the part before an error."""
    if len(text) > MAX_XML:
        return None
    builder = TreeBuilder()
    opened: list[str] = []
    count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        opened.append(tag)
        if len(opened) > MAX_XML_DEPTH or count > MAX_XML_ELEMENTS:
            raise _UnsafeXml
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        opened.pop()
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise _UnsafeXml

    parser = expat.ParserCreate("utf-8")  # whatever its declaration says: it is a decoded string already
    parser.buffer_text = not keeps_rest  # what lies in the buffer is lost at an error
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.strip().encode("utf-8", "replace"), True)
    except expat.ExpatError:
        if not keeps_rest or not count:
            return None
        while opened:
            end(opened[-1])
    except _UnsafeXml:
        return None
    return builder.close()


def _attribute(value: str) -> str:
    value = _ILLEGAL.sub("", value)
    for character, entity in (
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#10;"), ("\r", "&#13;"), ("\t", "&#9;"),
    ):  # fmt: skip
        value = value.replace(character, entity)
    return value


def escape_xml(text: str) -> str:
    """Escape a text between tags; characters that XML does not allow are removed."""
    text = _ILLEGAL.sub("", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


# -- one element and its attributes ----------------------------------------------------------------------------------


def write_tag(tag: str, attributes: Mapping[str, str]) -> str:
    """Encode the start of a tag with its attributes in the given order, without the closing bracket."""
    return f"<{tag}" + "".join(f' {name}="{_attribute(value)}"' for name, value in attributes.items())


def write_message(tag: str, attributes: Mapping[str, str]) -> str:
    """Encode the XML of a message of one element: a picture, a video, a location."""
    return f'<?xml version="1.0"?>\n<msg>\n\t{write_tag(tag, attributes)} />\n</msg>'


def read_attributes(xml: str, tag: str) -> dict[str, str]:
    """
    Decode the attributes of an element inside `<msg>`, or of `msg` itself; empty if there is no such element.

    It is for display only: a forward uses `read_image`, which does not accept damaged XML.
    """
    root = read_loosely(xml)
    found = root if root is None or root.tag == tag else root.find(tag)
    return {} if found is None else dict(found.attrib)


# -- pictures --------------------------------------------------------------------------------------------------------


def write_image(attributes: Mapping[str, str]) -> str:
    """Encode the XML of a picture with its attributes in the given order."""
    return write_message("img", attributes)


def read_image(xml: str) -> dict[str, str] | None:
    """Decode the attributes of a picture's XML; None for the short form `@hash` and anything else."""
    root = read_xml(xml)
    image = root.find("img") if root is not None and root.tag == "msg" else None
    return None if image is None else dict(image.attrib)


def forward_image(xml: str) -> str:
    """
    Build the content that forwards a picture, recalled or not, from the received one.

    `aeskey` (also `cdnthumbaeskey`), `cdnthumburl` (also `cdnmidimgurl`) and `md5` are sent back unchanged. Each pair
    is usually one value under two names; if the two values differ, both are kept. All other attributes are kept.

    Raises:
        NotForwardable: The content has no keys: it is the form `@hash`, or XML without them.
    """
    attributes = read_image(xml)
    key = url = ""
    if attributes:
        key = attributes.get("aeskey") or attributes.get("cdnthumbaeskey", "")
        url = attributes.get("cdnmidimgurl") or attributes.get("cdnthumburl", "")
    if not attributes or not key or not url:
        raise NotForwardable("This picture has no keys for a forward; download it and send it as a new picture.")
    for name, value in (("aeskey", key), ("cdnthumbaeskey", key), ("cdnthumburl", url), ("cdnmidimgurl", url)):
        attributes[name] = attributes.get(name) or value
    return write_image(attributes)


# -- recall notice ---------------------------------------------------------------------------------------------------


class RecallNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a message of type 10002."""

    message_id: str
    """Id of the recalled message; it may be `0`."""
    text: str = ""
    """Text for display: `"张三" 撤回了一条消息`."""
    session: str = ""
    """Real id of the chat, not a `UserName`."""
    old_message_id: str = ""
    new_message_id: str = ""
    """Id of the recalled message, if present; it takes precedence."""


def write_recall_notice(notice: RecallNotice) -> str:
    """Encode the XML of a recall notice."""
    lines = [
        '<sysmsg type="revokemsg">',
        "\t<revokemsg>",
        f"\t\t<session>{_attribute(notice.session)}</session>",
        f"\t\t<oldmsgid>{notice.old_message_id}</oldmsgid>",
        f"\t\t<msgid>{notice.message_id}</msgid>",
        f"\t\t<replacemsg><![CDATA[{notice.text.replace(']]>', ']]&gt;')}]]></replacemsg>",
        "\t</revokemsg>",
        "</sysmsg>",
    ]
    if notice.new_message_id:
        lines.insert(5, f"\t\t<newmsgid>{notice.new_message_id}</newmsgid>")
    return "\n".join(lines)


def read_recall_notice(xml: str) -> RecallNotice | None:
    """Decode a recall notice, tag by tag if the XML is invalid; None if it is not one."""
    root = read_xml(xml)
    if root is None and "<revokemsg>" in xml:
        value = partial(_value_in_broken, xml)
    elif root is not None and root.find("revokemsg") is not None:
        value = partial(_value_in_parsed, root)
    else:
        return None
    return RecallNotice(
        message_id=value("msgid"),
        text=value("replacemsg"),
        session=value("session"),
        old_message_id=value("oldmsgid"),
        new_message_id=value("newmsgid"),
    )


def _value_in_parsed(root: Element, tag: str) -> str:
    return (root.findtext(f"revokemsg/{tag}") or "").strip()


def _value_in_broken(xml: str, tag: str) -> str:
    # The display text holds a nickname, and a nickname may hold tags: the ids are looked for around it.
    before, _, rest = xml.partition("<replacemsg>")
    shown, closed, after = rest.rpartition("</replacemsg>")
    if tag == "replacemsg":
        return shown.strip().removeprefix("<![CDATA[").removesuffix("]]>")
    return (tag_text(before + (after if closed else ""), tag) or "").strip()
