"""
The watchdog of an event loop: it names the handler that blocks the loop, and its line.

While a handler blocks, as with `time.sleep` or a query that is not awaited, nothing else of the process goes on: no
other chat, no poll, no timer. A thread looks at the loop once a second. If a task is running at this moment, it asks
the loop for an answer, and reads the stack of the loop's thread if none comes. An idle loop is not woken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webwx.bot.failures import is_own_file
from webwx.bot.log_fields import log_fields
from webwx.bot.signatures import code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import CodeType, FrameType

    from webwx.bot.chat_queues import DeliveryCounts

LOOK_EVERY = 1.0
"""Seconds between two looks at the loop."""

BLOCKED_AFTER = 1.0
"""Seconds without an answer after which the loop is blocked."""

_log = logging.getLogger("webwx.bot")


@dataclass(frozen=True, eq=False)
class _WatchedBot:
    """A bot whose handlers run on the loop; two that are alike, as those of two accounts, are different ones."""

    bot: str
    handlers: Mapping[CodeType, str]
    """Name of each handler, by its code."""
    counts: DeliveryCounts


class LoopWatchdog:
    """
    The thread that watches one event loop, while bots run on it.

    Args:
        loop: The loop, which runs in this thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread_of_loop = threading.get_ident()
        self._watched: dict[_WatchedBot, None] = {}
        """The bots, in the order in which they came; thousands may end at the same time."""
        self._logged: set[tuple[CodeType, int]] = set()
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="webwx watchdog", daemon=True)

    def __repr__(self) -> str:
        return f"LoopWatchdog({len(self._watched)} bots)"

    @staticmethod
    @contextlib.contextmanager
    def watching(
        bot: str, handlers: Iterable[tuple[str, Callable[..., object]]], counts: DeliveryCounts
    ) -> Iterator[None]:
        """
        Watch the running loop in this block.

        Args:
            bot: Name of the bot.
            handlers: Names and functions of its handlers.
            counts: Its counts, to which blocks by its handlers are added.
        """
        loop = asyncio.get_running_loop()
        watchdog = _WATCHDOGS.get(loop)
        if watchdog is None:
            watchdog = _WATCHDOGS[loop] = LoopWatchdog(loop)
            watchdog._thread.start()
        watched = _WatchedBot(bot, {code: name for name, each in handlers if (code := code_of(each))}, counts)
        watchdog._watched[watched] = None
        try:
            yield
        finally:
            del watchdog._watched[watched]
            if not watchdog._watched:
                watchdog._has_ended.set()
                del _WATCHDOGS[loop]

    def _look(self) -> None:
        while not self._has_ended.wait(LOOK_EVERY):
            task = asyncio.current_task(self._loop)
            if task is not None:
                self._wait_for_answer(task)
                del task  # an ended one must not stay in memory until the next look

    def _wait_for_answer(self, task: asyncio.Task[Any]) -> None:
        """Ask the loop for an answer while a task is running; report a task that runs without a pause meanwhile."""
        has_answered, is_reported = threading.Event(), False
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(has_answered.set)
            while not has_answered.wait(BLOCKED_AFTER) and not self._has_ended.is_set():
                running = asyncio.current_task(self._loop)
                if running is task and not is_reported:  # otherwise many short tasks keep the loop busy
                    self._report(task)
                    is_reported = True
                elif running is not None:
                    task = running

    def _report(self, task: asyncio.Task[Any]) -> None:
        """Log the handler that blocks the loop now, once for each line."""
        # Documented, and the only way in Python to the stack of another thread.
        innermost = sys._current_frames().get(self._thread_of_loop)
        if innermost is None:
            return
        outermost = getattr(task.get_coro(), "cr_frame", None)
        found = self._handler_in(_frames(innermost, outermost))
        if found is None:
            return
        frame, name, watched = found
        watched.counts.blocked += 1
        place = (frame.f_code, frame.f_lineno)
        if place not in self._logged:
            self._logged.add(place)
            _log.warning(
                "%s: %s has blocked the event loop for more than %g s at %s:%d, and nothing else of this process "
                "goes on meanwhile; await what takes long, or write the handler as a plain function, which runs in a "
                "thread.",
                watched.bot, name, BLOCKED_AFTER, Path(frame.f_code.co_filename).name, frame.f_lineno,
                extra=log_fields(watched.bot),
            )  # fmt: skip

    def _handler_in(self, frames: Iterable[FrameType]) -> tuple[FrameType, str, _WatchedBot] | None:
        """Return the frame of a handler, its name and its bot; without one, the outermost frame of a program."""
        found = None
        for frame in frames:
            for watched in list(self._watched):
                name = watched.handlers.get(frame.f_code)
                if name is not None:
                    return frame, name, watched
                if is_own_file(frame.f_code.co_filename):
                    found = frame, frame.f_code.co_qualname, watched
        return found


def _frames(innermost: FrameType, outermost: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of the running task, the innermost first."""
    frame: FrameType | None = innermost
    while frame is not None:
        yield frame
        frame = None if frame is outermost else frame.f_back


_WATCHDOGS: dict[asyncio.AbstractEventLoop, LoopWatchdog] = {}
