"""The pace in which a worker starts the accounts that it has gained."""

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
    Limits the number of accounts that start at the same time, and pauses for a random time before each.

    So the accounts of a worker that has died do not ask the platform all at once, and not in the same order at each
    takeover. The pause holds no turn, so others start meanwhile; a single account has no pause.

    Args:
        limit: Number of accounts that start at the same time.
        rng: Chooses the pauses.
        sleep: Waits for some seconds.
    """

    def __init__(
        self, limit: int, rng: random.Random | None = None, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._turns = asyncio.Semaphore(limit)
        self._rng = rng or random.Random()  # noqa: S311 - no secret
        self._sleep = sleep
        self._count = 0
        """Number of accounts that wait or start."""

    def __repr__(self) -> str:
        return f"StaggeredStarts({self._count} accounts)"

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn; it ends with the context."""
        self._count += 1
        try:
            await self._sleep(self._rng.uniform(0, min((self._count - 1) * _PAUSE, _LONGEST_PAUSE)))
            async with self._turns:
                yield
        finally:
            self._count -= 1
