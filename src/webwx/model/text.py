"""
From delivered text to the text a person wrote: the one pass.

`Content` is escaped once by the server; only `<br/>` and emoji spans are real tags in it. Everything is replaced in a
single pass over the text, so that what a person typed can never turn into markup: `&lt;br/&gt;` stays `<br/>` as text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = re.compile(
    r"""<br\s*/?>|<span class="emoji emoji(?P<emoji>[0-9a-zA-Z]*)"></span>?|&(?P<entity>lt|gt|amp|quot|\#39);"""
)
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "#39": "'"}
# Glued code points: pictographs have five digits and begin with 1f, the others four; a keycap's digit has two.
_CODE_POINTS = re.compile(r"1f[0-9a-f]{3}|[0-9a-f]{2}(?=20e3$)|[0-9a-f]{4}")
_LINK = re.compile(r"<a\b[^>]*>(.*?)</a>", re.DOTALL)
_SURROGATES = range(0xD800, 0xE000)


def plain_text(content: str) -> str:
    """Undo the server's escaping: line breaks, emoji, and exactly one level of entities."""
    if "&" not in content and "<" not in content:
        return content
    return _TOKEN.sub(_replace, content)


def _replace(token: re.Match[str]) -> str:
    if token["entity"]:
        return _ENTITIES[token["entity"]]
    if token["emoji"] is not None:
        return emoji(token["emoji"]) or token[0]
    return "\n"


def emoji(digits: str) -> str:
    """Read the hex digits of an emoji span; empty when they are none."""
    digits = digits.lower()
    parts = _CODE_POINTS.findall(digits)
    points = [int(part, 16) for part in parts]
    if "".join(parts) != digits or any(point in _SURROGATES for point in points):
        return ""
    return "".join(map(chr, points))


def xml_text(content: str) -> str:
    """Give the XML inside a delivered content, cut behind its root: some end in an escaped line break."""
    xml = plain_text(content)
    end = xml.rfind("</msg>")
    return xml[: end + len("</msg>")] if end >= 0 else xml


def notice_text(content: str) -> str:
    """Give a system notice as plain text, links replaced by their words."""
    return _LINK.sub(r"\1", plain_text(content))


# -- mentions --------------------------------------------------------------------------------------------------------


def is_mentioned(text: str, names: Iterable[str]) -> bool:
    """
    Say whether `@name` stands in a text, for any of these names.

    Behind the name comes U+2005, where the app put it in, or a blank, where a person typed it, or the text's end; so
    `@media` mentions nobody called `me`. Names may hold blanks and emoji.
    """
    text = _normal(text)
    return any(
        re.search(rf"(?<![A-Za-z0-9])@{re.escape(name)}(?:\s|\Z)", text) is not None
        for name in map(_normal, names)
        if name
    )


def _normal(text: str) -> str:
    """Level what one name may be written in several ways: composed signs, the kind of blank, the style of an emoji."""
    return " ".join(unicodedata.normalize("NFC", text).replace("\ufe0f", "").split())
