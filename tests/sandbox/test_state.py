from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.sandbox.conftest import Page
from tests.secret_scanner import SecretScanner

from webwx import AsyncClient, TextMessage
from webwx.protocol.codes import Ret
from webwx.protocol.http import Park, Request, Response
from webwx.protocol.media import GETMEDIA, FileDownloadRequest
from webwx.sandbox import contents
from webwx.sandbox.clock import SystemClock, VirtualClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.errors import Impossible
from webwx.sandbox.options import Options
from webwx.sandbox.people import MessageContent, WorldChat, WorldMessage, WorldPerson
from webwx.sandbox.sessions import WebSession
from webwx.sandbox.state import FORMAT, SavedChat, SavedMessage, SavedPerson, SavedSession, SavedWorld, load, save
from webwx.sandbox.world import World, default_world
from webwx.transport.loopback import Loopback


def moved(page: Page) -> World:
    """Move a page to the same sandbox in another process."""
    page.world = load(save(page.world))
    page.sandbox = SandboxCore(page.world)
    return page.world


def written(world: World) -> SavedWorld:
    """Return the content of a saved world."""
    return msgspec.msgpack.decode(save(world).partition(b"\n")[2], type=SavedWorld)


@pytest.fixture
def lived_in(world: World, png: bytes) -> World:
    """A world that has something in every field, except logins."""
    ahua, me = world.person("ahua"), world.person("me")
    ahua.portrait, ahua.is_offline = png, False
    world.befriend("me", "lilei", remark="Boss <3")
    world.set_blocked("lilei", "me", is_blocked=True)
    world.set_pinned("me", "hiking", is_pinned=True)
    world.set_saved("me", "hiking", is_saved=True)
    world.add_person("晨报", "paper").verify_flag = 24
    world.add_person("新来的", "new")
    world.ask_friend("new", "me", "我是新来的")
    world.change_profile("ahua", nickname="华姐", signature="变了")
    world.chatrooms["hiking"].names["ahua"] = "领队"
    world.say("me", "lilei", "被拒收了")
    world.picture("ahua", "me", png)
    world.picture("ahua", "周末爬山", png)
    world.file("me", "ahua", b"plan", "plan.pdf")
    world.send("ahua", "me", contents.card(me))
    world.send("ahua", "me", contents.location(31.2, 121.5, "外滩"))
    world.say("ahua", "me", "oops")
    world.recall("ahua", "me")
    world.delete_messages("me", "ahua", [world.say("ahua", "me", "gone").id])
    world.read_chat(who="me", chat="hiking")
    return world


def test_a_world_is_the_same_when_it_is_loaded(lived_in: World) -> None:
    again = load(save(lived_in))
    assert written(again) == written(lived_in)
    assert list(again.inbox("me")) == list(lived_in.inbox("me"))
    assert again.person("华姐").rooms == {"hiking": again.chatrooms["hiking"]}
    assert again.recall("ahua", "周末爬山").is_recalled


def test_equal_bytes_are_saved_once(world: World) -> None:
    large = bytes(100_000)
    for name in ("one.bin", "two.bin", "three.bin"):
        world.file("ahua", "me", large, name)
    assert len(save(world)) < 150_000


@pytest.mark.parametrize(
    ("kind", "saved", "others"),
    [
        (WorldPerson, SavedPerson, set()),
        (WorldChat, SavedChat, set()),
        (WorldMessage, SavedMessage, {"content"}),
        (WebSession, SavedSession, {"stream"}),
    ],
)
def test_every_field_is_saved(
    kind: type[WebSession | WorldChat | WorldMessage | WorldPerson],
    saved: type[SavedChat | SavedMessage | SavedPerson | SavedSession],
    others: set[str],
) -> None:
    assert {field.name for field in dataclasses.fields(kind)} - others <= set(saved.__struct_fields__)


def test_every_field_of_content_is_saved() -> None:
    assert set(MessageContent.__struct_fields__) <= set(SavedMessage.__struct_fields__)


# -- clients ---------------------------------------------------------------------------------------------------------


def test_a_login_continues_with_its_names_and_its_waiting_changes(world: World, me: Page) -> None:
    world.say("ahua", "me", "before")
    assert [message.content for message in me.messages()] == ["before"]
    world.say("ahua", "me", "unheard")
    ahua = me.name("ahua")
    world = moved(me)
    world.say("ahua", "me", "after")
    received = me.messages()
    assert [(message.content, message.from_user_name) for message in received] == [("unheard", ahua), ("after", ahua)]
    assert me.messages() == []
    assert me.send_text(ahua, "still here").base_response.ret == Ret.OK
    assert world.inbox("ahua")["xiaoming"].messages[-1].text == "still here"


def test_what_a_login_received_can_be_downloaded_and_what_it_sent_recalled(world: World, me: Page) -> None:
    world.file("ahua", "me", b"the plan", "plan.pdf")
    (file,) = me.messages()
    sent = me.send_text(me.name("ahua"), "oops").msg_id
    world = moved(me)
    cookie = (("Cookie", f"wxsid={me.credentials.sid}"),)
    got = me.ask(GETMEDIA, FileDownloadRequest(mediaid=file.media_id), headers=cookie)
    assert got.body == b"the plan"
    world.delivery.recall(world.person("me"), sent)


