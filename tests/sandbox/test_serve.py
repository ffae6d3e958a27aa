from __future__ import annotations

import asyncio
import gzip
import io
import json
import tempfile
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import getitem
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.client import ClientSession
from aiohttp.client_ws import ClientWebSocketResponse
from tests.sandbox.conftest import Page, Q, R
from tests.sandbox.wire import ReceivedAnswer, at_once, connected

from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import single
from webwx.protocol.http import Response
from webwx.protocol.login import (
    JSLOGIN,
    LOGIN_POLL,
    TICKET,
    Credentials,
    PollRequest,
    QrRequest,
    TicketRequest,
)
from webwx.protocol.messages import STATUSNOTIFY, StatusNotifyRequest
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncRequest
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import MAX_BODY, RunningSandbox, serve
from webwx.sandbox.world import SystemClock, World, default_world

CHECK = "/cgi-bin/mmwebwx-bin/synccheck"


@pytest.fixture
async def served(sandbox: SandboxCore) -> AsyncIterator[RunningSandbox]:
    served = await serve(sandbox)
    yield served
    await served.close()


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def text(http: ClientSession, url: str, params: dict[str, str] | None = None) -> str:
    async with http.get(url, params=params) as response:
        assert response.status == 200
        return await response.text()


async def held(http: ClientSession, served: RunningSandbox, page: Page) -> asyncio.Task[str]:
    """Start a poll and return its task once the server holds it."""
    changed = asyncio.Event()
    unsubscribe = page.world.traffic.subscribe(changed.set)
    poll = asyncio.create_task(text(http, f"{served.url}{CHECK}", params={"sid": page.credentials.sid}))
    while not any(exchange.is_open for exchange in page.world.traffic.since(endpoint="synccheck")):
        await changed.wait()
        changed.clear()
    unsubscribe()
    return poll


def is_there(path: str) -> bool:
    return Path(path).exists()


async def test_the_first_line_has_the_address_and_the_accounts(served: RunningSandbox) -> None:
    assert served.url.startswith("http://127.0.0.1:")
    assert served.control == served.url + "/control"
    assert served.phone == served.url + "/phone"
    assert served.accounts[0] == {"nickname": "小明", "id": "xiaoming"}
    assert served.tls is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::", "sandbox.example"])
async def test_the_sandbox_listens_on_loopback_only(sandbox: SandboxCore, host: str) -> None:
    with pytest.raises(ValueError, match="loopback addresses only"):
        await serve(sandbox, host=host)


async def test_an_error_of_a_planned_action_is_raised(sandbox: SandboxCore) -> None:
    served = await serve(sandbox)
    sandbox.world.scheduler.add(sandbox.world.now, partial(getitem, {}, "unknown"))
    for _ in range(5):
        await asyncio.sleep(0)  # The timekeeper task runs here.
    with pytest.raises(KeyError, match="unknown"):
        await served.close()


async def test_a_taken_port_is_an_error(sandbox: SandboxCore, served: RunningSandbox) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve(sandbox, port=int(served.url.rpartition(":")[2]))


async def test_with_tls_the_same_port_is_a_proxy_to_the_real_names(sandbox: SandboxCore) -> None:
    served = await serve(sandbox, tls=True)
    assert served.tls is not None
    assert served.tls.proxy == served.url
    assert "wx.qq.com" in served.tls.hosts
    assert is_there(served.tls.ca)
    await served.close()
    assert not is_there(served.tls.ca)


async def test_a_taken_port_leaves_no_certificate_behind(
    sandbox: SandboxCore, served: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OSError, match="in use"):
        await serve(sandbox, port=int(served.url.rpartition(":")[2]), tls=True)
    assert list(tmp_path.iterdir()) == []


