"""The state of a conversation: what a handler reads and changes, and what is stored."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated

import msgspec
import pytest

from webwx.bot.bot import Bot
from webwx.bot.router import Router
from webwx.bot.steps import Step, Steps
from webwx.errors import InvalidRequest, UnreadableState
from webwx.model.events import ContactDeleted, StateTimedOut
from webwx.model.messages import MessageRecalled, TextMessage

if TYPE_CHECKING:
    from webwx.bot.context import Context
    from webwx.bot.state import ConversationState
    from webwx.bot.sync_context import SyncContext
    from webwx.model.messages import Event, Message
    from webwx.testing import Clock, PhoneUser, Sandbox


class Survey(Steps):
    name = Step()
    age = Step()


class Answers(msgspec.Struct):
    name: str = ""
    age: int = 0


def survey() -> Bot:
    bot = Bot()

    @bot.on(text="survey", state=None)
    async def begin(ctx: Context, message: Message) -> None:
        await ctx.state.set_step(Survey.name)
        await ctx.reply("name?")

    @bot.on(TextMessage, text="stop", state=Survey)
    async def stop(ctx: Context, message: Message) -> None:
        await ctx.state.clear()
        await ctx.reply("stopped")

    @bot.on(TextMessage, state=Survey.name)
    async def take_name(ctx: Context, message: TextMessage) -> None:
        await ctx.state.update_values(name=message.text)
        await ctx.state.set_step(Survey.age)
        await ctx.reply("age?")

    @bot.on(TextMessage, state=Survey.age)
    async def take_age(ctx: Context, message: TextMessage) -> None:
        answers = await ctx.state.get_values(Answers)
        answers.age = int(message.text)
        await ctx.state.set_values(answers)
        await ctx.state.clear()
        await ctx.reply(f"{answers.name} is {answers.age}")

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("other")

    return bot


def test_a_survey_passes_through_its_steps(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    with webwx_sandbox.running(survey()):
        for said, answer in (
            ("survey", "name?"), ("survey", "age?"), ("30", "survey is 30"), ("survey", "name?"), ("stop", "stopped"),
            ("stop", "other"),
        ):  # fmt: skip
            webwx_friend.say(said)
            assert webwx_friend.hears(answer)


def test_a_restart_continues_in_the_middle(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    with webwx_sandbox.running(survey()):
        webwx_friend.say("survey")
        assert webwx_friend.hears("name?")
        webwx_friend.say("阿华")
        assert webwx_friend.hears("age?")
    with webwx_sandbox.running(survey()):
        webwx_friend.say("30")
        assert webwx_friend.hears("阿华 is 30")


def test_each_chat_has_its_own_state(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    other = webwx_sandbox.person("lilei")
    with webwx_sandbox.running(survey()):
        webwx_friend.say("survey")
        assert webwx_friend.hears("name?")
        other.say("stop")
        assert other.hears("other")
        webwx_friend.say("阿华")
        assert webwx_friend.hears("age?")


def test_a_handler_that_fails_changes_nothing_and_is_repeated_with_the_same_state(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot, seen = Bot(), list[dict[str, int]]()

    @bot.on(TextMessage)
    async def count(ctx: Context, message: TextMessage) -> None:
        values = await ctx.state.get_values(dict)
        seen.append(values)
        await ctx.state.update_values(count=values.get("count", 0) + 1)
        if message.text == "fail" and ctx.attempt < 3:
            raise ValueError(message.text)
        await ctx.reply("done")

    with webwx_sandbox.running(bot):
        for said in ("1", "fail", "3"):
            webwx_friend.say(said)
        webwx_clock.wind(minutes=1)
        for _ in range(3):
            assert webwx_friend.hears("done")

    assert seen == [{}, {"count": 1}, {"count": 1}, {"count": 1}, {"count": 2}]


def test_a_dead_letter_does_not_change_the_state(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot = Bot(attempts=2)

    @bot.on(TextMessage, text="fail")
    async def fail(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(Survey.age)
        raise ValueError

    @bot.on(TextMessage, state=None)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("at no step")

    with webwx_sandbox.running(bot):
        webwx_friend.say("fail")
        webwx_friend.say("x")
        webwx_clock.wind(minutes=1)
        assert webwx_friend.hears("at no step")


def test_a_killed_process_has_stored_the_state_with_the_event(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot, seen = Bot(), list[int]()

    @bot.on(TextMessage)
    async def count(ctx: Context, message: TextMessage) -> None:
        before = (await ctx.state.get_values(dict)).get("count", 0)
        await ctx.state.set_values({"count": before + 1})
        seen.append(before + 1)
        await ctx.reply(str(before + 1))

    with webwx_sandbox.running(bot) as running:
        webwx_friend.say("a")
        webwx_friend.say("b")
        assert webwx_friend.hears("2")
        running.kill()
    with webwx_sandbox.running(bot):
        webwx_friend.say("c")
        assert webwx_friend.hears("3")


def test_concurrent_calls_of_one_handler_share_its_state(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    async def both(ctx: Context, message: TextMessage) -> None:
        step, values = await asyncio.gather(ctx.state.get_step(), ctx.state.get_values(dict))
        await ctx.reply(f"{step!r} {values}")

    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("'' {}")


def test_wrong_arguments_are_refused(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot, errors = Bot(), list[str]()

    @bot.on(TextMessage)
    async def wrong(ctx: Context, message: TextMessage) -> None:
        for step, timeout in ((Step(), None), (Survey.age, 0.0), (Survey.age, -1.0)):
            with pytest.raises(ValueError, match=r"belongs to no class|timeout= cannot be") as raised:
                await ctx.state.set_step(step, timeout=timeout)
            errors.append(str(raised.value))
        with pytest.raises(TypeError, match="not list"):
            await ctx.state.set_values([1])
        await ctx.state.set_values({"age": "x"})
        with pytest.raises(UnreadableState):
            await ctx.state.get_values(Answers)
        await ctx.reply("refused")

    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("refused")
    assert len(errors) == 3


def test_a_state_cannot_be_used_after_its_handler(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()
    kept: list[ConversationState] = []

    @bot.on(TextMessage)
    async def keep(ctx: Context, message: TextMessage) -> None:
        for state in kept:
            with pytest.raises(InvalidRequest, match="has ended"):
                await state.get_step()
        kept.append(ctx.state)
        await ctx.state.get_step()
        await ctx.reply(message.text)

    with webwx_sandbox.running(bot):
        for text in ("1", "2"):
            webwx_friend.say(text)
            assert webwx_friend.hears(text)


def test_a_timer_and_on_error_have_no_state(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, webwx_clock: Clock
) -> None:
    bot, refused = Bot(attempts=1), list[str]()

    @bot.every(minutes=1)
    async def tick(ctx: Context) -> None:
        with pytest.raises(InvalidRequest, match="has a state"):
            _ = ctx.state
        refused.append("timer")

    @bot.on_error
    async def failed(ctx: Context, event: Event | None, error: BaseException) -> None:
        with pytest.raises(InvalidRequest, match="has a state"):
            _ = ctx.state
        refused.append("on_error")

    @bot.on(TextMessage)
    async def fail(ctx: Context, message: TextMessage) -> None:
        raise ValueError

    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        webwx_clock.wind(minutes=1)

    assert sorted(refused) == ["on_error", "timer"]


def test_a_handler_that_the_loop_guard_stops_changes_nothing(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot(replies_per_minute=1)

    @bot.on(TextMessage, text="step?")
    async def tell(ctx: Context, message: TextMessage) -> None:
        await ctx.client.send_text(ctx.chat, f"at {await ctx.state.get_step()!r}")

    @bot.on(TextMessage)
    async def talk(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(Survey.age)
        for _ in range(9):
            await ctx.reply("again")

    with webwx_sandbox.running(bot):
        webwx_friend.say("x")
        assert webwx_friend.hears("again")
        webwx_sandbox.clock.wind(minutes=20)
        webwx_friend.say("step?")
        assert webwx_friend.hears("at ''")


def test_an_event_class_without_a_chat_cannot_have_a_state() -> None:
    with pytest.raises(ValueError, match="state= can never match"):
        Router().on(ContactDeleted, state=None)


def test_an_invalid_choice_of_steps_raises_at_its_line() -> None:
    with pytest.raises(TypeError, match=r"state= cannot be 'Survey\.age'; give a step"):
        Router().on(MessageRecalled, state="Survey.age")  # type: ignore[call-overload]  # what is refused


def test_back_moves_to_the_step_before_and_keeps_the_values(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on(TextMessage, text="begin")
    async def begin(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_values({"name": "阿华"})
        await ctx.state.set_step(Survey.age)
        await ctx.reply("begun")

    @bot.on(TextMessage, text="back", state=(Survey, None))
    async def back(ctx: Context, message: TextMessage) -> None:
        step = await ctx.state.back(timeout=60)
        await ctx.reply(f"{step}, {await ctx.state.get_step()}")

    @bot.on(TextMessage, text="plain")
    def plain(ctx: SyncContext, message: TextMessage) -> None:
        ctx.state.set_step(Survey.age)
        ctx.reply(f"{ctx.state.back()}")

    with webwx_sandbox.running(bot) as running:
        for text, heard in (
            ("back", "None, "), ("begin", "begun"), ("back", "Survey.name, Survey.name"), ("back", "None, Survey.name"),
        ):  # fmt: skip
            webwx_friend.say(text)
            assert webwx_friend.hears(heard)
        state = running.state_of(webwx_friend)
        assert (state.step, state.values) == (str(Survey.name), {"name": "阿华"})
        assert state.deadline is not None
        webwx_friend.say("plain")
        assert webwx_friend.hears("Survey.name")


class TestAnswers:
    @staticmethod
    def bot() -> Bot:
        bot = Bot()

        @bot.on(TextMessage, text="begin", state=None)
        async def begin(ctx: Context, message: TextMessage) -> None:
            await ctx.state.set_step(Survey.age)

        @bot.on(state=Survey.age)
        async def take_age(
            ctx: Context, message: Message, age: Annotated[int, msgspec.Meta(ge=1, le=120)], *, unit: str
        ) -> None:
            await ctx.state.set_step(Survey.name)
            await ctx.reply(f"{age + 1} {unit}")

        @bot.on(TextMessage, state=Survey.age)
        async def ask_again(ctx: Context, message: TextMessage) -> None:
            await ctx.reply("a number from 1 to 120, please")

        @bot.on(TextMessage, state=Survey.name)
        def take_name(ctx: SyncContext, message: TextMessage, name: str) -> None:
            ctx.reply(f"<{name}>")

        bot.provide(unit="years")
        return bot

    def test_a_text_that_fits_is_an_argument_and_another_goes_to_the_next_handler(
        self, webwx_sandbox: Sandbox, webwx_friend: PhoneUser
    ) -> None:
        with webwx_sandbox.running(self.bot()) as running:
            webwx_friend.say("begin")
            for wrong in ("thirty", "121", "1" * 200):
                webwx_friend.say(wrong)
                assert webwx_friend.hears("a number from 1 to 120, please")
            assert running.state_of(webwx_friend).step == Survey.age
            webwx_friend.say(" 30 ")
            assert webwx_friend.hears("31 years")
            webwx_friend.say(" 阿 华 ")
            assert webwx_friend.hears("<阿 华>")

    def test_the_log_says_which_parameter_a_text_does_not_fit(
        self, webwx_sandbox: Sandbox, webwx_friend: PhoneUser, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "webwx.bot")
        bot = self.bot()
        bot.debug = True
        with webwx_sandbox.running(bot):
            webwx_friend.say("thirty")
            webwx_friend.hears_nothing()
        assert "take_age: the text does not fit the parameter age" in caplog.text

    def test_a_handler_takes_one_answer_of_a_type_that_a_text_can_have(self) -> None:
        async def two(ctx: Context, message: Message, one: str, other: str) -> None: ...
        async def odd(ctx: Context, message: Message, one: dict[str, str]) -> None: ...
        async def default(ctx: Context, message: Message, other: str = "x") -> None: ...

        with pytest.raises(TypeError, match=r"with one answer at most; .*two takes 2 more arguments"):
            Bot().on(state=Survey.age)(two)
        with pytest.raises(TypeError, match="cannot be converted to dict"):
            Bot().on(state=Survey.age)(odd)
        with pytest.raises(ValueError, match="The parameter 'name' can never match: StateTimedOut has no text"):
            Bot().on(StateTimedOut, state=Survey.age)(self.wrong_event)
        Bot().on(state=Survey.age)(default)  # A parameter with a default gets nothing.

    @staticmethod
    async def wrong_event(ctx: Context, message: StateTimedOut, name: str) -> None:
        """Do nothing."""
