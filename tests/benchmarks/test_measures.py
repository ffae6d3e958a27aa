"""Calculations with figures: ratios within a round, medians over rounds, and verdicts."""

from __future__ import annotations

from benchmarks.cases import CASES
from benchmarks.measures import MEASURES, Measure

P50 = Measure(case="sends-1", name="p50 / floor", figure="p50_ms", over="floor", at_most=1.3)


def round_of(ours: float, floor: float) -> dict[str, dict[str, float]]:
    return {"ours": {"p50_ms": ours}, "floor": {"p50_ms": floor}}


def test_a_ratio_is_calculated_within_a_round_and_its_median_counts() -> None:
    rounds = [round_of(1.0, 1.0), round_of(9.0, 3.0), round_of(200.0, 100.0)]

    assert P50.value({"sends-1": rounds}) == 2.0


def test_a_case_that_did_not_run_has_no_verdict() -> None:
    assert P50.value({}) is None
    assert P50.value({"sends-1": [{"ours": {"p50_ms": 1.0}}]}) is None


def test_a_measure_relative_to_another_case_is_divided_by_its_median_there() -> None:
    beside = Measure(case="many", name="beside few", figure="p50_ms", over="floor", of="few")

    assert beside.value({"many": [round_of(4.0, 1.0)], "few": [round_of(2.0, 1.0)]}) == 2.0


def test_a_target_is_an_upper_or_a_lower_limit() -> None:
    assert (P50.is_reached(1.3), P50.is_reached(1.31)) == (True, False)
    speed = Measure(case="sends-1", name="speed", figure="per_second", at_least=30, is_less_better=False)
    assert (speed.is_reached(30), speed.is_reached(29)) == (True, False)


def test_a_change_beyond_the_tolerance_is_better_or_worse() -> None:
    assert (P50.is_worse(1.1, 1.0, 0.15), P50.is_worse(1.2, 1.0, 0.15)) == (False, True)
    speed = Measure(case="sends-1", name="speed", figure="per_second", is_less_better=False)
    assert (speed.is_worse(0.9, 1.0, 0.15), speed.is_worse(0.8, 1.0, 0.15)) == (False, True)


def test_every_measure_has_a_unique_name_and_a_case_with_its_figures() -> None:
    for measure in MEASURES:
        needed = {"ours", measure.over} - {""}
        assert needed <= set(CASES[measure.case].variants), measure
        assert not measure.of or measure.of in CASES, measure
    assert len(MEASURES) == len({str(measure) for measure in MEASURES})
