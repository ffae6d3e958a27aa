"""Middleware and error handlers of bots and routers, around the calls of handlers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from webwx.bot.bot import Bot, check
from webwx.bot.router import Router
from webwx.bot.steps import Step, Steps
from webwx.errors import NoAnswer
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.model.messages import Event
    from webwx.testing import Clock, PhoneUser, Sandbox

    Proceed = Callable[[], Awaitable[object]]


class OutOfStock(Exception):
    """The shop has none left."""


class SoldForever(OutOfStock):
    """The shop will have none."""


class Order(Steps):
    asked = Step()


@pytest.fixture
def sandbox(webwx_sandbox: Sandbox) -> Sandbox:
    return webwx_sandbox


@pytest.fixture
def friend(webwx_friend: PhoneUser) -> PhoneUser:
    return webwx_friend


def failing(router: Router, error: type[Exception] = OutOfStock, text: str = "buy") -> None:
    """Register a handler that raises an error."""

    @router.on(TextMessage, text=text)
    async def buy(ctx: Context, message: TextMessage) -> None:
        await ctx.state.set_step(Order.asked)
        await ctx.reply("One moment.")
        raise error("secret")


def replying(text: str) -> Callable[..., Any]:
    async def reply(ctx: Context, event: Event, error: Exception) -> None:
        await ctx.reply(f"{text}: {type(error).__name__}")

    return reply


class TestMiddleware:
    def test_of_a_router_wraps_its_handlers_inside_that_of_the_bot(self, sandbox: Sandbox, friend: PhoneUser) -> None:
        bot, inner, other, steps = Bot(), Router(), Router(), list[str]()
        inner.include(innermost := Router())

        def noting(name: str) -> Callable[..., Awaitable[None]]:
            async def note(ctx: Context, event: Event, proceed: Proceed) -> None:
                steps.append(name)
                await proceed()

            return note

        for router, name in ((inner, "inner"), (other, "other"), (innermost, "innermost"), (bot, "bot")):
            router.middleware(noting(name))

            @router.on(TextMessage, text=name)
            async def handle(ctx: Context, message: TextMessage) -> None:
                await ctx.reply(" ".join(steps))
                steps.clear()

        for router in (inner, other):
            bot.include(router)
        with sandbox.running(bot):
            for text, heard in {
                "bot": "bot", "inner": "bot inner", "innermost": "bot inner innermost", "other": "bot other"
            }.items():  # fmt: skip
                friend.say(text)
                assert friend.hears(heard)

    def test_of_a_router_gets_the_values_of_its_router(self, sandbox: Sandbox, friend: PhoneUser) -> None:
        bot, router = Bot(), Router()
        bot.include(router)
        bot.provide(name="bot")
        router.provide(name="router")

        @router.middleware
        async def greet(ctx: Context, event: Event, proceed: Proceed, *, name: str) -> None:
            await ctx.reply(name)
            await proceed()

        @router.on(TextMessage)
        async def handle(ctx: Context, message: TextMessage) -> None:
            """Do nothing more."""

        with sandbox.running(bot):
            friend.say("hello")
            assert friend.hears("router")

    def test_without_its_value_is_an_error_at_the_start(self) -> None:
        bot, router = Bot(), Router()
        bot.include(router)

        @router.middleware
        async def greet(ctx: Context, event: Event, proceed: Proceed, *, name: str) -> None:
            """Do nothing."""

        with pytest.raises(TypeError, match=r"No value is provided for the parameter 'name' of .*greet"):
            check(bot)


class TestErrorHandlers:
    def test_a_handled_error_is_no_failure_and_changes_no_state(self, sandbox: Sandbox, friend: PhoneUser) -> None:
        bot = Bot()
        failing(bot, SoldForever)
        bot.error(ValueError)(replying("not this one"))
        bot.error(KeyError, OutOfStock)(replying("sorry"))
        bot.error(SoldForever)(replying("too late"))
        with sandbox.running(bot) as running:
            friend.say("buy")
            assert friend.hears("One moment.")
            assert friend.hears("sorry: SoldForever")
            assert friend.hears_nothing()
            assert running.state_of(friend).step == ""
            assert running.warnings == []
        assert bot.counts.failed == 0

    def test_an_error_handler_may_be_plain_get_values_and_change_the_state(
        self, sandbox: Sandbox, friend: PhoneUser
    ) -> None:
        bot = Bot()
        bot.provide(words="sorry")
        failing(bot)

        @bot.error(OutOfStock)
        def sold_out(ctx: SyncContext, event: Event, error: OutOfStock, *, words: str) -> None:
            ctx.state.set_step(Order.asked)
            ctx.reply(words)

        with sandbox.running(bot) as running:
            friend.say("buy")
            assert friend.hears("One moment.")
            assert friend.hears("sorry")
            assert running.state_of(friend).step == Order.asked

    def test_those_of_the_own_router_come_first(self, sandbox: Sandbox, friend: PhoneUser) -> None:
        bot, router = Bot(), Router()
        bot.include(router)
        failing(router, text="router")
        failing(router, KeyError, text="key")
        failing(bot, text="bot")
        bot.error(Exception)(replying("bot"))
        router.error(OutOfStock)(replying("router"))
        with sandbox.running(bot):
            for text, heard in {
                "router": "router: OutOfStock", "key": "bot: KeyError", "bot": "bot: OutOfStock"
            }.items():  # fmt: skip
                friend.say(text)
                assert friend.hears("One moment.")
                assert friend.hears(heard)

    def test_an_error_of_an_error_handler_is_the_failure(
        self, sandbox: Sandbox, friend: PhoneUser, webwx_clock: Clock
    ) -> None:
        bot, reported = Bot(attempts=2), list[str]()
        failing(bot)

        @bot.error(OutOfStock)
        async def fails(ctx: Context, event: Event, error: OutOfStock) -> None:
            await ctx.reply("sorry")
            raise KeyError

        @bot.on_error
        async def report(ctx: Context, event: Event, error: BaseException) -> None:
            reported.append(type(error).__name__)

        with sandbox.running(bot) as running:
            friend.say("buy")
            webwx_clock.wind(seconds=10)
            assert [each.text for each in friend.inbox] == [
                "buy",
                "One moment.",
                "sorry",
            ]  # The second attempt is equal.
            assert "event 2 is a dead letter after 2 failures; the last one was KeyError" in running.warnings[-1]
        assert reported == ["KeyError", "KeyError"]

    def test_an_error_that_no_function_names_is_a_failure(self, sandbox: Sandbox, friend: PhoneUser) -> None:
        bot = Bot(attempts=1)
        failing(bot)
        bot.error(ValueError)(replying("not this one"))
        with sandbox.running(bot):
            friend.say("buy")
            assert friend.hears("One moment.")
            assert friend.hears_nothing()
        assert bot.counts.dead == 1

    def test_an_error_of_a_timer_is_handled_by_the_bot(self, sandbox: Sandbox, webwx_clock: Clock) -> None:
        bot, events = Bot(), list[object]()

        @bot.every(minutes=5)
        async def tick(ctx: Context) -> None:
            raise OutOfStock

        @bot.error(OutOfStock)
        async def note(ctx: Context, event: Event | None, error: OutOfStock) -> None:
            events.append(event)

        with sandbox.running(bot):
            webwx_clock.wind(minutes=6)
        assert events == [None]
        assert (bot.timer_counts.done, bot.timer_counts.failed) == (1, 0)

    @pytest.mark.parametrize(("kind", "heard"), [(NoAnswer, True), (Exception, False)])
    def test_a_missing_answer_goes_only_to_a_function_that_names_it(
        self, sandbox: Sandbox, friend: PhoneUser, webwx_clock: Clock, kind: type[Exception], heard: bool
    ) -> None:
        bot = Bot()

        @bot.on(TextMessage)
        async def order(ctx: Context, message: TextMessage) -> None:
            await ctx.ask("Which size?", timeout=60)

        bot.error(kind)(replying("too late"))
        with sandbox.running(bot):
            friend.say("order")
            assert friend.hears("Which size?")
            webwx_clock.wind(minutes=2)
            if heard:
                assert friend.hears("too late: NoAnswer")
            assert friend.hears_nothing()
        assert bot.counts.failed == 0

    def test_a_time_limit_can_be_handled(self, sandbox: Sandbox, friend: PhoneUser, webwx_clock: Clock) -> None:
        bot = Bot(time_limit=5)

        @bot.on(TextMessage)
        async def wait(ctx: Context, message: TextMessage) -> None:
            await ctx.ask("Really?")
            await asyncio.sleep(60)

        bot.error(TimeoutError)(replying("slow"))
        with sandbox.running(bot):
            friend.say("hello")
            assert friend.hears("Really?")
            friend.say("yes")
            webwx_clock.wind(seconds=6)
            assert friend.hears("slow: TimeoutError")

    def test_a_question_of_an_error_handler_pauses_its_time_limit(
        self, sandbox: Sandbox, friend: PhoneUser, webwx_clock: Clock
    ) -> None:
        bot = Bot(time_limit=5)
        failing(bot)

        @bot.error(OutOfStock)
        async def offer(ctx: Context, event: Event, error: OutOfStock) -> None:
            answer = await ctx.ask("Another one?", timeout=60)
            await ctx.reply(f"You said {answer.text}.")

        with sandbox.running(bot):
            friend.say("buy")
            assert friend.hears("Another one?")
            webwx_clock.wind(seconds=20)
            friend.say("yes")
            assert friend.hears("You said yes.")

    def test_the_error_of_a_task_group_reaches_its_functions(self, sandbox: Sandbox, friend: PhoneUser) -> None:
        bot, reported = Bot(attempts=1), list[str]()

        async def fail() -> None:
            raise OutOfStock

        @bot.on(TextMessage, text="some")
        async def buy_some(ctx: Context, message: TextMessage) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())

        failing(bot, KeyError)
        bot.error(ExceptionGroup)(replying("sorry"))

        @bot.on_error
        async def report(ctx: Context, event: Event, error: BaseException) -> None:
            reported.append(type(error).__name__)

        with sandbox.running(bot):
            friend.say("some")
            assert friend.hears("sorry: ExceptionGroup")
            friend.say("buy")
            assert friend.hears("One moment.")
            assert friend.hears_nothing()
        assert reported == ["KeyError"]

    @pytest.mark.parametrize("kinds", [(), (replying("x"),), ("ValueError",), (BaseException,), (int,)])
    def test_without_classes_of_exceptions_the_decorator_is_refused(self, kinds: tuple[Any, ...]) -> None:
        with pytest.raises(TypeError, match=r"classes of exceptions, such as @bot\.error\(ValueError\)"):
            Bot().error(*kinds)

    def test_a_function_with_other_arguments_is_refused(self) -> None:
        with pytest.raises(TypeError, match="An error handler is called with a context, an event and an error"):
            Bot().error(ValueError)(lambda ctx, error: None)
