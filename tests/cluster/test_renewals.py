"""The renewals of a lease, in virtual time with a real database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from tests.cluster.test_leased import TIMES, Cluster, TaskOfThisLoop, run

from webwx.cluster.database_clock import DatabaseClock
from webwx.cluster.renewals import LeaseRenewals

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.verify


def test_the_lease_of_a_loop_that_is_silent_for_two_leases_is_not_renewed_until_it_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(cluster: Cluster) -> None:
        silent = SilentLoop()
        renewals: list[object] = []
        leases = LeaseRenewals(
            "w", "", 1, cluster.leases, TIMES, DatabaseClock(), cast("asyncio.AbstractEventLoop", silent),
            renewals.append, lambda reason: None,
        )  # fmt: skip
        await leases.join()
        renewing = TaskOfThisLoop(leases.run)
        await asyncio.sleep(2.5 * TIMES.lease)
        was_late = [leases.is_late]
        await asyncio.sleep(TIMES.lease)
        was_late.append(leases.is_late)
        silent.answer()
        await asyncio.sleep(TIMES.heartbeat)
        assert [*was_late, leases.is_late] == [False, True, False]
        assert caplog.text.count("loop of the accounts does not answer") == 1
        assert caplog.text.count("was not renewed in time") == 1
        await renewing.stop()

    run(test, 1)


def test_each_renewal_is_passed_on_and_the_next_one_reports_the_failed_bots() -> None:
    async def test(cluster: Cluster) -> None:
        renewals: list[object] = []
        leases = LeaseRenewals(
            "w", "", 1, cluster.leases, TIMES, DatabaseClock(), asyncio.get_running_loop(), renewals.append,
            lambda reason: None, failed_bots=lambda: 3,
        )  # fmt: skip
        await leases.join()
        renewing = TaskOfThisLoop(leases.run)
        await asyncio.sleep(2.5 * TIMES.heartbeat)
        assert len(renewals) == 2
        assert [worker.failed_bots for worker in await cluster.leases.workers()] == [3]
        await renewing.stop()

    run(test, 1)


def test_a_database_that_does_not_answer_is_logged_once_until_the_lease_is_renewed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(cluster: Cluster) -> None:
        leases = LeaseRenewals(
            "w", "", 1, cluster.leases, TIMES, DatabaseClock(), asyncio.get_running_loop(), lambda renewal: None,
            lambda reason: None,
        )  # fmt: skip
        await leases.join()
        cluster.schema.end_sessions()
        renewing = TaskOfThisLoop(leases.run)
        await asyncio.sleep(TIMES.heartbeat + 3.5 * TIMES.retry)
        cluster.schema.allow_sessions()
        await asyncio.sleep(2 * TIMES.heartbeat)
        await renewing.stop()

    run(test, 1)
    assert len([line for line in caplog.messages if "is tried again" in line]) == 1


class SilentLoop:
    """A loop that answers only when it is asked to."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    def call_soon_threadsafe(self, call: Callable[[], object]) -> None:
        self._calls.append(call)

    def answer(self) -> None:
        while self._calls:
            self._calls.pop()()
