"""
The interval between the rounds of a sync: it grows while they bring no message.

A round is a poll, and the fetch that follows when the poll reports something. A server that answers at once and brings
nothing would otherwise be asked as fast as it answers.
"""

from __future__ import annotations

LONG_IDLE = 4
"""Number of idle rounds in a row after which a poll that reports nothing is followed by a fetch all the same."""

LONGEST = 30.0
"""Longest interval in seconds."""

HELD_FROM = 4.0
"""Seconds after which an answer to a poll shows that the server holds polls, so that they need no interval."""

MANY_CHANGES = 10
"""
Number of contacts from which on a batch that changes them counts as news.

Thousands of changes in a row come when an account is new to the session. Few at a time without end come from a server
that changes the same contacts for ever.
"""

_OTHER_NEWS = 0.5
"""Weight of a batch that brings no message, and not so many changes of contacts."""


class PollInterval:
    """
    Counts idle rounds in a row, each by a weight: 1 for a round that brings nothing at all.

    The weight of the last round is lowered as its batch turns out to change contacts.
    """

    def __init__(self) -> None:
        self._before = self._last = 0.0
        """Weight of the idle rounds before the last one, and weight of the last one."""
        self._changes = 0
        """Number of real changes of contacts in the last batch."""

    @property
    def seconds(self) -> float:
        """Shortest time between the beginnings of two rounds; the first two idle rounds need none."""
        idle = int(self._before + self._last)
        return 0.0 if idle < 2 else min(LONGEST, 2.0 ** min(idle - 2, 5))

    @property
    def is_long_idle(self) -> bool:
        """Whether so many rounds were idle that a poll which reports nothing is followed by a fetch."""
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

        Such batches lead to an interval of four seconds and no more, because a message may wait behind them.
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
