"""Ownership by a lease: renewals, takeovers, shares and draining, in virtual time with a real database."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import PATIENCE
from tests.client.virtual_loop import VirtualClockLoop, run_with_virtual_clock
from tests.postgres import TemporarySchema, add_accounts, new_schema

from webwx.client.sending.rate_limit import RateLimit
from webwx.client.sending.rate_limiter import LimiterMemory, RateLimiter
from webwx.cluster.changes import Change, Gained, Leaving, Lost
from webwx.cluster.leased import LeasedOwnership
from webwx.storage.leases import LeaseTimes
from webwx.storage.postgres.leases import PostgresLeases
from webwx.storage.refusals import Fence, NotOwner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine

pytestmark = pytest.mark.verify

TIMES = LeaseTimes()


class Cluster:
    """A database with accounts, and the workers that a test opens."""

    def __init__(self, schema: TemporarySchema) -> None:
        self.schema = schema
        self.leases = PostgresLeases(schema.url, TIMES)

    async def worker(self, capacity: int = 100, *, skew: float = 0) -> Worker:
        """Return a new worker that has joined; its machine's clock is ahead by some seconds."""
        worker = Worker(LeasedOwnership(self.leases, TIMES, lambda: time.time() + skew, TaskOfThisLoop))
        await worker.ownership.join("", capacity=capacity)
        return worker

    async def expire(self, worker: Worker) -> None:
        """Make the lease of a worker expire."""
        expired = f"UPDATE workers SET expires = now() WHERE worker = '{worker.ownership.worker}'"
        await asyncio.to_thread(self.schema.execute, expired)

    async def take_all(self) -> None:
        """Take all accounts, and let no worker take them."""
        taken = "UPDATE accounts SET worker = NULL, epoch = epoch + 1, wanted = false"
        await asyncio.to_thread(self.schema.execute, taken)


def this_loop() -> VirtualClockLoop:
    """Return the loop of the test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    return loop


class TaskOfThisLoop:
    """A coroutine in the loop of the test, whose clock is virtual; elsewhere it runs in a thread."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._task = asyncio.ensure_future(work())

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class Worker:
    """A reader of an ownership, which releases accounts at once."""

    def __init__(self, ownership: LeasedOwnership) -> None:
        self.ownership = ownership
        self.owned: dict[int, int] = {}
        self.seen: list[Change] = []
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for change in self.ownership.owned.changes():
            self.seen.append(change)
            match change:
                case Gained(account=account, epoch=epoch):
                    self.owned[account] = epoch
                case Leaving(account=account, epoch=epoch):
                    self.owned.pop(account)
                    await self.ownership.release(account, epoch)
                case Lost(account=account):
                    self.owned.pop(account)

    async def until(self, count: int) -> None:
        """Wait until the worker owns so many accounts."""
        while len(self.owned) != count:  # noqa: ASYNC110 - the virtual clock jumps to the next event
            await asyncio.sleep(0.01)

    async def leave(self) -> None:
        await self.ownership.leave()
        await self.reading


def run(test: Callable[[Cluster], Awaitable[None]], accounts: int) -> None:
    """Run a test with a virtual clock."""

    async def work() -> None:
        cluster = Cluster(new_schema())
        await cluster.leases.workers()
        await asyncio.to_thread(add_accounts, cluster.schema, accounts)
        await test(cluster)
        await cluster.leases.close()

    run_with_virtual_clock(work)


def test_an_expired_worker_is_taken_over_and_learns_of_it() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(4)
        two = await cluster.worker()
        await one.until(2)
        await two.until(2)
        kept = set(one.owned)
        await cluster.expire(one)
        await two.until(4)
        assert {two.owned[account] for account in kept} == {3}

        await one.until(0)
        assert [each for each in one.seen[-2:] if isinstance(each, Lost)] == one.seen[-2:]
        with pytest.raises(NotOwner):
            one.ownership.fence(next(iter(kept)))
        await one.leave()
        await two.leave()

    run(test, 4)


