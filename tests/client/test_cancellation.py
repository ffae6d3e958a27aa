"""The end of tasks that are cancelled, some of which lose a cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.client.virtual_loop import run_with_virtual_clock

from webwx.client.cancellation import cancel_until_done, complete

if TYPE_CHECKING:
    import pytest


class Stubborn:
    """Work that loses its first cancellations."""

    def __init__(self, losses: int) -> None:
        self._losses = losses
        self.cancelled_at: list[float] = []

    async def run(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled_at.append(asyncio.get_running_loop().time())
                if len(self.cancelled_at) > self._losses:
                    raise


def test_a_cancellation_that_was_lost_is_repeated_with_growing_pauses_and_the_task_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        quick, slow = Stubborn(0), Stubborn(7)
        tasks = [asyncio.create_task(each.run()) for each in (quick, slow)]
        await asyncio.sleep(0)
        await cancel_until_done(tasks, pause=0.125)
        assert quick.cancelled_at == [0.0]
        assert slow.cancelled_at == [0.0, 0.125, 0.375, 0.875, 1.875, 3.875, 7.875, 15.875]

    run_with_virtual_clock(test)
    (record,) = [each for each in caplog.records if each.name == "webwx"]
    assert "Stubborn.run at locks.py:" in record.getMessage()


def test_a_task_that_ends_in_its_time_is_cancelled_once(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(4)
            ends.append("by itself")

    async def test() -> None:
        tasks = [asyncio.create_task(work()), asyncio.get_running_loop().create_future()]
        await asyncio.sleep(0)
        await cancel_until_done(tasks)
        await cancel_until_done(tasks)
        await cancel_until_done([])

    run_with_virtual_clock(test)
    assert (ends, [each for each in caplog.records if each.name == "webwx"]) == (["by itself"], [])


async def test_an_end_is_completed_before_its_cancellation_is_raised() -> None:
    may_end, ended = asyncio.Event(), list[str]()

    async def end() -> None:
        await may_end.wait()
        ended.append("ended")

    ending = asyncio.create_task(complete(end()))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.sleep(0)
    assert not ending.done()
    may_end.set()
    await asyncio.wait([ending])
    assert (ended, ending.cancelled()) == (["ended"], True)


async def test_a_second_cancellation_does_not_wait_for_the_end() -> None:
    ending = asyncio.create_task(complete(asyncio.sleep(3600)))
    await asyncio.sleep(0)
    for _ in range(2):
        ending.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([ending])
    assert ending.cancelled()
