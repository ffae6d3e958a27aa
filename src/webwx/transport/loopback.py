"""
A transport that calls a server's core in the same process, without a port or a socket.

A long poll hardly blocks here. Other tasks and threads run first; if nothing has happened then, the server's clock is
moved to the end of the poll. It stands still while something that takes real time is at work, such as a journal's disk.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from webwx.override import override
from webwx.protocol.http import Park
from webwx.transport.runner import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """
    A transport into an `Responder`.

    Args:
        responder: The core of the server.
        is_at_work: Whether something takes real time, during which the server's clock may not move.
    """

    def __init__(self, responder: Responder, is_at_work: Callable[[], bool] = lambda: False) -> None:
        self._responder = responder
        self._is_at_work = is_at_work

    @override
    async def send(self, request: Request) -> Response:
        answer = self._responder.answer(request)
        if isinstance(answer, Park):
            await asyncio.sleep(0)
            answer = self._responder.answer(request, answer)
        if isinstance(answer, Park):
            await asyncio.sleep(_MOMENT)
            while self._is_at_work():  # noqa: ASYNC110 - threads have no event to wait for
                await asyncio.sleep(_MOMENT)
            answer = self._responder.answer(request, answer)
        while isinstance(answer, Park):
            self._responder.wind_to(answer.until)
            answer = self._responder.answer(request, answer)
        return answer

    @override
    async def close(self) -> None: ...
