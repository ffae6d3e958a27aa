"""Dispatch of each event by a bot: own messages, middleware, failures, loops, limits, keys."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.bot.conftest import running, until
from tests.client.conftest import last
from tests.turns import let_others_run

from webwx.bot.bot import Bot
from webwx.errors import ReplyLimitReached
from webwx.model.events import LoopDetected
from webwx.model.messages import Event, MessageRecalled, TextMessage
from webwx.sandbox.options import Options
from webwx.storage.login import LoginMemory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.bot.conftest import OpenClient
    from tests.carriers import Counted

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.client.client import AsyncClient
    from webwx.sandbox.world import World


def said(world: World, who: str, chat: str) -> list[str]:
    """Return the texts that `me` has sent to a chat of a phone."""
    written = world.inbox(who).get(chat)
    return [each.text for each in written.messages if each.sender.id == "xiaoming"] if written else []


class TestOwnMessages:
    async def test_echo_bot_does_not_reply_to_its_own_messages(self, open_client: OpenClient, world: World) -> None:
        world.options = Options(echo="on")
        async with open_client() as client:
            bot, seen = Bot(client=client), list[str]()

            @bot.on(TextMessage, own=True)
            async def echo(ctx: Context, message: TextMessage) -> None:
                seen.append(message.text)
                await ctx.reply(f"re: {message.text}")

            async with running(bot, client):
                world.say("ahua", "me", "1")
                world.say("ahua", "hiking", "2")
                await until(lambda: len(seen) == 2)
                await all_came_back(client, "re: 1", "re: 2")
                await until(lambda: bot.counts.in_flight == 0)
        assert seen == ["1", "2"]
        assert said(world, "ahua", "xiaoming") == ["re: 1"]
        assert said(world, "ahua", "hiking") == ["re: 2"]

    async def test_in_filehelper_the_phones_messages_are_answered_and_the_answers_are_not(
        self, open_client: OpenClient, world: World
    ) -> None:
        world.options = Options(echo="on")
        async with open_client() as client:
            bot, seen = Bot(client=client), list[str]()

            @bot.on(TextMessage)
            async def echo(ctx: Context, message: TextMessage) -> None:
                seen.append(message.text)
                await ctx.reply(f"re: {message.text}")

            async with running(bot, client):
                world.say("me", "filehelper", "from the phone")
                await all_came_back(client, "re: from the phone")
                await client.send_text("filehelper", "sent by a script")
                await all_came_back(client, "sent by a script")
                await until(lambda: bot.counts.in_flight == 0)
        assert seen == ["from the phone"]
        texts = [message.text for message in world.inbox("me")["filehelper"].messages]
        assert texts == ["from the phone", "re: from the phone", "sent by a script"]

    async def test_own_messages_in_other_chats_go_only_to_handlers_with_own(
        self, open_client: OpenClient, world: World
    ) -> None:
        async with open_client() as client:
            bot, own, usual = Bot(client=client), list[str](), list[str]()

            @bot.on(TextMessage)
            async def first(ctx: Context, message: TextMessage) -> None:
                usual.append(message.text)

            @bot.on(TextMessage, own=True)
            async def second(ctx: Context, message: TextMessage) -> None:
                own.append(message.text)

            async with running(bot, client):
                world.say("me", "ahua", "from the phone")
                world.say("ahua", "me", "from a friend")
                await until(lambda: len(own) == len(usual) == 1)
        assert (own, usual) == (["from the phone"], ["from a friend"])

    async def test_recall_of_an_own_message_is_an_own_event(self, open_client: OpenClient, world: World) -> None:
        world.options = Options(echo="on")
        async with open_client() as client:
            bot, gone, texts = Bot(client=client), list[str](), list[str]()

            @bot.on(MessageRecalled, own=True)
            async def keep(ctx: Context, event: MessageRecalled) -> None:
                assert isinstance(event.original, TextMessage)
                gone.append(event.original.text)

            @bot.on(TextMessage, own=True)
            async def note(ctx: Context, message: TextMessage) -> None:
                texts.append(message.text)

            async with client.subscribe(bot.name, follow=False):
                pass  # The consumer exists, and no poll runs: a poll would let two minutes pass.
            receipt = await client.send_text("阿华", "ours")
            await client.recall(receipt)
            world.say("me", "ahua", "the phone's")
            world.recall("me", "ahua")
            async with running(bot, client):
                await until(lambda: (texts, gone) == (["the phone's"], ["the phone's"]))


async def all_came_back(client: AsyncClient, *texts: str) -> None:
    """Wait until the sync has delivered all sends."""
    missing = set(texts)
    async with asyncio.timeout(60):
        while missing:
            missing -= {each.text for each in await client.history() if isinstance(each, TextMessage) and each.number}
            await asyncio.sleep(0.001)


class TestMiddleware:
    async def test_middleware_wraps_the_handler_and_the_first_one_is_outermost(
        self, open_client: OpenClient, world: World
    ) -> None:
        steps: list[str] = []
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.middleware
            async def outer(ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]]) -> None:
                steps.append("outer begins")
                await proceed()
                steps.append("outer ends")

            @bot.middleware
            async def inner(ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]]) -> None:
                steps.append("inner begins")
                await proceed()
                steps.append("inner ends")

            @bot.on(TextMessage, text="plain")
            def plain(ctx: SyncContext, message: TextMessage) -> None:
                steps.append(message.text)

            @bot.on(TextMessage)
            async def handler(ctx: Context, message: TextMessage) -> None:
                steps.append(message.text)

            async with running(bot, client):
                for text in ("asynchronous", "plain"):
                    world.say("ahua", "me", text)
                    await until(lambda: steps[-1:] == ["outer ends"])
                    assert steps == ["outer begins", "inner begins", text, "inner ends", "outer ends"]
                    steps.clear()

    async def test_handler_is_not_called_if_middleware_does_not_proceed(
        self, open_client: OpenClient, world: World
    ) -> None:
        received: list[str] = []
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.middleware
            async def no_spam(ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]]) -> None:
                if not isinstance(event, TextMessage) or event.text != "spam":
                    await proceed()

            @bot.on(TextMessage)
            async def handler(ctx: Context, message: TextMessage) -> None:
                received.append(message.text)

            async with running(bot, client):
                world.say("ahua", "me", "spam")
                world.say("ahua", "me", "eggs")
                await until(lambda: received == ["eggs"])
            assert bot.counts.failed == 0

    def test_plain_middleware_is_refused(self) -> None:
        bot = Bot()
        with pytest.raises(TypeError, match=r"write `async def .*plain`"):
            bot.middleware(plain)
        with pytest.raises(TypeError, match="the function that proceeds"):
            bot.middleware(lambda ctx: ctx)  # type: ignore[type-var]  # that is the mistake


def plain(ctx: Any, event: Any, proceed: Any) -> Any:
    raise AssertionError


class TestFailures:
    async def test_each_failed_attempt_is_reported_and_the_last_is_marked(
        self, open_client: OpenClient, world: World
    ) -> None:
        handled, attempts = list[tuple[str, int, bool]](), list[tuple[int, bool]]()
        async with open_client() as client:
            bot = Bot(client=client, attempts=2)

            @bot.on(TextMessage, text="bad")
            async def bad(ctx: Context, message: TextMessage) -> None:
                attempts.append((ctx.attempt, ctx.is_last_attempt))
                raise ZeroDivisionError

            @bot.on_error
            async def failed(ctx: Context, event: Event, error: BaseException) -> None:
                handled.append((type(error).__name__, ctx.attempt, ctx.is_last_attempt))
                if ctx.is_last_attempt:
                    await ctx.reply("I give up.")

            @bot.on_error
            def failed_too(ctx: SyncContext, event: Event, error: BaseException) -> None:
                handled.append(("plain", ctx.attempt, ctx.is_last_attempt))

            async with running(bot, client):
                world.say("ahua", "me", "bad")
                await until(lambda: bot.counts.dead == 1)
        assert attempts == [(1, False), (2, True)]
        assert handled == [
            ("ZeroDivisionError", 1, False), ("plain", 1, False), ("ZeroDivisionError", 2, True), ("plain", 2, True),
        ]  # fmt: skip
        assert said(world, "ahua", "xiaoming") == ["I give up."]

    async def test_sends_of_on_error_have_other_keys_than_the_handlers(
        self, open_client: OpenClient, world: World
    ) -> None:
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.on(TextMessage, text="once")
            async def once(ctx: Context, message: TextMessage) -> None:
                if ctx.attempt == 1:
                    raise ZeroDivisionError
                await ctx.reply("done")

            @bot.on_error
            async def failed(ctx: Context, event: Event, error: BaseException) -> None:
                await ctx.reply("failed")

            async with running(bot, client):
                world.say("ahua", "me", "once")
                await until(lambda: len(said(world, "ahua", "xiaoming")) == 2)
        assert said(world, "ahua", "xiaoming") == ["failed", "done"]

    @pytest.mark.parametrize(
        "error",
        [ValueError(), type("Odd", (BaseException,), {})(), asyncio.CancelledError(), SystemExit(1), RecursionError()],
        ids=lambda error: type(error).__name__,
    )
    async def test_error_of_on_error_is_logged_and_changes_nothing(
        self, open_client: OpenClient, world: World, error: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with open_client() as client:
            bot = Bot(client=client, attempts=1)

            @bot.on(TextMessage, text="bad")
            async def bad(ctx: Context, message: TextMessage) -> None:
                raise ZeroDivisionError

            @bot.on_error
            async def failed(ctx: Context, event: Event, _: BaseException) -> None:
                raise error

            async with running(bot, client):
                world.say("ahua", "me", "bad")
                await until(lambda: bot.counts.dead == 1)
            (letter,) = await client.list_dead_letters()
        assert letter.error.startswith("ZeroDivisionError at test_dispatch.py")
        assert f"failed failed: {type(error).__name__} at test_dispatch.py" in caplog.text

    async def test_time_limit_cancels_asynchronous_handlers_and_names_their_line(
        self, open_client: OpenClient, world: World
    ) -> None:
        errors, gate = list[BaseException](), threading.Event()
        async with open_client() as client:
            bot = Bot(client=client, attempts=1, time_limit=0.05)

            @bot.on(TextMessage, text="slow")
            async def slow(ctx: Context, message: TextMessage) -> None:
                await asyncio.Event().wait()

            @bot.on(TextMessage, text="plain")
            def plain(ctx: SyncContext, message: TextMessage) -> None:
                gate.wait(0.2)

            @bot.on_error
            async def failed(ctx: Context, event: Event, error: BaseException) -> None:
                errors.append(error)

            async with running(bot, client):
                world.say("lilei", "me", "plain")
                world.say("ahua", "me", "slow")
                await until(lambda: bot.counts.dead == 1 and bot.counts.delivered >= 1)
            (letter,) = await client.list_dead_letters()
        assert [type(error) for error in errors] == [TimeoutError]
        assert letter.error.startswith("TimeoutError at test_dispatch.py")
        assert bot.counts.failed == 1

    async def test_end_of_the_bot_is_no_failure(self, open_client: OpenClient, world: World) -> None:
        errors, begun = list[object](), list[str]()
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.on(TextMessage)
            async def hang(ctx: Context, message: TextMessage) -> None:
                begun.append(message.text)
                await asyncio.Event().wait()

            @bot.on_error
            async def failed(ctx: Context, event: Event, error: BaseException) -> None:
                errors.append(error)

            async with running(bot, client) as task:
                world.say("ahua", "me", "hang")
                await until(lambda: begun == ["hang"])
                task.cancel()
                await let_others_run()  # So that the second call is not the first of its process.
        assert (errors, bot.counts.failed) == ([], 0)


class TestLoops:
    async def test_refused_reply_is_no_failure_of_the_handler(self, open_client: OpenClient, world: World) -> None:
        """The chat is stopped from then on, one event reports that, and other chats are not affected."""
        loops, received = list[LoopDetected](), list[str]()
        async with open_client() as client:
            bot = Bot(client=client, replies_per_minute=3)

            @bot.on(TextMessage)
            async def echo(ctx: Context, message: TextMessage) -> None:
                received.append(message.text)
                await ctx.reply(f"re: {message.text}")

            @bot.on(LoopDetected)
            async def loop(ctx: Context, event: LoopDetected) -> None:
                loops.append(event)
                await ctx.send_text("张三", "a loop")

            async with running(bot, client):
                for number in range(6):
                    world.say("ahua", "me", str(number))
                world.say("lilei", "me", "still here")
                await until(lambda: len(loops) == 1 and "still here" in received)
                await until(lambda: said(world, "zhangsan", "xiaoming") == ["a loop"])
            assert (bot.counts.failed, bot.counts.dead) == (0, 0)
            assert loops[0].chat == client.contacts.find(nickname="阿华").id
        assert said(world, "ahua", "xiaoming") == ["re: 0", "re: 1", "re: 2"]
        assert said(world, "lilei", "xiaoming") == ["re: still here"]
        assert [each for each in received if each.isdigit()] == ["0", "1", "2", "3"]

    async def test_loop_event_is_delivered_if_the_handler_catches_the_error(
        self, open_client: OpenClient, world: World
    ) -> None:
        loops: list[LoopDetected] = []
        async with open_client() as client:
            bot = Bot(client=client, replies_per_minute=1)

            @bot.on(TextMessage)
            def twice(ctx: SyncContext, message: TextMessage) -> None:
                ctx.reply("1")
                with pytest.raises(ReplyLimitReached):
                    ctx.reply("2")

            @bot.on(LoopDetected)
            def loop(ctx: SyncContext, event: LoopDetected) -> None:
                loops.append(event)
                raise ZeroDivisionError  # This is logged.

            async with running(bot, client):
                world.say("ahua", "me", "?")
                await until(lambda: len(loops) == 1)
                world.say("lilei", "me", "?")
                await until(lambda: len(loops) == 2)
            assert (bot.counts.failed, bot.counts.dead) == (0, 0)

    async def test_sends_into_other_chats_are_no_replies(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            bot = Bot(client=client, replies_per_minute=1)

            @bot.on(TextMessage)
            async def forward(ctx: Context, message: TextMessage) -> None:
                for _ in range(3):
                    await ctx.send_text("filehelper", message.text)

            async with running(bot, client):
                world.say("ahua", "me", "?")
                await until(lambda: bot.counts.delivered >= 1)
            assert bot.counts.failed == 0
        assert len(world.inbox("me")["filehelper"].messages) == 3

    async def test_the_limit_can_be_switched_off(self, open_client: OpenClient, world: World) -> None:
        async with open_client() as client:
            bot = Bot(client=client, replies_per_minute=0)

            @bot.on(TextMessage)
            async def many(ctx: Context, message: TextMessage) -> None:
                for number in range(30):
                    await ctx.reply(str(number))

            async with running(bot, client):
                world.say("ahua", "me", "?")
                await until(lambda: len(said(world, "ahua", "xiaoming")) == 30)


class TestKeys:
    async def test_key_consists_of_bot_event_handler_and_position(self, open_client: OpenClient, world: World) -> None:
        keys: list[str] = []
        async with open_client() as client:
            bot = Bot(client=client, name="shop")

            @bot.on(TextMessage)
            async def answer(ctx: Context, message: TextMessage) -> None:
                await ctx.reply("1")
                await ctx.reply("2")
                keys.append(ctx.key)

            async with running(bot, client):
                world.say("ahua", "me", "?")
                await until(lambda: len(keys) == 1)
            number, handler = keys[0].removeprefix("shop/").split("/")
            assert (
                handler == f"{type(self).__name__}.test_key_consists_of_bot_event_handler_and_position.<locals>.answer"
            )
            for place in ("1", "2"):
                sent = await client.find_send(key=f"shop/{number}/{handler}/{place}")
                assert sent is not None
                assert sent.text == place
        assert keys == [f"shop/{number}/{handler}"]

    async def test_a_handler_that_is_called_again_by_the_next_process_sends_nothing_twice(
        self, open_client: OpenClient, world: World, counted: Counted
    ) -> None:
        store, door = LoginMemory(), asyncio.Event()

        def make(client: Any) -> Bot:
            bot = Bot(client=client)

            @bot.on(TextMessage)
            async def answer(ctx: Context, message: TextMessage) -> None:
                await ctx.reply("1")
                if not ctx.redelivered:
                    door.set()
                    await asyncio.Event().wait()
                await ctx.reply("2")

            return bot

        async with open_client(store=store) as client, running(make(client), client) as task:
            world.say("ahua", "me", "?")
            await door.wait()
            task.cancel()
            await let_others_run()  # So that the second call is not the first of its process.
        async with open_client(store=store) as client, running(make(client), client):
            await until(lambda: last(world, "ahua", "xiaoming").text == "2")
        assert said(world, "ahua", "xiaoming") == ["1", "2"]


async def test_the_log_names_no_text(open_client: OpenClient, world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "webwx")
    async with open_client() as client:
        bot = Bot(client=client, attempts=1)

        @bot.on(TextMessage)
        async def bad(ctx: Context, message: TextMessage) -> None:
            raise ValueError(message.text)

        async with running(bot, client):
            world.say("ahua", "me", "a very private matter")
            await until(lambda: bot.counts.dead == 1)
    assert "is a dead letter" in caplog.text
    assert "in bad\n    raise ValueError(message.text)" in caplog.text
    assert "private" not in caplog.text
