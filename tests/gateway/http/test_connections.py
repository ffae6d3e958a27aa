"""Limits of connections: their number, large headers, slow requests and readers, and bytes that are not HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
import uvicorn
from tests.client.virtual_loop import on_virtual_clock
from uvicorn.server import ServerState

from webwx.gateway.access.auth import FREE_FAILURES, Caller
from webwx.gateway.config import GatewayConfig, LimitsTable, ListenTable
from webwx.gateway.http.connections import Deadline, LimitedConnection, LimitedWebSocket
from webwx.gateway.http.unauthenticated import Share, admit
from webwx.gateway.receivers.receivers import StoredReceiver
from webwx.gateway.serve import listen, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from litestar.types import Receive, Scope, Send
    from tests.gateway.conftest import Running, StartGateway

GET = b"GET /docs/errors HTTP/1.1\r\nHost: localhost\r\n"


@contextlib.asynccontextmanager
async def address_of(
    start_gateway: StartGateway, limits: LimitsTable, *, behind_proxy: str = ""
) -> AsyncIterator[tuple[str, int]]:
    """Serve a gateway with limits; yield its address."""
    async with served_at(start_gateway, limits, behind_proxy=behind_proxy) as (_, address):
        yield address


@contextlib.asynccontextmanager
async def served_at(
    start_gateway: StartGateway, limits: LimitsTable, *, behind_proxy: str = ""
) -> AsyncIterator[tuple[Running, tuple[str, int]]]:
    """Serve a gateway with limits; yield it with its address."""
    ready = asyncio.Event()
    config = GatewayConfig(listen=ListenTable(port=0, behind_proxy=behind_proxy), limits=limits)
    async with start_gateway(config) as running:
        listener = listen(config)
        address = listener.socket.getsockname()
        server = asyncio.ensure_future(serve(running.gateway, listener, ready.set))
        await ready.wait()
        yield running, address
        server.cancel()
        await asyncio.wait([server])


POST = b"POST /api/v1/console/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
"""The beginning of a request whose body is read without a key."""


async def drip(address: tuple[str, int], start: bytes, piece: bytes) -> None:
    """Send a beginning, and then a piece every 10 ms; the server has to close the connection within a minute."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(start)
    ended = asyncio.ensure_future(reader.read())
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(60):
            while not ended.done():
                writer.write(piece)
                await writer.drain()
                await asyncio.wait([ended], timeout=0.01)
    with contextlib.suppress(ConnectionError):
        await ended
    writer.close()


