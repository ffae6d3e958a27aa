"""
Rows in columns on a terminal, whose characters are one or two cells wide.

A Chinese character takes two cells and a combining mark none, so the number of characters is not the width of a text.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import click

from webwx.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from webwx.cli.output import Output, Screen

MOST_OF_NAME = 24
"""Largest width of a name in a table, in cells."""

WIDEST = 40
"""Largest width of a column in cells; a longer text moves only its own row."""

_GAP = "  "


_LEAST = 12
"""Least width in cells of a column that is cut."""

_CUT = "…"


class Colored(NamedTuple):
    """A text of a table with a colour, which pipes and terminals without colours do not show."""

    text: str
    color: str
    """Name of the colour as click has it, such as 'green'."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    title: str
    """Title above the column, on a terminal."""
    is_right: bool = False
    """Whether its texts end at one line, as numbers do."""
    is_cut: bool = False
    """Whether long texts are cut if the table is wider than the terminal; of at most one column."""
    most: int | None = None
    """
    Largest width in cells on a terminal, for a name that another person has chosen; None: any.

    A line that is too long would continue at the left edge of the terminal, where it could look like a row of its own.
    """


def print_table(
    output: Output, head: Sequence[Column], rows: Sequence[Sequence[str | Colored]], values: Iterable[object]
) -> None:
    """
    Print rows as a table for a person, or the value of each row as JSON.

    Args:
        output: Where to print.
        head: The columns.
        rows: The texts of each row, one for each column.
        values: The value of each row.
    """
    screen = output.screen
    lines = iter(table(head, rows, screen))
    if rows and screen.width is not None:
        title = next(lines)
        if not output.as_json:
            output.draw_line(title)
    for line, value in zip(lines, values, strict=True):
        output.draw_line(line, value)


def table(head: Sequence[Column], rows: Sequence[Sequence[str | Colored]], screen: Screen) -> list[str]:
    """
    Return the lines of a table, safe to be printed; a column without any text is left out.

    On a terminal the first line has the titles, texts have their colours, and the column that may be cut gives way
    until each line fits; the lines of a text become one. For a pipe there are neither titles nor colours, and all texts
    are whole.
    """
    shown = [[_printable(cell, is_whole=screen.width is None) for cell in row] for row in rows]
    used = [place for place in range(len(head)) if any(row[place].text for row in shown)]
    head, shown = [head[place] for place in used], [[row[place] for place in used] for row in shown]
    if not used:
        return []
    if screen.width is not None:
        shown.insert(0, [Colored(column.title, "") for column in head])
    widths = [max(width(cell.text) for cell in column) for column in zip(*shown, strict=True)]
    if screen.width is not None:
        widths = [min(each, column.most or each) for each, column in zip(widths, head, strict=True)]
    cut = next((place for place, column in enumerate(head) if column.is_cut), None)
    if cut is not None and screen.width is not None:
        others = sum(widths) - widths[cut] + len(_GAP) * (len(widths) - 1)
        widths[cut] = min(widths[cut], max(screen.width - others, _LEAST))
    lines = [
        _GAP.join(
            _laid_out(cell, cells, column, has_colors=screen.has_colors)
            for cell, cells, column in zip(row, widths, head, strict=True)
        ).rstrip()
        for row in shown
    ]
    if screen.has_colors:
        lines[0] = click.style(lines[0], dim=True)
    return lines


def _printable(cell: str | Colored, *, is_whole: bool) -> Colored:
    text, color = (cell, "") if isinstance(cell, str) else cell
    return Colored(printable(text if is_whole else " ".join(text.splitlines())), color)


def _laid_out(cell: Colored, cells: int, column: Column, *, has_colors: bool) -> str:
    """Return a text in its column; the blanks around it have no colour."""
    text = shortened(cell.text, cells)
    shown = click.style(text, fg=cell.color) if has_colors and cell.color else text
    blanks = " " * (cells - width(text))
    return f"{blanks}{shown}" if column.is_right else f"{shown}{blanks}"


def shortened(text: str, cells: int) -> str:
    """Return a text, or its beginning and an ellipsis if it takes more cells."""
    if width(text) <= cells:
        return text
    used, left = "", cells - len(_CUT)
    for character in text:
        left -= _cells(character)
        if left < 0:
            break
        used += character
    return f"{used}{_CUT}"


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
