"""
The renewals of a worker's lease.

They run in a thread with an event loop of its own, so that neither the work of the accounts nor a handler that blocks
their loop makes the lease late. A loop that does not answer for some leases is given up: its worker does nothing for
its accounts, so another one has to take them.

The lease counts from the moment before a renewal was sent, by the monotonic clock of this machine; no clocks of two
machines are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from webwx.cluster.loop_lag import LoopLag
from webwx.cluster.share_weight import ShareWeight
from webwx.errors import StorageError
from webwx.storage.leases import WorkerHealth

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.cluster.database_clock import DatabaseClock
    from webwx.storage.leases import Leases, LeaseTimes, Renewal

_SILENT_LEASES = 2
"""Number of leases for which the loop of the accounts may be silent until its lease is not renewed any more."""

_log = logging.getLogger("webwx.cluster")


class LeaseRenewals:
    """
    The lease of a worker, as this machine knows it.

    Args:
        worker: Id of the worker.
        address: Address at which the worker can be reached.
        capacity: Number of accounts that it takes at most.
        leases: The leases of the database.
        times: Times of the lease.
        clock: Adjusted with each renewal.
        loop: The event loop of the accounts, which calls the functions below.
        on_renewed: Called with each renewal.
        on_lost: Called when the worker may have lost its accounts: it was removed, or its lease has expired and cannot
            be renewed.
        failed_bots: Returns the number of bots that are not running because of an error.
    """

    def __init__(
        self, worker: str, address: str, capacity: int, leases: Leases, times: LeaseTimes, clock: DatabaseClock,
        loop: asyncio.AbstractEventLoop, on_renewed: Callable[[Renewal], object], on_lost: Callable[[str], object],
        failed_bots: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self._worker = worker
        self._address = address
        self._capacity = capacity
        self._leases = leases
        self._times = times
        self._clock = clock
        self._loop = loop
        self._on_renewed = on_renewed
        self._on_lost = on_lost
        self._failed_bots = failed_bots
        self._failed = 0
        """Number of failed bots when the loop of the accounts was last told of a renewal."""
        self._weight = ShareWeight(capacity)
        self._confirmed_at = -times.lease
        """Time before the last renewal was sent, by the monotonic clock of the loops."""
        self._lag = LoopLag(loop, loop.time)

    def __repr__(self) -> str:
        return f"LeaseRenewals({self._worker!r}, {self.age:.1f} s ago)"

    @property
    def age(self) -> float:
        """Seconds since the last renewal was sent; called in any thread."""
        return self._loop.time() - self._confirmed_at

    @property
    def is_late(self) -> bool:
        """Whether the lease may expire soon, or has expired; called in any thread."""
        return self.age >= self._times.usable

    async def join(self) -> None:
        """
        Add the worker to the database, with a lease that begins now.

        Raises:
            StorageError: The database cannot be reached.
        """
        began, asked_at = self._loop.time(), self._clock.machine_time()
        self._clock.adjust(await self._leases.join(self._worker, self._address, self._capacity), asked_at=asked_at)
        self._confirmed_at = began

    async def run(self) -> None:
        """Renew the lease until this is cancelled."""
        async with asyncio.TaskGroup() as group:
            for work in (self._renew(), self._observe()):
                group.create_task(work)

    async def _renew(self) -> None:
        is_failing = is_silent = False
        wait = self._times.heartbeat
        while True:
            await asyncio.sleep(wait)
            if self._lag.unanswered > _SILENT_LEASES * self._times.lease:
                if not is_silent:
                    _log.error(
                        "The event loop of the accounts does not answer; the lease is not renewed until it does."
                    )
                is_silent, wait = True, self._times.retry
                continue
            is_silent = False
            began = self._loop.time()
            try:
                await self._try_to_renew(began)
            except StorageError as error:
                if not is_failing:
                    _log.warning("The lease of this worker was not renewed, and is tried again: %s", error)
                if began - self._confirmed_at >= self._times.lease:
                    self._tell(partial(self._on_lost, "its lease has expired, and the database does not answer"))
                is_failing, wait = True, self._times.retry
            else:
                is_failing, wait = False, max(0.0, began + self._times.heartbeat - self._loop.time())

    async def _try_to_renew(self, began: float) -> None:
        asked_at = self._clock.machine_time()
        lag = self._lag.take_longest()
        health = WorkerHealth(weight=self._weight.note(lag), loop_lag=lag, failed_bots=self._failed)
        renewal = await self._leases.renew(self._worker, health)
        if renewal is None:
            self._tell(partial(self._on_lost, "all workers were removed"))
            await self.join()
            return
        self._clock.adjust(renewal.time, asked_at=asked_at)
        self._confirmed_at = began
        self._tell(partial(self._pass_on, renewal))

    def _pass_on(self, renewal: Renewal) -> None:
        self._failed = self._failed_bots()
        self._on_renewed(renewal)

    def _tell(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop of the accounts was closed
            self._loop.call_soon_threadsafe(call)

    async def _observe(self) -> None:
        """Ask the loop of the accounts again and again, and log each time that the lease becomes late."""
        is_reported = False
        while True:
            self._lag.ask()
            await asyncio.sleep(self._times.claim)
            is_late = self.is_late
            if is_late and not is_reported:
                _log.warning("The lease of this worker was not renewed in time; no send begins until it is.")
            is_reported = is_late
