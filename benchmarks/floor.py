"""The floor: one raw TLS socket, and requests that are prepared as bytes."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.case import Run

API = "/cgi-bin/mmwebwx-bin"

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PIECE = 256 * 1024


class Wire:
    """A connection that stays open."""

    def __init__(self, run: Run, context: ssl.SSLContext | None = None) -> None:
        context = context or ssl.create_default_context(cafile=run.ca_file)
        plain = socket.create_connection(("127.0.0.1", run.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1")

    def ask(self, request: bytes) -> bytes:
        """Send a request, and return the body of its answer."""
        self.send(request)
        return self.receive()

    def send(self, request: bytes) -> None:
        """Send a request, or a piece of one."""
        self._socket.sendall(request)

    def receive(self) -> bytes:
        """Return the body of the next response."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """Yield the body of the next response as it arrives."""
        heard = self._socket.recv(_PIECE)
        while (end := heard.find(b"\r\n\r\n")) < 0:
            heard += self._socket.recv(_PIECE)
        found = _LENGTH.search(heard, 0, end)
        assert found
        left = int(found[1]) - (len(heard) - end - 4)
        yield heard[end + 4 :]
        while left > 0:
            piece = self._socket.recv(_PIECE)
            assert piece, "the server has closed the connection"
            left -= len(piece)
            yield piece


def get(call: str) -> bytes:
    """Make a request without a body."""
    return f"GET {API}/{call} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: floor\r\nAccept: */*\r\n\r\n".encode()


def post(call: str, body: bytes | str) -> bytes:
    """Make a request with a body."""
    content = body.encode() if isinstance(body, str) else body
    return post_head(call, len(content)) + content


def post_head(call: str, length: int, kind: str = "application/json; charset=UTF-8") -> bytes:
    """Make the head of a request with a body."""
    return (
        f"POST {API}/{call} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: floor\r\nAccept: */*\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def text_message(number: int) -> bytes:
    """Make the request of a text."""
    client_id = 17_000_000_000_000_000 + number
    return post(
        "webwxsendmsg?pass_ticket=pass",
        '{"BaseRequest":{"Uin":1000000001,"Sid":"sid1000000001","Skey":"@crypt_1000000001","DeviceID":"e123456789012345"},'
        f'"Msg":{{"Type":1,"Content":"message {number}","FromUserName":"@me","ToUserName":"filehelper",'
        f'"LocalID":"{client_id}","ClientMsgId":"{client_id}"}},"Scene":0}}',
    )


def check(position: int) -> bytes:
    """Make the request of a poll."""
    return get(f"synccheck?r=1&skey=@crypt&sid=sid&uin=1&deviceid=e1&synckey=1_{position}%7C2_700000002&_=1")


def fetch(position: int) -> bytes:
    """Make the request that fetches events."""
    return post(
        "webwxsync?sid=sid&skey=@crypt&pass_ticket=pass",
        '{"BaseRequest":{"Uin":1000000001,"Sid":"sid1000000001","Skey":"@crypt","DeviceID":"e123456789012345"},'
        f'"SyncKey":{{"Count":2,"List":[{{"Key":1,"Val":{position}}},{{"Key":2,"Val":700000002}}]}},"rr":-1}}',
    )
