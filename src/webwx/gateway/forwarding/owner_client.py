"""
Requests to other nodes of the cluster, whose addresses come from the table of workers.

Unlike `outgoing`, it connects to private networks and reads answers of any length, piece by piece. Connections are
reused for requests that change nothing: a connection that was idle may have been closed by the other end, and then it
would be unknown whether a change was made.
"""

from __future__ import annotations

import contextlib
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import yarl

from webwx.errors import ConnectFailed, Timeout, TransportError
from webwx.transport.network_time import time_limit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

CONNECT_TIMEOUT = 3.0
"""Seconds to connect."""

ANSWER_TIMEOUT = 300.0
"""Seconds without progress until an answer begins, and between two pieces of it."""

_LONGEST_MESSAGE = 16 * 1024 * 1024
"""Maximum number of bytes of a WebSocket message."""

_HEARTBEAT = 20.0
"""Seconds between two pings of a WebSocket."""

_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp adds by default."""

_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Options of connections: one to a machine that has lost its network ends after 20 seconds."""


class ClosedSocket(NamedTuple):
    """How the other end has closed a WebSocket."""

    code: int
    reason: str


class OwnerAnswer:
    """The answer of a node, whose body is read piece by piece."""

    def __init__(self, answer: aiohttp.ClientResponse, timeout: float) -> None:
        self._answer = answer
        self._timeout = timeout
        self.status: int = answer.status
        self.headers: Sequence[tuple[bytes, bytes]] = answer.raw_headers

    def __repr__(self) -> str:
        return f"OwnerAnswer({self.status})"

    async def pieces(self) -> AsyncIterator[bytes]:
        """
        Yield the body.

        Raises:
            TransportError: The body is not complete.
        """
        with _explained():
            while True:
                async with time_limit(self._timeout):
                    piece = await self._answer.content.readany()
                if not piece:
                    return
                yield piece


class OwnerSocket:
    """A WebSocket to a node."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    def __repr__(self) -> str:
        return "OwnerSocket()"

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the node has chosen."""
        return self._socket.protocol

    async def send(self, message: str | bytes) -> None:
        """
        Send a message.

        Raises:
            TransportError: The connection is lost.
        """
        with _explained():
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)

    async def receive(self) -> str | bytes | ClosedSocket:
        """
        Return the next message, or how the node has closed the connection.

        Raises:
            TransportError: The connection is lost.
        """
        with _explained():
            message = await self._socket.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                return str(message.data)
            case aiohttp.WSMsgType.BINARY:
                return bytes(message.data)
            case aiohttp.WSMsgType.CLOSE:
                return ClosedSocket(message.data, message.extra or "")
            case _:
                raise TransportError("The owner of the account has closed the connection.")

    async def close(self, code: int) -> None:
        """Close the connection with a code."""
        await self._socket.close(code=code)


class OwnerClient:
    """
    Sends requests to nodes; `close` ends it.

    Args:
        connect_timeout: Seconds to connect.
        answer_timeout: Seconds without progress until an answer begins, and between two pieces of it.
    """

    def __init__(self, *, connect_timeout: float = CONNECT_TIMEOUT, answer_timeout: float = ANSWER_TIMEOUT) -> None:
        self._connect_timeout = connect_timeout
        self._answer_timeout = answer_timeout
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        """The session that reuses connections, and the one that does not."""
        self._closing = AsyncExitStack()

    def __repr__(self) -> str:
        return "OwnerClient()"

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: AsyncIterator[bytes] | None,
        *,
        is_safe: bool,
    ) -> AsyncGenerator[OwnerAnswer, None]:
        """
        Send a request, and return its answer. It is never repeated, and no redirect is followed.

        A body is sent when the node asks for it (`Expect: 100-continue`).

        Args:
            method: The method.
            url: The URL, quoted.
            headers: The headers.
            body: Pieces of the body; None: no body.
            is_safe: Whether the request changes nothing.

        Raises:
            ConnectFailed: Nothing was sent.
            Timeout: There was no progress.
            TransportError: The connection was lost.
        """
        with _explained():
            answer = await self._answer_of(method, url, headers, body, is_safe=is_safe)
        try:
            yield OwnerAnswer(answer, self._answer_timeout)
        finally:
            answer.close()

    async def _answer_of(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: AsyncIterator[bytes] | None, *,
        is_safe: bool,
    ) -> aiohttp.ClientResponse:  # fmt: skip
        async with time_limit(self._answer_timeout) as limit:
            is_waiting = True

            async def counted(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
                """Begin the wait again with each piece that was sent."""
                async for piece in pieces:
                    yield piece
                    if is_waiting:
                        limit.extend(self._answer_timeout)

            try:
                return await self._session(is_reusing=is_safe).request(
                    method, yarl.URL(url, encoded=True), headers=headers,
                    data=None if body is None else counted(body), expect100=body is not None,
                    skip_auto_headers=_ADDED, allow_redirects=False,
                )  # fmt: skip
            finally:
                is_waiting = False

    @asynccontextmanager
    async def socket(
        self, url: str, headers: Sequence[tuple[str, str]], subprotocols: Sequence[str] = ()
    ) -> AsyncGenerator[OwnerSocket, None]:
        """
        Open a WebSocket.

        Args:
            url: The URL, quoted.
            headers: The headers.
            subprotocols: The subprotocols from which the node may choose.

        Raises:
            UpgradeRefused: The node has answered without opening it.
            ConnectFailed: Nothing was sent.
            TransportError: The connection was lost.
        """
        try:
            with _explained():
                opened = await self._session(is_reusing=False).ws_connect(
                    yarl.URL(url, encoded=True),
                    headers=headers,
                    heartbeat=_HEARTBEAT,
                    max_msg_size=_LONGEST_MESSAGE,
                    protocols=subprotocols,
                )
        except aiohttp.WSServerHandshakeError as refused:
            raise UpgradeRefused(refused.status) from None
        try:
            yield OwnerSocket(opened)
        finally:
            await opened.close()

    async def close(self) -> None:
        """Close all connections."""
        self._sessions.clear()
        await self._closing.aclose()

    def _session(self, *, is_reusing: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(is_reusing)
        if session is None:
            connector = aiohttp.TCPConnector(
                limit=0, force_close=not is_reusing, socket_factory=_open_socket,
            )  # fmt: skip
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout)
            session = self._sessions[is_reusing] = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
                timeout=timeout, middlewares=(_once,),
            )  # fmt: skip
            self._closing.push_async_callback(session.close)
        return session


class UpgradeRefused(Exception):
    """
    A node refused to open a WebSocket.

    Args:
        status: The status of its answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once; aiohttp would repeat one whose connection was lost."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise TransportError("The connection to the owner of the account was lost.") from None


def _open_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # not on every system
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    opened.setblocking(False)
    return opened


@contextlib.contextmanager
def _explained() -> Any:
    """Raise errors of aiohttp as errors of the library."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise ConnectFailed("The owner of the account cannot be reached.") from None
    except TimeoutError:
        raise Timeout("The owner of the account does not answer.") from None
    except aiohttp.WSServerHandshakeError:
        raise
    except (aiohttp.ClientError, OSError):
        raise TransportError("The connection to the owner of the account was lost.") from None
