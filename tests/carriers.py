"""Transports of the tests: one that says what it is told to, one that counts and fails on the way to another."""

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


class Told:
    """Answers with what it was told, in order; errors are raised."""

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
    """Let a flow that wishes to wait go on."""


class Counted:
    """Passes requests on to another transport and keeps a list of them."""

    def __init__(self, inner: Transport) -> None:
        self.calls: list[str] = []
        """Names of the calls, in order."""
        self._inner = inner
        self._failures: dict[str, int] = {}

    def lose_answers(self, endpoint: str, times: int = 1) -> None:
        """Let the next requests of an endpoint arrive and their answers get lost."""
        self._failures[endpoint] = times

    async def send(self, request: Request) -> Response:
        self.calls.append(request.endpoint)
        response = await self._inner.send(request)
        if self._failures.get(request.endpoint, 0):
            self._failures[request.endpoint] -= 1
            raise Timeout(f"{request.endpoint}: no answer in time.")
        return response

    async def close(self) -> None:
        await self._inner.close()


class Forgetful(Counted):
    """Delivers everything once: a fetch with an earlier key goes on where the last one ended."""

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
"""Answers to any call that say nothing of the login."""


class Troubled(Counted):
    """Answers the next calls with what it is told, and passes on everything else."""

    def __init__(self, inner: Transport, **answers: list[Response | Exception]) -> None:
        super().__init__(inner)
        self.answers = answers

    async def send(self, request: Request) -> Response:
        assert len(self.calls) < 1_000, "it asks and asks"
        if not self.answers.get(request.endpoint):
            return await super().send(request)
        self.calls.append(request.endpoint)
        answer = self.answers[request.endpoint].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer
