"""
The CONNECT proxy: one loopback port that speaks plain HTTP, and is a proxy to the platform's host names.

It accepts `CONNECT wx.qq.com:443` like any proxy, but connects to nothing: the same server answers the bytes that
follow, over TLS. Every other name is refused, so nothing leaves this machine. A client needs only the address of a
proxy and a certificate to trust; no privileges, no port 443, no hosts file.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

from webwx.sandbox.hosts import SERVED_HOSTS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_METHOD = b"CONNECT "
_LONGEST_HEAD = 16 * 1024
HEAD_SECONDS = 10.0
"""Seconds from its first byte in which the head of a request, or a TLS handshake, must be complete."""

_TARGET = re.compile(rb"CONNECT ([^ \r\n:]+):(\d+) HTTP/1\.[01]\r\n")


class AcceptedConnection(asyncio.Protocol):
    """
    One connection until its protocol is known; then the HTTP server takes over.

    Args:
        server: Creates the protocol that answers HTTP.
        context: TLS context of the server's side.
        callers: Set that holds this connection until another object refers to it.
    """

    def __init__(
        self, server: Callable[[], asyncio.Protocol], context: ssl.SSLContext, callers: set[AcceptedConnection]
    ) -> None:
        self._server = server
        self._context = context
        self._callers = callers
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        """Bytes that are received and not parsed yet."""
        self._upgrade: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)  # what a listening socket makes
        self._callers.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Remove the connection of a client that has disconnected."""
        del error
        self._leave()

    def hang_up(self) -> None:
        """Close the connection at once."""
        if self._upgrade:
            self._upgrade.cancel()
        if self._transport:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse the received bytes until it is clear whether this is a tunnel."""
        self._received += data
        if self._upgrade or not self._transport:
            return  # the first bytes inside the tunnel may arrive before the end of the handshake is reported
        if not self._received.startswith(_METHOD[: len(self._received)]):
            self._hand_over(self._transport)
        elif b"\r\n\r\n" in self._received:
            self._answer_connect(self._transport)
        elif len(self._received) > _LONGEST_HEAD:
            self._refuse(self._transport, b"431 Request Header Fields Too Large")
        elif self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._transport.close)

    def _answer_connect(self, transport: asyncio.Transport) -> None:
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        target = _TARGET.match(head + b"\r\n")
        if not target:
            self._refuse(transport, b"400 Bad Request")
        elif target[1].decode("latin-1").lower() not in SERVED_HOSTS or target[2] != b"443":
            self._refuse(transport, b"403 Forbidden")
        elif rest:
            # A client sends nothing before the proxy has agreed, and TLS cannot take over bytes already read.
            self._refuse(transport, b"400 Bad Request")
        else:
            self._disarm()
            self._received.clear()
            transport.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            self._upgrade = asyncio.ensure_future(self._secure(transport))

    async def _secure(self, transport: asyncio.Transport) -> None:
        try:
            tunnel = await asyncio.get_running_loop().start_tls(
                transport, self, self._context, server_side=True, ssl_handshake_timeout=HEAD_SECONDS
            )
        except OSError:  # TLS errors are ones too: the other side hung up, or does not trust us
            transport.abort()
            return
        if tunnel and not tunnel.is_closing():
            self._hand_over(tunnel)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        self._leave()
        server = self._server()
        transport.set_protocol(server)
        server.connection_made(transport)
        if self._received:
            server.data_received(bytes(self._received))

    def _leave(self) -> None:
        self._disarm()
        self._callers.discard(self)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, transport: asyncio.Transport, status: bytes) -> None:
        transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


class ConnectProxy:
    """A listening proxy."""

    def __init__(self, listening: asyncio.Server, callers: set[AcceptedConnection]) -> None:
        self._listening = listening
        self._callers = callers
        self.port: int = listening.sockets[0].getsockname()[1]
        """Port that it listens on."""

    def close(self) -> None:
        """Stop listening, and close the connections that have not sent a request."""
        self._listening.close()
        for caller in tuple(self._callers):
            caller.hang_up()


async def open_connect_proxy(
    server: Callable[[], asyncio.Protocol], context: ssl.SSLContext, host: str, port: int
) -> ConnectProxy:
    """
    Listen on a loopback address.

    Args:
        server: Creates the protocol that answers HTTP, plain and inside tunnels.
        context: TLS context of the server's side.
        host: A loopback address.
        port: 0 uses any free port.

    Raises:
        OSError: The port is in use.
    """
    callers: set[AcceptedConnection] = set()
    listening = await asyncio.get_running_loop().create_server(
        lambda: AcceptedConnection(server, context, callers), host, port
    )
    return ConnectProxy(listening, callers)
