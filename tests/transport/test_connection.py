"""One connection, with the test as the server."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.transport.lines import answer

from webwx.transport.connection import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.transport.response_parser import ResponseParser


class Pair:
    """A connection and its other end."""

    def __init__(self) -> None:
        self.other, self.line = socket.socketpair()
        self.other.setblocking(False)
        self.line.setblocking(False)
        self.ended = 0
        self.connection = Connection(self.line, self._note)

    def _note(self, connection: Connection) -> None:
        assert connection is self.connection
        self.ended += 1

    async def ask(self, request: tuple[bytes, ...]) -> ResponseParser:
        try:
            return await self.connection.ask(request, 1 << 20)
        except asyncio.CancelledError:
            self.connection.close()
            raise

    async def received(self, size: int = 1 << 20) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.other, size)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    yield pair
    pair.connection.close()
    pair.other.close()


async def test_a_request_is_written_at_once(pair: Pair) -> None:
    asking = asyncio.create_task(pair.ask((b"head", b"tail")))
    await asyncio.sleep(0)
    assert await pair.received() == b"headtail"
    pair.other.send(answer())
    await asking
    assert pair.connection.is_usable()


async def test_a_large_body_is_not_copied(pair: Pair) -> None:
    size, body = 0, bytes(32 << 20)
    tracemalloc.start()
    try:
        asking = asyncio.create_task(pair.ask((b"headmultipart", body, b"tail")))
        while size < len(body) + len(b"headmultiparttail"):
            size += len(await pair.received(1 << 16))
        pair.other.send(answer())
        await asking
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("says", [b"x", b"\r\n", b""], ids=["a byte", "a line's end", "the end"])
async def test_unexpected_bytes_close_the_connection(pair: Pair, says: bytes) -> None:
    if says:
        pair.other.send(says)
    else:
        pair.other.close()
    assert not pair.connection.check()
    assert pair.ended == 1


async def test_an_idle_connection_stays_usable(pair: Pair) -> None:
    assert pair.connection.check()
    assert pair.ended == 0


async def test_a_connection_is_closed_once(pair: Pair) -> None:
    pair.connection.close()
    pair.connection.close()
    pair.connection.expire()
    assert pair.ended == 1
    assert await pair.received() == b""


async def test_a_cancelled_request_ends_once_and_closes_its_connection(pair: Pair) -> None:
    asking = asyncio.create_task(pair.ask((b"head",)))
    assert await pair.received() == b"head"
    pair.other.send(answer())
    asking.cancel()  # It arrives with the answer.
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (pair.connection.is_usable(), pair.ended) == (False, 1)
