"""
Calls of a gateway's HTTP API. Problems in the answers are raised as errors of the library.

A call is retried if that is safe: it only reads, or it has an idempotency key.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from webwx.client.retry import Backoff, retry
from webwx.errors import (
    ConnectFailed,
    GatewayFailed,
    GatewayRefused,
    InvalidSettings,
    ProtocolError,
    SendOutcomeUnknown,
    TlsError,
    TransportError,
    WxError,
)
from webwx.protocol.hosts import mistake_in
from webwx.protocol.http import Request, TimeLimit
from webwx.representations.accounts import LIST_ACCOUNTS, SHOW_ACCOUNT
from webwx.representations.events import READ_EVENTS, EventsQuery
from webwx.representations.problems import error_of_answer, is_unavailable
from webwx.representations.route import API, ApiRoute, B, Q, R
from webwx.transport.failures import HandshakeRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from webwx.protocol.http import Response, Sink
    from webwx.transport.aiohttp_transport import AiohttpTransport, TextSocket
    from webwx.transport.download_sink import DownloadSink

T = TypeVar("T")

_TRIES = 4
"""Maximum number of attempts at a call that may be repeated."""

_PRINTABLE = re.compile(r"[!-~]+")
"""Pattern of the keys that a header can contain unchanged."""

_NOTHING_DONE = (ConnectFailed, TlsError, GatewayFailed)
"""Errors that mean that the gateway has changed nothing."""


def key_of(key: str) -> str:
    """Return an idempotency key as the gateway gets it: percent-encoded if a header cannot contain it."""
    return key if _PRINTABLE.fullmatch(key) else quote(key)


async def none_if_absent(call: Awaitable[T]) -> T | None:
    """Return the answer of a call; None if the gateway does not have the requested object."""
    try:
        return await call
    except GatewayRefused as refused:
        if refused.code == "not-found":
            return None
        raise


async def is_found(call: Awaitable[T]) -> bool:
    """Make a call, and return whether the gateway has the object that it names."""
    try:
        await call
    except GatewayRefused as refused:
        if refused.code == "not-found":
            return False
        raise
    return True


class GatewayCalls:
    """
    Calls of one gateway for one account.

    Args:
        gateway: Origin of the gateway, such as `http://127.0.0.1:8791`.
        key: A key of the gateway.
        account: Name or number of the account; None: the only one that the key reaches.
        make_transport: Makes the transport, in the event loop that uses it.
        retry_after: Seconds until a failed call is retried the first time.

    Raises:
        InvalidSettings: The address is not an origin, or the key is empty.
    """

    def __init__(
        self,
        gateway: str,
        key: str,
        account: str | None,
        make_transport: Callable[[], AiohttpTransport],
        retry_after: float,
    ) -> None:
        mistake = mistake_in(gateway)
        if mistake:
            raise InvalidSettings(f"gateway= is not an address: it {mistake}; write one like http://127.0.0.1:8791.")
        if not key or not key.isascii() or not key.isprintable():
            raise InvalidSettings("key= needs a key of the gateway; 'webwx serve key create' makes one.")
        parts = urlsplit(gateway)
        self.place: str = parts.netloc
        """Host and port of the gateway."""
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._authorization = ("Authorization", f"Bearer {key}")
        self._account = account
        self._number: int | None = None
        self._make_transport = make_transport
        self._retry_after = retry_after
        self._transport: AiohttpTransport | None = None

    def __repr__(self) -> str:
        return f"GatewayCalls({self.place})"

    async def close(self) -> None:
        """Close all connections."""
        if self._transport is not None:
            await self._transport.close()
            self._transport = None

    # -- the account -------------------------------------------------------------------------------------------------

    async def account(self) -> str:
        """
        Return the name or number of the account.

        Raises:
            InvalidSettings: The key reaches several accounts, or none.
        """
        if self._account is None:
            reached = await self.call(LIST_ACCOUNTS)
            if len(reached.accounts) != 1:
                names = ", ".join(repr(each.name) for each in reached.accounts) or "none"
                raise InvalidSettings(f"The key reaches {names}; name one account with account=.")
            self._account = str(reached.accounts[0].number)
        return self._account

    async def number(self) -> int:
        """Return the number of the account."""
        if self._number is None:
            self._number = (await self.call(SHOW_ACCOUNT)).number
        return self._number

    # -- calls -------------------------------------------------------------------------------------------------------

    async def call(
        self,
        route: ApiRoute[Q, B, R],
        *values: str | int,
        query: Q | None = None,
        body: B | None = None,
        key: str = "",
        prefer: str = "",
    ) -> R:
        """
        Return the answer of a route; it is repeated after a temporary failure if the route or a key allows it.

        Args:
            route: The route.
            values: The values in its path, without the account.
            query: The parameters; None: the defaults.
            body: The body; None: no body.
            key: Idempotency key; a call that has one can be repeated.
            prefer: Header `Prefer`.
        """
        headers = [("Idempotency-Key", key_of(key))] if key else []
        headers += [("Prefer", prefer)] if prefer else []
        path = await self._path_of(route, values, query)
        request = self._request(route.method, path, body=body, headers=headers, time_limit=TimeLimit.POLL)
        is_read = route.method == "GET"
        answer = await self._repeated(
            lambda: self._opened().send(request), can_repeat=is_read or route.is_repeatable or bool(key),
            is_read=is_read,
        )  # fmt: skip
        return self._decode(answer, route.reply)

    async def _path_of(self, route: ApiRoute[Q, Any, Any], values: tuple[str | int, ...], query: Q | None) -> str:
        """Return the path of a route with its values and parameters, below the API's."""
        if route.values[:1] == ("account",):
            values = (await self.account(), *values)
        path = route.at(*values)
        given = {} if query is None else query.given()
        return f"{path}?{urlencode(given, doseq=True)}" if given else path

    async def download(
        self, route: ApiRoute[Q, None, bytes], *values: str | int, sink: DownloadSink, query: Q | None = None
    ) -> None:
        """Download the content of a route into a sink; the call is not retried once bytes have arrived."""
        request = self._request(route.method, await self._path_of(route, values, query), sink=sink)
        answer = await self._opened().send(request)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise error_of_answer(answer.status, sink.start)

    async def upload(
        self, route: ApiRoute[Q, bytes, R], *, query: Q, pieces: Callable[[], AsyncIterator[bytes]], size: int
    ) -> R:
        """
        Upload a file in pieces, and return the answer.

        Args:
            route: The route.
            query: The parameters.
            pieces: Returns the pieces from the beginning.
            size: Size in bytes.
        """
        headers = [("Content-Type", "application/octet-stream")]
        request = self._request(route.method, await self._path_of(route, (), query), headers=headers)
        answer = await self._repeated(lambda: self._opened().send_pieces(request, pieces(), size), can_repeat=True)
        return self._decode(answer, route.reply)

    @asynccontextmanager
    async def open_socket(self, path: str) -> AsyncIterator[TextSocket]:
        """
        Open a WebSocket, and close it at the end.

        Raises:
            GatewayRefused: The key does not allow it.
            RateLimitReached: The key has made too many requests.
            TransportError: There is no connection.
        """
        try:
            async with self._opened().open_socket(self._request("GET", path)) as socket:
                yield socket
        except HandshakeRefused as refused:
            raise await self._reason_of(refused) from None

    async def _reason_of(self, refused: HandshakeRefused) -> WxError:
        """
        Return the error for a WebSocket that was refused.

        The HTTP library drops the body of such an answer, so the reason is read from the answer to a request that needs
        the same rights.
        """
        path = await self._path_of(READ_EVENTS, (), EventsQuery(limit=1))
        answer = await self._opened().send(self._request(READ_EVENTS.method, path, time_limit=TimeLimit.POLL))
        return error_of_answer(refused.status, answer.body if answer.status == refused.status else b"")

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: list[tuple[str, str]] | None = None,
        time_limit: TimeLimit = TimeLimit.BULK,
        sink: Sink | None = None,
    ) -> Request:
        content = b"" if body is None else msgspec.json.encode(body)
        more = [("Content-Type", "application/json")] if content else []
        return Request(
            endpoint="gateway", method=method, url=f"{self._origin}{API}{path}",
            headers=(self._authorization, *more, *(headers or ())), body=content, time_limit=time_limit, sink=sink,
        )  # fmt: skip

    def _opened(self) -> AiohttpTransport:
        if self._transport is None:
            self._transport = self._make_transport()
        return self._transport

    async def _repeated(
        self, send: Callable[[], Awaitable[Response]], *, can_repeat: bool, is_read: bool = False
    ) -> Response:
        """
        Return the answer of a call; repeat it after a temporary failure.

        Args:
            send: Makes the call once.
            can_repeat: Whether the call only reads, or has an idempotency key.
            is_read: Whether the call only reads.

        Raises:
            SendOutcomeUnknown: The answer to a change was lost.
        """

        async def attempt() -> Response:
            answer = await send()
            if is_unavailable(answer.status, answer.body):
                raise error_of_answer(answer.status, answer.body)
            return answer

        def is_worth_it(error: TransportError, failures: int) -> bool:
            return failures < _TRIES and (can_repeat or isinstance(error, _NOTHING_DONE))

        try:
            answer = await retry(
                attempt, TransportError, is_worth_it=is_worth_it, backoff=Backoff(self._retry_after, longest=5.0)
            )
        except _NOTHING_DONE:
            raise
        except TransportError as error:
            if is_read:
                raise
            raise SendOutcomeUnknown(
                f"The answer of the gateway was lost, so the outcome is unknown: {error}"
            ) from None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise error_of_answer(answer.status, answer.body)
        return answer

    def _decode(self, answer: Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body or b"null", type=kind)
        except (msgspec.DecodeError, RecursionError):
            raise ProtocolError("The gateway's answer does not match its API; it may have another version.") from None
