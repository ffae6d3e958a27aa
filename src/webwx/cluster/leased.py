"""
Ownership by a lease in a database that several machines share.

Three tasks run side by side. One renews the lease. One claims accounts, compares what this process owns with the
database, and hands over accounts beyond its share. The watchdog gives up all accounts some seconds before the lease
expires; it waits for nothing but its clock, so a database that does not answer cannot delay it. The lease counts from
the moment before the renewal was sent, by the monotonic clock of this machine; no clocks of two machines are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING

from webwx.cluster.database_clock import DatabaseClock
from webwx.cluster.owned_accounts import OwnedAccounts
from webwx.errors import StorageError
from webwx.storage.base import Fence, NotOwner
from webwx.storage.leases import ClusterMember, LeaseTimes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from webwx.cluster.changes import Change
    from webwx.storage.leases import Leases, OwnedAccount, Renewal

_JOIN_RETRIES = 4
"""Number of times that joining is tried again."""

_log = logging.getLogger("webwx.cluster")


class LeasedOwnership:
    """
    The accounts that this process owns under its lease; `Ownership` states the guarantees.

    Args:
        leases: The leases of the database; their owner closes them.
        times: Times of the lease, the same ones as those of `leases`.
        machine_clock: Returns seconds since 1970 by the machine's clock.
    """

    def __init__(self, leases: Leases, times: LeaseTimes, machine_clock: Callable[[], float] = time.time) -> None:
        self.worker: str = secrets.token_hex(4)
        """Id of this process in the database."""
        self.is_draining: asyncio.Event = asyncio.Event()
        """Set when an administrator has asked this process to hand all its accounts over."""
        self.clock: DatabaseClock = DatabaseClock(machine_clock)
        """The database's clock, adjusted with each renewal of the lease."""
        self._leases = leases
        self._times = times
        self._owned = OwnedAccounts()
        self._address = ""
        self._capacity = 0
        self._share = 0
        self._deadline = 0.0
        """Time of the loop's clock at which all work ends unless the lease is renewed."""
        self._renewed = asyncio.Event()
        self._look = asyncio.Event()
        self._turn = asyncio.Lock()
        """Held while the database is asked about accounts, so that the answers are in one order."""
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"LeasedOwnership({self.worker!r}, {self._owned!r})"

    @property
    def member(self) -> ClusterMember:
        """This process, as an opener of the shared storage."""
        return ClusterMember(worker=self.worker, fence=self.fence, timeout=self._times.timeout)

    async def join(self, address: str, *, capacity: int) -> None:
        """Join the workers, and begin to claim accounts."""
        self._loop = asyncio.get_running_loop()
        self._address, self._capacity, self._share = address, capacity, capacity
        await self._join_with_retries()
        self._look.set()
        self._tasks = [asyncio.create_task(each) for each in (self._renew(), self._balance(), self._watch())]

    def changes(self) -> AsyncIterator[Change]:
        """Yield each change of what is owned, until `leave` has ended."""
        return self._owned.changes()

    def fence(self, account: int) -> Fence:
        """Return the fence of an account."""
        epoch = self._owned.epoch_of(account)
        if epoch is None or self._is_expired:
            raise NotOwner("This process does not own the account.")
        return Fence(account=account, epoch=epoch)

    async def release(self, account: int, epoch: int, *, is_wanted: bool = True) -> None:
        """Release an account after its work has ended."""
        async with self._turn:
            if self._owned.remove(account, epoch):
                await self._leases.release(self.worker, [Fence(account=account, epoch=epoch)], is_wanted=is_wanted)

    async def want(self, account: int) -> None:
        """Allow every process to take an account again, because its login is valid."""
        await self._leases.want(account)

    async def owner_of(self, account: int) -> OwnedAccount | None:
        """Return an account and its owner."""
        return await self._leases.owner_of(account)

    def look_soon(self) -> None:
        """Compare what is owned with the database, because a write was refused."""
        self._look.set()

    async def leave(self) -> None:
        """Hand all accounts over, and end the lease."""
        renewing, balancing, watching = self._tasks
        async with self._turn:
            balancing.cancel()
        with contextlib.suppress(StorageError):  # the lease expires by itself
            await self._leases.drain(self.worker)
        self._owned.hand_over(len(self._owned))
        await self._owned.wait_until_empty()
        for task in (renewing, watching):
            task.cancel()
        await asyncio.wait(self._tasks)
        with contextlib.suppress(StorageError):
            await self._leases.leave(self.worker)
        self._owned.end()

    @property
    def _is_expired(self) -> bool:
        return self._loop is None or self._loop.time() >= self._deadline

    async def _join_with_retries(self) -> None:
        """Join; the first connection may take longer than the time limit of a call."""
        for _ in range(_JOIN_RETRIES):
            with contextlib.suppress(StorageError):
                return await self._enter()
            await asyncio.sleep(self._times.retry)
        return await self._enter()

    async def _enter(self) -> None:
        began = asyncio.get_running_loop().time()
        asked_at = self.clock.machine_time()
        self.clock.adjust(await self._leases.join(self.worker, self._address, self._capacity), asked_at=asked_at)
        self._extend(began)

    def _extend(self, began: float) -> None:
        self._deadline = began + self._times.usable
        self._renewed.set()

    async def _renew(self) -> None:
        """Renew the lease until this is cancelled."""
        loop = asyncio.get_running_loop()
        is_failing = False
        wait = self._times.heartbeat
        while True:
            await asyncio.sleep(wait)
            began, asked_at = loop.time(), self.clock.machine_time()
            self._check_lease()
            try:
                renewal = await self._leases.renew(self.worker)
                if renewal is None:
                    await self._join_again()
                else:
                    self.clock.adjust(renewal.time, asked_at=asked_at)
                    self._apply(renewal, began)
            except StorageError as error:
                if not is_failing:
                    _log.warning("The lease of this worker was not renewed, and is tried again: %s", error)
                is_failing, wait = True, self._times.retry
            else:
                is_failing, wait = False, max(0.0, began + self._times.heartbeat - loop.time())

    async def _join_again(self) -> None:
        """Join again after all workers were removed."""
        self._owned.lose_all()
        await self._enter()

    def _apply(self, renewal: Renewal, began: float) -> None:
        self._extend(began)
        self._share = renewal.share
        if renewal.is_draining:
            self.is_draining.set()
        self._look.set()

    async def _balance(self) -> None:
        """Claim accounts and hand accounts over, until this is cancelled."""
        while True:
            is_due = await self._wait_for_look()
            async with self._turn:
                if self._is_expired:
                    continue
                # An unreachable database also ends the renewals, which log it.
                with contextlib.suppress(StorageError):
                    if is_due:
                        self._owned.adjust(await self._leases.held(self.worker))
                        self._owned.hand_over(len(self._owned) - self._share)
                    for account, epoch in (await self._leases.claim(self.worker)).items():
                        self._owned.gain(account, epoch)
            self._check_lease()

    async def _wait_for_look(self) -> bool:
        """Wait until accounts are to be claimed, and return whether the owned ones are to be compared too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._times.claim):
                await self._look.wait()
        is_due = self._look.is_set()
        self._look.clear()
        return is_due

    async def _watch(self) -> None:
        """Stop all accounts before the lease expires, until this is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._renewed.clear()
            await asyncio.sleep(max(0.0, self._deadline - loop.time()))
            if self._is_expired:
                self._check_lease()
                await self._renewed.wait()

    def _check_lease(self) -> None:
        """Stop all accounts if the lease may have expired."""
        if self._is_expired and len(self._owned):
            _log.warning("The lease of this worker was not renewed in time; %d accounts stop.", len(self._owned))
            self._owned.lose_all()
