"""
Records and an audit log in one SQLite file, beside the journals and independent of them.

The file is small and changes rarely, so every change is a transaction of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from webwx.errors import RecordChanged, StorageError
from webwx.storage.base import AUDIT_ENTRIES, AuditEntry, StoredRecord
from webwx.storage.locks import explain, make_private
from webwx.storage.sqlite.schema import check_sqlite
from webwx.storage.sqlite.threads import Reader, Writer

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from webwx.storage.base import RecordChange

APPLICATION = 0x77786777
"""SQLite's application id of a file with records: `wxgw`."""

VERSION = 1
"""Version of the tables."""

_BUSY = 10.0
"""Seconds to wait for another process that is writing."""

_TABLES = """
CREATE TABLE records (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    changed_at REAL NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
);
"""


class SqliteRecordStore:
    """
    Records in a file, readable by its owner only.

    Args:
        path: The file; it and its folder are created when they are needed.
        audit_entries: Maximum number of entries in the audit log.
    """

    def __init__(self, path: str | os.PathLike[str], *, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._path = Path(path)
        self._audit_entries = audit_entries
        title = f"The file {self._path}"
        self._writer = Writer(self._connect, "webwx records", _NoJobs(), title=title)
        self._reader = Reader(self._connect, "webwx records reader", title=title)

    def __repr__(self) -> str:
        return f"SqliteRecordStore({str(self._path)!r})"

    def _connect(self) -> sqlite3.Connection:
        return _connect(self._path)

    async def find(self, kind: str, *, prefix: str = "") -> list[StoredRecord]:
        """Return the records of a kind whose ids begin with a prefix, in the order of their ids."""
        query = (
            "SELECT kind, id, version, body, changed_at FROM records WHERE kind = ? AND id >= ? AND id < ? ORDER BY id"
        )
        values = (kind, prefix, f"{prefix}{chr(sys.maxunicode)}")  # a range of the index, which `substr` could not use
        rows = await self._reader.do(lambda db: db.execute(query, values).fetchall())
        return [_record(*row) for row in rows]

    async def get(self, kind: str, id: str) -> StoredRecord | None:  # noqa: A002 - the field's name
        """Return a record; None if no record has this id."""
        query = "SELECT kind, id, version, body, changed_at FROM records WHERE (kind, id) = (?, ?)"
        row = await self._reader.do(lambda db: db.execute(query, (kind, id)).fetchone())
        return None if row is None else _record(*row)

    async def put(self, kind: str, id: str, body: bytes, *, version: int, time: float) -> StoredRecord:  # noqa: A002
        """Store a record, and return it with its new version."""

        def store(db: sqlite3.Connection) -> StoredRecord:
            _require(db, kind, id, version)
            db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", (kind, id, version + 1, body, time))
            return StoredRecord(kind=kind, id=id, version=version + 1, body=body, changed_at=time)

        return await self._writer.do(store)

    async def delete(self, kind: str, id: str, *, version: int | None = None) -> bool:  # noqa: A002
        """Delete a record, and return whether it existed."""

        def remove(db: sqlite3.Connection) -> bool:
            if version is not None:
                _require(db, kind, id, version)
            return db.execute("DELETE FROM records WHERE (kind, id) = (?, ?)", (kind, id)).rowcount > 0

        return await self._writer.do(remove)

    async def change(self, changes: Sequence[RecordChange], *, time: float) -> None:
        """Store and delete several records in one transaction: all changes are made, or none."""

        def store(db: sqlite3.Connection) -> None:
            for each in changes:
                _require(db, each.kind, each.id, each.version)
            for each in changes:
                if each.body is None:
                    db.execute("DELETE FROM records WHERE (kind, id) = (?, ?)", (each.kind, each.id))
                else:
                    row = (each.kind, each.id, each.version + 1, each.body, time)
                    db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", row)

        await self._writer.do(store)

    async def append_audit(
        self, actor: str, action: str, *, target: str = "", detail: str = "", time: float
    ) -> AuditEntry:
        """Append an entry to the audit log, and return it."""

        def append(db: sqlite3.Connection) -> AuditEntry:
            row = db.execute(
                "INSERT INTO audit (time, actor, action, target, detail) VALUES (?, ?, ?, ?, ?) RETURNING number",
                (time, actor, action, target, detail),
            ).fetchone()
            db.execute("DELETE FROM audit WHERE number <= ?", (row[0] - self._audit_entries,))
            return AuditEntry(number=row[0], time=time, actor=actor, action=action, target=target, detail=detail)

        return await self._writer.do(append)

    async def audit(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """Return entries of the audit log, the newest first."""
        query = (
            "SELECT number, time, actor, action, target, detail FROM audit"
            " WHERE number < ifnull(?, 9223372036854775807) ORDER BY number DESC LIMIT ?"
        )
        rows = await self._reader.do(lambda db: db.execute(query, (before, limit)).fetchall())
        return [
            AuditEntry(number=number, time=time, actor=actor, action=action, target=target, detail=detail)
            for number, time, actor, action, target, detail in rows
        ]

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


def _record(kind: str, name: str, version: int, body: bytes, changed_at: float) -> StoredRecord:
    return StoredRecord(kind=kind, id=name, version=version, body=body, changed_at=changed_at)


def _require(db: sqlite3.Connection, kind: str, name: str, version: int) -> None:
    row = db.execute("SELECT version FROM records WHERE (kind, id) = (?, ?)", (kind, name)).fetchone()
    if (0 if row is None else row[0]) != version:
        raise RecordChanged(f"The {kind} was changed or deleted meanwhile; read it again.")


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
