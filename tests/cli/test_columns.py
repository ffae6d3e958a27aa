"""Texts below each other, whatever they are written in."""

from __future__ import annotations

import pytest

from webwx.cli.columns import WIDEST, columns, width


@pytest.mark.parametrize(
    ("text", "places"), [("", 0), ("abc", 3), ("阿华", 4), ("Ａ", 2), ("e\u0301", 1), ("👍", 2), ("한", 2)]
)
def test_a_character_takes_as_many_places_as_a_terminal_gives_it(text: str, places: int) -> None:
    assert width(text) == places


def test_the_second_column_begins_at_one_place() -> None:
    assert columns([("阿华", "friend", "@1"), ("Boss (李雷)", "self", ""), ("", "x", "y")]) == [
        "阿华         friend  @1",
        "Boss (李雷)  self",
        "             x       y",
    ]


def test_a_long_text_moves_only_its_own_row() -> None:
    long, short = columns([("x" * (WIDEST + 9), "1"), ("y", "2")])
    assert long == "x" * (WIDEST + 9) + "  1"
    assert short == "y" + " " * (WIDEST - 1) + "  2"


def test_no_text_breaks_its_row() -> None:
    assert columns([("a\nb", "c"), ("d", "e")]) == [r"a\nb  c", "d     e"]


def test_no_rows_are_no_lines() -> None:
    assert columns([]) == []
