from __future__ import annotations

import msgspec
import pytest
from tests.sandbox.conftest import Page, media_file_of

from webwx.protocol.codes import MessageType, Selector, StatusNotify
from webwx.protocol.cookies import Jar
from webwx.protocol.hosts import FAMILIES, Hosts, single
from webwx.protocol.http import Park
from webwx.protocol.messages import STATUSNOTIFY, StatusNotifyRequest
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, KeyValue, SyncKey, SyncRequest
from webwx.sandbox.options import Options
from webwx.sandbox.world import World


def test_a_poll_without_changes_is_held_and_then_answered_with_selector_0(me: Page, world: World) -> None:
    park = me.hold_check()
    assert (park.until, park.account) == (world.now + 25, "xiaoming")
    assert me.hold_check(parked=park) == park
    world.wind(25)
    assert me.check(parked=park).body == b'window.synccheck={retcode:"0",selector:"0"}'


def test_a_message_ends_the_poll(me: Page, world: World) -> None:
    park = me.hold_check()
    world.say("ahua", "me", "在吗")
    assert me.check(parked=park).body == b'window.synccheck={retcode:"0",selector:"2"}'


def test_a_poll_is_held_again_once_everything_is_fetched(me: Page, world: World) -> None:
    world.say("ahua", "me", "在吗")
    assert len(me.messages()) == 1
    me.hold_check()


def test_the_same_key_returns_the_same_messages_again(me: Page, world: World) -> None:
    key = me.sync_key
    world.say("ahua", "me", "在吗")
    assert me.fetch(key).add_msg_list[0] == me.fetch(key).add_msg_list[0]


@pytest.mark.parametrize("options", [Options(batch_size=2)])
def test_changes_beyond_one_batch_follow_with_the_next_key(me: Page, world: World) -> None:
    for number in range(5):
        world.say("ahua", "me", str(number))
    batches = [[message.content for message in me.messages()] for _ in range(3)]
    assert batches == [["0", "1"], ["2", "3"], ["4"]]
    me.hold_check()


@pytest.mark.parametrize("options", [Options(batch_size=1)])
def test_a_waiting_message_is_announced_at_once(me: Page, world: World) -> None:
    world.say("ahua", "me", "一")
    world.say("ahua", "me", "二")
    me.messages()
    assert b'selector:"2"' in me.check().body


def test_a_key_that_is_too_new_counts_as_the_newest(me: Page, world: World) -> None:
    world.say("ahua", "me", "一")
    ahead = SyncKey(count=1, list=tuple(KeyValue(key=pair.key, val=pair.val + 1000) for pair in me.sync_key.list))
    reply = me.fetch(ahead)
    assert reply.add_msg_count == 0
    assert reply.sync_key == me.session.stream.newest


def test_an_empty_key_returns_everything_and_unknown_counters_are_ignored(me: Page, world: World) -> None:
    world.say("ahua", "me", "一")
    assert me.fetch(SyncKey(count=1, list=(KeyValue(key=4711, val=9),))).add_msg_count == 1


def test_messages_from_before_the_login_are_not_delivered(world: World, page: Page) -> None:
    world.say("ahua", "me", "早")
    assert page.login().messages() == []


def test_an_empty_batch_has_all_lists_and_both_keys(me: Page) -> None:
    reply = me.fetch()
    assert reply.sync_key == reply.sync_check_key == me.sync_key
    assert (reply.add_msg_list, reply.mod_contact_list, reply.del_contact_list) == ([], [], [])
    assert reply.profile["BitFlag"] == 0


def test_a_changed_remark_is_delivered_as_a_contact(me: Page, world: World) -> None:
    world.befriend("me", "ahua", remark="老板")
    assert b'selector:"4"' in me.check().body
    (changed,) = (msgspec.json.decode(raw) for raw in me.fetch().mod_contact_list)
    assert (changed["UserName"], changed["RemarkName"]) == (me.name("ahua"), "老板")
    assert "PYInitial" not in changed


def test_a_new_friend_and_a_new_chatroom_are_delivered_as_contacts(me: Page, world: World) -> None:
    world.add_person("新朋友", "new")
    world.befriend("me", "new")
    world.add_chatroom("读书会", ["new", "me"], "books")
    assert b'selector:"6"' in me.check().body
    friend, room = (msgspec.json.decode(raw) for raw in me.fetch().mod_contact_list)
    assert friend["NickName"] == "新朋友"
    assert (room["NickName"], room["MemberCount"], room["ChatRoomOwner"]) == ("读书会", 2, me.name("new"))


def test_a_deleted_friend_is_delivered_as_a_deletion(me: Page, world: World) -> None:
    world.unfriend("me", "ahua")
    reply = me.fetch()
    assert [msgspec.json.decode(raw) for raw in reply.del_contact_list] == [
        {"UserName": me.name("ahua"), "ContactFlag": 0}
    ]