async def answer_to(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send bytes, and return all that is received until the server closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    for piece in pieces:
        writer.write(piece)
    answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


@on_virtual_clock
async def test_a_header_that_is_too_large_is_refused(start_gateway: StartGateway) -> None:
    async with address_of(start_gateway, LimitsTable(header=2000)) as address:
        large = await answer_to(address, GET + b"X-A: " + b"a" * 3000)
        many = await answer_to(address, GET + b"".join(b"X-%d: 1\r\n" % number for number in range(500)))
        fits = await answer_to(address, GET + b"X-A: " + b"a" * 1000 + b"\r\nConnection: close\r\n\r\n")

    assert large.startswith(b"HTTP/1.1 431")
    assert many.startswith(b"HTTP/1.1 431")
    assert fits.startswith(b"HTTP/1.1 200")


@on_virtual_clock
async def test_a_request_that_stalls_is_ended(start_gateway: StartGateway) -> None:
    post = b"POST /api/v1/notify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc"
    async with address_of(start_gateway, LimitsTable(patience=0.05)) as address:
        assert (await answer_to(address, GET)).startswith(b"HTTP/1.1 408")
        assert await answer_to(address) == b""
        assert b"200 OK" not in await answer_to(address, post)
        assert b"200 OK" not in await answer_to(address, POST + b"Content-Length: 10\r\n\r\n")
        assert (await answer_to(address, GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


@on_virtual_clock
async def test_an_idle_connection_is_closed(start_gateway: StartGateway) -> None:
    async with address_of(start_gateway, LimitsTable(patience=5)) as address:
        begun = asyncio.get_running_loop().time()
        assert (await answer_to(address, GET + b"\r\n")).startswith(b"HTTP/1.1 200")
        assert asyncio.get_running_loop().time() - begun == pytest.approx(5, abs=1)


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 1001\r\n\r\n" + b" " * 1001,
        b"Transfer-Encoding: chunked\r\n\r\n" + 2 * (b"1f5\r\n" + b" " * 501 + b"\r\n") + b"0\r\n\r\n",
    ],
    ids=["announced", "chunked"],
)
async def test_a_body_that_is_too_large_is_refused(start_gateway: StartGateway, body: bytes) -> None:
    async with address_of(start_gateway, LimitsTable(body=1000)) as address:
        assert (await answer_to(address, POST + b"Connection: close\r\n" + body)).startswith(b"HTTP/1.1 413")
        fits = POST + b"Connection: close\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000
        assert (await answer_to(address, fits)).startswith(b"HTTP/1.1 400")  # it is no JSON


@on_virtual_clock
async def test_a_body_that_arrives_byte_by_byte_is_ended(start_gateway: StartGateway) -> None:
    async with address_of(start_gateway, LimitsTable(patience=0.3)) as address:
        await drip(address, POST + b"Content-Length: 1000000\r\n\r\n", b" ")


@on_virtual_clock
async def test_an_unfinished_body_of_an_answered_request_does_not_keep_the_connection(
    start_gateway: StartGateway,
) -> None:
    refused = b"POST /api/v1/notify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n"
    async with address_of(start_gateway, LimitsTable(patience=0.3)) as address:
        await drip(address, refused, b"x" * 1000)


@on_virtual_clock
async def test_a_deadline_is_at_the_latest_time_that_was_set() -> None:
    loop = asyncio.get_running_loop()
    begun, expired = loop.time(), list[tuple[str, float]]()

    def expire(name: str) -> None:
        expired.append((name, loop.time() - begun))

    later, sooner, cleared, closed = (Deadline(loop) for _ in range(4))
    later.set(1, partial(expire, "too early"))
    later.set(3, partial(expire, "later"))
    sooner.set(9, partial(expire, "too late"))
    sooner.set(2, partial(expire, "sooner"))
    for each in (cleared, closed):
        each.set(1, partial(expire, "not at all"))
    cleared.clear()
    closed.close()
    assert (later.is_set, cleared.is_set, closed.is_set) == (True, False, False)
    await asyncio.sleep(5)
    cleared.set(1, partial(expire, "again"))
    await asyncio.sleep(10)

    assert expired == [("sooner", 2.0), ("later", 3.0), ("again", 6.0)]
    assert not later.is_set


async def test_the_deadlines_of_many_requests_need_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    deadline, times, call_at = Deadline(loop), list[float](), loop.call_at

    def counted(when: float, *given: Any, **options: Any) -> asyncio.TimerHandle:
        times.append(when)
        return call_at(when, *given, **options)

    monkeypatch.setattr(loop, "call_at", counted)
    for _ in range(100):
        deadline.set(3600, bool)
        deadline.clear()
    deadline.close()

    assert len(times) == 1


@on_virtual_clock
async def test_a_client_is_not_too_slow_while_the_application_does_not_read() -> None:
    patience, received = 1.0, 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal received
        await asyncio.sleep(100 * patience)
        more = True
        while more:
            message = await receive()
            assert message["type"] == "http.request"
            received, more = received + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    size = 4 * 1024 * 1024
    config = uvicorn.Config(cast("Any", app), lifespan="off", log_config=None)
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: LimitedConnection(config, ServerState(), {}, header=2000, patience=patience, share=Share(1)),
        "127.0.0.1", 0,
    )  # fmt: skip
    async with server:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
        answer = await answer_to(server.sockets[0].getsockname(), head, b" " * size)
    assert answer.startswith(b"HTTP/1.1 200")
    assert received == size


@pytest.mark.parametrize("piece", [b"X-A: 1\r\n", b"aaaa"], ids=["many", "long"])
@on_virtual_clock
async def test_trailers_have_the_same_limit_as_headers(start_gateway: StartGateway, piece: bytes) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n"
    async with address_of(start_gateway, LimitsTable(header=2000)) as address:
        await drip(address, chunked, piece)


@on_virtual_clock
async def test_spaces_around_the_value_of_a_header_are_no_part_of_it(start_gateway: StartGateway) -> None:
    async with served_at(start_gateway, LimitsTable()) as (running, address):
        key = (await running.key()).encode()
        asked = b"GET /api/v1/accounts HTTP/1.1\r\nHost: \tlocalhost \t\r\nConnection: close \r\nAuthorization: \t "
        answer = await answer_to(address, asked + b"Bearer " + key + b" \t \r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")


