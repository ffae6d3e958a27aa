"""
The end of tasks that are cancelled.

A cancellation can be lost: an error of a task's end may replace it, or a library may ignore it. So it is repeated, with
growing pauses, because a task may need some time for its end. What has to be done at an end is completed first.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

PAUSE = 5.0
"""Seconds that a task has to end by itself, before it is cancelled a second time."""

_REPORT_AFTER = 10.0
"""Seconds after which a task that has not ended is logged; and after the second cancellation at the earliest."""

_log = logging.getLogger("webwx")


async def complete(work: Coroutine[Any, Any, None]) -> None:
    """
    Await the work of an end, and complete it before a cancellation of this call is raised.

    A second cancellation is raised at once, and the work goes on in the background.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # the cancellation is raised instead
        raise


async def cancel_until_done(tasks: Iterable[asyncio.Future[Any]], *, pause: float = PAUSE) -> None:
    """
    Cancel tasks, and return once all have ended; cancel those that go on again and again, with growing pauses.

    The exceptions of the tasks are left to their owners.

    Args:
        tasks: The tasks.
        pause: Seconds until the second cancellation; each further pause is twice as long.
    """
    waiting, waited, is_reported = set(tasks), 0.0, False
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=pause)
        waited, pause = waited + pause, pause * 2
        if waiting and not is_reported and waited >= _REPORT_AFTER:
            is_reported = True
            _log.error("Cancelled tasks do not end, and are cancelled again: %s", ", ".join(map(_describe, waiting)))


def _describe(task: asyncio.Future[Any]) -> str:
    """Return the name of a task and the line at which it waits."""
    if not isinstance(task, asyncio.Task):
        return "a future"
    coroutine: Any = task.get_coro()
    frame = None
    while (inner := getattr(coroutine, "cr_frame", None)) is not None:
        frame, coroutine = inner, coroutine.cr_await
    where = "" if frame is None else f" at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
    return f"{getattr(task.get_coro(), '__qualname__', task.get_name())}{where}"
