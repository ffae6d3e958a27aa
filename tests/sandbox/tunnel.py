"""The client's side of TLS without a socket, so that a test decides which bytes are in one write."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Tunnel:
    """TLS inside a stream that CONNECT has opened."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, *, ca: Path | None = None
    ) -> None:
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=ca)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    async def greet(self, *, first_words: bytes = b"") -> None:
        """Perform the handshake; the first bytes of text leave in the same write as its end."""
        await self._patiently(self._tls.do_handshake)
        await self.say(first_words)

    async def say(self, words: bytes) -> None:
        self._tls.write(words)
        await self._flush()

    async def receive(self, until: bytes) -> bytes:
        """Read until a text has arrived."""
        received = b""
        while until not in received:
            received += await self._patiently(lambda: self._tls.read(65536))
        return received

    async def _patiently(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._flush()
                piece = await self._reader.read(65536)
                if not piece:
                    raise ConnectionResetError from None
                self._incoming.write(piece)

    async def _flush(self) -> None:
        self._writer.write(self._outgoing.read())
        await self._writer.drain()
