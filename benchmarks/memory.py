"""Memory of a process: Linux shows the present and the peak memory, other systems only the peak."""

from __future__ import annotations

import gc
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

MB = 1e6

_STATUS = Path("/proc/self/status")


def peak() -> float:
    """Return the peak memory of this process since `reset_peak`, in MB."""
    if _STATUS.exists():
        return _of_status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MB


def reset_peak() -> None:
    """Measure the peak from now on, if the system supports it."""
    place = Path("/proc/self/clear_refs")
    if place.exists():
        place.write_text("5")


def resident() -> float:
    """Return the memory of this process after a garbage collection, in MB."""
    gc.collect()
    return _of_status("VmRSS") if _STATUS.exists() else peak()


def of_bare_imports() -> float:
    """Return the memory of a process that has only imported the modules of this one, in MB."""
    modules = [name for name in sys.modules if not name.startswith(("benchmarks", "__"))]
    code = """
import importlib, json, sys
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
from benchmarks.memory import resident
print(resident())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(modules), text=True, capture_output=True, check=True
    )
    return float(done.stdout.split()[-1])


def _of_status(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) * 1024 / MB if found else 0.0
