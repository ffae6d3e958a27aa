"""
Real HTTP for a client whose own loop uses a virtual clock.

The sockets are in the sandbox's thread, where seconds are real: an answer in progress is not late because a test has
moved the clock by two minutes. Only an answer that never comes times out when the clock has passed its deadline.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.errors import Timeout
from webwx.override import override
from webwx.protocol.http import TimeLimit
from webwx.transport.default import default_transport
from webwx.transport.runner import Transport

if TYPE_CHECKING:
    from webwx.protocol.http import Request, Response
    from webwx.transport.runner import Timeouts


class Carrier(Transport):
    """
    A transport that sends its requests in another loop.

    Args:
        loop: Loop of the sockets.
        timeouts: Time limits in real seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeouts: Timeouts) -> None:
        self.on_the_way = 0
        """Number of requests without an answer; polls are not counted."""
        self.calls: list[str] = []
        """Names of the calls, in order."""
        self._loop = loop
        self._timeouts = timeouts
        self._transport: Transport | None = None

    @override
    async def send(self, request: Request) -> Response:
        is_call = request.time_limit is not TimeLimit.POLL
        self.calls.append(request.endpoint)
        self.on_the_way += is_call
        # A poll is answered when the clock is wound, so only what is never answered is late by that clock.
        limit = self._timeouts.of(request.time_limit) if is_call else None
        try:
            async with asyncio.timeout(limit):
                carried = asyncio.run_coroutine_threadsafe(self._send(request), self._loop)
                return await asyncio.wrap_future(carried)
        except TimeoutError:
            raise Timeout(f"{request.endpoint}: no answer in time.") from None
        finally:
            self.on_the_way -= is_call

    @override
    async def close(self) -> None:
        if self._transport is not None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._transport.close(), self._loop))

    async def _send(self, request: Request) -> Response:
        """Send one request in the other loop, with a client's default transport."""
        if self._transport is None:
            self._transport = default_transport(self._timeouts)
        return await self._transport.send(request)
