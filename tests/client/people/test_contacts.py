"""Contacts: lists, lookups, remarks, pins, avatars, friend requests."""

from __future__ import annotations

import asyncio
import random
import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.conftest import SERVER, take
from tests.client.virtual_loop import run_with_virtual_clock

from webwx.client.client import AsyncClient
from webwx.errors import ApiError, MediaUnavailable, NotOnThisHost, ProtocolError, RateLimited, UnknownContact
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import ContactChanged, ContactDeleted
from webwx.model.messages import FriendAdded, FriendRequest, Person, PhoneActivity, TextMessage
from webwx.protocol.http import Response
from webwx.protocol.sync import WEBWXSYNC
from webwx.sandbox import contents
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.fake_contacts import FakeContacts, add_fake_contacts
from webwx.sandbox.options import Options
from webwx.sandbox.people import WorldChatroom
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.client.conftest import LogIn, NewClient

    from webwx.protocol.http import Request
    from webwx.sandbox.people import WorldPerson
    from webwx.sandbox.world import World
    from webwx.storage.sqlite.journal import SqliteJournal


def contacts_of(client: AsyncClient) -> set[str]:
    return {contact.nickname for contact in client.contacts}


# -- the complete list -----------------------------------------------------------------------------------------------


async def test_contacts_on_more_than_two_hundred_pages_are_complete(log_in: LogIn, world: World) -> None:
    add_fake_contacts(world, FakeContacts(people=260), random.Random(1))
    world.options = Options(contact_page_size=1)
    client = await log_in()
    assert len(await client.list_contacts()) == len(client.contacts) > 260


async def test_ten_thousand_contacts_are_fetched_by_pages(world: World, counted: Counted) -> None:
    for number in range(10_000):
        world.befriend("me", world.add_person(f"friend {number}").id)
    dice = random.Random(1)

    class Uneven:
        """Returns pages of different sizes, as the platform does."""

        async def send(self, request: Request) -> Response:
            world.options = Options(contact_page_size=dice.randint(100, 1_700))
            return await counted.send(request)

        async def close(self) -> None:
            pass

    client = AsyncClient(server=SERVER, transport=Uneven(), clock=world.clock.now)
    await client.login(show_qr=lambda _: (world.scan(), world.confirm()))

    assert len([name for name in contacts_of(client) if name.startswith("friend ")]) == 10_000
    assert counted.calls.count("webwxgetcontact") > 5


async def test_contacts_are_fetched_by_pages_and_stored_for_the_next_process(
    log_in: LogIn, new_client: NewClient, world: World
) -> None:
    world.options = Options(contact_page_size=2)
    store = LoginMemory()
    client = await log_in(store=store)
    world.add_person("新人", "new")
    world.befriend("me", "new")
    listed = await client.list_contacts()
    other = new_client(store=store)
    await other.resume()

    assert {"小明", "阿华", "张三", "李雷", "新人", "周末爬山", "文件传输助手"} <= {each.nickname for each in listed}
    assert list(other.contacts) == listed


async def test_a_second_list_keeps_strangers_and_removes_unlisted_contacts(log_in: LogIn, world: World) -> None:
    world.add_person("陌生人", "stranger")
    client = await log_in()
    world.add_chatroom("读书会", ["stranger", "me"], "books")
    world.say("stranger", "books", "大家好")
    [message] = await take(client, 1)
    assert isinstance(message, TextMessage)
    assert message.sender is not None
    await client.get_contacts([message.sender])
    world.unfriend("me", "lilei")
    await client.list_contacts()

    assert "陌生人" in contacts_of(client)
    assert "李雷" not in contacts_of(client)


async def test_an_account_without_chatrooms_has_none(log_in: LogIn, world: World, counted: Counted) -> None:
    world.membership.leave(world.chatrooms["hiking"], world.person("me"))
    client = await log_in()
    await client.list_contacts()

    assert [contact for contact in client.contacts if contact.kind == "chatroom"] == []
    assert counted.calls == ["webwxgetcontact"]


