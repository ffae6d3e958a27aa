"""
Transports for tests: one with scripted answers, and others that record or change the traffic of another transport.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.errors import Timeout, TransportError
from webwx.protocol.http import Response
from webwx.protocol.sync import WEBWXSYNC

if TYPE_CHECKING:
    from webwx.protocol.http import Pause, Request
    from webwx.transport.runner import Transport


class ScriptedTransport:
    """Returns scripted answers in order, and raises those that are exceptions."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.requests: list[Request] = []
        self._answers = list(answers)

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        pass


async def at_once(_: Pause) -> None:
    """Continue a paused flow at once."""


class Counted:
    """Forwards requests to another transport and keeps a list of them."""

    def __init__(self, inner: Transport) -> None:
        self.calls: list[str] = []
        """Names of the calls, in order."""
        self._inner = inner
        self._failures: dict[str, int] = {}
        self._held: dict[str, asyncio.Event] = {}

    def hold(self, endpoint: str) -> asyncio.Event:
        """Hold the requests of an endpoint until the event is set that this returns."""
        return self._held.setdefault(endpoint, asyncio.Event())

    def lose_answers(self, endpoint: str, times: int = 1) -> None:
        """Lose the answers to the next requests of an endpoint; the requests themselves arrive."""
        self._failures[endpoint] = times

    async def send(self, request: Request) -> Response:
        self.calls.append(request.endpoint)
        if request.endpoint in self._held:
            await self._held[request.endpoint].wait()
        response = await self._inner.send(request)
        if self._failures.get(request.endpoint, 0):
            self._failures[request.endpoint] -= 1
            raise Timeout(f"{request.endpoint}: no answer in time.")
        return response

    async def close(self) -> None:
        await self._inner.close()


class DeliversOnce(Counted):
    """Delivers each item once: a fetch with an earlier key continues where the last fetch ended."""

    _delivered: Any = None

    async def send(self, request: Request) -> Response:
        if request.endpoint != WEBWXSYNC.name:
            return await super().send(request)
        if self._delivered is not None:
            body = msgspec.json.decode(request.content) | {"SyncKey": self._delivered}
            request = msgspec.structs.replace(request, body=msgspec.json.encode(body))
        response = await super().send(request)
        self._delivered = msgspec.json.decode(response.body)["SyncKey"]
        return response


PAGE = Response(headers=(("Content-Type", "text/html"),), body=b"<html>Try again later.</html>")
TEMPORARY: dict[str, Response | Exception] = {
    "a web page": PAGE,
    "an empty answer": Response(),
    "302": Response(status=302),
    "403": msgspec.structs.replace(PAGE, status=403),
    "429": msgspec.structs.replace(PAGE, status=429),
    "502": msgspec.structs.replace(PAGE, status=502),
    "a reset": TransportError("The connection broke."),
    "a timeout": Timeout("No answer in time."),
    "ret -1": Response(body=b'{"BaseResponse":{"Ret":-1,"ErrMsg":""}}'),
    "ret 1205": Response(body=b'{"BaseResponse":{"Ret":1205,"ErrMsg":""}}'),
}
"""Answers to any call that leave the login valid."""


class FaultyTransport(Counted):
    """Returns scripted answers to the next calls of an endpoint, and forwards all others."""

    def __init__(self, inner: Transport, **answers: list[Response | Exception]) -> None:
        super().__init__(inner)
        self.answers = answers

    async def send(self, request: Request) -> Response:
        assert len(self.calls) < 1_000, "requests without end"
        if not self.answers.get(request.endpoint):
            return await super().send(request)
        self.calls.append(request.endpoint)
        answer = self.answers[request.endpoint].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer
