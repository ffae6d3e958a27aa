"""Columns of text in any script."""

from __future__ import annotations

import pytest

from webwx.cli.columns import WIDEST, columns, width


@pytest.mark.parametrize(
    ("text", "places"), [("", 0), ("abc", 3), ("阿华", 4), ("Ａ", 2), ("e\u0301", 1), ("👍", 2), ("한", 2)]
)
def test_the_width_of_a_character_is_that_on_a_terminal(text: str, places: int) -> None:
    assert width(text) == places


def test_the_second_column_is_aligned() -> None:
    assert columns([("阿华", "friend", "@1"), ("Boss (李雷)", "self", ""), ("", "x", "y")]) == [
        "阿华         friend  @1",
        "Boss (李雷)  self",
        "             x       y",
    ]


def test_a_long_text_shifts_only_its_own_row() -> None:
    long, short = columns([("x" * (WIDEST + 9), "1"), ("y", "2")])
    assert long == "x" * (WIDEST + 9) + "  1"
    assert short == "y" + " " * (WIDEST - 1) + "  2"


def test_a_text_with_line_breaks_stays_on_one_row() -> None:
    assert columns([("a\nb", "c"), ("d", "e")]) == [r"a\nb  c", "d     e"]


def test_without_rows_there_are_no_lines() -> None:
    assert columns([]) == []
