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
from tests.client.wound_loop import SteppedLoop, in_no_time

from webwx.bot.bot import Bot
from webwx.bot.loop_guard import LIMIT, WINDOW, LoopGuard
from webwx.client.client import AsyncClient
from webwx.errors import LoopBroken
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
    values = {"message_id": "1", "chat": chat, "sender": chat, "is_self": False, "time": 0, "content": "", "text": ""}
    return TextMessage(**(values | fields))


def answered(breaker: LoopGuard, event: Event, times: int = LIMIT) -> None:
    for _ in range(times):
        breaker.check_answer(event, CHAT)


async def break_loop(breaker: LoopGuard) -> None:
    answered(breaker, message())
    with pytest.raises(LoopBroken):
        breaker.check_answer(message(), CHAT)


def test_the_answer_after_the_twentieth_within_a_minute_is_refused_and_told_once() -> None:
    async def main() -> None:
        told: list[LoopDetected] = []
        breaker = LoopGuard(tell=told.append)
        answered(breaker, message(), 10)
        await asyncio.sleep(50)
        answered(breaker, message(), 10)
        assert told == []
        for expected in ("This would be answer 21 in the chat", "This bot is silent in the chat"):
            with pytest.raises(LoopBroken, match=expected):
                breaker.check_answer(message(), CHAT)
        (loop,) = told
        assert (loop.chat, loop.replies, round(loop.seconds)) == (CHAT, 20, 50)

    in_no_time(main)


def test_answers_at_an_easy_pace_are_never_refused() -> None:
    async def main() -> None:
        breaker = LoopGuard()
        for _ in range(200):
            breaker.check_answer(message(), CHAT)
            await asyncio.sleep(WINDOW / LIMIT + 0.01)

    in_no_time(main)


def test_other_chats_go_on() -> None:
    async def main() -> None:
        breaker = LoopGuard()
        await break_loop(breaker)
        assert not breaker.lets_in(message())
        assert breaker.lets_in(message(OTHER))
        breaker.check_answer(message(OTHER), OTHER)
        answered(breaker, message(OTHER), 100)  # no answers: another chat caused them

    in_no_time(main)


def test_the_chat_is_back_once_nothing_has_come_there_for_a_minute() -> None:
    async def main() -> None:
        breaker = LoopGuard()
        await break_loop(breaker)
        for _ in range(10):
            await asyncio.sleep(WINDOW - 1)
            assert not breaker.lets_in(message())
        await asyncio.sleep(WINDOW + 1)
        assert breaker.lets_in(message())
        await break_loop(breaker)

    in_no_time(main)


def test_chats_that_were_cut_off_come_back_in_any_order() -> None:
    async def main() -> None:
        breaker = LoopGuard(1)
        for chat in (CHAT, OTHER):
            breaker.check_answer(message(chat), chat)
            with pytest.raises(LoopBroken):
                breaker.check_answer(message(chat), chat)
        await asyncio.sleep(WINDOW - 1)
        assert not breaker.lets_in(message(CHAT))
        await asyncio.sleep(2)
        assert breaker.lets_in(message(OTHER))
        assert not breaker.lets_in(message(CHAT))

    in_no_time(main)


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
def test_what_no_other_bot_can_have_caused_is_not_counted(event: Event) -> None:
    async def main() -> None:
        breaker = LoopGuard()
        answered(breaker, event, 100)
        assert breaker.lets_in(event)

    in_no_time(main)


def test_in_filehelper_oneself_is_the_other_one() -> None:
    async def main() -> None:
        breaker, event = LoopGuard(1), message(FILEHELPER, is_self=True)
        breaker.check_answer(event, FILEHELPER)
        with pytest.raises(LoopBroken):
            breaker.check_answer(event, FILEHELPER)
        assert not breaker.lets_in(event)

    in_no_time(main)


def test_it_can_be_switched_off() -> None:
    async def main() -> None:
        answered(LoopGuard(0), message(), 1000)

    in_no_time(main)


def test_what_it_holds_does_not_grow_with_the_number_of_chats(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "webwx.bot")  # what pytest keeps of the log would grow

    async def main() -> None:
        breaker = LoopGuard(2)
        for number in range(4000):
            if number == 1000:
                tracemalloc.start()
            chat = ContactId(f"@{number}")
            with suppress(LoopBroken):  # the canary would remember what `raises` has caught
                for _ in range(number % 4):
                    breaker.check_answer(message(chat), chat)
            if number % 40 == 0:
                breaker.check_answer(message(), CHAT)
            await asyncio.sleep(1)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 200_000

    in_no_time(main)


def test_the_event_can_be_written_as_json_as_any_other() -> None:
    async def main() -> None:
        told: list[LoopDetected] = []
        await break_loop(LoopGuard(tell=told.append))
        assert b'"event":"loop_detected"' in msgspec.json.encode(told[0])

    in_no_time(main)


# -- two bots --------------------------------------------------------------------------------------------------------


class Echo:
    """A bot that answers everything with the same words, and takes down what it is told of loops."""

    def __init__(self, client: AsyncClient) -> None:
        self.loops: list[LoopDetected] = []
        self.heard: list[str] = []
        self.client = client
        self.bot = Bot(client=client)

        @self.bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            self.heard.append(message.text)
            await ctx.reply(message.text)

        @self.bot.on(LoopDetected)
        async def take_down(ctx: Context, loop: LoopDetected) -> None:
            self.loops.append(loop)


@asynccontextmanager
async def echo(world: World, sandbox: SandboxCore, who: str, folder: Path) -> AsyncIterator[Echo]:
    """Let an echo bot run on somebody's account."""

    def phone(_: QrCode) -> None:
        world.scan(who)
        world.confirm()

    journal = SqliteJournal(folder / f"{who}.journal", retention_days=0)  # the world lives in the past
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


def test_two_echo_bots_stop_after_twenty_answers_and_both_go_on(
    world: World, sandbox: SandboxCore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answers(who: str, chat: str) -> list[str]:
        """What somebody was answered in a chat."""
        return [each.text for each in world.inbox(who)[chat].messages if each.sender.id == chat]

    async def main(loop: SteppedLoop) -> None:
        async with echo(world, sandbox, "me", tmp_path) as mine, echo(world, sandbox, "ahua", tmp_path) as theirs:
            world.say("ahua", "me", "hi")
            await until(lambda: bool(mine.loops))
            (told,) = mine.loops
            assert mine.client.contacts.resolve(told.chat).nickname == "阿华"
            assert (told.replies, told.seconds < 60) == (20, True)
            await until(lambda: len(answers("me", "ahua")) == 21)
            assert len(answers("ahua", "xiaoming")) == 20

            world.say("zhangsan", "me", "still there?")
            await until(lambda: answers("zhangsan", "xiaoming") == ["still there?"])
            world.say("ahua", "me", "hello?")
            await until(lambda: mine.bot.counts.in_flight == 0)
            world.say("zhangsan", "me", "and now?")
            await until(lambda: len(answers("zhangsan", "xiaoming")) == 2)
            assert len(answers("ahua", "xiaoming")) == 20
            assert (len(mine.loops), theirs.loops) == (1, [])
            assert caplog.text.count("A chat was answered 20 times within") == 1  # later they begin anew
            for each in (mine, theirs):
                assert (each.bot.counts.failed, each.bot.counts.dead) == (0, 0)

            loop.ahead += 61
            world.say("ahua", "me", "hello again")
            await until(lambda: "hello again" in answers("ahua", "xiaoming"))
            assert "hello?" not in mine.heard

    SteppedLoop.run(main)
