"""A journal and records in a private folder, which is deleted when they are closed or their process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.base import RETENTION_DAYS
from webwx.storage.private_folder import PrivateFolder
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.records import SqliteRecordStore
from webwx.storage.tables.records import AUDIT_ENTRIES

if TYPE_CHECKING:
    import sqlite3
    from types import TracebackType
    from typing import Self

    from webwx.storage.sqlite.journal import SqliteAccount


class PrivateJournal:
    """
    A journal in a private folder, which is deleted with `close` or at the end of the process.

    It supports everything that a journal in a file does: consumers, history, search, the outbox, identities, recalled
    messages. The folder is in memory if the system has `/dev/shm` with 256 MB free, and otherwise among the temporary
    files. It is closed at the end of `with PrivateJournal() as journal:`, or of `async with` in a coroutine.

    Args:
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.
    """

    def __init__(self, *, retention_days: float = RETENTION_DAYS) -> None:
        self._folder = PrivateFolder()
        self._journal = SqliteJournal(
            self._folder.path / "private.journal", retention_days=retention_days, is_durable=False
        )

    def __repr__(self) -> str:
        return "PrivateJournal()"

    def __enter__(self) -> Self:
        """
        Return the journal; the end of the block closes it.

        Raises:
            RuntimeError: An event loop runs in this thread; use `async with`.
        """
        self._journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        try:
            self._journal.__exit__(kind, error, trace)
        finally:
            self._folder.delete()

    async def __aenter__(self) -> Self:
        """Return the journal; the end of the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        await self.close()

    def account(self, uin: int) -> SqliteAccount:
        """
        Return an account's part.

        Raises:
            StorageError: The journal was closed, or its folder cannot be created.
        """
        self._folder.make()
        return self._journal.account(uin)

    def fingerprint(self, uin: int) -> object:
        """Return None: no other process changes it."""
        del uin
        return None

    async def accounts(self) -> list[int]:
        """Return the numbers of the accounts that have a part, the latest login first."""
        self._folder.make()
        return await self._journal.accounts()

    async def close(self) -> None:
        """Close the journal, and delete its folder."""
        try:
            await self._journal.close()
        finally:
            self._folder.delete()


class PrivateRecordStore(SqliteRecordStore):
    """
    Records in a private folder, which is deleted with `close` or at the end of the process.

    Args:
        audit_entries: Maximum number of entries in the audit log.
    """

    def __init__(self, *, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._folder = PrivateFolder()
        super().__init__(self._folder.path / "records.db", audit_entries=audit_entries)

    def __repr__(self) -> str:
        return "PrivateRecordStore()"

    def _connect(self) -> sqlite3.Connection:
        self._folder.make()
        db = super()._connect()
        db.execute("PRAGMA synchronous = OFF")
        return db

    async def close(self) -> None:
        """Close the records, and delete their folder."""
        try:
            await super().close()
        finally:
            self._folder.delete()