async def test_the_query_arrives_as_it_was_sent(served: RunningSandbox, http: ClientSession, me: Page) -> None:
    url = f"{served.url}{CHECK}?sid={me.credentials.sid}&synckey="
    me.world.say("ahua", "me", "在吗")
    path = url.removeprefix(served.url)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rpartition(":")[2]))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.endswith(b'window.synccheck={retcode:"0",selector:"2"}')
    assert b"Content-Type: text/javascript\r\n" in answer


async def test_an_unreadable_host_header_is_a_bad_request(served: RunningSandbox) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_poll_is_held_until_something_happens_to_its_account(
    served: RunningSandbox, http: ClientSession, me: Page, friend: Page
) -> None:
    poll = await held(http, served, me)
    me.world.say("lilei", "ahua", "x")
    await text(http, served.url)
    assert not poll.done()
    me.world.say("ahua", "me", "在吗")
    assert await poll == 'window.synccheck={retcode:"0",selector:"2"}'


async def test_winding_the_clock_over_http_ends_a_poll(served: RunningSandbox, http: ClientSession, me: Page) -> None:
    poll = await held(http, served, me)
    async with http.post(f"{served.control}/wind", json={"seconds": 25}) as response:
        assert json.loads(await response.text()) == {"now": me.world.now}
    assert await poll == 'window.synccheck={retcode:"0",selector:"0"}'


async def test_a_thread_may_wake_a_poll(served: RunningSandbox, http: ClientSession, me: Page) -> None:
    poll = await held(http, served, me)
    await asyncio.to_thread(me.world.say, "ahua", "me", "在吗")
    assert 'selector:"2"' in await poll


async def test_on_the_system_clock_a_poll_ends_by_itself_and_a_logout_is_answered_first(
    http: ClientSession, new_page: Callable[..., Page]
) -> None:
    world = default_world(clock=SystemClock(), options=Options(hold_seconds=0.2))
    sandbox = SandboxCore(world)
    served = await serve(sandbox)
    page = new_page(sandbox).login()
    assert 'selector:"0"' in await text(http, f"{served.url}{CHECK}", params={"sid": page.credentials.sid})
    poll = await held(http, served, page)
    url = f"{served.url}/cgi-bin/mmwebwx-bin/webwxlogout"
    async with http.get(url, headers={"Cookie": f"wxsid={page.credentials.sid}"}) as response:
        assert '"Ret": 0' in await response.text()
    assert not poll.done()
    assert await poll == 'window.synccheck={retcode:"1101",selector:"0"}'
    await served.close()


async def test_the_poll_of_a_client_that_disconnects_is_removed(
    served: RunningSandbox, http: ClientSession, me: Page
) -> None:
    poll = await held(http, served, me)
    poll.cancel()
    with pytest.raises(asyncio.CancelledError):
        await poll
    me.world.say("ahua", "me", "在吗")
    assert 'selector:"2"' in await text(http, f"{served.url}{CHECK}", params={"sid": me.credentials.sid})


async def test_the_poll_of_a_client_that_disconnects_is_closed_in_the_traffic(
    served: RunningSandbox, http: ClientSession, me: Page
) -> None:
    poll = await held(http, served, me)
    changed = asyncio.Event()
    me.world.traffic.subscribe(changed.set)
    poll.cancel()
    await asyncio.wait_for(changed.wait(), 60)
    line = me.world.traffic.since()[-1]
    assert (line.endpoint, line.is_open, line.status) == ("synccheck", False, None)


async def test_closing_ends_held_polls(sandbox: SandboxCore, http: ClientSession, me: Page) -> None:
    served = await serve(sandbox)
    poll = await held(http, served, me)
    await served.close()
    with pytest.raises(aiohttp.ClientError):
        await poll


async def test_uploads_of_many_megabytes_are_accepted(served: RunningSandbox, http: ClientSession) -> None:
    body = io.BytesIO(b" " * (20 << 20) + b"{}")
    async with http.post(f"{served.url}/cgi-bin/mmwebwx-bin/webwxsync", data=body) as response:
        assert '"Ret": 1101' in await response.text()


