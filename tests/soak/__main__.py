"""
`python -m tests.soak [GOAL ...] [--seed N] [--seeds COUNT] [--scale pr|release]`: run the delivery goals and print the
figures of each.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.goals import GOALS
from tests.soak.stage import Run


def main() -> int:
    """Run goals one after the other; the folder of a failed one is kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("goals", nargs="*", metavar="GOAL", help=f"one of {', '.join(GOALS)}; without one, all")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--seeds", type=int, default=1, metavar="COUNT", help="run each goal with this many seeds")
    parser.add_argument("--scale", choices=("pr", "release"), default="release")
    given = parser.parse_args()
    wrong = [goal for goal in given.goals if goal not in GOALS]
    if wrong:
        parser.error(f"there is no goal {wrong[0]!r}")
    is_good, begun = True, time.monotonic()
    for goal, seed in itertools.product(given.goals or GOALS, range(given.seed, given.seed + given.seeds)):
        folder = Path(tempfile.mkdtemp(prefix=f"webwx-{goal.lower()}-"))
        started = time.monotonic()
        figures = asyncio.run(GOALS[goal](Run(seed=seed, is_release=given.scale == "release", folder=folder)))
        outcome = "FAILED" if figures.problems else "ok"
        print(f"{outcome:<7}{goal:<6} {figures.text} (seed {seed}, {time.monotonic() - started:.0f} s)", flush=True)
        if figures.problems:
            is_good = False
            for problem in figures.problems:
                print(f"        {problem}")
            print(f"        what was written down is kept in {folder}", flush=True)
        else:
            shutil.rmtree(folder)
    print(f"{'All goals reached' if is_good else 'NOT all goals reached'} in {time.monotonic() - begun:.0f} s.")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
