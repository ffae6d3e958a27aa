"""
Calls from one thread to the event loop of another thread.

Each `call_soon_threadsafe` writes to a socket, which takes time and lets other threads run. Many callers wait for one
statement, so their calls are gathered: the first one wakes the loop, which then makes all calls that were added.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class LoopCalls:
    """
    Calls in the thread of an event loop, in the order in which they were added.

    Args:
        loop: The event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_woken = False
        """Whether the loop will look at the waiting calls; two threads may wake it twice."""

    def __repr__(self) -> str:
        return f"LoopCalls({len(self._waiting)} waiting)"

    def add(self, call: Callable[[], object]) -> None:
        """
        Make a call soon, from any thread; the call raises nothing.

        Raises:
            RuntimeError: The loop was closed.
        """
        self._waiting.append(call)
        if not self._is_woken:
            self._is_woken = True
            try:
                self._loop.call_soon_threadsafe(self._begin)
            except RuntimeError:
                self._is_woken = False  # so that the next call is refused as well
                raise

    def _begin(self) -> None:
        self._is_woken = False  # before the calls are taken, so that a call that is added now wakes the loop again
        while self._waiting:
            self._waiting.popleft()()
