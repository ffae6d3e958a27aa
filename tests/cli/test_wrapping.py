"""Help in columns whose texts may be Chinese."""

from __future__ import annotations

import pytest

from webwx.cli.columns import width
from webwx.cli.wrapping import CellFormatter, hanging, wrap


@pytest.mark.parametrize(
    ("text", "cells", "lines"),
    [
        ("", 10, []),
        ("短", 10, ["短"]),
        ("一二三四五六", 8, ["一二三四", "五六"]),
        ("一二三四，五六", 8, ["一二三", "四，五六"]),
        ("一二三（四五）", 8, ["一二三", "（四五）"]),
        ("运行 webwx send 发送", 10, ["运行 webwx", "send 发送"]),
        ("见 a-very-long-word 吧", 6, ["见", "a-very-long-word", "吧"]),
        ("一行\n二行", 20, ["一行 二行"]),
    ],
)
def test_a_text_is_broken_by_cells(text: str, cells: int, lines: list[str]) -> None:
    assert wrap(text, cells) == lines


def test_the_lines_of_a_page_fit_the_width() -> None:
    formatter = CellFormatter(width=60)
    with formatter.section("选项"):
        formatter.write_dl(
            [("--name NAME", "对方看到的文件名，默认是所发送文件自己的名字。"), ("--a" * 12, "长名字。")]
        )
    formatter.write_text("第一段很长很长很长很长很长很长很长很长很长很长。\n\n\b\n  原样\n  保留")
    shown = formatter.getvalue().splitlines()
    assert max(width(line) for line in shown) <= 60
    assert shown[-2:] == ["  原样", "  保留"]


def test_a_text_hangs_behind_its_mark() -> None:
    assert hanging("- ", "one two three", 9) == ["- one two", "  three"]


def test_a_text_without_a_width_stays_one_line() -> None:
    assert hanging("- ", "one two three", None) == ["- one two three"]


def test_further_lines_begin_with_their_mark_and_have_its_room() -> None:
    assert hanging("12  Hua: ", "one two three\nfour", 14, further="  | ") == [
        "12  Hua: one", "  | two three", "  | four",
    ]  # fmt: skip
    assert hanging("a long mark: ", "one two", 14, further="  | ") == ["a long mark: ", "  | one two"]


def test_a_line_that_controls_the_terminal_is_shown_as_an_escape() -> None:
    assert hanging("- ", "\x1b[2J", 20) == [r"- \x1b[2J"]
