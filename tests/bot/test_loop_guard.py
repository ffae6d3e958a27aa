"""A bot that answers another bot stops by itself, and only in that chat."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.bot.conftest import until
from tests.client.conftest import SERVER
from tests.client.virtual_loop import SteppedLoop, run_with_virtual_clock

from webwx.bot.bot import Bot
from webwx.bot.loop_guard import MAX_REPLIES, WINDOW, LoopGuard
from webwx.client.client import AsyncClient
from webwx.errors import ReplyLimitReached
from webwx.model.contacts import FILEHELPER, ContactId
from webwx.model.events import LoopDetected
from webwx.model.messages import MessageRecalled, PhoneActivity, TextMessage
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.transport.loopback import Loopback
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.bot.context import Context
    from webwx.model.login import QrCode
    from webwx.model.messages import Event
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World

CHAT = ContactId("@friend")
OTHER = ContactId("@other")


def message(chat: ContactId = CHAT, **fields: Any) -> TextMessage:
    values: dict[str, Any] = {
        "message_id": "1", "chat": chat, "sender": chat, "is_self": False, "time": 0, "content": "", "text": ""
    }  # fmt: skip
    return TextMessage(**(values | fields))


def answered(guard: LoopGuard, event: Event, times: int = MAX_REPLIES) -> None:
    for _ in range(times):
        guard.check_reply(event, CHAT)


async def reach_limit(guard: LoopGuard) -> None:
    answered(guard, message())
    with pytest.raises(ReplyLimitReached):
        guard.check_reply(message(), CHAT)


def test_reply_after_the_twentieth_within_a_minute_is_refused_and_reported_once() -> None:
    async def main() -> None:
        loops: list[LoopDetected] = []
        guard = LoopGuard(on_loop=loops.append)
        answered(guard, message(), 10)
        await asyncio.sleep(50)
        answered(guard, message(), 10)
        assert loops == []
        for expected in ("The bot has sent 20 replies in the chat", "This bot sends no replies in the chat"):
            with pytest.raises(ReplyLimitReached, match=expected):
                guard.check_reply(message(), CHAT)
        (loop,) = loops
        assert (loop.chat, loop.replies, round(loop.seconds)) == (CHAT, 20, 50)

    run_with_virtual_clock(main)


def test_slow_answers_are_never_refused() -> None:
    async def main() -> None:
        guard = LoopGuard()
        for _ in range(200):
            guard.check_reply(message(), CHAT)
            await asyncio.sleep(WINDOW / MAX_REPLIES + 0.01)

    run_with_virtual_clock(main)


def test_other_chats_continue() -> None:
    async def main() -> None:
        guard = LoopGuard()
        await reach_limit(guard)
        assert not guard.allows(message())
        assert guard.allows(message(OTHER))
        guard.check_reply(message(OTHER), OTHER)
        answered(guard, message(OTHER), 100)  # These are not answers: another chat caused them.

    run_with_virtual_clock(main)


def test_the_chat_is_answered_again_after_a_minute_without_messages() -> None:
    async def main() -> None:
        guard = LoopGuard()
        await reach_limit(guard)
        for _ in range(10):
            await asyncio.sleep(WINDOW - 1)
            assert not guard.allows(message())
        await asyncio.sleep(WINDOW + 1)
        assert guard.allows(message())
        await reach_limit(guard)

    run_with_virtual_clock(main)


def test_stopped_chats_are_answered_again_in_any_order() -> None:
    async def main() -> None:
        guard = LoopGuard(1)
        for chat in (CHAT, OTHER):
            guard.check_reply(message(chat), chat)
            with pytest.raises(ReplyLimitReached):
                guard.check_reply(message(chat), chat)
        await asyncio.sleep(WINDOW - 1)
        assert not guard.allows(message(CHAT))
        await asyncio.sleep(2)
        assert guard.allows(message(OTHER))
        assert not guard.allows(message(CHAT))

    run_with_virtual_clock(main)


@pytest.mark.parametrize(
    "event",
    [
        message(is_self=True),
        message(backlog=True),
        PhoneActivity(code=4, chat=CHAT),
        MessageRecalled(message_id="1", chat=CHAT, is_self=True, time=0, text="", content=""),
    ],
    ids=["own", "from before the start", "phone", "own recall"],
)
def test_replies_to_backlog_and_other_events_are_not_counted(event: Event) -> None:
    async def main() -> None:
        guard = LoopGuard()
        answered(guard, event, 100)
        assert guard.allows(event)

    run_with_virtual_clock(main)


def test_in_filehelper_messages_of_the_account_count() -> None:
    async def main() -> None:
        guard, event = LoopGuard(1), message(FILEHELPER, is_self=True)
        guard.check_reply(event, FILEHELPER)
        with pytest.raises(ReplyLimitReached):
            guard.check_reply(event, FILEHELPER)
        assert not guard.allows(event)

    run_with_virtual_clock(main)


def test_limit_of_zero_disables_the_guard() -> None:
    async def main() -> None:
        answered(LoopGuard(0), message(), 1000)

    run_with_virtual_clock(main)


def test_memory_does_not_grow_with_the_number_of_chats(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "webwx.bot")  # Otherwise pytest's copy of the log would grow.

    async def main() -> None:
        guard = LoopGuard(2)
        for number in range(4000):
            if number == 1000:
                tracemalloc.start()
            chat = ContactId(f"@{number}")
            with suppress(ReplyLimitReached):  # The secret scanner would store what `raises` has caught.
                for _ in range(number % 4):
                    guard.check_reply(message(chat), chat)
            if number % 40 == 0:
                guard.check_reply(message(), CHAT)
            await asyncio.sleep(1)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 200_000

    run_with_virtual_clock(main)


def test_the_event_can_be_written_as_json() -> None:
    async def main() -> None:
        loops: list[LoopDetected] = []
        await reach_limit(LoopGuard(on_loop=loops.append))
        assert b'"type":"loop.detected"' in msgspec.json.encode(loops[0])

    run_with_virtual_clock(main)


# -- two bots --------------------------------------------------------------------------------------------------------


class Echo:
    """A bot that answers everything with the same text, and records reported loops."""

    def __init__(self, client: AsyncClient) -> None:
        self.loops: list[LoopDetected] = []
        self.received: list[str] = []
        self.client = client
        self.bot = Bot(client=client)

        @self.bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            self.received.append(message.text)
            await ctx.reply(message.text)

        @self.bot.on(LoopDetected)
        async def take_down(ctx: Context, loop: LoopDetected) -> None:
            self.loops.append(loop)


@asynccontextmanager
async def echo(world: World, sandbox: SandboxCore, who: str, folder: Path) -> AsyncIterator[Echo]:
    """Run an echo bot on an account."""

    def phone(_: QrCode) -> None:
        world.scan(who)
        world.confirm()

    journal = SqliteJournal(folder / f"{who}.journal", retention_days=0)  # The world's time is in the past.
    async with AsyncClient(
        server=SERVER, transport=Loopback(sandbox), clock=world.clock.now, timeouts=Timeouts(retry=0), journal=journal
    ) as client:
        await client.login(show_qr=phone)
        echo = Echo(client)
        running = asyncio.create_task(echo.bot.start())
        yield echo
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    await journal.close()


def test_two_echo_bots_stop_after_twenty_answers_and_both_continue(
    world: World, sandbox: SandboxCore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def replies(who: str, chat: str) -> list[str]:
        """Return the answers to a person in a chat."""
        return [each.text for each in world.inbox(who)[chat].messages if each.sender.id == chat]

    async def main(loop: SteppedLoop) -> None:
        async with echo(world, sandbox, "me", tmp_path) as mine, echo(world, sandbox, "ahua", tmp_path) as theirs:
            world.say("ahua", "me", "hi")
            await until(lambda: bool(mine.loops))
            (detected,) = mine.loops
            assert mine.client.contacts.resolve(detected.chat).nickname == "阿华"
            assert (detected.replies, detected.seconds < 60) == (20, True)
            await until(lambda: len(replies("me", "ahua")) == 21)
            assert len(replies("ahua", "xiaoming")) == 20

            world.say("zhangsan", "me", "still there?")
            await until(lambda: replies("zhangsan", "xiaoming") == ["still there?"])
            world.say("ahua", "me", "hello?")
            await until(lambda: mine.bot.counts.in_flight == 0)
            world.say("zhangsan", "me", "and now?")
            await until(lambda: len(replies("zhangsan", "xiaoming")) == 2)
            assert len(replies("ahua", "xiaoming")) == 20
            assert (len(mine.loops), theirs.loops) == (1, [])
            assert caplog.text.count("The bot replied 20 times in one chat within") == 1  # Later they start again.
            for each in (mine, theirs):
                assert (each.bot.counts.failed, each.bot.counts.dead) == (0, 0)

            loop.ahead += 61
            world.say("ahua", "me", "hello again")
            await until(lambda: "hello again" in replies("ahua", "xiaoming"))
            assert "hello?" not in mine.received

    SteppedLoop.run(main)