@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [
        ("/control/say", "application/json", 413),
        ("/cgi-bin/mmwebwx-bin/webwxsync", "application/json", 413),
        ("/control/file?from=ahua&to=me&name=a", "application/octet-stream", 200),
    ],
)
async def test_a_file_of_a_phone_may_be_larger_than_any_other_request(
    served: RunningSandbox, http: ClientSession, path: str, content_type: str, status: int
) -> None:
    body = io.BytesIO(bytes(MAX_BODY + 1))
    async with http.post(f"{served.url}{path}", data=body, headers={"Content-Type": content_type}) as response:
        assert response.status == status
        if path == "/control/say":
            assert (await response.json())["error"] == (
                "That is more than the 67,108,864 bytes that this sandbox takes at once."
            )


async def test_a_body_without_a_length_has_the_same_limit(served: RunningSandbox, http: ClientSession) -> None:
    async def endless() -> AsyncIterator[Any]:
        for _ in range(MAX_BODY // 2**20 + 1):
            yield bytes(2**20)

    kind = {"Content-Type": "application/json"}
    async with http.post(f"{served.url}/control/say", data=endless(), headers=kind) as response:
        assert response.status == 413


async def test_a_scheduled_action_happens_on_time_and_ends_a_held_poll(http: ClientSession) -> None:
    world = default_world(clock=SystemClock())
    session = world.log_in(world.person("me"))
    key = str(session.stream.newest)
    served = await serve(SandboxCore(world))
    world.scheduler.add(world.now + 0.1, lambda: world.say("ahua", "me", "on time"))
    answer = await text(http, served.url + CHECK, params={"sid": session.keys.sid, "synckey": key})
    await served.close()
    assert 'selector:"2"' in answer


async def test_an_advanced_clock_still_runs_to_the_next_scheduled_action(http: ClientSession) -> None:
    world = default_world(clock=SystemClock())
    session = world.log_in(world.person("me"))
    key = str(session.stream.newest)
    served = await serve(SandboxCore(world))
    world.scheduler.add(world.now + 3600.2, lambda: world.say("ahua", "me", "in an hour"))
    await asyncio.sleep(0)  # The server waits for an hour now.
    async with http.post(served.control + "/wind", json={"seconds": 3600}) as response:
        assert response.status == 200
    answer = await text(http, served.url + CHECK, params={"sid": session.keys.sid, "synckey": key})
    await served.close()
    assert 'selector:"2"' in answer


# -- hostile clients -------------------------------------------------------------------------------------------------


async def status(served: RunningSandbox, words: bytes) -> int:
    answer, _, writer = await exchange(served, words)
    writer.close()
    return int(answer.split(b" ")[1])


@pytest.mark.parametrize("path", ["/jslogin?appid=wx782c26e4c19acffb", "/cgi-bin/mmwebwx-bin/webwxsync", "/"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8790", "wx.qq.com", "127.0.0.1.evil.example", "a b",
        "[::1]evil", "[::1].evil.example:8790", "evil.example@127.0.0.1",
    ],
)  # fmt: skip
async def test_a_foreign_host_name_is_refused(served: RunningSandbox, path: str, host: str) -> None:
    words = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    assert await status(served, words.encode()) == 403


LOG_IN = "/jslogin?appid=wx782c26e4c19acffb"


@pytest.mark.parametrize("path", [LOG_IN, "/cgi-bin/mmwebwx-bin/webwxsync", "/phone", "/control/accounts"])
@pytest.mark.parametrize(
    "header",
    [
        "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null",
        "Origin: http://127.0.0.1:1", "Sec-Fetch-Site: cross-site\r\nOrigin: https://wx.qq.com",
    ],
)  # fmt: skip
async def test_a_page_of_another_origin_is_refused_everywhere(served: RunningSandbox, path: str, header: str) -> None:
    words = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8790\r\n{header}\r\nConnection: close\r\n\r\n"
    assert await status(served, words.encode()) == 403


@pytest.mark.parametrize(
    "header",
    [
        "A: b", "Sec-Fetch-Site: none", "Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:8790",
        "Origin: https://wx.qq.com", "Origin: https://szfilehelper.weixin.qq.com",
    ],
)  # fmt: skip
async def test_clients_the_own_page_and_an_address_that_a_user_enters_are_answered(
    served: RunningSandbox, header: str
) -> None:
    words = f"GET {LOG_IN} HTTP/1.1\r\nHost: 127.0.0.1:8790\r\n{header}\r\nConnection: close\r\n\r\n"
    assert await status(served, words.encode()) == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2:1", "localhost", "LOCALHOST:8790", "[::1]:8790"])
async def test_every_loopback_name_is_answered(served: RunningSandbox, host: str) -> None:
    assert await status(served, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()) == 200


@pytest.mark.parametrize(("place", "expected"), [("header", 403), ("trailer", 409)])
async def test_what_follows_a_chunked_body_is_no_header(served: RunningSandbox, place: str, expected: int) -> None:
    post = b"POST /control/scan HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    origin = b"Origin: https://evil.example\r\n"
    header, trailer = (origin, b"") if place == "header" else (b"", origin)
    words = post + header + b"\r\n2\r\n{}\r\n0\r\n" + trailer + b"\r\n"
    assert await status(served, words) == expected


@pytest.mark.parametrize("host", [b"", b"Host:\r\n"])
async def test_a_request_without_a_host_header_is_answered_for_its_address(served: RunningSandbox, host: bytes) -> None:
    assert await status(served, b"GET / HTTP/1.0\r\n" + host + b"\r\n") == 200


@pytest.mark.parametrize(("coding", "bits"), [("gzip", 31), ("deflate", 15)])
async def test_a_compressed_request_is_refused_without_decompressing_it(
    served: RunningSandbox, coding: str, bits: int
) -> None:
    packer = zlib.compressobj(wbits=bits)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(32)) + packer.flush()
    head = f"POST /control/say HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Encoding: {coding}\r\n"
    tracemalloc.start()
    try:
        assert await status(served, f"{head}Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb) == 415
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


_HEAD = b"POST /control/say HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "words",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        _HEAD + b"Host: x\r\n\r\n",
        _HEAD + b"A: " + b"x" * 9000 + b"\r\n\r\n",
        _HEAD + b"Content-Length: x\r\n\r\n",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["no request", "tls", "version", "address", "two hosts", "long header", "length", "chunk"],
)
async def test_a_request_that_is_not_http_is_one_line_in_the_log(
    served: RunningSandbox, caplog: pytest.LogCaptureFixture, words: bytes
) -> None:
    assert await status(served, words) == 400
    assert len(caplog.messages) == 1
    assert caplog.records[0].exc_info is None
    assert "\n" not in caplog.messages[0]


