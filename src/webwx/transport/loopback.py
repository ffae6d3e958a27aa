"""
A transport that calls a server's core in the same process, without a port or a socket.

A long poll hardly blocks here. Other tasks and threads run first; if nothing has happened then, the server's clock is
moved to the end of the poll.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from webwx.override import override
from webwx.protocol.http import Park
from webwx.transport.runner import Transport

if TYPE_CHECKING:
    from webwx.protocol.http import Request, Response


_MOMENT = 0.001
"""Seconds for which the loop lets other threads run, such as a journal's; a loop that never waits would block them."""


class Responder(Protocol):
    """The core of a server, such as the sandbox's."""

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        """Return the response, or a `Park` while the poll is held; `parked` is the `Park` of the previous call."""
        ...

    def wind_to(self, until: float) -> None:
        """Advance the server's clock to a time."""
        ...


class Loopback(Transport):
    """A transport into an `Responder`."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    @override
    async def send(self, request: Request) -> Response:
        answer = self._responder.answer(request)
        if isinstance(answer, Park):
            await asyncio.sleep(0)
            answer = self._responder.answer(request, answer)
        if isinstance(answer, Park):
            await asyncio.sleep(_MOMENT)
            answer = self._responder.answer(request, answer)
        while isinstance(answer, Park):
            self._responder.wind_to(answer.until)
            answer = self._responder.answer(request, answer)
        return answer

    @override
    async def close(self) -> None: ...