def test_chatrooms_that_only_the_phone_lists_are_looked_up(make_world: Callable[..., World]) -> None:
    world = make_world(options=Options(chatrooms="recent"))
    for number in range(300):
        world.add_chatroom(f"群{number}", ["me", "ahua"])

    async def work() -> None:
        client, counted = await logged_in(world)
        assert [contact for contact in client.contacts if contact.kind == "chatroom"] == []
        [activity] = await take(client, 1, include_all=True)
        assert isinstance(activity, PhoneActivity)
        known = {contact.id for contact in client.contacts if contact.kind == "chatroom"}
        assert known == {each for each in activity.recent if each.startswith("@@")}
        assert len(known) == 301
        counted.calls.clear()
        await asyncio.sleep(60)

        assert {f"群{number}" for number in range(300)} < contacts_of(client)
        assert all(contact.members for contact in client.contacts if contact.kind == "chatroom")
        assert counted.calls == ["webwxbatchgetcontact"] * 7

    run_with_virtual_clock(work)


async def test_a_chatroom_is_looked_up_after_a_message_in_it(make_world: Callable[..., World]) -> None:
    world = make_world(options=Options(chatrooms="recent"))
    client, _ = await logged_in(world)
    await take(client, 1, include_all=True)  # The list of the phone does not include it.
    world.chatrooms["books"] = WorldChatroom(
        id="books", name="读书会", members=[world.person("me"), world.person("ahua")]
    )
    world.say("ahua", "books", "走吗")
    message = (await take(client, 1))[0]
    assert isinstance(message, TextMessage)
    known = client.contacts.get(message.chat)

    assert known is not None
    assert known.kind == "chatroom"


# -- an incomplete list ----------------------------------------------------------------------------------------------


class LosesAPage(Counted):
    """Answers the request for the second page of contacts with something else."""

    body = b""

    async def send(self, request: Request) -> Response:
        if self.body and request.endpoint == "webwxgetcontact" and not request.query.endswith("seq=0"):
            return Response(body=self.body)
        return await super().send(request)


async def kept_in(journal: SqliteJournal, client: AsyncClient) -> list[Contact]:
    return list(await journal.account(client.account.uin).roster(ContactId(client.account.id)))


@pytest.mark.parametrize(
    ("fault", "page"),
    [
        ("null_list:times=1", b""),
        ("lost_contacts:times=1", b""),
        ("no_seq:times=1", b""),
        ("contact_loop", b""),
        ("no_ret:endpoint=webwxgetcontact", b""),
        ("", b"{}"),
        ("", b'{"BaseResponse":{"Ret":0}}'),
        ("", b'{"BaseResponse":{"Ret":0},"MemberCount":3,"MemberList":[],"Seq":0}'),
        ("", b'{"BaseResponse":{"Ret":0},"MemberCount":3,"MemberList":null,"Seq":0}'),
    ],
)
async def test_an_incomplete_list_is_reported_and_removes_no_contact(
    log_in: LogIn, world: World, sandbox: SandboxCore, journal: SqliteJournal, fault: str, page: bytes
) -> None:
    carrier = LosesAPage(Loopback(sandbox))
    client = await log_in(transport=carrier, journal=journal)
    before = contacts_of(client)
    world.options = Options(contact_page_size=3)
    carrier.body = page
    if fault:
        world.faults.add(fault)
    with pytest.raises(ProtocolError):
        await client.list_contacts()

    assert before == contacts_of(client)
    assert before == {each.nickname for each in await kept_in(journal, client)}
    world.faults.reset()
    carrier.body = b""
    world.unfriend("me", "lilei")
    await client.list_contacts()
    assert before - {"李雷"} == {each.nickname for each in await kept_in(journal, client)}


async def test_a_malformed_contact_of_the_list_removes_no_contact(
    log_in: LogIn, world: World, sandbox: SandboxCore, journal: SqliteJournal
) -> None:
    carrier = LosesAPage(Loopback(sandbox))
    client = await log_in(transport=carrier, journal=journal)
    before = contacts_of(client)
    world.options = Options(contact_page_size=3)
    carrier.body = b'{"BaseResponse":{"Ret":0},"MemberCount":1,"MemberList":[{"UserName":{}}],"Seq":0}'
    await client.list_contacts()

    assert before == contacts_of(client) == {each.nickname for each in await kept_in(journal, client)}


