from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw, UnsetType
from tests.sandbox.conftest import Page

from webwx.protocol.appmsg import Article
from webwx.protocol.contacts import (
    ACCEPT_FRIEND,
    ADD_FRIEND,
    BATCHGETCONTACT,
    GETCONTACT,
    GETHEADIMG,
    GETICON,
    OPLOG,
    SEARCHCONTACT,
    SET_PINNED,
    SET_REMARK,
    VERIFYUSER,
    AvatarRequest,
    BatchContactsRequest,
    ContactKey,
    ContactsReply,
    ContactsRequest,
    FoundUser,
    OplogRequest,
    SearchContactRequest,
    VerifyUser,
    VerifyUserRequest,
    WireContact,
)
from webwx.protocol.endpoint import Endpoint
from webwx.sandbox import contents
from webwx.sandbox.errors import Impossible
from webwx.sandbox.options import Options
from webwx.sandbox.people import WorldPerson
from webwx.sandbox.world import World


def read(raw: list[Raw] | UnsetType) -> list[WireContact]:
    assert not isinstance(raw, UnsetType)
    return [msgspec.json.decode(each, type=WireContact) for each in raw]


def list_page(page: Page, seq: int = 0) -> ContactsReply:
    return page.call(GETCONTACT, ContactsRequest(seq=seq), headers=(("Cookie", f"wxsid={page.credentials.sid}"),))


def get(page: Page, *names: str) -> list[WireContact]:
    keys = tuple(ContactKey(user_name=name) for name in names)
    reply = page.call(BATCHGETCONTACT, BatchContactsRequest(credentials=page.credentials, count=len(keys), list=keys))
    return read(reply.contact_list)


def test_init_shows_the_account_and_its_recent_chats(me: Page) -> None:
    reply = me.init()
    assert (reply.user.nick_name, reply.user.uin) == ("小明", 1_000_000_001)
    assert reply.chat_set == f"filehelper,{me.name('hiking')},"
    assert [contact.nick_name for contact in read(reply.contact_list)] == ["文件传输助手", "周末爬山"]
    assert (reply.count, reply.system_time, reply.invite_start_count) == (2, 1_560_000_000, 40)


def test_init_twice_gives_the_same_keys(me: Page) -> None:
    first, second = me.init(), me.init()
    assert (first.skey, first.sync_key) == (second.skey, second.sync_key)


def test_init_repeats_the_skey_of_the_login(me: Page) -> None:
    assert me.init().skey == me.credentials.skey


@pytest.mark.parametrize("options", [Options(skey="renewed")])
def test_by_an_option_the_skey_changes_at_init_and_the_old_one_stays_valid(me: Page) -> None:
    assert me.init().skey != me.credentials.skey
    assert me.fetch().base_response.ret == 0


def test_recent_chats_are_newest_first(me: Page, world: World) -> None:
    world.say("zhangsan", "me", "一")
    world.say("ahua", "me", "二")
    assert me.init().chat_set.split(",")[:2] == [me.name("ahua"), me.name("zhangsan")]


def test_names_are_new_in_every_login_and_stable_inside_one(me: Page, new_page: Callable[..., Page]) -> None:
    other = new_page().login()
    assert me.name("ahua") == me.name("ahua")
    assert me.name("ahua") != other.name("ahua")
    assert me.me != other.me


def test_the_address_book_holds_oneself_the_built_in_ones_friends_and_saved_chatrooms(me: Page, world: World) -> None:
    world.add_chatroom("读书会", ["me", "ahua"], "books")
    contacts = {contact.nick_name: contact for contact in read(list_page(me).member_list)}
    assert list(contacts) == ["小明", "文件传输助手", "微信团队", "阿华", "张三", "李雷", "爬山周刊", "周末爬山"]
    assert contacts["李雷"].remark_name == "Boss"
    assert (contacts["周末爬山"].member_list, contacts["周末爬山"].statues) == ([], 1)
    assert contacts["微信团队"].verify_flag == 56


@pytest.mark.parametrize("options", [Options(contact_page_size=3)])
def test_the_address_book_has_pages(me: Page) -> None:
    pages, seq = [], None
    while seq != 0:
        page = list_page(me, seq or 0)
        pages.append(len(read(page.member_list)))
        seq = page.seq
    assert pages == [3, 3, 2]


