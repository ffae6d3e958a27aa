"""
Measure, and print the results.

    python -m benchmarks                        everything but `growth`, which takes half an hour or more
    python -m benchmarks sends receive-5k       these cases; any other name selects all cases that begin with it
    python -m benchmarks --compare              and report the ratios that changed since the baseline
    python -m benchmarks --former ../former     in turn with that checkout, and print the table of both
    python -m benchmarks --resume ...           go on after a stop: with the same commits, only what is missing runs
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import report
from benchmarks.beside_former import table
from benchmarks.cases import CASES
from benchmarks.harness import RunFailed, run_rounds
from benchmarks.machine import describe
from benchmarks.results import Results
from benchmarks.trees import ROOT, THIS, Tree, former_trees

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.case import Case

BASELINE = ROOT / "benchmarks" / "baseline.json"

TOLERANCE = 0.15
"""Change of a ratio between runs on one machine that is not a regression."""

INTERRUPTED = 130


def chosen(names: Iterable[str]) -> list[Case]:
    """
    Return the selected cases: each by its name, or several by a prefix of their names.

    Raises:
        SystemExit: No case has such a name.
    """
    wanted = list(names)
    for name in wanted:
        if not any(_is_meant(case, name) for case in CASES):
            sys.exit(f"No case is called {name!r}; there are {', '.join(CASES)}.")
    if not wanted:
        return [case for case in CASES.values() if not case.axis]
    return [case for name, case in CASES.items() if any(_is_meant(name, each) for each in wanted)]


def _is_meant(case: str, name: str) -> bool:
    return case == name or (name not in CASES and case.startswith(f"{name}-"))


def progress(line: str) -> None:
    """Print the progress on stderr, because a run takes long."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def measure(case: Case, results: Results, options: argparse.Namespace, former: Sequence[Tree]) -> None:
    """
    Run the missing rounds of a case, and print its table.

    Raises:
        RunFailed: A run has ended without figures; the earlier rounds of the case are kept and shown.
    """
    rounds, late = results.begin(case, resume=options.resume)
    try:
        if len(rounds) < options.rounds:
            for each in run_rounds(
                case, options.folder, rounds=options.rounds, begin=len(rounds), scale=options.scale, former=former,
                on_run=progress, late=late,
            ):  # fmt: skip
                rounds.append(each)
                results.add(case, rounds, late)
    finally:
        if rounds:
            print(*report.show(case.scaled(options.scale), results.rounds, late), "", sep="\n", flush=True)


def main() -> int:
    """Run the command, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("cases", nargs="*", help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of all numbers: 0.01 tries everything out quickly")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json", help="what is there stays in it")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="for journals; mind the disk")
    parser.add_argument("--compare", action="store_true", help="with the baseline; a regression is exit code 1")
    parser.add_argument("--set-baseline", action="store_true", help="make the baseline of this run")
    parser.add_argument("--former", type=Path, help="checkout with its own .venv, measured in turn with this one")
    parser.add_argument("--resume", action="store_true", help="add to the rounds that a stopped run has written")
    options = parser.parse_args()

    # SIGTERM ends started processes as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    former = former_trees(options.former) if options.former else ()
    settings = {"scale": options.scale, "commits": [tree.commit for tree in (THIS, *former[:1])]}
    results = Results(options.out, settings)
    code = 0
    try:
        for case in chosen(options.cases):
            try:
                measure(case, results, options, former)
            except RunFailed as failure:
                progress(str(failure))
                code = 1
    except KeyboardInterrupt:
        progress("Interrupted; what is there is written.")
        code = INTERRUPTED
    if former:
        print(*table(results.ran, results.rounds), "", sep="\n", flush=True)
    now, baseline = report.values(results.rounds, results.ran), report.read(BASELINE)
    if options.compare:
        lines, is_worse = report.compare(now, baseline["measures"], TOLERANCE)
        print(f"Against the baseline, beyond {TOLERANCE:.0%}:", *(lines or ["  nothing has changed"]), sep="\n")
        code = code or int(is_worse)
    if options.set_baseline:
        report.write(BASELINE, {"machine": describe(), "measures": baseline.get("measures", {}) | now})
    return code


if __name__ == "__main__":
    sys.exit(main())
