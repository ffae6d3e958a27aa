"""The table, the comparison with a baseline, and the history of earlier runs."""

from __future__ import annotations

from benchmarks.case import Late
from benchmarks.cases import CASES

from benchmarks import report

ROUNDS = [{"floor": {"p50_ms": 0.1, "cpu_ms": 0.1}, "ours": {"p50_ms": 0.2, "cpu_ms": 0.1}}]


def test_the_table_shows_whether_a_target_is_reached() -> None:
    lines = list(report.show(CASES["sends-1"], {"sends-1": ROUNDS}))

    assert lines[0] == "sends-1: texts, one after another (median of 1; 2,000 times)"
    assert any(line.split() == ["ours", "0.200", "0.100"] for line in lines)
    assert any(line.endswith("target <= 1.25: NOT reached") for line in lines)


def test_the_events_that_took_longest_are_shown_with_what_explains_them() -> None:
    late = [Late(at=float(n), ms=100.0 + n, sync_ms=0.5, core_ms=7.0) for n in range(12)]
    lines = [line for line in report.show(CASES["sends-1"], {"sends-1": ROUNDS}, late) if "late:" in line]

    assert len(lines) == 10
    assert lines[0].strip() == (
        "late: 111 ms, 11.0 s from the begin: fdatasync took at most 0 ms, waits for a core 7 ms in all"
    )


def test_a_comparison_names_changes_and_distinguishes_worse_from_better() -> None:
    before = {"sends-1: p50 / floor": 1.5, "sends-1: CPU / floor": 1.0}
    now = report.values({"sends-1": ROUNDS}, {"sends-1"})
    lines, is_worse = report.compare(now, before, 0.15)
    assert (len(lines), is_worse) == (1, True)
    assert lines[0].split() == ["WORSE", "sends-1:", "p50", "/", "floor", "1.50", "->", "2.00"]

    lines, is_worse = report.compare(now, {"sends-1: p50 / floor": 3.0}, 0.15)
    assert (lines[0].split()[0], is_worse) == ("better", False)


def test_figures_of_another_machine_are_not_compared() -> None:
    name = "sends-64: CPU per send, ms"

    assert report.compare({name: 9.0}, {name: 0.1}, 0.15) == ([], False)


def test_a_run_of_some_cases_reports_only_these() -> None:
    results = {"sends-1": ROUNDS, "import": [{"ours": {"ms": 12.0}}]}

    assert report.values(results, {"import"}) == {"import: `import webwx`, ms": 12.0}
