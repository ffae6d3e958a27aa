from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from tests.client.virtual_loop import VirtualClockLoop, on_virtual_clock
from tests.tcp_server import tcp_server

from webwx.errors import ConnectFailed, Timeout, TransportError
from webwx.gateway.outgoing.addresses import AddressRefused
from webwx.gateway.outgoing.outgoing import MAX_ANSWER, OutgoingClient, checked_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class HookServer:
    """An HTTP server that gives every request the same answer."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        self.requests: list[bytes] = []
        self.connections = 0
        self.keeps_open = False
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            await self._answer(reader, writer)
            while self.keeps_open:
                await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()


@pytest.fixture
async def server() -> AsyncIterator[HookServer]:
    hooks = HookServer()
    async with tcp_server(hooks.serve) as hooks.port:
        yield hooks


async def test_a_request_reaches_a_private_server_on_request_with_its_own_host_header(server: HookServer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        assert host == "hooks.example"
        return ["127.0.0.1"]

    async with OutgoingClient(resolve) as client:
        answer = await client.post(
            f"http://hooks.example:{server.port}/in?x=1", b"{}", {"X-Test": "1"}, allow_private=True
        )
    assert (answer.status, answer.body) == (200, b"ok")
    [request] = server.requests
    assert request.startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    assert f"Host: hooks.example:{server.port}".encode() in request
    assert request.endswith(b"\r\n\r\n{}")


async def test_a_name_with_a_private_address_is_refused_before_a_connection(server: HookServer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["1.1.1.1", "127.0.0.1"]

    async with OutgoingClient(resolve) as client:
        with pytest.raises(AddressRefused, match="private network"):
            await client.post(f"http://rebinding.example:{server.port}/", b"", {})
    assert not server.requests


@pytest.mark.parametrize(
    "host", ["①②⑦.0.0.1", "127。0。0。1", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "127.1"]
)
async def test_no_spelling_of_this_machine_is_connected_to(server: HookServer, host: str) -> None:
    async with OutgoingClient() as client:
        url = f"http://{host}:{server.port}/"
        with pytest.raises(AddressRefused):
            await client.post(url, b"", {})
        with pytest.raises(AddressRefused):
            await anext(client.fetch(url))
    assert server.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fec0::1", "fe80::1", "::ffff:127.0.0.1"])
def test_no_socket_is_made_for_an_address_of_this_machine_or_network(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(OSError, match=r"private network|cannot belong"):
        checked_socket((family, socket.SOCK_STREAM, 0, "", (address, 80)), allow_private=False)


def test_a_socket_is_made_for_a_public_address_and_on_request_for_a_private_one() -> None:
    for address, allow_private in (("1.1.1.1", False), ("127.0.0.1", True)):
        made = checked_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 80)), allow_private=allow_private)
        with made:
            assert (made.family, made.type) == (socket.AF_INET, socket.SOCK_STREAM)


async def test_an_internationalised_name_is_resolved_in_its_ascii_form(server: HookServer) -> None:
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with OutgoingClient(resolve) as client:
        answer = await client.post(f"http://bücher.example:{server.port}/", b"", {}, allow_private=True)
    assert (answer.status, asked) == (200, ["xn--bcher-kva.example"])
    assert f"Host: xn--bcher-kva.example:{server.port}".encode() in server.requests[0]


async def test_a_name_that_changes_its_address_is_resolved_and_checked_for_each_connection(server: HookServer) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async with OutgoingClient(resolve) as client:
        url = f"http://rebinding.example:{server.port}/"
        assert (await client.post(url, b"", {}, allow_private=True)).status == 200
        with pytest.raises(AddressRefused):
            await client.post(url, b"", {}, allow_private=True)
    assert len(server.requests) == 1


async def test_a_redirect_is_not_followed(server: HookServer) -> None:
    server.answer = (
        f"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:{server.port}/x\r\nContent-Length: 0\r\n\r\n".encode()
    )
    async with OutgoingClient() as client:
        answer = await client.post(f"http://127.0.0.1:{server.port}/", b"", {}, allow_private=True)
    assert answer.status == 307
    assert len(server.requests) == 1


async def test_an_answer_is_read_up_to_a_limit(server: HookServer) -> None:
    server.answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    async with OutgoingClient() as client:
        answer = await client.post(f"http://127.0.0.1:{server.port}/", b"", {}, allow_private=True)
    assert (answer.status, answer.retry_after, len(answer.body)) == (429, "7", MAX_ANSWER)


async def test_a_proxy_of_the_environment_is_not_used(server: HookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with OutgoingClient() as client:
        answer = await client.post(f"http://127.0.0.1:{server.port}/", b"", {}, allow_private=True)
    assert answer.status == 200


async def test_an_unreachable_server_is_an_error_in_one_sentence() -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    async with OutgoingClient() as client:
        with pytest.raises(ConnectFailed, match="cannot be reached"):
            await client.post(f"http://127.0.0.1:{port}/secret", b"", {}, allow_private=True)


async def nowhere(host: str, port: int) -> list[str]:
    """Find the address of a name without end."""
    return [str(await asyncio.get_running_loop().create_future())]


@on_virtual_clock
async def test_a_name_that_is_not_found_in_ten_seconds_is_given_up() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with OutgoingClient(nowhere) as client:
        with pytest.raises(Timeout, match="no connection within 10 seconds"):
            await client.post("http://hooks.example/", b"", {})
    assert loop.time() - begun == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(("is_file", "seconds"), [(False, 15), (True, 30)])
@on_virtual_clock
async def test_a_server_that_does_not_answer_is_given_up(is_file: bool, seconds: int) -> None:
    loop = asyncio.get_running_loop()
    async with silent_server() as (url, _), OutgoingClient() as client:
        begun = loop.time()
        request = (
            anext(client.fetch(url, allow_private=True)) if is_file else client.post(url, b"", {}, allow_private=True)
        )
        with pytest.raises(Timeout, match=f"within {seconds} seconds"):
            await request
        assert loop.time() - begun == pytest.approx(seconds, abs=0.5)


@on_virtual_clock
async def test_an_answer_that_a_blocked_loop_has_delayed_is_not_late() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(5)
        assert isinstance(loop, VirtualClockLoop)
        loop.jump(60)  # a handler of a bot blocks it
        await asyncio.sleep(5)
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    async with tcp_server(talk) as port, OutgoingClient() as client:
        assert (await client.post(f"http://127.0.0.1:{port}/", b"", {}, allow_private=True)).status == 204


@on_virtual_clock
async def test_a_hundred_connections_are_open_at_once() -> None:
    async with silent_server() as (url, connections), OutgoingClient() as client:
        posts = [asyncio.ensure_future(client.post(url, b"", {}, allow_private=True)) for _ in range(110)]
        await asyncio.sleep(5)
        assert len(connections) == 100
        for post in posts:
            post.cancel()
        await asyncio.wait(posts)


@contextlib.asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Accept connections and never answer; yield the address and the connections."""
    connections: list[asyncio.StreamWriter] = []

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await asyncio.Event().wait()

    async with tcp_server(wait) as port:
        yield f"http://127.0.0.1:{port}/", connections


