"""Delivery of events to a handler until each is acknowledged; with real journals and a sandbox in this process."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import threading
from functools import partial
from itertools import pairwise
from operator import contains
from typing import TYPE_CHECKING, Any

import pytest
from tests.bot.conftest import until
from tests.carriers import Counted
from tests.client.conftest import last
from tests.turns import let_others_run

from webwx.bot.chat_queues import DeliveryCounts
from webwx.bot.delivery import deliver
from webwx.client.state import LoginState
from webwx.errors import AlreadyRunning, LoggedOut, NoJournal
from webwx.model.events import ContactChanged
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bot.conftest import Delivering, OpenClient

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.model.messages import Event
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World


class RecordingHandler:
    """A handler that records its calls, and acts as the text says."""

    def __init__(self, **reactions: Callable[[Context], Any]) -> None:
        self.events: list[Event] = []
        self.calls: list[tuple[str, int, bool]] = []
        """Text, attempt, and whether the event may be redelivered."""
        self._reactions = reactions

    async def __call__(self, ctx: Context, event: Event) -> None:
        self.events.append(event)
        text = event.text if isinstance(event, TextMessage) else type(event).__name__
        self.calls.append((text, ctx.attempt, ctx.redelivered))
        if text in self._reactions:
            await self._reactions[text](ctx)

    @property
    def texts(self) -> list[str]:
        return [text for text, _, _ in self.calls]


def failing(error: BaseException) -> Callable[[Context], Any]:
    async def fail(ctx: Context) -> None:
        raise error

    return fail


async def test_handler_gets_messages_and_replies(open_client: OpenClient, delivering: Delivering, world: World) -> None:
    async def answer(ctx: Context) -> None:
        await ctx.reply("pong")

    async with open_client() as client:
        received = RecordingHandler(ping=answer)
        async with delivering(client, received):
            world.say("ahua", "me", "ping")
            await until(lambda: last(world, "ahua", "xiaoming").text == "pong")
            assert received.calls == [("ping", 1, False)]
            assert received.events[0].number > 0


async def test_changes_of_contacts_are_delivered_only_with_include_all(
    open_client: OpenClient, delivering: Delivering, world: World
) -> None:
    async with open_client() as client:
        received, everything = RecordingHandler(), RecordingHandler()
        async with delivering(client, received), delivering(client, everything, consumer="all", include_all=True):
            world.befriend("me", "ahua", remark="华")
            world.say("ahua", "me", "1")
            await until(lambda: "1" in received.texts and "1" in everything.texts)
            assert not any(isinstance(event, ContactChanged) for event in received.events)
            assert any(isinstance(event, ContactChanged) for event in everything.events)


async def test_each_consumer_gets_every_event_and_has_its_own_cursor(
    open_client: OpenClient, delivering: Delivering, world: World
) -> None:
    async with open_client() as client:
        one, other = RecordingHandler(), RecordingHandler()
        async with delivering(client, one, consumer="one"), delivering(client, other, consumer="other"):
            world.say("ahua", "me", "1")
            await until(lambda: one.texts == other.texts == ["1"])
        async with delivering(client, one, consumer="one"):
            world.say("ahua", "me", "2")
            await until(lambda: one.texts == ["1", "2"])
        async with delivering(client, other, consumer="other"):
            await until(lambda: other.texts == ["1", "2"])


async def test_a_consumer_can_be_open_once(open_client: OpenClient, delivering: Delivering, world: World) -> None:
    async with open_client() as client:
        received = RecordingHandler()
        async with delivering(client, received):
            world.say("ahua", "me", "1")
            await until(lambda: received.texts == ["1"])
            with pytest.raises(AlreadyRunning):
                await deliver(client, received)


async def test_a_client_without_a_journal_cannot_deliver(world: World, counted: Counted) -> None:
    from tests.client.conftest import SERVER

    from webwx.client.client import AsyncClient

    async with AsyncClient(server=SERVER, transport=counted, clock=world.clock.now) as client:
        await client.login(show_qr=lambda _: (world.scan("me"), world.confirm()))
        with pytest.raises(NoJournal):
            await deliver(client, RecordingHandler())


class TestFailures:
    @pytest.mark.parametrize(
        "error",
        [ValueError(), type("Odd", (BaseException,), {})(), asyncio.CancelledError(), SystemExit(1), RecursionError()],
        ids=lambda error: type(error).__name__,
    )
    async def test_failing_event_becomes_a_dead_letter_and_delivery_continues(
        self,
        open_client: OpenClient,
        delivering: Delivering,
        world: World,
        error: BaseException,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async with open_client() as client:
            received, counts = RecordingHandler(bad=failing(error)), DeliveryCounts()
            async with delivering(client, received, attempts=1, counts=counts):
                world.say("ahua", "me", "bad")
                world.say("ahua", "me", "good")
                world.say("lilei", "me", "other")
                await until(lambda: {"bad", "good", "other"} == set(received.texts))
                assert client.state is LoginState.ONLINE
            assert (counts.failed, counts.dead) == (1, 1)
            (letter,) = await client.list_dead_letters()
            assert received.events[0] == letter.event
            assert letter.attempts == 1
            assert letter.error.startswith(type(error).__name__)
        assert f"event {letter.event.number} is a dead letter" in caplog.text

    async def test_a_dead_letter_can_be_revived(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        async with open_client() as client:
            received = RecordingHandler(bad=failing(ValueError()))
            async with delivering(client, received, attempts=1):
                world.say("ahua", "me", "bad")
                await until(lambda: received.texts == ["bad"])
            (letter,) = await client.list_dead_letters()
            assert await client.revive(letter.event.number)
            mended = RecordingHandler()
            async with delivering(client, mended):
                await until(lambda: mended.texts == ["bad"])
            assert mended.calls[0][1] > 1


class PollRecorder(Counted):
    """Records when each poll begins (world's clock), and runs other tasks before it."""

    def __init__(self, sandbox: SandboxCore, world: World) -> None:
        super().__init__(Loopback(sandbox))
        self.polls: list[float] = []
        self._world = world

    async def send(self, request: Request) -> Response:
        if request.endpoint == "synccheck":
            self.polls.append(self._world.now)
            await asyncio.sleep(0.001)
        return await super().send(request)


class TestHangingHandlers:
    @pytest.mark.parametrize("is_plain", [False, True], ids=["asynchronous", "plain"])
    async def test_a_handler_that_hangs_for_600_s_delays_no_poll_and_no_other_chat(
        self, open_client: OpenClient, delivering: Delivering, world: World, sandbox: SandboxCore, is_plain: bool
    ) -> None:
        carrier = PollRecorder(sandbox, world)
        door, gate, late = asyncio.Event(), threading.Event(), list[float]()
        received = list[str]()

        def note(event: TextMessage) -> None:
            received.append(event.text)
            if event.text.startswith("said at "):
                late.append(world.now - float(event.text.removeprefix("said at ")))

        async def handler(ctx: Context, event: TextMessage) -> None:
            note(event)
            if event.text == "hang":
                await door.wait()

        def plain(ctx: SyncContext, event: TextMessage) -> None:
            note(event)
            if event.text == "hang":
                gate.wait(30)

        async with (
            open_client(transport=carrier) as client,
            delivering(client, plain if is_plain else handler) as task,
        ):
            world.say("ahua", "me", "hang")
            world.say("ahua", "me", "behind it")
            await until(lambda: received == ["hang"])
            begun = world.now
            while world.now < begun + 600:
                at = f"said at {world.now}"
                world.say("lilei", "me", at)
                await until(partial(contains, received, at))
                polls = len(carrier.polls)
                await until(lambda: len(carrier.polls) > polls)  # noqa: B023 - called before the next turn
            assert "behind it" not in received
            door.set()
            gate.set()
            await until(lambda: received[-1] == "behind it")
            assert not task.done()
        gaps = [later - earlier for earlier, later in pairwise(carrier.polls)]
        assert max(gaps) < 30
        if not is_plain:  # The time of a thread cannot be virtual; tests/bot/test_load.py measures it.
            assert max(late) < 30  # The duration of a poll at most: the event was handled before the next poll ended.

    async def test_a_slow_handler_gets_its_event_once(
        self, open_client: OpenClient, delivering: Delivering, world: World, sandbox: SandboxCore
    ) -> None:
        door = asyncio.Event()

        async def wait(ctx: Context) -> None:
            await door.wait()

        carrier = PollRecorder(sandbox, world)
        async with open_client(transport=carrier) as client:
            received = RecordingHandler(slow=wait)
            async with delivering(client, received):
                world.say("ahua", "me", "slow")
                await until(lambda: received.texts == ["slow"])
                polls = len(carrier.polls)
                await until(lambda: len(carrier.polls) > polls + 20)
                door.set()
                world.say("ahua", "me", "next")
                await until(lambda: "next" in received.texts)
                assert received.calls == [("slow", 1, False), ("next", 1, False)]

    async def test_later_attempts_are_numbered(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        store, door = LoginMemory(), asyncio.Event()

        async def wait(ctx: Context) -> None:
            await door.wait()

        async with open_client(store=store) as client:
            received = RecordingHandler(slow=wait)
            task = asyncio.create_task(deliver(client, received))
            world.say("ahua", "me", "done")
            world.say("lilei", "me", "slow")
            await until(lambda: sorted(received.texts) == ["done", "slow"])
            task.cancel()
            await let_others_run()
            task.cancel()  # As if the process had ended here.
            await asyncio.wait([task])
        async with open_client(store=store) as client:
            again = RecordingHandler()
            async with delivering(client, again):
                await until(lambda: again.texts == ["slow"])
                assert again.calls[0][1] >= 2
                assert again.calls[0][2]
                assert again.events[0].redelivered


class TestAbsence:
    async def test_events_that_arrived_between_two_runs_are_delivered(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        """The account is synced for another consumer; a thousand events wait for the one that is not open."""
        async with open_client() as client:
            received = RecordingHandler()
            async with delivering(client, received):
                world.say("ahua", "me", "before")
                await until(lambda: received.texts == ["before"])
            other = RecordingHandler()
            async with delivering(client, other, consumer="other"):
                for number in range(1_000):
                    world.say("ahua", "me", str(number))
                await until(lambda: len(other.texts) > 999)
            async with delivering(client, received, in_flight=50) as _:
                await until(lambda: len(received.texts) == 1_001)
            assert ["before", *map(str, range(1_000))] == received.texts
            assert {(1, False)} == {call[1:] for call in received.calls}

    async def test_events_that_were_not_fetched_are_delivered(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        store = LoginMemory()
        received = RecordingHandler()
        async with open_client(store=store) as client, delivering(client, received):
            world.say("ahua", "me", "before")
            await until(lambda: received.texts == ["before"])
        for number in range(100):
            world.say("ahua", "me", str(number))
            world.wind(1)
        async with open_client(store=store) as client, delivering(client, received):
            await until(lambda: len(received.texts) == 101)
        assert ["before", *map(str, range(100))] == received.texts
        assert received.events[-2].backlog


class TestTheProcess:
    async def test_deliver_changes_no_global_state(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        def look() -> list[object]:
            loop = asyncio.get_running_loop()
            return [
                sys.excepthook, sys.unraisablehook, threading.excepthook, loop.get_exception_handler(),
                loop.get_task_factory(), asyncio.get_event_loop_policy(), logging.getLogger("webwx").handlers,
                *(signal.getsignal(each) for each in signal.valid_signals()),
            ]  # fmt: skip

        before = look()
        async with open_client() as client:
            received = RecordingHandler(bad=failing(ValueError()))
            async with delivering(client, received, attempts=1):
                world.say("ahua", "me", "bad")
                await until(lambda: received.texts == ["bad"])
                assert before == look()
        assert before == look()

    def test_import_installs_no_signal_handlers(self) -> None:
        program = """
import signal, sys, threading
hooks = lambda: [sys.excepthook, sys.unraisablehook, threading.excepthook]
look = lambda: [*hooks(), *map(signal.getsignal, signal.valid_signals())]
before = look()
from webwx import Bot, Context, Router, SyncContext, deliver, run, start
bot = Bot()
assert before == look()
"""
        subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


class TestReceivedText:
    @pytest.mark.parametrize("text", ["🌚 🌝🌚 🌝🌚 🌝", "退出wechat4u", "/restart", "/quit"])
    async def test_no_text_is_treated_as_a_command(
        self, open_client: OpenClient, delivering: Delivering, world: World, text: str
    ) -> None:
        async with open_client() as client:
            received = RecordingHandler()
            async with delivering(client, received) as task:
                for sender, chat in (("ahua", "me"), ("lilei", "hiking"), ("me", "filehelper"), ("me", "ahua")):
                    world.say(sender, chat, text)
                world.say("ahua", "me", "still here")
                await until(lambda: "still here" in received.texts)
                assert received.texts.count(text) == 4
                assert client.state is LoginState.ONLINE
                assert not task.done()


class TestEnd:
    async def test_running_handlers_end_and_are_acknowledged(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        store, door = LoginMemory(), asyncio.Event()

        async def wait(ctx: Context) -> None:
            await door.wait()

        async with open_client(store=store) as client:
            received = RecordingHandler(slow=wait)
            task = asyncio.create_task(deliver(client, received))
            world.say("ahua", "me", "slow")
            await until(lambda: received.texts == ["slow"])
            task.cancel()
            await let_others_run()
            assert not task.done()
            door.set()
            await asyncio.wait([task])
            assert task.cancelled()
        async with open_client(store=store) as client, delivering(client, received):
            world.say("ahua", "me", "next")
            await until(lambda: len(received.texts) > 1)
        assert received.calls == [("slow", 1, False), ("next", 1, False)]

    async def test_the_end_of_the_login_is_raised_and_no_attempt_is_counted_for_it(
        self, open_client: OpenClient, world: World
    ) -> None:
        async def log_out_and_answer(ctx: Context) -> None:
            world.log_out("me")
            await until(lambda: ctx.client.state is LoginState.LOGGED_OUT)
            await ctx.reply("too late")

        store, counts = LoginMemory(), DeliveryCounts()
        async with open_client(store=store) as client:
            received = RecordingHandler(end=log_out_and_answer)
            world.say("ahua", "me", "end")
            with pytest.raises(LoggedOut):
                await deliver(client, received, counts=counts)
            assert received.texts == ["end"]
            assert (counts.failed, counts.dead) == (0, 0)


class TestPlainFunctions:
    async def test_plain_handlers_run_in_threads_with_blocking_methods(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        threads = set[int]()

        def answer(ctx: SyncContext, event: Event) -> None:
            threads.add(threading.get_ident())
            ctx.reply("pong")

        async with open_client() as client, delivering(client, answer):
            world.say("ahua", "me", "ping")
            await until(lambda: last(world, "ahua", "xiaoming").text == "pong")
        assert threading.get_ident() not in threads

    async def test_plain_handler_that_returns_a_coroutine_has_failed(
        self, open_client: OpenClient, delivering: Delivering, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def later() -> None:
            pass

        counts = DeliveryCounts()
        async with open_client() as client, delivering(client, lambda ctx, event: later(), attempts=1, counts=counts):
            world.say("ahua", "me", "ping")
            await until(lambda: counts.dead == 1)
        assert "WrongFunction" in caplog.text

    async def test_time_limit_does_not_cancel_plain_handlers(
        self, open_client: OpenClient, delivering: Delivering, world: World
    ) -> None:
        done, received, counts = threading.Event(), list[str](), DeliveryCounts()

        def wait(ctx: SyncContext, event: TextMessage) -> None:
            done.wait(1.5)  # The time of a thread cannot be virtual, and limits are checked once a second.
            received.append(event.text)

        async with open_client() as client, delivering(client, wait, time_limit=0.1, counts=counts):
            world.say("ahua", "me", "ping")
            await until(lambda: received == ["ping"])
        assert counts.failed == 0


@pytest.mark.parametrize("changes", [500, pytest.param(2_000, marks=pytest.mark.verify)])
async def test_contacts_are_read_by_eight_threads_while_two_change(
    open_client: OpenClient, delivering: Delivering, world: World, changes: int
) -> None:
    """
    Eight plain functions read by id and by name repeatedly, while one contact is renamed and one is added and removed.
    """
    is_over = threading.Event()
    failures, reads, counts = list[str](), dict[str, int](), DeliveryCounts()
    for number in range(200):
        world.add_person(f"读者{number}", f"reader{number}")
        world.befriend("me", f"reader{number}")
    interval = sys.getswitchinterval()

    def read(ctx: SyncContext, event: TextMessage) -> None:
        contacts = ctx.client.contacts
        while not is_over.wait(0.0005):  # Eight threads that never wait would block the loop.
            ids = [contact.id for contact in contacts]
            if len(ids) != len(set(ids)):
                failures.append("a person twice")
            boss = contacts.resolve("Boss")
            if (boss.nickname, boss.remark) != ("李雷", "Boss") or contacts.get(boss.id) != boss:
                failures.append("another person's name")
            friend = contacts.find(nickname="阿华")
            if not friend.remark.startswith("华"):
                failures.append("a name that was never set")
            reads[event.text] = reads.get(event.text, 0) + 1

    async with open_client() as client:
        world.befriend("me", "ahua", remark="华")
        async with delivering(client, read, counts=counts):
            await until(lambda: client.contacts.find(nickname="阿华").remark == "华")
            for number in range(8):
                world.say(f"reader{number}", "me", str(number))
            await until(lambda: len(reads) == 8)
            try:
                sys.setswitchinterval(1e-5)  # Threads switch at more places.
                for number in range(changes):
                    world.befriend("me", "ahua", remark=f"华{number}")
                    (world.befriend if number % 2 else world.unfriend)("me", "zhangsan")
                    if number % 10 == 9:
                        await asyncio.sleep(0)
                await until(lambda: client.contacts.find(nickname="阿华").remark == f"华{changes - 1}")
            finally:
                sys.setswitchinterval(interval)
                is_over.set()
    assert counts.failed == 0
    assert failures == []
    assert min(reads.values()) > 1