async def test_an_error_of_the_sandbox_itself_is_logged_with_its_traceback(
    served: RunningSandbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SandboxCore, "answer", lambda *_: getitem({}, "unknown"))
    assert await status(served, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n") == 500
    assert caplog.records[0].exc_info is not None


_ASKED = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("before", [b"", _ASKED], ids=["first", "second"])
@pytest.mark.parametrize("half", [b"G", b"CONNECT wx.qq.com:4", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "proxy"])
def test_a_head_that_is_not_complete_within_ten_seconds_ends_the_connection(
    sandbox: SandboxCore, before: bytes, half: bytes, tls: bool
) -> None:
    async def run() -> tuple[str, float]:
        served = await serve(sandbox, tls=tls)
        try:
            async with connected(served.url) as line:
                if before:
                    assert (await line.ask(before)).end == "kept"
                begun = asyncio.get_running_loop().time()
                seen = await line.ask(half, patience=60)
                return seen.end, asyncio.get_running_loop().time() - begun
        finally:
            await served.close()

    end, seconds = at_once(run)
    assert end == "closed"
    assert 10 <= seconds < 20


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "proxy"])
def test_a_slow_body_and_a_long_silence_end_no_connection(sandbox: SandboxCore, tls: bool) -> None:
    async def run() -> ReceivedAnswer:
        served = await serve(sandbox, tls=tls)
        try:
            async with connected(served.url) as line:
                assert (await line.ask(b"", patience=30)).end == "kept"
                assert (await line.ask(_ASKED, patience=30)).end == "kept"
                head = b"POST /control/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n"
                assert (await line.ask(head + b"{", patience=30)).end == "kept"
                return await line.ask(b"}")
        finally:
            await served.close()

    assert at_once(run).status == "HTTP/1.1 404 Not Found"


