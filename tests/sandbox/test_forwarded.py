"""Messages that a phone forwards, and the ones it does not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.sandbox.conftest import Page, media_file_of

from webwx.sandbox import contents
from webwx.sandbox.errors import Impossible
from webwx.sandbox.forwarded import can_forward
from webwx.sandbox.people import MessageContent, WorldPerson
from webwx.sandbox.world import World

FORWARDED: dict[str, tuple[Callable[[WorldPerson], MessageContent], int, int]] = {
    "text": (lambda _: contents.text("在吗"), 1, 0),
    "location": (lambda _: contents.location(31.2, 121.5, "外滩"), 1, 0),
    "card": (contents.card, 42, 0),
    "store sticker": (lambda _: contents.store_sticker(), 47, 0),
    "link": (lambda person: contents.link(person, "标题", "http://a"), 49, 5),
    "music": (lambda person: contents.music(person, "茉莉花", "民歌", "http://a", "http://b"), 49, 3),
    "mini program": (lambda person: contents.mini_program(person, "拼车", "出行", "page"), 49, 33),
    "history": (lambda person: contents.history(person, "记录", ("阿华: 在吗",)), 49, 19),
    "history on the phone only": (lambda _: contents.unsupported(), 49, 0),
    "group note": (lambda person: contents.group_note(person, "报名", ("阿华",)), 49, 53),
}
"""Content by the sender, with `MsgType` and `AppMsgType` of its forward."""

KEPT: dict[str, Callable[[WorldPerson], MessageContent]] = {
    "live location": contents.live_location,
    "transfer": lambda person: contents.transfer(person, "午饭"),
    "red packet": lambda person: contents.red_packet(person, "恭喜"),
    "call": lambda _: contents.call(),
    "notice": lambda _: contents.system("提示"),
    "unknown": lambda _: contents.raw(9999, 0, "<msg/>"),
    "friend request": lambda person: contents.friend_request(person, "你好", "v2@stranger"),
    "invitation": lambda person: msgspec.structs.replace(contents.link(person, "群", "http://a"), leads_to="hiking"),
}


@pytest.mark.parametrize("name", FORWARDED)
def test_a_client_receives_a_forward_as_a_message_of_the_same_type(world: World, friend: Page, name: str) -> None:
    make, message_type, app_type = FORWARDED[name]
    received = world.send("lilei", "me", make(world.person("lilei")))
    [sent] = world.forward("me", "ahua", [received.id])
    [wire] = friend.messages()
    assert sent.id != received.id
    assert (wire.msg_id, wire.from_user_name) == (sent.id, friend.name("xiaoming"))
    assert (wire.msg_type, wire.app_msg_type) == (message_type, app_type)
    assert "<fromusername>wxid_lilei" not in sent.content.wire.content
    assert sent.text == received.text


def test_forwarded_media_keep_their_bytes_and_name_their_new_sender(world: World, friend: Page, png: bytes) -> None:
    received = [
        world.picture("lilei", "me", png),
        world.video("lilei", "me", b"\0\0\0\x18ftypmp42", seconds=7, is_short=True),
        world.sticker("lilei", "me", png),
        world.file("lilei", "me", b"plan", "plan.pdf"),
    ]
    sent = world.forward("me", "ahua", [message.id for message in received])
    assert [(wire.msg_type, wire.app_msg_type) for wire in friend.messages()] == [(3, 0), (62, 0), (47, 0), (49, 6)]
    assert [media_file_of(message) for message in sent] == [media_file_of(message) for message in received]
    assert sent[1].content.wire.play_length == 7
    for message in sent:
        assert "wxid_lilei" not in message.content.wire.content


def test_the_forward_of_a_reply_is_a_text(world: World) -> None:
    reply = world.quote("ahua", "me", world.say("me", "ahua", "几点").id, "八点")
    [sent] = world.forward("me", "lilei", [reply.id])
    assert (sent.kind, sent.text, sent.content.wire.content) == ("text", "八点", "八点")


@pytest.mark.parametrize("name", KEPT)
def test_what_concerns_one_chat_only_is_not_forwarded(world: World, name: str) -> None:
    assert not can_forward(KEPT[name](world.person("ahua")))


def test_voices_and_games_are_not_forwarded(world: World, png: bytes) -> None:
    assert not can_forward(world.voice("ahua", "me", b"ID3\x04").content)
    dice = contents.sticker(world.person("ahua"), world.media.add(png), game=2, result=6)
    assert not can_forward(dice)


def test_nothing_is_sent_if_one_of_several_messages_cannot_be_forwarded(world: World) -> None:
    text, voice = world.say("ahua", "me", "在吗"), world.voice("ahua", "me", b"ID3\x04")
    with pytest.raises(Impossible, match="do not forward one of these"):
        world.forward("me", "lilei", [text.id, voice.id])
    world.recall("ahua", "me", text.id)
    with pytest.raises(Impossible, match="do not forward one of these"):
        world.forward("me", "lilei", [text.id])
    assert "lilei" not in world.inbox("me")


def test_only_messages_on_the_phone_are_forwarded(world: World) -> None:
    elsewhere, deleted = world.say("ahua", "lilei", "secret"), world.say("ahua", "me", "gone")
    world.delete_messages("me", "ahua", [deleted.id])
    for message_id in (elsewhere.id, deleted.id, "1"):
        with pytest.raises(Impossible, match="小明's phone has no such message"):
            world.forward("me", "lilei", [message_id])
