"""
Questions: texts with which a handler waits for the answer of the event's author, in one call.

An answer is removed from the chat's queue, is acknowledged together with the event of the handler, and is returned
again when the handler is called again. It is held in memory only: after a restart the event and the answer are
delivered again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.errors import InvalidRequest
from webwx.model.messages import Event, TextMessage

if TYPE_CHECKING:
    from webwx.client.reading.delivered import Delivered


class Dialogue:
    """
    The questions of the handler of one event, and their answers.

    Args:
        event: The event; the answer comes from its author or, for an event without an author, from the other person in
        the chat.
    """

    def __init__(self, event: Event) -> None:
        self.answers: list[Delivered] = []
        """The answers so far, of all attempts."""
        self.is_interrupted = False
        """Whether the bot is stopping, so that the next process calls the handler again."""
        self._author = getattr(event, "sender", None)
        self._next = 0
        """Place of the answer to the next question."""
        self._waiting: asyncio.Future[Delivered] | None = None

    def __repr__(self) -> str:
        return f"Dialogue({len(self.answers)} answers)"

    def begin_attempt(self) -> None:
        """Start again with the first answer."""
        self._next = 0

    def next_answer(self) -> Delivered | None:
        """Return the answer that an earlier attempt got to the next question; None if there is no such answer."""
        if self._next == len(self.answers):
            return None
        self._next += 1
        return self.answers[self._next - 1]

    def add(self, answer: Delivered) -> None:
        """Add the answer to the question that was asked last."""
        self.answers.append(answer)
        self._next = len(self.answers)

    def fits(self, delivered: Delivered) -> bool:
        """Return whether an entry may be an answer: a text of the author."""
        event = delivered.event
        return isinstance(event, TextMessage) and (event.sender == self._author if self._author else not event.is_self)

    def take(self, delivered: Delivered) -> bool:
        """Pass a new entry to the question that waits; return whether it was taken."""
        if self._waiting is None or self._waiting.done() or not self.fits(delivered):
            return False
        self._waiting.set_result(delivered)
        return True

    async def wait(self) -> Delivered:
        """
        Wait for a new entry that fits.

        Raises:
            InvalidRequest: The handler waits for another answer already.
        """
        if self._waiting is not None:
            raise InvalidRequest("This handler waits for an answer already; ask one question at a time.")
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def interrupt(self) -> None:
        """Cancel the question that waits."""
        self.is_interrupted = True
        if self._waiting is not None:
            self._waiting.cancel()

    @property
    def is_waiting(self) -> bool:
        """Whether a question waits for its answer."""
        return self._waiting is not None
