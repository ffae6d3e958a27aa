"""
The HTTP library, behind its one door.

One session, one connector, one TLS context. Nothing is redirected, no cookie is kept, no proxy of the environment is
used: a request goes out as it was made, with nothing added but what HTTP itself needs. An idle connection is dropped
after a few seconds, because a POST that meets its closing would leave a send in doubt.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import yarl

from webwx.errors import ConnectFailed, ProtocolError, Timeout, TlsError, TransportError
from webwx.protocol.http import Patience, Request, Response
from webwx.transport.run import Timeouts

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable

_log = logging.getLogger("webwx.transport")

MAX_BODY = {
    Patience.CALL: 16 * 1024 * 1024,
    Patience.POLL: 1024 * 1024,
    Patience.BULK: 64 * 1024 * 1024,
}
"""Bytes of an answer that are still read."""


class Network:
    """
    A transport over real HTTP.

    Args:
        timeouts: How long to wait for what.
        proxy: Address of a proxy to go through, such as `http://127.0.0.1:8790`.
        ca_file: A file of certificates to trust in place of the system's.
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
        Carry one request.

        Raises:
            ConnectFailed: Nothing left this machine.
            TlsError: The other side could not prove who it is; nothing left.
            Timeout: No answer in time.
            TransportError: The answer broke off.
            ProtocolError: The answer is larger than any of its kind.
        """
        name = request.endpoint
        patience = self._timeouts.of(request.patience)
        # A file may take hours; what must not happen is that nothing comes for long.
        total = None if request.sink else patience
        timeout = aiohttp.ClientTimeout(total=total, sock_read=patience, sock_connect=self._timeouts.connect)
        try:
            async with self._open().request(
                request.method,
                yarl.URL(request.url, encoded=True),
                headers=request.headers,
                data=_payload(request.body),
                allow_redirects=False,
                timeout=timeout,
            ) as answer:
                if request.sink is None:
                    body = await _read_body(answer, MAX_BODY[request.patience], name)
                else:
                    body = b""
                    async for piece in answer.content.iter_any():
                        request.sink.write(piece)
                headers = tuple((key, value) for key, value in answer.headers.items())
        except aiohttp.ClientConnectorSSLError:
            place = _place(request)
            raise TlsError(f"{name}: {place} could not prove who it is; nothing was sent.") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise TlsError(f"{name}: {_place(request)} {_doubt(error)}; nothing was sent.") from None
        except aiohttp.ClientHttpProxyError as error:
            place = _place(request)
            raise ConnectFailed(
                f"{name}: the proxy lets nobody to {place} ({error.status}); nothing was sent."
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise ConnectFailed(f"{name}: no connection to {_place(request)}; nothing was sent.") from None
        except TimeoutError:
            raise Timeout(f"{name}: no answer from {_place(request)} in time.") from None
        except _BrokenOff as error:
            raise TransportError(f"{name}: the connection broke ({error}).") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransportError(f"{name}: the connection broke ({type(error).__name__}).") from None
        _log.debug("%s -> %s, %d bytes", name, answer.status, len(body))
        return Response(status=answer.status, headers=headers, body=body)

    async def close(self) -> None:
        """Let go of all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.sleep(0)  # the closed sockets' callbacks want one turn of the loop

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trust = ssl.create_default_context(cafile=self._ca_file) if self._ca_file else True
            self._session = aiohttp.ClientSession(
                connector=_Connector(limit=0, keepalive_timeout=self._timeouts.keep_idle, ssl=trust),
                proxy=self._proxy,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
                middlewares=(_only_once,),
                trust_env=False,
            )
        return self._session


class _Connector(aiohttp.TCPConnector):
    """Uses no connection again on which something has come that nobody asked for."""

    async def connect(self, *wish: Any, **more: Any) -> aiohttp.connector.Connection:
        """Give a connection, kept or new, that says nothing before it is asked."""
        while True:
            connection = await super().connect(*wish, **more)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


class _BrokenOff(aiohttp.ClientError):
    """The connection broke, and nothing but us decides whether to ask again."""


async def _only_once(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Keep aiohttp from asking again by itself: it repeats a GET at once, and doubles what a server in trouble gets."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokenOff(type(error).__name__) from None


async def _read_body(answer: aiohttp.ClientResponse, limit: int, name: str) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > limit:
            raise ProtocolError(f"{name}: the answer is larger than {limit:,} bytes.")
    return bytes(body)


def _payload(body: bytes | tuple[bytes, ...]) -> bytes | None:
    whole = body if isinstance(body, bytes) else b"".join(body)
    return whole or None


def _doubt(error: aiohttp.ClientConnectorCertificateError) -> str:
    """Say what is wrong with a certificate; for another name's, OpenSSL says whose name it lacks."""
    cause = error.certificate_error
    reason = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else "not accepted"
    return f"shows a certificate that cannot be trusted ({reason.rstrip('.')})"


def _place(request: Request) -> str:
    url = yarl.URL(request.url, encoded=True)
    return f"{url.host}:{url.port}"
