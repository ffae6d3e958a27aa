"""One-shot timers: each call is made once, also after a crash, a restart or a new login."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from webwx.bot.bot import Bot
from webwx.bot.one_shot_timers import AT_ONCE
from webwx.bot.timers import TimerRegistry
from webwx.errors import UnknownContact
from webwx.model.messages import TextMessage
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.tables.outbox import State
from webwx.storage.tables.timers import TimerQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bot.conftest import Server
    from tests.forks import Forks
    from tests.secret_scanner import SecretScanner

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.model.messages import Event
    from webwx.testing import Chatroom, Clock, PhoneUser, Sandbox


PROGRAM = Path(__file__).with_name("timer_program.py")


@pytest.fixture
def kit(webwx_sandbox: Sandbox) -> Sandbox:
    return webwx_sandbox


def reminding() -> Bot:
    """Return a bot that repeats a text after ten minutes."""
    bot = Bot()

    @bot.timer()
    async def remind(ctx: Context, data: dict[str, str]) -> None:
        await ctx.reply(f"remember: {data['text']}")

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        await ctx.call_later(remind, minutes=10, data={"text": message.text}, name="tea")

    return bot


def test_handler_is_called_once_after_the_delay_in_the_chat_with_the_data(
    kit: Sandbox, friend: PhoneUser, clock: Clock, chatroom: Chatroom
) -> None:
    with kit.running(reminding()):
        friend.say("tea")
        friend.say("milk", to=chatroom)
        clock.wind(minutes=9)
        assert friend.hears_nothing()
        clock.wind(minutes=2)
        assert friend.hears("remember: tea")
        assert friend.hears("remember: milk", chat=chatroom)
        clock.wind(minutes=30)
        assert friend.hears_nothing()


def test_call_due_while_no_process_ran_is_made_once_at_the_next_start(
    kit: Sandbox, friend: PhoneUser, clock: Clock
) -> None:
    bot = reminding()
    with kit.running(bot):
        friend.say("tea")
        kit.settle()
    clock.wind(days=1)
    with kit.running(bot):
        assert friend.hears("remember: tea")
    with kit.running(bot):
        assert friend.hears_nothing()


def test_timer_continues_in_the_next_login_although_its_chat_has_another_id(
    kit: Sandbox, friend: PhoneUser, account: PhoneUser, clock: Clock
) -> None:
    bot = Bot()

    @bot.timer()
    async def remind(ctx: Context, data: str) -> None:
        await ctx.reply(f"remember: {data}, {ctx.chat in ctx.client.contacts}")

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        timer = await ctx.call_later(remind, minutes=10, data=message.text)
        await ctx.reply(f"timers: {len(await ctx.list_timers())}, {timer.chat == ctx.chat}")

    with kit.running(bot):
        friend.say("tea")
        assert friend.hears("timers: 1, True")
        kit.do(lambda world: world.log_out(account.id))
        clock.wind(minutes=1)
        friend.say("milk")
        assert friend.hears("timers: 2, True"), "the timer of the previous login is in this chat as well"
        clock.wind(minutes=11)
        assert friend.hears("remember: tea, True")
        assert friend.hears("remember: milk, True")


def test_handler_that_is_repeated_makes_one_timer(kit: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    bot = Bot()

    @bot.timer()
    async def remind(ctx: Context, data: str) -> None:
        await ctx.reply(data)

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        await ctx.call_later(remind, data="first")
        await ctx.call_later(remind, minutes=10, data="second")
        if ctx.attempt < 3:
            raise ValueError

    with kit.running(bot):
        friend.say("tea")
        clock.wind(hours=1)
        assert friend.hears("first")
        assert friend.hears("second")
        assert friend.hears_nothing()


def test_call_that_a_crash_interrupts_is_repeated_without_a_second_send(
    kit: Sandbox, friend: PhoneUser, clock: Clock
) -> None:
    calls = list[int]()
    bot = Bot()

    @bot.timer()
    async def remind(ctx: Context, data: None) -> None:
        calls.append(ctx.attempt)
        await ctx.reply("before")
        if len(calls) == 1:
            await asyncio.Event().wait()
        await ctx.reply("after")

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        await ctx.call_later(remind, minutes=10)

    with kit.running(bot) as running:
        friend.say("tea")
        clock.wind(minutes=11)
        assert friend.hears("before")
        running.kill()
    with kit.running(bot):
        assert friend.hears("after")
        clock.wind(minutes=11)
        assert friend.hears_nothing()
    assert calls == [1, 1]


def test_call_that_crashes_each_process_is_given_up(
    kit: Sandbox, friend: PhoneUser, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    calls = list[int]()
    bot = Bot(attempts=1)

    @bot.timer()
    async def remind(ctx: Context, data: None) -> None:
        calls.append(ctx.attempt)
        await asyncio.Event().wait()

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        await ctx.call_later(remind, minutes=10)

    for process in range(4):
        with kit.running(bot) as running:
            if process == 0:
                friend.say("tea")
            clock.wind(minutes=11)
            running.kill()
    assert len(calls) == 2, "in the process where it was due, and once again"
    assert "the timer 1 is given up after 1 interrupted or failed attempts" in caplog.text


def test_a_failed_call_is_repeated_after_a_pause(kit: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    calls, bot = list[float](), Bot()

    @bot.timer()
    async def remind(ctx: Context, data: None) -> None:
        calls.append(ctx.client.clock())
        raise ValueError

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        await ctx.call_later(remind, seconds=10)

    with kit.running(bot):
        friend.say("tea")
        clock.wind(hours=1)
    pauses = [later - earlier for earlier, later in pairwise(calls)]
    assert [pause >= least for pause, least in zip(pauses, (1, 4), strict=True)] == [True, True]


def test_failed_call_is_repeated_and_then_given_up(
    kit: Sandbox, friend: PhoneUser, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reported = list[tuple[object, int, bool]]()
    bot, error = Bot(attempts=3), ValueError("secret")

    @bot.timer()
    def remind(ctx: SyncContext, data: str) -> None:
        ctx.reply(f"{data} {ctx.attempt}")
        raise error

    @bot.on(TextMessage)
    def note(ctx: SyncContext, message: TextMessage) -> None:
        ctx.call_later(remind, seconds=10, data="attempt")

    @bot.on_error
    async def failed(ctx: Context, event: Event | None, error: BaseException) -> None:
        reported.append((event, ctx.attempt, ctx.is_last_attempt))
        await ctx.reply("failed")

    with kit.running(bot):
        friend.say("tea")
        clock.wind(hours=1)
        assert friend.hears("attempt 1")
        assert [friend.hears("failed") for _ in range(3)]
        assert friend.hears_nothing(), "a send of a repeated call is the same send"
    assert reported == [(None, 1, False), (None, 2, False), (None, 3, True)]
    assert "the timer 1 failed (attempt 3 of 3): ValueError at test_one_shot_timers.py:" in caplog.text
    assert "secret" not in caplog.text


def test_timer_is_cancelled_by_number_and_by_name_in_its_chat(
    kit: Sandbox, friend: PhoneUser, clock: Clock, chatroom: Chatroom
) -> None:
    bot = Bot()
    answers = list[Any]()

    @bot.timer()
    async def remind(ctx: Context, data: str) -> None:
        await ctx.reply(data)

    @bot.on(TextMessage)
    async def act(ctx: Context, message: TextMessage) -> None:
        match message.text.split():
            case [name, minutes]:
                await ctx.call_later(remind, minutes=float(minutes), data=name, name=name)
            case ["list"]:
                answers.append([(each.name, each.data) for each in await ctx.list_timers()])
            case ["first"]:
                (first, *_) = await ctx.list_timers()
                answers.append([await ctx.cancel_timer(first), await ctx.cancel_timer(first.number)])
            case _:
                answers.append(await ctx.cancel_timers("tea"))

    with kit.running(bot):
        for text in ("tea 30", "milk 20", "tea 10"):
            friend.say(text)
        friend.say("tea 10", to=chatroom)
        for text in ("list", "first", "stop", "stop", "list"):
            friend.say(text)
        clock.wind(hours=1)
        assert friend.hears("milk")
        assert friend.hears_nothing()
        assert friend.hears("tea", chat=chatroom)
    assert answers == [[("tea", "tea"), ("milk", "milk"), ("tea", "tea")], [True, False], 1, 0, [("milk", "milk")]]


def test_call_at_takes_any_time_zone_and_a_time_that_has_passed(kit: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    bot = Bot()

    @bot.timer()
    async def remind(ctx: Context, data: str) -> None:
        await ctx.reply(data)

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        now = datetime.fromtimestamp(ctx.client.clock(), UTC)
        await ctx.call_at(remind, now - timedelta(days=1), data="passed")
        await ctx.call_at(remind, now + timedelta(minutes=10), data="aware")
        await ctx.call_at("remind", (now + timedelta(minutes=20)).astimezone().replace(tzinfo=None), data="naive")

    with kit.running(bot):
        friend.say("tea")
        assert friend.hears("passed")
        assert friend.hears_nothing()
        clock.wind(minutes=11)
        assert friend.hears("aware")
        assert friend.hears_nothing()
        clock.wind(minutes=10)
        assert friend.hears("naive")


def test_timer_of_another_chat_and_of_none(kit: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    bot = Bot()
    listed = list[int]()

    @bot.timer()
    async def greet(ctx: Context, data: None) -> None:
        await ctx.reply("hello")

    @bot.timer()
    async def look(ctx: Context, data: None) -> None:
        listed.append(len(await ctx.list_timers()))
        with pytest.raises(UnknownContact, match="A timer or another account has no chat"):
            await ctx.reply("to whom?")

    @bot.every(minutes=1)
    async def tick(ctx: Context) -> None:
        if not listed:
            listed.append(0)
            await ctx.call_later(greet, minutes=10, chat=friend.nickname)
            await ctx.call_later(look, seconds=1)

    with kit.running(bot):
        clock.wind(minutes=2)
        clock.wind(minutes=10)
        assert friend.hears("hello")
    assert listed == [0, 2], "the timer of the chat, and the one whose handler runs"


def test_many_calls_that_are_due_at_once_are_all_made(kit: Sandbox, friend: PhoneUser, clock: Clock) -> None:
    bot = Bot()
    running, most, done = 0, 0, list[int]()

    @bot.timer()
    async def count(ctx: Context, data: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        done.append(data)

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        for number in range(3 * AT_ONCE):
            await ctx.call_later(count, minutes=1, data=number)

    with kit.running(bot):
        friend.say("go")
        clock.wind(minutes=10)
        kit.wait(lambda: len(done) == 3 * AT_ONCE or None)
    assert (sorted(done), most) == (list(range(3 * AT_ONCE)), AT_ONCE)


def test_timer_without_a_handler_waits_for_it(
    kit: Sandbox, friend: PhoneUser, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with kit.running(reminding()):
        friend.say("tea")
        kit.settle()
    other = Bot()
    other.timer(name="other")(lambda ctx, data: None)
    with kit.running(other):
        clock.wind(minutes=30)
    assert caplog.text.count("the timer 1 waits for the handler remind, which this program does not have") == 1
    with kit.running(reminding()):
        assert friend.hears("remember: tea")


# -- processes that are killed ---------------------------------------------------------------------------------------

KILLS = 20


async def left_in(folder: Path) -> tuple[list[str], dict[State, int]]:
    """Return the names of the timers that wait, and the number of sends by state."""
    journal = SqliteJournal(folder / "me.journal")
    (uin,) = await journal.accounts()
    part = journal.account(uin)
    timers = await part.timers.find(TimerQuery(bot="bot", limit=1_000))
    counts = await part.outbox.count()
    await journal.close()
    return [each.name for each in timers], counts


@pytest.mark.verify
@pytest.mark.timeout(300)
def test_no_timer_is_lost_or_doubled_by_processes_that_are_killed(
    server: Server, tmp_path: Path, secret_scanner: SecretScanner, forks: Forks
) -> None:
    rng, texts = random.Random(7), list[str]()
    streams = (subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE)
    arguments = [server.url, str(tmp_path)]
    for kill in range(KILLS + 1):
        with forks.start(arguments, dict(os.environ), None, streams, program=PROGRAM) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for number in range(3):
                texts.append(f"{kill}-{number}")
                server.say("ahua", texts[-1])
            if kill < KILLS:
                time.sleep(rng.uniform(0, 0.15))  # The moment of the kill.
            else:
                deadline = time.monotonic() + 120
                while (left := asyncio.run(left_in(tmp_path)))[0] or sum(left[1].values()) < len(texts):
                    assert time.monotonic() < deadline, left
                    time.sleep(0.2)
            process.kill()
            secret_scanner.record("the bot's stderr", process.communicate(30)[1])
    waiting, sends = asyncio.run(left_in(tmp_path))
    answers = server.answers("ahua")
    assert waiting == []
    assert len(answers) == len(set(answers)), "an answer was sent twice"
    missing = {f"late {text}" for text in texts} - set(answers)
    assert len(missing) <= sends.get("unknown", 0), "only a send that a kill interrupted may be missing"
    assert sum(sends.values()) == len(texts), "each text made one timer, and each timer one send"


# -- errors ----------------------------------------------------------------------------------------------------------


def test_invalid_calls_raise_at_their_line(kit: Sandbox, friend: PhoneUser) -> None:
    bot = Bot()
    errors = list[str]()

    @bot.timer()
    async def remind(ctx: Context, data: object) -> None:
        raise AssertionError

    async def unregistered(ctx: Context, data: object) -> None:
        raise AssertionError

    @bot.on(TextMessage)
    async def note(ctx: Context, message: TextMessage) -> None:
        mistakes: tuple[Callable[[], Any], ...] = (
            lambda: ctx.call_later(remind, seconds=-1),
            lambda: ctx.call_later(unregistered),
            lambda: ctx.call_later("unregistered"),
            lambda: ctx.call_later(remind, data=object()),
            lambda: ctx.call_later(remind, chat="no such name"),
        )
        for mistake in mistakes:
            with pytest.raises((ValueError, TypeError, UnknownContact)) as caught:
                await mistake()
            errors.append(str(caught.value))

    with kit.running(bot):
        friend.say("go")
        kit.settle()
    assert errors[0] == "The delay of a timer cannot be negative."
    assert (
        errors[1] == "unregistered is not a handler of one-shot timers of the bot 'bot'; write @bot.timer() above it."
    )
    assert errors[2].startswith("'unregistered' is not a handler")
    assert "object" in errors[3]
    assert "no such name" in errors[4]


def test_second_handler_of_the_same_name_is_refused() -> None:
    table = TimerRegistry()
    table.timer(name="remind")(lambda ctx, data: None)
    with pytest.raises(ValueError, match="There is a timer handler 'remind' already"):
        table.timer(name="remind")(lambda ctx, data: None)


def test_handler_without_data_is_refused() -> None:
    async def remind(ctx: object) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match=r"is called with a context and the timer's data; .*remind does not take 2"):
        TimerRegistry().timer()(remind)