def test_a_client_with_a_newer_key_than_the_saved_state_misses_no_later_change(world: World, me: Page) -> None:
    saved = save(world)
    for number in range(3):
        world.say("ahua", "me", f"never saved {number}")
    assert len(me.messages()) == 3
    me.world = load(saved)
    me.sandbox = SandboxCore(me.world)
    me.world.say("ahua", "me", "new")
    assert [message.content for message in me.messages()] == ["new"]
    assert me.messages() == []


def test_an_ended_login_is_refused_with_its_reason_and_a_valid_one_is_found(
    world: World, me: Page, friend: Page
) -> None:
    world.log_out("me")
    again = load(save(world))
    assert [session.ended for session in again.logins.sessions] == [Ret.SESSION_NOT_FOUND, None]
    valid = again.logins.live(again.person("ahua"))
    assert valid is not None
    assert valid.person is again.person("ahua")
    assert again.issued == world.issued


@pytest.mark.parametrize("options", [Options(fold_repeats=True)])
def test_a_repeated_send_is_recognised_after_a_restart(world: World, me: Page) -> None:
    first = me.send_text(me.name("ahua"), "once").msg_id
    world = moved(me)
    assert me.send_text(me.name("ahua"), "once").msg_id == first
    assert len(world.inbox("ahua")["xiaoming"].messages) == 1


def test_an_upload_continues_after_a_restart(world: World, me: Page) -> None:
    session = me.session
    session.uploads[7, "a.bin"] = {0: b"first"}
    session.parallel["id"] = {1: b"second"}
    session.announced["md5"] = "signature"
    again = load(save(world)).logins.sessions[0]
    assert (again.uploads, again.parallel, again.announced) == (session.uploads, session.parallel, session.announced)


async def test_a_real_client_gets_every_message_once_across_restarts(
    world: World, secret_scanner: SecretScanner
) -> None:
    sandbox = SandboxCore(world)

    class Latest:
        def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
            return sandbox.answer(request, parked)

        def wind_to(self, until: float) -> None:
            sandbox.wind_to(until)

    received = list[str]()
    async with AsyncClient(
        server="http://sandbox.test", transport=Loopback(Latest()), clock=lambda: sandbox.world.now
    ) as client:
        await client.login(show_qr=lambda _: (world.scan(), world.confirm()))
        for number in range(9):
            sandbox.world.say("ahua", "me", str(number))
        async for event in client.events():
            if isinstance(event, TextMessage):
                received.append(event.text)
                sandbox = SandboxCore(load(save(sandbox.world)))
                secret_scanner.watch(sandbox.world.issued)
                if len(received) < 20:
                    sandbox.world.say("ahua", "me", str(len(received) + 8))
                if received[-1] == "27":
                    break
    assert received == [str(number) for number in range(28)]


# -- clock, rng, options --------------------------------------------------------------------------------------------


def test_a_seeded_rng_continues_and_others_stay_random(world: World) -> None:
    once, twice = load(save(world)), load(save(world))
    assert once.say("me", "ahua", "x").id == twice.say("me", "ahua", "x").id == world.say("me", "ahua", "x").id
    wild = load(save(World()))
    assert type(wild.rng) is random.SystemRandom


def test_a_virtual_clock_keeps_its_time_and_the_system_clock_its_offset() -> None:
    stopped = default_world(clock=VirtualClock(1000.0))
    stopped.wind(5)
    assert load(save(stopped)).now == 1005.0
    running = default_world(clock=SystemClock())
    running.wind(86400)
    assert abs(load(save(running)).now - running.now) < 60


def test_faults_keep_their_seed_and_options_can_be_changed() -> None:
    world = default_world(options=Options(echo="on"))
    again = load(save(world), change=lambda own: msgspec.structs.replace(own, batch_size=7))
    assert again.options == Options(echo="on", batch_size=7)
    assert again.faults.seed == world.faults.seed


def test_articles_of_a_public_account_survive(world: World, new_page: Callable[..., Page]) -> None:
    again = load(save(world))
    account = again.people["weekly"]
    published, before = account.published, world.people["weekly"].published
    assert published is not None
    assert before is not None
    assert (published.id, published.sender) == (before.id, account)
    assert new_page(SandboxCore(again)).login().init().mp_subscribe_msg_count == 1


# -- invalid files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"hello", b"webwx sandbox ", b"webwx sandbox x y\n"])
def test_a_file_of_another_format_is_refused(content: bytes) -> None:
    with pytest.raises(Impossible, match=r"^This is not a saved sandbox\.$"):
        load(content)


def test_a_file_of_a_newer_version_is_refused(world: World) -> None:
    newer = save(world).replace(b"sandbox %d" % FORMAT, b"sandbox %d" % (FORMAT + 1), 1)
    with pytest.raises(Impossible, match="saved by a newer webwx"):
        load(newer)


@pytest.mark.parametrize(
    "harm", [lambda saved: saved[:-1], lambda saved: saved[:-1] + b"\0", lambda saved: saved + b"x"]
)
def test_a_damaged_file_is_refused(world: World, harm: Callable[..., Any]) -> None:
    with pytest.raises(Impossible, match="is damaged"):
        load(harm(save(world)))
