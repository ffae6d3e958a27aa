"""
Coroutines that run side by side, with their cancellations.

A first cancellation of a bot lets running handlers end, and a second one does not wait for them, so each cancellation
is passed on; `asyncio.TaskGroup` passes on the first one only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def until_first_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until one of them ends, then cancel the others; pass on each cancellation of this call."""
    await _run_side_by_side(work, is_end_of_all=True)


async def until_all_end(*work: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until all have ended; pass on each cancellation of this call."""
    await _run_side_by_side(work, is_end_of_all=False)


async def _run_side_by_side(work: tuple[Coroutine[Any, Any, None], ...], *, is_end_of_all: bool) -> None:
    tasks = [asyncio.create_task(each) for each in work]
    waiting, is_ending, is_cancelled = set(tasks), False, False
    while waiting:
        try:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            is_over = is_end_of_all and not is_ending  # a second cancellation would not wait for running handlers
        except asyncio.CancelledError:
            is_over = is_cancelled = True
        if is_over:
            is_ending = True
            for each in waiting:
                each.cancel()
    errors = [error for each in tasks if not each.cancelled() and (error := each.exception())]
    if errors:
        raise errors[0]
    if is_cancelled:
        raise asyncio.CancelledError
