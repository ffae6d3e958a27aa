"""A thread with an event loop of its own, for work that must not wait for the loop of the accounts."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class BackgroundWork(Protocol):
    """A coroutine that runs beside the caller until it is stopped."""

    async def stop(self) -> None:
        """Cancel the coroutine, and return once it has ended."""
        ...


class BackgroundThread:
    """
    A coroutine in a thread with an event loop of its own, from the construction until `stop`.

    Args:
        work: Returns the coroutine; called in the thread.
        name: Name of the thread.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str = "webwx lease") -> None:
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._live, args=(work,), name=name, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"BackgroundThread({self._thread.name!r})"

    def _live(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner, contextlib.suppress(asyncio.CancelledError):
            runner.run(self._run(work))

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._task = asyncio.current_task()
        if not self._is_stopped:  # before this coroutine began
            await work()

    async def stop(self) -> None:
        """Cancel the coroutine, and return once the thread has ended."""
        with contextlib.suppress(RuntimeError):  # the work has ended, and its loop was closed
            self._loop.call_soon_threadsafe(self._cancel)
        await asyncio.to_thread(self._thread.join)

    def _cancel(self) -> None:
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()
