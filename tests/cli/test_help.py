"""`webwx help` for commands and topics."""

from __future__ import annotations

import pytest

from webwx.cli import COMMANDS, run_command
from webwx.cli.columns import width
from webwx.cli.language import use_language
from webwx.outcomes import Exit


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


@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_webwx_alone_shows_what_to_begin_with_on_one_screen(
    language: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setenv("COLUMNS", "80")
    try:
        assert run_command([]) == Exit.BAD_INPUT
    finally:
        use_language("")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) < 24
    assert max(width(line) for line in lines) <= 80
    named = {line.split()[1] for line in lines if line.startswith("  webwx ")}
    assert {"demo", "login", "serve"} <= named <= COMMANDS.keys()
