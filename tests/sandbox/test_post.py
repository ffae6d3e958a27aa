import pytest

from webwx.sandbox.refusals import Refused


def test_what_is_said_shows_on_both_phones_and_is_unread_on_one(world):
    message = world.say("ahua", "me", "在吗")
    assert world.inbox("me")["ahua"].messages == world.inbox("ahua")["xiaoming"].messages == [message]
    assert (world.inbox("me")["ahua"].unread, world.inbox("ahua")["xiaoming"].unread) == (1, 0)


def test_nothing_is_said_to_strangers_or_oneself(world):
    world.add_person("陌生人", "stranger")
    for to in ("stranger", "me"):
        with pytest.raises(Refused, match="Ret 1204"):
            world.say("me", to, "x")


def test_a_named_message_is_recalled_within_two_minutes_only(world):
    message = world.say("ahua", "me", "一")
    world.wind(121)
    with pytest.raises(Refused, match="Ret -1"):
        world.recall("ahua", "me", message.id)


def test_a_message_is_found_by_those_who_see_it_only(world):
    message = world.say("ahua", "lilei", "悄悄话")
    assert world.post.message(message.id, world.person("lilei")) is message
    with pytest.raises(Refused):
        world.post.message(message.id, world.person("me"))


def test_a_recall_is_told_to_those_who_got_the_message_only(friend, world):
    world.unfriend("ahua", "me")
    message = world.say("me", "ahua", "在吗")
    world.recall("me", "ahua", message.id)
    assert friend.messages() == []


def test_message_ids_have_19_digits(world):
    assert {len(world.post.new_id()) for _ in range(100)} == {19}
