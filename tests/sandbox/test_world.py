from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from tests.sandbox.conftest import Page

from webwx.protocol.contacts import GETCONTACT, WEBWXINIT, ContactsRequest, InitRequest, WireContact
from webwx.sandbox.errors import Impossible
from webwx.sandbox.options import Options
from webwx.sandbox.world import VirtualClock, World, default_world


def test_the_default_world_has_friends_a_remark_and_a_saved_chatroom(world: World) -> None:
    assert [(person.id, person.nickname) for person in world.people.values()] == [
        ("xiaoming", "小明"),
        ("ahua", "阿华"),
        ("zhangsan", "张三"),
        ("lilei", "李雷"),
        ("weekly", "爬山周刊"),
    ]
    assert world.person("me").friends == {"ahua": "", "zhangsan": "", "lilei": "Boss", "weekly": ""}
    members = world.chatrooms["hiking"].members
    assert [member.id for member in members] == ["xiaoming", "ahua", "zhangsan", "lilei"]
    assert all("hiking" in member.saved for member in members)


def test_the_default_world_has_a_public_account_and_no_chats(world: World) -> None:
    assert [person.id for person in world.people.values() if person.is_public] == ["weekly"]
    assert [person.chats for person in world.people.values()] == [{}] * 5


def test_a_client_that_reads_only_the_contact_list_finds_the_chatroom_and_the_public_account(me: Page) -> None:
    request = ContactsRequest(skey=me.credentials.skey)
    reply = me.call(GETCONTACT, request, headers=(("Cookie", f"wxsid={me.credentials.sid}"),))
    assert reply.member_list
    contacts = [msgspec.json.decode(raw, type=WireContact) for raw in reply.member_list]
    assert [each.nick_name for each in contacts if each.user_name.startswith("@@")] == ["周末爬山"]
    assert [each.nick_name for each in contacts if each.verify_flag == 8] == ["爬山周刊"]


def test_the_default_world_shows_its_articles_at_init(me: Page) -> None:
    reply = me.init()
    assert reply.chat_set == f"filehelper,{me.name('hiking')},"
    (news,) = [msgspec.json.decode(raw) for raw in reply.mp_subscribe_msg_list]
    assert (news["NickName"], news["MPArticleCount"]) == ("爬山周刊", 2)
    assert [article["Title"] for article in news["MPArticleList"]] == ["香山红叶几时最好", "新手装备清单"]


def test_equal_seeds_make_equal_worlds() -> None:
    ids = [default_world(clock=VirtualClock(), rng=random.Random(7)).say("me", "filehelper", "x").id for _ in range(2)]
    assert ids[0] == ids[1]


def test_a_chatroom_is_named_by_name_or_id_and_shows_on_every_phone(world: World) -> None:
    world.say("ahua", "周末爬山", "一")
    world.say("me", "hiking", "二")
    assert [message.text for message in world.inbox("lilei")["hiking"].messages] == ["一", "二"]


def test_every_person_has_their_own_file_transfer_helper(world: World) -> None:
    world.say("me", "filehelper", "记一下")
    assert "filehelper" in world.inbox("me")
    assert world.inbox("ahua") == {}


def test_the_inbox_has_the_latest_chat_first(world: World) -> None:
    for friend in ("ahua", "lilei", "ahua"):
        world.say(friend, "me", "嗯")
    assert list(world.inbox("me")) == ["ahua", "lilei"]


def test_the_last_own_message_is_recalled_when_none_is_named(world: World) -> None:
    first, last = world.say("ahua", "me", "一"), world.say("ahua", "me", "二")
    world.say("me", "ahua", "三")
    assert world.recall("ahua", "me") is last
    assert world.recall("ahua", "me") is first
    with pytest.raises(Impossible, match="no message to recall"):
        world.recall("ahua", "me")
    with pytest.raises(Impossible, match="no message to recall"):
        world.recall("ahua", "zhangsan")


def test_logging_out_needs_a_login(world: World) -> None:
    with pytest.raises(Impossible, match="小明 has no web login"):
        world.log_out("me")


