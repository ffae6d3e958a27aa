"""An event loop with a virtual clock, which jumps to the next timer: a minute of pauses takes no time."""

from __future__ import annotations

import asyncio
import functools
import selectors
import time
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

from webwx.storage.open import is_any_at_work

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_IN_TIME = 0.002
"""Seconds by which a wait may be too long on an idle machine."""

_LOOKS = 20
"""Maximum number of times that a wait is repeated on a busy machine."""

_AT_WORK = 0.001
"""Seconds between two checks of working threads; a result of a thread ends the wait at once."""


class _VirtualClockSelector(selectors.DefaultSelector):
    """Selector that adds its wait to the clock instead of waiting."""

    now = 0.0
    grace = 0.0
    in_executors = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer to jump to
            return super().select()
        if timeout <= 0:
            return super().select(0)
        while self.in_executors or is_any_at_work():
            ready = super().select(_AT_WORK)
            if ready:
                return ready
        wait = min(timeout, self.grace)
        for _ in range(_LOOKS):
            begun = time.monotonic()
            ready = super().select(wait)
            if ready or time.monotonic() - begun < 2 * wait + _IN_TIME:
                break  # else the machine was busy, and data for this process is late as well
        if not ready:
            self.now += timeout
        return ready


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """
    An event loop for code that waits by `asyncio.sleep` and uses a server in the same process.

    Its clock stands still while a thread of a journal or of an executor is working.

    Args:
        grace: Real seconds for data on a socket of this process to arrive before the clock jumps.
    """

    def __init__(self, grace: float = 0.0) -> None:
        self._virtual = _VirtualClockSelector()
        self._virtual.grace = grace
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def jump(self, seconds: float) -> None:
        """Set the clock forward, as if the process had been stopped."""
        self._virtual.now += seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._virtual.in_executors += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._left_executor)
        return future

    def _left_executor(self, _: object) -> None:
        self._virtual.in_executors -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as asyncio has it
        """Wait for threads without the time limit of Python 3.12 and later, which would pass at once here."""
        await super().shutdown_default_executor()


class LoopClock:
    """The clock of a world on a virtual event loop; it advances with the loop's clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ahead = 1_560_000_000.0

    def now(self) -> float:
        return self._ahead + self._loop.time()

    def wind(self, seconds: float) -> None:
        self._ahead += seconds

    def seconds_until(self, moment: float) -> float:
        return max(0.0, moment - self.now())


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs and can be set forward, for code that is never idle."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    @classmethod
    def run(cls, work: Callable[[SteppedLoop], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine on such a loop."""
        loop = cls()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(work(loop))


def run_with_virtual_clock(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on such a loop."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(work())


def on_virtual_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """
    Run a test that uses sockets on such a loop.

    It gets fixtures as usual, but none that is asynchronous, because those have another loop.
    """

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=lambda: VirtualClockLoop(grace=0.003)) as runner:
            runner.run(test(**fixtures))

    return run


async def until(is_so: Callable[[], bool]) -> None:
    """Advance the loop's clock until a condition holds."""
    while not is_so():  # noqa: ASYNC110 - nothing tells of it, and the wait takes no time
        await asyncio.sleep(0.01)
