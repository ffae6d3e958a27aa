"""The machine: its cores, its disk, its limits."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def use_core(number: int) -> None:
    """Keep this process on one core, if the system allows it and has several cores."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {cores[number % len(cores)]})


def use_all_cores() -> None:
    """Allow this process, and those that it starts, to use all cores again."""
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


def allow_connections() -> None:
    """Raise the limit of open files of this process to the maximum."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def fdatasync_p50(folder: Path) -> float:
    """Return the milliseconds that this disk takes to write 4 KiB durably."""
    sync = getattr(os, "fdatasync", os.fsync)
    place = folder / "sync"
    handle = os.open(place, os.O_CREAT | os.O_WRONLY)
    times = []
    for _ in range(100):
        os.pwrite(handle, b"x" * 4096, 0)
        begun = time.perf_counter()
        sync(handle)
        times.append(time.perf_counter() - begun)
    os.close(handle)
    place.unlink()
    return statistics.median(times) * 1000


def describe() -> dict[str, str | int | float]:
    """Describe the machine of the measurement."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2),
    }
