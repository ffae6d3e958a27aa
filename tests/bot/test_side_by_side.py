"""Coroutines that run side by side: when they end, and which cancellations reach them."""

from __future__ import annotations

import asyncio

import pytest

from webwx.bot.side_by_side import until_all_end, until_first_ends


class Work:
    """Work that ends at the second cancellation."""

    def __init__(self) -> None:
        self.cancellations = 0
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def run(self) -> None:
        self.begun.set()
        while self.cancellations < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                self.cancelled.set()
        raise asyncio.CancelledError


async def fail() -> None:
    raise ValueError("first")


async def succeed() -> None:
    return


async def test_the_end_of_one_cancels_the_others_once() -> None:
    work = Work()
    running = asyncio.ensure_future(until_first_ends(work.run(), succeed()))
    await work.cancelled.wait()
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.cancellations == 2


async def test_all_run_to_their_end_and_the_first_error_is_raised() -> None:
    done: list[int] = []

    async def slow() -> None:
        for _ in range(20):  # long enough for the end of another one to be seen
            await asyncio.sleep(0)
        done.append(1)

    with pytest.raises(ValueError, match="first"):
        await until_all_end(slow(), fail(), slow())
    assert done == [1, 1]


async def test_each_cancellation_is_passed_on() -> None:
    work = Work()
    running = asyncio.ensure_future(until_all_end(work.run()))
    await work.begun.wait()
    running.cancel()
    await work.cancelled.wait()
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.cancellations == 2
