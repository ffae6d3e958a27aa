"""
Network time: the time of an event loop without that in which a callback blocked it.

While the loop is blocked, no answer can be noticed, so this time does not count towards a time limit. It is measured by
a callback every half second, which runs only while there is a limit: if it is late, the loop was blocked. The same
callback looks at the limits: only one that ends before the next look has a timer of its own, and most end long before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

_CHECK_EVERY = 0.5
"""Seconds between two checks; at most this part of a block counts as time of the network."""

_LATE = 0.1
"""Seconds by which a check of a loop that is not blocked may be late."""


class NetworkTime:
    """The network time of one event loop; `NetworkTime.of_running_loop()` returns it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_at = loop.call_at
        self._loop_time = loop.time
        self._blocked = 0.0
        self._on_blocked: dict[object, Callable[[float], object]] = {}
        self._limits: set[time_limit] = set()
        self._due = 0.0
        self._check: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"NetworkTime({self._blocked:.1f} s blocked)"

    @staticmethod
    def of_running_loop() -> NetworkTime:
        """Return the network time of the running loop."""
        loop = asyncio.get_running_loop()
        known = _TIMES.get(loop)
        if known is None:
            for other in list(_TIMES):
                if other.is_closed():
                    _TIMES.pop(other, None)
            known = _TIMES[loop] = NetworkTime(loop)
        return known

    def now(self) -> float:
        """Return the seconds since a fixed moment; only measured while it is used."""
        self._settle()
        return self._loop_time() - self._blocked

    def use(self, user: object, on_blocked: Callable[[float], object]) -> None:
        """
        Measure until `leave` is called.

        Args:
            user: Who uses it.
            on_blocked: Called with the seconds of each block, once it has ended.
        """
        self._on_blocked[user] = on_blocked
        self._begin()

    def leave(self, user: object) -> None:
        """End the use."""
        self._on_blocked.pop(user, None)

    def add(self, limit: time_limit) -> None:
        """Measure, and look at a limit every half second, until `remove` is called."""
        self._limits.add(limit)
        self._begin()

    def remove(self, limit: time_limit) -> None:
        """Stop looking at a limit."""
        self._limits.discard(limit)

    def _begin(self) -> None:
        if self._check is None:
            self._arm()

    def _arm(self) -> None:
        self._due = self._loop_time() + _CHECK_EVERY
        self._check = self._call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._settle()
        if self._on_blocked or self._limits:
            self._arm()
            for each in tuple(self._limits):
                each.look()
        else:
            self._check = None

    def _settle(self) -> None:
        """Count the time by which the check is late, which may be due in this iteration of the loop."""
        if self._check is None:
            return
        late = self._loop_time() - self._due
        if late > _LATE:
            self._due += late
            self._blocked += late
            for each in tuple(self._on_blocked.values()):
                each(late)


class time_limit:  # noqa: N801 - it is written like `asyncio.timeout`
    """
    Limit a block in network time, as `asyncio.timeout` does in the time of the loop.

    Args:
        seconds: The limit.

    Raises:
        TimeoutError: The time is over.
    """

    __slots__ = ("_end", "_handle", "_limit", "_seconds", "_time")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._limit = asyncio.timeout(None)
        self._handle: asyncio.TimerHandle | None = None
        """A timer for the end, if that is before the next look."""

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._time = NetworkTime.of_running_loop()
        self._time.add(self)
        self.extend(self._seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._time.remove(self)
        self._disarm()
        await self._limit.__aexit__(kind, error, trace)

    def extend(self, seconds: float) -> None:
        """Limit what is left to some seconds from now."""
        self._end = self._time.now() + seconds
        self._disarm()
        if seconds <= _CHECK_EVERY:
            self.look()

    def look(self) -> None:
        """End the block if its time is over; set a timer if that will be before the next look."""
        left = self._end - self._time.now()
        if left <= 0:
            self._time.remove(self)
            self._disarm()
            self._limit.reschedule(asyncio.get_running_loop().time())
        elif left <= _CHECK_EVERY and self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(left, self._ring)

    def _ring(self) -> None:
        self._handle = None
        self.look()

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


_TIMES: dict[asyncio.AbstractEventLoop, NetworkTime] = {}