@on_virtual_clock
async def test_trailers_are_no_headers(start_gateway: StartGateway) -> None:
    """Behind a proxy, which passes trailers on, a client could otherwise forge its address."""
    wrong = (
        b"POST /api/v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer wxk_a_b\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        b"X-Forwarded-For: 198.51.100.%d\r\n\r\n"
    )
    async with address_of(start_gateway, LimitsTable(), behind_proxy="127.0.0.1") as address:
        answers = [await answer_to(address, wrong % number) for number in range(FREE_FAILURES + 1)]

    assert answers[0].startswith(b"HTTP/1.1 401")
    assert answers[-1].startswith(b"HTTP/1.1 429")


@on_virtual_clock
async def test_a_client_that_does_not_read_its_answers_is_disconnected(start_gateway: StartGateway) -> None:
    loop = asyncio.get_running_loop()
    async with address_of(start_gateway, LimitsTable(patience=1)) as address:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # Few answers fill it.
            client.setblocking(False)
            await loop.sock_connect(client, address)
            with contextlib.suppress(ConnectionError):
                while True:
                    await loop.sock_sendall(client, (GET + b"\r\n") * 100)
                    await asyncio.sleep(0.1)


@on_virtual_clock
async def test_connections_above_the_limit_are_refused_at_once_and_then_again_accepted(
    start_gateway: StartGateway,
) -> None:
    async with address_of(start_gateway, LimitsTable(connections=3)) as address:
        held = [await asyncio.open_connection(*address, local_addr=(f"127.0.0.{n}", 0)) for n in (2, 3)]
        assert (await answer_to(address)).startswith(b"HTTP/1.1 503")
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        assert (await answer_to(address, GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"\r\n" * 100 + b"x\r\n\r\n",
    ],
)
@on_virtual_clock
async def test_a_malformed_request_is_refused_and_the_next_one_answered(
    start_gateway: StartGateway, garbage: bytes
) -> None:
    async with address_of(start_gateway, LimitsTable(patience=0.2)) as address:
        assert b"200 OK" not in await answer_to(address, garbage)
        assert (await answer_to(address, GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


@on_virtual_clock
async def test_pipelined_requests_are_answered_in_order(start_gateway: StartGateway) -> None:
    async with address_of(start_gateway, LimitsTable()) as address:
        last = b"GET /docs/errors/forbidden HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = await answer_to(address, (GET + b"\r\n") * 5 + last)

    assert answer.count(b"HTTP/1.1 200") == 6
    assert answer.rindex(b"<h1>forbidden") > answer.rindex(b"<h1>Errors")


# -- without a key -----------------------------------------------------------------------------------------------------

UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize(
    ("request_line", "more", "status"),
    [
        (b"POST /api/v1/keys HTTP/1.1", b"", 401),
        (b"POST /api/v1/keys HTTP/1.1", b"Content-Length: 2\r\n\r\n{}", 401),
        (b"POST /api/v1/keys HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", 401),
        (b"OPTIONS / HTTP/1.1", b"", 401),
        (b"GET /healthz HTTP/1.0", b"", 200),
        (b"GET /api/v1/events/ws HTTP/1.1", b"", 401),
        (b"GET /api/v1/events/ws HTTP/1.1", b"".join(b"X-%d: 1\r\n" % number for number in range(200)), 400),
        (b"GET /api/v1/events/ws HTTP/1.1", b"X-A: " + b"a" * 10_000 + b"\r\n", 400),
        (b"GET /absent HTTP/1.1", b"", 404),
    ],
)
@on_virtual_clock
async def test_an_upgrade_without_a_key_is_answered_and_closed(
    start_gateway: StartGateway, request_line: bytes, more: bytes, status: int
) -> None:
    async with address_of(start_gateway, LimitsTable()) as address, asyncio.timeout(120):
        answer = await answer_to(address, request_line + b"\r\nHost: localhost\r\n" + UPGRADE + more + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 %d" % status)


@on_virtual_clock
async def test_an_upgrade_to_another_protocol_is_answered_without_it_and_closed(start_gateway: StartGateway) -> None:
    h2c = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
    async with address_of(start_gateway, LimitsTable()) as address, asyncio.timeout(120):
        answer = await answer_to(address, GET + h2c + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer


@on_virtual_clock
async def test_an_upgrade_has_a_deadline_until_it_shows_a_key() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/key":
            admit(scope)
        await asyncio.sleep(1000)
        await send({"type": "websocket.close", "code": 1000, "reason": None})

    make_socket = partial(LimitedWebSocket, patience=10)
    config = uvicorn.Config(cast("Any", app), lifespan="off", log_config=None, ws=cast("Any", make_socket))
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: LimitedConnection(config, ServerState(), {}, header=2000, patience=10, share=Share(9)), "127.0.0.1", 0
    )
    seconds = []
    async with server:
        for path in (b"/", b"/key"):
            begun = asyncio.get_running_loop().time()
            with contextlib.suppress(ConnectionError):
                await answer_to(
                    server.sockets[0].getsockname(), b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"\r\n"
                )
            seconds.append(asyncio.get_running_loop().time() - begun)
    assert seconds == [pytest.approx(10, abs=1), pytest.approx(1000, abs=1)]


@on_virtual_clock
async def test_an_empty_line_after_an_answer_does_not_keep_the_connection(start_gateway: StartGateway) -> None:
    async with address_of(start_gateway, LimitsTable(patience=5)) as address, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET + b"\r\n")
        await reader.readuntil(b"</html>")
        writer.write(b"\r\n")
        assert b"200 OK" not in await reader.read()
        writer.close()


async def until_closed(count: int, held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    """Wait until the server has closed exactly the first of these connections."""
    for reader, _ in held[:count]:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    assert not any(reader.at_eof() for reader, _ in held[count:])


async def close_all(held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    for _, writer in held:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@on_virtual_clock
async def test_a_connection_whose_requests_wait_for_too_many_answers_is_closed(start_gateway: StartGateway) -> None:
    async with address_of(start_gateway, LimitsTable()) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3000)
        answers = b""
        with contextlib.suppress(ConnectionError):
            answers = await reader.read()
        assert answers.count(b"HTTP/1.1 200") < 3000
        writer.close()


ADMIN = Caller(id="console", scopes=("admin",), accounts=None, address="127.0.0.1")

WITH_KEY = "GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"


@on_virtual_clock
async def test_connections_without_a_key_use_the_share_of_their_address_only(start_gateway: StartGateway) -> None:
    limits = LimitsTable(connections=10, patience=1000)
    async with served_at(start_gateway, limits) as (running, address):
        with_key = WITH_KEY.format(key=await running.key("read")).encode()
        first, other = (
            await asyncio.open_connection(*address),
            await asyncio.open_connection(*address, local_addr=("127.0.0.2", 0)),
        )
        first[1].write(with_key)
        assert (await first[0].readline()).startswith(b"HTTP/1.1 200")
        held = [await asyncio.open_connection(*address) for _ in range(20)]
        await until_closed(15, held)
        assert (await answer_to(address, GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
        for reader, writer in (first, other):
            writer.write(with_key)
            assert b"200 OK" in await reader.readuntil(b"200 OK")
        await close_all([first, other, *held])


@on_virtual_clock
async def test_connections_with_the_token_of_a_receiver_or_a_link_are_not_in_the_share(
    start_gateway: StartGateway,
) -> None:
    limits = LimitsTable(connections=10, patience=1000)
    async with served_at(start_gateway, limits) as (running, address):
        await running.log_in()
        receiver = StoredReceiver(id="", name="n", kind="json", account=1, digest="", created_at=0)
        token = (await running.gateway.receivers.create(receiver)).token
        link = (await running.gateway.links.create("login_code", ADMIN, 1)).token
        post = f"POST /hooks/json/{token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1".encode()
        with_secret = [post, f"GET /q/{link} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()]
        admitted = [await asyncio.open_connection(*address) for _ in with_secret]
        for (reader, writer), request in zip(admitted, with_secret, strict=True):
            writer.write(request)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        held = [await asyncio.open_connection(*address) for _ in range(20)]
        await until_closed(15, held)
        for (reader, writer), request in zip(admitted, with_secret, strict=True):
            writer.write(request)
            assert b"200 OK" in await reader.readuntil(b"200 OK")
        await close_all([*admitted, *held])


@on_virtual_clock
async def test_behind_a_proxy_each_forwarded_address_has_its_share(start_gateway: StartGateway) -> None:
    def stalled(client: str) -> bytes:
        return POST + f"X-Forwarded-For: {client}\r\nContent-Length: 100\r\n\r\n{{".encode()

    limits = LimitsTable(connections=40, patience=1000)
    async with served_at(start_gateway, limits, behind_proxy="127.0.0.1") as (_, address):
        idle = [await asyncio.open_connection(*address) for _ in range(12)]  # the proxy keeps them for any client
        victim = await asyncio.open_connection(*address)
        victim[1].write(stalled("198.51.100.7"))
        held = []
        for number in range(21):
            held.append(await asyncio.open_connection(*address))
            held[-1][1].write(stalled(f"2001:db8::{number}"))
        await until_closed(1, held)
        assert not any(reader.at_eof() for reader, _ in [*idle, victim])
        victim[1].write(b" " * 98 + b"}")
        assert (await victim[0].readline()).startswith(b"HTTP/1.1 400")
        await close_all([*idle, victim, *held])
