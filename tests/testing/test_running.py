from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from typing import TYPE_CHECKING

import pytest

from webwx import Bot, Context, Keep, Step, Steps, SyncContext, TextMessage

if TYPE_CHECKING:
    from webwx.testing import Chatroom, PhoneUser, Sandbox


class Talk(Steps):
    begun = Step()


def test_the_metrics_of_a_bot_can_be_read(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot = Bot(name="counted", keep=Keep())

    @bot.on(TextMessage)
    async def answer(ctx: Context, message: TextMessage) -> None:
        await ctx.mark_read()
        await ctx.reply("read")

    for _ in range(2):
        with sandbox.running(bot) as running:
            friend.say("hello")
            friend.hears("read")
            running.settle()
            assert [call for call in running.calls if call in {"webwxstatusnotify", "webwxsendmsg"}][-2:] == [
                "webwxstatusnotify",
                "webwxsendmsg",
            ]
            assert (bot.counts.failed, running.unfinished_events, running.warnings) == (0, 0, [])
            assert 0 < bot.counts.delivered < 3  # Each run counts from zero.
        assert not running.is_alive
    assert logging.getLogger("webwx").handlers == []
    assert repr(running) == "Running(counted)"


def test_a_handler_that_sleeps_does_not_block_the_test(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot, has_begun = Bot(), threading.Event()

    @bot.on(TextMessage)
    async def dream(ctx: Context, message: TextMessage) -> None:
        has_begun.set()
        await asyncio.sleep(3600)

    with sandbox.running(bot) as running:
        friend.say("good night")
        running.settle()
        assert has_begun.is_set()
        assert running.unfinished_events == 1


def test_the_test_waits_for_a_plain_function_that_works(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    def compute(ctx: SyncContext, message: TextMessage) -> None:
        ctx.reply(hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000).hex())

    with sandbox.running(bot) as running:
        friend.say("a hard question")
        running.settle()
        assert running.unfinished_events == 0


def test_a_plain_function_that_sleeps_does_not_block_the_test(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot, has_begun = Bot(), threading.Event()

    @bot.on(TextMessage)
    def dream(ctx: SyncContext, message: TextMessage) -> None:
        has_begun.set()
        ctx.wait(asyncio.sleep(3600))
        ctx.reply("good morning")

    with sandbox.running(bot) as running:
        friend.say("good night")
        running.settle()
        assert has_begun.is_set()
        sandbox.clock.wind(hours=1)
        assert friend.hears("good morning")


def test_the_state_of_a_conversation_is_read_after_all_events_are_handled(
    sandbox: Sandbox, friend: PhoneUser, account: PhoneUser, chatroom: Chatroom
) -> None:
    bot = Bot(state_key="person")

    @bot.on(TextMessage)
    async def keep(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_values({"text": message.text})
        await ctx.state.set_step(Talk.begun, timeout=60)

    with sandbox.running(bot) as running:
        assert running.state_of(friend).values == {}
        friend.say("a")
        friend.say("b", to=chatroom)
        account.say("c")
        assert running.state_of(friend).values == {"text": "a"}
        assert running.state_of(friend, chat=chatroom).values == {"text": "b"}
        assert running.state_of(account).values == {"text": "c"}
        state = running.state_of(friend, bot=bot)
        assert state.step == Talk.begun
        assert state.deadline is not None
        assert repr(state) == "StoredState('Talk.begun', ['text'])"


def test_a_bot_that_never_ran_has_no_state(sandbox: Sandbox, friend: PhoneUser) -> None:
    with sandbox.running(Bot()) as running, pytest.raises(LookupError, match="is not running"):
        running.state_of(friend, bot=Bot(name="other"))
