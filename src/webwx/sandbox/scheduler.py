"""
Scheduled actions of a world, ordered by its clock.

The scheduler never waits: the code that moves the clock, or lets it run, removes due actions. Adding an action calls
the subscribers back, so that a task that sleeps until the next action wakes up for an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from webwx.sandbox.subscribers import Subscribers

Action = Callable[[], object]


class Scheduler:
    """Actions with their due times; actions of the same time keep the order in which they were added."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Action]] = []
        self._numbers = count()
        self._subscribers: Subscribers[()] = Subscribers()

    @property
    def next(self) -> float | None:
        """Time of the first action, in seconds since 1970; None if no action is scheduled."""
        return self._entries[0][0] if self._entries else None

    def add(self, moment: float, action: Action) -> None:
        """Add an action."""
        heappush(self._entries, (moment, next(self._numbers), action))
        self._subscribers.notify()

    def take(self, now: float) -> Action | None:
        """Remove and return the first due action; None if none is due."""
        return heappop(self._entries)[2] if self._entries and self._entries[0][0] <= now else None

    def subscribe(self, callback: Action) -> Callable[[], None]:
        """
        Call back whenever an action is added.

        Returns:
            A function that ends the subscription.
        """
        return self._subscribers.add(callback)
