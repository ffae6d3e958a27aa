"""
The transport over aiohttp, for proxies and event loops that our own does not support (`default`).

It has one session, one connector and one TLS context. It follows no redirect, stores no cookie and uses no proxy of the
environment: a request is sent unchanged, with only the headers that HTTP itself requires. An idle connection is closed
after a few seconds, because the outcome of a POST on a connection that the server closes at the same moment is unknown.
"""

from __future__ import annotations

import asyncio
import io
import logging
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
import yarl
from aiohttp.http_exceptions import ContentEncodingError

from webwx.override import override
from webwx.protocol.http import Response
from webwx.transport.addresses import proxy_place
from webwx.transport.failures import Failures, HandshakeRefused
from webwx.transport.network_time import NetworkTime, time_limit
from webwx.transport.request_head import write_head
from webwx.transport.runner import MAX_BODY, Timeouts, Transport
from webwx.transport.tls import CertificatesUnreadable, trusting

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Callable

    from webwx.errors import WxError
    from webwx.protocol.http import Body, Request

_log = logging.getLogger("webwx.transport")


_HEARTBEAT = 20.0
"""Seconds between two pings of a WebSocket, which find a lost connection."""

_AT_ONCE = 1024 * 1024
"""Maximum size in bytes of a body that is written in one piece."""


class AiohttpTransport(Transport):
    """
    A transport over real HTTP.

    Args:
        timeouts: Time limits.
        proxy: Address of a proxy, such as `http://127.0.0.1:8790`.
        ca_file: A file of certificates to trust instead of the system's.
    """

    def __init__(
        self,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        *,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._proxy = proxy
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Response:
        """
        Send one request and return the answer.

        Raises: As `Transport.send`.
        """
        site = write_head(request).site  # the library writes its own head; this refuses what must not be written
        failures = Failures(request.endpoint, f"{site.host}:{site.port}", proxy_place(self._proxy))
        try:
            response = await self._carry(request, failures)
        except (aiohttp.ClientError, OSError, ValueError, CertificatesUnreadable) as error:
            failure = _failure(error, failures)
        else:
            _log.debug("%s -> %s, %d bytes", request.endpoint, response.status, len(response.body))
            return response
        raise failure  # here, so that it does not hold the library's error, which quotes addresses and answers

    async def send_pieces(self, request: Request, pieces: AsyncIterator[bytes], size: int) -> Response:
        """
        Send a request whose body is produced piece by piece and is never in memory as a whole.

        Args:
            request: The request, without a body.
            pieces: The body.
            size: Size of the body in bytes.

        Raises: As `Transport.send`, and the errors of `pieces`.
        """
        site = write_head(request).site
        failures = Failures(request.endpoint, f"{site.host}:{site.port}", proxy_place(self._proxy))
        announced = request.with_headers(("Content-Length", str(size)))
        try:
            return await self._carry(announced, failures, pieces)
        except (aiohttp.ClientError, OSError, ValueError, CertificatesUnreadable) as error:
            failure = _failure(error, failures)
        raise failure

    @asynccontextmanager
    async def open_socket(self, request: Request) -> AsyncIterator[TextSocket]:
        """
        Open a WebSocket, and close it at the end.

        Raises:
            HandshakeRefused: The server did not accept it.
            TransportError: There is no connection.
        """
        site = write_head(request).site
        failures = Failures(request.endpoint, f"{site.host}:{site.port}", proxy_place(self._proxy))
        try:
            socket = await self._open().ws_connect(
                yarl.URL(request.url, encoded=True), headers=request.headers, heartbeat=_HEARTBEAT,
                max_msg_size=MAX_BODY[request.time_limit],
            )  # fmt: skip
        except aiohttp.WSServerHandshakeError as refused:
            raise HandshakeRefused(refused.status) from None
        except (aiohttp.ClientError, OSError, ValueError, CertificatesUnreadable) as error:
            raise _failure(error, failures) from None
        try:
            yield TextSocket(socket, failures)
        finally:
            await socket.close()

    async def _carry(
        self, request: Request, failures: Failures, pieces: AsyncIterator[bytes] | None = None
    ) -> Response:
        time, until = NetworkTime.of_running_loop(), partial(self._timeouts.until, request.time_limit)
        began = time.now()
        async with time_limit(until(began, began, 0) - began) as limit, self._open().request(
            request.method,
            yarl.URL(request.url, encoded=True),
            headers=request.headers,
            data=_payload(request.body) if pieces is None else pieces,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:  # fmt: skip
            if answer.status < HTTPStatus.OK:  # another protocol would follow
                raise failures.no_http()
            body = b""
            if request.sink is None:
                body = await _read_body(answer, MAX_BODY[request.time_limit], failures)
            else:
                size = 0
                async for piece in answer.content.iter_any():
                    request.sink.write(piece)
                    size += len(piece)
                    now = time.now()
                    limit.extend(until(began, now, size) - now)
            return Response(status=answer.status, headers=tuple(answer.headers.items()), body=body)

    @override
    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)  # the closed sockets' callbacks want one turn of the loop

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(
                    self._timeouts.connect,
                    limit=0,
                    keepalive_timeout=self._timeouts.keep_idle,
                    ssl=trusting(self._ca_file),
                ),
                proxy=self._proxy,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
                middlewares=(_only_once,),
                trust_env=False,
            )
        return self._session


