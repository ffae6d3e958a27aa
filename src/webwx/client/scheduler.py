"""
A scheduler for background jobs: each runs at its time, and again after the delay that it returns.

A job that waits is a timer of the event loop; only one that runs has a task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

Job = Callable[[], Coroutine[Any, Any, float | None]]
"""Runs once, and returns the seconds until its next run; None: no further run, unless the job is scheduled again."""

_CANCEL_TIMEOUT = 0.5
"""Seconds that a cancelled run may take to end."""

_log = logging.getLogger("webwx.client")


def _log_error(name: str, error: BaseException) -> None:
    """Log the kind of an error only, because its text may hold secrets."""
    _log.error("The background job %r has failed and does not run any more: %s.", name, type(error).__name__)


class JobScheduler:
    """
    Background jobs of one owner, which closes the scheduler. A job never runs twice at the same time.

    Args:
        on_error: Called with the name and the error of a job that has raised; the job is not run again. Default: the
            kind of the error is logged.
    """

    def __init__(self, on_error: Callable[[str, BaseException], object] = _log_error) -> None:
        self._on_error = on_error
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._running: dict[str, asyncio.Task[float | None]] = {}
        self._is_closing = False
        self.is_closed: bool = False
        """Whether unfinished runs are cancelled; False again once a job is scheduled."""

    def __repr__(self) -> str:
        return f"JobScheduler({len(self._waiting)} waiting, {len(self._running)} running)"

    def schedule(self, name: str, job: Job, after: float = 0.0) -> None:
        """
        Run a job after a number of seconds; do nothing if a job of this name waits or runs.

        A job that may be scheduled while it runs checks for more work before it returns None.
        """
        running = self._running.get(name)
        if name not in self._waiting and (running is None or running.done()):
            self._is_closing = self.is_closed = False
            self._wait(name, job, after)

    async def close(self, *, grace: float = 0.0) -> None:
        """
        Cancel all jobs. New jobs can be scheduled afterwards.

        Args:
            grace: Seconds that a running job may take to end before it is cancelled; a cancellation of this call
                ends the wait.
        """
        self._is_closing = True
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
        running = list(self._running.values())
        if not running:
            return
        try:
            if grace:
                await asyncio.wait(running, timeout=grace)
        finally:
            self.is_closed = True
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=_CANCEL_TIMEOUT)

    def _wait(self, name: str, job: Job, after: float) -> None:
        self._waiting[name] = asyncio.get_running_loop().call_later(after, self._start, name, job)

    def _start(self, name: str, job: Job) -> None:
        del self._waiting[name]
        task = self._running[name] = asyncio.get_running_loop().create_task(job())
        task.add_done_callback(lambda task: self._end(name, job, task))

    def _end(self, name: str, job: Job, task: asyncio.Task[float | None]) -> None:
        if self._running.get(name) is task:
            del self._running[name]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._on_error(name, error)
            return
        after = task.result()
        if after is not None and not self._is_closing and name not in self._waiting:
            self._wait(name, job, after)
