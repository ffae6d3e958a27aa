"""Contacts across logins: ids are new each time, the history stays, and no message goes to the wrong person."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.client.conftest import GIF, MP4, PNG, SERVER, last, md5_of, said, take

from webwx.bot.delivery import deliver
from webwx.client.client import AsyncClient
from webwx.errors import (
    NoJournal,
    RateLimited,
    RecipientRejected,
    SendOutcomeUnknown,
    StaleContact,
    UnknownContact,
)
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import IdentityAmbiguous
from webwx.model.messages import TextMessage
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.carriers import Counted
    from tests.client.conftest import LogIn, NewClient

    from webwx.bot.context import Context
    from webwx.client.people.identities import To
    from webwx.model.messages import Event
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.world import World
    from webwx.storage.base import Journal
    from webwx.storage.sqlite.journal import SqliteJournal

    ClientOfWorld = tuple[Callable[[], Awaitable[AsyncClient]], World]


@pytest.fixture
def usual_journal(journal: SqliteJournal) -> Journal:
    return journal


@pytest.fixture
async def make_world_with(
    make_world: Callable[..., World], journal: SqliteJournal
) -> AsyncIterator[Callable[[Options], ClientOfWorld]]:
    """Return a world with other options, and a function that logs in its first account with the journal."""

    def make(options: Options) -> ClientOfWorld:
        world = make_world(options=options)

        async def log_in() -> AsyncClient:
            client = await clients.enter_async_context(
                AsyncClient(
                    server=SERVER, transport=Loopback(SandboxCore(world)), clock=world.clock.now, journal=journal
                )
            )
            await client.login(show_qr=lambda _: (world.scan(), world.confirm()))
            return client

        return log_in, world

    async with contextlib.AsyncExitStack() as clients:
        yield make


def contact(client: AsyncClient, nickname: str) -> Contact:
    return client.contacts.find(nickname=nickname)


async def number(client: AsyncClient, nickname: str) -> int:
    return (await client.who(nickname)).number


# -- history ---------------------------------------------------------------------------------------------------------


async def test_after_a_new_login_the_history_belongs_to_the_same_contact(log_in: LogIn, world: World) -> None:
    client = await log_in()
    before = {each.nickname: each.id for each in client.contacts}
    world.say("ahua", "me", "in the first login")
    world.say("lilei", "周末爬山", "in the chatroom")
    await take(client, 2)
    await client.send_text("阿华", "an answer")
    numbers = {each.name: each.number for each in await client.list_identities()}

    world.wind(60)
    again = await log_in()
    world.say("ahua", "me", "in the second login")
    await take(again, 2)  # The gap as well.

    assert all(each.id != before[each.nickname] for each in again.contacts if each.id.startswith("@"))
    assert numbers == {each.name: each.number for each in await again.list_identities()}
    whole = ["in the first login", "an answer", "in the second login"]
    ahua = contact(again, "阿华")
    for which in (ahua, ahua.id, "阿华", before["阿华"], numbers["阿华"], await again.who("阿华")):
        assert [text for text in said(await again.history(which)) if text != "ContinuityLost"] == whole
    assert said(await again.history("周末爬山")) == ["in the chatroom"]
    assert said(await again.search("first", chat=numbers["阿华"])) == ["in the first login"]
    assert [send.text for send in await again.list_sends(chat=ahua)] == ["an answer"]


async def test_a_person_with_a_new_nickname_is_recognised(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.say("ahua", "me", "hi")
    await take(client, 1)
    world.change_profile("ahua", nickname="春天的花")
    again = await log_in()

    assert said(await again.history("春天的花")) == ["hi"]
    assert said(await again.history("阿华")) == ["hi"]


async def test_a_person_with_the_name_of_a_removed_contact_has_a_separate_history(log_in: LogIn, world: World) -> None:
    client = await log_in()
    earlier = contact(client, "阿华")
    world.say("ahua", "me", "from the first one")
    await take(client, 1)
    gone = await number(client, "阿华")
    world.unfriend("me", "ahua")
    world.change_profile("ahua", nickname="another name")
    world.add_person("阿华", "impostor")
    world.befriend("me", "impostor")
    again = await log_in()
    world.say("impostor", "me", "from the second one")
    await take(again, 2)

    assert said(await again.history("阿华")) == ["from the second one"]
    assert said(await again.history(gone)) == ["from the first one"]
    assert said(await again.history(earlier)) == ["from the first one"]
    assert await again.purge_history("阿华") == 1
    assert said(await again.history(gone)) == ["from the first one"]


async def test_a_name_that_two_people_had_in_turn_is_refused_with_their_numbers(log_in: LogIn, world: World) -> None:
    numbers = []
    for who in ("one", "two"):
        world.add_person("老王", who)
        world.befriend("me", who)
        client = await log_in()
        world.say(who, "me", f"from {who}")
        await take(client, 1)
        numbers.append(await number(client, "老王"))
        world.unfriend("me", who)
        world.change_profile(who, nickname="gone")
    client = await log_in()

    with pytest.raises(UnknownContact, match=f"use one of the numbers: {numbers[0]}, {numbers[1]}"):
        await client.purge_history("老王")
    assert said(await client.history(numbers[1]))[-1] == "from two"


async def test_messages_from_before_identities_are_found_by_the_name(
    log_in: LogIn, world: World, tmp_path: Path
) -> None:
    client = await log_in()
    world.say("ahua", "me", "long ago")
    await take(client, 1)
    await client.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "kept.journal")) as file, file:
        file.execute("DELETE FROM links")  # As if the journal had known no contact at that time.
        file.execute("DELETE FROM identities")
    again = await log_in()

    assert said(await again.history("阿华")) == ["long ago"]


# -- old ids ---------------------------------------------------------------------------------------------------------

TEXT = TextMessage(
    message_id="1", chat=ContactId("filehelper"), sender=ContactId("filehelper"), is_self=False, time=0, content="x",
    text="x",
)  # fmt: skip

VERBS: dict[str, Callable[[AsyncClient, Any], Awaitable[object]]] = {
    "send_text": lambda client, to: client.send_text(to, "hi"),
    "send_image": lambda client, to: client.send_image(to, PNG),
    "send_video": lambda client, to: client.send_video(to, MP4),
    "send_sticker": lambda client, to: client.send_sticker(to, "0" * 32),
    "send_file": lambda client, to: client.send_file(to, b"x", name="a.txt"),
    "forward": lambda client, to: client.forward(TEXT, to),
    "mark_read": lambda client, to: client.mark_read(to),
    "set_remark": lambda client, to: client.set_remark(to, "x"),
    "set_pinned": lambda client, to: client.set_pinned(to),
    "download_avatar": lambda client, to: client.download_avatar(to),
    "add_friend": lambda client, to: client.add_friend(to),
    "create_chatroom": lambda client, to: client.create_chatroom([to, "李雷"]),
    "add_members": lambda client, to: client.add_members("周末爬山", [to]),
    "add_members to": lambda client, to: client.add_members(to, ["张三"]),
    "invite_members": lambda client, to: client.invite_members("周末爬山", [to]),
    "remove_members": lambda client, to: client.remove_members("周末爬山", [to]),
    "rename_chatroom": lambda client, to: client.rename_chatroom(to, "x"),
    "leave_chatroom": lambda client, to: client.leave_chatroom(to),
    "find_contact": lambda client, to: client.find_contact(to),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_an_old_id_whose_owner_is_gone_is_refused_before_any_request(
    log_in: LogIn, world: World, counted: Counted, verb: str
) -> None:
    client = await log_in()
    earlier, gone = contact(client, "阿华"), await client.who("阿华")
    world.unfriend("me", "ahua")
    world.change_profile("ahua", nickname="another name")
    world.add_person("阿华", "impostor")  # With the name of a contact who was removed.
    world.befriend("me", "impostor", remark="阿华")
    again = await log_in()

    for to in (earlier.id, earlier, gone, gone.number):
        with pytest.raises(StaleContact):
            await VERBS[verb](again, to)
    assert counted.calls == []


async def test_history_of_an_old_id_never_belongs_to_another_person(log_in: LogIn, world: World) -> None:
    client = await log_in()
    earlier, gone = contact(client, "阿华"), await client.who("阿华")
    world.say("ahua", "me", "from the first one")
    await take(client, 1)
    world.unfriend("me", "ahua")
    world.change_profile("ahua", nickname="another name")
    world.add_person("阿华", "impostor")
    world.befriend("me", "impostor", remark=earlier.id)
    again = await log_in()
    world.say("impostor", "me", "from the second one")
    await take(again, 2)

    for which in (earlier.id, earlier, gone, gone.number):
        assert said(await again.history(which)) == ["from the first one"]
    assert [await again.purge_history(which) for which in (earlier.id, earlier, gone, gone.number)] == [1, 0, 0, 0]
    assert said(await again.history("阿华")) == ["from the second one"]


async def test_an_old_id_of_a_present_contact_leads_to_the_same_person(
    log_in: LogIn, world: World, counted: Counted
) -> None:
    client = await log_in()
    earlier = contact(client, "阿华")
    numbered = await client.who(earlier)
    world.change_profile("ahua", nickname="春天的花")
    again = await log_in()
    world.add_person("阿华", "impostor")  # The person with the earlier name.
    world.befriend("me", "impostor")
    await take(again, 1, include_all=True)
    await again.list_contacts()
    counted.calls.clear()
    who: tuple[To, ...] = (earlier.id, earlier, numbered, numbered.number)
    receipts = [await again.send_text(to, str(at)) for at, to in enumerate(who)]

    assert [message.text for message in world.inbox("ahua")["xiaoming"].messages] == ["0", "1", "2", "3"]
    assert {receipt.chat for receipt in receipts} == {contact(again, "春天的花").id}
    assert "xiaoming" not in world.inbox("impostor")
    assert counted.calls == ["webwxsendmsg"] * 4
    await again.mark_read(earlier)
    assert counted.calls[-1] == "webwxstatusnotify"
    await again.forward(TEXT, earlier.id)
    assert last(world, "ahua", "xiaoming").text == "x"


async def test_an_old_id_of_a_chatroom_leads_to_the_same_chatroom(log_in: LogIn, world: World) -> None:
    client = await log_in()
    room = contact(client, "周末爬山")
    again = await log_in()
    await again.send_text(room.id, "to all")
    renamed = await again.rename_chatroom(room, "周末游泳")

    assert (renamed.id, renamed.nickname) == (contact(again, "周末游泳").id, "周末游泳")
    assert "to all" in [message.text for message in world.inbox("lilei")["hiking"].messages]


async def test_a_contact_whose_name_is_an_old_id_is_not_its_owner(
    log_in: LogIn, world: World, counted: Counted
) -> None:
    client = await log_in()
    earlier = contact(client, "阿华")
    world.unfriend("me", "ahua")
    world.add_person(earlier.id, "impostor")
    world.befriend("me", "impostor", remark=earlier.id)
    again = await log_in()

    for to in (earlier.id, earlier):
        with pytest.raises(StaleContact):
            await again.send_text(to, "hi")
    assert counted.calls == []


@pytest.mark.parametrize("to", ["@unknown", f"@{'0' * 32}", Contact(id=ContactId("weixin2"), nickname="阿华")])
async def test_an_unknown_id_is_refused_without_a_journal_as_well(
    log_in: LogIn, counted: Counted, to: str | Contact
) -> None:
    for client in (await log_in(journal=None), await log_in()):
        counted.calls.clear()
        with pytest.raises(StaleContact):
            await client.send_text(to, "hi")
        assert counted.calls == []


async def test_a_number_needs_a_journal_and_an_identity(log_in: LogIn, counted: Counted) -> None:
    client = await log_in()
    with pytest.raises(UnknownContact, match="number 999"):
        await client.send_text(999, "hi")
    client = await log_in(journal=None)
    for call in (client.send_text(1, "hi"), client.who("阿华"), client.list_identities(), client.why(1)):
        with pytest.raises(NoJournal):
            await call
    assert counted.calls == []


async def test_a_contact_that_another_process_looked_up_is_known(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    store = LoginMemory()
    client = await log_in(store=store)
    other = new_client(store=store)
    await other.resume()
    world.add_person("新人", "new")
    world.befriend("me", "new")
    await take(client, 1, include_all=True)
    await other.send_text(contact(client, "新人").id, "hi")
    assert last(world, "new", "xiaoming").text == "hi"

    third = new_client(store=store)
    await third.resume()
    world.add_person("第二", "second")
    world.befriend("me", "second")
    await take(client, 1, include_all=True)
    await third.send_text(await number(client, "第二"), "hi")
    assert last(world, "second", "xiaoming").text == "hi"


async def test_a_contact_without_a_number_of_another_process_is_looked_up(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    store = LoginMemory()
    client = await log_in(store=store)
    other = new_client(store=store)
    await other.resume()
    world.add_person("陌生人", "stranger")
    world.add_chatroom("读书会", ["stranger", "me"], "books")
    world.say("stranger", "books", "大家好")
    [message] = await take(client, 1)
    assert isinstance(message, TextMessage)
    sender = message.sender or ""
    await client.get_contacts([sender])
    await client.close()

    with pytest.raises(RecipientRejected):  # By the platform, since they are not friends.
        await other.send_text(sender, "hi")


# -- sends of an earlier login ---------------------------------------------------------------------------------------


async def test_a_message_of_an_earlier_login_is_recalled_in_the_same_chat(log_in: LogIn, world: World) -> None:
    client = await log_in()
    receipt = await client.send_text("阿华", "oops")
    again = await log_in()
    await again.recall(receipt)

    assert last(world, "ahua", "xiaoming").is_recalled


async def test_a_message_in_a_deleted_chat_cannot_be_recalled(log_in: LogIn, world: World, counted: Counted) -> None:
    client = await log_in()
    receipt = await client.send_text("阿华", "oops")
    world.unfriend("me", "ahua")
    again = await log_in()
    with pytest.raises(StaleContact):
        await again.recall(receipt)

    assert counted.calls == []


async def test_a_queued_send_goes_to_the_same_person_in_the_next_login(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.refuse_next("webwxsendmsg", 1205)
    with pytest.raises(RateLimited, match="1205"):
        await client.send_text("阿华", "later")
    [row] = await client.list_sends()
    again = await log_in()
    await again.retry_send(row.number)

    assert last(world, "ahua", "xiaoming").text == "later"


@pytest.mark.parametrize("how", ["by its key", "by its number"])
async def test_an_unknown_outcome_of_an_earlier_login_is_settled(
    log_in: LogIn, world: World, counted: Counted, how: str
) -> None:
    world.options = Options(echo="on")
    client = await log_in()
    world.refuse_next("webwxsendmsg", 1205)
    with pytest.raises(RateLimited):
        await client.send_text("阿华", "later", key="1")
    [row] = await client.list_sends()
    again = await log_in()
    counted.lose_answers("webwxsendmsg")
    with pytest.raises(SendOutcomeUnknown):
        await (again.retry_send(row.number) if how == "by its number" else again.send_text(row.chat, "later", key="1"))
    assert [event async for event in again.events(include_all=False, follow=False)] != []
    [send] = await again.list_sends()

    assert send.state == "sent"
    assert send.receipt is not None
    assert send.receipt.message_id == last(world, "ahua", "xiaoming").id
    assert send.receipt.chat == contact(again, "阿华").id


async def test_a_completed_keyed_send_returns_its_receipt_although_the_chat_is_deleted(
    log_in: LogIn, world: World, counted: Counted
) -> None:
    client = await log_in()
    earlier = contact(client, "阿华").id
    sticker = md5_of(world.sticker("ahua", "me", GIF))
    sends: list[Callable[[AsyncClient], Awaitable[object]]] = [
        lambda client: client.send_text(earlier, "hi", key="1"),
        lambda client: client.send_text("阿华", "hi", key="by name"),
        lambda client: client.send_sticker(earlier, sticker, key="sticker"),
        lambda client: client.send_file(earlier, b"x", name="a.txt", key="2"),
        lambda client: client.forward(TEXT, earlier, key="3"),
    ]
    receipts = [await send(client) for send in sends]
    numbers = [send.number for send in await client.list_sends() if send.kind == "text" and send.text == "hi"]
    world.unfriend("me", "ahua")
    again = await log_in()

    assert [await send(again) for send in sends] == receipts
    assert [await again.retry_send(number) for number in sorted(numbers)] == receipts[:2]
    assert counted.calls == []
    with pytest.raises(StaleContact):
        await again.send_text(earlier, "hi", key="4")


# -- stored evidence -------------------------------------------------------------------------------------------------


async def test_each_contact_gets_a_number_at_the_first_login_with_the_journal(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    store = LoginMemory()
    await log_in(store=store, journal=None)
    client = new_client(store=store)
    await client.resume()
    assert await client.list_identities() == [], "this login is not in the journal yet"
    world.say("ahua", "me", "hi")
    await take(client, 1)

    assert {contact(client, "阿华").id, contact(client, "张三").id} <= {
        each.contact_id for each in await client.list_identities()
    }


async def test_a_contact_that_is_added_later_gets_a_number(log_in: LogIn, world: World) -> None:
    client = await log_in()
    count = len(await client.list_identities())
    world.add_person("新人", "new")
    world.befriend("me", "new")
    await take(client, 1, include_all=True)
    newcomer = await client.who("新人")

    assert newcomer.contact_id == contact(client, "新人").id
    assert len(await client.list_identities()) == count + 1
    await client.set_remark(newcomer, "同事")
    assert (await client.who("同事")).number == newcomer.number


async def test_permanent_ids_from_the_phone_are_certain_evidence(
    make_world_with: Callable[..., ClientOfWorld],
) -> None:
    client_of, world = make_world_with(Options(picture_versions="zero", real_ids="sent"))
    world.say("zhangsan", "me", "so the phone has this chat in its list")
    client = await client_of()
    await take(client, 1, include_all=True)
    known = await number(client, "张三")
    world.change_profile("zhangsan", nickname="another name")
    again = await client_of()
    await take(again, 2, include_all=True)

    assert (await again.who("another name")).number == known
    assert "wxid" in {reason.what for reason in (await again.why(known))[0].reasons}


async def test_permanent_ids_in_another_order_are_no_evidence(
    make_world: Callable[..., World], journal: SqliteJournal
) -> None:
    world = make_world(options=Options(picture_versions="zero", real_ids="sent"))
    world.say("zhangsan", "me", "so the phone has this chat in its list")

    class Shuffled(Loopback):
        """Swaps the permanent ids of the first two recent chats."""

        async def send(self, request: Request) -> Response:
            response = await super().send(request)
            body = response.body.replace(b"wxid_zhangsan,filehelper,", b"filehelper,wxid_zhangsan,")
            return msgspec.structs.replace(response, body=body)

    numbers = []
    for nickname in ("张三", "another name"):
        world.change_profile("zhangsan", nickname=nickname)
        async with AsyncClient(
            server=SERVER, transport=Shuffled(SandboxCore(world)), clock=world.clock.now, journal=journal
        ) as client:
            await client.login(show_qr=lambda _: (world.scan(), world.confirm()))
            await take(client, 1, include_all=True)
            numbers.append(await number(client, nickname))
            assert (await client.who("filehelper")).kind == "person"

    assert numbers[0] != numbers[1]


async def test_an_uncertain_match_is_reported_and_not_used(make_world_with: Callable[..., ClientOfWorld]) -> None:
    client_of, world = make_world_with(Options(picture_versions="zero"))
    client = await client_of()
    earlier = contact(client, "张三").id
    known = await number(client, "张三")
    again = await client_of()
    await again.list_identities()
    doubts = [event async for event in again.events(follow=False) if isinstance(event, IdentityAmbiguous)]
    [doubt] = [each for each in doubts if each.contact.nickname == "张三"]

    assert doubt.identity == await number(again, "张三") != known
    assert doubt.candidates == (known,)
    with pytest.raises(StaleContact):
        await again.send_text(earlier, "hi")
    merged = await again.merge_identities(known, doubt.identity)
    assert merged.number == known
    await again.send_text(earlier, "hi")
    assert last(world, "zhangsan", "xiaoming").text == "hi"
    assert all(not isinstance(event, IdentityAmbiguous) for event in await again.history())


# -- methods ---------------------------------------------------------------------------------------------------------


async def test_the_links_of_an_identity_have_their_reasons(log_in: LogIn) -> None:
    client = await log_in()
    again = await log_in()
    first, second = contact(client, "阿华").id, contact(again, "阿华").id
    links = await again.why("阿华")

    assert [(link.contact_id, link.by) for link in links] == [(second, "matched"), (first, "seen")]
    assert {"nickname", "avatar"} <= {reason.what for reason in links[0].reasons}


async def test_a_wrongly_matched_contact_is_split_permanently(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.say("ahua", "me", "hi")
    await take(client, 1)
    earlier = contact(client, "阿华")
    again = await log_in()
    known = await again.who("阿华")
    parted = await again.split_identity(known, contact(again, "阿华").id)

    assert parted.number != known.number
    assert said(await again.history("阿华")) == []
    with pytest.raises(StaleContact):
        await again.send_text(earlier, "hi")
    with pytest.raises(UnknownContact):
        await again.split_identity(known, "@unknown")


async def test_identities_are_found_by_every_name_and_id(log_in: LogIn, new_client: NewClient) -> None:
    client = await log_in()
    boss = contact(client, "李雷")
    known = await client.who(boss)
    assert [await client.who(each) for each in (boss.id, "Boss", "李雷", known.number, known)] == [known] * 5
    assert (known.name, known.contact_id, known.kind) == ("Boss", boss.id, "person")
    assert [each.number for each in await client.list_identities("李雷")] == [known.number]
    for unknown in ("unknown", "@unknown", f"@{'0' * 32}", 999):
        with pytest.raises(UnknownContact):
            await client.who(unknown)
    await client.logout()
    await client.close()

    unnamed = new_client()
    assert (await unnamed.who("Boss")).number == known.number
    assert (await unnamed.who(boss.id)).number == known.number


# -- in a bot --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_reply_to_an_event_of_an_earlier_login_reaches_its_author_or_fails(
    log_in: LogIn, world: World, counted: Counted, is_gone: bool
) -> None:
    client = await log_in()
    world.say("ahua", "me", "ping")
    async with client.events("bot", include_all=False) as events:
        await anext(events)  # The process dies before it has acknowledged the event.
    await client.close()
    world.change_profile("ahua", nickname="春天的花")
    world.add_person("阿华", "impostor")
    world.befriend("me", "impostor")
    if is_gone:
        world.unfriend("me", "ahua")
    again = await log_in()
    outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def answer(ctx: Context, event: Event) -> None:
        if isinstance(event, TextMessage):
            try:
                outcome.set_result(await ctx.reply("pong"))
            except StaleContact as error:
                outcome.set_result(error)

    work = asyncio.ensure_future(deliver(again, answer, consumer="bot"))
    result = await asyncio.wait_for(outcome, 60)
    work.cancel()
    await asyncio.wait([work])

    assert isinstance(result, StaleContact) == is_gone
    assert ("webwxsendmsg" in counted.calls) == (not is_gone)
    assert ("pong" in [message.text for message in world.inbox("ahua")["xiaoming"].messages]) == (not is_gone)
    assert "xiaoming" not in world.inbox("impostor")
