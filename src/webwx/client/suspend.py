"""
Suspend detector: it ends waits on connections that died while the machine was suspended.

During a suspend the event loop's clock stops and the machine's clock does not, so the two are compared every few
seconds, by one detector for all waits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

CHECK_EVERY = 5.0
"""Seconds between two comparisons of the clocks."""

SLEPT_FOR = 15.0
"""Minimum seconds by which the machine's clock advances more than the loop's for a suspend to be detected."""


class until_wake:  # noqa: N801 - it is written like `asyncio.timeout`
    """
    Cancel the wait in this context when the machine wakes from a suspend.

    Args:
        clock: Returns seconds since 1970 (machine's clock). Setting it forward looks like a suspend, which is harmless.

    Raises:
        TimeoutError: The machine was suspended.
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
    Compares two clocks while a wait is registered, and expires all registered timeouts when it detects a suspend.

    It runs for one more interval after the last wait, because a new wait mostly follows at once.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._limits: set[asyncio.Timeout] = set()
        self._distance = self._measure()
        self._loop.call_later(CHECK_EVERY, self._compare_clocks)

    @staticmethod
    def of(clock: Callable[[], float]) -> _Watch:
        """Return the detector of this loop and clock."""
        key = (asyncio.get_running_loop(), id(clock))
        watch = _WATCHES.get(key)
        if watch is None:
            for loop, other in list(_WATCHES):
                if loop.is_closed():  # the loop closed before the next comparison
                    _WATCHES.pop((loop, other), None)
            watch = _WATCHES[key] = _Watch(clock)
        return watch

    def join(self, limit: asyncio.Timeout) -> None:
        """Register a timeout."""
        self._compare()
        self._limits.add(limit)

    def leave(self, limit: asyncio.Timeout) -> None:
        """Unregister a timeout."""
        self._limits.discard(limit)

    def _compare_clocks(self) -> None:
        if not self._limits:
            del _WATCHES[self._loop, id(self._clock)]
            return
        self._compare()
        self._distance = self._measure()
        self._loop.call_later(CHECK_EVERY, self._compare_clocks)

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
"""Running detectors by loop and id of the clock, because a callable need not be hashable."""


async def pause(seconds: float, clock: Callable[[], float]) -> None:
    """Wait some seconds; return early when the machine wakes from a suspend."""
    try:
        async with until_wake(clock):
            await asyncio.sleep(seconds)
    except TimeoutError:
        pass
