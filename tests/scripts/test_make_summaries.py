"""The summaries in the help equal the docstrings of the commands."""

from __future__ import annotations

import click

from scripts import make_summaries


def test_the_summaries_equal_the_first_lines_of_the_docstrings() -> None:
    assert make_summaries.source() == make_summaries.MODULE.read_text(encoding="utf-8"), "run `make messages`"


def test_a_summary_is_the_first_line_of_a_docstring() -> None:
    @click.command()
    def add() -> None:
        """
        Add a "number".

        It is kept.
        """

    assert make_summaries.summary_of(add) == 'Add a "number".'