def test_chatrooms_have_all_members_including_the_account(me: Page) -> None:
    (room,) = get(me, me.name("hiking"))
    assert (room.nick_name, room.member_count, room.is_owner) == ("周末爬山", 4, 1)
    assert [member.user_name for member in room.member_list] == [
        me.name(who) for who in ("xiaoming", "ahua", "zhangsan", "lilei")
    ]


def test_any_number_of_names_is_answered_and_unknown_ones_are_left_out(me: Page) -> None:
    assert len(get(me, *[me.name("ahua")] * 80, "@unknown")) == 80


def test_a_member_who_is_not_a_friend_has_a_nickname_only(me: Page, world: World) -> None:
    world.add_person("陌生人", "stranger")
    world.add_chatroom("读书会", ["me", "stranger"], "books")
    (stranger,) = get(me, me.name("stranger"))
    assert (stranger.nick_name, stranger.contact_flag, stranger.remark_name) == ("陌生人", 0, "")


def test_nicknames_are_escaped(me: Page, world: World) -> None:
    world.add_person("<b> & co", "bold")
    world.befriend("me", "bold")
    assert get(me, me.name("bold"))[0].nick_name == "&lt;b&gt; &amp; co"


def test_the_address_of_a_picture_ends_in_the_skey_except_in_a_batch(me: Page, world: World) -> None:
    skey = me.credentials.skey
    world.set_remark(world.person("me"), "ahua", "花")
    lists = me.fetch().mod_contact_list, me.init().contact_list, list_page(me).member_list
    addresses = [contact.head_img_url for each in lists for contact in read(each)] + [me.init().user.head_img_url]
    assert len(addresses) == 1 + 2 + 8 + 1
    assert all(address.endswith(f"&skey={skey}") for address in addresses)
    asked = get(me, me.name("ahua"), me.name("hiking"), "filehelper")
    assert all(contact.head_img_url.endswith("&skey=") for contact in asked)


def test_a_chatroom_that_is_not_saved_is_shown_first_with_the_ids_of_its_members_alone(me: Page, world: World) -> None:
    world.set_saved("me", "hiking", is_saved=False)
    (first,) = [contact for contact in read(me.init().contact_list) if contact.nick_name == "周末爬山"]
    assert (first.contact_flag, first.member_count) == (0, 4)
    members = ("xiaoming", "ahua", "zhangsan", "lilei")
    assert [member.user_name for member in first.member_list] == [me.name(who) for who in members]
    assert {member.nick_name for member in first.member_list} == {""}
    (asked,) = get(me, me.name("hiking"))
    assert (asked.contact_flag, asked.member_count) == (2, 4)
    assert [member.nick_name for member in asked.member_list] == ["小明", "阿华", "张三", "李雷"]
    assert re.fullmatch("@[0-9a-f]{32}", asked.encry_chat_room_id)


def test_a_saved_chatroom_is_shown_first_without_members(me: Page, world: World) -> None:
    world.set_saved("me", "hiking", is_saved=True)
    (changed,) = changes(me)
    (first,) = [contact for contact in read(me.init().contact_list) if contact.nick_name == "周末爬山"]
    assert (changed.contact_flag, first.contact_flag, first.member_count, first.member_list) == (3, 3, 0, [])
    world.set_saved("me", "hiking", is_saved=False)
    assert [contact.contact_flag for contact in changes(me)] == [2]
    assert "周末爬山" not in {contact.nick_name for contact in read(list_page(me).member_list)}


# -- public accounts --------------------------------------------------------------------------------------------------


@pytest.fixture
def paper(world: World) -> WorldPerson:
    """A public account that 小明 follows."""
    account = world.add_person("晨报", "paper")
    account.verify_flag = 24
    world.befriend("me", "paper")
    return account


def test_a_public_account_is_a_contact_of_its_own_kind(me: Page, paper: WorldPerson) -> None:
    (shown,) = get(me, me.name("paper"))
    assert (shown.verify_flag, shown.contact_flag, shown.key_word) == (24, 3, "gh_")
    assert (shown.sns_flag, shown.attr_status, shown.sex) == (0, 0, 0)


