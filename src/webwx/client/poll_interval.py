"""
The interval between the rounds of a sync: it grows while they bring no message.

A round is a poll, and a fetch if the poll reports something. Without an interval, a server that answers at once and
has nothing new would be polled at full speed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.protocol.sync import SyncKey

_log = logging.getLogger("webwx.client")

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

    A server that has gone back sends known messages again before the new ones. Such a batch is no idle round, at each
    position once: two positions that lead to each other are no progress.
    """

    def __init__(self) -> None:
        self._before = self._last = 0.0
        """Weight of the idle rounds before the last one, and weight of the last one."""
        self._changes = 0
        """Number of real changes of contacts in the last batch."""
        self._positions: set[int] = set()
        """Hashes of the positions after batches of known messages, since the last new message."""
        self._is_skipping = False
        """Whether the log says that known messages are skipped."""

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
        """Start counting again: a new message came."""
        self._before = self._last = 0.0
        if self._positions:
            self._positions.clear()

    def begin_again(self) -> None:
        """Count positions as new again: the server has gone back."""
        self._positions.clear()

    def end_catch_up(self) -> None:
        """Start counting again: reading begins, or the server held a poll, so that nothing waits."""
        self.reset()
        self._is_skipping = False

    def count_idle_poll(self) -> None:
        """Count a poll that was answered at once and reported nothing."""
        self._count(1.0)

    def count_batch(self, *, messages: int, others: int, repeated_to: SyncKey | None = None) -> bool:
        """
        Count a fetch, and return whether more may wait: its batch had something new, or was a step of a repetition.

        Args:
            messages: Number of new messages.
            others: Number of other new items.
            repeated_to: The position after a batch that has messages which may be known; None if it has none, or if the
                position did not move.
        """
        if messages > 0:
            self.reset()
            return True
        if repeated_to is not None and hash(repeated_to) not in self._positions:
            self._positions.add(hash(repeated_to))
            self._before = self._last = 0.0
            return True
        self._count(_OTHER_NEWS if others else 1.0)
        return others > 0

    def skip_known(self) -> None:
        """Note that known messages are skipped; the log says it once in each catch-up."""
        if not self._is_skipping:
            self._is_skipping = True
            _log.warning("The server sends messages again that were received before; they are skipped.")

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
