"""
The SDK under every fault of the catalogue, over a real port, on a virtual clock.

Two friends write while a client listens and sends; a fault affects some of its calls and ends; afterwards every message
has been delivered once, in order, and every send has its true outcome.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.conftest import PNG
from tests.client.virtual_loop import LoopClock, VirtualClockLoop

from webwx.client.client import AsyncClient
from webwx.errors import (
    ApiError,
    InvalidLogin,
    LoggedOut,
    ProtocolError,
    SendOutcomeUnknown,
    TlsError,
    TransportError,
)
from webwx.model.messages import Event, ImageMessage, TextMessage
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.faults import CATALOGUE, FAULTS, FaultRule
from webwx.sandbox.options import Options
from webwx.sandbox.serve import RunningSandbox, serve
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from webwx.model.contacts import Contact
    from webwx.model.login import QrCode
    from webwx.model.messages import Receipt
    from webwx.sandbox.world import World

    MakeWorld = Callable[..., World]

RECOVERY = 120.0
"""Maximum of virtual seconds until every message has been received after a fault."""

HITS = 3
"""Number of calls that a fault affects."""


@dataclass
class Day:
    """A server on a port, a client, and its received events and sends."""

    world: World
    served: RunningSandbox
    client: AsyncClient
    received: list[Event] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    """By text: `sent`, or the name of the error."""
    ended: LoggedOut | None = None
    said: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def show(self, code: QrCode) -> None:
        self.world.scan("me")
        self.world.confirm()

    async def log_in(self) -> None:
        await self.client.login(show_qr=self.show)

    async def listen(self) -> None:
        """Listen until the login ends."""
        try:
            async with self.client.events(include_all=False) as events:
                async for event in events:
                    self.received.append(event)
        except LoggedOut as end:
            self.ended = end

    def say(self, count: int = 1) -> None:
        """Send texts of a friend to the account and to the chatroom."""
        for _ in range(count):
            for chat in ("me", "周末爬山"):
                text = f"{chat} {next(self._numbers)}"
                self.said.append(text)
                self.world.say("ahua", chat, text)

    async def send(self) -> None:
        """Send a text, and note the reported outcome."""
        text = f"out {next(self._numbers)}"
        try:
            await self.client.send_text("filehelper", text)
            self.sent[text] = "sent"
        except (TransportError, ProtocolError, ApiError) as error:  # Nothing here is refused locally.
            self.sent[text] = type(error).__name__

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.received if isinstance(event, TextMessage) and not event.is_self]

    def has_received_all(self) -> bool:
        return set(self.said) <= set(self.texts) or self.ended is not None

    def outbox(self) -> list[str]:
        """The messages that the phone shows in File Transfer Helper."""
        chat = self.world.inbox("me").get("filehelper")
        return [message.text for message in chat.messages] if chat else []


async def until(is_so: Callable[[], bool], seconds: float = 3600.0) -> None:
    """Advance the clock until a condition holds, for a limited time."""
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - nothing tells of it, and the wait takes no time
            await asyncio.sleep(5)


def on_a_day(
    make_world: MakeWorld,
    live: Callable[[Day], Coroutine[Any, Any, None]],
    *,
    journal: Path | None = None,
    tls: bool = False,
) -> None:
    """Open a server and a client, run a scenario, and close everything."""

    async def run() -> None:
        async with AsyncExitStack() as stack:
            world = make_world(clock=LoopClock(asyncio.get_running_loop()))
            served = await serve(SandboxCore(world), tls=tls)
            stack.push_async_callback(served.close)
            kept = None
            if journal is not None:
                kept = SqliteJournal(journal)
                stack.push_async_callback(kept.close)
            where: dict[str, Any] = {"server": served.url}
            if served.tls is not None:
                where = {"host": "wx.qq.com", "proxy": served.tls.proxy, "ca_file": served.tls.ca}
            client = AsyncClient(**where, clock=world.clock.now, journal=kept)
            await stack.enter_async_context(client)
            await live(Day(world, served, client))

    with asyncio.Runner(loop_factory=lambda: VirtualClockLoop(grace=0.002)) as runner:
        runner.run(run())


OPTIONS: dict[str, dict[str, str | int | float | bool]] = {
    "flood": {"count": 300},
    "gzip_bomb": {"mebibytes": 64},
    "many_contacts": {"count": 1000},
    "refused": {"seconds": 5},
    "cut_batch": {"most": 0},
}
"""Options where the defaults would only take longer."""

ENDS = {
    "evicted": "evicted",
    "phone_logout": "phone",
    "ret:ret=-14": "ticket",  # The first refusal is followed by a new key, the second by the end of the login.
    "ret:ret=1100": "phone",
    "ret:ret=1101": "evicted",
    "ret:ret=1102": "cookie",
    "ret:ret=1103": "evicted",
}
"""Faults that end the login, with the reported reason."""

VARIANTS = (
    *(
        "ret:ret=1",
        "ret:ret=-2",
        "ret:ret=-14",
        "ret:ret=1200",
        "ret:ret=1205",
        "ret:ret=9999",
        "ret:ret=1100",
        "ret:ret=1101",
        "ret:ret=1102",
        "ret:ret=1103",
    ),
    *("foreign_json:body={}", 'foreign_json:body={"Ret":1101}', "foreign_json:body=[]"),
    *("status:code=413", "status:code=429", "status:code=500", "redirect_nowhere:code=301"),
    *("message_id:id=", "message_id:id=9223372036854775807", "message_id:id=18446744073709551616"),
    *("sticky_selector:selector=1", "sticky_selector:selector=9", "shrunk_key:keep=2", "continue_run:size=2"),
    *("wrong_clock:seconds=-86400", "wrong_length:by=-5", "garbage_status:line=0 -", "wrong_charset:charset=gbk"),
)
"""Options with which a fault behaves differently."""

TLS = {str(kind.__struct_config__.tag) for kind in CATALOGUE["TLS"]}

TWICE = {"request_twice"}
"""Faults with which the server gets a request twice without a sign of it."""

OUT_OF_ORDER = {"shuffled_batch"}


def check(day: Day, name: str) -> None:
    """Compare the written messages with the received ones, and the sends with the phone."""
    received = [text for text in day.texts if not text.endswith(" of 300")]
    assert len(received) == len(set(received)), "a message was delivered twice"
    expected = day.said if day.ended is None else day.said[: len(received)]
    for chat in ("me", "周末爬山"):
        said, got = ([text for text in texts if text.startswith(chat)] for texts in (expected, received))
        assert said == (sorted(got, key=said.index) if name in OUT_OF_ORDER else got)
    phone = day.outbox()
    for text, outcome in day.sent.items():
        shown = phone.count(text)
        if outcome == "sent":
            assert shown == 1 or (name in TWICE and shown == 2), (text, shown)
        elif outcome == SendOutcomeUnknown.__name__:
            assert shown <= (2 if name in TWICE else 1)
        else:
            assert shown == 0, (text, outcome)


async def spoil(day: Day, text: str) -> None:
    """Run a scenario in which a fault affects the poll, the fetch and the send, each several times."""
    await day.log_in()
    listening = asyncio.create_task(day.listen())
    day.say()
    await until(day.has_received_all)
    rule = FaultRule.read(text)
    options = OPTIONS.get(rule.fault, {}) | rule.options
    rules = [
        day.world.faults.add(FaultRule(fault=rule.fault, endpoint=endpoint, times=HITS, options=options))
        for endpoint in ENDPOINTS_OF.get(rule.fault, ("synccheck", "webwxsync", "webwxsendmsg"))
    ]
    for _ in range(2 * HITS):
        day.say()
        await day.send()
        await asyncio.sleep(20)
    async with asyncio.timeout(3600):
        while day.ended is None and not all(rule.is_used_up for rule in rules):
            await day.send()  # A fault of new connections may need more of them.
            await asyncio.sleep(20)
    day.world.faults.reset()
    day.say()
    await day.send()
    await until(day.has_received_all, RECOVERY)
    await asyncio.sleep(60)
    assert all(rule.hits for rule in rules) or day.ended is not None
    assert any(rule.hits for rule in rules)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


_SECTIONS = {str(kind.__struct_config__.tag): section for section, kinds in CATALOGUE.items() for kind in kinds}

ENDPOINTS_OF: dict[str, tuple[str, ...]] = {
    **{name: tuple(sorted(kind.calls)) for name, kind in FAULTS.items() if kind.calls},
    **dict.fromkeys(("phone_offline", "no_message_id"), ("webwxsendmsg",)),
    "reset_at_connect": ("",),
}
"""The calls that a fault affects here, if not all."""

LIVED = [
    name
    for name, section in _SECTIONS.items()
    if section in {"Any call", "Poll and sync", "Connection"} or name in {"phone_offline", "rotated_cookies", *ENDS}
]
"""Faults of the calls that a client always makes. The others affect single methods, and have their own tests below."""


@pytest.mark.parametrize("text", [*LIVED, *VARIANTS])
def test_no_message_is_lost_or_duplicated_by(text: str, make_world: MakeWorld) -> None:
    on_a_day(make_world, lambda day: lived(day, text))


@pytest.mark.verify
@pytest.mark.parametrize("text", LIVED)
def test_no_message_is_lost_or_duplicated_with_a_journal_by(text: str, make_world: MakeWorld, tmp_path: Path) -> None:
    on_a_day(make_world, lambda day: lived(day, text), journal=tmp_path / "me.journal")


async def lived(day: Day, text: str) -> None:
    await spoil(day, text)
    check(day, FaultRule.read(text).fault)
    assert (day.ended.reason if day.ended else None) == ENDS.get(text)


# -- the faults of single methods ------------------------------------------------------------------------------------

MEDIA = [name for name, section in _SECTIONS.items() if section == "Media"]
CONTACTS = [name for name, section in _SECTIONS.items() if section == "Contacts"]


def test_every_fault_of_the_catalogue_is_tested_here() -> None:
    assert {*LIVED, *MEDIA, *CONTACTS, *TLS, "no_ticket"} == set(FAULTS)


@pytest.mark.parametrize("name", MEDIA)
def test_a_download_is_complete_or_fails_with(name: str, make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        await day.log_in()
        day.world.picture("ahua", "me", PNG)
        async with day.client.events(include_all=False) as events:
            picture = await anext(events)
        assert isinstance(picture, ImageMessage)
        rule = day.world.faults.add(FaultRule(fault=name, times=HITS))
        came = []
        for _ in range(5 * HITS):
            with suppress(TransportError, ProtocolError):
                came.append(await day.client.download(picture))
        assert rule.is_used_up
        assert set(came) <= {PNG}
        assert bool(came) is (name != "recalled_first")

    on_a_day(make_world, live)


@pytest.mark.parametrize("name", CONTACTS)
def test_contacts_are_listed_or_an_error_is_raised_with(name: str, make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        await day.log_in()
        rule = day.world.faults.add(FaultRule(fault=name, times=HITS, options=OPTIONS.get(name, {})))
        friend = day.client.contacts.find(nickname="阿华")
        for _ in range(HITS):
            with suppress(TransportError, ProtocolError):
                await day.client.list_contacts()
                found = await day.client.get_contacts([friend.id])
                assert {contact.id for contact in found.found} | set(found.missing) == {friend.id}
            assert day.client.contacts.find(nickname="阿华").id == friend.id
        day.world.faults.reset()
        names = {contact.nickname for contact in await day.client.list_contacts()}
        assert rule.hits
        assert {"阿华", "张三", "李雷"} <= names

    on_a_day(make_world, live)


VERBS: dict[str, Callable[[AsyncClient, Receipt, Contact], Coroutine[Any, Any, object]]] = {
    "send_text": lambda client, *_: client.send_text("阿华", "hi"),
    "send_image": lambda client, *_: client.send_image("阿华", PNG),
    "send_sticker": lambda client, *_: client.send_sticker("阿华", "0" * 32),
    "send_file": lambda client, *_: client.send_file("阿华", b"content", name="a.txt"),
    "recall": lambda client, receipt, _: client.recall(receipt),
    "mark_read": lambda client, *_: client.mark_read("阿华"),
    "set_remark": lambda client, *_: client.set_remark("阿华", "花"),
    "set_pinned": lambda client, *_: client.set_pinned("阿华"),
    "download_avatar": lambda client, *_: client.download_avatar("阿华"),
    "add_friend": lambda client, *_: client.add_friend("阿华"),
    "list_contacts": lambda client, *_: client.list_contacts(),
    "list_chats": lambda client, *_: client.list_chats(),
    "list_articles": lambda client, *_: client.list_articles(),
    "get_contacts": lambda client, _, room: client.get_contacts([room.id]),
    "create_chatroom": lambda client, *_: client.create_chatroom(["阿华", "张三"]),
    "add_members": lambda client, _, room: client.add_members(room, ["阿华"]),
    "invite_members": lambda client, _, room: client.invite_members(room, ["阿华"]),
    "remove_members": lambda client, _, room: client.remove_members(room, ["阿华"]),
    "rename_chatroom": lambda client, _, room: client.rename_chatroom(room, "新"),
    "leave_chatroom": lambda client, _, room: client.leave_chatroom(room),
    "check": lambda client, *_: client.check(),
    "logout": lambda client, *_: client.logout(),
}


@pytest.mark.parametrize("fault", ["foreign_json", 'foreign_json:body={"Ret":0}', "foreign_json:body={}", "no_ret"])
def test_no_method_succeeds_without_a_successful_answer(fault: str, make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        await day.log_in()
        receipt = await day.client.send_text("阿华", "hi")
        room = day.client.contacts.find(nickname="周末爬山")
        day.world.faults.add(fault)
        done = []
        for name, verb in VERBS.items():
            try:
                await verb(day.client, receipt, room)
            except (ProtocolError, SendOutcomeUnknown):
                continue
            done.append(name)
        assert done == (["download_avatar"] if fault == "no_ret" else []), "the answer for a picture has no Ret"

    on_a_day(make_world, live)


def test_a_login_without_its_ticket_sends_no_file_until_it_has_one(make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        day.world.options = Options(strict_cookies=True)
        rule = day.world.faults.add(FaultRule(fault="no_ticket", times=1))
        await day.log_in()
        assert rule.is_used_up
        with pytest.raises(InvalidLogin):
            await day.client.send_image("filehelper", PNG)
        await day.client.logout()
        await day.log_in()
        await day.client.send_image("filehelper", PNG)

    on_a_day(make_world, live)


def test_a_recall_without_a_message_id_affects_no_other_item(make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        await day.log_in()
        rule = day.world.faults.add(FaultRule(fault="recall_without_id", times=HITS))
        async with day.client.events(include_all=False) as events:
            day.world.say("ahua", "me", "1")
            day.world.recall("ahua", "me")
            day.world.say("ahua", "me", "2")
            got = [await anext(events) for _ in range(3)]
        assert rule.hits
        assert [getattr(event, "text", "") for event in (got[0], got[2])] == ["1", "2"]

    on_a_day(make_world, live)


@pytest.mark.parametrize("name", sorted(TLS))
def test_login_fails_if_the_server_cannot_prove_its_identity(name: str, make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        rule = day.world.faults.add(name)
        with pytest.raises(TlsError):
            await day.log_in()
        assert rule.hits
        day.world.faults.reset()
        await day.log_in()

    on_a_day(make_world, live, tls=True)


# -- request rate ----------------------------------------------------------------------------------------------------

STORMS = {
    "a selector that sticks": ("sticky_selector@1", "continue_forever@1"),
    "a web page to every call": ("html_page@1",),
    "a web page to every fetch": ("sticky_selector@1", "html_page:endpoint=webwxsync@1"),
    "Ret 1 to every call": ("ret:ret=1@1",),
    "Ret 1 to every fetch": ("sticky_selector@1", "ret:ret=1,endpoint=webwxsync@1"),
    "a connection that is reset": ("reset_before@1",),
}


@pytest.mark.parametrize("storm", STORMS)
def test_a_server_in_trouble_is_asked_twelve_times_a_minute_at_most(storm: str, make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        await day.log_in()
        listening = asyncio.create_task(day.listen())
        day.say()
        await until(day.has_received_all)
        rules = [day.world.faults.add(rule) for rule in STORMS[storm]]
        asked = [0]
        for minute in range(1, 5):  # After five attempts a client that is always refused starts again, and reports it.
            await asyncio.sleep(60)
            asked.append(max(rule.hits for rule in rules))
            # Polls without changes are the first attempts of the guard, in the first minute only.
            assert asked[minute] - asked[minute - 1] <= 12
        assert asked[-1] > 10
        day.world.faults.reset()
        day.say()
        await until(day.has_received_all)
        check(day, storm)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    on_a_day(make_world, live)


def test_a_message_during_a_storm_is_delivered_within_five_seconds(make_world: MakeWorld) -> None:
    async def live(day: Day) -> None:
        await day.log_in()
        rule = day.world.faults.add("sticky_selector")
        listening = asyncio.create_task(day.listen())
        await asyncio.sleep(30)
        assert rule.hits > 3
        day.say()
        await asyncio.sleep(5)
        assert day.has_received_all()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    on_a_day(make_world, live)
