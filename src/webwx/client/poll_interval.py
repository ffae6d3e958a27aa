"""
The interval between the rounds of a sync: it grows while they bring no message.

A round is a poll, and a fetch if the poll reports something. Without an interval, a server that answers at once and
has nothing new would be polled at full speed.
"""

from __future__ import annotations

LONG_IDLE = 4
"""Number of idle rounds in a row after which a fetch follows even a poll that reports nothing."""

LONGEST = 30.0
"""Longest interval in seconds."""

HELD_FROM = 4.0
"""Seconds after which an answer to a poll shows that the server holds polls, so that they need no interval."""

MANY_CHANGES = 10
"""
Minimum number of changed contacts for a batch to reset the interval.

A new session brings thousands of changes in a row. A server that changes the same contacts for ever sends few at a
time.
"""

_OTHER_NEWS = 0.5
"""Weight of a batch without messages and with fewer than `MANY_CHANGES` changes of contacts."""


class PollInterval:
    """
    Counts idle rounds in a row, each with a weight: 1 for a round that brings nothing at all.

    Each real change of a contact in the last batch lowers the weight of the last round.
    """

    def __init__(self) -> None:
        self._before = self._last = 0.0
        """Weight of the idle rounds before the last one, and weight of the last one."""
        self._changes = 0
        """Number of real changes of contacts in the last batch."""

    @property
    def seconds(self) -> float:
        """Shortest time between the beginnings of two rounds; the first two idle rounds need no interval."""
        idle = int(self._before + self._last)
        return 0.0 if idle < 2 else min(LONGEST, 2.0 ** min(idle - 2, 5))

    @property
    def is_long_idle(self) -> bool:
        """Whether enough rounds were idle for a fetch after a poll that reports nothing."""
        return self._before + self._last >= LONG_IDLE

    def reset(self) -> None:
        """Start counting again: a message came, or the server held a poll."""
        self._before = self._last = 0.0

    def count_idle_poll(self) -> None:
        """Count a poll that was answered at once and reported nothing."""
        self._count(1.0)

    def count_batch(self, *, messages: int, others: int) -> None:
        """Count a fetch by the number of new messages and of other new items in its batch."""
        if messages > 0:
            self.reset()
        else:
            self._count(_OTHER_NEWS if others else 1.0)

    def count_contact_change(self) -> None:
        """
        Count one real change of a contact in the last batch.

        Batches of such changes lead to an interval of at most four seconds, because a message may follow them.
        """
        self._changes += 1
        if self._last and self._changes >= MANY_CHANGES:
            self.reset()
        else:
            self._last = min(self._last, max(0.0, LONG_IDLE - self._before))

    def _count(self, weight: float) -> None:
        self._before += self._last
        self._last = weight
        self._changes = 0
