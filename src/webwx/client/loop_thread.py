"""
The event loop of the blocking clients: one per process, in its own thread, started at the first call.

A fork has a copy of the loop, but not its thread, so the child starts a loop of its own. What was made before the fork
belongs to the loop of the parent, and its connections and files are in use there, so the child refuses to use it.

An interrupt may come at any moment, so the future of the result exists before the work begins, and only the end of the
work sets it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Generic, TypeVar

from webwx.errors import LocalStateError

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

_SIGNAL_CHECK = 0.5
"""
Longest wait in seconds without a look at signals.

A signal that is handled between a thread's release of the interpreter lock and its sleep does not wake it.
"""

_loop: asyncio.AbstractEventLoop | None = None
_loops_of_parents: list[asyncio.AbstractEventLoop] = []
"""In a fork, the loops of its parents: an end of their objects here would change what the parents wait for."""
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


class OwnLoop:
    """
    The loop, for an object that belongs to the process that has made it.

    Args:
        what: Name of the object, for the error.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._process = os.getpid()

    @property
    def is_of_this_process(self) -> bool:
        """Whether the object was made in this process, not before a fork."""
        return os.getpid() == self._process

    def run(self, work: Awaitable[T]) -> T:
        """
        Run an awaitable as `run` does.

        Raises:
            LocalStateError: The object was made before the fork of this process.
        """
        if not self.is_of_this_process:
            if inspect.iscoroutine(work):
                work.close()
            raise LocalStateError(
                f"This {self._what} was made before the fork of this process, and belongs to the parent; make a new "
                "Client in the child."
            )
        return run(work)


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


def _forget() -> None:
    """Leave the loop of the parent to the parent, in a fork."""
    global _loop, _starting
    if _loop is not None:
        _loops_of_parents.append(_loop)
    _loop, _starting = None, threading.Lock()  # another thread may have held the lock


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)


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
