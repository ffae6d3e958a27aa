"""
Our client on the platform's own host names, which the sandbox has: over TLS, through the proxy, host by host.

The sandbox is strict here: a call to a host of another family, or without the cookies of its host, ends the login. A
test that passes has therefore sent each call to the right host.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from contextlib import aclosing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import trustme

from webwx import (
    AsyncClient,
    ConnectFailed,
    Desktop,
    LoginRefused,
    NotOnThisHost,
    TextMessage,
    TlsError,
    UnsafeRedirect,
)
from webwx.cli.sandbox.pictures import png
from webwx.errors import UnexpectedLoginPage
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.http import Request
from webwx.sandbox.clock import SystemClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.transport.http11 import Http11Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from typing import Any

    from webwx.protocol.http import Response
    from webwx.sandbox.serve import RunningSandbox, TlsAccess
    from webwx.sandbox.world import World

STRICT: dict[str, Any] = {"auto_confirm": True, "strict_hosts": True, "strict_cookies": True}
WEB = [host for host in FAMILIES if "filehelper" not in host]
HELPERS = [host for host in FAMILIES if "filehelper" in host]
HOSTILE = [
    "https://evil.example/?x=wx2.qq.com",
    "https://wx2.qq.com.evil.example",
    "http://wx.qq.com",
    "https://wx.qq.com@evil.example",
    "https://wx.qq.com:444",
    "https://wх.qq.com",  # A Cyrillic letter.
    "https://file.wx.qq.com",
    "https://127.0.0.1",
    "ftp://wx.qq.com",
    "//wx.qq.com",
]


class Watched:
    """A transport that records the hosts of its requests."""

    def __init__(self, network: Http11Transport) -> None:
        self.calls: list[tuple[str, str]] = []
        """Calls with their hosts."""
        self._network = network

    async def send(self, request: Request) -> Response:
        self.calls.append((request.endpoint, urlsplit(request.url).hostname or ""))
        return await self._network.send(request)

    async def close(self) -> None:
        await self._network.close()


@pytest.fixture
def world(make_world: Callable[..., World], options: Options) -> World:
    return make_world(options=options, clock=SystemClock())


@pytest.fixture
def options() -> Options:
    """Return the options; override them by parametrization."""
    return Options(**STRICT)


@pytest.fixture
async def served(world: World) -> AsyncIterator[RunningSandbox]:
    served = await serve(SandboxCore(world), tls=True)
    yield served
    await served.close()


@pytest.fixture
def access(served: RunningSandbox) -> TlsAccess:
    assert served.tls is not None
    return served.tls


@pytest.fixture
def network(access: TlsAccess) -> Watched:
    return Watched(Http11Transport(proxy=access.proxy, ca_file=access.ca))


def quiet(code: object) -> None:
    """Ignore the code: the sandbox confirms by itself."""


# -- families --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "main"), [(Options(**STRICT, redirect_origin=f"https://{main}"), main) for main in WEB], ids=WEB
)
async def test_all_calls_go_to_the_hosts_of_the_family_of_the_login(world: World, network: Watched, main: str) -> None:
    async with (
        AsyncClient(host="wx.qq.com", transport=network) as client,
        aclosing(client.events(include_all=False)) as events,
    ):
        await client.login(show_qr=quiet)
        world.say("ahua", "me", "在吗")
        received = await anext(events)
        await client.send_text("阿华", "在")
        await client.send_image("阿华", png())
        await client.logout()

    assert isinstance(received, TextMessage)
    assert [message.text for message in world.inbox("ahua")["xiaoming"].messages][:2] == ["在吗", "在"]
    hosts = {endpoint: host for endpoint, host in network.calls if endpoint != "webwxsync"}
    assert (hosts["jslogin"], hosts["login"]) == ("login.wx.qq.com", "login.wx.qq.com")
    assert (hosts["synccheck"], hosts["webwxuploadmedia"]) == (f"webpush.{main}", f"file.{main}")
    rest = hosts.keys() - {"jslogin", "login", "synccheck", "webwxuploadmedia"}
    assert {hosts[endpoint] for endpoint in rest} == {main}


@pytest.mark.parametrize(
    ("options", "main"),
    [(Options(**STRICT, redirect_origin=f"https://{main}"), main) for main in HELPERS],
    ids=HELPERS,
)
async def test_file_transfer_helper_polls_its_own_host_and_uploads_to_its_family(
    world: World, network: Watched, main: str
) -> None:
    async with AsyncClient(transport=network) as client, aclosing(client.events(include_all=False)) as events:
        await client.login(show_qr=quiet)
        world.say("ahua", "me", "not for this page")
        world.say("me", "filehelper", "从手机")
        received = await anext(events)
        await client.send_text("filehelper", "从电脑")
        await client.send_image("filehelper", png())
        with pytest.raises(NotOnThisHost):
            await client.list_contacts()

    assert isinstance(received, TextMessage)
    assert (received.text, received.chat) == ("从手机", "filehelper")
    hosts = dict(network.calls)
    assert (hosts["synccheck"], hosts["webwxuploadmedia"]) == (main, urlsplit(FAMILIES[main].file).hostname)


@pytest.mark.parametrize("options", [Options(auto_confirm=True, redirect_origin="https://wx9.qq.com")])
async def test_a_login_on_an_unknown_family_is_refused(network: Watched) -> None:
    async with AsyncClient(host="web", transport=network) as client:
        with pytest.raises(UnsafeRedirect, match=r"wx9\.qq\.com"):
            await client.login(show_qr=quiet)

    assert {endpoint for endpoint, _ in network.calls} == {"jslogin", "login"}


@pytest.mark.parametrize("options", [Options(auto_confirm=True, redirect_origin=url) for url in HOSTILE], ids=HOSTILE)
async def test_a_redirect_to_anywhere_else_is_not_followed(network: Watched) -> None:
    async with AsyncClient(host="web", transport=network) as client:
        with pytest.raises(UnsafeRedirect):
            await client.login(show_qr=quiet)

    assert {host for _, host in network.calls} == {"login.wx.qq.com"}


# -- answers of the ticket exchange ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [Options(**STRICT, exchange_status="moved")])
async def test_the_keys_may_be_in_a_301_without_location(network: Watched) -> None:
    async with AsyncClient(host="web", transport=network) as client:
        assert (await client.login(show_qr=quiet)).nickname == "小明"


@pytest.mark.parametrize("options", [Options(**STRICT, exchange_location="https://evil.example/")])
async def test_a_301_to_another_address_is_not_followed(network: Watched) -> None:
    async with AsyncClient(host="web", transport=network) as client:
        with pytest.raises(UnsafeRedirect):
            await client.login(show_qr=quiet)

    assert network.calls[-1] == ("webwxnewloginpage", "wx.qq.com")


@pytest.mark.parametrize("options", [Options(**STRICT, exchange_origin="https://web2.wechat.com")])
async def test_an_exchange_with_a_redirect_continues_there(network: Watched) -> None:
    async with AsyncClient(host="web", transport=network) as client:
        await client.login(show_qr=quiet)

    exchanges = [host for endpoint, host in network.calls if endpoint == "webwxnewloginpage"]
    assert exchanges == ["wx.qq.com", "web2.wechat.com"]
    assert dict(network.calls)["webwxinit"] == "web2.wechat.com"


@pytest.mark.parametrize("options", [Options(**STRICT, login_refused=True)])
async def test_an_account_that_the_web_refuses_can_use_file_transfer_helper(access: TlsAccess) -> None:
    async with AsyncClient(host="web", proxy=access.proxy, ca_file=access.ca) as client:
        with pytest.raises(LoginRefused, match=r"暂时不能登录web微信.*File Transfer Helper") as caught:
            await client.login(show_qr=quiet)
    assert caught.value.ret == 1203

    async with AsyncClient(proxy=access.proxy, ca_file=access.ca) as client:
        assert (await client.login(show_qr=quiet)).host == "filehelper"


@pytest.mark.parametrize("options", [Options(**STRICT, require_extspam=True)])
async def test_an_account_that_the_web_refuses_can_use_the_desktop_profile(network: Watched) -> None:
    async with AsyncClient(host="web", transport=network) as client:
        with pytest.raises(LoginRefused):
            await client.login(show_qr=quiet)
    desktop = Desktop(client_version="2.0.0", extspam="Gp8ICJkIEpkICggwMDAwMDAwMRAG")
    async with AsyncClient(host="desktop", desktop=desktop, transport=network) as client:
        await client.login(show_qr=quiet)


@pytest.mark.parametrize("options", [Options(**STRICT, ticket_page="html")])
async def test_the_error_names_a_web_page_instead_of_the_keys(network: Watched) -> None:
    async with AsyncClient(host="web", transport=network) as client:
        with pytest.raises(UnexpectedLoginPage):
            await client.login(show_qr=quiet)


# -- TLS -------------------------------------------------------------------------------------------------------------

SECRET = b"sid=secret"
PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class Listener:
    """A server that only listens; with a certificate it reads the bytes inside TLS."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.port = 0

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                self.received += piece
        writer.close()

    @contextlib.asynccontextmanager
    async def open(self, context: ssl.SSLContext | None) -> AsyncIterator[Request]:
        """Listen on a free port, and return a request with a secret to it."""
        server = await asyncio.start_server(self.listen, "127.0.0.1", 0, ssl=context)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server:
            yield Request(endpoint="webwxsync", method="POST", url=url, headers=(("Cookie", "a=secret"),), body=SECRET)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """A certificate authority, and its certificate file."""
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return authority, file


