from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from typing import TYPE_CHECKING

from webwx import Bot, Context, Keep, SyncContext, TextMessage

if TYPE_CHECKING:
    from webwx.testing import PhoneUser, Sandbox


def test_what_a_bot_does_can_be_counted(sandbox: Sandbox, friend: PhoneUser) -> None:
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
            assert (bot.counts.failed, running.events_in_hand, running.complaints) == (0, 0, [])
            assert 0 < bot.counts.delivered < 3  # each run counts from zero
        assert not running.is_alive
    assert logging.getLogger("webwx").handlers == []
    assert repr(running) == "Running(counted)"


def test_a_handler_that_waits_for_the_clock_holds_nothing_up(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot, has_begun = Bot(), threading.Event()

    @bot.on(TextMessage)
    async def dream(ctx: Context, message: TextMessage) -> None:
        has_begun.set()
        await asyncio.sleep(3600)

    with sandbox.running(bot) as running:
        friend.say("good night")
        running.settle()
        assert has_begun.is_set()
        assert running.events_in_hand == 1


def test_a_plain_function_is_waited_for_as_long_as_it_works(sandbox: Sandbox, friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    def compute(ctx: SyncContext, message: TextMessage) -> None:
        ctx.reply(hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000).hex())

    with sandbox.running(bot) as running:
        friend.say("a hard question")
        running.settle()
        assert running.events_in_hand == 0


def test_a_plain_function_that_waits_for_the_clock_holds_nothing_up(sandbox: Sandbox, friend: PhoneUser) -> None:
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
