"""
The open streams and long polls, which end when the server stops or when their caller's key is no longer valid.

They are checked once a second, because another process changes keys as well, and at once after a change in this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from weakref import WeakSet

from webwx.errors import StorageError
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.process.reader_turns import ReaderTurns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from webwx.gateway.access.auth import Caller

    T = TypeVar("T")

_log = logging.getLogger("webwx.gateway")

_CHECK_EVERY = 1.0
"""Seconds between two checks of the callers."""


class OpenStream:
    """
    A stream or a long poll of one caller.

    Args:
        caller: The caller that reads it.
        sleep: Waits for some seconds.
        turns: Limits the work of all streams that read many events.
    """

    def __init__(self, caller: Caller, sleep: Callable[[float], Awaitable[object]], turns: ReaderTurns) -> None:
        self.caller = caller
        self._sleep = sleep
        self.turns = turns
        self.ended = asyncio.Event()
        """Set when the stream has to end."""
        self.is_refused = False
        """Whether the stream has to end because its caller's key is no longer valid."""

    def __repr__(self) -> str:
        return f"OpenStream({self.caller.id})"

    def require_valid(self) -> None:
        """
        Check that the stream did not end because of its caller's key.

        Raises:
            GatewayProblem: The key was deleted, rotated or changed, or has expired.
        """
        if self.is_refused:
            raise GatewayProblem("unauthorized", "The key was deleted, rotated or changed, or has expired.")

    async def run(self, work: Coroutine[Any, Any, T], within: float | None = None) -> T | None:
        """
        Run a coroutine; cancel it and return None if the stream has to end first.

        Args:
            work: The coroutine.
            within: Seconds for the coroutine; None: no limit.

        Raises:
            TimeoutError: The coroutine did not end in time.
        """
        task = asyncio.ensure_future(work)
        limits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self.ended.wait())]
        if within is not None:
            limits.append(asyncio.ensure_future(self._sleep(within)))
        try:
            await asyncio.wait({task, *limits}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if self.ended.is_set():
                return None
            raise TimeoutError
        finally:
            for each in (task, *limits):
                each.cancel()
            await asyncio.wait({task, *limits})


class OpenStreams:
    """
    All open streams of a gateway.

    Args:
        is_current: Returns whether a caller still has the key or session, and the rights, with which it was identified.
        sleep: Waits for some seconds; a stream limits the work of its client by it.
    """

    def __init__(
        self,
        is_current: Callable[[Caller], Awaitable[bool]],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._is_current = is_current
        self._sleep = sleep
        self._turns = ReaderTurns()
        self._streams: WeakSet[OpenStream] = WeakSet()
        """The open streams; a stream leaves the set when its handler ends."""
        self._wake = asyncio.Event()
        self.is_closing = False
        """Whether the server is stopping, so that no stream may stay open."""

    def __repr__(self) -> str:
        return f"OpenStreams({len(self)})"

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, caller: Caller) -> OpenStream:
        """Return a new stream of a caller."""
        stream = OpenStream(caller, self._sleep, self._turns)
        if self.is_closing:
            stream.ended.set()
        self._streams.add(stream)
        return stream

    def check_soon(self) -> None:
        """Check all callers now, because a key or a session has changed."""
        self._wake.set()

    async def check(self) -> None:
        """
        End the streams of callers that may no longer read them.

        Raises:
            StorageError: The keys cannot be read.
        """
        open_streams = list(self._streams)
        current = {caller: await self._is_current(caller) for caller in {stream.caller for stream in open_streams}}
        for stream in open_streams:
            if not current[stream.caller] and not stream.ended.is_set():
                stream.is_refused = True
                stream.ended.set()

    async def run(self) -> NoReturn:
        """Check the callers once a second, and after each call of `check_soon`."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_EVERY):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.check()
            except StorageError as error:
                _log.warning("The callers of open streams could not be checked: %s", error)

    def end_all(self) -> None:
        """End all streams, because the server stops."""
        self.is_closing = True
        for stream in list(self._streams):
            stream.ended.set()
