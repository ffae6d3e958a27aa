from __future__ import annotations

import msgspec
import pytest
from tests.sandbox.conftest import Page

from webwx.protocol.chatrooms import (
    CREATECHATROOM,
    UPDATECHATROOM,
    CreateChatroomReply,
    CreateChatroomRequest,
    NewMember,
    UpdateChatroomReply,
    UpdateChatroomRequest,
)
from webwx.protocol.contacts import WireMember
from webwx.sandbox.options import Options
from webwx.sandbox.people import WorldPerson
from webwx.sandbox.world import World


def create(page: Page, *names: str, topic: str = "") -> CreateChatroomReply:
    members = tuple(NewMember(user_name=name) for name in names)
    request = CreateChatroomRequest(
        credentials=page.credentials, member_count=len(members), member_list=members, topic=topic
    )
    return page.call(CREATECHATROOM, request)


def update(page: Page, fun: str, room: str = "hiking", **change: str) -> UpdateChatroomReply:
    request = UpdateChatroomRequest(fun=fun, credentials=page.credentials, chat_room_name=page.name(room), **change)
    return page.call(UPDATECHATROOM, request)


def statuses(reply: CreateChatroomReply | UpdateChatroomReply) -> list[tuple[str, int]]:
    members = [msgspec.json.decode(raw, type=WireMember) for raw in reply.member_list]
    return [(member.nick_name, member.member_status) for member in members]


def test_a_new_chatroom_has_a_message_on_success(me: Page, world: World) -> None:
    reply = create(me, me.name("ahua"), me.name("lilei"), topic="电影")
    assert (reply.base_response.ret, reply.base_response.err_msg) == (0, "Everything is OK")
    assert statuses(reply) == [("阿华", 0), ("李雷", 0)]
    assert reply.chat_room_name.startswith("@@")
    assert [member.id for member in world.chatrooms["room2"].members] == ["xiaoming", "ahua", "lilei"]


def test_people_who_cannot_be_added_are_marked(me: Page, stranger: WorldPerson) -> None:
    reply = create(me, me.name("ahua"), me.name("stranger"), me.name("lilei"))
    assert reply.base_response.ret == -2013
    assert [status != 0 for _, status in statuses(reply)] == [False, True, False]
    added = update(me, "addmember", add_member_list=me.name("stranger"))
    assert (added.base_response.ret, statuses(added)[0][1] != 0) == (-2013, True)


def test_people_who_blocked_the_account_are_in_the_black_list_and_marked(me: Page, world: World) -> None:
    for who in ("ahua", "lilei"):
        world.set_blocked(who, "me", is_blocked=True)
    world.befriend("me", world.add_person("王芳", "wangfang").id)
    reply = create(me, *[me.name(who) for who in ("ahua", "zhangsan", "lilei", "wangfang")])
    assert reply.base_response.ret == -2013
    assert reply.black_list == f"{me.name('ahua')},{me.name('lilei')}"
    assert statuses(reply) == [("阿华", 3), ("张三", 0), ("李雷", 3), ("王芳", 0)]
    world.add_chatroom("读书会", ["me", "zhangsan"], "books")
    added = update(me, "addmember", "books", add_member_list=me.name("ahua"))
    assert (added.base_response.ret, statuses(added)) == (-2013, [("阿华", 3)])


def test_the_black_list_is_empty_if_no_one_blocked_the_account(me: Page, world: World) -> None:
    world.set_blocked("me", "ahua", is_blocked=True)
    assert create(me, me.name("ahua"), me.name("lilei")).black_list == ""


@pytest.mark.parametrize("options", [Options(invite_start_count=3, large_chatrooms="invited")])
@pytest.mark.parametrize(("members", "is_let_in"), [(["me", "ahua"], True), (["me", "ahua", "lilei"], False)])
def test_a_large_chatroom_adds_only_invited_people(me: Page, world: World, members: list[str], is_let_in: bool) -> None:
    room = world.add_chatroom("读书会", members, "books")
    reply = update(me, "addmember", "books", add_member_list=me.name("zhangsan"))
    assert (reply.base_response.ret == 0, statuses(reply)[0][1] == 0) == (is_let_in, is_let_in)
    assert (world.person("zhangsan") in room.members) is is_let_in
    assert update(me, "invitemember", "books", invite_member_list=me.name("zhangsan")).base_response.ret == 0


@pytest.mark.parametrize("others", [[], ["ahua"], ["ahua", "filehelper"]])
def test_a_chatroom_needs_two_other_members(me: Page, world: World, others: list[str]) -> None:
    assert create(me, *[me.name(other) for other in others]).base_response.ret == 1
    assert list(world.chatrooms) == ["hiking"]


def test_added_members_are_in_the_answer(me: Page, world: World) -> None:
    world.add_chatroom("读书会", ["me", "ahua"], "books")
    reply = update(me, "addmember", "books", add_member_list=f"{me.name('lilei')},{me.name('zhangsan')}")
    assert statuses(reply) == [("李雷", 0), ("张三", 0)]
    assert len(world.chatrooms["books"].members) == 4


@pytest.mark.parametrize("fun", ["addmember", ""])
def test_the_field_selects_the_action_when_the_query_is_missing(me: Page, world: World, fun: str) -> None:
    world.add_chatroom("读书会", ["me", "ahua"], "books")
    assert update(me, fun, "books", add_member_list=me.name("lilei")).base_response.ret == 0
    assert len(world.chatrooms["books"].members) == 3


@pytest.mark.parametrize(
    ("change", "members", "name"),
    [
        ({"del_member_list": "ahua"}, 3, "周末爬山"),
        ({"new_topic": "游泳"}, 4, "游泳"),
        ({"invite_member_list": "ahua"}, 4, "周末爬山"),
    ],
)
def test_each_change_is_made(me: Page, world: World, change: dict[str, str], members: int, name: str) -> None:
    fields = {field: me.name(value) if value == "ahua" else value for field, value in change.items()}
    assert update(me, "", **fields).base_response.ret == 0
    assert (len(world.chatrooms["hiking"].members), world.chatrooms["hiking"].name) == (members, name)


def test_leaving_deletes_the_chatroom_for_oneself(me: Page, friend: Page) -> None:
    assert update(friend, "quitchatroom").base_response.ret == 0
    reply = friend.fetch()
    assert [msgspec.json.decode(raw)["UserName"] for raw in reply.del_contact_list] == [friend.name("hiking")]
    [changed] = me.fetch().mod_contact_list
    assert msgspec.json.decode(changed)["MemberCount"] == 3
    assert update(friend, "modtopic", new_topic="x").base_response.ret == 1201


def test_the_id_of_a_person_is_refused(me: Page) -> None:
    assert update(me, "modtopic", "ahua", new_topic="x").base_response.ret == 1201


def test_an_empty_change_is_refused(me: Page) -> None:
    assert update(me, "").base_response.ret == 1