def test_a_worker_gives_its_accounts_up_once_its_lease_has_expired_without_an_answer_of_the_database() -> None:
    async def test(cluster: Cluster) -> None:
        loop = asyncio.get_running_loop()
        one = await cluster.worker()
        await one.until(3)
        fence = one.ownership.fence(1)
        await asyncio.to_thread(cluster.schema.end_sessions)
        began = loop.time()
        await one.until(0)
        # The last renewal was sent before the sessions ended, and the first attempt after the lease has to fail.
        assert TIMES.lease - TIMES.heartbeat <= loop.time() - began <= TIMES.lease + TIMES.timeout + TIMES.retry
        with pytest.raises(NotOwner):
            one.ownership.fence(1)
        with pytest.raises(NotOwner):
            await one.ownership.sending_fence(1)

        await asyncio.to_thread(cluster.schema.allow_sessions)
        await one.until(3)
        assert one.ownership.fence(1) == fence, "no other worker has taken it, so it goes on"
        await one.leave()

    run(test, 3)


def test_a_worker_that_was_stopped_for_longer_than_its_lease_goes_on_with_its_accounts() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(3)
        await cluster.expire(one)
        this_loop().jump(1.5 * TIMES.lease)
        assert one.ownership.fence(1).account == 1, "the database decides whether a write is refused"
        assert (await one.ownership.sending_fence(1)).account == 1
        await asyncio.sleep(3 * TIMES.lease)
        assert [type(each) for each in one.seen] == [Gained] * 3
        await one.leave()

    run(test, 3)


def test_a_worker_that_was_stopped_while_another_took_its_accounts_loses_them() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(2)
        await cluster.take_all()
        this_loop().jump(1.5 * TIMES.lease)
        await one.until(0)
        with pytest.raises(NotOwner):
            await one.ownership.sending_fence(1)
        await one.leave()

    run(test, 2)


def test_no_send_begins_while_the_lease_is_late() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(1)
        await asyncio.to_thread(cluster.schema.end_sessions)
        await asyncio.sleep(TIMES.usable + TIMES.retry)
        sending = asyncio.ensure_future(one.ownership.sending_fence(1))
        await asyncio.sleep(TIMES.retry * 2)
        assert not sending.done()
        await asyncio.to_thread(cluster.schema.allow_sessions)
        assert await sending == one.ownership.fence(1)
        assert [type(each) for each in one.seen] == [Gained]
        await one.leave()

    run(test, 1)


async def test_a_lease_is_renewed_while_the_loop_of_the_accounts_is_blocked() -> None:
    schema, times = new_schema(), LeaseTimes(lease=3, heartbeat=0.1)
    leases = PostgresLeases(schema.url, times)
    await leases.workers()
    add_accounts(schema, 1)
    one = Worker(LeasedOwnership(leases, times))
    await one.ownership.join("", capacity=1)
    await one.until(1)
    first = await asyncio.to_thread(expiry, schema)
    deadline = time.monotonic() + PATIENCE
    while expiry(schema) < first + times.lease:  # this blocks the loop
        assert time.monotonic() < deadline
    await asyncio.sleep(2 * times.heartbeat)
    assert [type(each) for each in one.seen] == [Gained]
    await one.leave()
    await leases.close()


def expiry(schema: TemporarySchema) -> float:
    """Return the end of the only lease, in seconds since 1970."""
    return float(schema.execute("SELECT extract(epoch FROM expires) FROM workers"))


def test_a_short_failure_of_the_database_changes_nothing() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(2)
        await asyncio.to_thread(cluster.schema.end_sessions)
        await asyncio.sleep(TIMES.heartbeat)
        await asyncio.to_thread(cluster.schema.allow_sessions)
        await asyncio.sleep(3 * TIMES.lease)
        assert [type(each) for each in one.seen] == [Gained, Gained]
        await one.leave()

    run(test, 2)


