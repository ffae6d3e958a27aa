"""`webwx demo --crash`, with fewer kills than the command makes."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click.exceptions
import pytest
from tests.cli.test_checker import TABLES

from webwx.cli.checker import JOURNAL, SAID, Notebook, Said
from webwx.cli.demo_crash import conclude, crash
from webwx.cli.options import Given
from webwx.cli.session import Session

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def content(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_nothing_is_lost_and_the_last_line_says_the_figures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await crash(Session(Given(as_json=True)), kills=2, seed=1)
    *kills, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kill"] for line in kills] == [1, 2]
    assert (last["ok"], last["kills"], last["seed"], last["problems"]) == (True, 2, 1, [])
    assert last["said"] == last["handled"] > 0
    assert content(tmp_path) == []


async def test_a_person_reads_a_line_for_each_kill(capsys: pytest.CaptureFixture[str]) -> None:
    await crash(Session(Given()), kills=1, seed=2)
    out, told = capsys.readouterr()
    first, last = out.splitlines()
    assert first.startswith("kill  1  ")
    assert last.startswith("1 kills: ")
    assert "0 lost, 0 doubled, 0 out of order (seed 2, " in last
    assert "The seed is 2." in told


def test_what_the_checker_finds_fails_the_command_and_is_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Notebook(tmp_path / SAID) as notebook:
        notebook.note(Said(message_id="17", chat="ahua"))
    with closing(sqlite3.connect(tmp_path / JOURNAL)) as db:
        db.executescript(TABLES)
    with pytest.raises(click.exceptions.Exit) as ended:
        conclude(Session(Given()), tmp_path, kills=20, seed=7, seconds=1)
    assert ended.value.exit_code == 1
    out, told = capsys.readouterr()
    assert out == (
        "20 kills: 1 messages, 0 handled; 0 came again and said so; 1 not stored (17); 1 lost (17) (seed 7, 1 s)\n"
    )
    assert str(tmp_path) in told
    assert (tmp_path / SAID).exists()


def test_a_seed_is_for_kills_only(shell: Any) -> None:
    done = shell.run("demo", "--seed", "1")
    assert (done.code, done.stdout) == (2, "")
    assert "--seed goes with --crash" in done.stderr
