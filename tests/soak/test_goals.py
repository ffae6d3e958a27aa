"""Every goal of the harness, with the numbers for a pull request; and every goal is in the table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.soak.goals import GOALS
from tests.soak.stage import ROOT, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = ROOT / "docs" / "development" / "reliability.md"
SEED = 4

ALL = [*(f"G-R{number}" for number in range(1, 22)), "G-S1", "G-S2", "G-S3", "G-S6", "G-S7"]


MEASURED = {"G-R1", "G-R6", "G-R9", "G-R10", "G-R19", "G-R20", "G-S7"}
"""Goals with limits of time that another test beside them would exceed."""


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "goal", [pytest.param(goal, marks=pytest.mark.alone) if goal in MEASURED else goal for goal in GOALS]
)
async def test_the_goal_is_reached(goal: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    figures = await GOALS[goal](Run(seed=SEED, is_release=False, folder=tmp_path))
    record_property("figures", f"{goal} (seed {SEED}): {figures.text}")
    assert figures.problems == ()


def rows() -> Iterator[list[str]]:
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("| G-"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_goal_is_in_the_table_with_its_tests() -> None:
    table = {row[0]: row[-1] for row in rows()}
    assert list(table) == ALL
    for goal, held in table.items():
        paths = re.findall(r"\]\(([^)]+)\)", held)
        assert paths != [], goal
        assert [path for path in paths if not (PAGE.parent / path).exists()] == [], goal


def test_the_table_shows_which_goals_the_harness_runs() -> None:
    assert {row[0] for row in rows() if "tests/soak" in row[-1]} == set(GOALS)
