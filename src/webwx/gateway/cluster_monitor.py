"""The workers of a cluster and the owners of its accounts, as an administrator sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.port import AccountStatus, GatewayPort
    from webwx.storage.leases import Leases, OwnedAccount, WorkerRow


class AccountOwner(NamedTuple):
    """An account of the gateway, and its owner."""

    account: AccountStatus
    owner: OwnedAccount | None
    """None before the first login of the account."""


class ClusterMonitor:
    """
    Reads the workers and the owners, and asks a worker to hand its accounts over.

    Args:
        leases: The leases of the workers.
        port: The accounts.
        uin_of: Returns the platform's number of an account by its number; None before its first login.
    """

    def __init__(self, leases: Leases, port: GatewayPort, uin_of: Callable[[int], int | None]) -> None:
        self._leases = leases
        self._port = port
        self._uin_of = uin_of

    def __repr__(self) -> str:
        return "ClusterMonitor()"

    async def workers(self) -> list[WorkerRow]:
        """
        Return the workers, those with expired leases included.

        Raises:
            StorageError: The database cannot be reached.
        """
        return await self._leases.workers()

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