async def test_no_cookie_of_a_server_is_stored(server: HookServer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    server.answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with OutgoingClient(resolve) as client:
        for _ in range(2):
            await client.post(f"http://hooks.example:{server.port}/", b"", {}, allow_private=True)
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_an_open_connection_to_a_private_server_is_not_used_without_permission(server: HookServer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    server.answer, server.keeps_open = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True
    async with OutgoingClient(resolve) as client:
        url = f"http://hooks.example:{server.port}/"
        for _ in range(2):
            await client.post(url, b"", {}, allow_private=True)
        assert server.connections == 1
        with pytest.raises(AddressRefused):
            await client.post(url, b"", {})
    assert len(server.requests) == 2


async def test_a_truncated_answer_is_an_error_without_the_url(server: HookServer) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab"
    async with OutgoingClient() as client:
        with pytest.raises(TransportError, match="no complete answer") as failed:
            await client.post(f"http://127.0.0.1:{server.port}/secret", b"", {}, allow_private=True)
    assert "secret" not in str(failed.value)


async def test_a_file_is_fetched_in_pieces_without_a_redirect(server: HookServer) -> None:
    async with OutgoingClient() as client:
        url = f"http://127.0.0.1:{server.port}/a"
        server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
        pieces = [len(piece) async for piece in client.fetch(url, allow_private=True)]
        assert (sum(pieces), len(pieces) > 1) == (300_000, True)
        server.answer = b"HTTP/1.1 302 Go\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        with pytest.raises(TransportError, match="status 302"):
            _ = [piece async for piece in client.fetch(url, allow_private=True)]
        server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\nhalf"
        with pytest.raises(TransportError, match="no complete answer"):
            _ = [piece async for piece in client.fetch(url, allow_private=True)]
        with pytest.raises(AddressRefused):
            _ = [piece async for piece in client.fetch(url)]
    assert len(server.requests) == 3
