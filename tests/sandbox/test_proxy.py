"""The fault proxy: forwarding, faults, the log, and the control API."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from tests.sandbox.conftest import Page
from tests.sandbox.test_faults import Calls
from tests.sandbox.wire import ReceivedAnswer, ask, at_once, connected

from webwx.protocol.http import Request
from webwx.sandbox.errors import Impossible
from webwx.sandbox.faults import ActiveRule
from webwx.sandbox.proxy import FaultedRequest, FaultProxy
from webwx.sandbox.serve import serve
from webwx.sandbox.world import World

T = TypeVar("T")


def between(me: Page, work: Callable[[FaultProxy, Calls], Awaitable[T]], *, seed: int = 1) -> T:
    """Run an async function with a proxy in front of a sandbox, and return its result."""

    async def run() -> T:
        served = await serve(me.sandbox)
        try:
            async with FaultProxy(served.url, seed=seed) as proxy:
                return await work(proxy, Calls(me, proxy.url))
        finally:
            await served.close()

    return at_once(run)


def sent(world: World) -> list[str]:
    chat = world.inbox("me").get("filehelper")
    return [message.text for message in chat.messages] if chat else []


def order(proxy: FaultProxy, verb: str, **fields: int | str) -> Request:
    """Send a request to the control port: GET if there are no fields, otherwise POST."""
    body = json.dumps(fields).encode()
    return Request(
        endpoint="control",
        method="POST" if fields else "GET",
        url=f"{proxy.control}/{verb}",
        body=body if fields else b"",
    )


# -- forwarding ------------------------------------------------------------------------------------------------------


def test_without_a_fault_requests_and_answers_are_forwarded_unchanged(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> tuple[ReceivedAnswer, list[ReceivedAnswer]]:
        direct = await ask(proxy.to, calls.fetch())
        async with connected(proxy.url) as line:
            return direct, [await line.ask(calls.fetch()) for _ in range(3)]

    direct, answers = between(me, work)
    for answer in answers:
        assert (answer.status, answer.body, answer.end) == (direct.status, direct.body, "kept")


def test_a_large_answer_and_a_large_request_are_forwarded(me: Page) -> None:
    content = b"\x89PNG\r\n\x1a\n" + bytes(5 << 20)

    async def work(proxy: FaultProxy, calls: Calls) -> tuple[ReceivedAnswer, ReceivedAnswer]:
        calls.picture = me.world.picture("ahua", "me", content).id
        padded = Request(
            endpoint="any",
            method="POST",
            url=f"{proxy.url}/cgi-bin/mmwebwx-bin/webwxsync",
            body=b" " * (3 << 20) + b"{}",
        )
        return await ask(proxy.url, calls.image()), await ask(proxy.url, padded)

    image, refused = between(me, work)
    assert image.body == content
    assert refused.json["BaseResponse"]["Ret"] == 1101


def test_a_held_poll_ends_when_its_client_disconnects() -> None:
    async def run() -> tuple[str, ...]:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            received.append("asked")
            await reader.read()
            received.append("hung up")
            writer.close()

        received = list[str]()
        async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with FaultProxy(f"http://127.0.0.1:{port}") as proxy:
                async with connected(proxy.url) as line:
                    assert await line.ask(b"GET / HTTP/1.1\r\n\r\n") == (b"", "kept")
                    assert received == ["asked"]
                await asyncio.sleep(1)
                return tuple(received)

    assert at_once(run) == ("asked", "hung up")


def test_an_unreachable_server_is_a_closed_connection(me: Page) -> None:
    async def run() -> tuple[ReceivedAnswer, ...]:
        served = await serve(me.sandbox)
        async with FaultProxy(served.url) as proxy:
            calls = Calls(me, proxy.url)
            async with connected(proxy.url) as line:
                await line.ask(calls.fetch())
                await served.close()
                again = await line.ask(calls.fetch())
            return again, await ask(proxy.url, calls.fetch())

    assert at_once(run) == ((b"", "closed"), (b"", "closed"))


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"CONNECT wx.qq.com:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 501 "),
        (b"nonsense\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\n", b""),
    ],
)
def test_bytes_that_are_not_http_affect_no_other_connection(me: Page, said: bytes, answer: bytes) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> tuple[ReceivedAnswer, ReceivedAnswer]:
        seen = await ask(proxy.url, said)
        return seen, await ask(proxy.url, calls.fetch())

    seen, after = between(me, work)
    assert seen.said.startswith(answer)
    assert after.status == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("half", [b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b"])
@pytest.mark.parametrize("is_order", [False, True])
def test_a_head_that_is_not_complete_within_ten_seconds_ends_the_connection(
    me: Page, half: bytes, is_order: bool
) -> None:
    async def work(proxy: FaultProxy, _: Calls) -> tuple[str, float]:
        async with connected(proxy.control if is_order else proxy.url) as line:
            assert (await line.ask(b"", patience=30)).end == "kept"
            begun = asyncio.get_running_loop().time()
            seen = await line.ask(half, patience=60)
            return seen.end, asyncio.get_running_loop().time() - begun

    end, seconds = between(me, work)
    assert end == "closed"
    assert 10 <= seconds < 20


@pytest.mark.parametrize(
    "to", ["http://192.168.0.2:8790", "http://wx.qq.com", "https://127.0.0.1:8790", "127.0.0.1:8790"]
)
def test_the_proxy_accepts_only_a_server_on_this_machine(to: str) -> None:
    with pytest.raises(ValueError, match="plain HTTP on this machine"):
        FaultProxy(to)


def test_the_proxy_listens_on_loopback_only(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> tuple[str, ...]:
        return proxy.url, proxy.control

    for address in between(me, work):
        assert address.startswith("http://127.0.0.1:")


def test_the_proxy_imports_no_http_library() -> None:
    program = "import sys; import webwx.sandbox.proxy; print('aiohttp' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )


# -- faults ----------------------------------------------------------------------------------------------------------


def test_faults_happen_to_the_next_requests_and_are_logged(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> FaultProxy:
        proxy.set("lost_answer:times=1,endpoint=webwxsendmsg", "latency:endpoint=synccheck")
        me.world.say("ahua", "me", "one")
        await ask(proxy.url, calls.check())
        await ask(proxy.url, calls.text("a"))
        await ask(proxy.url, calls.text("b"))
        await ask(proxy.url, Request(endpoint="any", method="GET", url=f"{proxy.url}/secret?uuid=x"))
        return proxy

    proxy = between(me, work)
    assert sent(me.world) == ["a", "b"]
    assert [(entry.request, entry.endpoint, entry.faults) for entry in proxy.log] == [
        (1, "synccheck", ("latency",)),
        (2, "webwxsendmsg", ("lost_answer",)),
    ]
    assert (proxy.requests, proxy.counts) == (4, {"latency": 1, "lost_answer": 1})


def test_an_unknown_path_is_not_logged(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> list[FaultedRequest]:
        proxy.set("latency")
        await ask(proxy.url, Request(endpoint="any", method="GET", url=f"{proxy.url}/secret?uuid=x"))
        return proxy.log

    assert [entry.endpoint for entry in between(me, work)] == ["other"]


def test_setting_no_fault_removes_all(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> ReceivedAnswer:
        proxy.set("reset_before")
        proxy.set()
        return await ask(proxy.url, calls.fetch())

    assert between(me, work).status == "HTTP/1.1 200 OK"


def test_an_invalid_rule_sets_no_fault(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> tuple[ActiveRule, ...]:
        with pytest.raises(Impossible):
            proxy.set("latency", "html_page")
        return proxy.faults.rules

    assert between(me, work) == ()


def test_equal_seeds_give_equal_faults_for_equal_requests(me: Page) -> None:
    def day(seed: int) -> tuple[list[tuple[int, str]], list[tuple[str, ...]]]:
        async def work(proxy: FaultProxy, calls: Calls) -> tuple[list[tuple[int, str]], list[tuple[str, ...]]]:
            proxy.set("reset_midway@0.4", "sliced@0.5", "lost_answer@0.2")
            ends = [await ask(proxy.url, calls.fetch()) for _ in range(12)]
            return [(len(seen.said), seen.end) for seen in ends], [entry.faults for entry in proxy.log]

        return between(me, work, seed=seed)

    assert day(3) == day(3)
    assert day(3)[1] != day(4)[1]


def test_closing_ends_all_connections(me: Page) -> None:
    async def run() -> tuple[ReceivedAnswer, ...]:
        served = await serve(me.sandbox)
        proxy = FaultProxy(served.url)
        await proxy.__aenter__()
        proxy.set("blackhole")
        calls = Calls(me, proxy.url)
        async with connected(proxy.url) as line:
            waiting = asyncio.create_task(line.ask(calls.fetch(), patience=1000))
            await asyncio.sleep(1)
            await proxy.__aexit__(None, None, None)
            seen = await waiting
        await served.close()
        return seen, await ask(proxy.url, calls.fetch())

    assert at_once(run) == ((b"", "closed"), (b"", "refused"))


def test_a_taken_port_is_an_error(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> None:
        port = int(proxy.url.rpartition(":")[2])
        for ports in ({"port": port}, {"control_port": port}):
            with pytest.raises(OSError, match="in use"):
                async with FaultProxy(proxy.to, **ports):
                    pass

    between(me, work)


# -- control port ----------------------------------------------------------------------------------------------------


def test_the_control_api_has_its_own_port(me: Page) -> None:
    async def work(
        proxy: FaultProxy, calls: Calls
    ) -> tuple[ReceivedAnswer, ReceivedAnswer, ReceivedAnswer, ReceivedAnswer]:
        added = await ask(proxy.control, order(proxy, "faults", fault="reset_before", times=1))
        hit = await ask(proxy.url, calls.fetch())
        log = await ask(proxy.control, order(proxy, "log"))
        listed = await ask(proxy.control, order(proxy, "faults"))
        return added, hit, log, listed

    added, hit, log, listed = between(me, work)
    assert added.json == {"number": 1}
    assert hit == (b"", "reset")
    assert log.json == {
        "seed": 1,
        "requests": 1,
        "counts": {"reset_before": 1},
        "log": [{"request": 1, "endpoint": "webwxsync", "faults": ["reset_before"]}],
    }
    assert {item["where"] for item in listed.json["menu"]} == {"connection"}


def test_an_outage_can_be_started(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> tuple[str, ...]:
        async with connected(proxy.url) as line:
            await line.ask(calls.fetch())
            await ask(proxy.control, order(proxy, "outage", seconds=60))
            idle = await line.ask(calls.fetch())
        refused = await ask(proxy.url, calls.fetch())
        await asyncio.sleep(61)
        return idle.end, refused.end, (await ask(proxy.url, calls.fetch())).status

    assert between(me, work) == ("reset", "refused", "HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("verb", "fields", "status"),
    [
        ("faults", {"fault": "xyz"}, "409"),
        ("outage", {"seconds": -1}, "400"),
        ("nothing", {"x": 1}, "404"),
    ],
)
def test_invalid_control_requests_are_refused(me: Page, verb: str, fields: dict[str, Any], status: str) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> ReceivedAnswer:
        return await ask(proxy.control, order(proxy, verb, **fields))

    answer = between(me, work)
    assert status in answer.status
    assert answer.json["error"].endswith(".") or answer.json["error"].endswith("?")


def test_a_control_request_of_another_origin_is_refused(me: Page) -> None:
    async def work(proxy: FaultProxy, calls: Calls) -> tuple[ReceivedAnswer, tuple[ActiveRule, ...]]:
        foreign = order(proxy, "faults", fault="blackhole").with_headers(("Origin", "https://evil.example"))
        return await ask(proxy.control, foreign), proxy.faults.rules

    answer, rules = between(me, work)
    assert "403" in answer.status
    assert rules == ()