@pytest.mark.parametrize(
    ("how", "reason"),
    [("self-signed", "unable to get local issuer"), ("wrong host", "IP address mismatch"), ("expired", "expired")],
)
async def test_nothing_is_sent_to_a_server_with_an_invalid_certificate(
    authority: tuple[trustme.CA, Path], how: str, reason: str
) -> None:
    trusted, ca_file = authority
    issuer = trustme.CA() if how == "self-signed" else trusted
    name = "wx8.qq.com" if how == "wrong host" else "127.0.0.1"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    expiry: dict[str, Any] = (
        {"not_before": PAST, "not_after": PAST + datetime.timedelta(days=1)} if how == "expired" else {}
    )
    issuer.issue_cert(name, **expiry).configure_cert(context)
    listener, network = Listener(), Http11Transport(ca_file=ca_file)

    async with listener.open(context) as request:
        with pytest.raises(TlsError, match=rf"webwxsync: 127\.0\.0\.1:\d+ .*{reason}.*; nothing was sent") as caught:
            await network.send(request)
        await network.close()

    assert listener.received == b""
    assert "secret" not in str(caught.value)


async def test_nothing_is_sent_to_a_server_without_tls(authority: tuple[trustme.CA, Path]) -> None:
    """
    The server receives the TLS hello, which has no secret, and the client ends the connection without an answer in TLS.
    """
    listener, network = Listener(), Http11Transport(ca_file=authority[1])

    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.received += await reader.read(65536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await listener.listen(reader, writer)

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(TlsError, match="nothing was sent"):
            await network.send(Request(endpoint="webwxsync", method="POST", url=url, body=SECRET))
        await network.close()

    assert b"secret" not in listener.received


async def test_without_the_authority_no_host_behind_the_proxy_is_accepted(access: TlsAccess) -> None:
    async with AsyncClient(host="web", proxy=access.proxy) as client:
        with pytest.raises(TlsError, match=r"jslogin: login\.wx\.qq\.com:443 "):
            await client.login(show_qr=quiet)


async def test_the_error_names_a_proxy_that_refuses_a_host(access: TlsAccess) -> None:
    network = Http11Transport(proxy=access.proxy, ca_file=access.ca)
    with pytest.raises(ConnectFailed, match=r"the proxy refused CONNECT to example\.com:443 \(403\); nothing was sent"):
        await network.send(Request(endpoint="jslogin", method="GET", url="https://example.com/?skey=secret"))
    await network.close()
