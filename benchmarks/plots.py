"""
The plots of docs/topics/performance.md, drawn from the results of `make bench CASES=growth`.

Drawn by hand, as SVG: two dozen points want no library, and the files change only where a figure has.

    python -m benchmarks.plots                  build/bench.json -> docs/topics/performance/*.svg
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.cases import CASES
from benchmarks.trees import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = ROOT / "docs" / "topics" / "performance"

WIDTH, HEIGHT = 260, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 34, 34

Point = tuple[float, float]


class Panel(NamedTuple):
    """One figure against one axis."""

    figure: str
    title: str


_LOGIN = Panel("login_seconds", "login to ready, s")
_RECEIVED = Panel("per_second", "received per second")
_MEMORY = Panel("mb", "memory, MB")
_ROW = Panel("row_cpu_us", "CPU of a row, us")

AXES: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "friends": ("friends", (_LOGIN, _RECEIVED, _ROW, _MEMORY)),
    "chatrooms": ("chatrooms of 100", (_LOGIN, _RECEIVED, _MEMORY)),
    "rows": ("messages in the journal", (_RECEIVED, _ROW, Panel("search_ms", "a search, ms"), _MEMORY)),
    "rate": ("messages that come in a second", (_RECEIVED, Panel("cpu_percent", "CPU, % of a core"), _MEMORY)),
    "accounts": (
        "accounts in one process",
        (
            _MEMORY,
            _ROW,
            Panel("cpu_percent", "idle CPU, %, polls held 5 s"),
            Panel("lag_p99_ms", "loop lag p99, ms"),
        ),
    ),
}
"""What is drawn, by axis: how the axis is called, and its panels."""


def points(results: dict[str, Any], axis: str, figure: str) -> list[Point]:
    """Return the medians of a figure along an axis."""
    found = []
    for case in CASES.values():
        rounds = results["cases"].get(case.name, {}).get("rounds", [])
        if case.axis == axis and rounds:
            found.append((case.at, statistics.median(each["ours"][figure] for each in rounds)))
    return found


def draw(panels: Sequence[tuple[str, list[Point]]], axis: str) -> str:
    """Draw panels side by side."""
    width = WIDTH * len(panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for number, (title, line) in enumerate(panels):
        lines += [f'<g transform="translate({number * WIDTH} 0)">', *_panel(title, line, axis), "</g>"]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(title: str, line: list[Point], axis: str) -> Iterator[str]:
    most = _round_up(max(y for _, y in line))
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    step = (right - _LEFT) / max(1, len(line) - 1)
    # Evenly spaced: the points were chosen to be, and an axis of logarithms has no 0.
    placed = [(_LEFT + index * step, bottom - (bottom - _TOP) * y / most) for index, (_, y) in enumerate(line)]
    yield f'<text x="{_LEFT}" y="18" font-size="12" fill="#111">{escape(title)}</text>'
    for share in (0, 0.5, 1):
        y = bottom - (bottom - _TOP) * share
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 5}" y="{y + 3:.1f}" text-anchor="end" fill="#555">{_short(most * share)}</text>'
    for (x, _), (at, _) in zip(placed, line, strict=True):
        yield f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" fill="#555">{_short(at)}</text>'
    yield f'<text x="{(_LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle" fill="#555">{escape(axis)}</text>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    yield f'<polyline points="{path}" fill="none" stroke="#07c160" stroke-width="2"/>'
    for (x, y), (at, value) in zip(placed, line, strict=True):
        title = f"<title>{_short(at)}: {_short(value)}</title>"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#07c160">{title}</circle>'


def _round_up(value: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20 … that is not below a value."""
    if value <= 0:
        return 1.0
    power: float = 10 ** math.floor(math.log10(value))
    return next(each * power for each in (1, 2, 5, 10) if value <= each * power)


def _short(value: float) -> str:
    for unit, sign in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{sign}"
    return f"{value:.3g}"


def main() -> None:
    """Draw the results."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "bench.json"
    results = json.loads(source.read_text(encoding="utf-8"))
    FOLDER.mkdir(exist_ok=True)
    for axis, (name, panels) in AXES.items():
        lines = [(panel.title, points(results, axis, panel.figure)) for panel in panels]
        if all(line for _, line in lines):
            (FOLDER / f"{axis}.svg").write_text(draw(lines, name), encoding="utf-8")
            print(FOLDER / f"{axis}.svg")


if __name__ == "__main__":
    main()
