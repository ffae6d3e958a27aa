"""
The event loop of a bot under test: it goes by the world's clock, and knows when nothing moves in it.

Every sleep, timer and window in such a loop passes when the clock is wound. An event loop asks its selector for the
next thing that happens, with the time until its next timer: that is where one sees that all there was to do is done.
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
    """Notes when its loop has nothing to do, and until when."""

    is_resting = False
    timeout: float | None = None
    """Seconds until the next timer, as of when the loop came to rest."""

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
    An event loop that goes by a clock which can be wound.

    Args:
        clock: Seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._world_clock = clock
        self._begun = clock()
        self._seen = _VirtualTimeSelector()
        self.arrivals = 0
        """What other threads have handed in so far."""
        self.in_threads = 0
        """Calls that are in a thread of the loop's own."""
        super().__init__(self._seen)

    def time(self) -> float:
        """Return the world's time since this loop began, in whole microseconds: a timer that is due now is due."""
        return math.ceil((self._world_clock() - self._begun) * 1e6) / 1e6

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Take in a call of another thread."""
        self.arrivals += 1
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call something in a thread."""
        self.in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._left_thread)
        return future

    def _left_thread(self, _: object) -> None:
        self.in_threads -= 1

    @property
    def is_resting(self) -> bool:
        """Whether it waits for a timer or for another thread."""
        return self._seen.is_resting

    @property
    def seconds_to_timer(self) -> float | None:
        """Time to the next timer when it came to rest; None without one."""
        return self._seen.timeout

    def look_at_clock(self) -> None:
        """Notify it, from any thread, that the clock was wound."""
        super().call_soon_threadsafe(lambda: None)
