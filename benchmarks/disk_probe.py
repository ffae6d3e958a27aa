"""
Probes beside a measurement of latencies: how long `fdatasync` takes, and how long a process waits for its core.

    python -m benchmarks.disk_probe FOLDER CORE

writes a line when it has begun, and all that it has measured as a line of JSON when its stdin ends. A commit waits for
`fdatasync`, and a process that is awake waits for its core: a latency that is far above the others is explained by the
longest sync, or by the waits for a core, in its time. If both were short, the program itself was late.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import time
from bisect import bisect_right
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.case import Figures, Late
from benchmarks.machine import use_all_cores, use_core

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from benchmarks.case import Run

ROOT = Path(__file__).parents[1]

EVERY = 0.005
"""Seconds from the end of a sync to the next one."""

OUTLIER = 0.1
"""Seconds from which a latency is an outlier."""

EXPLAINS = 0.5
"""Part of an outlier that the longest sync, or all waits for a core, must take to explain it."""

WAIT = 0.001
"""Seconds from which a wait for a core is recorded."""

CORES = (0, 1)
"""The cores, of which one or both run what is measured; each has a probe."""


class Span(NamedTuple):
    """A sync of a probe, or its wait for a core."""

    at: float
    """Time of its begin, by the machine's monotonic clock."""
    seconds: float
    """Its length; that of a sync is without the waits for the core."""


class DiskProbe:
    """
    Probes that run for as long as their context, one for each core; only one of them syncs.

    Args:
        folder: A folder on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.syncs: list[Span] = []
        """All syncs, in their order, after the context."""
        self.waits: list[list[Span]] = []
        """All waits for each core, in their order, after the context."""

    def __enter__(self) -> Self:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.disk_probe", str(self._folder), str(core)], cwd=ROOT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            for core in CORES
        ]  # fmt: skip
        for process in self._processes:
            assert process.stdout is not None
            process.stdout.readline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found = [json.loads(process.communicate()[0]) for process in self._processes]
        self.syncs = [Span(*each) for each in found[0]["syncs"]]
        self.waits = [[Span(*each) for each in one["waits"]] for one in found]

    def figures(self, run: Run, latencies: Iterable[tuple[float, float]]) -> Figures:
        """
        Return figures about the syncs, the waits and the outliers among some latencies; `run` keeps the outliers.

        Args:
            run: The run.
            latencies: Begin and end of each, by the machine's monotonic clock.
        """
        times = sorted(each.seconds for each in self.syncs)
        late = self._late(latencies)
        run.late.extend(late)
        at_sync = sum(each.sync_ms >= EXPLAINS * each.ms for each in late)
        at_core = sum(each.sync_ms < EXPLAINS * each.ms <= each.core_ms for each in late)
        return {
            "fdatasync_ms": statistics.median(times) * 1000,
            "fdatasync_p99_ms": times[len(times) * 99 // 100] * 1000,
            "fdatasync_max_ms": times[-1] * 1000,
            "core_wait_max_ms": max((each.seconds for each in chain.from_iterable(self.waits)), default=0.0) * 1000,
            "outliers": len(late),
            "outliers_at_sync": at_sync,
            "outliers_at_core": at_core,
            "outliers_of_ours": len(late) - at_sync - at_core,
        }

    def _late(self, latencies: Iterable[tuple[float, float]]) -> list[Late]:
        """Return the outliers among some latencies, the earliest first."""
        begun = self.syncs[0].at
        return [
            Late(
                at=begin - begun,
                ms=(end - begin) * 1000,
                sync_ms=1000 * max((each.seconds for each in _within(self.syncs, begin, end)), default=0.0),
                core_ms=1000 * max(sum(each.seconds for each in _within(core, begin, end)) for core in self.waits),
            )
            for begin, end in sorted(latencies)
            if end - begin >= OUTLIER
        ]


def _within(spans: Sequence[Span], begin: float, end: float) -> Iterator[Span]:
    """Yield the spans of which a part is in this time; they are in their order and do not overlap."""
    first = max(0, bisect_right(spans, begin, key=lambda each: each.at) - 1)
    for number in range(first, len(spans)):
        each = spans[number]
        if each.at >= end:
            break
        if each.at + each.seconds > begin:
            yield each


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


def waited_for_core() -> float:
    """Return the seconds that this process has been ready to run without a core; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/schedstat").read_text("ascii").split()[1]) / 1e9
    except OSError:
        return 0.0


def probe(folder: Path, core: int) -> dict[str, list[Span]]:
    """Write and sync 4 KiB again and again until stdin ends; on another core than the first, only wait."""
    use_all_cores()
    use_core(core)
    sync = getattr(os, "fdatasync", os.fsync)
    place = folder / f"probe-{os.getpid()}"
    handle = os.open(place, os.O_CREAT | os.O_WRONLY)
    syncs, waits = list[Span](), list[Span]()
    is_ended = False
    try:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        while not is_ended:
            begun, waited = time.monotonic(), waited_for_core()
            if core == CORES[0]:
                os.pwrite(handle, b"x" * 4096, 0)
                at, waited_before = time.monotonic(), waited_for_core()
                sync(handle)
                seconds = time.monotonic() - at - (waited_for_core() - waited_before)
                syncs.append(Span(at, max(0.0, seconds)))
            is_ended = bool(select.select([sys.stdin], [], [], EVERY)[0])
            if (wait := waited_for_core() - waited) > WAIT:
                waits.append(Span(begun, wait))
    finally:
        os.close(handle)
        place.unlink()
    return {"syncs": syncs, "waits": waits}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(Path(sys.argv[1]), int(sys.argv[2]))) + "\n")