@pytest.mark.parametrize(
    ("act", "code", "unread"),
    [
        (lambda world, chat: world.read_chat(who="me", chat=chat), 1, 0),
        (lambda world, chat: world.open_chat(who="me", chat=chat), 2, 0),
        (lambda world, chat: world.close_chat(who="me", chat=chat), 5, 1),
    ],
)
@pytest.mark.parametrize(("chat", "real_id"), [("ahua", "wxid_ahua"), ("hiking", "hiking@chatroom")])
@pytest.mark.parametrize("options", [Options(real_ids="sent"), Options()], ids=["sent", "hidden"])
def test_opening_a_chat_on_the_phone_notifies_its_own_login(
    me: Page,
    friend: Page,
    world: World,
    act: Callable[[World, str], object],
    code: int,
    unread: int,
    chat: str,
    real_id: str,
) -> None:
    world.say("ahua", "me" if chat == "ahua" else chat, "在吗")
    me.messages()
    friend.messages()
    act(world, chat)
    assert b'selector:"7"' in me.check().body
    [wire] = me.messages()
    assert (wire.msg_type, wire.status_notify_code) == (51, code)
    assert (wire.from_user_name, wire.to_user_name) == (me.me, me.name(chat))
    recent = (
        f"&lt;msg&gt;<br/>&lt;op id='{code}'&gt;<br/>&lt;username&gt;{real_id}&lt;/username&gt;<br/>"
        "&lt;/op&gt;<br/>&lt;/msg&gt;"
    )
    assert wire.content == (recent if world.options.real_ids == "sent" else "")
    assert world.inbox("me")[chat].unread == unread
    assert friend.messages() == []


def test_deleting_on_the_phone_is_local_to_it(me: Page, world: World) -> None:
    message = world.say("ahua", "me", "在吗")
    me.messages()
    world.delete_messages("me", "ahua")
    assert me.messages() == []
    assert "ahua" not in world.inbox("me")
    assert all(me.name("ahua") not in bytes(contact).decode() for contact in me.init().contact_list)
    world.recall("ahua", "me", message.id)
    [notice] = me.messages()
    assert notice.msg_type == 10002
    world.say("ahua", "me", "again")
    assert [each.text for each in world.inbox("me")["ahua"].messages] == ["again"]


def test_an_unknown_chat_cannot_be_opened(world: World) -> None:
    with pytest.raises(Impossible, match="no person"):
        world.open_chat(who="me", chat="unknown")


def test_refusals_are_used_up_in_order(world: World, me: Page) -> None:
    world.refuse_next("webwxinit", 1205)
    world.refuse_next("webwxinit", -1)
    request = InitRequest(credentials=me.credentials)
    assert [me.call(WEBWXINIT, request).base_response.ret for _ in range(3)] == [1205, -1, 0]


def test_befriending_again_changes_only_the_remark_of_that_person(world: World) -> None:
    world.befriend("ahua", "me", remark="小小明")
    world.befriend("me", "ahua", remark="老板")
    assert world.person("me").friends["ahua"] == "老板"
    assert world.person("ahua").friends["xiaoming"] == "小小明"


def test_a_new_nickname_signature_or_picture_notifies_friends(me: Page, world: World) -> None:
    world.unfriend("me", "lilei")
    world.change_profile("lilei", nickname="unknown's friend")
    world.change_profile("ahua", signature="new", is_new_picture=True)
    world.change_profile("ahua", nickname="花", signature="")
    changed = [msgspec.json.decode(raw) for raw in me.fetch().mod_contact_list]
    assert [(each["NickName"], each["Signature"]) for each in changed] == [("阿华", "new"), ("花", "")]
    assert changed[0]["HeadImgUrl"] == changed[1]["HeadImgUrl"]


def test_a_blacklist_shows_only_to_its_owner(me: Page, friend: Page, world: World) -> None:
    world.set_blocked("ahua", "me", is_blocked=True)
    world.set_blocked("ahua", "me", is_blocked=False)
    flags = [msgspec.json.decode(raw)["ContactFlag"] for raw in friend.fetch().mod_contact_list]
    assert [flag & 8 for flag in flags] == [8, 0]
    assert me.fetch().mod_contact_list == []


def test_strangers_can_be_blocked_and_oneself_cannot(me: Page, world: World) -> None:
    world.add_person("陌生人", "stranger")
    world.set_blocked("me", "stranger", is_blocked=True)
    assert world.person("me").blocked == {"stranger"}
    assert me.fetch().mod_contact_list == []
    with pytest.raises(Impossible, match="on their own blacklist"):
        world.set_blocked("me", "me", is_blocked=True)
