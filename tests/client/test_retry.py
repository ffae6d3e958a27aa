"""Retry with exponential backoff: the length of delays, and which errors are repeated or raised."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from tests.client.virtual_loop import run_with_virtual_clock

from webwx.client.retry import Backoff, retry
from webwx.client.suspend import pause
from webwx.errors import StorageError, Timeout, TransportError, WxError


class LowestRng(random.Random):
    """Draws the lower end of every range."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


class HighestRng(random.Random):
    """Draws the upper end of every range."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def failing(*errors: WxError) -> Callable[[], Coroutine[Any, Any, str]]:
    """Return an operation that raises these errors, one at each call, and then succeeds."""
    waiting = list(errors)

    async def operation() -> str:
        if waiting:
            raise waiting.pop(0)
        return "done"

    return operation


def test_delay_doubles_up_to_thirty_seconds() -> None:
    backoff = Backoff(jitter=0)

    assert [backoff.delay(failures) for failures in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.delay(100_000) == 30


def test_first_delay_growth_and_limit_can_be_chosen() -> None:
    backoff = Backoff(1, factor=4, longest=60, jitter=0)

    assert [backoff.delay(failures) for failures in range(1, 6)] == [1, 4, 16, 60, 60]


def test_jitter_is_a_fraction_of_the_delay() -> None:
    assert Backoff(10, jitter=0.2, rng=LowestRng()).delay(1) == pytest.approx(8)
    assert Backoff(10, jitter=0.2, rng=HighestRng()).delay(1) == pytest.approx(12)


def test_same_seed_gives_the_same_delays() -> None:
    first, second = (Backoff(rng=random.Random(7)) for _ in range(2))

    assert [first.delay(each) for each in range(1, 9)] == [second.delay(each) for each in range(1, 9)]


def test_each_pause_is_longer_until_a_reset() -> None:
    async def work() -> None:
        now = asyncio.get_running_loop().time
        backoff, delays = Backoff(jitter=0), []
        for is_success in (False, False, True, False):
            if is_success:
                backoff.reset()
            begun = now()
            await backoff.pause()
            delays.append(now() - begun)
        assert delays == pytest.approx([0.5, 1, 0.5, 1])

    run_with_virtual_clock(work)


def test_skipped_steps_lengthen_one_delay_only() -> None:
    async def work() -> None:
        now = asyncio.get_running_loop().time
        backoff, delays = Backoff(jitter=0), []
        for skipped in (3, 0):
            begun = now()
            await backoff.pause(skipped=skipped)
            delays.append(now() - begun)
        assert delays == pytest.approx([4, 1])

    run_with_virtual_clock(work)


def test_pause_ends_when_a_suspended_machine_wakes() -> None:
    async def work() -> None:
        loop, suspended = asyncio.get_running_loop(), 0.0

        def wake() -> None:
            nonlocal suspended
            suspended = 3600.0

        def clock() -> float:
            return loop.time() + suspended

        loop.call_later(10, wake)
        await Backoff(600, longest=600, jitter=0, sleep=partial(pause, clock=clock)).pause()
        assert loop.time() < 20

    run_with_virtual_clock(work)


def test_operation_is_repeated_until_it_succeeds() -> None:
    async def work() -> None:
        operation = failing(StorageError("full"), StorageError("full"))
        assert await retry(operation, StorageError) == "done"

    run_with_virtual_clock(work)


def test_error_of_another_kind_is_raised_at_once() -> None:
    async def work() -> None:
        with pytest.raises(Timeout):
            await retry(failing(Timeout("slow")), StorageError)
        assert asyncio.get_running_loop().time() == 0

    run_with_virtual_clock(work)


def test_caller_sees_each_failure_and_decides_whether_to_go_on() -> None:
    async def work() -> None:
        seen = []

        def is_worth_it(error: WxError, failures: int) -> bool:
            seen.append((str(error), failures))
            return failures < 2

        errors = (StorageError("full"), Timeout("slow"), StorageError("full again"))
        with pytest.raises(Timeout, match="slow"):
            await retry(failing(*errors), (StorageError, TransportError), is_worth_it=is_worth_it)
        assert seen == [("full", 1), ("slow", 2)]

    run_with_virtual_clock(work)


def test_success_causes_no_wait() -> None:
    async def work() -> None:
        assert await retry(failing(), StorageError) == "done"
        assert asyncio.get_running_loop().time() == 0

    run_with_virtual_clock(work)
