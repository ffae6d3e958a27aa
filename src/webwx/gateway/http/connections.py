"""
HTTP connections with limits that uvicorn does not have: on their number, the size of a header, and times.

A client that sends its header byte by byte, stops in the middle of a body, or never reads its answer would hold a
connection for ever.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from webwx.gateway.http.unauthenticated import ADMISSION, ConnectionAdmission

if TYPE_CHECKING:
    from collections.abc import Callable

    import uvicorn
    from uvicorn.server import ServerState

    from webwx.gateway.http.unauthenticated import Share

_SLOWEST_BODY = 1000
"""Minimum average number of bytes per second of a body, after the first seconds."""

_READING = 4
"""How many times longer a client may take for an answer than for a request."""

_MOST_WAITING = 1000
"""Maximum number of requests that wait for the answer to an earlier one of their connection."""

_UPGRADE = b"upgrade"

_SPACES = b" \t"
"""What may stand around the value of a header, and is no part of it (RFC 9110, section 5.5)."""

_END = b"content-length: 0\r\nconnection: close\r\n\r\n"

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _END

_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n" + _END

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _END

_MALFORMED = b"HTTP/1.1 400 Bad Request\r\n" + _END


class Deadline:
    """
    A time by which something has to happen.

    It changes several times in each request, so its timer stays when it is later or cleared, and is set again when it
    has expired too early.

    Args:
        loop: The event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._at: float | None = None
        self._on_expiry: Callable[[], object] = bool
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether something is waited for."""
        return self._at is not None

    def set(self, seconds: float, on_expiry: Callable[[], object]) -> None:
        """Call a function after some seconds; this replaces an earlier time."""
        self._at, self._on_expiry = self._loop.time() + seconds, on_expiry
        if self._timer is None or self._timer.when() > self._at:
            self._start(self._at)

    def clear(self) -> None:
        """Wait for nothing any more."""
        self._at = None

    def close(self) -> None:
        """Wait for nothing any more, and let go of the function."""
        self._at, self._on_expiry = None, bool
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look, at)

    def _look(self, expired: float) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._at > expired:
            self._start(self._at)
        else:
            self._at = None
            self._on_expiry()


class LimitedConnection(HttpToolsProtocol):
    """
    A connection that is closed when there are too many, a header is too large, or the client too slow.

    Args:
        config: The server's configuration.
        server_state: State of the server.
        app_state: State of the application.
        header: Maximum number of bytes of a header, and of everything between two pieces of a body.
        patience: Seconds for a header, between two pieces of a body, and until an upgrade has shown a valid key; four
            times as many to take an answer.
        share: Counts the connections without a key.
        proxy: Address of the proxy whose forwarded addresses are trusted; empty: none.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        header: int,
        patience: float,
        share: Share,
        proxy: str = "",
    ) -> None:
        super().__init__(config, server_state, dict(app_state), _loop)
        self._share = share
        self._proxy = str(ipaddress.ip_address(proxy)) if proxy else None
        self._admission: ConnectionAdmission | None = None
        self._header = header
        self._patience = patience
        self._is_in_head = False
        """Whether the header of a request is not complete."""
        self._unparsed = 0
        """Bytes that were received since the end of a header or of a piece of a body."""
        self._slowest_end = 0.0
        """Time by which the next piece of the body has to arrive to reach the minimum average."""
        self._deadline = Deadline(self.loop)
        self._reader_deadline = Deadline(self.loop)

    def arrive(self, transport: asyncio.Transport) -> ConnectionAdmission:
        """Begin to count the connection; `connection_made` does it unless a TLS handshake comes first."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        admission = ConnectionAdmission(self._share, address, is_proxy=address == self._proxy, end=transport.abort)
        self.app_state[ADMISSION] = self._admission = admission
        return admission

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Begin to wait for the first header, unless there are too many connections."""
        super().connection_made(transport)
        if self._admission is None:
            self.arrive(transport)
        # `pause_writing` as soon as the client does not take a byte. Transports of TLS pause at their limit, the others
        # above it: a limit of 0 would pause the former for ever.
        transport.set_write_buffer_limits(high=0 if transport.get_extra_info("ssl_object") is None else 1)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._close_with(_TOO_MANY)
        else:
            self._wait(self._patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._deadline.close()
        self._reader_deadline.close()
        if self._admission is not None:
            self._admission.close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived; close the connection if it has too much that is not part of a body."""
        self._unparsed += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if len(self.pipeline) > _MOST_WAITING:  # the base class reads on after each answer
            self.transport.close()
        elif self._unparsed > self._header:
            self._close_with(_TOO_LARGE)
        elif not self._deadline.is_set and not self._is_awaited() and self.transport.get_protocol() is self:
            self._wait(self._patience)  # the base class stops waiting for the next request at an empty line

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the protocol of WebSockets, until a deadline unless it shows a valid key."""
        self._deadline.close()
        self._reader_deadline.close()
        assert self._admission is not None  # noqa: S101 - for the type checker: there is a connection
        self._admission.require_within(self._patience)
        super().handle_websocket_upgrade()
        successor = self.transport.get_protocol()
        if isinstance(successor, WebSocketsSansIOProtocol) and not successor.handshake_initiated:
            self.transport.write(_MALFORMED)  # the library understood the header otherwise, and waits for ever
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to wait for a header."""
        self._is_in_head = True
        super().on_message_begin()
        self._wait(self._patience)

    def on_header(self, name: bytes, value: bytes) -> None:
        """
        Store a header, without the spaces after its value, which the parser leaves.

        A trailer is dropped: a proxy checks and replaces headers, and passes trailers on.
        """
        if self._is_in_head:
            super().on_header(name, value.rstrip(_SPACES))

    def on_headers_complete(self) -> None:
        """Begin to wait for a body."""
        self._is_in_head = False
        self._unparsed = 0
        self._slowest_end = self.loop.time() + self._patience
        self._wait(self._patience)
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            return
        if self.parser.get_method() != b"GET" or self.parser.get_http_version() != "1.1" or self._is_awaited():
            # The base class would upgrade any request, and then neither answer nor close the connection. A server may
            # ignore the header. What the base class reads is this same list.
            self.headers[:] = [(name, value) for name, value in self.headers if name != _UPGRADE]
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # the request is answered, but the parser reads nothing more
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Begin to wait for the next piece, unless the request is answered already."""
        self._unparsed = 0
        self._slowest_end += len(body) / _SLOWEST_BODY
        if self._is_awaited():
            self._wait(min(self._patience, self._slowest_end - self.loop.time()))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting, because the request is complete."""
        self._unparsed = 0
        self._deadline.clear()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Begin to wait until the client has read."""
        super().pause_writing()
        self._reader_deadline.set(_READING * self._patience, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting, because the client has read."""
        self._reader_deadline.clear()
        super().resume_writing()

    def _is_awaited(self) -> bool:
        """Return whether the application still has to answer the latest request."""
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        self._deadline.set(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.flow.read_paused:  # the application is slow, not the client
            self._wait(self._patience)
        elif not self.transport.is_closing():
            self._close_with(_TOO_SLOW if self._unparsed else b"")

    def _close_with(self, answer: bytes) -> None:
        if not (self.pipeline or self._is_awaited()):  # it would stand in the middle of another answer
            self.transport.write(answer)
        self.transport.close()


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """
    A WebSocket that is closed when its client does not read.

    Args:
        config: The server's configuration.
        server_state: State of the server.
        app_state: State of the connection, from its `LimitedConnection`.
        patience: A quarter of the seconds that the client has to read.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        patience: float,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._patience = patience
        self._reader_deadline = Deadline(self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection, and stop waiting."""
        cast("ConnectionAdmission", self.app_state[ADMISSION]).close()
        self._reader_deadline.close()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait until the client has read."""
        super().pause_writing()
        self._reader_deadline.set(_READING * self._patience, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting, because the client has read."""
        self._reader_deadline.clear()
        super().resume_writing()
