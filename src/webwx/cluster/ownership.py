"""
The port through which a process learns which accounts it owns.

A process runs an account from `Gained` until `Leaving` or `Lost`. It writes to the account's part of the journal under
the account's fence, which the storage checks, so a process that learns late of a takeover stores nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from webwx.cluster.owned_accounts import OwnedAccounts
from webwx.override import override
from webwx.storage.refusals import Fence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


class Ownership(Protocol):
    """The accounts that this process owns."""

    owned: OwnedAccounts
    """The accounts and their changes, which end when `leave` has ended."""

    is_draining: asyncio.Event
    """Set when an administrator has asked this process to hand all its accounts over."""

    async def join(self, address: str, *, capacity: int) -> None:
        """
        Begin to own accounts.

        Args:
            address: Where this process can be reached.
            capacity: Number of accounts that it takes at most.

        Raises:
            StorageError: The database cannot be reached.
        """
        ...

    def fence(self, account: int) -> Fence:
        """
        Return the fence of an account; called in any thread.

        Another process may have taken the account a moment ago; then the storage refuses what is written with it.

        Raises:
            NotOwner: This process does not own the account.
        """
        ...

    async def release(self, account: int, epoch: int, *, is_wanted: bool = True) -> None:
        """
        Release an account after its work has ended; nothing happens if it is not owned with this epoch.

        Args:
            account: The account.
            epoch: Its epoch when it was gained: it may have been lost and gained again since.
            is_wanted: Whether another process may take it at once; False: only after its next login.

        Raises:
            StorageError: The database cannot be reached; the account may be gained again.
        """
        ...

    async def leave(self) -> None:
        """Announce that all accounts are to be handed over, wait until they are, and own nothing from then on."""
        ...


class SoleOwnership(Ownership):
    """
    Ownership of every account by this process, for ever, with epoch 1: there is no other process.

    Args:
        accounts: Returns the accounts, such as `Journal.accounts`.
    """

    def __init__(self, accounts: Callable[[], Awaitable[Iterable[int]]]) -> None:
        self._accounts = accounts
        self.owned: OwnedAccounts = OwnedAccounts()
        """The accounts that this process has taken, and their changes."""
        self._address = ""
        self.is_draining: asyncio.Event = asyncio.Event()
        """Never set: no other process could take the accounts."""

    def __repr__(self) -> str:
        return "SoleOwnership()"

    async def join(self, address: str, *, capacity: int) -> None:
        """Own all accounts; the capacity does not matter, because no other process takes the rest."""
        del capacity
        self._address = address
        for account in await self._accounts():
            self.owned.gain(account, 1)

    @override
    def fence(self, account: int) -> Fence:
        return Fence(account=account, epoch=1)

    async def release(self, account: int, epoch: int, *, is_wanted: bool = True) -> None:
        """Release an account."""
        del is_wanted
        self.owned.remove(account, epoch)

    async def leave(self) -> None:
        """Wait until all accounts are released."""
        self.owned.hand_over(len(self.owned))
        await self.owned.wait_until_empty()
        self.owned.end()
