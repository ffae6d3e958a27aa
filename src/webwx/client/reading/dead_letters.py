"""Dead letters: events that were given up after repeated failures of a handler, and their redelivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.model.messages import Event

if TYPE_CHECKING:
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.client.reading.history import MessageHistory


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was given up."""

    consumer: str
    """Name of the consumer that gave up the event."""
    attempts: int
    """Number of attempts."""
    error: str
    """Kind of the last error and the place where it was raised; never its text, which may hold secrets."""
    time: float
    """Time at which the event was given up: seconds since 1970."""
    event: Event
    """The event; pass its `number` to `revive`."""


class DeadLetters:
    """
    Dead letters of one account. A bot may run at the same time, in this process or another one.

    Args:
        history: Reads the journal.
        updates: Returns the part of the journal that can be read.
    """

    def __init__(self, history: MessageHistory, updates: IdentityUpdates) -> None:
        self._history = history
        self._updates = updates

    async def list_dead_letters(
        self, *, consumer: str = "bot", limit: int = 50, before: int | None = None
    ) -> list[DeadLetter]:
        part = await self._updates.readable_part()
        return [
            DeadLetter(
                event=await self._history.event_of(each.entry), consumer=consumer, attempts=each.attempts,
                error=each.error, time=each.time,
            )
            for each in await part.dead_letters(consumer, limit=limit, before=before)
        ]  # fmt: skip

    async def revive(self, number: int, *, consumer: str = "bot") -> bool:
        return await (await self._updates.readable_part()).revive(consumer, number)