class TextSocket:
    """
    An open WebSocket that carries texts.

    Args:
        socket: The library's socket.
        failures: The errors of its connection.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, failures: Failures) -> None:
        self._socket = socket
        self._failures = failures

    async def send(self, text: str) -> None:
        """
        Send a text.

        Raises:
            TransportError: The connection is lost.
        """
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError):
            raise self._failures.broken_off() from None

    async def receive(self) -> str | None:
        """
        Return the next text; None when the server has closed the connection.

        Raises:
            TransportError: The connection is lost.
        """
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            text: str = message.data
            return text
        if message.type is aiohttp.WSMsgType.ERROR:
            raise self._failures.broken_off()
        return None


class _NotConnected(aiohttp.ClientError):
    """The connection failed, so nothing was sent."""


class _ProxyNotConnected(aiohttp.ClientError):
    """The proxy cannot be reached."""


class _Connector(aiohttp.TCPConnector):
    """
    Distinguishes failures before a request is sent from later ones.

    Args:
        seconds: Maximum time for a connection, including its proxy and its handshake.
        more: Arguments of the library's class.
    """

    def __init__(self, seconds: float, **more: Any) -> None:
        super().__init__(**more)
        self._seconds = seconds

    async def connect(self, *arguments: Any, **more: Any) -> aiohttp.connector.Connection:
        """Return a connection, pooled or new, on which no unrequested bytes have arrived."""
        while True:
            try:
                async with time_limit(self._seconds):
                    connection = await super().connect(*arguments, **more)
            except (aiohttp.ClientSSLError, aiohttp.ClientHttpProxyError):
                raise
            except aiohttp.ClientProxyConnectionError:
                raise _ProxyNotConnected from None
            except (aiohttp.ClientError, OSError, ValueError):
                raise _NotConnected from None
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


class _BrokenOff(aiohttp.ClientError):
    """The connection failed; the caller decides whether to retry."""


async def _only_once(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Prevent aiohttp's own retry: it repeats a GET at once, which doubles the load of a failing server."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # it belongs to the connector, which sends nothing
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokenOff(type(error).__name__) from None


def _failure(error: Exception, failures: Failures) -> WxError:
    """Return our error for the library's error."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return failures.untrusted_certificate(error.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            return failures.untrusted_certificate(error.os_error)
        case aiohttp.ClientHttpProxyError():
            return failures.proxy_refused(error.status)
        case CertificatesUnreadable():
            return failures.unreadable_certificates()
        case _ProxyNotConnected():
            return failures.no_proxy()
        case _NotConnected():
            return failures.no_connection()
        case TimeoutError():
            return failures.no_answer()
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError(__cause__=ContentEncodingError()):
            return failures.no_http()
        case _:
            return failures.broken_off()


async def _read_body(answer: aiohttp.ClientResponse, limit: int, failures: Failures) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > limit:
            raise failures.too_large(limit)
    return bytes(body)


def _payload(body: Body) -> bytes | io.BytesIO | None:
    whole = body if isinstance(body, bytes) else b"".join(body)
    return io.BytesIO(whole) if len(whole) > _AT_ONCE else whole or None
