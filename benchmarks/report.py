"""The results, as a table for people, as JSON for programs, and compared with a baseline."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.measures import MEASURES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.case import Case, Late
    from benchmarks.harness import Round


LONGEST_LATE = 10
"""Number of late events of a case that are shown, those that took longest."""


def show(case: Case, results: Mapping[str, Sequence[Round]], late: Sequence[Late] = ()) -> Iterator[str]:
    """Return the lines of a case: the medians of each variant, the measures, and the events that took longest."""
    rounds = results[case.name]
    yield f"{case.name}: {case.about} ({_beside(case, rounds)})"
    figures = list(dict.fromkeys(name for each in rounds for variant in each.values() for name in variant))
    yield "  " + " ".join([f"{'':12}", *(f"{_title(name):>14}" for name in figures)])
    for variant in case.variants:
        cells = [_median([each[variant] for each in rounds if variant in each], name) for name in figures]
        yield "  " + " ".join([f"{variant:12}", *(f"{cell:>14}" for cell in cells)])
    for measure in MEASURES:
        value = measure.value(results) if measure.case == case.name else None
        if value is not None:
            verdict = _verdict(measure.target, measure.is_reached(value))
            yield f"  {measure.name:40} {number(value):>10}  {verdict}".rstrip()
    for event in sorted(late, key=lambda event: event.ms, reverse=True)[:LONGEST_LATE]:
        yield (
            f"  late: {event.ms:,.0f} ms, {event.at:,.1f} s from the begin: fdatasync took at most"
            f" {event.sync_ms:,.0f} ms, waits for a core {event.core_ms:,.0f} ms in all"
        )


def _beside(case: Case, rounds: Sequence[Round]) -> str:
    """Return notes that explain the figures."""
    about = [f"median of {len(rounds)}"]
    if case.world.texts:
        order = "ascending" if case.world.is_ascending else "random"
        about += [f"{case.world.texts:,} texts", f"batches of {case.world.batch}", f"message ids {order}"]
    elif case.count > 1:
        about.append(f"{case.count:,} times")
    if case.journal:
        runs = [variant for each in rounds for variant in each.values() if "rows" in variant]
        about += [
            f"{min(run['rows'] for run in runs):,.0f} rows before",
            f"fdatasync p50 {statistics.median(run['fdatasync_ms'] for run in runs):.2f} ms",
        ]
    return "; ".join(about)


def _title(figure: str) -> str:
    return figure.replace("_", " ")


def _median(runs: Sequence[Mapping[str, float]], name: str) -> str:
    values = [run[name] for run in runs if name in run]
    return number(statistics.median(values)) if values else "-"


def number(value: float) -> str:
    """Return a value with two or three digits that count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _verdict(target: str, is_reached: bool | None) -> str:
    return "" if is_reached is None else f"target {target}: {'reached' if is_reached else 'NOT reached'}"


def values(results: Mapping[str, Sequence[Round]], cases: Collection[str]) -> dict[str, float]:
    """Return the measures of some cases."""
    found = {str(measure): measure.value(results) for measure in MEASURES if measure.case in cases}
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def read(path: Path) -> dict[str, Any]:
    """Return the JSON of a file; an empty object if there is no file."""
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return figures


def write(path: Path, value: object) -> None:
    """Write JSON that can be read, and compared line by line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def compare(now: Mapping[str, float], baseline: Mapping[str, float], tolerance: float) -> tuple[list[str], bool]:
    """Return a line for each ratio that has changed by more than a tolerance, and whether one is worse."""
    lines, is_any_worse = [], False
    for measure in MEASURES:
        value, before = now.get(str(measure)), baseline.get(str(measure))
        if value is None or before is None or not measure.carries_over:
            continue
        is_worse = measure.is_worse(value, before, tolerance)
        if is_worse or measure.is_worse(before, value, tolerance):
            word = "WORSE" if is_worse else "better"
            lines.append(f"  {word:6} {measure!s:60} {number(before):>10} -> {number(value):>10}")
            is_any_worse |= is_worse
    return lines, is_any_worse
