"""The order and the pace in which a worker starts the accounts that it has gained."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_PAUSE: Final = 0.01
"""Longest pause before a start for each account that waits or starts, in seconds: about the CPU time of a start."""

_LONGEST_PAUSE: Final = 0.5
"""Longest pause before a start, in seconds."""


class StaggeredStarts:
    """
    Limits the number of accounts that start at the same time, and makes their order random.

    So the accounts of a worker that has died do not ask the platform all at once, and not in the same order at each
    takeover. The random pause before a start holds no turn, so others start meanwhile; a single account has no pause.

    Args:
        limit: Number of accounts that start at the same time.
        rng: Chooses the pauses and the order.
        sleep: Waits for some seconds.
    """

    def __init__(
        self, limit: int, rng: random.Random | None = None, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._free = limit
        self._rng = rng or random.Random()  # noqa: S311 - no secret
        self._sleep = sleep
        self._count = 0
        """Number of accounts that wait or start."""
        self._waiting: list[asyncio.Future[None]] = []
        """The turns that accounts wait for."""

    def __repr__(self) -> str:
        return f"StaggeredStarts({self._count} accounts)"

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn; it ends with the context."""
        self._count += 1
        try:
            await self._sleep(self._rng.uniform(0, min((self._count - 1) * _PAUSE, _LONGEST_PAUSE)))
            await self._take()
            try:
                yield
            finally:
                self._pass_on()
        finally:
            self._count -= 1

    async def _take(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:  # it was passed on to this account just before
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Pass a turn that has ended to a random account that waits."""
        if self._waiting:
            self._waiting.pop(self._rng.randrange(len(self._waiting))).set_result(None)
        else:
            self._free += 1
