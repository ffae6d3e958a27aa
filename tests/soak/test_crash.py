"""The crash demonstration, with fewer kills than in `make demo-crash`."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from tests.postgres import new_schema
from tests.soak.checker import Verdict
from tests.soak.crash import conclude, main
from tests.soak.stage import Run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.verify)])
def test_each_kill_is_a_line_and_no_message_is_lost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    storage = ["--storage", new_schema().url] if engine == "postgres" else []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["--kills", "2", "--seed", "1", *storage]) == 0
    first, _, *kills, _, last = capsys.readouterr().out.splitlines()
    assert first.endswith("seed 1.")
    assert [line[:9] for line in kills] == ["kill  1  ", "kill  2  "]
    assert last.startswith("2 kills: ")
    assert "0 lost, 0 doubled, 0 out of order (seed 1, " in last
    assert list(tmp_path.iterdir()) == []


def test_a_problem_fails_the_command_and_keeps_the_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    verdict = Verdict(said=1, handled=0, calls=0, came_again=0, answers=0, in_doubt=0, problems=("1 lost (17)",))
    assert conclude(verdict, Run(seed=7, is_release=False, folder=tmp_path), 20, 1.0) == 1
    printed = capsys.readouterr().out
    assert "20 kills: 1 messages, 0 handled; 0 came again and said so; 1 lost (17) (seed 7, 1 s)\n" in printed
    assert f"kept in {tmp_path}" in printed
    assert tmp_path.exists()