def test_the_last_articles_of_public_accounts_are_in_the_answer_of_init(
    me: Page, world: World, paper: WorldPerson
) -> None:
    del world.person("me").friends["weekly"]
    assert me.init().mp_subscribe_msg_list == []
    world.say("paper", "me", "welcome")
    assert me.init().mp_subscribe_msg_list == []
    articles = (
        Article(title="一 & 二", url="http://a?b=1&c=2", digest="摘要", cover="http://c|640|360"),
        Article(title="三"),
    )
    world.send("paper", "me", contents.link(paper, "一", "http://a", articles=articles))
    reply = me.init()
    assert (reply.mp_subscribe_msg_count, len(reply.mp_subscribe_msg_list)) == (1, 1)
    assert msgspec.json.decode(reply.mp_subscribe_msg_list[0]) == {
        "UserName": me.name("paper"), "MPArticleCount": 2, "Time": 1_560_000_000, "NickName": "晨报",
        "MPArticleList": [
            {"Title": "一 &amp; 二", "Digest": "摘要", "Cover": "http://c|640|360", "Url": "http://a?b=1&c=2"},
            {"Title": "三", "Digest": "", "Cover": "", "Url": ""},
        ],
    }  # fmt: skip
    world.send("paper", "me", contents.link(paper, "四", "http://d", "摘"))
    (last,) = me.init().mp_subscribe_msg_list
    assert [article["Title"] for article in msgspec.json.decode(last)["MPArticleList"]] == ["四"]


def test_a_public_account_joins_no_chatroom_and_cannot_log_in(me: Page, world: World, paper: WorldPerson) -> None:
    assert not world.membership.can_add(world.person("me"), paper)
    uuid = me.new_code()
    with pytest.raises(Impossible, match="it cannot log in"):
        world.scan("paper", uuid)
    for person in list(world.people.values())[:4]:
        world.log_in(person)
    assert world.next_account().id == "xiaoming"


# -- remark and pin ---------------------------------------------------------------------------------------------------


def oplog(page: Page, **fields: Any) -> int:
    return page.call(OPLOG, OplogRequest(credentials=page.credentials, **fields)).base_response.ret


def changes(page: Page) -> list[WireContact]:
    return read(page.fetch().mod_contact_list)


def test_a_new_remark_is_delivered_by_sync(me: Page, friend: Page, world: World) -> None:
    assert oplog(me, cmd_id=SET_REMARK, user_name=me.name("ahua"), remark_name="花") == 0
    assert [contact.remark_name for contact in changes(me)] == ["花"]
    assert changes(friend) == []
    assert world.person("ahua").friends["xiaoming"] == ""


def test_only_friends_have_remarks(me: Page) -> None:
    assert oplog(me, cmd_id=SET_REMARK, user_name=me.name("hiking"), remark_name="x") == 1204
    assert oplog(me, cmd_id=SET_REMARK, user_name="@unknown", remark_name="x") == 1204


@pytest.mark.parametrize(("op", "flag"), [(1, 2048), (0, 0)])
def test_a_pin_is_a_bit_of_the_contact_flag(me: Page, world: World, op: int, flag: int) -> None:
    world.set_pinned("me", "ahua", is_pinned=not op)
    for who in ("ahua", "hiking"):
        assert oplog(me, cmd_id=SET_PINNED, op=op, user_name=me.name(who), remark_name="") == 0
        assert changes(me)[-1].contact_flag & 2048 == flag


@pytest.mark.parametrize(
    ("options", "remark"), [(Options(), ""), (Options(pin_without_remark="keeps"), "Boss")], ids=["erases", "keeps"]
)
def test_a_pin_that_does_not_repeat_the_remark_erases_it(me: Page, world: World, remark: str) -> None:
    assert oplog(me, cmd_id=SET_PINNED, op=1, user_name=me.name("lilei")) == 0
    assert world.person("me").friends["lilei"] == remark


def test_other_operations_are_unknown(me: Page) -> None:
    assert oplog(me, cmd_id=7, user_name=me.name("ahua")) == 1


# -- avatars ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", [GETICON, GETHEADIMG])
def test_an_avatar_needs_a_login_and_a_name_of_that_login(me: Page, endpoint: Endpoint[Any, Any]) -> None:
    cookie = (("Cookie", f"wxsid={me.credentials.sid}"),)
    known = me.call(endpoint, AvatarRequest(username=me.name("ahua")), headers=cookie)
    assert (known.content_type, known.content[:4]) == ("image/jpeg", b"\xff\xd8\xff\xe0")
    assert me.call(endpoint, AvatarRequest(username="@unknown"), headers=cookie).content == b""
    assert me.call(endpoint, AvatarRequest(username=me.name("ahua"))).content == b""