@pytest.mark.parametrize(
    ("framing", "rest"),
    [("Content-Length: 9", b""), ("Transfer-Encoding: chunked", b""), ("Transfer-Encoding: chunked", b"zz\r\n")],
    ids=["length", "chunks", "no chunk"],
)
def test_a_request_without_its_body_is_refused_after_a_minute(sandbox: SandboxCore, framing: str, rest: bytes) -> None:
    async def run() -> tuple[ReceivedAnswer, float]:
        served = await serve(sandbox)
        try:
            async with connected(served.url) as line:
                head = f"POST /control/accounts HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n"
                assert (await line.ask(head.encode())).end == "kept"
                begun = asyncio.get_running_loop().time()
                seen = await line.ask(rest, patience=120)
                return seen, asyncio.get_running_loop().time() - begun
        finally:
            await served.close()

    seen, seconds = at_once(run)
    assert (seen.status, seen.end) == ("HTTP/1.1 408 Request Timeout", "closed")
    assert 50 <= seconds < 90


# -- the phone in the browser ----------------------------------------------------------------------------------------


async def kinds(socket: ClientWebSocketResponse, count: int) -> list[str]:
    return [(await socket.receive_json(timeout=60))["kind"] for _ in range(count)]


async def test_an_open_page_gets_updates_and_closes_with_the_server(sandbox: SandboxCore, http: ClientSession) -> None:
    served = await serve(sandbox)
    async with http.ws_connect(f"{served.url}/phone/live", headers={"Origin": served.url}) as socket:
        assert await kinds(socket, 3) == ["people", "clock", "logins"]
        await socket.send_json({"kind": "look", "who": "xiaoming"})
        assert await kinds(socket, 1) == ["phone"]
        await asyncio.to_thread(sandbox.world.say, "ahua", "me", "嗨")
        assert await kinds(socket, 1) == ["phone"]
        await served.close()
        assert (await socket.receive(timeout=60)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "https://evil.example", ""])
