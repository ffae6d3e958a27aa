"""The workers of a cluster and the owners of its accounts, as an administrator sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.accounts.account import AccountStatus, GatewayAccounts
    from webwx.storage.leases import Leases, OwnedAccount, WorkerRow


class AccountOwner(NamedTuple):
    """An account of the gateway, and its owner."""

    account: AccountStatus
    owner: OwnedAccount | None
    """None before the first login of the account."""


class MonitoredWorker(NamedTuple):
    """A worker, and what its consumers have left to do."""

    row: WorkerRow
    consumer_lag: int
    """Number of events that the slowest consumer of its accounts has not acknowledged."""


class ClusterMonitor:
    """
    Reads the workers and the owners, and asks a worker to hand its accounts over.

    Args:
        leases: The leases of the workers.
        port: The accounts.
        uin_of: Returns the platform's number of an account by its number; None before its first login.
        worker: Id of this process among the workers.
        lease_age: Returns the seconds since the last renewal of this process's lease.
    """

    def __init__(
        self, leases: Leases, port: GatewayAccounts, uin_of: Callable[[int], int | None], worker: str = "",
        lease_age: Callable[[], float] = lambda: 0.0,
    ) -> None:  # fmt: skip
        self._leases = leases
        self._port = port
        self._uin_of = uin_of
        self._worker = worker
        self._lease_age = lease_age

    def __repr__(self) -> str:
        return "ClusterMonitor()"

    @property
    def lease_age(self) -> float:
        """Seconds since the last renewal of this process's lease."""
        return self._lease_age()

    async def workers(self) -> list[MonitoredWorker]:
        """
        Return the workers, those with expired leases included.

        Raises:
            StorageError: The database cannot be reached.
        """
        lags = await self._leases.consumer_lags()
        return [MonitoredWorker(row, lags.get(row.worker, 0)) for row in await self._leases.workers()]

    async def consumer_lag(self) -> int:
        """
        Return how many events the slowest consumer of the accounts that run here has not acknowledged.

        Raises:
            StorageError: The database cannot be reached.
        """
        return (await self._leases.consumer_lags()).get(self._worker, 0)

    async def has_running_accounts(self) -> bool:
        """
        Return whether a worker that is alive runs accounts, or no account is to be run.

        Raises:
            StorageError: The database cannot be reached.
        """
        if any(row.accounts for row in await self._leases.workers() if row.expires_in > 0):
            return True
        return not any(account.is_wanted for account in await self._leases.accounts())

    async def owners(self) -> list[AccountOwner]:
        """
        Return the accounts in the order of their numbers, and their owners.

        Raises:
            StorageError: The database cannot be reached.
        """
        owned = {each.account: each for each in await self._leases.accounts()}
        return [
            AccountOwner(status, None if (uin := self._uin_of(status.number)) is None else owned.get(uin))
            for status in await self._port.list_accounts()
        ]

    async def drain(self, worker: str) -> bool:
        """
        Ask a worker to hand all its accounts over, and return whether it exists.

        Raises:
            StorageError: The database cannot be reached.
        """
        return await self._leases.drain(worker)
