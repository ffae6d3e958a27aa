"""
Ownership by a lease in a database that several machines share.

A thread of its own renews the lease (`renewals`). A task in the loop of the accounts claims accounts, compares what
this process owns with the database, and hands over accounts beyond its share.

The database refuses each write to an account that another process has taken, so a lease that is late, or has expired,
stops nothing by itself: this process begins no send until the lease is renewed, and goes on with the accounts whose
epochs are unchanged. It gives its accounts up when the lease has expired and the database does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

from webwx.cluster.background_thread import BackgroundThread, BackgroundWork
from webwx.cluster.database_clock import DatabaseClock
from webwx.cluster.owned_accounts import OwnedAccounts
from webwx.cluster.ownership import Ownership
from webwx.cluster.reachable import until_reachable
from webwx.cluster.renewals import LeaseRenewals
from webwx.errors import StorageError
from webwx.override import override
from webwx.storage.leases import ClusterMember, LeaseTimes
from webwx.storage.refusals import Fence, NotOwner

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from webwx.storage.leases import Leases, Renewal

_log = logging.getLogger("webwx.cluster")


class LeasedOwnership(Ownership):
    """
    The accounts that this process owns under its lease; `Ownership` states the guarantees.

    Args:
        leases: The leases of the database; their owner closes them.
        times: Times of the lease, the same ones as those of `leases`.
        machine_clock: Returns seconds since 1970 by the machine's clock.
        begin_renewing: Begins the coroutine that renews the lease, beside the loop of the accounts.
        failed_bots: Returns the number of bots that are not running because of an error.
    """

    def __init__(
        self, leases: Leases, times: LeaseTimes, machine_clock: Callable[[], float] = time.time,
        begin_renewing: Callable[[Callable[[], Coroutine[Any, Any, None]]], BackgroundWork] = BackgroundThread,
        failed_bots: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self.worker: str = secrets.token_hex(4)
        """Id of this process in the database."""
        self.is_draining: asyncio.Event = asyncio.Event()
        """Set when an administrator has asked this process to hand all its accounts over."""
        self.clock: DatabaseClock = DatabaseClock(machine_clock)
        """The database's clock, adjusted with each renewal of the lease."""
        self._leases = leases
        self._times = times
        self._begin_renewing = begin_renewing
        self._failed_bots = failed_bots
        self.owned: OwnedAccounts = OwnedAccounts()
        """The accounts that this process owns, and their changes."""
        self._share = 0
        self._look = asyncio.Event()
        self._turn = asyncio.Lock()
        """Held while the database is asked about accounts, so that the answers are in one order."""
        self._releasing: dict[bool, list[Fence]] = {True: [], False: []}
        """Accounts whose work has ended; the first one that gets its turn releases all with the same `is_wanted`."""
        self._renewals: LeaseRenewals | None = None
        self._renewing: BackgroundWork | None = None
        self._balancing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"LeasedOwnership({self.worker!r}, {self.owned!r})"

    @property
    def member(self) -> ClusterMember:
        """This process, as an opener of the shared storage."""
        return ClusterMember(self.worker, self.fence, self._times.timeout, self.sending_fence)

    @property
    def lease_age(self) -> float:
        """Seconds since the last renewal of the lease was sent."""
        return 0.0 if self._renewals is None else self._renewals.age

    async def join(self, address: str, *, capacity: int) -> None:
        """Join the workers as soon as the database answers, and begin to claim accounts."""
        self._share = capacity
        self._renewals = LeaseRenewals(
            self.worker, address, capacity, self._leases, self._times, self.clock, asyncio.get_running_loop(),
            self._apply, self._lose_all, self._failed_bots,
        )  # fmt: skip
        await until_reachable(self._renewals.join)
        self._look.set()
        self._renewing = self._begin_renewing(self._renewals.run)
        self._balancing = asyncio.create_task(self._balance())

    @override
    def fence(self, account: int) -> Fence:
        epoch = self.owned.epoch_of(account)
        if epoch is None:
            raise NotOwner("This process does not own the account.")
        return Fence(account=account, epoch=epoch)

    async def sending_fence(self, account: int) -> Fence:
        """
        Return the fence of an account for a send that begins; while the lease is late, wait until it is renewed.

        Called in any thread.

        Raises:
            NotOwner: This process does not own the account.
        """
        while True:
            fence = self.fence(account)
            if not self._is_late:
                return fence
            await asyncio.sleep(self._times.retry)

    async def release(self, account: int, epoch: int, *, is_wanted: bool = True) -> None:
        """Release an account after its work has ended, together with those that wait for the database as well."""
        self._releasing[is_wanted].append(Fence(account=account, epoch=epoch))
        async with self._turn:
            fences, self._releasing[is_wanted] = self._releasing[is_wanted], []
            ended = [fence for fence in fences if self.owned.remove(fence.account, fence.epoch)]
            if ended:
                await self._leases.release(self.worker, ended, is_wanted=is_wanted)

    def look_soon(self) -> None:
        """Compare what is owned with the database, because a write was refused."""
        self._look.set()

    async def leave(self) -> None:
        """Hand all accounts over, and end the lease."""
        if self._renewing is None or self._balancing is None:
            return
        async with self._turn:
            self._balancing.cancel()
        with contextlib.suppress(StorageError):  # the lease expires by itself
            await self._leases.drain(self.worker)
        self.owned.hand_over(len(self.owned))
        await self.owned.wait_until_empty()
        await self._renewing.stop()
        await asyncio.wait([self._balancing])
        with contextlib.suppress(StorageError):
            await self._leases.leave(self.worker)
        self.owned.end()

    @property
    def _is_late(self) -> bool:
        return self._renewals is None or self._renewals.is_late

    def _apply(self, renewal: Renewal) -> None:
        self._share = renewal.share
        if renewal.is_draining:
            self.is_draining.set()
        self._look.set()

    def _lose_all(self, reason: str) -> None:
        if len(self.owned):
            _log.warning("The %d accounts of this worker stop: %s.", len(self.owned), reason)
            self.owned.lose_all()

    async def _balance(self) -> None:
        """Claim accounts and hand accounts over, until this is cancelled."""
        while True:
            is_due = await self._wait_for_look()
            async with self._turn:
                if self._is_late:
                    continue
                # An unreachable database also ends the renewals, which log it.
                with contextlib.suppress(StorageError):
                    if is_due:
                        self.owned.adjust(await self._leases.held(self.worker))
                        self.owned.hand_over(len(self.owned) - self._share)
                    for account, epoch in (await self._leases.claim(self.worker)).items():
                        self.owned.gain(account, epoch)

    async def _wait_for_look(self) -> bool:
        """Wait until accounts are to be claimed, and return whether the owned ones are to be compared too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._times.claim):
                await self._look.wait()
        is_due = self._look.is_set()
        self._look.clear()
        return is_due
