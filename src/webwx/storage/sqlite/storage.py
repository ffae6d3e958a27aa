"""Everything that an installation stores, in one folder: logins in files, journals and records in SQLite files."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from webwx.override import override
from webwx.storage.account_folder import AccountFolder, LoginName
from webwx.storage.base import RETENTION_DAYS, Storage
from webwx.storage.login import LoginFile

if TYPE_CHECKING:
    import os

    from webwx.storage.base import Journal
    from webwx.storage.tables.records import RecordStore

RECORDS_NAME = "gateway.db"
"""Name of the file with the records."""


class SqliteStorage(Storage):
    """
    The storage of an installation in a folder; `Storage` states the guarantees.

    Args:
        home: The folder; it is created when something is stored.
        passphrase: Encrypts the saved logins; needs `webwx[crypto]`.
        passphrase_from: `keyring`: without a passphrase, the system keyring stores one for each login.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.
    """

    def __init__(
        self, home: str | os.PathLike[str], *, passphrase: str | None = None,
        passphrase_from: Literal["keyring"] | None = None, retention_days: float = RETENTION_DAYS,
    ) -> None:  # fmt: skip
        self._folder = AccountFolder(Path(home))
        self._passphrase = passphrase
        self._passphrase_from = passphrase_from
        self._retention_days = retention_days
        self._opened: list[Journal | RecordStore] = []

    def __repr__(self) -> str:
        return f"SqliteStorage({self.place!r})"

    @property
    def place(self) -> str:
        """The path of the folder."""
        return str(self._folder.home)

    def login(self, name: LoginName) -> LoginFile:
        """
        Return the store of a login.

        Raises:
            StorageError: A package for the encryption is missing, or the system has no keyring.
        """
        path = self._folder.path_of(name)
        if self._passphrase_from and not self._passphrase:
            from webwx.storage.passphrase import KeyringPassphrase

            # The whole path, so that two folders do not share an entry, which the first logout would delete.
            return LoginFile(path, passphrase=KeyringPassphrase(str(path.resolve())))
        return LoginFile(path, passphrase=self._passphrase)

    @override
    def journal(self, name: LoginName) -> Journal:
        from webwx.storage.sqlite.journal import SqliteJournal

        journal = SqliteJournal(self._journal_path(name), retention_days=self._retention_days)
        self._opened.append(journal)
        return journal

    @override
    async def has_journal(self, name: LoginName) -> bool:
        return self._journal_path(name).exists()

    async def delete_journal(self, name: LoginName) -> None:
        """Delete the files of the journal of a login."""
        from webwx.storage.sqlite.journal import SqliteJournal

        await SqliteJournal(self._journal_path(name)).delete()

    def _journal_path(self, name: LoginName) -> Path:
        return self._folder.path_of(name).with_suffix(".journal")

    @override
    def records(self) -> RecordStore:
        from webwx.storage.sqlite.records import SqliteRecordStore

        records = SqliteRecordStore(self._folder.home / RECORDS_NAME)
        self._opened.append(records)
        return records

    async def list_logins(self) -> dict[LoginName, bytes | None]:
        """Return the content of the file of each saved login; None for a file that cannot be read."""
        return await asyncio.to_thread(self._read_logins)

    def _read_logins(self) -> dict[LoginName, bytes | None]:
        return {LoginName(account, path.stem): _content_of(path) for account, path in self._folder.login_paths()}

    async def list_changes(self) -> dict[LoginName, int]:
        """Return the time of the last change of each saved login, in nanoseconds."""
        return await asyncio.to_thread(self._read_changes)

    def _read_changes(self) -> dict[LoginName, int]:
        found = {}
        for account, path in self._folder.login_paths():
            with contextlib.suppress(FileNotFoundError):  # it was just deleted
                found[LoginName(account, path.stem)] = path.stat().st_mtime_ns
        return found

    async def close(self) -> None:
        """Close the journals and the records that were opened here."""
        while self._opened:
            await self._opened.pop().close()


def _content_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
