"""
Records and an audit log in one SQLite file, beside the journals and independent of them.

The file is small and changes rarely, so every change is a transaction of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.engine.dialect import sqlite_ddl
from webwx.storage.locks import explain, make_private
from webwx.storage.sqlite.schema import check_sqlite
from webwx.storage.sqlite.tables import SqliteTables
from webwx.storage.sqlite.threads import Reader, Writer
from webwx.storage.tables.records import AUDIT, AUDIT_ENTRIES, RECORDS, VersionedRecords

if TYPE_CHECKING:
    import os


APPLICATION = 0x77786777
"""SQLite's application id of a file with records: `wxgw`."""

VERSION = 1
"""Version of the tables."""

_BUSY = 10.0
"""Seconds to wait for another process that is writing."""

_TABLES = sqlite_ddl(RECORDS) + sqlite_ddl(AUDIT)


class SqliteRecordStore(VersionedRecords):
    """
    Records in a file, readable by its owner only.

    Args:
        path: The file; it and its folder are created when they are needed.
        audit_entries: Maximum number of entries in the audit log.
    """

    def __init__(self, path: str | os.PathLike[str], *, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._path = Path(path)
        title = f"The file {self._path}"
        self._writer = Writer(self._connect, "webwx records", _NoJobs(), title=title)
        self._reader = Reader(self._connect, "webwx records reader", title=title)
        super().__init__(SqliteTables(self._writer, self._reader), audit_entries=audit_entries)

    def __repr__(self) -> str:
        return f"SqliteRecordStore({str(self._path)!r})"

    def _connect(self) -> sqlite3.Connection:
        return _connect(self._path)

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy a snapshot into a new file; other writers continue meanwhile."""
        await asyncio.to_thread(self._copy, Path(path))

    def _copy(self, target: Path) -> None:
        if target.exists():
            raise StorageError(f"{target} already exists; a backup never replaces a file.")
        new = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            make_private(new)
            with contextlib.closing(self._connect()) as source, contextlib.closing(sqlite3.connect(new)) as copy:
                source.backup(copy)
            new.replace(target)
        except sqlite3.Error as error:
            raise StorageError(f"The backup {target} cannot be written: {error}.") from None
        except OSError as error:
            raise StorageError(f"The backup {target} cannot be written: {explain(error)}") from None
        finally:
            new.unlink(missing_ok=True)

    async def close(self) -> None:
        """Store pending changes and close the file; later calls raise `StorageError`."""
        await self._reader.close()
        await self._writer.close()


class _NoJobs:
    """A substitute for the background jobs of a file that needs no jobs."""

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        """Return None: there are no jobs."""
        del db, is_idle
        return None

    def forget(self) -> None:
        """Do nothing, because no state is cached."""


def _connect(path: Path) -> sqlite3.Connection:
    """
    Open the file; create a missing one.

    Raises:
        StorageError: SQLite is too old, or the file cannot be created, holds something else, or is of a newer version.
        sqlite3.Error: The file cannot be written, or is damaged.
    """
    check_sqlite()
    try:
        make_private(path)
    except OSError as error:
        raise StorageError(f"The file {path} cannot be opened: {explain(error)}") from None
    db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        _set_up(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _set_up(db: sqlite3.Connection, path: Path) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if version > VERSION or (version and application != APPLICATION):
            raise StorageError(f"{path} is not a database of the gateway, or a newer version of webwx wrote it.")
        if not version:
            for statement in _TABLES.split(";")[:-1]:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
