"""
Measure, and print the results.

    python -m benchmarks                        everything but `growth`, which takes half an hour or more
    python -m benchmarks sends receive-5k       these cases; any other name selects all cases that begin with it
    python -m benchmarks --compare              and report the ratios that changed since the baseline
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import report
from benchmarks.cases import CASES
from benchmarks.harness import ROOT, Round, RunFailed, run_rounds
from benchmarks.machine import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.case import Case, Late

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
    options = parser.parse_args()

    # SIGTERM ends started processes as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    earlier = report.read(options.out)
    results: dict[str, list[Round]] = {name: case["rounds"] for name, case in earlier.get("cases", {}).items()}
    ran: dict[str, list[Round]] = {}
    late: dict[str, list[Late]] = {}
    code = 0
    try:
        for case in chosen(options.cases):
            rounds: list[Round] = []
            try:
                for each in run_rounds(
                    case, options.folder, rounds=options.rounds, scale=options.scale, on_run=progress,
                    late=late.setdefault(case.name, []),
                ):  # fmt: skip
                    rounds.append(each)
                    results[case.name] = ran[case.name] = rounds
            except RunFailed as failure:
                progress(str(failure))
                code = 1
            if rounds:
                shown = report.show(case.scaled(options.scale), results, late[case.name])
                print(*shown, "", sep="\n", flush=True)
    except KeyboardInterrupt:
        progress("Interrupted; what is there is written.")
        code = INTERRUPTED
    cases = earlier.get("cases", {}) | report.as_json(CASES, ran, late)
    report.write(options.out, {"cases": cases, "measures": report.values(results, results)})
    now, baseline = report.values(results, ran), report.read(BASELINE)
    if options.compare:
        lines, is_worse = report.compare(now, baseline["measures"], TOLERANCE)
        print(f"Against the baseline, beyond {TOLERANCE:.0%}:", *(lines or ["  nothing has changed"]), sep="\n")
        code = code or int(is_worse)
    if options.set_baseline:
        report.write(BASELINE, {"machine": describe(), "measures": baseline.get("measures", {}) | now})
    return code


if __name__ == "__main__":
    sys.exit(main())
