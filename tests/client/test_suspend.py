"""Waits that end when the machine wakes from a suspend, and only then."""

from __future__ import annotations

import asyncio

import pytest
from tests.client.virtual_loop import run_with_virtual_clock

from webwx.client.suspend import SLEPT_FOR, pause, until_wake


class SuspendableClock:
    """A clock that runs with the loop's, plus the time of suspends."""

    slept = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.slept


def test_a_wait_ends_when_the_machine_wakes() -> None:
    async def work() -> None:
        wall, loop = SuspendableClock(), asyncio.get_running_loop()
        loop.call_later(60, setattr, wall, "slept", 3600.0)
        with pytest.raises(TimeoutError):
            async with until_wake(wall):
                await asyncio.sleep(600)
        assert 60 <= loop.time() <= 66

    run_with_virtual_clock(work)


@pytest.mark.parametrize("drift", [SLEPT_FOR - 1, -3600.0, -86_400.0])
def test_a_clock_that_is_set_back_or_drifts_ends_no_wait(drift: float) -> None:
    async def work() -> None:
        wall, loop = SuspendableClock(), asyncio.get_running_loop()
        loop.call_later(60, setattr, wall, "slept", drift)
        async with until_wake(wall):
            await asyncio.sleep(600)
        assert loop.time() == 600

    run_with_virtual_clock(work)


def test_a_wait_of_zero_seconds_leaves_no_task() -> None:
    async def work() -> None:
        for _ in range(3):
            async with until_wake(SuspendableClock()):
                pass
        loop = asyncio.get_running_loop()
        await asyncio.sleep(60)
        assert loop.time() == 60

    run_with_virtual_clock(work)


def test_all_present_waits_end_and_later_ones_do_not() -> None:
    async def work() -> None:
        wall, other, loop = SuspendableClock(), SuspendableClock(), asyncio.get_running_loop()
        woken: list[float] = []

        async def wait(by: SuspendableClock) -> None:
            try:
                async with until_wake(by):
                    await asyncio.sleep(600)
            except TimeoutError:
                woken.append(loop.time())

        before = [asyncio.ensure_future(wait(wall)) for _ in range(3)]
        by_another_clock = asyncio.ensure_future(wait(other))
        await asyncio.sleep(61)
        wall.slept = 3600.0
        after = asyncio.ensure_future(wait(wall))
        await asyncio.wait(before)
        assert woken == [61, 61, 61]
        await asyncio.wait([by_another_clock, after])
        assert loop.time() == 661
        assert len(woken) == 3

    run_with_virtual_clock(work)


def test_two_suspends_in_a_row_end_each_wait_once() -> None:
    async def work() -> None:
        wall, loop = SuspendableClock(), asyncio.get_running_loop()

        async def wait() -> None:
            async with until_wake(wall):
                try:
                    await asyncio.sleep(600)
                finally:
                    await asyncio.sleep(20)  # This wait has a cleanup to do.

        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(1)
        wall.slept = 3600.0
        await asyncio.sleep(10)
        wall.slept = 7200.0
        with pytest.raises(TimeoutError):
            await waiting
        assert 21 <= loop.time() <= 26

    run_with_virtual_clock(work)


def test_an_error_of_the_wait_is_raised() -> None:
    async def work() -> None:
        with pytest.raises(KeyError):
            async with until_wake(SuspendableClock()):
                raise KeyError

    run_with_virtual_clock(work)


def test_a_pause_ends_early_after_a_suspend() -> None:
    async def work() -> None:
        wall, loop = SuspendableClock(), asyncio.get_running_loop()
        await pause(30, wall)
        assert loop.time() == 30
        loop.call_later(1, setattr, wall, "slept", 3600.0)
        await pause(30, wall)
        assert loop.time() < 40

    run_with_virtual_clock(work)
