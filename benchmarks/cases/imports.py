"""The start: an import, and the help of the command line; the floor is the start of Python."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.case import FLOOR, OURS, PEER, Case, Figures, Run

_WEBWX = str(Path(sys.executable).with_name("webwx"))


def start(run: Run, *command: str) -> Figures:
    """Start a process a number of times."""
    waits = []
    with run.meter() as meter:
        for _ in range(run.case.count):
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            waits.append(time.perf_counter() - begun)
    return meter.figures | {"ms": statistics.median(waits) * 1000}


def floor_of(run: Run) -> Figures:
    """Start Python."""
    return start(run, sys.executable, "-c", "pass")


def ours_import(run: Run) -> Figures:
    """Import webwx."""
    return start(run, sys.executable, "-c", "import webwx")


def peer_import(run: Run) -> Figures:
    """Import itchat."""
    return start(run, sys.executable, "-c", "import itchat")


def ours_help(run: Run) -> Figures:
    """Print the help."""
    return start(run, _WEBWX, "--help")


CASES = (
    Case(
        name="import", about="until the process has ended", count=10,
        variants={FLOOR: floor_of, OURS: ours_import, PEER: peer_import},
    ),
    Case(
        name="help", about="`webwx --help`, until the process has ended", count=10,
        variants={FLOOR: floor_of, OURS: ours_help},
    ),
)  # fmt: skip
