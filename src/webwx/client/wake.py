"""
A machine that has slept: its connections are dead, and nobody tells whoever waits for them.

A loop's clock stands still meanwhile and the clock on the wall does not, so the two are compared every few seconds;
once for all who wait.
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
        watch = _Watch.of(clock)
        watch.join(limit)
        try:
            yield
        finally:
            watch.leave(limit)


class _Watch:
    """Looks at two clocks while anybody waits, and ends the time limits of all once the clocks have parted."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._limits: set[asyncio.Timeout] = set()
        self._distance = self._measure()
        self._next = self._loop.call_later(LOOK_EVERY, self._look)

    @staticmethod
    def of(clock: Callable[[], float]) -> _Watch:
        """Give the one of this loop and clock."""
        key = (asyncio.get_running_loop(), id(clock))
        if key not in _WATCHES:
            _WATCHES[key] = _Watch(clock)
        return _WATCHES[key]

    def join(self, limit: asyncio.Timeout) -> None:
        """End a time limit too when the machine sleeps from now on."""
        self._compare()
        self._limits.add(limit)

    def leave(self, limit: asyncio.Timeout) -> None:
        """End it no more; the last one ends the watch."""
        self._limits.discard(limit)
        if not self._limits:
            self._next.cancel()
            del _WATCHES[self._loop, id(self._clock)]

    def _look(self) -> None:
        self._compare()
        self._distance = self._measure()
        self._next = self._loop.call_later(LOOK_EVERY, self._look)

    def _compare(self) -> None:
        distance = self._measure()
        if distance - self._distance > SLEPT_FOR:
            self._distance = distance
            for limit in self._limits:
                if not limit.expired():
                    limit.reschedule(self._loop.time())

    def _measure(self) -> float:
        return self._clock() - self._loop.time()


_WATCHES: dict[tuple[asyncio.AbstractEventLoop, int], _Watch] = {}
"""Those with somebody who waits; a clock goes by its identity, for it may be anything that can be called."""


async def pause(seconds: float, clock: Callable[[], float]) -> None:
    """Wait, but not through a sleep of the machine and on after it."""
    try:
        async with until_wake(clock):
            await asyncio.sleep(seconds)
    except TimeoutError:
        pass
