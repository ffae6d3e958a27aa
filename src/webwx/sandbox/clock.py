"""The world's clock: recall windows, codes and long polls go by it, so a test winds it where it would have to sleep."""

from __future__ import annotations

import time
from typing import Protocol


class WorldClock(Protocol):
    """A clock that can be wound forward."""

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        ...

    def wind(self, seconds: float) -> None:
        """Move it forward."""
        ...

    def seconds_until(self, moment: float) -> float | None:
        """Return the real seconds until a moment; None if only winding reaches it."""
        ...


class SystemClock:
    """
    A clock that runs as the machine's does, ahead of it by what it was wound.

    Args:
        start: What it shows first, in seconds since 1970; None: what the machine's shows.
    """

    def __init__(self, start: float | None = None) -> None:
        self._ahead = 0.0 if start is None else start - time.time()

    @classmethod
    def ahead_by(cls, seconds: float) -> SystemClock:
        """Return a clock that is so much ahead of the machine's."""
        clock = cls()
        clock.wind(seconds)
        return clock

    @property
    def ahead(self) -> float:
        """Seconds that it shows more than the machine's."""
        return self._ahead

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return time.time() + self._ahead

    def wind(self, seconds: float) -> None:
        """Move it forward."""
        self._ahead += seconds

    def seconds_until(self, moment: float) -> float:
        """Return the real seconds until a moment."""
        return max(0.0, moment - self.now())


class VirtualClock:
    """A clock that stands still until it is wound."""

    def __init__(self, start: float = 1_560_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self._now

    def wind(self, seconds: float) -> None:
        """Move it forward."""
        self._now += seconds

    def seconds_until(self, moment: float) -> float | None:
        """Return 0 for a moment that has come; None for any other."""
        return 0.0 if moment <= self._now else None
