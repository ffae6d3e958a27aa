"""Messages that a client without a journal remembers after delivery; a journal stores them all."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.model.messages import Message, MessageRecalled

MESSAGES = 1_000
"""Number of messages that are kept, so that a recall can show its original."""

SEEN = 10_000
"""Minimum number of ids that are remembered to drop repeated messages and recalls; twice as many is the maximum."""


class RecentMessages:
    """The latest delivered messages and recalls."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque(maxlen=MESSAGES)
        """Delivered messages, in which recalls find their originals; the caller appends."""
        self._seen: set[int] = set()
        self._seen_before: set[int] = set()
        """The previous `SEEN` ids."""

    def __repr__(self) -> str:
        return "RecentMessages()"

    def is_new(self, event: Message | MessageRecalled) -> bool:
        """Return whether an event was not delivered before, and remember it; its id alone may not be unique."""
        key = hash((type(event), event.message_id, event.chat, event.time, event.content))
        if key in self._seen or key in self._seen_before:
            return False
        self._seen.add(key)
        if len(self._seen) >= SEEN:
            self._seen_before, self._seen = self._seen, set()
        return True

    def find(self, message_id: str) -> Message | None:
        """Find a message by the platform's id; the newest if several have this id."""
        return next((each for each in reversed(self.messages) if each.message_id == message_id), None)
