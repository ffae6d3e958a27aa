"""The file with all rounds: it outlives a stop, and rounds of other commits or numbers are never mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.case import Late
from benchmarks.cases import CASES
from benchmarks.results import Results

from benchmarks import report

if TYPE_CHECKING:
    from pathlib import Path

CASE = CASES["sends-1"]

ROUND = {"floor": {"p50_ms": 0.1}, "ours": {"p50_ms": 0.2}}

LATE = [Late(at=3.0, ms=103.0, sync_ms=0.5, core_ms=7.0)]


def test_a_resumed_run_adds_to_the_rounds_that_a_stopped_one_has_written(tmp_path: Path) -> None:
    settings = {"scale": 1.0, "commits": ["a", "b"]}
    Results(tmp_path / "bench.json", settings).add(CASE, [ROUND], LATE)

    resumed = Results(tmp_path / "bench.json", settings)

    assert resumed.begin(CASE, resume=True) == ([ROUND], LATE)
    assert resumed.ran == {"sends-1": [ROUND]}
    assert Results(tmp_path / "bench.json", settings).begin(CASE, resume=False) == ([], [])


def test_rounds_of_another_commit_or_scale_are_not_resumed(tmp_path: Path) -> None:
    Results(tmp_path / "bench.json", {"scale": 1.0, "commits": ["a", "b"]}).add(CASE, [ROUND], LATE)

    for settings in ({"scale": 0.1, "commits": ["a", "b"]}, {"scale": 1.0, "commits": ["a", "c"]}):
        assert Results(tmp_path / "bench.json", settings).begin(CASE, resume=True) == ([], [])


def test_cases_of_earlier_runs_stay_in_the_file(tmp_path: Path) -> None:
    Results(tmp_path / "bench.json", {"scale": 1.0}).add(CASE, [ROUND], LATE)
    Results(tmp_path / "bench.json", {"scale": 0.1}).add(CASES["import"], [{"ours": {"ms": 12.0}}], [])

    written = report.read(tmp_path / "bench.json")

    assert written["cases"]["sends-1"]["late"] == [{"at": 3.0, "ms": 103.0, "sync_ms": 0.5, "core_ms": 7.0}]
    assert written["measures"] == {"sends-1: p50 / floor": 2.0, "import: `import webwx`, ms": 12.0}
