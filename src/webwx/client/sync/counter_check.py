"""The check of a sync key's counters: one that goes back is ignored once, and followed if the server repeats it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.protocol.sync import SyncKey


class CounterCheck:
    """
    Accepts one of the two sync keys, compared with the key of the same kind before it.

    A key with a lower or missing counter makes the server send everything again that this counter counts. Such a
    counter keeps its value before, unless the answer before had lost it as well: then it is what the server means, and
    the ids of messages show the repetitions.

    A server may go back again and again, and so would never get to new messages. In the same catch-up it has to repeat
    it twice as often each time, and if it stands still where it was followed to, the key before is used again.
    """

    def __init__(self) -> None:
        self._ignored: dict[int, int] = {}
        """How many times in a row a counter was ignored, by its number."""
        self._needed = 1
        """Number of times that a counter is ignored before it is followed."""
        self.has_followed: bool = False
        """Whether the last key went back and was followed."""
        self._left: SyncKey | None = None
        """The key that was given up when the server was followed; None once it has moved on from there."""

    @property
    def is_ignoring(self) -> bool:
        """Whether a counter of the last key was ignored, so that the next answer shows what the server means."""
        return bool(self._ignored)

    def end_catch_up(self) -> None:
        """Follow a server that goes back after one repetition again: nothing waits."""
        self._needed = 1

    def accept(self, key: SyncKey, before: SyncKey, *, has_messages: bool = False) -> SyncKey:
        """
        Return the key with which to continue after an answer.

        Args:
            key: The key of the answer.
            before: The key of the request.
            has_messages: Whether the answer has messages, after which a key moves.
        """
        left, self._left = self._left, None
        if left is not None and has_messages and key == before:
            self._ignored, self.has_followed = {}, False
            return left
        lost = {number: self._ignored.get(number, 0) + 1 for number in key.lost_counters(before)}
        self._ignored = {number: times for number, times in lost.items() if times <= self._needed}
        self.has_followed = len(self._ignored) < len(lost)
        if self.has_followed:
            self._needed *= 2
            self._left = before
        return key.with_counters(before, frozenset(self._ignored))
