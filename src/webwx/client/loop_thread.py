"""
The event loop of the blocking clients: one per process, in its own thread, started at the first call.

An interrupt may come at any moment, so the future of the result exists before the work begins, and only the end of the
work sets it.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

_SIGNAL_CHECK = 0.5
"""
Longest wait in seconds without a look at signals.

A signal that is handled between a thread's release of the interpreter lock and its sleep does not wake it.
"""

_loop: asyncio.AbstractEventLoop | None = None
_starting = threading.Lock()


def run(work: Awaitable[T]) -> T:
    """Run an awaitable on the loop and return its result; an interrupt cancels it, and is raised once it has ended."""
    loop, call = _shared_loop(), _LoopCall(work)
    try:
        loop.call_soon_threadsafe(call.begin)
        return _result_of(call.outcome)
    finally:
        if not call.outcome.done():
            loop.call_soon_threadsafe(call.cancel)
            call.outcome.exception()


def _result_of(outcome: Future[T]) -> T:
    while True:
        try:
            return outcome.result(_SIGNAL_CHECK)
        except TimeoutError:
            if outcome.done():  # it is the error of the work
                return outcome.result()


def _shared_loop() -> asyncio.AbstractEventLoop:
    """Return the loop, started at the first call."""
    global _loop
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="webwx", daemon=True).start()
        return _loop


class _LoopCall(Generic[T]):
    """Work that another thread waits for."""

    def __init__(self, work: Awaitable[T]) -> None:
        self.outcome: Future[T] = Future()
        self._work = work
        self._task: asyncio.Future[T] | None = None

    def begin(self) -> None:
        self._task = asyncio.ensure_future(self._work)
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            if inspect.iscoroutine(self._work):
                self._work.close()
            self.outcome.set_exception(CancelledError())

    def _end(self, task: asyncio.Future[T]) -> None:
        error = CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())
