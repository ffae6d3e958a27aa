"""The catalogue: every fault on the wire, its random choices, scripts, and invalid rules."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.sandbox.conftest import Page
from tests.sandbox.wire import ReceivedAnswer, ask, at_once, connected

from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    BatchContactsRequest,
    ContactKey,
    ContactsRequest,
)
from webwx.protocol.hosts import single
from webwx.protocol.http import Headers, Request, http_time
from webwx.protocol.login import LOGIN_POLL, TICKET, PollRequest, TicketRequest
from webwx.protocol.media import GETMSGIMG, ImageDownloadRequest
from webwx.protocol.messages import TEXT, OutgoingText, TextRequest
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncRequest
from webwx.sandbox.answer_faults import AnswerFault
from webwx.sandbox.connection_faults import AtConnect, ConnectionFault
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.errors import Impossible
from webwx.sandbox.faults import (
    ANSWER_FAULTS,
    CATALOGUE,
    CONNECTION_FAULTS,
    FAULTS,
    FaultInjector,
    FaultRule,
    catalogue,
)
from webwx.sandbox.options import Options
from webwx.sandbox.proxy import FaultProxy
from webwx.sandbox.serve import serve
from webwx.sandbox.world import World

# -- each fault on the wire ------------------------------------------------------------------------------------------


class Calls:
    """Requests of a logged-in page, which a test can send to any port."""

    def __init__(self, me: Page, url: str) -> None:
        self._me = me
        self.hosts = single(url)
        self.picture = ""

    def text(self, words: str = "hi") -> Request:
        outgoing = OutgoingText(content=words, from_user_name=self._me.me, to_user_name="filehelper", local_id="1")
        return TEXT.encode_request(TextRequest(credentials=self._me.credentials, msg=outgoing), self.hosts)

    def check(self) -> Request:
        request = CheckRequest(sid=self._me.credentials.sid, synckey=str(self._me.check_key))
        return SYNCCHECK.encode_request(request, self.hosts)

    def fetch(self) -> Request:
        request = SyncRequest(credentials=self._me.credentials, sync_key=self._me.sync_key)
        return WEBWXSYNC.encode_request(request, self.hosts)

    def contacts(self) -> Request:
        return GETCONTACT.encode_request(ContactsRequest(), self.hosts, self._cookie)

    def batch(self, *who: str) -> Request:
        keys = tuple(ContactKey(user_name=self._me.name(each)) for each in who or ("ahua", "lilei"))
        request = BatchContactsRequest(credentials=self._me.credentials, count=len(keys), list=keys)
        return BATCHGETCONTACT.encode_request(request, self.hosts)

    def room(self) -> Request:
        return self.batch(*self._me.world.chatrooms)

    def image(self) -> Request:
        return GETMSGIMG.encode_request(ImageDownloadRequest(message_id=self.picture), self.hosts, self._cookie)

    def exchange(self) -> Request:
        uuid = self._me.new_code()
        self._me.world.scan("zhangsan", uuid)
        self._me.world.confirm(uuid)
        query = self._me.call(LOGIN_POLL, PollRequest(uuid=uuid)).redirect_uri.partition("?")[2]
        return TICKET.encode_request(TicketRequest(redirect_query=query, version="v2"), self.hosts)

    @property
    def _cookie(self) -> Headers:
        return (("Cookie", f"wxsid={self._me.credentials.sid}"),)


@pytest.fixture
def options() -> Options:
    return Options(contact_page_size=4)


@pytest.fixture
def news(me: Page, png: bytes) -> Page:
    """
    The world with changes that wait for the logged-in page: texts of a friend and a chatroom, a picture, and a recall.
    """
    me.world.say("ahua", "me", "one")
    me.world.say("lilei", "hiking", "two")
    me.world.picture("ahua", "me", png)
    me.world.recall("lilei", "hiking")
    return me


@asynccontextmanager
async def through(way: str, sandbox: SandboxCore) -> AsyncIterator[Any]:
    """
    Open the sandbox's port, with or without a proxy before it; yields the address, and the object that holds the
    faults.
    """
    served = await serve(sandbox)
    try:
        if way == "port":
            yield served.url, sandbox.world.faults
        else:
            async with FaultProxy(served.url, seed=1) as proxy:
                yield proxy.url, proxy.faults
    finally:
        await served.close()


def look(
    news: Page, way: str, name: str, call: str, options: dict[str, Any] | None = None, *, patience: float = 1.0
) -> tuple[ReceivedAnswer, ...]:
    """Return the answers to a call without and with a fault."""

    async def run() -> tuple[ReceivedAnswer, ...]:
        async with through(way, news.sandbox) as (url, faults):
            calls = Calls(news, url)
            (calls.picture,) = [each.id for each in news.world.inbox("me")["ahua"].messages if each.kind == "image"]
            good = await ask(url, getattr(calls, call)())
            faults.add(FaultRule(fault=name, times=1, options=options or {}))
            return good, await ask(url, getattr(calls, call)(), patience=patience)

    return at_once(run)


def texts(seen: ReceivedAnswer) -> list[str]:
    return [message["Content"] for message in seen.json["AddMsgList"]]


def ids(seen: ReceivedAnswer) -> list[str]:
    return [message["MsgId"] for message in seen.json["AddMsgList"]]


def key(seen: ReceivedAnswer, name: str = "SyncKey") -> list[tuple[int, ...]]:
    return [(pair["Key"], pair["Val"]) for pair in seen.json[name]["List"]]


def without_date(seen: ReceivedAnswer) -> dict[str, str]:
    return {name: value for name, value in seen.headers.items() if name not in {"date", "server"}}


Comparison = Callable[[ReceivedAnswer, ReceivedAnswer], object]

SAYS: dict[str, tuple[str, dict[str, Any], Comparison]] = {
    "ret": ("fetch", {"ret": 1101}, lambda good, bad: bad.json["BaseResponse"]["Ret"] == 1101),
    "html_page": ("fetch", {}, lambda good, bad: "200" in bad.status and bad.body.startswith(b"<!DOCTYPE html>")),
    "status": ("fetch", {"code": 429}, lambda good, bad: "429" in bad.status and b"<html>" in bad.body),
    "unavailable": ("fetch", {}, lambda good, bad: "503" in bad.status and bad.body == b""),
    "redirect_nowhere": (
        "fetch",
        {"code": 301},
        lambda good, bad: "301" in bad.status and "location" not in bad.headers,
    ),
    "redirect_away": ("fetch", {}, lambda good, bad: "302" in bad.status and "evil" in bad.headers["location"]),
    "foreign_json": (
        "fetch",
        {"body": "[]"},
        lambda good, bad: (bad.headers["content-type"], bad.body) == ("application/json", b"[]"),
    ),
    "no_ret": ("text", {}, lambda good, bad: good.json.keys() - bad.json.keys() == {"BaseResponse"}),
    "no_message_id": (
        "text",
        {},
        lambda good, bad: bool(good.json["MsgID"]) and (bad.json["MsgID"], bad.json["BaseResponse"]["Ret"]) == ("", 0),
    ),
    "empty": ("fetch", {}, lambda good, bad: "200" in bad.status and bad.headers["content-length"] == "0"),
    "truncated": ("fetch", {"at": 100}, lambda good, bad: bad.body == good.body[:100] and bad.end == "kept"),
    "wrong_charset": ("fetch", {}, lambda good, bad: bad.headers["content-type"] == "text/plain; charset=iso-8859-1"),
    "no_content_type": ("fetch", {}, lambda good, bad: "content-type" not in bad.headers and bad.body == good.body),
    "gzip_wrong": ("fetch", {}, lambda good, bad: bad.headers["content-encoding"] == "gzip" and bad.body == good.body),
    "gzip_bomb": ("fetch", {"mebibytes": 2}, lambda good, bad: gzip.decompress(bad.body) == bytes(2 << 20)),
    "wrong_clock": ("fetch", {"seconds": -86400}, lambda good, bad: date(good) - date(bad) == 86400),
    "nothing": ("fetch", {}, lambda good, bad: good.body == bad.body),
    "sticky_selector": ("check", {"selector": 6}, lambda good, bad: bad.body.endswith(b'{retcode:"0",selector:"6"}')),
    "unknown_selector": ("check", {}, lambda good, bad: bad.body.endswith(b'{retcode:"0",selector:"99"}')),
    "repeated_key": ("fetch", {}, lambda good, bad: key(good) > key(bad) == key(bad, "SyncCheckKey")),
    "null_key": ("fetch", {}, lambda good, bad: bad.json["SyncKey"] is bad.json["SyncCheckKey"] is None),
    "empty_key": ("fetch", {}, lambda good, bad: bad.json["SyncKey"] == {"Count": 0, "List": []}),
    "shrunk_key": ("fetch", {}, lambda good, bad: key(bad) == key(good)[:1]),
    "rewound_key": ("fetch", {}, lambda good, bad: key(bad)[1][1] < key(good)[1][1] and key(bad)[3] == key(good)[3]),
    "reordered_key": ("fetch", {}, lambda good, bad: key(bad) != key(good) and sorted(key(bad)) == sorted(key(good))),
    "no_check_key": ("fetch", {}, lambda good, bad: "SyncCheckKey" not in bad.json and key(bad) == key(good)),
    "continue_run": ("fetch", {}, lambda good, bad: (len(ids(bad)), bad.json["ContinueFlag"]) == (1, 1)),
    "continue_forever": ("fetch", {}, lambda good, bad: bad.json["ContinueFlag"] == 1 and ids(bad) == ids(good)),
    "missing_messages": (
        "fetch",
        {"list": "short"},
        lambda good, bad: (bad.json["AddMsgCount"], len(ids(bad))) == (len(ids(good)), len(ids(good)) - 1),
    ),
    "doubled_batch": ("fetch", {}, lambda good, bad: ids(bad) == ids(good) * 2),
    "shuffled_batch": ("fetch", {}, lambda good, bad: ids(bad) != ids(good) and sorted(ids(bad)) == sorted(ids(good))),
    "message_id": ("fetch", {"id": str(2**64)}, lambda good, bad: set(ids(bad)) == {"18446744073709551616"}),
    "same_id": ("fetch", {}, lambda good, bad: len(set(ids(bad))) == 1 and texts(bad) == texts(good)),
    "flood": ("fetch", {"count": 70}, lambda good, bad: len(ids(bad)) == len(ids(good)) + 70),
    "unknown_chatroom": ("fetch", {}, lambda good, bad: is_from_nowhere(good, bad)),
    "unknown_member": ("fetch", {}, lambda good, bad: texts(bad)[0] == "one" and is_of_another(good, bad)),
    "recall_without_id": (
        "fetch",
        {},
        lambda good, bad: "msgid&gt;" in texts(good)[3] and "msgid" not in texts(bad)[3],
    ),
    "rotated_skey": ("fetch", {}, lambda good, bad: bad.json["SKey"].startswith("@crypt_") and not good.json["SKey"]),
    "contact_loop": ("contacts", {"seq": 7}, lambda good, bad: bad.json["Seq"] == 7),
    "no_seq": ("contacts", {}, lambda good, bad: good.json["Seq"] == 4 and "Seq" not in bad.json),
    "null_list": ("contacts", {}, lambda good, bad: (bad.json["MemberList"], bad.json["MemberCount"]) == (None, 4)),
    "lost_contacts": (
        "contacts",
        {},
        lambda good, bad: (len(bad.json["MemberList"]), bad.json["MemberCount"]) == (1, 4),
    ),
    "many_contacts": ("contacts", {"count": 90}, lambda good, bad: bad.json["MemberCount"] == 94),
    "cut_batch": ("batch", {"most": 1}, lambda good, bad: (good.json["Count"], bad.json["Count"]) == (2, 1)),
    "lost_members": ("room", {"most": 2}, lambda good, bad: members(good)[0] > members(bad)[0] == 2),
    "evicted": ("check", {}, lambda good, bad: b'retcode:"1101"' in bad.body),
    "phone_logout": ("fetch", {}, lambda good, bad: bad.json["BaseResponse"]["Ret"] == 1100),
    "phone_offline": ("text", {}, lambda good, bad: bad.json["BaseResponse"]["Ret"] == 3),
    "rotated_cookies": ("fetch", {}, lambda good, bad: bad.headers["set-cookie"].startswith("webwx_data_ticket=gS")),
    "no_ticket": ("exchange", {}, lambda good, bad: b"webwx_data_ticket" in good.said and lacks_only_the_ticket(bad)),
    "media_empty": ("image", {}, lambda good, bad: good.body and bad.body == b"" and "200" in bad.status),
    "media_gone": ("image", {}, lambda good, bad: "404" in bad.status),
    "media_page": ("image", {}, lambda good, bad: "200" in bad.status and b"<html>" in bad.body),
    "media_partial": ("image", {}, lambda good, bad: "206" in bad.status and good.body.startswith(bad.body)),
    "recalled_first": ("image", {}, lambda good, bad: good.body and bad.body == b""),
}
"""Faults of the response: the call, the options, and the difference from a good answer to the same call."""


def members(seen: ReceivedAnswer) -> list[int]:
    return [len(contact["MemberList"]) for contact in seen.json["ContactList"]]


def date(seen: ReceivedAnswer) -> float:
    time = http_time(seen.headers["date"])
    assert time is not None
    return time


def is_from_nowhere(good: ReceivedAnswer, bad: ReceivedAnswer) -> bool:
    others = [
        (message["FromUserName"], message["Content"]) for message in bad.json["AddMsgList"] if message["MsgType"] == 1
    ]
    known = {message["FromUserName"] for message in good.json["AddMsgList"]}
    return all(sender.startswith("@@") and sender not in known and ":<br/>" in text for sender, text in others)


def is_of_another(good: ReceivedAnswer, bad: ReceivedAnswer) -> bool:
    member, _, words = texts(bad)[1].partition(":<br/>")
    was, _, were = texts(good)[1].partition(":<br/>")
    return member != was and words == were == "two"


def lacks_only_the_ticket(bad: ReceivedAnswer) -> bool:
    return b"webwx_data_ticket" not in bad.said and b"wxsid" in bad.said


@pytest.mark.parametrize("name", SAYS)
def test_a_fault_of_the_response(name: str, news: Page) -> None:
    call, options, is_seen = SAYS[name]
    good, bad = look(news, "port", name, call, options)
    assert good.status == "HTTP/1.1 200 OK"
    assert is_seen(good, bad), (good, bad)


OF_MESSAGES = (
    "missing_messages", "doubled_batch", "shuffled_batch", "message_id", "same_id", "unknown_chatroom",
    "unknown_member", "recall_without_id",
)  # fmt: skip
"""Faults that change the messages of a fetch."""


@pytest.mark.parametrize("form", ["null", "text", "object", "absent", "short"])
@pytest.mark.parametrize("other", OF_MESSAGES)
def test_a_fetch_without_some_messages_announces_them_also_with_another_fault(
    other: str, form: str, news: Page
) -> None:
    async def run() -> ReceivedAnswer:
        async with through("port", news.sandbox) as (url, faults):
            faults.add(f"missing_messages:list={form}")
            faults.add(other)
            return await ask(url, Calls(news, url).fetch())

    bad = at_once(run)
    assert bad.status == "HTTP/1.1 200 OK"
    assert bad.json["AddMsgCount"] > len(bad.json.get("AddMsgList") or ())


DOES: dict[str, tuple[dict[str, Any], Comparison, int | None]] = {
    "refused": ({"seconds": 30}, lambda good, bad: bad == (b"", "reset"), 0),
    "reset_at_connect": ({}, lambda good, bad: bad == (b"", "reset"), 0),
    "reset_before": ({}, lambda good, bad: bad == (b"", "reset"), 0),
    "reset_after": ({}, lambda good, bad: bad == (b"", "reset"), 1),
    "reset_midway": ({"at": 40}, lambda good, bad: bad.end == "reset" and len(bad.said) in {0, 40}, 1),
    "closed_in_head": ({"at": 9}, lambda good, bad: bad == (b"HTTP/1.1 ", "closed"), 1),
    "closed_in_body": ({"at": 5}, lambda good, bad: bad.end == "closed" and is_short(bad), 1),
    "media_cut": (
        {},
        lambda good, bad: bad.end == "closed" and len(bad.body) < int(bad.headers["content-length"]),
        None,
    ),
    "blackhole": ({}, lambda good, bad: bad == (b"", "kept"), 0),
    "lost_answer": ({}, lambda good, bad: bad == (b"", "kept"), 1),
    "late_answer": ({"seconds": 0.5}, lambda good, bad: size(bad) == size(good), 1),
    "media_late": ({"seconds": 0.5}, lambda good, bad: bad.body == good.body, None),
    "garbage_status": ({}, lambda good, bad: bad.status == "HTTP/1.1 0" and bad.end == "closed", 1),
    "http_0_9": ({}, lambda good, bad: bad.said.startswith(b"{") and bad.end == "closed", 1),
    "wrong_length": ({"by": -5}, lambda good, bad: len(bad.body) == int(bad.headers["content-length"]) + 5, 1),
    "endless_chunks": ({}, lambda good, bad: bad.end == "kept" and bad.said.endswith(b"1\r\n \r\n"), 1),
    "answer_twice": ({}, lambda good, bad: bad.said.count(b"HTTP/1.1 200") == 2, 1),
    "request_twice": ({}, lambda good, bad: size(bad) == size(good), 2),
    "latency": ({}, lambda good, bad: size(bad) == size(good), 1),
    "sliced": ({"size": 3}, lambda good, bad: size(bad) == size(good), 1),
    "slow": ({"rate": 500}, lambda good, bad: size(bad) == size(good), 1),
    "stale_connection": ({}, lambda good, bad: size(bad) == size(good), 1),
}
"""Faults of the connection: the options, the effect, and how often the request was carried out."""


def size(seen: ReceivedAnswer) -> int:
    return len(seen.body)


def is_short(seen: ReceivedAnswer) -> bool:
    return len(seen.body) == 5 < int(seen.headers["content-length"])


@pytest.mark.parametrize("way", ["port", "proxy"])
@pytest.mark.parametrize("name", DOES)
def test_a_fault_of_the_connection(name: str, way: str, news: Page) -> None:
    options, is_seen, times = DOES[name]
    call = "text" if times is not None else "image"
    good, bad = look(news, way, name, call, options, patience=5.0)
    assert good.end == "kept"
    assert is_seen(good, bad), (good, bad)
    if times is not None:
        assert len(news.world.inbox("me")["filehelper"].messages) == 1 + times


@pytest.mark.parametrize("way", ["port", "proxy"])
def test_an_outage_resets_all_refuses_all_and_passes(way: str, news: Page) -> None:
    async def run() -> None:
        async with through(way, news.sandbox) as (url, faults):
            calls = Calls(news, url)
            async with connected(url) as idle:
                await idle.ask(calls.text())
                faults.add("refused:seconds=30,times=1")
                assert (await ask(url, calls.text())).end == "reset"
                assert (await idle.ask(calls.text())).end == "reset"
            assert (await ask(url, calls.text())).end == "refused"
            async with connected_after(url, 31) as line:
                assert (await line.ask(calls.text())).status == "HTTP/1.1 200 OK"

    at_once(run)


def test_an_outage_ends_when_its_server_closes(news: Page) -> None:
    async def run() -> ReceivedAnswer:
        served = await serve(news.sandbox)
        calls = Calls(news, served.url)
        news.world.faults.add("refused:seconds=30,times=1")
        await ask(served.url, calls.text())
        await served.close()
        await asyncio.sleep(60)
        return await ask(served.url, calls.text())

    assert at_once(run) == (b"", "refused")


def test_connection_close_is_honoured_after_a_broken_answer(news: Page) -> None:
    async def run() -> ReceivedAnswer:
        async with through("port", news.sandbox) as (url, faults):
            faults.add("wrong_charset")
            return await ask(url, Calls(news, url).fetch().with_headers(("Connection", "close")))

    assert at_once(run).end == "closed"


@asynccontextmanager
async def connected_after(url: str, seconds: int) -> AsyncIterator[Any]:
    await asyncio.sleep(seconds)
    async with connected(url) as line:
        yield line


@pytest.mark.parametrize("way", ["port", "proxy"])
def test_a_stale_connection_resets_the_next_request_and_no_other(way: str, news: Page) -> None:
    async def run() -> None:
        async with through(way, news.sandbox) as (url, faults):
            calls = Calls(news, url)
            faults.add("stale_connection:times=1")
            async with connected(url) as line:
                assert (await line.ask(calls.text("a"))).status == "HTTP/1.1 200 OK"
                assert await line.ask(calls.text("b")) == (b"", "reset")
            assert (await ask(url, calls.text("c"))).status == "HTTP/1.1 200 OK"

    at_once(run)
    assert [message.text for message in news.world.inbox("me")["filehelper"].messages] == ["a", "c"]


def test_an_answer_is_complete_after_a_fault_on_the_same_connection(news: Page) -> None:
    async def run() -> list[ReceivedAnswer]:
        async with through("port", news.sandbox) as (url, faults):
            calls = Calls(news, url)
            faults.add("latency:times=1")
            async with connected(url) as line:
                return [await line.ask(calls.fetch()) for _ in range(2)]

    first, second = at_once(run)
    assert first.body == second.body
    assert (first.end, second.end) == ("kept", "kept")


def test_each_fault_is_tested_on_the_wire_here_or_at_a_handshake() -> None:
    tls = {str(kind.__struct_config__.tag) for kind in CATALOGUE["TLS"]}
    assert {*SAYS, *DOES} | tls == set(FAULTS)
    assert not {*SAYS} & {*DOES}


def test_fault_names_are_unique_and_described() -> None:
    described = catalogue()
    assert len({each.name for each in described}) == len(described) == sum(map(len, CATALOGUE.values()))
    for each in described:
        assert each.does.endswith(".")
        assert each.does.count(". ") == 0, "one sentence"


# -- rng ------------------------------------------------------------------------------------------------------------

REQUESTS = ["synccheck", "webwxsync", "webwxsendmsg"] * 40


def drawn(faults: FaultInjector, calls: list[str]) -> dict[str, list[list[str]]]:
    """Return the faults that happen to some calls, by call."""
    happened = dict[str, list[list[str]]]()
    for call in calls:
        hits = faults.match((AnswerFault, ConnectionFault), call)
        happened.setdefault(call, []).append([type(hit.fault).__name__ for hit in hits])
    return happened


def test_equal_seeds_give_equal_faults() -> None:
    def day(seed: int) -> dict[str, list[list[str]]]:
        faults = FaultInjector((*ANSWER_FAULTS, *CONNECTION_FAULTS), seed=seed)
        for rule in ("truncated@0.3", "lost_answer@0.2", "latency@0.5"):
            faults.add(rule)
        return drawn(faults, REQUESTS)

    assert day(7) == day(7)
    assert day(7) != day(8)


def test_the_order_of_different_calls_does_not_change_their_faults() -> None:
    def day(calls: list[str]) -> dict[str, list[list[str]]]:
        faults = FaultInjector(seed=7)
        faults.add("truncated@0.3")
        return drawn(faults, calls)

    assert day(REQUESTS) == day(sorted(REQUESTS))


def test_the_bytes_of_a_seeded_fault_are_reproducible(make_sandbox: Callable[..., Any]) -> None:
    def cut(seed: int) -> list[int]:
        page = make_sandbox()
        page.world.faults = FaultInjector(seed=seed)
        page.world.faults.add("truncated")
        return [len(page.ask(WEBWXSYNC, SyncRequest(credentials=page.credentials)).body) for _ in range(5)]

    assert cut(1) == cut(1)
    assert len({*cut(1)}) > 1
    assert cut(1) != cut(2)


@pytest.fixture
def make_sandbox(make_world: Callable[..., World], new_page: Callable[..., Page]) -> Callable[..., Any]:
    return lambda: new_page(SandboxCore(make_world())).login()


def test_setting_the_seed_again_repeats_the_faults() -> None:
    faults = FaultInjector()
    faults.add("truncated:times=1")
    faults.match(ANSWER_FAULTS, "webwxsync")
    faults.add("empty@0.5")
    faults.reseed(7)
    once = drawn(faults, ["webwxsync"] * 40)
    faults.reseed(7)
    assert drawn(faults, ["webwxsync"] * 40) == once
    faults.reseed(8)
    assert drawn(faults, ["webwxsync"] * 40) != once


def test_a_callback_runs_when_a_fault_happens_or_the_active_faults_change() -> None:
    faults, called = FaultInjector(), []
    unsubscribe = faults.subscribe(lambda: called.append(len(faults.rules)))
    faults.add("empty:times=1")
    faults.match(ANSWER_FAULTS, "webwxsync")
    faults.match(ANSWER_FAULTS, "webwxsync")
    faults.follow(["nothing"])
    faults.reset()
    unsubscribe()
    faults.reseed(1)
    assert called == [1, 0, 0, 0]


def test_a_set_without_a_seed_reports_its_random_seed() -> None:
    assert FaultInjector().seed != FaultInjector().seed


def test_a_fault_happens_about_as_often_as_its_probability() -> None:
    faults = FaultInjector(seed=1)
    rule = faults.add("empty@0.25")
    drawn(faults, ["webwxsync"] * 1000)
    assert 200 < rule.hits < 300


# -- rules and scripts -----------------------------------------------------------------------------------------------


def test_a_fault_is_active_until_it_is_removed() -> None:
    faults = FaultInjector()
    rule = faults.add("empty")
    drawn(faults, ["webwxsync"] * 50)
    assert (rule.hits, faults.rules) == (50, (rule,))
    faults.reset()
    assert faults.match(ANSWER_FAULTS, "webwxsync") == ()


def test_a_fault_happens_as_often_as_it_should() -> None:
    faults = FaultInjector()
    faults.add("empty:times=2")
    assert [len(faults.match(ANSWER_FAULTS, "webwxsync")) for _ in range(4)] == [1, 1, 0, 0]
    assert faults.rules == ()


def test_a_fault_applies_to_its_own_calls_or_to_the_given_one() -> None:
    faults = FaultInjector()
    faults.add("null_key")
    faults.add("empty:endpoint=webwxsendmsg")
    assert drawn(faults, ["synccheck", "webwxsync", "webwxsendmsg"]) == {
        "synccheck": [[]],
        "webwxsync": [["NullKey"]],
        "webwxsendmsg": [["Empty"]],
    }


def test_two_faults_that_replace_an_answer_happen_one_after_the_other() -> None:
    faults = FaultInjector()
    faults.add("ret:times=1,ret=1205")
    faults.add("html_page:times=1")
    assert drawn(faults, ["webwxsync"] * 3) == {"webwxsync": [["RefusedByNumber"], ["HtmlPage"], []]}


def test_faults_of_different_kinds_happen_together() -> None:
    faults = FaultInjector((*ANSWER_FAULTS, *CONNECTION_FAULTS))
    for name in ("no_check_key", "latency", "sliced", "reset_midway", "lost_answer"):
        faults.add(name)
    assert drawn(faults, ["webwxsync"]) == {"webwxsync": [["NoCheckKey", "Latency", "Sliced", "ResetMidway"]]}


def test_a_script_applies_one_line_to_each_request() -> None:
    faults = FaultInjector((*ANSWER_FAULTS, *CONNECTION_FAULTS))
    faults.follow(["empty", "nothing", "lost_answer:times=2", "ret:endpoint=synccheck", "truncated"])
    happened = drawn(faults, ["webwxsync"] * 5 + ["synccheck"] * 2)
    assert happened == {
        "webwxsync": [["Empty"], ["NoFault"], ["LostAnswer"], ["LostAnswer"], []],
        "synccheck": [["RefusedByNumber"], ["Truncated"]],
    }
    assert faults.script == ()


def test_a_new_script_replaces_the_old_one() -> None:
    faults = FaultInjector()
    faults.follow(["empty", "empty"])
    faults.follow(["truncated"])
    assert [rule.name for rule in faults.script] == ["truncated"]


# -- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("empty", FaultRule(fault="empty")),
        ("empty@0.5", FaultRule(fault="empty", probability=0.5)),
        ("truncated:at=3,times=2@1", FaultRule(fault="truncated", times=2, options={"at": "3"})),
        ("empty:endpoint=webwxsync", FaultRule(fault="empty", endpoint="webwxsync")),
        ("redirect_away:to=https://me@a.example/", FaultRule(fault="redirect_away", options={"to": "https://me@a.example/"})),
        ("message_id:id=", FaultRule(fault="message_id", options={"id": ""})),
    ],
)  # fmt: skip
def test_a_rule_is_read(text: str, rule: FaultRule) -> None:
    assert FaultRule.read(text) == rule


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sticky_selektor", "There is no fault 'sticky_selektor'; did you mean sticky_selector?"),
        ("xyz", "There is no fault 'xyz'; 'webwx phone faults' lists them."),
        ("truncated:att=3", "The fault 'truncated' has no option 'att'; it has at."),
        ("empty:at=3", "The fault 'empty' has no option 'at'; it has none."),
        ("truncated:at", "The option 'at' has no value: write truncated:at=VALUE."),
        ("truncated:at=x", "The fault 'truncated' has an invalid option: "),
        ("status:code=200", "The fault 'status' has an invalid option: "),
        ("empty:endpoint=webwxsnyc", "There is no call 'webwxsnyc'; did you mean webwxsync"),
        ("empty:endpoint=xyz", "There is no call 'xyz'; there are jslogin, "),
        ("empty:times=0", "times cannot be '0'; give 1 or more."),
        ("empty@2", "A probability must be more than 0 and at most 1."),
        ("slow", "The fault 'slow' cannot happen here: it needs a connection, and this server has no port."),
        ("tls_expired", "The fault 'tls_expired' cannot happen here: it needs TLS, as in 'webwx sandbox --tls'."),
    ],
)  # fmt: skip
def test_an_invalid_rule_is_explained(text: str, sentence: str) -> None:
    with pytest.raises(Impossible) as no:
        FaultInjector().add(text)
    assert str(no.value).startswith(sentence)


def test_a_proxy_injects_no_faults_of_the_response() -> None:
    with pytest.raises(Impossible, match="only the sandbox itself can inject it"):
        FaultInjector(CONNECTION_FAULTS).add("html_page")


def test_a_fault_before_the_request_cannot_name_a_call() -> None:
    with pytest.raises(Impossible, match="before a call is known"):
        FaultInjector(CONNECTION_FAULTS).add("reset_at_connect:endpoint=webwxsync")
    assert AtConnect in CONNECTION_FAULTS


def test_an_invalid_script_leaves_the_old_one() -> None:
    faults = FaultInjector()
    faults.follow(["empty"])
    with pytest.raises(Impossible):
        faults.follow(["truncated", "xyz"])
    assert [rule.name for rule in faults.script] == ["empty"]
