"""The gateway with its own certificate, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import httpx
import pytest
import trustme
import uvloop
from tests.client.virtual_loop import on_virtual_clock

from webwx.gateway.config import GatewayConfig, LimitsTable, ListenTable, TlsTable
from webwx.gateway.console import FILES
from webwx.gateway.serve import listen, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway


class Served(NamedTuple):
    """A gateway that listens with TLS."""

    running: Running
    url: str
    address: tuple[str, int]
    trust: ssl.SSLContext
    """Trusts the certificate of the gateway."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextlib.asynccontextmanager
async def served_with_tls(
    start_gateway: StartGateway,
    authority: trustme.CA,
    folder: Path,
    patience: float = 15.0,
    connections: int = 1000,
) -> AsyncIterator[Served]:
    """Serve a gateway with a certificate."""
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    tls = TlsTable(certificate=str(chain), key=str(key))
    config = GatewayConfig(
        listen=ListenTable(port=0), tls=tls, limits=LimitsTable(patience=patience, connections=connections)
    )
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    ready = asyncio.Event()
    async with start_gateway(config) as running:
        listener = listen(config)
        address = listener.socket.getsockname()
        server = asyncio.ensure_future(serve(running.gateway, listener, ready.set))
        await ready.wait()
        yield Served(running, listener.url, address, trust)
        server.cancel()
        await asyncio.wait([server])


def _connector(served: Served) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=served.trust)


async def test_requests_over_tls_are_answered(
    start_gateway: StartGateway, authority: trustme.CA, tmp_path: Path
) -> None:
    async with served_with_tls(start_gateway, authority, tmp_path) as served:
        headers = {"Authorization": f"Bearer {await served.running.key('admin')}"}
        async with httpx.AsyncClient(base_url=served.url, headers=headers, verify=served.trust) as client:
            assert (await client.get("/healthz")).text == "ok"
            assert (await client.get("/console/conversation.js")).content == FILES["conversation.js"].read_bytes()
            assert (await client.get("/api/v1/accounts")).status_code == 200
            assert (await client.post("/api/v1/keys", content=b"{" * 100_000)).status_code == 400


async def test_a_websocket_over_tls_gets_events(
    start_gateway: StartGateway, authority: trustme.CA, tmp_path: Path
) -> None:
    async with served_with_tls(start_gateway, authority, tmp_path) as served:
        await served.running.log_in()
        headers = {"Authorization": f"Bearer {await served.running.key('events')}"}
        async with (
            aiohttp.ClientSession(served.url, headers=headers, connector=_connector(served)) as client,
            client.ws_connect("/api/v1/events/ws") as socket,
        ):
            await socket.send_json({"op": "hello", "types": ["message.text"]})
            assert (await socket.receive_json())["op"] == "ready"
            served.running.world.say("ahua", "me", "hello")
            assert (await socket.receive_json())["event"]["data"]["text"] == "hello"


@on_virtual_clock
async def test_a_client_that_does_not_read_its_answers_over_tls_is_disconnected(
    start_gateway: StartGateway, authority: trustme.CA, tmp_path: Path
) -> None:
    async with served_with_tls(start_gateway, authority, tmp_path, patience=1) as served:
        reader, writer = await asyncio.open_connection(*served.address, ssl=served.trust, limit=4096)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while not reader.at_eof():
                writer.write(b"GET /console/conversation.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100)
                await asyncio.sleep(0.1)
                await writer.drain()
        writer.transport.abort()


@on_virtual_clock
async def test_a_handshake_that_stalls_is_counted_and_ended(
    start_gateway: StartGateway, authority: trustme.CA, tmp_path: Path
) -> None:
    async with served_with_tls(start_gateway, authority, tmp_path, patience=5, connections=10) as served:
        held = [await asyncio.open_connection(*served.address) for _ in range(50)]
        for reader, _ in held[:45]:  # above the share of the address
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        assert not any(reader.at_eof() for reader, _ in held[45:])
        async with httpx.AsyncClient(base_url=served.url, verify=served.trust) as client:
            assert (await client.get("/healthz")).text == "ok"
        for reader, writer in held:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()


async def test_the_gateway_ends_while_a_handshake_stalls(
    start_gateway: StartGateway, authority: trustme.CA, tmp_path: Path
) -> None:
    async with served_with_tls(start_gateway, authority, tmp_path, patience=1000) as served:
        reader, writer = await asyncio.open_connection(*served.address)
        writer.write(b"\x16")
        await asyncio.sleep(0)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()


async def test_bytes_that_are_not_tls_close_the_connection(
    start_gateway: StartGateway, authority: trustme.CA, tmp_path: Path
) -> None:
    async with served_with_tls(start_gateway, authority, tmp_path) as served:
        reader, writer = await asyncio.open_connection(*served.address)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in await reader.read()
        writer.close()


def _connect_and_reset(address: tuple[str, int], sent: bytes) -> None:
    """End a connection as the checks of load balancers do."""
    with socket.create_connection(address) as client:
        client.sendall(sent)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("new_event_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_connections_that_end_before_their_handshake_are_counted_no_longer(
    start_gateway: StartGateway,
    authority: trustme.CA,
    tmp_path: Path,
    new_event_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def end_often() -> None:
        async with served_with_tls(start_gateway, authority, tmp_path, patience=2, connections=10) as served:
            for _ in range(40):
                for sent in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
                    _connect_and_reset(served.address, sent)
                await asyncio.sleep(0)
            async with asyncio.timeout(60), aiohttp.ClientSession(connector=_connector(served)) as client:
                while True:  # at most for the patience of the gateway
                    with contextlib.suppress(aiohttp.ClientError):
                        async with client.get(f"{served.url}/healthz") as answer:
                            if answer.status == 200:
                                break
                    await asyncio.sleep(0.05)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(end_often())


def test_the_first_bytes_of_a_client_are_never_lost(
    start_gateway: StartGateway, authority: trustme.CA, tmp_path: Path
) -> None:
    """With uvloop, which serves the gateway, they can arrive before a task has begun the handshake."""

    async def connect_often() -> None:
        async with served_with_tls(start_gateway, authority, tmp_path) as served:
            for _ in range(40):
                async with asyncio.timeout(10):
                    reader, writer = await asyncio.open_connection(*served.address, ssl=served.trust)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                assert (await reader.read()).endswith(b"ok")
                writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(connect_often())
