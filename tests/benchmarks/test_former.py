"""A former tree measured in turn with this one, and the table of both."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import pytest
from benchmarks.beside_former import table
from benchmarks.cases import CASES
from benchmarks.harness import run_rounds
from benchmarks.trees import ROOT, former_trees

if TYPE_CHECKING:
    from pathlib import Path


def round_of(ours: float, former: float) -> dict[str, dict[str, float]]:
    return {
        "floor": {"p50_ms": 1.0, "seconds": 1.0},
        "ours": {"p50_ms": ours, "seconds": ours},
        "former ours": {"p50_ms": former, "seconds": former},
    }


def rows(case: str, rounds: list[dict[str, dict[str, float]]]) -> dict[str, list[str]]:
    lines = [line[2:-2].split(" | ") for line in table([case], {case: rounds})]
    assert lines[0] == ["Case", "Measure", "Former", "New", "Ratio", "Goal", "Reached"]
    return {line[1]: line[2:] for line in lines[2:]}


def test_a_ratio_is_made_within_each_round() -> None:
    # The machine was half as fast in the second round, for both.
    found = rows("sends-1", [round_of(1.2, 1.0), round_of(2.2, 2.0), round_of(1.1, 1.0)])

    assert found["p50 / floor"] == ["1.00", "1.20", "1.10", "<= 1.25, <= 1.05 x", "no: <= 1.05 x"]
    assert found["time, s"] == ["1.00", "1.20", "1.10", "<= 1.05 x", "no: <= 1.05 x"]


def test_a_row_of_which_more_is_better_has_a_lower_limit() -> None:
    speed = {"floor": {"per_second": 100.0}, "ours": {"per_second": 90.0}, "former ours": {"per_second": 100.0}}

    assert rows("receive-100", [speed])["speed / floor"] == [
        "1.00", "0.900", "0.900", ">= 0.8, >= 0.95 x", "no: >= 0.95 x"
    ]  # fmt: skip


def test_a_case_that_the_former_tree_lacks_is_new() -> None:
    lone = {"floor": {"ms": 10.0}, "ours": {"ms": 100.0, "seconds": 1.0}}

    found = rows("import-client", [lone])

    assert found["`from webwx import AsyncClient`, ms"] == ["new", "100.00", "", "<= 150", "yes"]
    assert found["time, s"] == ["new", "1.00", "", "", ""]


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """Return a checkout without any case, whose environment is that of the tests."""
    python = tmp_path / "former" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return tmp_path / "former"


CASE = dataclasses.replace(
    CASES["import"],
    count=1,
    variants={name: CASES["import"].variants[name] for name in ("floor", "ours")},
)


@pytest.mark.verify
def test_the_former_tree_runs_in_each_round_and_first_in_every_second_one(former: Path, tmp_path: Path) -> None:
    both = former_trees(former)

    done = list(run_rounds(CASE, tmp_path / "runs", rounds=2, former=both[::-1]))

    assert [list(each) for each in done] == [["floor", "ours", "former ours"], ["floor", "former ours", "ours"]]
    assert done[0]["former ours"]["ms"] > 0
    assert [tree.benchmarks for tree in both] == [ROOT, former]


@pytest.mark.verify
def test_a_former_tree_that_cannot_run_a_case_is_left_out(former: Path, tmp_path: Path) -> None:
    progress: list[str] = []

    [done] = run_rounds(
        CASE, tmp_path / "runs", rounds=2, begin=1, former=former_trees(former)[1:], on_run=progress.append
    )

    assert list(done) == ["floor", "ours"]
    assert any("cannot measure the former tree" in line for line in progress)


def test_a_checkout_without_an_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make tools"):
        former_trees(tmp_path)
