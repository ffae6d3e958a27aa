from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from webwx import Bot, Context, RateLimit, RecallExpired, SyncContext, TextMessage

if TYPE_CHECKING:
    from webwx.testing import Clock, PhoneUser, Sandbox


def test_a_timer_runs_at_each_of_its_times(sandbox: Sandbox, account: PhoneUser, clock: Clock) -> None:
    bot = Bot()

    @bot.every(minutes=5)
    async def tick(ctx: Context) -> None:
        await ctx.send_text("filehelper", "tick")

    @bot.daily("08:30")
    def good_morning(ctx: SyncContext) -> None:
        ctx.send_text("filehelper", "good morning")

    with sandbox.running(bot):
        clock.wind(minutes=16)
        assert [each.text for each in account.inbox if each.text == "tick"] == ["tick"] * 3
        clock.wind_to("08:31")
        assert account.hears("good morning")
        assert (clock.now.hour, clock.now.minute) == (8, 31)


def test_events_during_an_advance_happen_in_order(sandbox: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    bot = Bot()

    @bot.on(TextMessage, text="early")
    async def early(ctx: Context, message: TextMessage) -> None:
        receipt = await ctx.reply("for a minute")
        await asyncio.sleep(60)
        await ctx.recall(receipt)

    @bot.on(TextMessage, text="late")
    async def late(ctx: Context, message: TextMessage) -> None:
        receipt = await ctx.reply("for ever")
        await asyncio.sleep(121)
        try:
            await ctx.recall(receipt)
        except RecallExpired:
            await ctx.reply("too late")

    with sandbox.running(bot):
        friend.say("early")
        friend.hears("for a minute")
        clock.wind(minutes=3)
        assert friend.sees_recall("for a minute")
        friend.say("late")
        clock.wind(minutes=3)
        assert friend.hears("too late")


def test_the_rate_limit_follows_the_virtual_clock(sandbox: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    bot = Bot(rate_limit=RateLimit(burst=1, spacing=30, jitter=0), replies_per_minute=0)

    @bot.on(TextMessage)
    async def echo(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(f"you said {message.text}")

    with sandbox.running(bot):
        friend.say("one")
        friend.say("two")
        assert friend.hears("you said one")
        assert friend.hears_nothing()
        clock.wind(31)
        assert friend.hears("you said two")


def test_a_retry_follows_the_virtual_clock(sandbox: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    def third_time(ctx: SyncContext, message: TextMessage) -> None:
        if not ctx.is_last_attempt:
            raise RuntimeError
        ctx.reply(f"attempt {ctx.attempt}")

    with sandbox.running(bot):
        friend.say("hello")
        clock.wind(minutes=1)
        assert friend.hears("attempt 3")


def test_a_clock_cannot_be_moved_back(clock: Clock) -> None:
    with pytest.raises(ValueError, match="forward"):
        clock.wind(-1)
    with pytest.raises(ValueError, match="forward"):
        clock.wind_to(datetime(2001, 1, 1).astimezone())


def test_a_time_of_day_belongs_to_a_time_zone(clock: Clock) -> None:
    clock.wind_to("12:00", timezone="Asia/Shanghai")
    assert repr(clock).startswith("Clock(20")
    assert clock.now.utctimetuple().tm_hour == 4
