"""Servers that send exactly the bytes of a test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

from webwx.protocol.http import Request

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Talk = Callable[["Caller"], Awaitable[object]]


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Return the bytes of an answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Caller:
    """A connected client, as its server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def receive(self) -> bytes:
        """Read one request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
        return head + await self.reader.readexactly(int(length or 0))

    async def receive_end(self) -> None:
        """Read until the other side closes the connection."""
        with contextlib.suppress(OSError):
            while await self.reader.read(65536):
                pass

    async def say(self, words: bytes) -> None:
        """Write bytes, if the other side still reads."""
        if self.writer.is_closing():  # uvloop has its own error for this.
            raise ConnectionResetError
        self.writer.write(words)
        await self.writer.drain()


class Server:
    """Stores the requests that it reads."""

    def __init__(self, talk: Talk) -> None:
        self.received: list[bytes] = []
        """Requests in the order of their arrival."""
        self.callers = 0
        self.gone = 0
        """Number of connections that are closed, by either side."""
        self.port = 0
        self._talk = talk
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.callers += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._talk(Caller(reader, writer))
        finally:
            writer.close()
            self._tasks.discard(task)
        async with self._changed:
            self.gone += 1
            self._changed.notify_all()

    async def until_gone(self, count: int = 1) -> None:
        """Wait until this many connections are closed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.gone >= count)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def request(
        self,
        method: str = "GET",
        path: str = "/",
        body: bytes | tuple[bytes, ...] = b"",
        *,
        tls: bool = False,
        **more: Any,
    ) -> Request:
        url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}{path}"
        return Request(endpoint="webwxsync", method=method, url=url, body=body, **more)


@contextlib.asynccontextmanager
async def serving(talk: bytes | Talk, tls: ssl.SSLContext | None = None, *, port: int = 0) -> AsyncIterator[Server]:
    """
    Run a server on this machine.

    Args:
        talk: What it does with each client; bytes are sent after each request.
        tls: Its TLS context.
        port: Its port; 0 is any free port.
    """

    async def say_the_same(caller: Caller) -> None:
        while True:
            server.received.append(await caller.receive())
            await caller.say(said)

    said = talk if isinstance(talk, bytes) else b""
    server = Server(say_the_same if isinstance(talk, bytes) else talk)
    listening = await asyncio.start_server(server.meet, "127.0.0.1", port, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await server.close()


@contextlib.contextmanager
def silent_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Return a port where connections are neither accepted nor refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as opened:
        listening = opened.enter_context(socket.create_server((host, 0), family=family, backlog=0))
        port = listening.getsockname()[1]
        for _ in range(4):
            waiting = opened.enter_context(socket.socket(family))
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield port
