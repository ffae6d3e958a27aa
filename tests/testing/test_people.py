from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from webwx import Bot, Context, ImageMessage, MessageRecalled, TextMessage
from webwx.testing import MessageNotReceived, UnexpectedMessage

if TYPE_CHECKING:
    from webwx.testing import Chatroom, PhoneUser, Sandbox

bot = Bot()


@bot.on(TextMessage, text="ping")
async def pong(ctx: Context, message: TextMessage) -> None:
    await ctx.reply("pong")


@bot.on(TextMessage, text="oops")
async def take_back(ctx: Context, message: TextMessage) -> None:
    await ctx.recall(await ctx.reply("wrong"))


@bot.on(ImageMessage)
async def send_back(ctx: Context, message: ImageMessage) -> None:
    await ctx.send_file(message.chat, await ctx.download(message), name="a.png")


@bot.on(MessageRecalled)
async def tell(ctx: Context, event: MessageRecalled) -> None:
    original = event.original
    await ctx.send_text("filehelper", f"gone: {original.text}" if isinstance(original, TextMessage) else "gone")


def test_each_message_is_expected_once(sandbox: Sandbox, friend: PhoneUser) -> None:
    with sandbox.running(bot):
        friend.say("ping")
        friend.say("ping")
        assert friend.hears("pong").sender == "小明"
        assert friend.hears(re.compile("^p.ng$")).text == "pong"
        assert friend.hears_nothing()
        assert [(each.is_own, each.text) for each in friend.inbox].count((False, "pong")) == 2


def test_a_missing_message_is_an_error_that_shows_the_phone(sandbox: Sandbox, friend: PhoneUser) -> None:
    sandbox.patience = 0.2
    friend.say("ping")
    with pytest.raises(
        MessageNotReceived, match=r"(?s)waited for 'pong' in the chat with 小明.*me: ping.*No bot is running"
    ):
        friend.hears("pong")


def test_an_unexpected_message_is_an_error(sandbox: Sandbox, friend: PhoneUser) -> None:
    with sandbox.running(bot):
        friend.say("ping")
        with pytest.raises(UnexpectedMessage, match="小明: pong"):
            friend.hears_nothing()


def test_a_recall_is_seen_and_a_message_can_be_recalled(
    sandbox: Sandbox, friend: PhoneUser, account: PhoneUser
) -> None:
    with sandbox.running(bot):
        friend.say("oops")
        assert friend.sees_recall("wrong").is_recalled
        said = friend.say("a secret")
        friend.say("and more")
        friend.recall(said)
        assert account.hears("gone: a secret", chat="filehelper")


def test_every_kind_of_content_can_be_sent(sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom) -> None:
    kinds = {"image", "file", "voice", "video", "sticker"}
    for send in (friend.picture, friend.file, friend.voice, friend.video, friend.sticker):
        send(to=chatroom)
    assert kinds == {each.kind for each in friend.chat(chatroom)}
    with sandbox.running(bot):
        sent = friend.picture()
        answer = friend.hears(kind="file")
    assert (sent.content, "a.png") == (answer.content, answer.name)
    assert str(answer) == "小明: [file] a.png"


def test_every_member_of_a_chatroom_gets_its_messages(sandbox: Sandbox, chatroom: Chatroom) -> None:
    newcomer = sandbox.add_person("王五")
    chatroom.add(newcomer, "赵六")
    assert "赵六" in {member.nickname for member in chatroom.members}
    with sandbox.running(bot):
        newcomer.say("ping", to=chatroom)
        for listener in (newcomer, sandbox.person("李雷")):
            assert listener.hears("pong", chat="周末爬山")
    chatroom.remove(newcomer)
    assert newcomer not in chatroom.members


def test_a_name_adds_the_person_who_has_it_and_only_then_a_new_one(sandbox: Sandbox, chatroom: Chatroom) -> None:
    person = sandbox.add_person("王五")
    chatroom.add("王五", "赵六")
    assert person in chatroom.members
    chatroom.remove("赵六", "王五")
    assert not {"王五", "赵六"} & {member.nickname for member in chatroom.members}


def test_a_stranger_can_be_a_member_of_a_chatroom(sandbox: Sandbox, chatroom: Chatroom) -> None:
    chatroom.add(stranger := sandbox.add_stranger("路人"))
    with sandbox.running(bot):
        stranger.say("ping", to=chatroom)
        assert stranger.hears("pong", chat=chatroom)
