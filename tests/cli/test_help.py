"""`webwx help` for commands and topics."""

from __future__ import annotations

import pytest

from webwx.cli import run_command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exit-codes"], "Exit codes:\n  0 "),
        (["exit", "codes"], "Exit codes:\n  0 "),
        (["environment"], "  WEBWX_HOME "),
        (["names"], "who:12"),
    ],
)
def test_help_has_topics_for_all_commands(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["help", *arguments]) == 0
    assert words in capsys.readouterr().out
