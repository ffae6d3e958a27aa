"""CPU time and memory of other processes, as Linux shows them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from benchmarks.memory import MB


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of those children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    return int(found[1]) * 1024 / MB if found else 0.0
