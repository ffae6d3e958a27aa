"""
Conversion of delivered text to the text that a person wrote, in one pass.

`Content` is escaped once by the server; only `<br/>` and emoji spans are real tags in it. Tags are replaced before
entities, and each entity once, so typed text never becomes markup: `&lt;br/&gt;` stays `<br/>` as text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from webwx.protocol.content import unescape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

_EMOJI = re.compile(r"""<span class="emoji emoji(?P<emoji>[0-9a-zA-Z]*)"></span>?""")
_TAG = re.compile(rf"<br\s*/?>|{_EMOJI.pattern}")
# Glued code points: pictographs have five digits and begin with 1f, the others four; a keycap's digit has two.
_CODE_POINTS = re.compile(r"1f[0-9a-f]{3}|[0-9a-f]{2}(?=20e3$)|[0-9a-f]{4}")
_LINK = re.compile(r"<a\b")
_MARKUP_OF_PHONES = re.compile(r"</?_wc_custom_link_\b[^<>]*>|<img src=\"SystemMessages_[^<>]*>[ \t]*")
"""Tags around the link in a notice, and the picture in front of it, such as that of a red packet."""
_SURROGATES = range(0xD800, 0xE000)

LONGEST_NAME = 200
"""Maximum length of a name that can be mentioned, in characters; the platform allows a few dozen."""

_WINDOW = 256
"""Number of characters that are normalized at a time: the worst case takes time proportional to its square."""

_JAMO = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff]")


def plain_text(content: str) -> str:
    """Undo the server's escaping: line breaks, emoji, and exactly one level of entities."""
    if "<" not in content:
        return unescape(content) if "&" in content else content  # most texts hold neither, and one call is saved
    content = content.replace("<br/>", "\n")
    if "<" not in content:
        return unescape(content)
    pieces, at = [], 0
    for tag in _TAG.finditer(content):
        pieces += [unescape(content[at : tag.start()]), _shown(tag)]
        at = tag.end()
    pieces.append(unescape(content[at:]))
    return "".join(pieces)


def _shown(tag: re.Match[str]) -> str:
    if tag["emoji"] is None:
        return "\n"
    return emoji(tag["emoji"]) or tag[0]


def emoji(digits: str) -> str:
    """Decode the hex digits of an emoji span; empty if they are not valid."""
    digits = digits.lower()
    parts = _CODE_POINTS.findall(digits)
    points = [int(part, 16) for part in parts]
    if "".join(parts) != digits or any(point in _SURROGATES for point in points):
        return ""
    return "".join(map(chr, points))


def xml_text(content: str) -> str:
    """Return the XML inside a delivered content, without text after its root: some end in an escaped line break."""
    # An emoji that has no character is still a tag, and its quotes would end an attribute.
    xml = _EMOJI.sub("", plain_text(content))
    end = xml.rfind("</msg>")
    return xml[: end + len("</msg>")] if end >= 0 else xml


def notice_text(content: str) -> str:
    """Return a system notice as plain text, links replaced by their words, without pictures."""
    text = _MARKUP_OF_PHONES.sub("", plain_text(content))
    kept, at = [], 0
    while link := _LINK.search(text, at):
        shown_from = text.find(">", link.end()) + 1
        shown_until = text.find("</a>", shown_from) if shown_from else -1
        if shown_until < 0:  # nor does any link behind it end
            break
        kept += [text[at : link.start()], text[shown_from:shown_until]]
        at = shown_until + len("</a>")
    return "".join(kept) + text[at:]


# -- mentions --------------------------------------------------------------------------------------------------------


def is_mentioned(text: str, names: Iterable[str]) -> bool:
    """
    Return whether `@name` is in a text, for any of these names.

    The name is followed by U+2005 if the app inserted it, by a blank if a person typed it, or by the text's end; so
    `@media` does not mention a member called `me`. Names may contain blanks and emoji.
    """
    text = _normal(text)
    return any(_mentions(text, f"@{name}") for name in map(_normal, names) if 0 < len(name) <= LONGEST_NAME)


def without_mention(text: str, names: Iterable[str]) -> str:
    """Return the text after a mention at its beginning; the whole text if it does not begin with a mention."""
    for name in names:
        count = len(name.split())
        words = text.split(maxsplit=count)
        behind = words.pop() if len(words) > count else ""
        if count and len(name) <= LONGEST_NAME and _normal(" ".join(words)) == _normal(f"@{name}"):
            return behind
    return text


def _mentions(text: str, wanted: str) -> bool:
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        is_inside_a_word = start > 0 and text[start - 1].isascii() and text[start - 1].isalnum()
        if not is_inside_a_word and (end == len(text) or text[end] == " "):
            return True
        start = text.find(wanted, start + 1)
    return False


def _normal(text: str) -> str:
    """Return a name or text in one form: composed characters, plain blanks, and emoji without a style."""
    return " ".join(normalized("NFC", text).replace("\ufe0f", "").split())


# -- Unicode ---------------------------------------------------------------------------------------------------------


def normalized(form: Literal["NFC", "NFKD"], text: str) -> str:
    """Normalize a text in linear time; hundreds of combining characters in a row are not sorted."""
    if len(text) <= _WINDOW or text.isascii():
        return unicodedata.normalize(form, text)
    pieces, start = [], 0
    while start < len(text):
        end = start + _WINDOW
        # A sign that may be combined with the one before it stays with that.
        while end > start + _WINDOW // 2 and end < len(text) and _may_combine(text[end]):
            end -= 1
        pieces.append(unicodedata.normalize(form, text[start:end]))
        start = end
    return "".join(pieces)


def _may_combine(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M") or _JAMO.match(sign) is not None
