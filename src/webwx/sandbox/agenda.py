"""
What is yet to happen in a world, by its clock.

Nothing here waits: whoever moves the clock, or lets it run, asks what has come due. Each change is told to the
subscribers, so that whoever sleeps until the next moment learns of an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from webwx.sandbox.subscribers import Subscribers

Action = Callable[[], object]


class Agenda:
    """Actions, each with its moment; those of one moment in the order they were put down."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Action]] = []
        self._numbers = count()
        self._subscribers: Subscribers[()] = Subscribers()

    @property
    def next(self) -> float | None:
        """The moment of what comes first, in seconds since 1970; None when nothing is planned."""
        return self._entries[0][0] if self._entries else None

    def add(self, moment: float, action: Action) -> None:
        """Plan something."""
        heappush(self._entries, (moment, next(self._numbers), action))
        self._subscribers.tell()

    def take(self, now: float) -> Action | None:
        """Take out what is due first; None when nothing is."""
        return heappop(self._entries)[2] if self._entries and self._entries[0][0] <= now else None

    def subscribe(self, callback: Action) -> Callable[[], None]:
        """
        Call back whenever something is planned.

        Returns:
            What ends the subscription.
        """
        return self._subscribers.add(callback)
