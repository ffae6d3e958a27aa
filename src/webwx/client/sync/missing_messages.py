"""Answers that announce more messages than they hold: the position stays, and the fetch is repeated for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import MessagesMissing
from webwx.protocol.sync import WEBWXSYNC

if TYPE_CHECKING:
    from webwx.flows.sync import Batch
    from webwx.protocol.sync import SyncKey

MIN_FETCHES = 5
"""Minimum number of fetches of one position before its missing messages are given up."""

MIN_SECONDS = 30.0
"""Minimum seconds from the first of these fetches to the last one."""


class MissingMessages:
    """Counts the fetches of one position that were answered without some of the announced messages."""

    def __init__(self) -> None:
        self._position: SyncKey | None = None
        self._fetches = 0
        self._since = 0.0
        self._given_up: SyncKey | None = None
        """The last position whose missing messages were given up; they are reported once."""

    @property
    def is_waiting(self) -> bool:
        """Whether the last answer was incomplete, so that the same position is to be fetched again without a poll."""
        return self._position is not None

    def is_given_up(self, position: SyncKey, batch: Batch, now: float) -> bool:
        """
        Check an answer, and return whether its missing messages are given up now.

        Args:
            position: The position that was fetched.
            batch: The batch of the answer.
            now: Seconds (event loop's clock).

        Raises:
            MessagesMissing: Messages are missing, and the position is to be fetched again.
        """
        if not batch.missing or position == self._given_up:
            self._position = None
            return False
        if position != self._position:
            self._position, self._fetches, self._since = position, 0, now
        self._fetches += 1
        if self._fetches < MIN_FETCHES or now - self._since < MIN_SECONDS:
            raise MessagesMissing(
                f"{WEBWXSYNC.name}: {batch.missing} of the messages that the answer announces are missing."
            )
        self._position, self._given_up = None, position
        return True