async def test_a_friend_added_during_the_listing_stays_a_friend(
    log_in: LogIn, world: World, sandbox: SandboxCore
) -> None:
    class Meeting(Counted):
        """Adds a contact after the list was fetched."""

        async def send(self, request: Request) -> Response:
            response = await super().send(request)
            if request.endpoint == "webwxgetcontact" and client is not None:
                client.contacts.put(Contact(id=ContactId("@new"), nickname="新人"))
            return response

    client: AsyncClient | None = None
    client = await log_in(transport=Meeting(Loopback(sandbox)))
    await client.list_contacts()

    assert "新人" in contacts_of(client)


@pytest.mark.parametrize(
    ("fault", "is_incomplete"), [("lost_members", True), ("lost_members:most=0", True), ("cut_batch:most=0", False)]
)
async def test_members_that_were_not_listed_stay_members(
    log_in: LogIn, world: World, journal: SqliteJournal, fault: str, is_incomplete: bool
) -> None:
    client = await log_in(journal=journal)
    room = client.contacts.resolve("周末爬山")
    world.faults.add(fault)
    await client.list_contacts()
    await client.get_contacts([room.id])
    now = client.contacts.resolve("周末爬山")

    assert len(room.members) == 4
    assert {*room.members} == {*now.members}
    assert now.is_incomplete is is_incomplete
    [kept] = [each for each in await kept_in(journal, client) if each.id == room.id]
    assert {*room.members} == {*kept.members}
    world.faults.reset()
    world.membership.leave(world.chatrooms["hiking"], world.person("ahua"))
    await client.list_contacts()
    now = client.contacts.resolve("周末爬山")
    assert (len(now.members), now.is_incomplete) == (3, False)


