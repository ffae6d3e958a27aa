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

_OTHER_NEWS = 0.5
"""Weight of a batch that brings neither a message nor a real change of a contact."""

_CONTACT_CHANGE = 0.005
"""
Weight of a batch that changes contacts and brings no message.

400 such batches, with more contacts than an account has, are fetched at full speed. Further ones lead to an interval of
four seconds and no more, because a message may wait behind them.
"""


class PollInterval:
    """
    Counts idle rounds in a row, each by a weight: 1 for a round that brings nothing at all.

    The last round may be counted again, by a lower weight, once it is known what its batch holds.
    """

    def __init__(self) -> None:
        self._before = self._last = 0.0
        """Weight of the idle rounds before the last one, and weight of the last one."""

    @property
    def seconds(self) -> float:
        """Shortest time between the beginnings of two rounds; the first two idle rounds need none."""
        idle = int(self._before + self._last)
        return 0.0 if idle < 2 else min(LONGEST, 2.0 ** min(idle - 2, 5))

    @property
    def is_long_idle(self) -> bool:
        """So many rounds were idle that a poll which reports nothing is not believed, and nothing more is expected."""
        return self._before + self._last >= LONG_IDLE

    def reset(self) -> None:
        """Begin to count anew: a message came, or the server held a poll."""
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
        """Count the last fetch as one that changed a contact; one that brought a message stays counted as such."""
        self._last = min(self._last, 0.0 if self._before >= LONG_IDLE else _CONTACT_CHANGE)

    def _count(self, weight: float) -> None:
        self._before += self._last
        self._last = weight
