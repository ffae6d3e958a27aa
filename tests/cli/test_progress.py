"""A progress bar is shown on a terminal only."""

from __future__ import annotations

import io

import pytest

from webwx.cli.progress import bar, shown_files, shown_progress, shown_rows


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_line_is_drawn_and_erased() -> None:
    terminal = Terminal()
    with shown_progress("a\x1b[2J.txt", terminal) as show:
        assert show is not None
        show(512 * 1024, 1024 * 1024)

    drawn = terminal.getvalue()
    assert r"a\x1b[2J.txt" in drawn
    assert "0.5 of 1.0 MiB" in drawn
    assert drawn.endswith("\r\x1b[K")


def test_into_a_pipe_nothing_is_written() -> None:
    pipe = io.StringIO()
    with shown_progress("a.txt", pipe) as show:
        assert show is None

    assert pipe.getvalue() == ""


def test_the_rows_of_a_copy_are_counted_on_a_terminal_only() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with shown_rows(stream) as show:
            show("entries", 12_000)
    assert terminal.getvalue() == "\r\x1b[Kentries: 12,000\r\x1b[K"
    assert pipe.getvalue() == ""


def test_the_files_of_a_backup_are_counted_on_a_terminal_only() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with shown_files(stream) as show:
            show("a\x1b[2J.json", 2, 12)
    assert terminal.getvalue() == "\r\x1b[K2/12  a\\x1b[2J.json\r\x1b[K"
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    ("done", "whole", "drawn"),
    [
        (0, 2, f"[{30 * '.'}]"),
        (1, 2, f"[{15 * '#'}{15 * '.'}]"),
        (2, 2, f"[{30 * '#'}]"),
        (3, 0, "0.0 MiB"),
    ],
)
def test_the_bar_shows_the_transferred_part(done: int, whole: int, drawn: str) -> None:
    assert bar(done, whole).startswith(drawn)
