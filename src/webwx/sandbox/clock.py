"""Clocks of a world: recall windows, codes and long polls use them, so a test moves the clock instead of sleeping."""

from __future__ import annotations

import time
from typing import Protocol


class WorldClock(Protocol):
    """A clock that can be moved forward."""

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        ...

    def wind(self, seconds: float) -> None:
        """Move it forward."""
        ...

    def seconds_until(self, moment: float) -> float | None:
        """Return the real seconds until a time; None if only moving the clock reaches it."""
        ...


class SystemClock:
    """
    A clock that runs like the machine's clock, with a fixed offset.

    Args:
        start: First time, in seconds since 1970; None uses the machine's time.
    """

    def __init__(self, start: float | None = None) -> None:
        self._ahead = 0.0 if start is None else start - time.time()

    @classmethod
    def ahead_by(cls, seconds: float) -> SystemClock:
        """Return a clock with a given offset from the machine's clock."""
        clock = cls()
        clock.wind(seconds)
        return clock

    @property
    def ahead(self) -> float:
        """Offset from the machine's clock, in seconds."""
        return self._ahead

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return time.time() + self._ahead

    def wind(self, seconds: float) -> None:
        """Move it forward."""
        self._ahead += seconds

    def seconds_until(self, moment: float) -> float:
        """Return the real seconds until a time."""
        return max(0.0, moment - self.now())


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: float = 1_560_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self._now

    def wind(self, seconds: float) -> None:
        """Move it forward."""
        self._now += seconds

    def seconds_until(self, moment: float) -> float | None:
        """Return 0 for a time that has passed; None for any other."""
        return 0.0 if moment <= self._now else None
