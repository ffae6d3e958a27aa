"""A minimal HTTP client: it sends bytes and returns the received bytes and how the connection ended."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from tests.client.virtual_loop import VirtualClockLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from webwx.protocol.http import Request

T = TypeVar("T")


class ReceivedAnswer(NamedTuple):
    """The received bytes and the state of the connection."""

    said: bytes
    end: str
    """State of the connection: `kept`, `closed`, `reset` or `refused`."""

    @property
    def status(self) -> str:
        return self.said.partition(b"\r\n")[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        lines = self.said.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def body(self) -> bytes:
        return self.said.partition(b"\r\n\r\n")[2]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def raw_request(request: Request) -> bytes:
    """Return a request as bytes of HTTP."""
    parts = urlsplit(request.url)
    headers = (("Host", parts.netloc), *request.headers, ("Content-Length", str(len(request.content))))
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = f"{request.method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
    return head.encode() + b"\r\n" + request.content


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: Request | bytes, *, patience: float = 1.0) -> ReceivedAnswer:
        """Send bytes, and read for some time or until the connection ends."""
        said = b""
        try:
            self._writer.write(request if isinstance(request, bytes) else raw_request(request))
            async with asyncio.timeout(patience):
                while piece := await self._reader.read(1 << 20):
                    said += piece
            return ReceivedAnswer(said, "closed")
        except TimeoutError:
            return ReceivedAnswer(said, "kept")
        except ConnectionError:
            return ReceivedAnswer(said, "reset")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Line]:
    """Open a connection; yields it and closes it afterwards."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def ask(url: str, request: Request | bytes, *, patience: float = 1.0) -> ReceivedAnswer:
    """Send one request on its own connection."""
    try:
        async with connected(url) as line:
            return await line.ask(request, patience=patience)
    except ConnectionRefusedError:
        return ReceivedAnswer(b"", "refused")
    except ConnectionError:
        return ReceivedAnswer(b"", "reset")


def at_once(work: Callable[[], Awaitable[T]]) -> T:
    """Run an async function on a loop whose clock jumps to the next timer instead of waiting."""

    async def run() -> T:
        done = await work()
        await asyncio.sleep(1)  # Run once more, so that the other ends see that our sockets are closed.
        return done

    with asyncio.Runner(loop_factory=lambda: VirtualClockLoop(grace=0.003)) as runner:
        return runner.run(run())
