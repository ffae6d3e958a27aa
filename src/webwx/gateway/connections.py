"""
Connections of HTTP with limits that uvicorn does not have: the size of a header, and the time for a request.

A client that sends its header byte by byte, or stops in the middle of a body, would hold a connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import uvicorn
    from uvicorn.server import ServerState

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class LimitedConnection(HttpToolsProtocol):
    """
    A connection that is closed when a header is too large, or a request too slow.

    Args:
        config: The server's configuration.
        server_state: State of the server.
        app_state: State of the application.
        header: Bytes of a header at most.
        patience: Seconds for a header, and between two pieces of a body.
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
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._header = header
        self._patience = patience
        self._received = 0
        """Bytes that were received of the present header."""
        self._is_in_header = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        """Begin to wait for the first header."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived; close the connection if the header is too large."""
        if self._is_in_header:
            self._received += len(data)
        super().data_received(data)
        if self._is_in_header and self._received > self._header and not self.transport.is_closing():
            self._close_with(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin to wait for a header."""
        super().on_message_begin()
        self._is_in_header = True
        self._wait()

    def on_headers_complete(self) -> None:
        """Begin to wait for a body."""
        self._is_in_header = False
        self._received = 0
        self._wait()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Begin to wait for the next piece."""
        self._wait()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting, because the request is complete."""
        self._stop_waiting()
        super().on_message_complete()

    def _wait(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(self._patience, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self.flow.read_paused:  # the application is slow, and not the client
            self._wait()
        elif not self.transport.is_closing():
            self._close_with(_TOO_SLOW if self._received else b"")

    def _close_with(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()
