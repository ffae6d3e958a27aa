"""
A machine that has slept: its connections are dead, and nobody tells whoever waits for them.

A loop's clock stands still meanwhile and the clock on the wall does not, so the two are compared every few seconds.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LOOK_EVERY = 5.0
"""Seconds between two looks at the clocks."""

SLEPT_FOR = 15.0
"""Seconds by which the clock on the wall has moved on alone, from which on the machine has slept or stood still."""


@asynccontextmanager
async def until_wake(clock: Callable[[], float]) -> AsyncIterator[None]:
    """
    Break off what waits in here when the machine wakes from a sleep.

    Args:
        clock: Seconds on the wall; one that is put forward by hand looks like a sleep, which does no harm.

    Raises:
        TimeoutError: The machine has slept.
    """
    async with asyncio.timeout(None) as limit:
        watch = _Watch(clock, limit)
        try:
            yield
        finally:
            watch.end()


class _Watch:
    """Looks at the clocks, and ends a time limit once they have parted."""

    def __init__(self, clock: Callable[[], float], limit: asyncio.Timeout) -> None:
        self._clock = clock
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._begin()

    def _begin(self) -> None:
        self._before = self._clock() - self._loop.time()
        self._next = self._loop.call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        if self._clock() - self._loop.time() - self._before > SLEPT_FOR:
            self._limit.reschedule(self._loop.time())
        else:
            self._begin()

    def end(self) -> None:
        """Look no more."""
        self._next.cancel()


async def pause(seconds: float, clock: Callable[[], float]) -> None:
    """Wait, but not through a sleep of the machine and on after it."""
    try:
        async with until_wake(clock):
            await asyncio.sleep(seconds)
    except TimeoutError:
        pass
