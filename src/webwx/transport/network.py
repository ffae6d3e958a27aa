"""
The HTTP library, behind its one door.

One session, one connector, one TLS context. Nothing is redirected, no cookie is kept, no proxy of the environment is
used: a request goes out as it was made, with nothing added but what HTTP itself needs. An idle connection is dropped
after a few seconds, because a POST that meets its closing would leave a send in doubt.
"""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import yarl

from webwx.errors import ConnectFailed, ProtocolError, Timeout, TlsError, TransportError
from webwx.protocol.http import Patience, Request, Response
from webwx.transport.run import Timeouts

_log = logging.getLogger("webwx.transport")

KEEP_IDLE = 4.0
"""Seconds an idle connection may still be used."""

MAX_BODY = {
    Patience.CALL: 16 * 1024 * 1024,
    Patience.POLL: 1024 * 1024,
    Patience.BULK: 64 * 1024 * 1024,
}
"""Bytes of an answer that are still read."""


class Network:
    """A transport over real HTTP."""

    def __init__(self, timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008 - a frozen value
        self._timeouts = timeouts
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
        timeout = aiohttp.ClientTimeout(total=self._timeouts.of(request.patience), sock_connect=self._timeouts.connect)
        try:
            async with self._open().request(
                request.method,
                yarl.URL(request.url, encoded=True),
                headers=request.headers,
                data=_payload(request.body),
                allow_redirects=False,
                timeout=timeout,
            ) as answer:
                body = await _read_body(answer, MAX_BODY[request.patience], name)
                headers = tuple((key, value) for key, value in answer.headers.items())
        except aiohttp.ClientConnectorSSLError:
            raise TlsError(f"{name}: the server could not prove who it is; nothing was sent.") from None
        except aiohttp.ClientConnectorCertificateError:
            raise TlsError(f"{name}: the server's certificate is not valid for it; nothing was sent.") from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise ConnectFailed(f"{name}: no connection to {_place(request)}; nothing was sent.") from None
        except TimeoutError:
            raise Timeout(f"{name}: no answer from {_place(request)} in time.") from None
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
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_IDLE),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
                trust_env=False,
            )
        return self._session


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


def _place(request: Request) -> str:
    url = yarl.URL(request.url, encoded=True)
    return f"{url.host}:{url.port}"