@pytest.mark.parametrize("options", [Options(silent_changes=True)])
def test_after_a_silent_change_a_poll_with_the_fetch_key_returns_at_once(me: Page, world: World, png: bytes) -> None:
    shown = world.picture("ahua", "me", png)
    me.messages()
    me.send_image("filehelper", content=f'<msg><img md5="{media_file_of(shown).md5}" /></msg>')
    assert b'selector:"7"' in me.check().body
    assert me.messages() == []
    assert b'selector:"7"' in me.check(me.sync_key).body
    me.hold_check(me.check_key)


def received_by_selector_2_only(page: Page, world: World) -> list[str]:
    """Poll ten times as clients do that fetch on no other selector; return the texts that they receive."""
    texts = []
    for _ in range(10):
        answer = page.try_once(SYNCCHECK, page.check_request())
        if isinstance(answer, Park):
            break
        if SYNCCHECK.decode_reply(answer).selector == Selector.MESSAGES:
            texts += [message.content for message in page.messages() if message.msg_type == MessageType.TEXT]
    return texts


def change_before_each_message(page: Page, world: World) -> None:
    page.call(STATUSNOTIFY, StatusNotifyRequest(credentials=page.credentials, code=StatusNotify.INITED))
    world.say("ahua", "me", "在吗")
    world.befriend("me", "ahua", remark="老板")
    world.say("ahua", "me", "明天去爬山吗")
    world.open_chat(who="me", chat="ahua")
    world.say("lilei", "me", "我也去")


def test_a_client_that_fetches_on_selector_2_only_receives_every_message(me: Page, world: World) -> None:
    change_before_each_message(me, world)
    assert received_by_selector_2_only(me, world) == ["在吗", "明天去爬山吗", "我也去"]


@pytest.mark.parametrize("options", [Options(batch_size=1)])
def test_a_client_that_fetches_on_selector_2_only_receives_messages_of_later_batches(me: Page, world: World) -> None:
    change_before_each_message(me, world)
    assert received_by_selector_2_only(me, world) == ["在吗", "明天去爬山吗", "我也去"]


@pytest.mark.parametrize("options", [Options(selector="oldest")])
def test_by_an_option_the_oldest_change_determines_the_selector(me: Page, world: World) -> None:
    change_before_each_message(me, world)
    assert b'selector:"7"' in me.check().body
    assert received_by_selector_2_only(me, world) == []


def test_the_phone_can_end_the_login(me: Page, world: World) -> None:
    park = me.hold_check()
    world.log_out("me")
    assert me.check(parked=park).body == b'window.synccheck={retcode:"1100",selector:"0"}'
    reply = me.fetch()
    assert (reply.base_response.ret, reply.sync_key.count, reply.add_msg_list) == (1100, 0, [])


def test_an_unknown_session_is_refused_at_once(page: Page) -> None:
    assert page.call(SYNCCHECK, CheckRequest(sid="unknown")).retcode == 1101


def test_a_test_can_set_the_retcode(me: Page, world: World) -> None:
    world.refuse_next("synccheck", 1102)
    assert me.check().body == b'window.synccheck={retcode:"1102",selector:"0"}'
    me.hold_check()


@pytest.mark.parametrize("options", [Options(replay_every=3)])
def test_by_an_option_every_third_sync_repeats_the_previous_one(me: Page, world: World) -> None:
    received = []
    for number in range(6):
        world.say("ahua", "me", str(number))
        received.append([message.content for message in me.messages()])
    assert received == [["0"], ["1"], ["1", "2"], ["3"], ["4"], ["4", "5"]]


def renewed(page: Page) -> tuple[str, ...]:
    """Fetch once, and return the cookies that the answer sets."""
    request = SyncRequest(credentials=page.credentials, sync_key=page.sync_key)
    return page.ask(WEBWXSYNC, request).header_values("Set-Cookie")


def test_a_sync_renews_the_cookies_of_its_session(me: Page, world: World) -> None:
    jar = Jar()
    for _ in range(3):
        world.wind(8 * 3600)
        jar = jar.updated(me.hosts.main, renewed(me), world.now)
    keys = me.session.keys
    values = [jar.value(name, me.hosts.main, world.now) for name in ("wxsid", "webwx_data_ticket", "wxuin")]
    assert values == [keys.sid, keys.data_ticket, "1000000001"]


def test_cookies_are_dated_as_on_the_platform(me: Page) -> None:
    # The world's clock is at 13:20 of 8 June 2019.
    assert f"wxsid={me.credentials.sid}; Path=/; Expires=Sun, 09-Jun-2019 01:20:00 GMT" in renewed(me)
    assert "wxuin=1000000001; Path=/; Expires=Tue, 11-Jun-2019 13:20:00 GMT" in renewed(me)


@pytest.mark.parametrize(("hosts", "is_secure"), [(FAMILIES["wx.qq.com"], True), (single("http://127.0.0.1"), False)])
def test_cookies_are_secure_over_https_only(page: Page, hosts: Hosts, is_secure: bool) -> None:
    page.hosts = hosts
    page.login()
    assert {value.endswith("; Secure") for value in renewed(page)} == {is_secure}


def test_a_refused_sync_renews_no_cookies(me: Page, world: World) -> None:
    world.log_out("me")
    assert renewed(me) == ()
