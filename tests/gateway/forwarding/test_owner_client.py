"""Connections to other nodes: which are reused, and that nothing is sent twice or followed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from tests.tcp_server import tcp_server

from webwx.errors import ConnectFailed, TransportError
from webwx.gateway.forwarding.owner_client import OwnerClient, UpgradeRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A server that sends scripted bytes after each head, or closes the connection; it counts its connections."""

    def __init__(self, *answers: bytes) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self.url = ""
        self._answers = list(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self._answers:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self._answers.pop(0)
                if not answer:
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def talking_to(*answers: bytes) -> AsyncIterator[tuple[OwnerClient, Server]]:
    """Yield a client and a server that sends the answers."""
    server, client = Server(*answers), OwnerClient()
    async with tcp_server(server.serve) as port:
        server.url = f"http://127.0.0.1:{port}/a"
        try:
            yield client, server
        finally:
            await client.close()


async def answer_of(client: OwnerClient, server: Server, method: str = "GET", *, is_safe: bool = True) -> bytes:
    async with client.request(method, server.url, [("X-A", "1")], None, is_safe=is_safe) as answer:
        return b"".join([piece async for piece in answer.pieces()])


async def test_reads_share_a_connection_and_changes_have_their_own() -> None:
    async with talking_to(OK, OK, OK, OK) as (client, server):
        for _ in range(2):
            assert await answer_of(client, server) == b"ok"
        assert server.connections == 1
        for _ in range(2):
            assert await answer_of(client, server, "DELETE", is_safe=False) == b"ok"
        assert server.connections == 3


async def test_no_header_is_added_to_those_of_the_caller() -> None:
    async with talking_to(OK) as (client, server):
        await answer_of(client, server)
        names = {line.partition(b":")[0].lower() for line in server.heads[0].split(b"\r\n")[1:-2]}
    assert names == {b"host", b"x-a"}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_a_lost_request_is_not_repeated(method: str) -> None:
    async with talking_to(b"", OK) as (client, server):
        with pytest.raises(TransportError):
            await answer_of(client, server, method)
    assert len(server.heads) == 1


async def test_a_redirect_is_an_answer() -> None:
    async with (
        talking_to(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n") as (client, server),
        client.request("GET", server.url, [], None, is_safe=True) as answer,
    ):
        assert answer.status == 302
    assert len(server.heads) == 1


async def test_a_node_that_is_down_gets_nothing() -> None:
    async with talking_to(OK) as (client, server):
        pass
    client = OwnerClient()
    with pytest.raises(ConnectFailed):
        await answer_of(client, server)
    await client.close()


async def test_a_refused_upgrade_has_its_status() -> None:
    async with talking_to(b"HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n") as (client, server):
        with pytest.raises(UpgradeRefused) as refused:
            async with client.socket(server.url, []):
                pass
    assert refused.value.status == 421