async def test_a_login_needs_no_complete_list(log_in: LogIn, world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.faults.add("null_list:times=1")
    client = await log_in()

    assert "The contact list is incomplete" in caplog.text
    assert "李雷" in {each.nickname for each in await client.list_contacts()}


# -- lookups ---------------------------------------------------------------------------------------------------------


async def test_people_are_fetched_by_id_and_unknown_ids_are_named(log_in: LogIn, counted: Counted) -> None:
    client = await log_in()
    boss = client.contacts.find(remark="Boss")
    client.contacts.remove(boss.id)
    lookup = await client.get_contacts([boss.id, "@unknown"])

    assert lookup.found == (boss,)
    assert lookup.missing == ("@unknown",)
    assert counted.calls == ["webwxbatchgetcontact"] * 2
    assert client.contacts.get(boss.id) == boss


# -- senders of messages ---------------------------------------------------------------------------------------------


async def logged_in(world: World, *, host: str | None = None) -> tuple[AsyncClient, Counted]:
    counted = Counted(Loopback(SandboxCore(world)))
    client = AsyncClient(host=host, server=SERVER, transport=counted, clock=world.clock.now)
    await client.login(show_qr=lambda _: (world.scan(), world.confirm()))
    return client, counted


def test_hundreds_of_unknown_members_need_few_calls_and_cause_no_delay(make_world: Callable[..., World]) -> None:
    world = make_world(options=Options(batch_size=2_000))
    talkers = [world.add_person(f"talker {number}") for number in range(300)]

    async def work() -> None:
        client, counted = await logged_in(world)
        crowd = world.chatrooms["hiking"]
        crowd.add(talkers)
        for person in talkers:
            world.say(person.id, "hiking", "嗨")
        counted.calls.clear()
        before = asyncio.get_running_loop().time()
        messages = await take(client, 300)

        assert len(messages) == 300
        assert asyncio.get_running_loop().time() == before
        assert "webwxbatchgetcontact" not in counted.calls
        await asyncio.sleep(60)
        assert {person.nickname for person in talkers} <= contacts_of(client)
        assert counted.calls.count("webwxbatchgetcontact") <= 8

    run_with_virtual_clock(work)


def test_known_members_of_a_chatroom_are_not_looked_up(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.add_person("陌生人", "stranger")
    world.add_chatroom("读书会", ["stranger", "me"], "books")

    async def work() -> None:
        client, counted = await logged_in(world)
        world.say("stranger", "books", "大家好")
        counted.calls.clear()
        await take(client, 1)
        await asyncio.sleep(100)

        assert "webwxbatchgetcontact" not in counted.calls

    run_with_virtual_clock(work)


def test_no_contact_is_looked_up_on_file_transfer_helper(world: World) -> None:
    async def work() -> None:
        client, counted = await logged_in(world, host="filehelper")
        world.say("me", "filehelper", "嗨")
        await take(client, 1)
        await asyncio.sleep(60)

        assert "webwxbatchgetcontact" not in counted.calls

    run_with_virtual_clock(work)


# -- changes by sync -------------------------------------------------------------------------------------------------


async def test_a_deleted_friend_is_removed_and_their_messages_still_arrive(log_in: LogIn, world: World) -> None:
    client = await log_in()
    ahua = client.contacts.find(nickname="阿华")
    world.unfriend("me", "ahua")
    assert ContactDeleted(id=ahua.id) in await take(client, 2, include_all=True)
    with pytest.raises(UnknownContact):
        client.contacts.find(nickname="阿华")
    world.person("me").friends["ahua"] = ""  # The platform delivers messages that were sent before.
    world.say("ahua", "me", "在吗")
    message = (await take(client, 1))[0]

    assert isinstance(message, TextMessage)
    assert message.chat == ahua.id
    met = client.contacts.get(ahua.id)
    assert met is not None
    assert met.kind == "stranger"


async def test_changes_of_members_are_read_from_both_lists_of_a_sync(
    log_in: LogIn, counted: Counted, world: World
) -> None:
    class Moving:
        """Moves changed contacts to the list that was never observed with entries."""

        async def send(self, request: Request) -> Response:
            response = await counted.send(request)
            if request.endpoint != "webwxsync":
                return response
            reply = WEBWXSYNC.decode_reply(response)
            moved = msgspec.structs.replace(
                reply, mod_contact_list=[], mod_chat_room_member_list=[raw.copy() for raw in reply.mod_contact_list]
            )
            return msgspec.structs.replace(response, body=WEBWXSYNC.encode_reply(moved).body)

        async def close(self) -> None:
            pass

    client = await log_in(transport=Moving())
    room = client.contacts.resolve("周末爬山")
    world.membership.leave(world.chatrooms["hiking"], world.person("lilei"))
    events = await take(client, 2, include_all=True)
    known = client.contacts.get(room.id)
    assert known is not None
    assert ContactChanged(contact=known) in events
    assert [member.nickname for member in known.members] == ["小明", "阿华", "张三"]
    assert known.is_owner


def hand_over(room: WorldChatroom, owner: WorldPerson) -> None:
    """Make a member the owner of a chatroom, who is its first member."""
    for member in room.members[: room.members.index(owner)]:
        room.remove(member)
        room.add([member])


async def test_the_owner_of_a_chatroom_changes(log_in: LogIn, world: World) -> None:
    client = await log_in()
    hiking, me, ahua = world.chatrooms["hiking"], world.person("me"), world.person("ahua")
    ids = {me: client.account.id, ahua: client.contacts.find(nickname="阿华").id}
    room = client.contacts.resolve("周末爬山")
    assert (room.owner, room.is_owner) == (ids[me], True)
    for owner, name in ((ahua, "春天爬山"), (me, "夏天爬山")):
        hand_over(hiking, owner)
        world.membership.rename(hiking, name, by=ahua)
        await take(client, 2, include_all=True)
        now = client.contacts.resolve(name)
        assert (now.owner, now.is_owner) == (ids[owner], owner is me)
    hand_over(hiking, ahua)
    await client.get_contacts([room.id])
    assert not client.contacts.resolve("夏天爬山").is_owner


# -- remark and pin --------------------------------------------------------------------------------------------------


async def test_a_remark_is_set_here_and_on_the_phone(log_in: LogIn, new_client: NewClient, world: World) -> None:
    store = LoginMemory()
    client = await log_in(store=store)
    changed = await client.set_remark("阿华", "花")
    other = new_client(store=store)
    await other.resume()

    assert changed.display_name == "花"
    assert world.person("me").friends["ahua"] == "花"
    assert client.contacts.find(remark="花") == other.contacts.find(remark="花") == changed


async def test_an_empty_remark_removes_it(log_in: LogIn, world: World) -> None:
    client = await log_in()
    await client.set_remark("Boss", "")

    assert world.person("me").friends["lilei"] == ""
    assert client.contacts.find(nickname="李雷").remark == ""


async def test_pinning_keeps_the_remark(log_in: LogIn, world: World) -> None:
    client = await log_in()
    pinned = await client.set_pinned("Boss")

    assert (pinned.is_pinned, pinned.remark) == (True, "Boss")
    assert world.person("me").pinned == {"lilei"}
    assert world.person("me").friends["lilei"] == "Boss"
    assert (await client.set_pinned(pinned, False)).is_pinned is False
    assert world.person("me").pinned == set()


async def test_a_chatroom_is_pinned_in_every_list(log_in: LogIn) -> None:
    client = await log_in()
    await client.set_pinned("周末爬山")
    await client.list_contacts()

    assert client.contacts.resolve("周末爬山").is_pinned


async def test_too_many_changes(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.refuse_next("webwxoplog", 1205)
    with pytest.raises(RateLimited):
        await client.set_remark("阿华", "花")

    assert client.contacts.find(nickname="阿华").remark == ""


# -- avatars ---------------------------------------------------------------------------------------------------------


async def test_avatars_of_people_chatrooms_and_members(log_in: LogIn, counted: Counted) -> None:
    client = await log_in()
    room = client.contacts.resolve("周末爬山")
    pictures = {
        await client.download_avatar("阿华"),
        await client.download_avatar(room),
        await client.download_avatar(room.members[2], met_in=room),
    }

    assert len(pictures) == 3
    assert all(picture.startswith(b"\xff\xd8\xff") for picture in pictures)
    assert counted.calls == ["webwxgeticon", "webwxgetheadimg", "webwxgeticon"]


async def test_a_missing_avatar_is_an_error(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.refuse_next("webwxgeticon", 1205)
    with pytest.raises(MediaUnavailable):
        await client.download_avatar("阿华")


# -- friends ---------------------------------------------------------------------------------------------------------


async def test_strangers_become_friends(log_in: LogIn, world: World, stranger: WorldPerson) -> None:
    me, other = await log_in(), await log_in("stranger")
    [member] = [each for each in me.contacts.resolve("周末爬山").members if each.nickname == "陌生人"]
    await me.add_friend(member, "我是小明")
    request = (await take(other, 1))[0]
    assert isinstance(request, FriendRequest)
    assert request.greeting == "我是小明"
    await other.accept_friend(request)
    hello, _ = [event for event in await take(me, 3, include_all=True) if not isinstance(event, PhoneActivity)]
    changed = [
        event for event in await take(other, 3, include_all=True) if isinstance(event, ContactChanged | FriendAdded)
    ]

    assert isinstance(hello, ContactChanged)
    assert hello.contact.kind == "friend"
    assert {type(event) for event in changed} == {ContactChanged, FriendAdded}
    assert me.contacts.find(nickname="陌生人").kind == "friend"
    await me.send_text("陌生人", "你好")
    assert "stranger" in world.person("me").friends


async def test_a_request_is_accepted_once(log_in: LogIn, world: World, stranger: WorldPerson) -> None:
    client = await log_in()
    world.ask_friend("stranger", "me", "你好")
    request = (await take(client, 1))[0]
    assert isinstance(request, FriendRequest)
    await client.accept_friend(request)
    with pytest.raises(ApiError):
        await client.accept_friend(request)


async def test_people_are_named_by_an_id_and_unknown_names_are_refused(log_in: LogIn, stranger: WorldPerson) -> None:
    client = await log_in()
    [member] = [each for each in client.contacts.resolve("周末爬山").members if each.nickname == "陌生人"]
    await client.add_friend(str(member.id))
    with pytest.raises(UnknownContact):
        await client.add_friend("陌生人")


# -- recent chats ----------------------------------------------------------------------------------------------------


async def test_recent_chats_are_newest_first_with_names(log_in: LogIn, world: World, stranger: WorldPerson) -> None:
    client = await log_in()
    world.say("stranger", "hiking", "嗨")
    world.say("lilei", "me", "在吗")
    chats = await client.list_chats()
    events = await take(client, 2)

    assert [chat.display_name for chat in chats[:3]] == ["Boss", "周末爬山", "文件传输助手"]
    assert len(events) == 2


async def test_unknown_recent_chats_are_looked_up(make_world: Callable[..., World]) -> None:
    world = make_world()
    client, _ = await logged_in(world)
    for contact in list(client.contacts):
        client.contacts.remove(contact.id)
    chats = await client.list_chats()

    assert {chat.nickname for chat in chats} == {"周末爬山", "文件传输助手"}


async def test_file_transfer_helper_has_one_recent_chat(log_in: LogIn) -> None:
    client = await log_in(host="filehelper")

    assert [chat.id for chat in await client.list_chats()] == ["filehelper"]


# -- articles of official accounts ------------------------------------------------------------------------------------


async def test_the_latest_articles_of_official_accounts_are_listed(log_in: LogIn, world: World) -> None:
    paper = world.add_person("晨报", "paper")
    paper.verify_flag = 24
    world.befriend("me", "paper")
    client = await log_in()
    assert "晨报" not in [each.name for each in await client.list_articles()]
    world.send("paper", "me", contents.link(paper, "一", "http://a", "摘要"))
    [published] = [each for each in await client.list_articles() if each.name == "晨报"]

    assert [(each.title, each.url, each.digest) for each in published.articles] == [("一", "http://a", "摘要")]
    assert published.account == client.contacts.find(nickname="晨报").id


async def test_file_transfer_helper_lists_no_articles(log_in: LogIn) -> None:
    client = await log_in(host="filehelper")

    assert await client.list_articles() == []


# -- File Transfer Helper --------------------------------------------------------------------------------------------

REQUEST = FriendRequest(
    message_id="1", chat=ContactId("fmessage"), sender=None, is_self=False, time=0, content="",
    person=Person(id=ContactId("@a")), greeting="", ticket="v2_1@stranger",
)  # fmt: skip


@pytest.mark.parametrize(
    "attempt",
    [
        lambda client: client.list_contacts(),
        lambda client: client.get_contacts(["@a"]),
        lambda client: client.set_remark("filehelper", "x"),
        lambda client: client.set_pinned("filehelper"),
        lambda client: client.download_avatar("filehelper"),
        lambda client: client.add_friend("@a"),
        lambda client: client.accept_friend(REQUEST),
    ],
)
async def test_on_file_transfer_helper_contacts_are_refused_before_any_request(
    log_in: LogIn, counted: Counted, attempt: Callable[[AsyncClient], Awaitable[object]]
) -> None:
    client = await log_in(host="filehelper")
    with pytest.raises(NotOnThisHost, match="host 'web'"):
        await attempt(client)

    assert counted.calls == []


async def test_the_device_id_has_the_platforms_form_and_is_no_key(log_in: LogIn) -> None:
    store = LoginMemory()
    client = await log_in(store=store)
    saved = await store.load()
    assert saved is not None
    device_id = saved.login.credentials.device_id

    assert re.fullmatch(r"e\d{15}", device_id)
    assert device_id != saved.login.pass_ticket
    await client.check()
    await client.close()
    saved = await store.load()
    assert saved is not None
    assert saved.login.credentials.device_id == device_id
