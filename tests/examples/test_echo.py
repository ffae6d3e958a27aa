"""The echo bot repeats everything except its own messages, and stops answering another bot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.examples.conftest import load

from webwx.bot.loop_guard import MAX_REPLIES

if TYPE_CHECKING:
    from tests.examples.conftest import Start

    from webwx.testing import Chatroom, PhoneUser, Sandbox

IS_A_BOT = re.compile(r"^(小明|阿华) seems to be a bot")


def test_two_echo_bots_stop_and_other_chats_continue(sandbox: Sandbox, account: PhoneUser, friend: PhoneUser) -> None:
    with sandbox.running(load("echo").bot), sandbox.running(load("echo").bot, account=friend):
        account.say("hello", to=friend)
        sandbox.settle()
        said = friend.inbox
        assert 2 * MAX_REPLIES <= len(said) <= 2 * MAX_REPLIES + 1

        lilei = sandbox.person("lilei")
        lilei.say("and I?")
        assert lilei.hears("and I?")
        assert said == friend.inbox
        answers = [each for who in (account, friend) for each in who.chat("filehelper") if IS_A_BOT.match(each.text)]
        assert len(answers) == 1


def test_own_messages_of_the_phone_are_answered_and_those_of_the_bot_are_not(
    sandbox: Sandbox, account: PhoneUser, friend: PhoneUser
) -> None:
    sandbox.switch(echo="on")  # The session receives its own sends.
    with sandbox.running(load("echo").bot):
        friend.say("to you")
        account.say("to myself")
        account.say("from my phone to a friend", to="lilei")
        assert friend.hears("to you")
        assert account.hears("to myself")
        friend.say("last")
        assert friend.hears("last")
        assert friend.hears_nothing()
        assert account.hears_nothing()
        assert account.hears_nothing(chat="lilei")


def test_a_chatroom_is_not_answered(sandbox: Sandbox, friend: PhoneUser, chatroom: Chatroom) -> None:
    with sandbox.running(load("echo").bot):
        friend.say("anybody there?", to=chatroom)
        friend.say("you?")
        assert friend.hears("you?")
        assert friend.hears_nothing(chat=chatroom)


def test_the_bot_runs_by_webwx_run_and_ends_without_an_error(friend: PhoneUser, start: Start) -> None:
    with start("echo") as process:
        friend.say("你好")
        assert friend.hears("你好")
        assert process.end() == 0
