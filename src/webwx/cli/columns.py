"""
Rows in columns, for a terminal with letters of one or two places.

A Chinese character takes two places, and a mark on a letter takes none, so the number of characters does not say how
far a text reaches.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from webwx.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDEST = 40
"""Places of a column at most; a longer text moves only its own row."""

_GAP = "  "


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return each row as a line, with its texts below those of the row above; the last column is as wide as it is."""
    shown = [[printable(text) for text in row] for row in rows]
    padded = zip(*(row[:-1] for row in shown), strict=True)
    widths = [max(min(width(text), WIDEST) for text in column) for column in padded]
    return [_GAP.join([*map(_padded, row[:-1], widths), *row[-1:]]).rstrip() for row in shown]


def width(text: str) -> int:
    """Return how many places a text takes."""
    return len(text) if text.isascii() else sum(map(_places, text))


def _places(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(text: str, places: int) -> str:
    return text + " " * (places - width(text))
