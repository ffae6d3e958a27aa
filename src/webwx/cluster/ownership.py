"""
The port through which a process learns which accounts it owns.

A process runs an account from `Gained` until `Leaving` or `Lost`. It writes to the account's part of the journal under
the account's fence, which the storage checks, so a process that learns late of a takeover stores nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from webwx.cluster.owned_accounts import OwnedAccounts
    from webwx.storage.refusals import Fence


class Ownership(Protocol):
    """The accounts that this process owns."""

    owned: OwnedAccounts
    """The accounts and their changes, which end when `leave` has ended."""

    is_draining: asyncio.Event
    """Set when an administrator has asked this process to hand all its accounts over."""

    async def join(self, address: str, *, capacity: int) -> None:
        """
        Begin to own accounts, as soon as their database answers.

        Args:
            address: Where this process can be reached.
            capacity: Number of accounts that it takes at most.

        Raises:
            StorageError: The database refuses it.
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
