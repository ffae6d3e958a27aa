"""
The reference server: fast, so that it never limits a result, and small, so that its code shows this.

It speaks HTTP/1.1 over TLS on loopback, written by hand on sockets that the loop watches, with answers that are ready
before anybody asks; it runs in a process of its own, on another core than its client where the system allows it. It is
no sandbox: it refuses nothing, checks nothing, and knows only what the cases need.

    python -m benchmarks.server '{"friends": 5000}' build/bench

prints where it is, as a line of JSON, and lives until its stdin ends. Whom to trust for its certificate stands in a
file of that folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from benchmarks.answers import Hold, ResponseParser, Stream, content_of
from benchmarks.case import World
from benchmarks.machine import allow_connections, use_core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

_PIECE = 64 * 1024

_RECORD = 16 * 1024
"""Bytes of the largest TLS record; after a shorter one there is mostly nothing more."""

_READS = 16
"""Times that one connection is read before others get their turn."""

_LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)

_PASSED_OVER = 64 * 1024
"""Bytes of a body beyond which it is an upload, and counted in place of kept."""


class Connection:
    """One client's connection: a TLS socket that the loop watches directly."""

    def __init__(
        self, line: ssl.SSLSocket, answers: ResponseParser, held: dict[Connection, asyncio.TimerHandle]
    ) -> None:
        self._line = line
        self._answers = answers
        self._held = held
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._left = 0
        """Bytes of an upload that are still to come."""
        self._answer = b""
        """What the upload is answered."""
        self._unsent: list[bytes] = []
        self._stream: Iterator[bytes] = iter(())
        self._poll = b""
        """The query of the poll that is held."""
        self._loop.add_reader(line, self._read)

    def _read(self) -> None:
        try:
            for _ in range(_READS):
                data = self._line.recv(_PIECE)
                if not data:
                    raise ConnectionResetError
                self._take(data)
                if len(data) < _RECORD:
                    return
        except _LATER:
            return
        except OSError:
            self._close()

    def _close(self) -> None:
        timer = self._held.pop(self, None)
        if timer is not None:
            timer.cancel()
        if self._line.fileno() >= 0:
            self._loop.remove_reader(self._line)
            self._loop.remove_writer(self._line)
            self._line.close()

    def _take(self, data: bytes) -> None:
        if self._left:
            if len(data) < self._left:
                self._left -= len(data)
                return
            data, self._left = data[self._left :], 0
            self._send(self._answer)
        self._received = self._received + data if self._received else data
        while self._received and self._take_request():
            pass

    def _take_request(self) -> bool:
        """Answer the first received request; return False while it is incomplete."""
        received = self._received
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return False
        begin = received.index(b" ") + 1
        path, _, query = received[begin : received.index(b" ", begin)].partition(b"?")
        make = self._answers.by_name.get(path[path.rfind(b"/") + 1 :])
        found = _LENGTH.search(received, 0, end)
        length = int(found[1]) if found else 0
        have = len(received) - end - 4
        if have < length:
            if length < _PASSED_OVER:
                return False
            answer = make(b"", b"") if make else self._answers.plain
            assert isinstance(answer, bytes)
            self._left, self._answer, self._received = length - have, answer, b""
            return False
        self._received = received[end + 4 + length :]
        answer = make(query, received[end + 4 : end + 4 + length]) if make else self._answers.plain
        if isinstance(answer, Hold):
            self._poll = query
        self._say(answer)
        return True

    def _say(self, answer: bytes | Hold | Stream) -> None:
        match answer:
            case bytes():
                self._send(answer)
            case Hold():
                self._held[self] = self._loop.call_later(answer.seconds, self._end_hold, answer.answer)
            case Stream(head, size):
                self._stream = content_of(size)
                self._send(head)

    def _end_hold(self, answer: bytes) -> None:
        del self._held[self]
        self._send(answer)

    def poll_again(self) -> None:
        """Answer the poll that is held, or hold it on, as if it came now."""
        self._held.pop(self).cancel()
        self._say(self._answers.poll(self._poll))

    def _send(self, answer: bytes) -> None:
        self._unsent.append(answer)
        if len(self._unsent) == 1:
            self._write()

    def _write(self) -> None:
        """Write waiting bytes, and continue when the socket accepts more."""
        unsent = self._unsent
        try:
            while unsent or (block := next(self._stream, b"")):
                if not unsent:
                    unsent.append(block)
                sent = self._line.send(unsent[0])
                if sent < len(unsent[0]):
                    unsent[0] = unsent[0][sent:]
                else:
                    unsent.pop(0)
        except _LATER:
            self._loop.add_writer(self._line, self._write)
        except OSError:
            self._close()
        else:
            self._loop.remove_writer(self._line)


class Doorman:
    """Accepts connections of clients, with a TLS certificate."""

    def __init__(
        self, listening: socket.socket, context: ssl.SSLContext, welcome: Callable[[ssl.SSLSocket], object]
    ) -> None:
        self._listening = listening
        self._context = context
        self._welcome = welcome
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        self._loop.add_reader(listening, self._accept)

    def _accept(self) -> None:
        with contextlib.suppress(*_LATER):
            while True:
                line, _ = self._listening.accept()
                line.setblocking(False)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                secure = self._context.wrap_socket(line, server_side=True, do_handshake_on_connect=False)
                self._loop.add_reader(secure, self._shake_hands, secure)

    def _shake_hands(self, line: ssl.SSLSocket) -> None:
        try:
            line.do_handshake()
        except _LATER:
            return
        except OSError:
            self._loop.remove_reader(line)
            line.close()
            return
        self._loop.remove_reader(line)
        self._welcome(line)


def tls_context(ca_file: Path) -> ssl.SSLContext:
    """Create a certificate, and write the file of the authority to trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


async def serve(world: World, folder: Path) -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    held: dict[Connection, asyncio.TimerHandle] = {}
    ca_file = folder / "ca.pem"
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_000)
    port = listening.getsockname()[1]
    answers = ResponseParser(world, f"https://127.0.0.1:{port}")
    Doorman(listening, tls_context(ca_file), lambda line: Connection(line, answers, held))

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word = await reader.readline()
        for each in list(held) if word == b"release\n" and answers.release() else ():
            each.poll_again()
        if word == b"forget\n":
            answers.pollers.clear()
        state = {"cpu": time.process_time(), "held": len(held), "pollers": len(answers.pollers)}
        writer.write(json.dumps(state).encode() + b"\n")
        writer.close()

    side = await asyncio.start_server(control, "127.0.0.1", 0)
    where = {"port": port, "control": side.sockets[0].getsockname()[1], "ca_file": str(ca_file)}
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)  # connections are the client's to close, and it has gone


def main() -> None:
    """Run it."""
    use_core(0)
    allow_connections()
    work = serve(World(**json.loads(sys.argv[1])), Path(sys.argv[2]))
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


if __name__ == "__main__":
    main()
