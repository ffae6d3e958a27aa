"""The changed sends that wait for one reader."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from webwx.storage.tables.outbox import Outgoing

K = TypeVar("K", bound="Hashable")

_REMEMBERED = 1000
"""Number of sends whose last states are remembered."""


class SendNews(Generic[K]):
    """Changed sends by their keys, in the order of their changes; several quick changes of a send are one."""

    def __init__(self) -> None:
        self._waiting: dict[K, None] = {}
        self._has_news = asyncio.Event()
        self._seen: dict[K, tuple[str, float]] = {}
        """The last state of each send, and the time of its change."""

    def __repr__(self) -> str:
        return f"SendNews({len(self._waiting)} waiting)"

    def note(self, key: K) -> None:
        """Note that a send has changed."""
        self._waiting[key] = None
        self._has_news.set()

    async def take(self) -> K:
        """Return the next changed send."""
        while not self._waiting:
            self._has_news.clear()
            await self._has_news.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        return key

    async def take_until(self, time: float) -> K | None:
        """Return the next changed send; None if no send changes until a time of the event loop's clock."""
        try:
            async with asyncio.timeout_at(time):
                return await self.take()
        except TimeoutError:
            return None

    def is_new(self, key: K, send: Outgoing) -> bool:
        """Return whether the state of a send differs from the one of the last call, and remember it."""
        state = send.state, send.changed_at
        is_new = self._seen.pop(key, None) != state
        self._seen[key] = state
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return is_new
