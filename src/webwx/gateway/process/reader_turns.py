"""
Turns of the readers of many stored events, so that other requests are answered meanwhile.

A client that reads fast never makes its reader wait, so without turns a hundred readers would each send a whole page of
events before the event loop looks at the next request.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    T = TypeVar("T")

_TURN = 0.003
"""Seconds of work of all readers together in one iteration of the event loop."""


_TOGETHER = 8
"""Waiting readers that are woken in one iteration of the event loop: each iteration costs as much as a small event."""


class ReaderTurns:
    """
    Limits the work of all readers in one iteration of the event loop.

    Args:
        clock: Returns seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        """Readers that wait for a turn, the one that has waited longest first."""
        self._until = 0.0
        """End of the turn, which all readers share."""
        self._is_over = True
        """Whether the event loop has done other work since the turn began."""

    def __repr__(self) -> str:
        return f"ReaderTurns({len(self._waiting)} waiting)"

    async def next(self) -> None:
        """Wait for the next turn and use it up, before a page is read: when it arrives, it takes some milliseconds."""
        self._until = 0.0
        await self.take_part()
        self._until = 0.0

    async def spread(self, items: Iterable[T]) -> AsyncGenerator[T, None]:
        """Yield items as long as there is a turn, and wait for the next one in between."""
        for item in items:
            if self.is_over():
                await self.take_part()
            yield item

    def is_over(self) -> bool:
        """Return whether a reader has to `take_part` in another turn before it goes on."""
        return self._clock() >= self._until

    async def take_part(self) -> None:
        """Wait until there is a turn with time left."""
        if not self._waiting and self._has_time():
            return
        self._waiting.append(asyncio.get_running_loop().create_future())
        turn = self._waiting[-1]
        while True:
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it was its turn already
                    self._wake_next()
                raise
            if self._has_time():
                self._wake_next()
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting.appendleft(turn)

    def _has_time(self) -> bool:
        """Return whether the turn has time left; begin one if the event loop has done other work since the last one."""
        now = self._clock()
        if now < self._until:
            return True
        if not self._is_over:
            return False
        self._until, self._is_over = now + _TURN, False
        asyncio.get_running_loop().call_soon(self._end)
        return True

    def _end(self) -> None:
        self._is_over = True
        for _ in range(_TOGETHER):
            self._wake_next()

    def _wake_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else its reader was cancelled
                turn.set_result(None)
                return
