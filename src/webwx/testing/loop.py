"""
The event loop of a bot under test: it uses the world's clock, and knows when it is idle.

Every sleep, timer and time limit in such a loop passes when the clock is moved. An event loop calls its selector with
the time until its next timer when it has nothing else to do, so the selector shows that the loop is idle.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from contextvars import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _VirtualTimeSelector(selectors.DefaultSelector):
    """Selector that notes when its loop is idle, and until when."""

    is_resting = False
    timeout: float | None = None
    """Seconds until the next timer, from the moment when the loop became idle."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for the next event."""
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        self.timeout = timeout
        self.is_resting = True
        try:
            return super().select(timeout)
        finally:
            self.is_resting = False


class WorldLoop(asyncio.SelectorEventLoop):
    """
    An event loop with a virtual clock.

    Args:
        clock: Returns seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._world_clock = clock
        self._begun = clock()
        self._seen = _VirtualTimeSelector()
        self.arrivals = 0
        """Number of callbacks scheduled by other threads so far."""
        self.in_threads = 0
        """Number of calls that run in a thread of the loop's executor."""
        super().__init__(self._seen)

    def time(self) -> float:
        """Return the world's time since this loop began, in whole microseconds, so that a due timer counts as due."""
        return math.ceil((self._world_clock() - self._begun) * 1e6) / 1e6

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback from another thread, and count it."""
        self.arrivals += 1
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function in a thread, and count it while it runs."""
        self.in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._left_thread)
        return future

    def _left_thread(self, _: object) -> None:
        self.in_threads -= 1

    @property
    def is_resting(self) -> bool:
        """Return whether the loop waits for a timer or for another thread."""
        return self._seen.is_resting

    @property
    def seconds_to_timer(self) -> float | None:
        """Time until the next timer, from the moment when the loop became idle; None without a timer."""
        return self._seen.timeout

    def check_clock(self) -> None:
        """Notify the loop, from any thread, that the clock was moved."""
        super().call_soon_threadsafe(lambda: None)
