"""
A probe of the disk beside a measurement: how long `fdatasync` takes, again and again, in a process of its own.

    python -m benchmarks.disk_probe FOLDER

writes a line when it has begun, and all times as a line of JSON when its stdin ends. A commit waits for `fdatasync`, so
a latency that is far above the others is explained if a sync of the probe has stalled during it.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.case import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

ROOT = Path(__file__).parents[1]

EVERY = 0.025
"""Seconds between two syncs."""

OUTLIER = 0.1
"""Seconds from which a latency is an outlier."""

STALL = 0.05
"""Seconds from which a sync has stalled."""


class Sync(NamedTuple):
    """A sync of the probe."""

    at: float
    """Time of its begin, by the machine's monotonic clock."""
    seconds: float


class DiskProbe:
    """
    A probe that runs for as long as its context.

    Args:
        folder: A folder on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.syncs: list[Sync] = []
        """All syncs, in their order, after the context."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.disk_probe", str(self._folder)], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found, _ = self._process.communicate()
        self.syncs = [Sync(*each) for each in json.loads(found)]

    def figures(self, latencies: Iterable[tuple[float, float]]) -> Figures:
        """
        Return figures about the syncs and about the outliers among some latencies.

        Args:
            latencies: Begin and end of each, by the machine's monotonic clock.
        """
        times = sorted(each.seconds for each in self.syncs)
        stalls = [each for each in self.syncs if each.seconds >= STALL]
        outliers = [(begin, end) for begin, end in latencies if end - begin >= OUTLIER]
        explained = [
            (begin, end)
            for begin, end in outliers
            if any(each.at < end and each.at + each.seconds > begin for each in stalls)
        ]
        return {
            "fdatasync_ms": statistics.median(times) * 1000,
            "fdatasync_p99_ms": times[len(times) * 99 // 100] * 1000,
            "fdatasync_max_ms": times[-1] * 1000,
            "fdatasync_stalls": len(stalls),
            "outliers": len(outliers),
            "outliers_at_stalls": len(explained),
        }


def waits_of(latencies: Iterable[tuple[float, float]]) -> list[float]:
    """Return the seconds of latencies, the shortest first."""
    return sorted(end - begin for begin, end in latencies)


def waits_figures(waits: list[float]) -> Figures:
    """Return figures about sorted latencies in seconds."""
    return {
        "p50_ms": statistics.median(waits) * 1000,
        "p99_ms": waits[len(waits) * 99 // 100] * 1000,
        "max_ms": waits[-1] * 1000,
    }


def probe(folder: Path) -> list[Sync]:
    """Write and sync 4 KiB again and again until stdin ends."""
    sync = getattr(os, "fdatasync", os.fsync)
    place = folder / f"probe-{os.getpid()}"
    handle = os.open(place, os.O_CREAT | os.O_WRONLY)
    syncs = []
    try:
        while not select.select([sys.stdin], [], [], EVERY)[0]:
            os.pwrite(handle, b"x" * 4096, 0)
            at = time.monotonic()
            sync(handle)
            syncs.append(Sync(at, time.monotonic() - at))
            if len(syncs) == 1:
                sys.stdout.write("begun\n")
                sys.stdout.flush()
    finally:
        os.close(handle)
        place.unlink()
    return syncs


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(Path(sys.argv[1]))) + "\n")
