"""
A thread pool for plain functions.

Its threads are daemons, unlike those of `concurrent.futures`: a function that never returns must not keep the process
alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from webwx.bot.signatures import WrongFunction, name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


THREADS = 64
"""Maximum number of plain functions that run at the same time."""


def is_asynchronous(function: Callable[..., object]) -> bool:
    """Return whether a call of a function returns a coroutine; other functions run in a thread."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - an object may be called


def check_result(function: Callable[..., object], result: object) -> None:
    """
    Raise an error if a function of a bot returned a coroutine, which nothing awaits.

    Raises:
        WrongFunction: The result is a coroutine.
    """
    if not inspect.iscoroutine(result):
        return
    result.close()
    way_out = (
        "write `await` before the call that it returns"
        if is_asynchronous(function)
        else "write it as `async def` and await the coroutine in it"
    )
    raise WrongFunction(f"{name_of(function)} returned a coroutine, which nothing awaits; {way_out}.", function)


class _HandlerThread(threading.Thread):
    """A thread of a pool."""

    is_waiting = False
    """Whether its function waits for a coroutine in the event loop."""

    def __init__(self, owner: Threads, work: Callable[[], None]) -> None:
        super().__init__(target=work, name="webwx handler", daemon=True)
        self.owner = owner

    def wake(self, _: object) -> None:
        """Note the end of the coroutine for which the thread's function waited."""
        self.is_waiting = False


def is_any_at_work() -> bool:
    """
    Return whether a plain function of this process runs and does not wait for its event loop.

    A virtual clock stands still meanwhile, because such a function takes real time.
    """
    owners = {thread.owner for thread in threading.enumerate() if isinstance(thread, _HandlerThread)}
    return any(owner.is_at_work for owner in owners)


def wait_for(future: Future[T]) -> T:
    """Wait in a plain function for a coroutine of the event loop, and return its result or raise its error."""
    thread = threading.current_thread()
    if isinstance(thread, _HandlerThread):
        thread.is_waiting = True
        # Runs in the event loop's thread: this thread counts as working before it has woken up.
        future.add_done_callback(thread.wake)
    return future.result()


class Threads:
    """A pool with a limited number of threads, each started when it is needed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: queue.SimpleQueue[_QueuedCall | None] = queue.SimpleQueue()
        self._threads: list[_HandlerThread] = []
        self._unfinished = 0
        """Number of calls that wait for a thread or run in one."""

    @property
    def is_at_work(self) -> bool:
        """Whether a function runs, or is about to, and does not wait for the event loop."""
        waiting = sum(thread.is_waiting for thread in self._threads)
        return waiting < min(self._unfinished, len(self._threads))

    async def run(self, function: Callable[[], T]) -> T:
        """
        Run a function in a thread, and return its result.

        If the call is cancelled, a function that has not begun is not called; a function that runs continues.
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

    async def call(self, function: Callable[..., object], *arguments: object, **named: object) -> object:
        """
        Call a handler in a thread, and return its result; its exceptions are raised here.

        Raises:
            WrongFunction: The handler returned a coroutine.

        """
        result = await self.run(lambda: function(*arguments, **named))
        check_result(function, result)
        return result

    def end(self) -> None:
        """Release the threads; a thread whose function runs ends when the function returns."""
        for _ in self._threads:
            self._calls.put(None)
        self._threads.clear()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()

    def _ended(self) -> None:
        self._unfinished -= 1


class _QueuedCall:
    """A call of a function in a thread."""

    result: Any
    """The function's result, once it has returned."""

    def __init__(self, function: Callable[[], object], ended: Callable[[], None]) -> None:
        self._function = function
        self._variables = copy_context()
        """Context variables of the caller, such as the fields of log records."""
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[BaseException | None] = self._loop.create_future()
        """Future whose result is the exception of the call, or None: a future cannot raise every exception."""

    def run(self) -> None:
        error: BaseException | None = None
        if not self.outcome.cancelled():
            try:
                self.result = self._variables.run(self._function)
            except BaseException as raised:  # noqa: BLE001 - `Threads.run` raises it
                error = raised
        with contextlib.suppress(RuntimeError):  # the event loop is closed, and nothing waits for the result
            self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        self._ended()
        if not self.outcome.done():
            self.outcome.set_result(error)
