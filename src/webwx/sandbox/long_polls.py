"""
The long polls that a port holds, each until its event happens or its deadline passes.

They are indexed by the account that wakes them, so that a message for one account does not wake the other polls.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.protocol.http import Park
    from webwx.sandbox.clock import WorldClock


class LongPolls:
    """
    The held long polls of the running event loop.

    Args:
        clock: The clock of their deadlines.
    """

    def __init__(self, clock: WorldClock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    async def wait(self, park: Park) -> None:
        """Wait until a poll must be tried again."""
        woken = self._loop.create_future()
        seconds = self._clock.seconds_until(park.until)
        timer = None if seconds is None else self._loop.call_later(seconds, _wake, woken)
        together = self._waiting.setdefault(park.account, set())
        together.add(woken)
        try:
            await woken
        finally:
            if timer is not None:
                timer.cancel()
            together.discard(woken)
            if not together and self._waiting.get(park.account) is together:
                del self._waiting[park.account]

    def wake(self, account: str) -> None:
        """Wake the polls of an account, or all of them for an empty string; callable from any thread."""
        if threading.get_ident() == self._thread:
            self._wake(account)
        else:
            self._loop.call_soon_threadsafe(self._wake, account)

    def close(self) -> None:
        """Cancel every poll."""
        for together in self._waiting.values():
            for waiting in together:
                waiting.cancel()

    def _wake(self, account: str) -> None:
        for key in {account, ""} if account else tuple(self._waiting):
            for waiting in self._waiting.get(key, ()):
                _wake(waiting)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
