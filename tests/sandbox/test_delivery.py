from __future__ import annotations

import pytest
from tests.sandbox.conftest import Page

from webwx.sandbox.errors import Refused
from webwx.sandbox.world import World


def test_a_text_shows_on_both_phones_and_is_unread_on_one(world: World) -> None:
    message = world.say("ahua", "me", "在吗")
    assert world.inbox("me")["ahua"].messages == world.inbox("ahua")["xiaoming"].messages == [message]
    assert (world.inbox("me")["ahua"].unread, world.inbox("ahua")["xiaoming"].unread) == (1, 0)


def test_a_text_to_a_stranger_or_oneself_is_refused(world: World) -> None:
    world.add_person("陌生人", "stranger")
    for to in ("stranger", "me"):
        with pytest.raises(Refused, match="Ret 1204"):
            world.say("me", to, "x")


def test_a_blocked_sender_is_notified_and_nothing_arrives(me: Page, friend: Page, world: World) -> None:
    world.set_blocked("ahua", "me", is_blocked=True)
    assert me.send_text(me.name("ahua"), "在吗").base_response.ret == 0
    assert [(m.msg_type, m.content) for m in me.messages()] == [(10000, "消息已发出，但被对方拒收了。")]
    assert friend.messages() == []
    assert friend.send_text(friend.name("xiaoming"), "不在").base_response.ret == 0
    assert [message.content for message in me.messages()] == ["不在"]


def test_in_a_chatroom_a_blacklist_has_no_effect(world: World) -> None:
    world.set_blocked("ahua", "me", is_blocked=True)
    world.say("me", "hiking", "走吗")
    assert [message.text for message in world.inbox("ahua")["hiking"].messages] == ["走吗"]


def test_a_named_message_is_recalled_within_two_minutes_only(world: World) -> None:
    message = world.say("ahua", "me", "一")
    world.wind(121)
    with pytest.raises(Refused, match="Ret -1"):
        world.recall("ahua", "me", message.id)


def test_a_message_is_found_only_by_people_who_see_it(world: World) -> None:
    message = world.say("ahua", "lilei", "悄悄话")
    assert world.delivery.message(message.id, world.person("lilei")) is message
    with pytest.raises(Refused):
        world.delivery.message(message.id, world.person("me"))


def test_a_recall_notifies_only_recipients_of_the_message(friend: Page, world: World) -> None:
    world.unfriend("ahua", "me")
    message = world.say("me", "ahua", "在吗")
    world.recall("me", "ahua", message.id)
    assert friend.messages() == []


def test_message_ids_have_19_digits(world: World) -> None:
    assert {len(world.delivery.new_id()) for _ in range(100)} == {19}
