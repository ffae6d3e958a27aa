"""Words that people type for a command that has another name."""

from __future__ import annotations

import click
import pytest
from tests.cli.test_cli import find

from webwx.cli import run_command
from webwx.cli.guesses import GUESSES


@pytest.mark.parametrize("word", GUESSES)
def test_a_word_that_people_guess_names_commands_that_exist(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    *group, last = word.split()
    parent = find(" ".join(group))
    assert isinstance(parent, click.Group)
    assert last not in parent.list_commands(click.Context(parent))
    for arguments in (word.split(), ["help", *word.split()]):
        assert run_command(arguments) == 2
        sentence = capsys.readouterr().err
        assert sentence.startswith(f"webwx: No such command '{last}'. Did you mean 'webwx ")
        assert sentence.count("?") == 1
    for command in GUESSES[word]:
        assert f"'webwx {command}'" in sentence
        assert command == "--version" or find(command)
