"""Chatrooms: each change is made, checked, and reported to all members; the result names people who were not added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import take

from webwx.errors import (
    ApiError,
    NotOnThisHost,
    RateLimited,
    RecipientRejected,
    SendOutcomeUnknown,
    TooFewMembers,
    UnknownContact,
)
from webwx.model.events import ContactChanged, ContactDeleted
from webwx.model.messages import ChatroomRenamed, LinkMessage, MemberJoined, MemberRemoved
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.carriers import Counted
    from tests.client.conftest import LogIn, NewClient

    from webwx.client.client import AsyncClient
    from webwx.model.contacts import Contact
    from webwx.sandbox.world import World


@pytest.fixture
def world(world: World) -> World:
    """The default world, and a stranger who is in a chatroom of the account."""
    world.add_person("陌生人", "stranger")
    world.add_chatroom("读书会", ["me", "ahua", "stranger"], "books")
    return world


def members(room: Contact) -> list[str]:
    return [member.nickname for member in room.members]


async def test_a_new_chatroom_is_reported_to_all_members(
    log_in: LogIn, new_client: NewClient, counted: Counted
) -> None:
    store = LoginMemory()
    me, friend = await log_in(store=store), await log_in("ahua")
    admission = await me.create_chatroom(["阿华", "Boss", "阿华"], name="电影")
    joined = [event for event in await take(friend, 3, include_all=True) if isinstance(event, MemberJoined)]
    other = new_client(store=store)
    await other.resume()

    assert members(admission.chatroom) == ["小明", "阿华", "李雷"]
    assert [me.contacts.resolve(each).nickname for each in admission.added] == ["阿华", "李雷"]
    assert admission.refused == ()
    assert admission.chatroom.is_owner
    assert counted.calls[:2] == ["webwxcreatechatroom", "webwxbatchgetcontact"]
    assert [(event.by, event.names) for event in joined] == [("小明", (None, "李雷"))]
    assert friend.contacts.resolve("电影").kind == "chatroom"
    assert other.contacts.resolve("电影") == admission.chatroom
    await me.send_text("电影", "八点见")


async def test_a_chatroom_without_a_name_shows_its_members(log_in: LogIn) -> None:
    client = await log_in()
    admission = await client.create_chatroom(["阿华", "张三"])

    assert admission.chatroom.display_name == "小明, 阿华, 张三"


async def test_a_person_who_is_not_a_friend_is_not_added_and_named(log_in: LogIn) -> None:
    client = await log_in()
    [stranger] = [each for each in client.contacts.resolve("读书会").members if each.nickname == "陌生人"]
    created = await client.create_chatroom(["阿华", stranger, "张三"], name="电影")
    added = await client.add_members("周末爬山", [stranger])

    assert created.refused == added.refused == (stranger.id,)
    assert added.added == ()
    assert members(created.chatroom) == ["小明", "阿华", "张三"]


async def test_a_person_who_has_blocked_the_account_is_not_added_and_named(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.set_blocked("ahua", "me", is_blocked=True)
    ahua = client.contacts.find(nickname="阿华")
    created = await client.create_chatroom(["张三", ahua, "Boss"], name="电影")
    world.add_chatroom("吃饭", ["me", "lilei"])
    world.set_saved("me", "吃饭", is_saved=True)
    await client.list_contacts()
    added = await client.add_members("吃饭", [ahua, "张三"])

    assert created.refused == added.refused == (ahua.id,)
    assert members(created.chatroom) == ["小明", "张三", "李雷"]
    assert [client.contacts.resolve(each).nickname for each in added.added] == ["张三"]


async def test_a_chatroom_with_too_few_members_is_refused(log_in: LogIn, counted: Counted) -> None:
    client = await log_in()
    with pytest.raises(TooFewMembers):
        await client.create_chatroom(["阿华", client.contacts.resolve(client.account.id)])

    assert counted.calls == []


async def test_too_many_changes_are_refused(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.refuse_next("webwxcreatechatroom", 1205)
    with pytest.raises(RateLimited):
        await client.create_chatroom(["阿华", "张三"])


async def test_members_are_added(log_in: LogIn) -> None:
    client = await log_in()
    admission = await client.add_members("读书会", ["Boss", client.contacts.resolve("张三")])

    assert members(admission.chatroom) == ["小明", "阿华", "陌生人", "李雷", "张三"]
    assert [client.contacts.resolve(each).nickname for each in admission.added] == ["李雷", "张三"]
    assert client.contacts.resolve("读书会") == admission.chatroom


@pytest.mark.parametrize(("before", "is_invited"), [(38, False), (39, True), (40, True)])
async def test_people_are_invited_to_a_large_chatroom(
    log_in: LogIn, world: World, before: int, is_invited: bool
) -> None:
    crowd = [world.add_person(f"人{number}").id for number in range(before - 1)]
    world.add_chatroom("大群", ["me", *crowd])
    client, friend = await log_in(), await log_in("ahua")
    # The members of the chatroom may be unknown; then they are looked up first.
    client.contacts.put(client.contacts.change(client.contacts.resolve("大群").id, members=()))
    admission = await client.add_members("大群", ["阿华"])

    assert bool(admission.invited) is is_invited
    assert bool(admission.added) is not is_invited
    if is_invited:
        assert isinstance((await take(friend, 1))[0], LinkMessage)
        world.membership.join(world.chatroom(world.person("me"), "大群"), world.person("ahua"), by=world.person("me"))
        joined = [event for event in await take(client, 2, include_all=True) if isinstance(event, MemberJoined)]
        assert client.contacts.resolve("大群").members[-1].nickname == "阿华"
        assert joined == [] or joined[0].is_by_code


async def test_people_are_invited_to_a_chatroom_that_became_large(
    log_in: LogIn, world: World, counted: Counted
) -> None:
    world.options = Options(large_chatrooms="invited")
    client, friend = await log_in(), await log_in("lilei")
    room = client.contacts.resolve("读书会")
    crowd = [world.add_person(f"人{number}") for number in range(37)]
    world.chatrooms["books"].add(crowd)  # This login has not looked it up since.
    admission = await client.add_members(room, ["Boss"])

    assert (admission.added, admission.refused) == ((), ())
    assert [client.contacts.resolve(each).nickname for each in admission.invited] == ["李雷"]
    assert len(admission.chatroom.members) == 40
    assert counted.calls == ["webwxupdatechatroom", "webwxbatchgetcontact", "webwxupdatechatroom"]
    assert isinstance((await take(friend, 1))[0], LinkMessage)


async def test_members_are_removed_and_the_removal_is_checked(log_in: LogIn, counted: Counted) -> None:
    me, friend = await log_in(), await log_in("ahua")
    room = friend.contacts.resolve("周末爬山")
    left = await me.remove_members("周末爬山", ["阿华"])
    events = await take(friend, 3, include_all=True)

    assert members(left) == ["小明", "张三", "李雷"]
    assert counted.calls[:2] == ["webwxupdatechatroom", "webwxbatchgetcontact"]
    assert ContactDeleted(id=room.id) in events
    assert [event.names for event in events if isinstance(event, MemberRemoved)] == [(None,)]
    with pytest.raises(RecipientRejected):
        await friend.send_text(room.id, "喂")


async def test_only_the_owner_removes_members(log_in: LogIn, world: World) -> None:
    client = await log_in("ahua")
    with pytest.raises(ApiError):
        await client.remove_members("周末爬山", ["李雷"])

    assert len(world.chatrooms["hiking"].members) == 4


async def test_a_removal_that_a_check_does_not_confirm_has_failed(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.refuse_next("webwxupdatechatroom", 1)  # The return code of a successful removal, but nothing was done.
    with pytest.raises(ApiError, match="still in the chatroom"):
        await client.remove_members("周末爬山", ["阿华"])


async def test_a_removal_with_an_incomplete_check_has_an_unknown_outcome(log_in: LogIn, world: World) -> None:
    client = await log_in()
    world.faults.add("lost_members")
    with pytest.raises(SendOutcomeUnknown, match="it is unknown whether"):
        await client.remove_members("周末爬山", ["阿华"])


async def test_a_new_name_reaches_all_members(log_in: LogIn, world: World) -> None:
    me, friend = await log_in(), await log_in("ahua")
    renamed = await me.rename_chatroom("周末爬山", "周末游泳")
    events = await take(friend, 3, include_all=True)

    assert renamed.nickname == world.chatrooms["hiking"].name == "周末游泳"
    assert me.contacts.resolve("周末游泳") == renamed
    assert friend.contacts.resolve("周末游泳").kind == "chatroom"
    assert [(event.by, event.name) for event in events if isinstance(event, ChatroomRenamed)] == [("小明", "周末游泳")]


async def test_a_chatroom_that_was_left_is_gone_on_both_sides(log_in: LogIn) -> None:
    me, friend = await log_in(), await log_in("ahua")
    await me.leave_chatroom("周末爬山")
    changed = [event for event in await take(friend, 2, include_all=True) if isinstance(event, ContactChanged)]

    with pytest.raises(UnknownContact):
        me.contacts.resolve("周末爬山")
    assert members(changed[0].contact) == ["阿华", "张三", "李雷"]


async def test_the_id_of_a_person_is_refused(log_in: LogIn, counted: Counted) -> None:
    client = await log_in()
    with pytest.raises(UnknownContact, match="not a chatroom"):
        await client.rename_chatroom("阿华", "x")

    assert counted.calls == []


@pytest.mark.parametrize(
    "attempt",
    [
        lambda client: client.create_chatroom(["@a", "@b"]),
        lambda client: client.add_members("@@room", ["@a"]),
        lambda client: client.invite_members("@@room", ["@a"]),
        lambda client: client.remove_members("@@room", ["@a"]),
        lambda client: client.rename_chatroom("@@room", "x"),
        lambda client: client.leave_chatroom("@@room"),
    ],
)
async def test_on_file_transfer_helper_chatrooms_are_refused_before_any_request(
    log_in: LogIn, counted: Counted, attempt: Callable[[AsyncClient], Awaitable[object]]
) -> None:
    client = await log_in(host="filehelper")
    with pytest.raises(NotOnThisHost, match="host 'web'"):
        await attempt(client)

    assert counted.calls == []
