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
    """

    def __init__(self) -> None:
        self._ignored: frozenset[int] = frozenset()
        """Numbers of the counters whose last value was ignored."""

    @property
    def is_ignoring(self) -> bool:
        """Whether a counter of the last key was ignored, so that the next answer shows what the server means."""
        return bool(self._ignored)

    def accept(self, key: SyncKey, before: SyncKey) -> SyncKey:
        """Return the key with which to continue after an answer."""
        self._ignored = key.lost_counters(before) - self._ignored
        return key.with_counters(before, self._ignored)
