"""The event loop of a long-running process: uvloop's if it is installed, otherwise Python's own."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_QUICK = "winloop" if sys.platform == "win32" else "uvloop"


def run_long(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine and return its result."""
    with asyncio.Runner(loop_factory=_quick_loop()) as runner:
        return runner.run(work)


def _quick_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not _has_streams():
        return None
    try:
        quick = importlib.import_module(_QUICK)
    except ModuleNotFoundError:
        return None
    make: Callable[[], asyncio.AbstractEventLoop] = quick.new_event_loop
    return make


def _has_streams() -> bool:
    """Return whether all standard streams are open: uvloop crashes if its own file gets the number of a closed one."""
    try:
        for number in range(3):
            os.fstat(number)
    except OSError:
        return False
    return True
