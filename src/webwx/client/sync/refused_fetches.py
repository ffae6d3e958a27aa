"""Fetches that the server refuses, or whose answers are too large: after a while their items are given up."""

from __future__ import annotations

REFUSED_FOR = 300.0
"""Minimum seconds from the first refused fetch until the waiting items are given up."""

MIN_REFUSALS = 5
"""Minimum number of these fetches: after one of them, all others may have failed by the network, or not been made."""


class RefusedFetches:
    """Counts the fetches of one position that were refused or too large since the last readable one."""

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0
        self.is_too_large = False
        """Whether the last of these answers was too large."""

    def note(self, now: float, *, is_too_large: bool) -> bool:
        """
        Count a fetch, and return whether its kind is the first or differs from that of the last one.

        Args:
            now: Seconds (event loop's clock).
            is_too_large: Whether the answer was too large; otherwise it was refused.
        """
        is_new = not self._count or is_too_large is not self.is_too_large
        if not self._count:
            self._since = now
        self._count += 1
        self.is_too_large = is_too_large
        return is_new

    def is_given_up(self, now: float) -> bool:
        """Return whether the waiting items are to be given up; `now` is in seconds (event loop's clock)."""
        return self._count >= MIN_REFUSALS and now - self._since > REFUSED_FOR
