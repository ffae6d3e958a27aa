"""Dead letters: events that a handler has failed at so often that they were put aside, and how they get another try."""

from __future__ import annotations

import msgspec

from webwx.client.sync_loop import SyncVerbs
from webwx.model.messages import Event


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was given up."""

    event: Event
    """Its `number` is what `revive` wants."""
    consumer: str
    """Whose handler has given it up."""
    attempts: int
    """How often it was tried."""
    error: str
    """The kind of the last error and where it was raised; never its text, which may hold anything."""
    time: float
    """When it was given up, seconds since 1970."""


class DeadLetterVerbs(SyncVerbs):
    """What one account's handlers have given up; a bot may be running meanwhile, in whatever process."""

    async def list_dead_letters(self, *, consumer: str = "bot", limit: int = 50) -> list[DeadLetter]:
        """
        Give the events that a handler has given up, the newest first.

        Args:
            consumer: What `deliver` was told, or a `Bot`.
            limit: At most so many.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be read.
        """
        part = await self._readable_part()
        return [
            DeadLetter(
                event=await self._event_of(each.entry), consumer=consumer, attempts=each.attempts, error=each.error,
                time=each.time,
            )
            for each in await part.dead_letters(consumer, limit=limit)
        ]  # fmt: skip

    async def revive(self, number: int, *, consumer: str = "bot") -> bool:
        """
        Have an event handled once more that was given up, as one new attempt; says whether there was one.

        A bot that is running gets it within seconds, whichever process it is in; one that is not, when it starts. Its
        place in its chat has passed: it comes behind what was handled since.

        Args:
            number: The event's.
            consumer: As for `list_dead_letters`.

        Raises:
            NoJournal: There is none.
            StorageError: The journal cannot be written.
        """
        return await (await self._readable_part()).revive(consumer, number)
