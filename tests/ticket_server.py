"""A server over real HTTP that confirms every login and returns the given bytes as the ticket."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from webwx.protocol.login import JSLOGIN, LOGIN_POLL, TICKET, PollReply, QrReply

if TYPE_CHECKING:
    from collections.abc import Iterator


class TicketServer(ThreadingHTTPServer):
    """Confirms every login at once."""

    ticket = b""
    """The body of the answer to the ticket exchange."""
    encoding = ""
    """The `Content-Encoding` of that answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _TicketHandler)

    @property
    def url(self) -> str:
        """The origin of the server."""
        return f"http://127.0.0.1:{self.server_port}"


class _TicketHandler(BaseHTTPRequestHandler):
    server: TicketServer

    def do_GET(self) -> None:
        body, encoding = self.server.ticket, self.server.encoding
        path = self.path.partition("?")[0]
        if path == JSLOGIN.path:
            body, encoding = JSLOGIN.encode_reply(QrReply(code=200, uuid="Qa1Zw2Sx3E==")).body, ""
        elif path == LOGIN_POLL.path:
            redirect = f"{self.server.url}{TICKET.path}?ticket=A@qrticket_0&uuid=Qa1Zw2Sx3E==&scan=1"
            body, encoding = LOGIN_POLL.encode_reply(PollReply(code=200, redirect_uri=redirect)).body, ""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log no request."""


@contextlib.contextmanager
def ticket_server() -> Iterator[TicketServer]:
    """Start the server on a free port of this machine."""
    with TicketServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
