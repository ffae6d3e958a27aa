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


def test_the_lease_of_a_loop_that_is_silent_for_two_leases_is_not_renewed_until_it_answers() -> None:
    async def test(cluster: Cluster) -> None:
        silent = SilentLoop()
        renewals: list[object] = []
        leases = LeaseRenewals(
            "w", "", 1, cluster.leases, TIMES, DatabaseClock(), cast("asyncio.AbstractEventLoop", silent),
            renewals.append, lambda reason: None,
        )  # fmt: skip
        await leases.join()
        renewing = TaskOfThisLoop(leases.run)
        await asyncio.sleep(1.5 * TIMES.lease)
        was_late = [leases.is_late]
        await asyncio.sleep(2 * TIMES.lease)
        was_late.append(leases.is_late)
        silent.answer()
        await asyncio.sleep(TIMES.heartbeat)
        assert [*was_late, leases.is_late] == [False, True, False]
        await renewing.stop()

    run(test, 1)


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
