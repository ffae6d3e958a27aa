from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sandbox.conftest import Page, media_file_of

from webwx.sandbox.errors import Impossible
from webwx.sandbox.phone_actions import PhoneActions
from webwx.sandbox.world import World


@pytest.fixture
def ahua(world: World) -> PhoneActions:
    """The phone actions of 阿华, with the chat with `me` opened; `later` runs at once."""

    def at_once(_: float, action: Callable[[], object]) -> None:
        action()

    return PhoneActions(world, world.person("ahua"), "xiaoming", at_once)


def kinds(world: World, who: str, chat: str) -> list[str]:
    return [message.kind for message in world.inbox(who)[chat].messages]


def test_everything_is_sent_to_the_chat_before_them(world: World, ahua: PhoneActions) -> None:
    for send in (ahua.picture, ahua.voice, ahua.video, ahua.sticker):
        send()
    ahua.say("hello")
    ahua.file("plan.txt")
    ahua.picture(to="周末爬山")
    assert kinds(world, "me", "ahua") == ["image", "voice", "video", "sticker", "text", "file"]
    assert kinds(world, "me", "hiking") == ["image"]


def test_sample_media_are_valid_and_pictures_differ(ahua: PhoneActions) -> None:
    types = [media_file_of(send()).content_type for send in (ahua.picture, ahua.voice, ahua.video, ahua.sticker)]
    assert types == ["image/jpeg", "audio/mp3", "video/mp4", "image/jpeg"]
    assert media_file_of(ahua.picture()).content != media_file_of(ahua.picture()).content
    assert media_file_of(ahua.picture(b"own")).content == b"own"


def test_a_message_or_the_last_one_is_recalled(world: World, ahua: PhoneActions) -> None:
    first, second, third = (ahua.say(word) for word in ("one", "two", "three"))
    ahua.recall(second)
    ahua.after(5, ahua.recall)
    assert [message.is_recalled for message in (first, second, third)] == [False, True, True]


def test_messages_are_forwarded_and_deleted(world: World, ahua: PhoneActions) -> None:
    message = world.say("me", "ahua", "hello")
    [sent] = ahua.forward(message, to="lilei")
    assert (sent.to, sent.text) == ("lilei", "hello")
    ahua.delete(message, chat="me")
    assert "xiaoming" not in world.inbox("ahua")


def test_reading_and_opening_clear_the_unread_count(world: World, ahua: PhoneActions) -> None:
    chat = world.person("ahua").chats
    for look in (ahua.read, ahua.open):
        world.say("me", "ahua", "hello")
        assert chat["xiaoming"].unread == 1
        look()
        assert chat["xiaoming"].unread == 0


def test_friends_are_added_and_removed(world: World, ahua: PhoneActions) -> None:
    world.add_person("新来的", "new")
    new = ahua.person("new")
    new.ask_friend("阿华", "我是新来的")
    ahua.accept_friend("new")
    assert "new" in world.person("ahua").friends
    ahua.unfriend("new")
    ahua.set_blocked("new")
    assert "new" not in world.person("ahua").friends
    assert world.person("ahua").blocked == {"new"}


def test_chatrooms_are_created_and_changed(world: World, ahua: PhoneActions) -> None:
    room = ahua.create_chatroom("电影", "me", "李雷")
    ahua.add_members("电影", "张三")
    ahua.remove_members("电影", "李雷")
    ahua.person("李雷").join_chatroom("电影", by="阿华")
    ahua.rename_chatroom("戏剧", "电影")
    ahua.leave_chatroom("戏剧")
    assert (room.name, [member.id for member in room.members]) == ("戏剧", ["xiaoming", "zhangsan", "lilei"])


def test_clients_are_logged_out_and_faults_turned_on_and_off(world: World, ahua: PhoneActions, me: Page) -> None:
    ahua.person("me").log_out()
    assert world.logins.live(world.person("me")) is None
    ahua.fault("html_page:endpoint=webwxsync")
    assert [rule.name for rule in world.faults.rules] == ["html_page"]
    ahua.faults_off()
    assert world.faults.rules == ()


def test_outside_a_reaction_the_chat_must_be_named(ahua: PhoneActions) -> None:
    with pytest.raises(Impossible, match="Name the chat"):
        ahua.person("李雷").say("hello")


def test_phone_actions_show_the_id_and_nickname_of_their_person(ahua: PhoneActions) -> None:
    assert (ahua.id, ahua.nickname, repr(ahua)) == ("ahua", "阿华", "PhoneActions(ahua)")
