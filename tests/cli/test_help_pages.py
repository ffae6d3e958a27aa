"""The layout of help: what a command's page shows, and what only the page about all commands does."""

from __future__ import annotations

import pytest
from tests.cli.test_cli import every_command

from webwx.cli import run_command

COMMON_OPTIONS = ("--server URL", "--host NAME", "--account NAME", "--proxy URL", "--json", "-v, --verbose")


@every_command
def test_every_command_has_help_with_an_example_and_without_the_common_options(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*path.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    _, _, examples = shown.partition("\n  Example")
    assert f"webwx {path}" in examples
    for option in COMMON_OPTIONS:
        assert f"\n  {option}  " not in shown
    assert "'webwx help options'" in shown
    assert run_command(["help", *path.split()]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["help", "options"]])
def test_the_options_of_every_command_are_listed_once(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(arguments) == 0
    shown = capsys.readouterr().out
    for option in COMMON_OPTIONS:
        assert shown.count(f"\n  {option}  ") == 1
