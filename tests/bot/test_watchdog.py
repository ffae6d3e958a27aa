"""The watchdog names the handler that blocks the event loop, and its line."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from webwx.bot import watchdog
from webwx.bot.bot import Bot
from webwx.bot.chat_queues import DeliveryCounts
from webwx.bot.watchdog import LoopWatchdog
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from webwx.bot.context import Context
    from webwx.testing import PhoneUser, Sandbox

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call a loop blocked after a hundredth of a second."""
    monkeypatch.setattr(watchdog, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(watchdog, "BLOCKED_AFTER", 0.01)


class Warnings(logging.Handler):
    """Collects the warnings of the watchdog, and is what a handler of a test waits for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self.has_come = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "has blocked" in record.getMessage():
            self.texts.append(record.getMessage())
            self.has_come.set()


@pytest.fixture
def warnings() -> Iterator[Warnings]:
    handler = Warnings()
    logger = logging.getLogger("webwx.bot")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def line_of(function: Callable[..., object], text: str) -> int:
    """Return the number of the line of a function that contains a text."""
    lines, first = inspect.getsourcelines(function)
    (found,) = [number for number, line in enumerate(lines, first) if text in line]
    return found


def test_a_handler_that_blocks_is_named_with_its_line_and_counted(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser, warnings: Warnings
) -> None:
    bot = Bot(name="shop")

    async def order(ctx: Context, message: TextMessage) -> None:
        assert warnings.has_come.wait(PATIENCE)  # as a query that is not awaited
        await ctx.reply("done")

    bot.on(TextMessage)(order)
    with webwx_sandbox.running(bot):
        webwx_friend.say("order")
        assert webwx_friend.hears("done")
        assert bot.counts.blocked >= 1

    assert (
        f"shop: {order.__qualname__} has blocked the event loop for more than 0.01 s at test_watchdog.py:"
        f"{line_of(order, 'warnings.has_come')}, and nothing else of this process goes on meanwhile; await what takes "
        "long, or write the handler as a plain function, which runs in a thread."
    ) in warnings.texts


class Blocking:
    """What blocks the loop of a test until it was noticed a number of times."""

    def __init__(self, counts: DeliveryCounts) -> None:
        self._counts = counts

    def __call__(self, times: int) -> None:
        until = threading.Event()
        while self._counts.blocked < times:
            until.wait(0.001)


@contextmanager
def watching(counts: DeliveryCounts, **handlers: Callable[..., object]) -> Iterator[None]:
    with LoopWatchdog.watching("shop", handlers.items(), counts):
        yield


async def in_a_task(function: Callable[..., object], *arguments: object) -> None:
    """Call a function in a task of its own."""

    async def work() -> None:
        function(*arguments)

    await asyncio.create_task(work())


async def test_a_block_is_logged_once_for_each_line(warnings: Warnings) -> None:
    counts = DeliveryCounts()
    blocking = Blocking(counts)

    def handler(times: int) -> None:
        blocking(times)

    with watching(counts, first=functools.partial(handler)):
        for times in (1, 2, 3):
            await in_a_task(handler, times)
    assert counts.blocked >= 3
    assert len([text for text in warnings.texts if text.startswith("shop: first has blocked")]) == 1


async def test_a_method_and_an_object_that_is_called_are_known_by_their_names(warnings: Warnings) -> None:
    counts = DeliveryCounts()

    class Handlers:
        def method(self, times: int) -> None:
            Blocking(counts)(times)

        def __call__(self, times: int) -> None:
            Blocking(counts)(times)

    handlers = Handlers()
    with watching(counts, one=handlers.method, two=handlers):
        await in_a_task(handlers.method, 1)
        await in_a_task(handlers, counts.blocked + 1)
    assert {"one", "two"} <= {text.split()[1] for text in warnings.texts}


async def test_a_task_that_is_no_handler_is_named_by_its_outermost_function(warnings: Warnings) -> None:
    counts = DeliveryCounts()
    with watching(counts):
        await in_a_task(Blocking(counts), 1)
    assert any("in_a_task.<locals>.work has blocked" in text for text in warnings.texts)


async def test_many_short_handlers_that_keep_the_loop_busy_are_not_named(
    monkeypatch: pytest.MonkeyPatch, warnings: Warnings
) -> None:
    counts, looks, current_task = DeliveryCounts(), list[object](), asyncio.current_task

    def counted(loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Task[object] | None:
        if threading.current_thread().name != "webwx watchdog":
            return current_task(loop)
        while looks and looks[-1] is not None and looks[-1] is current_task(loop):
            threading.Event().wait(0.001)  # it ends now, however slow the machine is
        found = current_task(loop)
        looks.append(found)
        return found

    monkeypatch.setattr(asyncio, "current_task", counted)

    async def short() -> None:  # until the watchdog has looked once
        before = len(looks)
        while len(looks) == before and not counts.blocked:
            threading.Event().wait(0.001)

    with watching(counts, short=short):
        await asyncio.gather(*(short() for _ in range(5)))
    assert (counts.blocked, warnings.texts) == (0, [])


async def test_the_watchdog_of_a_loop_ends_with_the_last_bot() -> None:
    def threads() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name == "webwx watchdog"}

    before = threads()
    with watching(DeliveryCounts()):
        with watching(DeliveryCounts()):
            (thread,) = threads() - before
        assert thread.is_alive()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert not thread.is_alive()


async def test_a_bot_that_ends_is_told_apart_from_others_that_are_alike(warnings: Warnings) -> None:
    async def block() -> None:
        assert warnings.has_come.wait(PATIENCE)

    first, second = DeliveryCounts(), DeliveryCounts()
    with watching(first, block=block):
        with watching(second, block=block):
            pass
        await block()
    assert first.blocked >= 1
    assert second.blocked == 0
