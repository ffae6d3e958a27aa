"""Columns of text in any script."""

from __future__ import annotations

import pytest

from webwx.cli.columns import MOST_OF_NAME, WIDEST, Colored, Column, columns, shortened, table, width
from webwx.cli.output import Screen


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


HEAD = [Column("NO", is_right=True), Column("NAME"), Column("KEY"), Column("TEXT", is_cut=True)]
ROWS: list[list[str | Colored]] = [
    ["7", Colored("阿华", "green"), "", "a long text of a message"],
    ["12", "Bo\x1b[31mss", "", "hi"],
]


class TestTable:
    """A table on a terminal and in a pipe."""

    def test_has_titles_on_a_terminal_and_cuts_one_column_to_its_width(self) -> None:
        assert table(HEAD, ROWS, Screen(width=40)) == [
            "NO  NAME          TEXT",
            " 7  阿华          a long text of a mess…",
            r"12  Bo\x1b[31mss  hi",
        ]

    def test_joins_the_lines_of_a_text_on_a_terminal(self) -> None:
        rows = [["7", "阿华", "", "one\ntwo"]]
        assert table(HEAD, rows, Screen(width=40))[1:] == [" 7  阿华  one two"]
        assert table(HEAD, rows, Screen()) == [r"7  阿华  one\ntwo"]

    def test_in_a_pipe_has_whole_texts_and_no_titles(self) -> None:
        assert table(HEAD, ROWS, Screen()) == [
            " 7  阿华          a long text of a message",
            r"12  Bo\x1b[31mss  hi",
        ]

    def test_leaves_out_a_column_without_texts(self) -> None:
        assert "KEY" not in table(HEAD, ROWS, Screen(width=80))[0]

    def test_has_colours_only_where_the_terminal_has_them(self) -> None:
        plain, colored = (table(HEAD, ROWS, Screen(80, has_colors=has)) for has in (False, True))
        assert "\x1b" not in "".join(plain)
        assert "\x1b[32m阿华\x1b[0m  " in colored[1]

    def test_never_prints_the_escapes_of_a_peer(self) -> None:
        assert "\x1b[31m" not in "".join(table(HEAD, ROWS, Screen(80, has_colors=True)))

    def test_cuts_a_name_that_another_person_has_chosen(self) -> None:
        head = [Column("NAME", most=MOST_OF_NAME), Column("TEXT", is_cut=True)]
        rows = [["长" * 200, "hello " * 40], ["Boss", "hi"]]
        assert max(map(width, table(head, rows, Screen(width=60)))) <= 60
        assert "长" * 200 in table(head, rows, Screen())[0]

    def test_keeps_a_readable_column_on_a_narrow_terminal(self) -> None:
        assert table(HEAD, ROWS, Screen(width=10))[1].endswith("a long text…")

    def test_without_rows_has_no_lines(self) -> None:
        assert table(HEAD, [], Screen()) == []


@pytest.mark.parametrize(
    ("text", "cells", "short"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("阿华们", 4, "阿…"), ("阿华们", 5, "阿华…")]
)
def test_a_cut_text_takes_no_more_than_its_cells(text: str, cells: int, short: str) -> None:
    assert shortened(text, cells) == short
