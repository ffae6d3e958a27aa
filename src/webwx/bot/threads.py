"""
Threads for plain functions.

They are daemons, which those of `concurrent.futures` are not: a function that never returns must not keep the process
from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


THREADS = 64
"""Plain functions that run at once."""


def is_asynchronous(function: Callable[..., object]) -> bool:
    """Say whether calling something gives a coroutine; everything else belongs into a thread."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - an object may be called


class _HandlerThread(threading.Thread):
    """One thread of some `Threads`."""

    is_waiting = False
    """Its function waits for something that the loop does."""

    def __init__(self, owner: Threads, work: Callable[[], None]) -> None:
        super().__init__(target=work, name="webwx handler", daemon=True)
        self.owner = owner

    def wake(self, _: object) -> None:
        """Note that what its function has waited for is there."""
        self.is_waiting = False


def is_any_at_work() -> bool:
    """
    Return whether a plain function of this process runs and does not wait for its loop.

    A clock that a test winds stands still meanwhile: such a function takes real time.
    """
    owners = {thread.owner for thread in threading.enumerate() if isinstance(thread, _HandlerThread)}
    return any(owner.is_at_work for owner in owners)


def wait_for(future: Future[T]) -> T:
    """Wait, in a plain function, for something that the loop does, and return its result or raise its error."""
    thread = threading.current_thread()
    if isinstance(thread, _HandlerThread):
        thread.is_waiting = True
        # Ends in the loop's thread: this one may need a while to wake up, and is at work from now on.
        future.add_done_callback(thread.wake)
    return future.result()


class Threads:
    """At most so many threads, each started when it is needed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: queue.SimpleQueue[_QueuedCall | None] = queue.SimpleQueue()
        self._threads: list[_HandlerThread] = []
        self._unfinished = 0
        """Calls that wait for a thread or are in one."""

    @property
    def is_at_work(self) -> bool:
        """A function runs, or is about to, and does not wait for the loop."""
        waiting = sum(thread.is_waiting for thread in self._threads)
        return waiting < min(self._unfinished, len(self._threads))

    async def run(self, function: Callable[[], T]) -> T:
        """
        Run a function in a thread, and wait for it.

        When the wait is cancelled, a function that has not begun never does; one that has goes on alone.
        """
        call = _QueuedCall(function, self._ended)
        self._unfinished += 1
        self._calls.put(call)
        if len(self._threads) < min(self._unfinished, self._limit):
            self._threads.append(_HandlerThread(self, self._work))
            self._threads[-1].start()
        error = await call.outcome
        if error is not None:
            raise error
        result: T = call.result
        return result

    async def call(self, function: Callable[..., object], *arguments: object) -> None:
        """
        Call a handler in a thread, and wait for it.

        Raises:
            TypeError: It gave something that nobody awaits.

        Whatever it raises is raised here.

        """
        result = await self.run(lambda: function(*arguments))
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError("A handler gave something to be awaited: make it `async def`, or await it.")

    def end(self) -> None:
        """Let go of the threads; one that is in a function ends when that returns."""
        for _ in self._threads:
            self._calls.put(None)
        self._threads.clear()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()

    def _ended(self) -> None:
        self._unfinished -= 1


class _QueuedCall:
    """A function on its way through a thread."""

    result: Any
    """Once it has returned; its type is known to who asked for it."""

    def __init__(self, function: Callable[[], object], ended: Callable[[], None]) -> None:
        self._function = function
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[BaseException | None] = self._loop.create_future()
        """What was raised; not set as an exception, since a future does not take all of them."""

    def run(self) -> None:
        error: BaseException | None = None
        if not self.outcome.cancelled():
            try:
                self.result = self._function()
            except BaseException as raised:  # noqa: BLE001 - it is raised where it is waited for
                error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        self._ended()
        if not self.outcome.done():
            self.outcome.set_result(error)