async def test_a_page_of_another_origin_is_refused(served: RunningSandbox, http: ClientSession, origin: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await http.ws_connect(f"{served.url}/phone/live", headers={"Origin": origin})


@pytest.mark.parametrize(
    "nonsense",
    ["{", '{"kind": 1}', '{"kind": "look", "who": "' + "x" * 9 + '", "deep": ' + "[" * 60_000, "[" * 60_000, b"\xff{"],
    ids=["half", "type", "deep in a field", "deep", "binary"],
)
async def test_an_open_page_survives_malformed_messages(
    served: RunningSandbox, http: ClientSession, caplog: pytest.LogCaptureFixture, nonsense: bytes | str
) -> None:
    async with http.ws_connect(f"{served.url}/phone/live", headers={"Origin": served.url}) as socket:
        assert await kinds(socket, 3) == ["people", "clock", "logins"]
        await (socket.send_bytes(nonsense) if isinstance(nonsense, bytes) else socket.send_str(nonsense))
        await socket.send_json({"kind": "look", "who": "xiaoming"})
        assert await kinds(socket, 1) == ["phone"]
    assert caplog.messages == []


async def test_a_request_without_websocket_gets_426(served: RunningSandbox, http: ClientSession) -> None:
    async with http.get(f"{served.url}/phone/live", headers={"Origin": served.url}) as response:
        assert response.status == 426


async def exchange(
    served: RunningSandbox, words: bytes, until: bytes = b""
) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
    """Send bytes on a connection, and return all that is received until the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rpartition(":")[2]))
    writer.write(words)
    answer = await reader.readuntil(until) if until else await reader.read()
    return answer, reader, writer


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_head_request_is_answered_without_a_body(served: RunningSandbox, version: bytes) -> None:
    asked = b"HEAD /jslogin?appid=x HTTP/" + version + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    answer, _, writer = await exchange(served, asked)
    writer.close()
    assert answer.startswith(b"HTTP/" + version + b" 200 ")
    assert b"Content-Length: 64" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_chunked_body_is_requested_and_accepted(served: RunningSandbox, me: Page) -> None:
    body = json.dumps({"BaseRequest": {"Sid": me.credentials.sid}}).encode()
    head = b"POST /cgi-bin/mmwebwx-bin/webwxinit HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    asked = head + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    answer, reader, writer = await exchange(served, asked, until=b"\r\n\r\n")
    assert answer == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    answer = await reader.read()
    writer.close()
    assert b'"Ret": 0' in answer


@pytest.mark.parametrize(("accepts", "coding"), [("gzip, deflate", "gzip"), ("identity", None)])
async def test_a_long_text_is_compressed_if_the_client_accepts_it(
    served: RunningSandbox, me: Page, accepts: str, coding: str | None
) -> None:
    async with (
        aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": accepts}) as http,
        http.get(f"{served.url}/cgi-bin/mmwebwx-bin/webwxgetcontact", params={"sid": me.credentials.sid}) as answer,
    ):
        body = await answer.read()
    assert answer.headers.get("Content-Encoding") == coding
    assert b"MemberList" in (gzip.decompress(body) if coding else body)


async def test_a_short_list_is_compressed_without_a_thread(
    served: RunningSandbox, me: Page, http: ClientSession
) -> None:
    is_over = threading.Event()
    with ThreadPoolExecutor(1) as busy:
        busy.submit(is_over.wait)
        asyncio.get_running_loop().set_default_executor(busy)
        try:
            async with asyncio.timeout(60):
                listed = await text(
                    http, f"{served.url}/cgi-bin/mmwebwx-bin/webwxgetcontact", params={"sid": me.credentials.sid}
                )
        finally:
            is_over.set()
    assert 4_096 < len(listed) < 65_536  # Longer than the largest body that aiohttp compresses itself.


async def test_the_same_answers_are_compressed_as_on_the_live_service(
    http: ClientSession, page: Page, world: World, served: RunningSandbox
) -> None:
    # In the recordings the ticket exchange and webwxsync are compressed; the poll, jslogin and synccheck are not.
    page.hosts = single(served.url)
    codings = {}

    async def ask(endpoint: Endpoint[Q, R], value: Q) -> R:
        request = endpoint.encode_request(value, page.hosts)
        async with http.request(request.method, request.url, data=request.content) as response:
            codings[endpoint.name] = response.headers.get("Content-Encoding")
            return endpoint.decode_reply(Response(body=await response.read()))

    uuid = (await ask(JSLOGIN, QrRequest())).uuid
    world.scan("me", uuid)
    world.confirm(uuid)
    redirect = (await ask(LOGIN_POLL, PollRequest(uuid=uuid))).redirect_uri
    ticket = await ask(TICKET, TicketRequest(redirect_query=redirect.partition("?")[2], version="v2"))
    credentials = Credentials(sid=ticket.wxsid)
    await ask(WEBWXSYNC, SyncRequest(credentials=credentials))
    world.say("ahua", "me", "在吗")
    await ask(SYNCCHECK, CheckRequest(sid=ticket.wxsid))
    await ask(STATUSNOTIFY, StatusNotifyRequest(credentials=credentials))
    assert {name for name, coding in codings.items() if coding == "gzip"} == {"webwxnewloginpage", "webwxsync"}
    assert len(codings) == 6
