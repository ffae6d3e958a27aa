"""An event loop whose clock jumps to whatever it waits for: a minute of pauses costs no time."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

from webwx.storage.sqlite.threads import is_any_at_work

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_IN_TIME = 0.002
"""Seconds by which a wait may be too long on a machine that has time."""

_LOOKS = 20
"""Times that a busy machine is looked at again."""

_AT_WORK = 0.001
"""Seconds between two looks at threads that are at work; a result that they hand over ends the wait at once."""


class _Impatient(selectors.DefaultSelector):
    """Looks at what is ready and hardly waits; what it was to wait is added to a clock."""

    now = 0.0
    grace = 0.0
    in_executors = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # there is nothing to jump to
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
                break  # else others had the machine, and what is owed to this process comes late as well
        if not ready:
            self.now += timeout
        return ready


class WoundLoop(asyncio.SelectorEventLoop):
    """
    A loop for everything that waits by `asyncio.sleep` and speaks to a server in process.

    Its clock stands still while a thread is at work: a journal's, or one of an executor.

    Args:
        grace: Seconds that a socket of this process has for what was written to it before the clock jumps.
    """

    def __init__(self, grace: float = 0.0) -> None:
        self._impatient = _Impatient()
        self._impatient.grace = grace
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._impatient.in_executors += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._left_executor)
        return future

    def _left_executor(self, _: object) -> None:
        self._impatient.in_executors -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as asyncio has it
        """Wait for threads, without the end that Python 3.12 and later have for it: here it would come at once."""
        await super().shutdown_default_executor()


class SteppedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward, for what does not rest anyway."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    @classmethod
    def run(cls, work: Callable[[SteppedLoop], Coroutine[Any, Any, None]]) -> None:
        """Run something on such a loop."""
        loop = cls()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(work(loop))


def in_no_time(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run something on such a loop."""
    with asyncio.Runner(loop_factory=WoundLoop) as runner:
        runner.run(work())


async def until(is_so: Callable[[], bool]) -> None:
    """Advance the loop's clock until a condition holds."""
    while not is_so():  # noqa: ASYNC110 - nothing tells of it, and the wait takes no time
        await asyncio.sleep(0.01)
