"""
A relay between a process and a server, whose connections a test can cut: no byte arrives, and none is refused.

So a process behind it sees what it sees when its network is lost, or when the machine of the server has no power.
`python -m tests.relay PORT HOST PORT` is a relay from a port of 127.0.0.1 to another host until stdin ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self


class Relay:
    """
    A port that is connected to a server, in a thread of its own.

    Args:
        to: The server: a host and a port, or a Unix socket.
        host: The address at which the relay listens.
        port: The port at which it listens; 0 for a free one, which is stored here.
    """

    def __init__(self, to: tuple[str, int] | Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.port = port
        self._to = to
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._is_listening = threading.Event()
        self._is_whole = asyncio.Event()
        self._pipes: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set_result, None)
        self._thread.join()

    def cut(self) -> None:
        """Stop passing bytes on."""
        self._call(self._is_whole.clear)

    def mend(self) -> None:
        """Pass on what was sent meanwhile, and all that follows."""
        self._call(self._is_whole.set)

    def say(self, message: bytes) -> None:
        """Send bytes to all clients, as if the server had sent them."""

        def send() -> None:
            for client in self._clients:
                client.write(message)

        self._call(send)

    def _call(self, change: Callable[[], None]) -> None:
        done = threading.Event()

        def work() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(work)
        assert done.wait(10)

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._is_whole.set()
        self._ended = self._loop.create_future()
        server = await asyncio.start_server(self._accept, self._host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._is_listening.set()
        await self._ended
        server.close()
        for pipe in self._pipes:
            pipe.cancel()
        if self._pipes:
            await asyncio.wait(self._pipes)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        self._clients.add(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._is_whole.wait()
            to = self._to
            further = asyncio.open_connection(*to) if isinstance(to, tuple) else asyncio.open_unix_connection(to)
            other_reader, other_writer = await further
            try:
                await asyncio.gather(self._pass_on(reader, other_writer), self._pass_on(other_reader, writer))
            finally:
                other_writer.close()
        writer.close()
        self._clients.discard(writer)
        self._pipes.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on all bytes; at their end, or if one side is lost, close the other side."""
        try:
            while True:
                piece = await reader.read(65_536)
                await self._is_whole.wait()
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
        finally:
            writer.close()


if __name__ == "__main__":
    with Relay((sys.argv[2], int(sys.argv[3])), port=int(sys.argv[1])):
        print("ready", flush=True)
        sys.stdin.read()
