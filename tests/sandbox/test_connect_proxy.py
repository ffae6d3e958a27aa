"""The CONNECT proxy on a port: allowed clients, allowed targets, and the tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.sandbox.tunnel import Tunnel
from tests.turns import let_others_run

from webwx.sandbox.core import SandboxCore
from webwx.sandbox.serve import RunningSandbox, serve

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

Dial = Callable[[], Awaitable[Connection]]

OpenTunnel = Callable[..., Awaitable[Tunnel]]

START_PAGE = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"


@pytest.fixture
async def served(sandbox: SandboxCore) -> AsyncIterator[RunningSandbox]:
    served = await serve(sandbox, tls=True)
    yield served
    await served.close()


@pytest.fixture
async def dial(served: RunningSandbox) -> AsyncIterator[Dial]:
    """Return a function that opens plain connections to the proxy."""
    writers = list[asyncio.StreamWriter]()

    async def connect() -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(served))
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def tunnel(served: RunningSandbox, dial: Dial) -> OpenTunnel:
    """Open a tunnel to a name, without the TLS handshake."""

    assert served.tls is not None
    authority = Path(served.tls.ca)

    async def through(name: str, *, trusting: bool = True) -> Tunnel:
        reader, writer = await dial()
        writer.write(
            f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\nProxy-Connection: keep-alive\r\n\r\n".encode()
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection Established\r\n\r\n"
        return Tunnel(reader, writer, name, ca=authority if trusting else None)

    return through


def port_of(served: RunningSandbox) -> int:
    """Return the port of the CONNECT proxy."""
    assert served.tls is not None
    return int(served.tls.proxy.rpartition(":")[2])


async def refusal(dial: Dial, words: bytes) -> bytes:
    reader, writer = await dial()
    writer.write(words)
    answer = await reader.read()
    return answer.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"example.com:443", b"403 Forbidden"),
        (b"evil.wx.qq.com:443", b"403 Forbidden"),
        (b"wx.qq.com.evil.example:443", b"403 Forbidden"),
        (b"qq.com:443", b"403 Forbidden"),
        (b"127.0.0.1:443", b"403 Forbidden"),
        (b"\xff.qq.com:443", b"403 Forbidden"),
        (b"wx.qq.com:80", b"403 Forbidden"),
        (b"wx.qq.com", b"400 Bad Request"),
        (b"[::1]:443", b"400 Bad Request"),
        (b"/", b"400 Bad Request"),
    ],
)
async def test_a_tunnel_to_any_other_name_or_port_is_refused(dial: Dial, target: bytes, status: bytes) -> None:
    assert await refusal(dial, b"CONNECT " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n") == b"HTTP/1.1 " + status


async def test_a_request_head_without_end_is_refused(dial: Dial) -> None:
    assert await refusal(dial, b"CONNECT wx.qq.com:443 HTTP/1.1\r\nA: " + b"x" * 20_000) == (
        b"HTTP/1.1 431 Request Header Fields Too Large"
    )


async def test_bytes_before_the_tunnel_is_open_are_refused(dial: Dial) -> None:
    assert await refusal(dial, b"CONNECT wx.qq.com:443 HTTP/1.1\r\n\r\n\x16\x03\x01") == b"HTTP/1.1 400 Bad Request"


@pytest.mark.parametrize(
    "words", [b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"]
)
async def test_a_plain_http_request_is_not_forwarded(dial: Dial, words: bytes) -> None:
    assert await refusal(dial, words) == b"HTTP/1.1 403 Forbidden"


async def test_plain_http_is_answered_on_the_same_port(dial: Dial) -> None:
    reader, writer = await dial()
    for piece in (b"G", b"ET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"Connection: close\r\n\r\n"):
        writer.write(piece)
        await writer.drain()
        await let_others_run()
    assert b"webwx sandbox" in await reader.read()


@pytest.mark.parametrize("first", [b"C", b"CONNECT wx.qq.com:4"])
async def test_the_proxy_waits_for_the_complete_connect_request(
    dial: Dial, served: RunningSandbox, first: bytes
) -> None:
    reader, writer = await dial()
    writer.write(first)
    await let_others_run()
    writer.write(b"CONNECT wx.qq.com:443 HTTP/1.1\r\n\r\n"[len(first) :])
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "name", ["wx.qq.com", "webpush.web2.wechat.com", "login.weixin.qq.com", "WX.QQ.COM", "webpush2.weixin.qq.com"]
)
async def test_a_tunnel_leads_to_the_name_it_was_opened_for(tunnel: OpenTunnel, name: str) -> None:
    tls = await tunnel(name)
    await tls.greet(first_words=START_PAGE % name.encode())
    assert b"webwx sandbox" in await tls.receive(b"</title>")


async def test_the_first_request_may_come_with_the_end_of_the_handshake(
    tunnel: OpenTunnel,
) -> None:
    for _ in range(20):
        tls = await tunnel("wx.qq.com")
        await tls.greet(first_words=(START_PAGE % b"wx.qq.com") * 2)
        received = await tls.receive(b"</title>")
        while received.count(b"</title>") < 2:
            received += await tls.receive(b"</title>")


async def test_a_tunnel_can_be_kept_for_many_requests(tunnel: OpenTunnel) -> None:
    tls = await tunnel("wx.qq.com")
    await tls.greet(first_words=START_PAGE % b"wx.qq.com")
    assert b"200 OK" in await tls.receive(b"</title>")
    await tls.say(START_PAGE % b"wx.qq.com:443")
    assert b"200 OK" in await tls.receive(b"</title>")


async def test_inside_a_tunnel_other_names_are_not_answered(tunnel: OpenTunnel) -> None:
    tls = await tunnel("wx.qq.com")
    await tls.greet(first_words=START_PAGE % b"example.com")
    assert b"421 Misdirected Request" in await tls.receive(b"\r\n\r\n")


async def test_the_control_api_is_not_reachable_through_the_tunnel(tunnel: OpenTunnel) -> None:
    tls = await tunnel("wx.qq.com")
    await tls.greet(first_words=b"GET /control/accounts HTTP/1.1\r\nHost: wx.qq.com\r\n\r\n")
    assert b"403 Forbidden" in await tls.receive(b"}")


async def test_a_client_that_rejects_the_authority_gets_no_connection(
    tunnel: OpenTunnel, served: RunningSandbox, dial: Dial
) -> None:
    tls = await tunnel("wx.qq.com", trusting=False)
    with pytest.raises(ssl.SSLCertVerificationError):
        await tls.greet()
    assert await refusal(dial, b"CONNECT example.com:443 HTTP/1.1\r\n\r\n") == b"HTTP/1.1 403 Forbidden", (
        "the proxy still answers"
    )


async def test_garbage_in_place_of_a_handshake_ends_the_tunnel_only(dial: Dial) -> None:
    reader, writer = await dial()
    writer.write(b"CONNECT wx.qq.com:443 HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        await reader.read()
    assert await refusal(dial, b"CONNECT example.com:443 HTTP/1.1\r\n\r\n") == b"HTTP/1.1 403 Forbidden"


@pytest.mark.parametrize("words", [b"", b"CONNECT wx.qq.com:4", b"CONNECT wx.qq.com:443 HTTP/1.1\r\n\r\n"])
async def test_closing_ends_unfinished_connections(sandbox: SandboxCore, words: bytes) -> None:
    served = await serve(sandbox, tls=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(served))
    writer.write(words)
    await let_others_run()
    await served.close()
    with contextlib.suppress(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_client_that_disconnects_is_forgotten(dial: Dial, served: RunningSandbox) -> None:
    _, writer = await dial()
    writer.write(b"CONNECT")
    await writer.drain()
    await let_others_run()
    writer.close()
    await writer.wait_closed()
    await served.close()
    await served.close()