def test_a_worker_hands_over_what_exceeds_its_share() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(5)
        two = await cluster.worker()
        await one.until(3)
        await two.until(2)
        await asyncio.sleep(3 * TIMES.lease)
        assert (len(one.owned), len(two.owned)) == (3, 2)
        await one.leave()
        await two.until(5)
        await two.leave()

    run(test, 5)


def test_accounts_whose_work_ends_at_the_same_time_are_released_together() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.leases.close()
        leases = cluster.leases = CountedLeases(cluster.schema.url, TIMES)
        one = await cluster.worker()
        await one.until(20)
        await asyncio.gather(*(one.ownership.release(*each) for each in one.owned.items()))
        assert 1 <= leases.releases <= 3
        free = "SELECT count(*) FROM accounts WHERE worker IS NULL OR epoch > 2"
        assert int(await asyncio.to_thread(cluster.schema.execute, free)) == 20
        await one.leave()

    run(test, 20)


class CountedLeases(PostgresLeases):
    """Leases that count the statements that release accounts."""

    releases = 0

    async def release(self, worker: str, fences: Collection[Fence], *, is_wanted: bool = True) -> None:
        self.releases += 1
        await super().release(worker, fences, is_wanted=is_wanted)


def test_a_worker_that_an_administrator_drains_hands_everything_over() -> None:
    async def test(cluster: Cluster) -> None:
        one, two = await cluster.worker(), await cluster.worker()
        await one.until(2)
        await cluster.leases.drain(one.ownership.worker)
        await one.until(0)
        assert one.ownership.is_draining.is_set()
        await two.until(4)
        assert not two.ownership.is_draining.is_set()
        await one.leave()
        await two.leave()

    run(test, 4)


def test_a_worker_joins_again_after_a_reset_with_higher_epochs() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(2)
        await cluster.leases.reset()
        while one.owned.get(1) != 1_000_003:  # noqa: ASYNC110 - the virtual clock jumps to the next event
            await asyncio.sleep(0.01)
        assert one.ownership.fence(1) == Fence(account=1, epoch=1_000_003)
        await one.leave()

    run(test, 2)


def test_an_account_that_another_process_took_is_lost_at_the_next_check() -> None:
    async def test(cluster: Cluster) -> None:
        one = await cluster.worker()
        await one.until(2)
        taken = "UPDATE accounts SET worker = NULL, epoch = epoch + 1, wanted = false WHERE account = 1"
        await asyncio.to_thread(cluster.schema.execute, taken)
        one.ownership.look_soon()
        await one.until(1)
        assert one.seen[-1] == Lost(account=1)
        await one.leave()

    run(test, 2)


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_an_account_waits_for_its_rate_limit_after_a_takeover_by_a_machine_with_another_clock(skew: float) -> None:
    rate_limit = RateLimit(burst=1, spacing=600, jitter=0)
    memory = LimiterMemory()

    async def test(cluster: Cluster) -> None:
        one = await cluster.worker(skew=-skew)
        await RateLimiter(rate_limit, lambda: memory, one.ownership.clock).run("messages", lambda: asyncio.sleep(0))
        await one.leave()
        two = await cluster.worker(skew=skew)
        state = await RateLimiter(rate_limit, lambda: memory, two.ownership.clock).state()
        assert 0 < state.wait <= 601
        assert state.messages_last_minute == 1
        await two.leave()

    run(test, 1)


def test_the_clock_of_a_worker_is_adjusted_with_each_renewal() -> None:
    skew = 0.0

    async def test(cluster: Cluster) -> None:
        nonlocal skew
        worker = Worker(LeasedOwnership(cluster.leases, TIMES, lambda: time.time() + skew, TaskOfThisLoop))
        await worker.ownership.join("", capacity=1)
        skew = 7200.0
        await asyncio.sleep(2 * TIMES.heartbeat)
        assert worker.ownership.clock() == pytest.approx(time.time(), abs=60)
        await worker.leave()

    run(test, 1)