def test_an_avatar_is_the_same_until_it_is_changed(me: Page, world: World) -> None:
    def seen() -> bytes:
        cookie = (("Cookie", f"wxsid={me.credentials.sid}"),)
        return me.call(GETICON, AvatarRequest(username=me.name("ahua")), headers=cookie).content

    first = seen()
    assert seen() == first
    world.change_profile("ahua", is_new_picture=True)
    assert seen() != first


# -- friends ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stranger(world: World) -> WorldPerson:
    return world.add_person("陌生人", "stranger")


def verify(page: Page, opcode: int, name: str, ticket: str = "", greeting: str = "") -> int:
    user = VerifyUser(value=name, verify_user_ticket=ticket)
    request = VerifyUserRequest(
        credentials=page.credentials, opcode=opcode, verify_user_list=(user,), verify_content=greeting
    )
    return page.call(VERIFYUSER, request).base_response.ret


def test_a_friend_request_arrives_and_its_ticket_accepts_it(
    me: Page, new_page: Callable[..., Page], world: World, stranger: WorldPerson
) -> None:
    other = new_page().login("stranger")
    (name,) = [found.encry_user_name for found in search(me, "陌生人")]
    assert verify(me, ADD_FRIEND, name, greeting="我是小明") == 0
    (request,) = other.messages()
    assert (request.msg_type, request.from_user_name, request.recommend_info.content) == (37, "fmessage", "我是小明")
    shown = request.recommend_info
    assert verify(other, ACCEPT_FRIEND, shown.user_name, "v2_wrong@stranger") == -1
    assert verify(other, ACCEPT_FRIEND, shown.user_name, shown.ticket) == 0
    assert verify(other, ACCEPT_FRIEND, shown.user_name, shown.ticket) == -1
    assert [contact.nick_name for contact in changes(me)] == ["陌生人"]
    assert [message.content for message in me.messages()] == ["我通过了你的朋友验证请求，现在我们可以开始聊天了"]
    assert [message.msg_type for message in other.messages()] == [10000, 1]
    assert "stranger" in world.person("me").friends


def test_an_empty_ticket_is_accepted(me: Page, world: World, stranger: WorldPerson) -> None:
    world.ask_friend("stranger", "me", "你好")
    assert verify(me, ACCEPT_FRIEND, me.name("stranger")) == 0


@pytest.mark.parametrize(("opcode", "who", "ret"), [(4, "ahua", 1), (ADD_FRIEND, "filehelper", 1204)])
def test_an_invalid_friend_request_is_refused(me: Page, opcode: int, who: str, ret: int) -> None:
    assert verify(me, opcode, me.name(who)) == ret


def test_a_friend_request_names_exactly_one_person(me: Page) -> None:
    request = VerifyUserRequest(credentials=me.credentials, opcode=ADD_FRIEND)
    assert me.call(VERIFYUSER, request).base_response.ret == 1


def search(page: Page, words: str) -> tuple[FoundUser, ...]:
    request = SearchContactRequest(credentials=page.credentials, key_word=words)
    return page.call(SEARCHCONTACT, request).list


def test_a_search_finds_whole_nicknames(me: Page) -> None:
    assert [found.encry_user_name for found in search(me, "阿华")] == [me.name("ahua")]
    assert search(me, "阿") == ()


# -- chatrooms that only the phone lists ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [Options(chatrooms="recent")])
def test_chatrooms_can_be_missing_from_the_lists(me: Page, world: World) -> None:
    assert me.init().chat_set == "filehelper,"
    assert "周末爬山" not in [contact.nick_name for contact in read(list_page(me).member_list)]
    world.delivery.send_recent_chats(world.person("me"))
    (activity,) = me.messages()
    assert me.name("hiking") in activity.status_notify_user_name


def test_a_member_has_a_display_name_in_a_chatroom(me: Page, world: World) -> None:
    world.chatrooms["hiking"].names["ahua"] = "<领队>"
    (room,) = get(me, me.name("hiking"))
    assert [member.display_name for member in room.member_list] == ["", "&lt;领队&gt;", "", ""]
