"""
A machine that has slept: its connections are dead, and nobody tells whoever waits for them.

A loop's clock stands still meanwhile and the clock on the wall does not, so the two are compared every few seconds;
once for all who wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LOOK_EVERY = 5.0
"""Seconds between two looks at the clocks."""

SLEPT_FOR = 15.0
"""Seconds by which the clock on the wall has moved on alone, from which on the machine has slept or stood still."""


class until_wake:  # noqa: N801 - it is written like `asyncio.timeout`
    """
    Break off what waits in here when the machine wakes from a sleep.

    Args:
        clock: Seconds on the wall; one that is put forward by hand looks like a sleep, which does no harm.

    Raises:
        TimeoutError: The machine has slept.
    """

    __slots__ = ("_limit", "_watch")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._limit = asyncio.timeout(None)
        self._watch = _Watch.of(clock)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._watch.join(self._limit)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.leave(self._limit)
        await self._limit.__aexit__(kind, error, trace)


class _Watch:
    """
    Looks at two clocks while anybody waits, and ends the time limits of all once the clocks have parted.

    It goes on for one look more: whoever has waited mostly waits again at once.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._limits: set[asyncio.Timeout] = set()
        self._distance = self._measure()
        self._loop.call_later(LOOK_EVERY, self._look)

    @staticmethod
    def of(clock: Callable[[], float]) -> _Watch:
        """Give the one of this loop and clock."""
        key = (asyncio.get_running_loop(), id(clock))
        watch = _WATCHES.get(key)
        if watch is None:
            for loop, other in list(_WATCHES):
                if loop.is_closed():  # before it could look once more
                    _WATCHES.pop((loop, other), None)
            watch = _WATCHES[key] = _Watch(clock)
        return watch

    def join(self, limit: asyncio.Timeout) -> None:
        """End a time limit too when the machine sleeps from now on."""
        self._compare()
        self._limits.add(limit)

    def leave(self, limit: asyncio.Timeout) -> None:
        """End it no more."""
        self._limits.discard(limit)

    def _look(self) -> None:
        if not self._limits:
            del _WATCHES[self._loop, id(self._clock)]
            return
        self._compare()
        self._distance = self._measure()
        self._loop.call_later(LOOK_EVERY, self._look)

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
"""Those that go on; a clock goes by its identity, for it may be anything that can be called."""


async def pause(seconds: float, clock: Callable[[], float]) -> None:
    """Wait, but not through a sleep of the machine and on after it."""
    try:
        async with until_wake(clock):
            await asyncio.sleep(seconds)
    except TimeoutError:
        pass
