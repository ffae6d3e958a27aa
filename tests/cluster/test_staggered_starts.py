"""The starts of a worker's accounts: limited, after random pauses, without idle turns."""

from __future__ import annotations

import asyncio
import random

from webwx.cluster.staggered_starts import StaggeredStarts


class Started:
    """Accounts that start when the test lets them."""

    def __init__(self, limit: int, seed: int = 1) -> None:
        self.pauses: list[float] = []
        self.starts = StaggeredStarts(limit, random.Random(seed), self._sleep)
        self.begun: list[int] = []
        self._ends: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def begin(self, count: int) -> None:
        for account in range(count):
            self._ends[account] = asyncio.Event()
            self.tasks[account] = asyncio.create_task(self._start(account))
        await self.settle()

    async def _start(self, account: int) -> None:
        async with self.starts.turn():
            self.begun.append(account)
            await self._ends[account].wait()

    async def end(self, account: int) -> None:
        self._ends[account].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def end_all(self) -> list[int]:
        """End the starts one after another, and return the order in which they began."""
        for index in range(len(self.tasks)):
            await self.end(self.begun[index])
        return self.begun


async def test_the_pauses_before_the_starts_are_random_and_repeated_by_a_seed() -> None:
    pauses = []
    for seed in (1, 1, 2):
        started = Started(limit=3, seed=seed)
        await started.begin(40)
        await started.end_all()
        pauses.append(started.pauses)
    assert pauses[0] == pauses[1] != pauses[2]
    assert pauses[0] != sorted(pauses[0])


async def test_a_limited_number_of_accounts_start_at_the_same_time_and_no_turn_is_idle() -> None:
    started = Started(limit=3)
    await started.begin(10)
    for ended in range(7):
        assert len(started.begun) == 3 + ended
        await started.end(started.begun[ended])
    assert len(started.begun) == 10
    assert len(started.pauses) == 10, "a turn that ends is passed on without a pause"


async def test_starts_are_spread_over_a_short_time_and_a_single_account_does_not_wait() -> None:
    started = Started(limit=50)
    await started.begin(200)
    assert started.pauses[0] == 0
    assert len(set(started.pauses)) == 200
    assert max(started.pauses) <= 0.5


async def test_an_account_pauses_at_most_ten_milliseconds_for_each_that_is_before_it() -> None:
    longest = [0.0] * 10
    for seed in range(20):
        started = Started(limit=10, seed=seed)
        await started.begin(10)
        longest = [*map(max, longest, started.pauses)]
    assert all(pause <= number * 0.01 for number, pause in enumerate(longest))
    assert longest[9] > 0.05


async def test_an_account_that_is_lost_while_it_waits_takes_no_turn() -> None:
    started = Started(limit=1)
    await started.begin(3)
    assert started.begun == [0]
    started.tasks[1].cancel()
    await started.settle()
    await started.end(0)
    assert started.begun == [0, 2]
    assert repr(started.starts) == "StaggeredStarts(1 accounts)"


async def test_a_turn_that_ends_while_waiting_accounts_are_lost_goes_to_another() -> None:
    started = Started(limit=1)
    await started.begin(4)
    started.tasks[1].cancel()
    started.tasks[0].cancel()  # its turn ends in the same moment, before the task of the other has continued
    await started.settle()
    started.tasks[2].cancel()
    await started.settle()
    assert started.begun == [0, 2, 3]
    assert [task for task in started.tasks.values() if task.done() and not task.cancelled()] == []
