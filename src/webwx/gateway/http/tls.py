"""TLS of the gateway itself: a handshake is counted and limited like the connection that follows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ssl

    from webwx.gateway.http.connections import LimitedConnection
    from webwx.gateway.http.unauthenticated import ConnectionAdmission


class TlsHandshake(asyncio.Protocol):
    """
    The TLS handshake of a connection, which is counted and limited from its beginning; then the connection takes over.

    Args:
        http: The connection.
        context: Has the certificate.
        patience: Seconds for the handshake.
    """

    def __init__(self, http: LimitedConnection, context: ssl.SSLContext, patience: float) -> None:
        self._http = http
        self._context = context
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._early: list[bytes] = []
        """Data that has arrived before the handshake has begun, and then what was decrypted before its end."""
        self._is_lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a more exact type
        """Begin the handshake, unless there are too many connections."""
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        limit = self._http.limit_concurrency
        if limit is not None and len(self._http.connections) >= limit:
            transport.abort()
            return
        admission = self._http.arrive(transport)
        self._http.connections.add(self)  # type: ignore[arg-type]  # the server calls `shutdown` only
        self._task = self._http.loop.create_task(self._secure(transport, admission))

    def data_received(self, data: bytes) -> None:
        """Keep data for the handshake, or for the connection."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the handshake has failed
        """Note that the connection has ended."""
        self._is_lost = True

    def shutdown(self) -> None:
        """End the connection, because the server stops."""
        if self._transport is not None:
            self._transport.abort()

    async def _secure(self, transport: asyncio.Transport, admission: ConnectionAdmission) -> None:
        secured: asyncio.Transport | None = None
        try:
            async with asyncio.timeout(self._patience):  # a transport that ends at the wrong moment does not report it
                handshake = asyncio.ensure_future(self._shake_hands(transport))
                await asyncio.sleep(0)  # the handshake has begun: its protocol has replaced this one
                self._pass_on(transport.get_protocol())
                secured = await handshake
        except (OSError, RuntimeError):  # refused, too slow, or uvloop has closed the transport
            pass
        finally:
            self._http.connections.discard(self)
        if secured is None or self._is_lost or secured.is_closing():
            transport.abort()
            admission.close()
            return
        secured.set_protocol(self._http)
        self._http.connection_made(secured)
        for data in self._early:
            self._http.data_received(data)

    async def _shake_hands(self, transport: asyncio.Transport) -> asyncio.Transport | None:
        if transport.is_closing():  # a handshake on it would never end
            return None
        return await self._http.loop.start_tls(
            transport, self, self._context, server_side=True, ssl_handshake_timeout=self._patience
        )

    def _pass_on(self, protocol: asyncio.BaseProtocol) -> None:
        """Pass the first bytes of the client to the handshake; uvloop reads them before a task can begin it."""
        if protocol is self:
            return
        early, self._early = b"".join(self._early), []
        buffered = cast("asyncio.BufferedProtocol", protocol)  # TLS of asyncio and of uvloop has this interface
        while early:
            buffer = memoryview(buffered.get_buffer(len(early)))
            size = min(len(buffer), len(early))
            buffer[:size] = early[:size]
            buffered.buffer_updated(size)
            early = early[size:]
