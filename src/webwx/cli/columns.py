"""
Rows in columns on a terminal, whose characters are one or two cells wide.

A Chinese character takes two cells and a combining mark none, so the number of characters is not the width of a text.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from webwx.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDEST = 40
"""Largest width of a column in cells; a longer text moves only its own row."""

_GAP = "  "


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return each row as one line, with columns aligned; the last column is not padded."""
    shown = [[printable(text) for text in row] for row in rows]
    aligned = zip(*(row[:-1] for row in shown), strict=True)
    widths = [max(min(width(text), WIDEST) for text in column) for column in aligned]
    return [_GAP.join([*map(padded, row[:-1], widths), *row[-1:]]).rstrip() for row in shown]


def width(text: str) -> int:
    """Return the width of a text in cells."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, cells: int) -> str:
    """Return a text with blanks behind it, so that it takes a number of cells."""
    return text + " " * (cells - width(text))
