"""The table of this tree beside a former one that was measured in turn with it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.case import OURS
from benchmarks.measures import MEASURES, Measure
from benchmarks.report import number
from benchmarks.trees import FORMER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.harness import Round

COSTS: Mapping[str, str] = {"seconds": "time, s", "cpu": "CPU, s"}
"""Figures that each case has."""

_GOALS = {("day", "seconds"): 0.72, ("day", "cpu"): 0.68, ("stream", "seconds"): 0.89, ("stream", "cpu"): 0.90}
"""Of the costs, as a ratio of the former ones, where it is not the usual one."""


def table(cases: Iterable[str], results: Mapping[str, Sequence[Round]]) -> Iterator[str]:
    """Return the lines of a Markdown table: a row for each measure of these cases, and one for each cost."""
    yield "| Case | Measure | Former | New | Ratio | Goal | Reached |"
    yield "|---|---|---|---|---|---|---|"
    former = {name: [_as_former(each) for each in rounds] for name, rounds in results.items()}
    for case in cases:
        for measure in _measures(case):
            value = measure.value(results)
            if value is not None:
                yield _row(measure, value, measure.value(former), _ratio(measure, results, former))


def _measures(case: str) -> Iterator[Measure]:
    yield from (measure for measure in MEASURES if measure.case == case)
    for figure, name in COSTS.items():
        goal = _GOALS.get((case, figure), Measure.of_former)
        yield Measure(case=case, name=name, figure=figure, carries_over=False, of_former=goal)


def _as_former(done: Round) -> Round:
    """Return a round with the former tree in the place of this one; without ours if it could not run there."""
    former = {name.removeprefix(FORMER): figures for name, figures in done.items() if name.startswith(FORMER)}
    return {name: figures for name, figures in done.items() if name != OURS} | former


def _ratio(
    measure: Measure, results: Mapping[str, Sequence[Round]], former: Mapping[str, Sequence[Round]]
) -> float | None:
    """Return the median over the rounds of this tree's value divided by the former one's."""
    pairs = [
        (measure.value({**results, measure.case: [new]}), measure.value({**former, measure.case: [old]}))
        for new, old in zip(results[measure.case], former[measure.case], strict=True)
    ]
    ratios = [new / old for new, old in pairs if new is not None and old]
    return statistics.median(ratios) if ratios else None


def _row(measure: Measure, value: float, former: float | None, ratio: float | None) -> str:
    goals = [(measure.target, measure.is_reached(value))]
    if ratio is not None:
        goals.append(measure.goal_beside_former(ratio))
    goals = [(goal, is_reached) for goal, is_reached in goals if goal]
    missed = [goal for goal, is_reached in goals if not is_reached]
    cells = [
        measure.case,
        measure.name,
        "new" if former is None else number(former),
        number(value),
        "" if ratio is None else number(ratio),
        ", ".join(goal for goal, _ in goals),
        f"no: {', '.join(missed)}" if missed else "yes" if goals else "",
    ]
    return f"| {' | '.join(cells)} |"
