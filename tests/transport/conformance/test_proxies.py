"""Proxies: a tunnel for TLS, the full address otherwise."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.transport.conformance.test_tls import certified
from tests.transport.lines import Caller, answer, serving

from webwx.errors import ConnectFailed, ProxyFailed, TlsError
from webwx.protocol.http import Request
from webwx.transport.default import default_transport
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.transport.conformance.conftest import Make

    from webwx.transport.runner import Transport

NO_CONNECTION = r"jslogin: no connection to wx\.qq\.com:443 through the proxy 127\.0\.0\.1:\d+; nothing was sent"
YES = b"HTTP/1.1 200 Connection established\r\n\r\n"


def tunnel(received: list[bytes], port: Callable[[], int], yes: bytes = YES) -> Callable[[Caller], Awaitable[None]]:
    """Accept every CONNECT, and forward everything to one server, whatever name was requested."""

    async def talk(caller: Caller) -> None:
        received.append(await caller.receive())
        await caller.say(yes)
        reader, writer = await asyncio.open_connection("127.0.0.1", port())
        try:
            await asyncio.gather(copy(caller.reader, writer), copy(reader, caller.writer))
        finally:
            writer.close()

    return talk


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
    target.close()


@pytest.mark.parametrize("yes", [YES, b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n"])
async def test_tls_uses_a_tunnel_to_the_name(make: Make, authority: trustme.CA, ca_file: Path, yes: bytes) -> None:
    asked: list[bytes] = []
    async with (
        serving(answer(b"hi"), certified(authority, "wx.qq.com")) as server,
        serving(tunnel(asked, lambda: server.port, yes)) as proxy,
    ):
        transport = make(proxy=f"http://127.0.0.1:{proxy.port}", ca_file=ca_file)
        for _ in range(2):
            url = "https://wx.qq.com/path?skey=secret"
            response = await transport.send(Request(endpoint="webwxsync", method="GET", url=url))
            assert response.body == b"hi"

    [connect] = asked
    assert connect.startswith(b"CONNECT wx.qq.com:443 HTTP/1.1\r\nHost: wx.qq.com")
    assert b"secret" not in connect
    assert server.received[0].startswith(b"GET /path?skey=secret HTTP/1.1\r\nHost: wx.qq.com\r\n")


async def test_the_server_behind_a_tunnel_needs_a_valid_certificate(
    make: Make, authority: trustme.CA, ca_file: Path
) -> None:
    async with (
        serving(answer(b"hi"), certified(authority, "elsewhere.example")) as server,
        serving(tunnel([], lambda: server.port)) as proxy,
    ):
        transport = make(proxy=f"http://127.0.0.1:{proxy.port}", ca_file=ca_file)
        with pytest.raises(TlsError, match=r"jslogin: wx\.qq\.com:443 has a certificate .*nothing was sent"):
            await transport.send(Request(endpoint="jslogin", method="GET", url="https://wx.qq.com/"))


async def test_without_tls_the_proxy_gets_the_full_address(make: Make) -> None:
    async with serving(answer(b"hi")) as proxy:
        transport = make(proxy=f"http://127.0.0.1:{proxy.port}")
        url = "http://unknown.invalid:8790/path?a=b"
        response = await transport.send(Request(endpoint="webwxsync", method="POST", url=url, body=b"x"))

    assert response.body == b"hi"
    assert proxy.received[0].startswith(
        b"POST http://unknown.invalid:8790/path?a=b HTTP/1.1\r\nHost: unknown.invalid:8790\r\n"
    )


@pytest.mark.parametrize("url", ["https://wx.qq.com/", "http://wx.qq.com/"], ids=["tunnel", "no tunnel"])
async def test_credentials_in_the_proxys_address_are_sent(make: Make, url: str) -> None:
    async with serving(answer(status="403 Forbidden")) as proxy:
        transport = make(proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        with contextlib.suppress(ConnectFailed):
            await transport.send(Request(endpoint="webwxsync", method="GET", url=url))

    head = proxy.received[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in head


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
async def test_the_error_names_a_proxy_that_refuses_a_host(make: Make, status: str) -> None:
    async with serving(answer(b"no", status=status)) as proxy:
        transport = make(proxy=f"http://me:secret@127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectFailed) as caught:
            await transport.send(Request(endpoint="jslogin", method="GET", url="https://wx.qq.com/?skey=secret"))

    number = status.partition(" ")[0]
    assert str(caught.value) == f"jslogin: the proxy refused CONNECT to wx.qq.com:443 ({number}); nothing was sent."


async def hang_up(caller: Caller) -> None:
    await caller.receive()


async def babble(caller: Caller) -> None:
    await caller.receive()
    await caller.say(b"220 smtp.example ESMTP\r\n\r\n")


async def test_an_unreachable_proxy_is_an_error_that_names_it(make: Make) -> None:
    async with serving(hang_up) as proxy:
        pass
    for credentials in ("", "me:secret@"):
        for url in ("https://wx.qq.com/", "http://wx.qq.com/"):
            transport = make(proxy=f"http://{credentials}127.0.0.1:{proxy.port}")
            with pytest.raises(ProxyFailed) as caught:
                await transport.send(Request(endpoint="jslogin", method="GET", url=url))
            assert str(caught.value) == (
                f"jslogin: the proxy 127.0.0.1:{proxy.port} cannot be reached; nothing was sent."
            )


@pytest.mark.parametrize("talk", [hang_up, babble])
async def test_a_server_that_is_not_a_proxy(make: Make, talk: Callable[[Caller], Awaitable[object]]) -> None:
    async with serving(talk) as proxy:
        transport = make(proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ProxyFailed, match=NO_CONNECTION):
            await transport.send(Request(endpoint="jslogin", method="GET", url="https://wx.qq.com/"))


async def test_a_proxy_that_does_not_answer(make: Make) -> None:
    async def listen(caller: Caller) -> None:
        await caller.receive_end()

    async with serving(listen) as proxy:
        transport = make(proxy=f"http://127.0.0.1:{proxy.port}", connect=0.1)
        with pytest.raises(ProxyFailed, match=NO_CONNECTION):
            await transport.send(Request(endpoint="jslogin", method="POST", url="https://wx.qq.com/", body=b"x"))
        await proxy.until_gone()


# -- a proxy over TLS; `default_transport` selects an engine that supports it ------------------------------------------


@pytest.fixture
async def make_default() -> AsyncIterator[Make]:
    made: list[Transport] = []

    def make(*, proxy: str | None = None, ca_file: Path | None = None, **timeouts: float) -> Transport:
        made.append(default_transport(Timeouts(**{"call": 5.0} | timeouts), proxy=proxy, ca_file=ca_file))
        return made[-1]

    yield make
    for transport in made:
        await transport.close()


async def test_a_tunnel_of_a_proxy_over_tls_carries_tls(
    make_default: Make, authority: trustme.CA, ca_file: Path
) -> None:
    asked: list[bytes] = []
    async with (
        serving(answer(b"hi"), certified(authority, "wx.qq.com")) as server,
        serving(tunnel(asked, lambda: server.port), certified(authority, "localhost")) as proxy,
    ):
        transport = make_default(proxy=f"https://me:p%40ss@localhost:{proxy.port}", ca_file=ca_file)
        for _ in range(2):
            url = "https://wx.qq.com/path?skey=secret"
            response = await transport.send(Request(endpoint="webwxsync", method="POST", url=url, body=b"x" * 100_000))
            assert response.body == b"hi"

    [connect] = asked
    assert connect.startswith(b"CONNECT wx.qq.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in connect
    assert b"secret" not in connect
    assert server.received[0].startswith(b"POST /path?skey=secret HTTP/1.1\r\nHost: wx.qq.com\r\n")


async def test_a_proxy_over_tls_needs_a_valid_certificate(
    make_default: Make, authority: trustme.CA, ca_file: Path
) -> None:
    asked: list[bytes] = []
    async with serving(tunnel(asked, lambda: 0), certified(authority, "elsewhere.example")) as proxy:
        transport = make_default(proxy=f"https://me:secret@localhost:{proxy.port}", ca_file=ca_file)
        with pytest.raises(TlsError, match="nothing was sent") as caught:
            await transport.send(Request(endpoint="jslogin", method="GET", url="https://wx.qq.com/?skey=secret"))
    assert asked == []
    assert "secret" not in str(caught.value)


async def test_the_server_behind_a_proxy_over_tls_needs_a_valid_certificate(
    make_default: Make, authority: trustme.CA, ca_file: Path
) -> None:
    async with (
        serving(answer(b"hi"), certified(authority, "elsewhere.example")) as server,
        serving(tunnel([], lambda: server.port), certified(authority, "localhost")) as proxy,
    ):
        transport = make_default(proxy=f"https://localhost:{proxy.port}", ca_file=ca_file)
        # Some asyncio of 3.11 and 3.12 gives no reason when TLS inside TLS fails (python/cpython#113214).
        with pytest.raises((TlsError, ConnectFailed), match=r"wx\.qq\.com:443.*; nothing was sent"):
            await transport.send(Request(endpoint="jslogin", method="GET", url="https://wx.qq.com/"))
    assert server.received == []


async def test_the_error_names_a_proxy_over_tls_that_refuses_a_host(
    make_default: Make, authority: trustme.CA, ca_file: Path
) -> None:
    async with serving(answer(b"no", status="403 Forbidden"), certified(authority, "localhost")) as proxy:
        transport = make_default(proxy=f"https://localhost:{proxy.port}", ca_file=ca_file)
        with pytest.raises(ConnectFailed) as caught:
            await transport.send(Request(endpoint="jslogin", method="GET", url="https://wx.qq.com/?skey=secret"))
    assert str(caught.value) == "jslogin: the proxy refused CONNECT to wx.qq.com:443 (403); nothing was sent."
