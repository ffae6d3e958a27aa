"""The traffic log: it stores and shows exchanges without secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.sandbox.conftest import Page, answered
from tests.secret_scanner import SecretScanner

from webwx.client.client import AsyncClient
from webwx.protocol.http import Body, Headers, Request, Response
from webwx.protocol.login import JSLOGIN
from webwx.sandbox.clock import VirtualClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.errors import Impossible
from webwx.sandbox.options import Options
from webwx.sandbox.traffic import SHOWN, SIZE, Traffic, indented
from webwx.sandbox.world import World
from webwx.transport.loopback import Loopback

HERE = "http://127.0.0.1:8790"


@pytest.fixture
def log() -> Traffic:
    return Traffic(VirtualClock(), set())


def get(path: str, *, body: Body = b"", headers: Headers = ()) -> Request:
    return Request(endpoint="any", method="GET", url=f"{HERE}{path}", body=body, headers=headers)


def control(sandbox: SandboxCore, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    method = "GET" if body is None else "POST"
    asked = Request(endpoint="any", method=method, url=f"{HERE}/control/{path}", body=json.dumps(body or {}).encode())
    response = answered(sandbox, asked)
    return response.status, json.loads(response.body)


# -- storing ---------------------------------------------------------------------------------------------------------


def test_an_exchange_is_summarised_in_one_line(sandbox: SandboxCore, page: Page, world: World) -> None:
    page.new_code()
    [line] = world.traffic.since()
    assert (line.number, line.endpoint, line.method, line.host) == (1, "jslogin", "GET", "127.0.0.1:8790")
    assert (line.is_open, line.status, line.ret, line.seconds, line.faults) == (False, 200, 200, 0.0, [])
    assert line.address.startswith("/jslogin?")
    assert (world.now, 0) == (line.time, line.sent)
    assert line.received > 20


def test_a_poll_is_open_until_it_is_answered(sandbox: SandboxCore, me: Page, world: World) -> None:
    park = me.hold_check()
    last = world.traffic.changes
    line = world.traffic.since()[-1]
    assert (line.endpoint, line.is_open, line.status) == ("synccheck", True, None)
    assert world.traffic.since(last) == []
    world.wind(25)
    me.check(parked=park)
    [answered] = world.traffic.since(last)
    assert (line.number, False, 200, 0, 25.0) == (
        answered.number, answered.is_open, answered.status, answered.ret, answered.seconds,
    )  # fmt: skip


def test_an_abandoned_poll_is_no_longer_open(sandbox: SandboxCore, me: Page, world: World) -> None:
    world.faults.add("truncated:endpoint=synccheck")
    sandbox.give_up(me.hold_check())
    line = world.traffic.since()[-1]
    assert (line.is_open, line.status) == (False, None)


@pytest.mark.parametrize(
    ("fault", "status"), [("blackhole", None), ("reset_after", 200), ("status:code=502", 502), ("ret:ret=1205", 200)]
)
def test_injected_faults_are_listed(
    sandbox: SandboxCore, me: Page, world: World, fault: str, status: int | None
) -> None:
    world.faults.kinds = (object,)
    world.faults.add(fault)
    me.ask(JSLOGIN, JSLOGIN.request())
    line = world.traffic.since()[-1]
    assert (status, [fault.partition(":")[0]], False) == (line.status, line.faults, line.is_open)


def test_requests_to_the_control_api_and_the_page_are_not_stored(sandbox: SandboxCore, world: World) -> None:
    answered(sandbox, get("/"))
    control(sandbox, "accounts")
    assert world.traffic.since() == []
    answered(sandbox, get("/favicon.ico"))
    [line] = world.traffic.since()
    assert (line.endpoint, line.address, line.status) == ("", "/favicon.ico", 404)


def test_only_the_last_exchanges_are_stored(log: Traffic) -> None:
    for number in range(SIZE + 1):
        log.end(log.begin(get(f"/{number}")), Response())
    assert [f"/{number}" for number in range(1, SIZE + 1)] == [line.address for line in log.since()]


def test_a_large_body_is_not_stored(log: Traffic) -> None:
    chunk = bytes(100_000)
    entry = log.begin(get("/", body=(b"head", chunk)))
    log.end(entry, Response(body=chunk))
    assert len(entry.body) < 10_000
    assert entry.answer is not None
    assert len(entry.answer[2]) < 10_000
    [line] = log.since()
    assert (line.sent, line.received) == (100_004, 100_000)


def test_subscribers_are_called_at_every_change(log: Traffic) -> None:
    called = []
    unsubscribe = log.subscribe(lambda: called.append(log.changes))
    entry = log.begin(get("/"))
    log.end(entry, Response())
    unsubscribe()
    log.begin(get("/"))
    assert called == [1, 2]


# -- showing ---------------------------------------------------------------------------------------------------------


def test_one_exchange_is_shown_with_headers_and_bodies(log: Traffic) -> None:
    request = get("/", headers=(("Content-Type", "text/plain"), ("X-A", "1")), body=b'{"a": [1, {"b": "c"}]}')
    log.end(log.begin(request), Response(headers=(("Content-Type", "image/png"),), body=b"\x89PNG"))
    shown = log.open(1)
    assert shown.request_headers == [("Content-Type", "text/plain"), ("X-A", "1")]
    assert shown.request_body == '{\n  "a": [\n    1,\n    {\n      "b": "c"\n    }\n  ]\n}'
    assert shown.answer_headers == [("Content-Type", "image/png")]
    assert (shown.answer_body, shown.received) == ("", 4)


def test_malformed_text_is_left_out_of_a_body(log: Traffic) -> None:
    body = b"--x\r\nname\r\n\xff\xd8\xff\x00\x01"
    log.end(log.begin(get("/", body=body)), Response(body=b"a" * (SHOWN + 1)))
    assert log.open(1).request_body == "--x\r\nname\r\n…"
    assert log.open(1).answer_body == "a" * SHOWN


def test_binary_bodies_are_described(log: Traffic) -> None:
    # An HTTP library makes a lone surrogate of each byte that is not UTF-8, and JSON cannot hold one.
    half = b"\xff".decode("utf-8", "surrogateescape")
    odd = Request(endpoint="any", method="GET", url=f"http://{half}/{half}", headers=((half, half),), body=b"\xff")
    log.end(log.begin(odd), Response(headers=((half, half),)))
    shown = json.loads(msgspec.json.encode(log.open(1)))
    assert (shown["host"], shown["address"], shown["request_headers"]) == (
        "\N{REPLACEMENT CHARACTER}",
        "/\N{REPLACEMENT CHARACTER}",
        [["\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}"]],
    )


@pytest.mark.parametrize(
    ("address", "endpoint"), [("/jslogin", "jslogin"), ("/%6Aslogin?a", "jslogin"), ("/l/a%3D", "l")]
)
def test_a_call_is_recognised_by_its_decoded_path(log: Traffic, address: str, endpoint: str) -> None:
    log.begin(get(address))
    assert log.since()[0].endpoint == endpoint


def test_a_forgotten_exchange_cannot_be_shown(log: Traffic) -> None:
    with pytest.raises(Impossible, match="There is no exchange 3"):
        log.open(3)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("{}", "{}"),
        ('{"a":***,"b":[]}', '{\n  "a": ***,\n  "b": []\n}'),
        ('{\n"a": "x,{\\"y', '{\n  "a": "x,{\\"y'),
        ("[1,2", "[\n  1,\n  2"),
        ("}1", "\n}1"),
    ],
)
def test_json_is_indented_even_where_it_is_malformed(text: str, lines: str) -> None:
    assert lines == indented(text)


# -- over the control API --------------------------------------------------------------------------------------------


def test_the_control_api_lists_changes(sandbox: SandboxCore, page: Page) -> None:
    page.new_code()
    page.login()
    _, all_of_it = control(sandbox, "wire")
    status, one_call = control(sandbox, "wire?after=2&endpoint=jslogin")
    assert status == 200
    assert {"jslogin", "login", "webwxnewloginpage", "webwxinit"} == {
        line["endpoint"] for line in all_of_it["exchanges"]
    }
    assert [line["number"] for line in one_call["exchanges"]] == [2]
    assert (200, {"last": all_of_it["last"], "exchanges": []}) == control(sandbox, f"wire?after={all_of_it['last']}")


def test_the_control_api_shows_and_clears_traffic(sandbox: SandboxCore, page: Page) -> None:
    page.new_code()
    status, shown = control(sandbox, "wire/exchange?number=1")
    assert (status, shown["endpoint"]) == (200, "jslogin")
    assert {"request_headers", "request_body", "answer_headers", "answer_body"} < shown.keys()
    assert control(sandbox, "wire/clear", {}) == (200, {})
    assert control(sandbox, "wire/exchange?number=1")[0] == 409


# -- no secret -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["web", "filehelper"])
async def test_displayed_traffic_has_no_secret(make_world: Callable[..., World], host: str) -> None:
    world = make_world(options=Options(auto_confirm=True))
    listener = SecretScanner()
    listener.watch(world.issued)
    transport = Loopback(SandboxCore(world))
    async with AsyncClient(server=HERE, host=host, transport=transport, clock=lambda: world.now) as client:
        await client.login()
        receipt = await client.send_file("filehelper", b"%PDF-1.7" + bytes(2000), name="a.pdf")
        await client.mark_read("filehelper")
        await client.recall(receipt)
        if host == "web":
            world.picture("阿华", "me", b"\xff\xd8\xff" + hashlib.sha256(b"").digest())
            await client.list_contacts()
            world.ask_friend("lilei", "me", "hello")
            await client.check()
        await client.logout()
    for line in world.traffic.since():
        listener.record(line.endpoint, msgspec.json.encode(world.traffic.open(line.number)).decode())
    assert listener.leaks() == []
    assert len(world.traffic.since()) > 8
