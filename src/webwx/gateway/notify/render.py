"""
Rendering of Markdown, HTML and Slack's mrkdwn as plain text, because a chat shows no markup.

Markdown is first converted to HTML, so that one set of rules serves both. The time is linear in the length of the
source: a source longer than `LONGEST_SOURCE` is not rendered, nesting ends at `DEEPEST`, and Markdown has no reference
links, because with them a short source could repeat a long address thousands of times.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from webwx.gateway.notify.emoji import replace_emoji
from webwx.gateway.notify.notification import AttachedFile

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST_SOURCE = 20_000
"""Maximum number of characters of a source that is rendered."""
DEEPEST = 6
"""Maximum depth of nested lists and quotes."""
LONGEST_LINE = 60
"""Maximum number of characters of a link's text and address on one line."""

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_BLOCKS = _HEADINGS | {
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "header", "hr", "html", "li", "main", "nav", "ol", "p", "pre", "section",
    "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
_DROPPED = {"script", "style", "head", "title", "template", "noscript"}
_PARAGRAPHS = {"p", "pre", "blockquote", "table"}
_WHITE = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES = re.compile(r"\n{4,}")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OPEN_TAG = re.compile(r"<(?=[^<>]*(?:<|\Z))")
_DATA_URI = re.compile(r"data:image/(png|jpeg|gif|webp);base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Rendered:
    """Plain text, and the pictures of its source."""

    text: str
    pictures: tuple[AttachedFile, ...] = ()


def clean(text: str) -> str:
    """Unify line ends; remove control characters, blanks at line ends and all but two of several empty lines."""
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    # Lines are stripped one by one, because a pattern for blanks takes quadratic time on a long run of them.
    lines = [line.rstrip(" \t") for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n\n", "\n".join(lines)).strip("\n")


def one_line(text: str) -> str:
    """Return a text on one line, such as a title."""
    return " ".join(clean(text).split())


# -- Markdown ----------------------------------------------------------------------------------------------------------


def markdown_text(source: str) -> Rendered:
    """Render Markdown, with the tables and the HTML in it."""
    if len(source) > LONGEST_SOURCE:
        return Rendered(text=clean(source))
    return _render(_markdown().render(source.replace("\x00", "")), spaced=True)


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt  # only requests with Markdown need it

    parser = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
    return parser.disable("reference")


# -- HTML --------------------------------------------------------------------------------------------------------------


def html_text(source: str) -> Rendered:
    """Render HTML."""
    if len(source) > LONGEST_SOURCE:
        return Rendered(text=clean(source))
    return _render(source, spaced=False)


def _render(source: str, *, spaced: bool) -> Rendered:
    writer = _TextWriter(spaced=spaced)
    # For each unclosed tag, the parser would search to the end of the source.
    writer.feed(_OPEN_TAG.sub("&lt;", _without_comments(source)))
    writer.close()
    return writer.finish()


def _without_comments(source: str) -> str:
    pieces, at = [], 0
    while (start := source.find("<!--", at)) >= 0:
        pieces.append(source[at:start])
        end = source.find("-->", start)
        if end < 0:
            return "".join(pieces)
        at = end + len("-->")
    return "".join((*pieces, source[at:]))


class _Table:
    """A table that is being read."""

    def __init__(self) -> None:
        self.headings: list[str] = []
        self.row: list[str] = []
        self.row_has_headings = False
        self.is_empty = True


class _List:
    """A list that is being read."""

    def __init__(self, number: int) -> None:
        self.number = number
        """Number of the next item; 0 for lists without numbers."""
        self.has_open_item = False


class _TextWriter(HTMLParser):
    """
    Writes the text of HTML line by line.

    Args:
        spaced: Put an empty line between paragraphs, as in Markdown.
    """

    def __init__(self, *, spaced: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._spaced = spaced
        self._lines: list[str] = []
        self._line: list[str] = []
        self._prefixes: list[str] = []
        """Prefixes of the lines in each open quote and list item."""
        self._bullet = ""
        """Prefix of the next line only: the sign of a list item."""
        self._lists: list[_List] = []
        self._blank_after: str | None = None
        """Prefix of the line that an empty line must follow; None if there is no such line."""
        self._dropped = ""
        """Open element whose content is dropped."""
        self._preformatted = 0
        self._heading = 0
        self._link: tuple[str, int, int] | None = None
        """Address of the open link, and the numbers of lines and pieces at its start."""
        self._tables: list[_Table] = []
        self._cell: list[str] | None = None
        self._pictures: list[AttachedFile] = []

    def finish(self) -> Rendered:
        """Return all that was written."""
        self._end_cell()
        self._end_row()
        self._end_line()
        return Rendered(text=clean("\n".join(self._lines)), pictures=tuple(self._pictures))

    # -- the parser's calls

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropped:
            return
        values = {name: value or "" for name, value in attrs}
        if tag in _BLOCKS:
            self._end_line()
        match tag:
            case "br":
                self._break()
            case "hr":
                self._write("————")
                self._end_line()
            case "img":
                self._write_picture(values.get("src", ""), values.get("alt", ""))
            case "a":
                self._end_link()
                self._link = (values.get("href", ""), len(self._lines), len(self._target))
            case "pre":
                self._preformatted += 1
                self._indent("  ")
            case "blockquote":
                self._indent("│ ")
            case "ul" | "ol":
                start = values.get("start", "1")
                is_number = start.isascii() and start.isdecimal() and len(start) < 7
                self._lists.append(_List(0 if tag == "ul" else int(start) if is_number else 1))
            case "li":
                self._start_item()
            case "h1" | "h2":
                self._blank()
                self._heading += 1
                self._write("【")
            case "h3" | "h4" | "h5" | "h6":
                self._blank()
            case "table":
                self._end_cell()
                self._end_row()
                self._tables.append(_Table())
            case "tr":
                self._end_row()
            case "td" | "th":
                self._end_cell()
                self._start_cell(is_heading=tag == "th")
            case _ if tag in _DROPPED:
                self._dropped = tag

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            self._dropped = "" if tag == self._dropped else self._dropped
            return
        match tag:
            case "a":
                self._end_link()
            case "h1" | "h2" if self._heading:
                self._heading -= 1
                self._write("】")
            case "td" | "th":
                self._end_cell()
            case "tr":
                self._end_row()
            case "table":
                self._end_cell()
                self._end_row()
                self._end_table()
        if tag in _BLOCKS:
            self._end_line()
        match tag:
            case "pre" if self._preformatted:
                self._preformatted -= 1
                self._dedent()
            case "blockquote":
                self._dedent()
            case "li":
                self._end_item()
            case "ul" | "ol" if self._lists:
                self._end_item()
                self._lists.pop()
        is_outer_list = tag in {"ul", "ol"} and not self._lists
        if self._spaced and self._cell is None and (tag in _PARAGRAPHS or is_outer_list):
            self._blank()

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        if self._preformatted and self._cell is None:
            first, *others = data.split("\n")
            self._line.append(first)
            for each in others:
                self._end_line(keep_empty=True)
                self._line.append(each)
            return
        text = _WHITE.sub(" ", data)
        self._write(text if self._has_text() else text.lstrip(" "))

    # -- lines

    @property
    def _target(self) -> list[str]:
        return self._line if self._cell is None else self._cell

    def _has_text(self) -> bool:
        return any(self._target[-1:])

    def _write(self, text: str) -> None:
        if text.startswith(" ") and self._target and self._target[-1].endswith(" "):
            text = text[1:]
        if text:
            self._target.append(text)

    def _break(self) -> None:
        if self._cell is not None:
            self._write(" ")
        else:
            self._end_line(keep_empty=True)

    def _end_line(self, *, keep_empty: bool = False) -> None:
        if self._cell is not None:
            self._write(" ")
            return
        text = "".join(self._line)
        self._line.clear()
        if text.strip() or keep_empty:
            if self._blank_after is not None and self._lines:
                is_inside = "".join(self._prefixes).startswith(self._blank_after)
                self._lines.append(self._blank_after.rstrip() if is_inside else "")
            self._blank_after = None
            prefix = "".join(self._prefixes[: -1 if self._bullet else None]) + self._bullet
            self._bullet = ""
            self._lines.append(prefix + (text if self._preformatted else text.rstrip()))

    def _blank(self) -> None:
        self._end_line()
        if self._cell is None:
            self._blank_after = "".join(self._prefixes)

    def _indent(self, prefix: str) -> None:
        self._prefixes.append(prefix if sum(map(bool, self._prefixes)) < DEEPEST else "")

    def _dedent(self) -> None:
        if self._prefixes:
            self._prefixes.pop()

    def _start_item(self) -> None:
        self._end_item()
        if not self._lists:
            self._write("• ")
            return
        number = self._lists[-1].number
        sign = f"{number}. " if number else "• "
        if number:
            self._lists[-1].number += 1
        self._lists[-1].has_open_item = True
        self._indent(" " * len(sign))
        self._bullet = sign

    def _end_item(self) -> None:
        if self._lists and self._lists[-1].has_open_item:
            self._lists[-1].has_open_item = False
            self._bullet = ""
            self._dedent()

    # -- links, pictures, tables

    def _end_link(self) -> None:
        if self._link is None:
            return
        (address, lines, pieces), self._link = self._link, None
        start = pieces if lines == len(self._lines) else 0
        shown = "".join(self._target[start:]).strip()
        if not address or address.startswith("#") or address.lower().startswith("javascript:") or address == shown:
            return
        if not shown or len(shown) + len(address) < LONGEST_LINE or self._cell is not None:
            self._write(f"{' ' if shown else ''}{address}")
        else:
            self._end_line()
            self._write(address)
            self._end_line()

    def _write_picture(self, address: str, alternative: str) -> None:
        data = _DATA_URI.match(address)
        if data is None:
            shown = alternative if address.lower().startswith("data:") else address
            self._write(f"[图片] {shown}".rstrip())
            return
        try:
            content = base64.b64decode(address[data.end() :], validate=True)
        except binascii.Error:
            self._write("[图片]")
            return
        kind = data[1].lower()
        name = f"picture-{len(self._pictures) + 1}.{'jpg' if kind == 'jpeg' else kind}"
        self._pictures.append(AttachedFile(name=name, content=content, media_type=f"image/{kind}"))

    def _start_cell(self, *, is_heading: bool) -> None:
        if self._tables:
            self._tables[-1].row_has_headings |= is_heading
            self._cell = []

    def _end_cell(self) -> None:
        if self._cell is not None:
            self._end_link()
            text = " ".join("".join(self._cell).split())
            self._cell = None
            self._tables[-1].row.append(text)

    def _end_row(self) -> None:
        self._end_cell()
        if not self._tables or not self._tables[-1].row:
            return
        table = self._tables[-1]
        row, table.row = table.row, []
        if table.row_has_headings and not table.headings and table.is_empty:
            table.row_has_headings = False
            table.headings = row
            return
        table.is_empty = False
        self._write_row(row, table.headings)

    def _end_table(self) -> None:
        if self._tables:
            table = self._tables.pop()
            if table.is_empty:
                self._write_row(table.headings, [])

    def _write_row(self, row: list[str], headings: list[str]) -> None:
        names = headings + [""] * (len(row) - len(headings))
        cells = [f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell]
        self._write(" | ".join(cells))
        self._end_line()


# -- Slack's mrkdwn ----------------------------------------------------------------------------------------------------

_ANGLE = re.compile(r"<([^<>\n]*)>")
_MARKS = [
    re.compile(rf"(?<![\w{sign}]){sign}([^\s{sign}](?:[^{sign}\n]*[^\s{sign}])?){sign}(?![\w{sign}])")
    for sign in ("\\*", "_", "~")
]
_CODE = re.compile(r"`([^`\n]+)`")
_QUOTE = re.compile(r"^(?:>|&gt;) ?", re.MULTILINE)


def mrkdwn_text(source: str) -> str:
    """Render Slack's mrkdwn."""
    if len(source) > LONGEST_SOURCE:
        return clean(source)
    parts = source.replace("\x00", "").split("```")
    if len(parts) % 2 == 0:  # the last fence has no end
        parts[-2:] = ["```".join(parts[-2:])]
    shown = [_code_block(part) if number % 2 else _mrkdwn_prose(part) for number, part in enumerate(parts)]
    return clean("".join(shown))


def _code_block(source: str) -> str:
    lines = html.unescape(_ANGLE.sub(_angle, source)).strip("\n").split("\n")
    return "\n" + "\n".join(f"  {line}" for line in lines) + "\n"


def _mrkdwn_prose(source: str) -> str:
    pieces, at = [], 0
    for code in _CODE.finditer(source):
        pieces += [_mrkdwn_marks(source[at : code.start()]), html.unescape(code[1])]
        at = code.end()
    return "".join((*pieces, _mrkdwn_marks(source[at:])))


def _mrkdwn_marks(source: str) -> str:
    pieces, at = [], 0
    for angle in _ANGLE.finditer(source):
        pieces += [source[at : angle.start()], "\x00"]
        at = angle.end()
    text = "".join((*pieces, source[at:]))
    text = _QUOTE.sub("│ ", text)
    for mark in _MARKS:
        text = mark.sub(r"\1", text)
    text = replace_emoji(html.unescape(text))
    return _restore(text, [_angle(angle) for angle in _ANGLE.finditer(source)])


def _restore(text: str, shown: list[str]) -> str:
    """Put back the links, which were removed before because their addresses may contain marks."""
    pieces = text.split("\x00")
    return "".join(piece for pair in zip(pieces, [*shown, ""], strict=True) for piece in pair)


def _angle(angle: re.Match[str]) -> str:
    target, _, label = angle[1].partition("|")
    target, label = html.unescape(target), html.unescape(label)
    match target[:1]:
        case "@" | "#":
            return label if label.startswith(target[0]) else target[0] + label if label else target
        case "!":
            return label or f"@{target[1:].partition('^')[0]}"
        case _:
            return _labelled(label, target.removeprefix("mailto:") if label else target)


def _labelled(label: str, address: str) -> str:
    if not label or label == address:
        return address
    return f"{label}{' ' if len(label) + len(address) < LONGEST_LINE else chr(10)}{address}"
