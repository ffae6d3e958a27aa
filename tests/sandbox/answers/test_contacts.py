import msgspec
import pytest

from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    BatchContactsRequest,
    ContactKey,
    ContactsRequest,
    WireContact,
)
from webwx.sandbox.switches import Switches


def read(raw):
    return [msgspec.json.decode(each, type=WireContact) for each in raw]


def list_page(page, seq=0):
    return page.call(GETCONTACT, ContactsRequest(seq=seq), headers=(("Cookie", f"wxsid={page.credentials.sid}"),))


def get(page, *names):
    keys = tuple(ContactKey(user_name=name) for name in names)
    reply = page.call(BATCHGETCONTACT, BatchContactsRequest(credentials=page.credentials, count=len(keys), list=keys))
    return read(reply.contact_list)


def test_init_shows_the_account_and_its_recent_chats(me):
    reply = me.init()
    assert (reply.user.nick_name, reply.user.uin) == ("小明", 1_000_000_001)
    assert reply.chat_set == f"filehelper,{me.name('hiking')},"
    assert [contact.nick_name for contact in read(reply.contact_list)] == ["文件传输助手", "周末爬山"]
    assert (reply.count, reply.system_time, reply.invite_start_count) == (2, 1_560_000_000, 40)


def test_init_twice_gives_the_same_keys(me):
    first, second = me.init(), me.init()
    assert (first.skey, first.sync_key) == (second.skey, second.sync_key)


def test_the_skey_changes_at_init_and_the_old_one_stays_good(me):
    assert me.init().skey != me.credentials.skey
    assert me.fetch().base_response.ret == 0


def test_recent_chats_come_newest_first(me, world):
    world.say("zhangsan", "me", "一")
    world.say("ahua", "me", "二")
    assert me.init().chat_set.split(",")[:2] == [me.name("ahua"), me.name("zhangsan")]


def test_names_are_new_in_every_login_and_stable_inside_one(me, new_page):
    other = new_page().login()
    assert me.name("ahua") == me.name("ahua")
    assert me.name("ahua") != other.name("ahua")
    assert me.me != other.me


def test_the_address_book_holds_oneself_the_built_in_ones_friends_and_chatrooms(me):
    contacts = {contact.nick_name: contact for contact in read(list_page(me).member_list)}
    assert list(contacts) == ["小明", "文件传输助手", "微信团队", "阿华", "张三", "李雷", "周末爬山"]
    assert contacts["李雷"].remark_name == "Boss"
    assert (contacts["周末爬山"].member_list, contacts["周末爬山"].statues) == ([], 1)
    assert contacts["微信团队"].verify_flag == 56


@pytest.mark.parametrize("switches", [Switches(contact_page_size=3)])
def test_the_address_book_comes_in_pages(me):
    pages, seq = [], None
    while seq != 0:
        page = list_page(me, seq or 0)
        pages.append(len(page.member_list))
        seq = page.seq
    assert pages == [3, 3, 1]


def test_chatrooms_are_given_with_their_members_oneself_included(me):
    (room,) = get(me, me.name("hiking"))
    assert (room.nick_name, room.member_count, room.is_owner) == ("周末爬山", 4, 1)
    assert [member.user_name for member in room.member_list] == [
        me.name(who) for who in ("xiaoming", "ahua", "zhangsan", "lilei")
    ]


def test_any_number_of_names_is_answered_and_unknown_ones_are_left_out(me):
    assert len(get(me, *[me.name("ahua")] * 80, "@unknown")) == 80


def test_a_member_who_is_no_friend_is_shown_bare(me, world):
    world.add_person("陌生人", "stranger")
    world.add_chatroom("读书会", ["me", "stranger"], "books")
    (stranger,) = get(me, me.name("stranger"))
    assert (stranger.nick_name, stranger.contact_flag, stranger.remark_name) == ("陌生人", 0, "")


def test_nicknames_are_escaped(me, world):
    world.add_person("<b> & co", "bold")
    world.befriend("me", "bold")
    assert get(me, me.name("bold"))[0].nick_name == "&lt;b&gt; &amp; co"


def test_contacts_hold_no_keys(me, world):
    body = me.ask(GETCONTACT, ContactsRequest(), headers=(("Cookie", f"wxsid={me.credentials.sid}"),)).body.decode()
    assert [secret for secret in world.issued if secret in body] == []
