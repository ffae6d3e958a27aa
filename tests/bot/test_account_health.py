"""Failures of an account count no attempt of its handlers: the account waits, and continues by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import running, until
from tests.carriers import Counted
from tests.failing_disk import FailingDisk

from webwx.bot import account_health, chat_queues, one_shot_timers, state_timeouts
from webwx.bot.bot import Bot
from webwx.bot.steps import Step, Steps
from webwx.client import state
from webwx.client.state import LoginState
from webwx.errors import ConnectFailed, StorageError
from webwx.model.events import StateTimedOut
from webwx.model.messages import TextMessage
from webwx.storage.refusals import ChangeRefused
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.testing import Clock, PhoneUser, Sandbox


class Order(Steps):
    day = Step()


class Line(Counted):
    """A connection to the platform that a test cuts and repairs."""

    is_cut = False
    fails: tuple[str, ...] = ()
    """Endpoints that fail while the line is cut; none: all of them."""

    async def send(self, request: Request) -> Response:
        if self.is_cut and (not self.fails or request.endpoint in self.fails):
            self.calls.append(request.endpoint)
            raise ConnectFailed(f"{request.endpoint}: no connection; nothing was sent.")
        return await super().send(request)


@pytest.fixture
def line(sandbox: SandboxCore) -> Line:
    return Line(Loopback(sandbox))


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_queues, "WAITS", (0.005, 0.01))
    monkeypatch.setattr(one_shot_timers, "AGAIN", 0.01)
    monkeypatch.setattr(state_timeouts, "AGAIN", 0.01)
    monkeypatch.setattr(chat_queues, "pause_after", lambda _: 0.005)
    monkeypatch.setattr(state, "DEGRADED_AFTER", 1)


def answers(world: World, who: str) -> list[str]:
    inbox = world.inbox(who)
    return [each.text for each in inbox["xiaoming"].messages if each.text.startswith("re: ")] if inbox else []


class Answering:
    """A bot that answers each text, and the attempts at them."""

    def __init__(self, **choices: object) -> None:
        self.bot = Bot(**choices)  # type: ignore[arg-type]  # its arguments
        self.attempts: dict[str, list[int]] = {}

        @self.bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            self.attempts.setdefault(message.text, []).append(ctx.attempt)
            await ctx.reply(f"re: {message.text}")

    def has_tried(self, text: str, times: int) -> bool:
        return len(self.attempts.get(text, ())) >= times


async def test_events_wait_while_the_network_fails(open_client: OpenClient, line: Line, world: World) -> None:
    async with open_client(transport=line) as client:
        answering = Answering(client=client)
        async with running(answering.bot, client):
            await until(lambda: "synccheck" in line.calls)
            line.fails = ("webwxsendmsg",)
            line.is_cut = True
            world.say("ahua", "me", "1")
            await until(lambda: answering.has_tried("1", 1))
            line.fails = ()
            await until(lambda: client.state is LoginState.DEGRADED and answering.has_tried("1", 5))
            world.say("zhangsan", "me", "2")
            line.is_cut = False
            await until(lambda: (answers(world, "ahua"), answers(world, "zhangsan")) == (["re: 1"], ["re: 2"]))
        assert {1} == {*answering.attempts["1"]}
        assert (answering.bot.counts.failed, answering.bot.counts.dead) == (0, 0)


async def test_no_other_chat_is_handled_while_the_account_waits(
    open_client: OpenClient,
    line: Line,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(chat_queues, "WAITS", (3_600.0,))
    async with open_client(transport=line) as client:
        answering = Answering(client=client)
        async with running(answering.bot, client):
            await until(lambda: "synccheck" in line.calls)
            line.is_cut, line.fails = True, ("webwxsendmsg",)
            world.say("ahua", "me", "1")
            await until(lambda: answering.has_tried("1", 1))
            line.fails = ()
            await until(lambda: "the account waits" in caplog.text)
            line.fails = ("webwxsendmsg",)
            tried = {text: [*attempts] for text, attempts in answering.attempts.items()}
            world.say("zhangsan", "me", "2")
            await until(lambda: answering.bot.counts.in_flight == 2)
            for _ in range(20):
                await asyncio.sleep(0)
        assert tried == answering.attempts
        assert {1} == {*answering.attempts["1"]}


async def test_handler_that_fails_while_polls_succeed_makes_a_dead_letter(
    open_client: OpenClient, line: Line, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_client(transport=line) as client:
        answering = Answering(client=client)
        async with running(answering.bot, client):
            await until(lambda: "synccheck" in line.calls)
            line.is_cut, line.fails = True, ("webwxsendmsg",)
            world.say("ahua", "me", "1")
            while not answering.bot.counts.dead:
                tries = len(answering.attempts.get("1", ()))
                world.wind(1)
                world.say("zhangsan", "me", "news")  # a poll succeeds
                await until(lambda: answering.has_tried("1", tries + 1) or answering.bot.counts.dead > 0)  # noqa: B023
        assert {1, 2, 3} == {*answering.attempts["1"]}
        assert answering.attempts["1"][-3:] == [1, 2, 3]


@pytest.mark.parametrize(("error", "attempts"), [(StorageError, 4), (ChangeRefused, 3), (ValueError, 3)])
def test_refused_value_counts_and_so_does_a_failure_while_the_journal_can_be_written(
    webwx_sandbox: Sandbox,
    webwx_friend: PhoneUser,
    webwx_clock: Clock,
    error: type[Exception],
    attempts: int,
) -> None:
    bot, calls = Bot(), list[int]()

    @bot.on(TextMessage)
    async def fail(ctx: Context, message: TextMessage) -> None:
        calls.append(ctx.attempt)
        raise error("The value is refused.")

    with webwx_sandbox.running(bot):
        webwx_friend.say("1")
        webwx_clock.wind(minutes=1)
        assert (bot.counts.failed, bot.counts.dead) == (3, 1)
    assert attempts == len(calls)


async def test_events_wait_while_the_disk_is_full(
    disk: FailingDisk, open_client: OpenClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = list[bool]()
    can_store = account_health.AccountHealth.can_store

    async def counted(self: account_health.AccountHealth) -> bool:
        looks.append(await can_store(self))
        return looks[-1]

    monkeypatch.setattr(account_health.AccountHealth, "can_store", counted)
    attempts = list[int]()
    async with open_client() as client:
        bot = Bot(client=client)

        @bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            if not attempts:
                disk.fails = "before"
            attempts.append(ctx.attempt)
            await ctx.reply(f"re: {message.text}")

        async with running(bot, client):
            world.say("ahua", "me", "1")
            await until(lambda: looks.count(False) >= 5)
            assert attempts == [1]
            disk.fails = ""
            await until(lambda: answers(world, "ahua") == ["re: 1"])
        assert attempts == [1, 1]
        assert (bot.counts.failed, bot.counts.dead) == (0, 0)


async def test_timers_and_time_outs_wait_while_the_network_fails(
    open_client: OpenClient, line: Line, world: World
) -> None:
    attempts = list[int]()
    async with open_client(transport=line) as client:
        bot = Bot(client=client)

        @bot.timer()
        async def once(ctx: Context, data: str) -> None:
            attempts.append(ctx.attempt)
            await ctx.reply(data)

        @bot.on(StateTimedOut)
        async def late(ctx: Context, event: StateTimedOut) -> None:
            attempts.append(ctx.attempt)
            await ctx.reply("re: too late")

        @bot.on(TextMessage, text="go")
        async def begin(ctx: Context, message: TextMessage) -> None:
            await ctx.state.set_step(Order.day, timeout=1)
            await ctx.call_later(once, seconds=1, data="re: later")

        async with running(bot, client):
            world.say("ahua", "me", "go")
            await until(lambda: bot.counts.delivered >= 1)
            line.is_cut = True
            await until(lambda: client.state is LoginState.DEGRADED)
            await until(lambda: len(attempts) >= 6)
            line.is_cut = False
            await until(lambda: {*answers(world, "ahua")} == {"re: too late", "re: later"})
        assert {1} == {*attempts}
        assert bot.timer_counts.failed == 0
