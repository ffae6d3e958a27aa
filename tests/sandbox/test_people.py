from __future__ import annotations

from webwx.sandbox import contents
from webwx.sandbox.world import World


def test_each_side_sees_a_message_in_the_chat_with_the_other(world: World) -> None:
    ahua, me = world.person("ahua"), world.person("me")
    message = world.say("ahua", "me", "在吗")
    assert (message.chat_of(me), message.chat_of(ahua)) == ("ahua", "xiaoming")
    assert me.sees(message)
    assert not world.person("lilei").sees(message)


def test_all_members_see_a_message_in_the_chatroom(world: World) -> None:
    message = world.say("ahua", "周末爬山", "走吗")
    assert {message.chat_of(person) for person in world.chatrooms["hiking"].members} == {"hiking"}


def test_reading_clears_one_chat(world: World) -> None:
    me = world.person("me")
    world.say("ahua", "me", "一")
    world.say("lilei", "me", "二")
    me.mark_read("ahua")
    me.mark_read("zhangsan")
    assert {key: chat.unread for key, chat in me.chats.items()} == {"ahua": 0, "lilei": 1}


def test_reading_up_to_a_message_leaves_later_ones_of_others_unread(world: World) -> None:
    me = world.person("me")
    first = world.say("ahua", "me", "一")
    world.say("ahua", "me", "二")
    world.say("me", "ahua", "好")
    world.notify("me", "ahua", contents.system("提示"))
    last = world.say("ahua", "me", "三")
    me.mark_read("ahua", first.id)
    assert me.chats["ahua"].unread == 2
    me.mark_read("ahua", last.id)
    assert me.chats["ahua"].unread == 0
    me.mark_read("ahua", first.id)
    assert me.chats["ahua"].unread == 0


def test_deleted_messages_are_gone_from_one_phone_with_their_unread_count(world: World) -> None:
    me = world.person("me")
    first, second = world.say("ahua", "me", "一"), world.say("ahua", "me", "二")
    me.mark_read("ahua", first.id)
    world.say("ahua", "me", "三")
    me.delete("ahua", [first.id, second.id, "unknown"])
    assert ([each.text for each in me.chats["ahua"].messages], me.chats["ahua"].unread) == (["三"], 1)
    assert len(world.inbox("ahua")["xiaoming"].messages) == 3
    me.delete("ahua", [])
    me.delete("lilei", [])
    assert (me.chats["ahua"].messages, me.chats["ahua"].unread) == ([], 0)


def test_a_person_and_a_chatroom_have_permanent_ids_on_phones(world: World) -> None:
    assert (world.person("me").real_id, world.chatrooms["hiking"].real_id) == ("wxid_xiaoming", "hiking@chatroom")


def test_a_member_lists_the_chatroom(world: World) -> None:
    room, ahua = world.chatrooms["hiking"], world.person("ahua")
    assert room.has(ahua)
    assert ahua.rooms == {"hiking": room}
    room.remove(ahua)
    assert not room.has(ahua)
    assert ahua.rooms == {}


def test_the_longest_member_owns_a_chatroom_and_an_empty_one_has_no_owner(world: World) -> None:
    room = world.chatrooms["hiking"]
    owners, members = [], room.members
    for person in members:
        owners.append(room.owner)
        room.remove(person)
    assert owners == list(members)
    assert room.owner is None
