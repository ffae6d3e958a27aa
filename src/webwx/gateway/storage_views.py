"""Storages some of whose parts are opened in another way, for the clients of a gateway that shares its database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.refusals import NotOwner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webwx.storage.account_folder import LoginName
    from webwx.storage.base import AccountJournal, Journal, Storage
    from webwx.storage.leases import SharedStorage
    from webwx.storage.saved_login import LoginStore
    from webwx.storage.tables.records import RecordStore


class _StorageView:
    """A storage some of whose parts are opened in another way."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._storage!r})"

    @property
    def place(self) -> str:
        return self._storage.place

    def login(self, name: LoginName) -> LoginStore:
        return self._storage.login(name)

    def journal(self, name: LoginName) -> Journal:
        return self._storage.journal(name)

    async def has_journal(self, name: LoginName) -> bool:
        return await self._storage.has_journal(name)

    async def delete_journal(self, name: LoginName) -> None:
        await self._storage.delete_journal(name)

    def records(self) -> RecordStore:
        return self._storage.records()

    async def list_logins(self) -> dict[LoginName, bytes | None]:
        return await self._storage.list_logins()

    async def list_changes(self) -> dict[LoginName, int]:
        return await self._storage.list_changes()

    async def close(self) -> None:
        """Do nothing: the owner of the storage closes it."""


class OwnedLogins(_StorageView):
    """
    A storage whose logins are written under the fences of their accounts.

    Args:
        storage: The storage.
        uins: The platform's numbers of the accounts that run here, by their names; it may change.
    """

    def __init__(self, storage: SharedStorage, uins: Mapping[str, int]) -> None:
        super().__init__(storage)
        self._shared = storage
        self._uins = uins

    def login(self, name: LoginName) -> LoginStore:
        """
        Return the store of the login of an account that runs here.

        Raises:
            NotOwner: This process does not run the account.
        """
        uin = self._uins.get(name.account)
        if uin is None:
            raise NotOwner("This process does not run the account any more.")
        return self._shared.owned_login(name, uin)


class OpenJournals(_StorageView):
    """A storage whose journals stay open, because others of this process read the same accounts."""

    def journal(self, name: LoginName) -> Journal:
        """Return the journal of a login; `close` does nothing."""
        return _OpenJournal(self._storage.journal(name))


class _OpenJournal:
    """A journal that its owner closes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def account(self, uin: int) -> AccountJournal:
        return self._journal.account(uin)

    def fingerprint(self, uin: int) -> object:
        return self._journal.fingerprint(uin)

    async def accounts(self) -> list[int]:
        return await self._journal.accounts()

    async def close(self) -> None:
        """Do nothing."""
