"""Timeouts of conversations: called once, also after a restart, and not after an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.bot.bot import Bot
from webwx.bot.steps import Step, Steps
from webwx.model.events import StateTimedOut
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    import pytest

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.testing import Chatroom, Clock, PhoneUser, Sandbox


class Quiz(Steps):
    first = Step()
    second = Step()


def quiz(*, fails: int = 0) -> Bot:
    """Return a bot that asks two questions; the first attempts at a time-out of the first question fail."""
    bot = Bot()

    @bot.on(TextMessage, text="quiz")
    async def begin(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_values({"asked": 1})
        await ctx.state.set_step(Quiz.first, timeout=600)
        await ctx.reply("first?")

    @bot.on(TextMessage, state=Quiz.first)
    async def go_on(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(Quiz.second, timeout=600)
        await ctx.reply("second?")

    @bot.on(StateTimedOut, state=Quiz.first)
    async def too_late(ctx: Context, event: StateTimedOut) -> None:
        values = await ctx.state.get_values(dict)
        await ctx.reply(f"too late at {event.step} {values}")
        if ctx.attempt <= fails:
            raise ValueError
        await ctx.state.set_step(Quiz.second)

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(f"at {await ctx.state.get_step()!r} {await ctx.state.get_values(dict)}")

    return bot


def test_a_timeout_calls_its_handler_once(webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock) -> None:
    with webwx_sandbox.running(quiz()):
        webwx_friend.say("quiz")
        assert webwx_friend.hears("first?")
        webwx_clock.wind(minutes=9)
        assert webwx_friend.hears_nothing()
        webwx_clock.wind(minutes=2)
        assert webwx_friend.hears("too late at Quiz.first {'asked': 1}")
        webwx_clock.wind(hours=1)
        assert webwx_friend.hears_nothing()
        webwx_friend.say("x")
        assert webwx_friend.hears("at 'Quiz.second' {'asked': 1}")


def test_a_new_step_replaces_the_timeout(webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock) -> None:
    with webwx_sandbox.running(quiz()):
        webwx_friend.say("quiz")
        assert webwx_friend.hears("first?")
        webwx_clock.wind(minutes=9)
        webwx_friend.say("answer")
        assert webwx_friend.hears("second?")
        webwx_clock.wind(minutes=9)
        webwx_friend.say("x")
        assert webwx_friend.hears("at 'Quiz.second' {'asked': 1}")


def test_a_timeout_without_a_handler_ends_the_conversation(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    with webwx_sandbox.running(quiz()):
        for said, answer in (("quiz", "first?"), ("x", "second?")):
            webwx_friend.say(said)
            assert webwx_friend.hears(answer)
        webwx_clock.wind(minutes=11)
        webwx_friend.say("x")
        assert webwx_friend.hears("at '' {}")


def test_a_timeout_while_no_process_runs_is_handled_after_the_start(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    with webwx_sandbox.running(quiz()):
        webwx_friend.say("quiz")
        assert webwx_friend.hears("first?")
    webwx_clock.wind(hours=1)
    with webwx_sandbox.running(quiz()):
        assert webwx_friend.hears("too late at Quiz.first {'asked': 1}")
    with webwx_sandbox.running(quiz()):
        webwx_clock.wind(hours=1)
        assert webwx_friend.hears_nothing()


def test_a_timeout_that_fails_is_repeated_and_sends_nothing_twice(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    with webwx_sandbox.running(quiz(fails=2)):
        webwx_friend.say("quiz")
        assert webwx_friend.hears("first?")
        webwx_clock.wind(minutes=12)
        assert webwx_friend.hears("too late at Quiz.first {'asked': 1}")
        assert webwx_friend.hears_nothing()
        webwx_friend.say("x")
        assert webwx_friend.hears("at 'Quiz.second' {'asked': 1}")


def test_a_timeout_that_always_fails_is_given_up_and_changes_nothing_else(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with webwx_sandbox.running(quiz(fails=9)):
        webwx_friend.say("quiz")
        assert webwx_friend.hears("first?")
        webwx_clock.wind(minutes=20)
        assert webwx_friend.hears("too late at Quiz.first {'asked': 1}")
        webwx_friend.say("x")
        assert webwx_friend.hears("second?"), "the conversation is still at the first step"

    assert caplog.text.count("the time-out of a state failed") == 3
    assert "attempt 3 of 3" in caplog.text


def test_a_timeout_whose_process_dies_is_repeated_and_sends_nothing_twice(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot, calls = Bot(), list[int]()

    @bot.on(TextMessage)
    async def begin(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(Quiz.first, timeout=60)
        await ctx.reply("first?")

    @bot.on(StateTimedOut)
    async def too_late(ctx: Context, event: StateTimedOut) -> None:
        await ctx.reply("too late")
        calls.append(1)
        if len(calls) == 1:
            await asyncio.Event().wait()

    with webwx_sandbox.running(bot) as running:
        webwx_friend.say("quiz")
        assert webwx_friend.hears("first?")
        webwx_clock.wind(minutes=2)
        assert webwx_friend.hears("too late")
        running.kill()
    with webwx_sandbox.running(bot):
        webwx_sandbox.settle()
        assert webwx_friend.hears_nothing()
    assert len(calls) == 2


def test_many_timeouts_at_once_reach_each_person(webwx_sandbox: Sandbox, webwx_clock: Clock) -> None:
    people = [webwx_sandbox.add_person(f"friend {number}") for number in range(20)]
    with webwx_sandbox.running(quiz()):
        for person in people:
            person.say("quiz")
        for person in people:
            assert person.hears("first?")
        webwx_clock.wind(minutes=11)
        for person in people:
            assert person.hears("too late at Quiz.first {'asked': 1}")


def test_each_person_of_a_chatroom_has_their_own_timeout(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_chatroom: Chatroom, webwx_clock: Clock
) -> None:
    bot = Bot(state_key="person")

    @bot.on(TextMessage)
    def begin(ctx: SyncContext, message: TextMessage) -> None:
        ctx.state.set_values({"text": message.text})
        ctx.state.set_step(Quiz.first, timeout=60)

    @bot.on(StateTimedOut, state=Quiz)
    def too_late(ctx: SyncContext, event: StateTimedOut) -> None:
        ctx.reply(f"too late: {ctx.state.get_values(dict)['text']}")
        ctx.state.clear()

    with webwx_sandbox.running(bot):
        webwx_friend.say("a", to=webwx_chatroom)
        webwx_sandbox.person("lilei").say("b", to=webwx_chatroom)
        webwx_clock.wind(minutes=2)
        assert webwx_friend.hears("too late: a", chat=webwx_chatroom)
        assert webwx_friend.hears("too late: b", chat=webwx_chatroom)


def test_a_timeout_survives_a_new_login(webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock) -> None:
    with webwx_sandbox.running(quiz()):
        webwx_friend.say("quiz")
        assert webwx_friend.hears("first?")
        webwx_sandbox.do(lambda world: world.evict("me"))
        webwx_clock.wind(minutes=12)
        assert webwx_friend.hears("too late at Quiz.first {'asked': 1}")
