"""Dead letters: events that a handler has failed at so often that they were put aside, and how they get another try."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.model.messages import Event

if TYPE_CHECKING:
    from webwx.client.history import MessageHistory
    from webwx.client.identity_updates import IdentityUpdates


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was given up."""

    consumer: str
    """Whose handler has given it up."""
    attempts: int
    """How often it was tried."""
    error: str
    """The kind of the last error and where it was raised; never its text, which may hold anything."""
    time: float
    """When it was given up, seconds since 1970."""
    event: Event
    """Its `number` is what `revive` wants."""


class DeadLetters:
    """
    Events that handlers of one account have given up. A bot may be running meanwhile, in this process or another one.

    Args:
        history: Reads the journal.
        updates: Gives the part of the journal that can be read.
    """

    def __init__(self, history: MessageHistory, updates: IdentityUpdates) -> None:
        self._history = history
        self._updates = updates

    async def list_dead_letters(self, *, consumer: str = "bot", limit: int = 50) -> list[DeadLetter]:
        """Return the dead letters of a consumer, the newest first."""
        part = await self._updates.readable_part()
        return [
            DeadLetter(
                event=await self._history.event_of(each.entry), consumer=consumer, attempts=each.attempts,
                error=each.error, time=each.time,
            )
            for each in await part.dead_letters(consumer, limit=limit)
        ]  # fmt: skip

    async def revive(self, number: int, *, consumer: str = "bot") -> bool:
        """Have an event handled once more that was given up, as one new attempt; says whether there was one."""
        return await (await self._updates.readable_part()).revive(consumer, number)
