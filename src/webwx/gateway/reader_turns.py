"""
Turns of the readers of many stored events, so that other requests are answered meanwhile.

A client that reads fast never makes its reader wait, so without turns a hundred readers would each send a whole page of
events before the event loop looks at the next request.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    T = TypeVar("T")

_TURN = 0.003
"""Seconds of work of all readers together in one iteration of the event loop."""


class ReaderTurns:
    """
    Limits the work of all readers in one iteration of the event loop.

    Args:
        clock: Returns seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._waiting = asyncio.Lock()
        """Held by the reader that has the next turn."""
        self._until = 0.0
        self._is_over = asyncio.Event()
        """Set once the event loop has done other work since the turn began."""
        self._is_over.set()

    def __repr__(self) -> str:
        return "ReaderTurns()"

    async def next(self) -> None:
        """Wait for the next turn and use it up, before a page is read: when it arrives, it takes some milliseconds."""
        await self._begin()
        self._until = self._clock()

    async def spread(self, items: Sequence[T]) -> AsyncGenerator[T, None]:
        """Yield items, each in a turn."""
        for item in items:
            if self._clock() >= self._until:
                await self._begin()
            yield item

    async def _begin(self) -> None:
        """Begin a turn, at once if the event loop has done other work since the last one."""
        if self._waiting.locked() or not self._is_over.is_set():
            async with self._waiting:
                await self._is_over.wait()
        self._until = self._clock() + _TURN
        self._is_over.clear()
        asyncio.get_running_loop().call_soon(self._is_over.set)
