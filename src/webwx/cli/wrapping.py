"""
Help in columns whose texts may be Chinese.

Chinese has no blanks between words and its characters are two cells wide, so its lines are broken by cells, between any
two characters but not before a closing sign or after an opening one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from webwx.cli.language import _
from webwx.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CLOSING = "，。；：！？、）”》】…"
_OPENING = "（“《【"
_UNIT = re.compile(rf"\s+|[{_OPENING}]*(?:[^\s\u2e80-\uffef{_OPENING}{_CLOSING}]+|[^\s])[{_CLOSING}]*")
"""What stays on one line: a word or a Chinese character with the signs around it, or blanks."""


class CellFormatter(click.HelpFormatter):
    """A formatter of help that counts the cells of Chinese texts."""

    def write_heading(self, heading: str) -> None:
        """Write a heading with the colon of the language."""
        self.write(" " * self.current_indent + _("{heading}:").format(heading=heading) + "\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs; one that begins with a backspace keeps its lines."""
        if not _is_wide(text):
            super().write_text(text)
            return
        indent = " " * self.current_indent
        for number, paragraph in enumerate(re.split(r"\n{2,}", text.strip("\n"))):
            raw = paragraph.removeprefix("\b\n")
            lines = raw.splitlines() if raw != paragraph else wrap(paragraph, self.width - self.current_indent)
            self.write("\n" if number else "")
            self.write("".join(f"{indent}{line}\n" for line in lines))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and their descriptions."""
        rows = list(rows)
        if not any(_is_wide(second) for _first, second in rows):
            super().write_dl(rows, col_max, col_spacing)
            return
        column = min(max(len(first) for first, _second in rows), col_max) + col_spacing
        indent = " " * self.current_indent
        for first, second in rows:
            lines = wrap(second, max(self.width - column - self.current_indent, 20))
            if len(first) > column - col_spacing:
                self.write(f"{indent}{first}\n")
                first = ""
            for line in lines:
                self.write(f"{indent}{first:{column}}{line}\n")
                first = ""


class CliContext(click.Context):
    """The context of a command, whose help may be Chinese."""

    formatter_class = CellFormatter


def wrap(text: str, cells: int, *, breaks_words: bool = False, taken: int = 0) -> list[str]:
    """
    Return a text in lines of at most a number of cells; a longer word has its own line, or is broken.

    Args:
        text: The text.
        cells: Cells of a line.
        breaks_words: Whether a longer word is broken.
        taken: Cells of the first line that something else takes; negative: the first line is longer.
    """
    lines: list[str] = []
    line, used = "", taken
    for unit, size in _broken(_units(text), cells) if breaks_words else _units(text):
        if used + size > cells and (line or used > 0):
            lines.append(line.rstrip())
            line, used = "", 0
        if unit.isspace() and not line:
            continue
        line, used = line + unit, used + size
    return [*lines, line.rstrip()] if line.strip() else lines


def hanging(
    mark: str, text: str, cells: int | None, *, further: str | None = None, breaks_words: bool = False
) -> list[str]:
    """
    Return the lines of a text, which may have line breaks, in lines that are safe to be printed.

    Args:
        mark: What stands before the first line.
        text: The text.
        cells: Cells of a line of the terminal, with the mark; None: a pipe, in which no line is wrapped.
        further: What stands before the other lines; None: blanks, as many as the mark is wide.
        breaks_words: Whether a word that is longer than a line is broken.
    """
    from webwx.cli.columns import width

    further = " " * width(mark) if further is None else further
    paragraphs, taken = [printable(each) for each in text.split("\n")], width(mark) - width(further)
    if cells is None:
        lines = paragraphs
    else:
        room = max(cells - width(further), 1)
        wrapped = [
            wrap(each, room, breaks_words=breaks_words, taken=0 if number else taken) or [""]
            for number, each in enumerate(paragraphs)
        ]
        lines = [line for each in wrapped for line in each]
    return [f"{further}{line}".rstrip() if number else f"{mark}{line}" for number, line in enumerate(lines)]


def _units(text: str) -> Iterator[tuple[str, int]]:
    """Yield the parts of a text that stay on one line, and their sizes in cells."""
    from webwx.cli.columns import width

    for found in _UNIT.finditer(" ".join(text.splitlines())):
        yield found[0], width(found[0])


def _broken(units: Iterable[tuple[str, int]], cells: int) -> Iterator[tuple[str, int]]:
    """Yield parts with each one that is wider than a line broken into its characters."""
    from webwx.cli.columns import width

    for unit, size in units:
        yield from [(unit, size)] if size <= cells else ((each, width(each)) for each in unit)


def _is_wide(text: str) -> bool:
    """Return whether a text has Chinese characters outside paragraphs that keep their lines."""
    wrapped = [each for each in text.split("\n\n") if not each.lstrip("\n").startswith("\b")]
    return any(character >= "\u2e80" for each in wrapped for character in each)
