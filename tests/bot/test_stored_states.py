"""States that an earlier version of the program has stored: converted, or reported with the way out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from webwx.bot.bot import Bot
from webwx.bot.steps import Step, Steps
from webwx.errors import UnreadableState
from webwx.model.events import StateTimedOut
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from webwx.bot.context import Context
    from webwx.testing import Clock, PhoneUser, Sandbox


class Answers(msgspec.Struct):
    name: str = ""
    age: int = 0


class Poll(Steps, values=Answers):
    name = Step()
    age = Step()
    town = Step()


@pytest.fixture
def sandbox(webwx_sandbox: Sandbox) -> Sandbox:
    return webwx_sandbox


@pytest.fixture
def friend(webwx_friend: PhoneUser) -> PhoneUser:
    return webwx_friend


def step_named(name: str) -> Step:
    """Return a step that the program of the present does not define."""
    step = Step()
    step.name = name
    return step


def store(
    sandbox: Sandbox, friend: PhoneUser, step: Step, values: dict[str, Any], timeout: float | None = None
) -> None:
    """Run the earlier version of the bot, which stores a state."""
    earlier = Bot()

    @earlier.on(TextMessage)
    async def begin(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(step, timeout=timeout)
        await ctx.state.set_values(values)
        await ctx.reply("stored")

    with sandbox.running(earlier):
        friend.say("begin")
        assert friend.hears("stored")


def present() -> Bot:
    """Return the present version of the bot."""
    bot = Bot(attempts=1)

    @bot.on(TextMessage, state=Poll.age)
    async def take_age(ctx: Context, message: TextMessage) -> None:
        answers = await ctx.state.get_values(Answers)
        await ctx.reply(f"{answers.name}, {answers.age}")

    @bot.on(TextMessage)
    async def other(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("no survey")

    return bot


def test_a_step_that_no_longer_exists_is_reported_at_the_start_and_for_the_first_event(
    sandbox: Sandbox, friend: PhoneUser
) -> None:
    store(sandbox, friend, step_named("Quiz.gone"), {"name": "secret"})
    with sandbox.running(present()) as running:
        (at_start,) = running.warnings
        assert at_start == (
            "bot: 1 conversation has the step Quiz.gone, which this program does not define. Convert stored states "
            "with @bot.migrate_state, or end such a conversation with ctx.state.clear()."
        )
        for _ in range(2):
            friend.say("30")
            assert friend.hears("no survey")
        _, for_event = running.warnings
        assert "belongs to a conversation that has the step Quiz.gone, which this program does not define" in for_event


def test_values_of_another_type_are_reported_at_the_start_and_in_the_error(sandbox: Sandbox, friend: PhoneUser) -> None:
    store(sandbox, friend, Poll.age, {"name": "阿华", "age": "secret"})
    with sandbox.running(present()) as running:
        (at_start,) = running.warnings
        assert at_start.startswith(
            "bot: 1 conversation has values at the step Poll.age that do not fit Answers (Expected `int`, got `str`"
        )
        friend.say("30")
        assert friend.hears_nothing()
        failure = running.warnings[-1]
        assert (
            "UnreadableState: The stored values of this conversation at the step Poll.age do not fit Answers: Exp"
            in (failure)
        )
        assert "Convert stored states with @bot.migrate_state" in failure
        assert "secret" not in "".join(running.warnings)


class Checked(msgspec.Struct, forbid_unknown_fields=True):
    town: str = ""
    phone: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if self.town == "private":
            raise ValueError(f"no town is called {self.town}")


@pytest.mark.parametrize("values", [{"town": "private"}, {"phone": 13800138000}, {"private": 1}])
def test_stored_values_that_do_not_fit_are_in_no_error(
    sandbox: Sandbox, friend: PhoneUser, values: dict[str, Any]
) -> None:
    bot, errors = Bot(), list[str]()

    @bot.on(TextMessage)
    async def begin(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_values(values)
        with pytest.raises(UnreadableState) as raised:
            await ctx.state.get_values(Checked)
        errors.append(str(raised.value))
        await ctx.reply("caught")

    with sandbox.running(bot):
        friend.say("hello")
        assert friend.hears("caught")
    assert "do not fit Checked: Invalid value" in errors[0]
    assert "private" not in errors[0]
    assert "138" not in errors[0]


def test_values_without_a_declared_type_are_an_error_that_a_handler_can_catch(
    sandbox: Sandbox, friend: PhoneUser
) -> None:
    bot = Bot()

    @bot.on(TextMessage)
    async def begin(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_values({"age": "old"})
        with pytest.raises(UnreadableState, match="of this conversation do not fit Answers"):
            await ctx.state.get_values(Answers)
        await ctx.reply("caught")

    with sandbox.running(bot):
        friend.say("hello")
        assert friend.hears("caught")


def test_a_conversation_continues_after_a_migration(sandbox: Sandbox, friend: PhoneUser) -> None:
    store(sandbox, friend, step_named("Survey.years"), {"name": "阿华", "age": "30"})
    bot = present()

    @bot.migrate_state
    def rename(step: str, values: dict[str, Any]) -> tuple[Step, dict[str, Any]] | None:
        return (Poll.age, values) if step == "Survey.years" else None

    @bot.migrate_state
    def convert(step: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        return (step, values | {"age": int(values["age"])}) if isinstance(values.get("age"), str) else None

    with sandbox.running(bot) as running:
        assert running.state_of(friend).step == Poll.age
        assert running.warnings == []
        friend.say("hello")
        assert friend.hears("阿华, 30")


def test_a_migration_may_end_a_conversation(sandbox: Sandbox, friend: PhoneUser, webwx_clock: Clock) -> None:
    store(sandbox, friend, step_named("Survey.gone"), {"name": "阿华"}, timeout=60)
    bot, timed_out = present(), list[str]()
    bot.migrate_state(lambda step, _: ("", {}) if step == "Survey.gone" else None)

    @bot.on(StateTimedOut)
    async def too_late(ctx: Context, event: StateTimedOut) -> None:
        timed_out.append(event.step)

    with sandbox.running(bot) as running:
        assert (running.state_of(friend).step, running.state_of(friend).values) == ("", {})
        webwx_clock.wind(minutes=5)
        assert running.warnings == []
    with sandbox.running(present()) as running:
        assert running.state_of(friend).deadline is None
    assert timed_out == []


def test_a_time_out_belongs_to_the_new_step(sandbox: Sandbox, friend: PhoneUser, webwx_clock: Clock) -> None:
    store(sandbox, friend, step_named("Survey.late"), {}, timeout=60)
    bot, timed_out = present(), list[str]()
    bot.migrate_state(lambda step, values: (Poll.town, values) if step == "Survey.late" else None)

    @bot.on(StateTimedOut, state=Poll.town)
    async def too_late(ctx: Context, event: StateTimedOut) -> None:
        timed_out.append(event.step)

    with sandbox.running(bot):
        webwx_clock.wind(minutes=5)
    assert timed_out == ["Poll.town"]


def test_an_error_of_a_migration_is_reported_at_the_start_and_fails_the_event(
    sandbox: Sandbox, friend: PhoneUser
) -> None:
    store(sandbox, friend, step_named("Survey.bad"), {"name": "secret"})
    bot = present()

    @bot.migrate_state
    def fails(step: str, values: dict[str, Any]) -> None:
        raise KeyError(values["name"])

    with sandbox.running(bot) as running:
        (at_start,) = running.warnings
        assert "1 conversation has a state that cannot be converted (KeyError at test_stored_states.py:" in at_start
        friend.say("30")
        assert friend.hears_nothing()
        assert "KeyError at test_stored_states.py:" in running.warnings[-1]
        assert "secret" not in "".join(running.warnings)


def test_a_time_out_whose_state_cannot_be_converted_leaves_the_bot_running(
    sandbox: Sandbox, friend: PhoneUser, webwx_clock: Clock
) -> None:
    store(sandbox, friend, step_named("Survey.bad"), {}, timeout=60)
    bot = Bot(attempts=1)

    @bot.migrate_state
    def fails(step: str, values: dict[str, Any]) -> None:
        raise KeyError(step)

    @bot.on(TextMessage)
    async def answer(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("hello")

    with sandbox.running(bot) as running:
        webwx_clock.wind(minutes=5)
        assert "the time-out of a state failed (attempt 1 of 1): KeyError at" in running.warnings[-1]
        friend.say("hello")
        assert friend.hears("hello")


def test_a_migration_that_returns_something_else_names_its_function(sandbox: Sandbox, friend: PhoneUser) -> None:
    store(sandbox, friend, step_named("Survey.odd"), {})
    bot = present()
    bot.migrate_state(lambda step, values: step)
    with sandbox.running(bot) as running:
        assert "WrongFunction at test_stored_states.py:" in running.warnings[0]


def test_a_bot_without_states_reads_none_at_the_start(sandbox: Sandbox, friend: PhoneUser) -> None:
    store(sandbox, friend, step_named("Survey.unused"), {})
    bot = Bot()

    @bot.on(TextMessage)
    async def answer(ctx: Context, message: TextMessage) -> None:
        await ctx.reply("hello")

    with sandbox.running(bot) as running:
        friend.say("hello")
        assert friend.hears("hello")
        assert running.warnings == []


def test_a_migration_has_to_be_plain_and_take_a_step_and_values() -> None:
    async def migrate(step: str, values: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match=r"write `def .*migrate`"):
        Bot().migrate_state(migrate)  # type: ignore[type-var]  # that is the mistake
    with pytest.raises(TypeError, match="is called with a step and the values"):
        Bot().migrate_state(lambda step: None)  # type: ignore[type-var]  # the same
