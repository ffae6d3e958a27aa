"""How long an event loop takes to answer, as another thread sees it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class LoopLag:
    """
    The lag of an event loop: the time from a question of another thread to its answer.

    Args:
        loop: The event loop.
        now: Returns seconds by a monotonic clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._now = now
        self._asked_at: float | None = None
        """Time of the question that is not answered yet."""
        self._longest = 0.0

    def __repr__(self) -> str:
        return f"LoopLag({self.unanswered:.3f} s)"

    def ask(self) -> None:
        """Ask the loop, unless a question is not answered yet."""
        if self._asked_at is None:
            self._asked_at = self._now()
            with contextlib.suppress(RuntimeError):  # the loop was closed
                self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        if self._asked_at is not None:
            self._longest = max(self._longest, self._now() - self._asked_at)
            self._asked_at = None

    @property
    def unanswered(self) -> float:
        """Seconds since the question that is not answered yet; 0 if there is none."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else self._now() - asked_at

    def take_longest(self) -> float:
        """Return the longest lag since the last call, in seconds, the present wait for an answer included."""
        longest, self._longest = max(self._longest, self.unanswered), 0.0
        return longest
