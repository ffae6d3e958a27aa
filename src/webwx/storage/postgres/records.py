"""Records of a service and its audit log in a PostgreSQL database, which several gateways may share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from webwx.errors import RecordChanged, StorageError
from webwx.storage.base import AUDIT_ENTRIES, AuditEntry, RecordChange, StoredRecord
from webwx.storage.postgres.database import transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from webwx.storage.postgres.database import Connection, PostgresDatabase

_COLUMNS = "kind, id, version, body, changed_at"


class PostgresRecordStore:
    """
    Records in a database.

    Args:
        database: The connections, which `close` closes.
        audit_entries: Maximum number of entries in the audit log.
    """

    def __init__(self, database: PostgresDatabase, *, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._database = database
        self._audit_entries = audit_entries

    def __repr__(self) -> str:
        return f"PostgresRecordStore({self._database!r})"

    async def find(self, kind: str, *, prefix: str = "") -> list[StoredRecord]:
        """Return the records of a kind whose ids begin with a prefix, in the order of their ids."""
        query = (
            f"SELECT {_COLUMNS} FROM records WHERE kind = $1 AND starts_with(id, $2)"  # noqa: S608 - columns only
            ' ORDER BY id COLLATE "C"'
        )
        return [_record(row) for row in await self._database.read(lambda db: db.fetch(query, kind, prefix))]

    async def get(self, kind: str, id: str) -> StoredRecord | None:  # noqa: A002 - the field's name
        """Return a record; None if no record has this id."""
        query = f"SELECT {_COLUMNS} FROM records WHERE kind = $1 AND id = $2"  # noqa: S608 - columns only
        row = await self._database.read(lambda db: db.fetchrow(query, kind, id))
        return None if row is None else _record(row)

    async def put(self, kind: str, id: str, body: bytes, *, version: int, time: float) -> StoredRecord:  # noqa: A002
        """Store a record, and return it with its new version."""
        change = RecordChange(kind=kind, id=id, version=version, body=body)

        if not await self._database.run(lambda: self._database.changing(lambda db: _made(db, change, time))):
            raise _changed(kind)
        return StoredRecord(kind=kind, id=id, version=version + 1, body=body, changed_at=time)

    async def delete(self, kind: str, id: str, *, version: int | None = None) -> bool:  # noqa: A002
        """Delete a record, and return whether it existed."""
        gone = await self._database.run(
            lambda: self._database.changing(
                lambda db: db.fetchval(
                    "DELETE FROM records WHERE kind = $1 AND id = $2 AND ($3::bigint IS NULL OR version = $3)"
                    " RETURNING true",
                    kind, id, version,
                )
            )
        )  # fmt: skip
        if gone is None and version is not None:
            raise _changed(kind)
        return gone is not None

    async def change(self, changes: Sequence[RecordChange], *, time: float) -> None:
        """Store and delete several records in one transaction: all changes are made, or none."""
        ordered = sorted(changes, key=lambda each: (each.kind, each.id))  # so that two callers never wait in a circle

        async def store(db: Connection) -> None:
            async with transaction(db):
                for each in ordered:
                    if not await _made(db, each, time):
                        raise _changed(each.kind)

        await self._database.run(lambda: self._database.changing(store))

    async def append_audit(
        self, actor: str, action: str, *, target: str = "", detail: str = "", time: float
    ) -> AuditEntry:
        """Append an entry to the audit log, and return it."""

        async def append(db: Connection) -> int:
            async with transaction(db):
                # One writer at a time, so that the numbers become visible in their order.
                await db.execute("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
                number: int = await db.fetchval(
                    "INSERT INTO audit (time, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5)"
                    " RETURNING number",
                    time, actor, action, target, detail,
                )  # fmt: skip
                await db.execute("DELETE FROM audit WHERE number <= $1", number - self._audit_entries)
            return number

        number = await self._database.run(lambda: self._database.changing(append))
        return AuditEntry(number=number, time=time, actor=actor, action=action, target=target, detail=detail)

    async def audit(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """Return entries of the audit log, the newest first."""
        rows = await self._database.read(
            lambda db: db.fetch(
                "SELECT number, time, actor, action, target, detail FROM audit"
                " WHERE number < coalesce($1::bigint, 9223372036854775807) ORDER BY number DESC LIMIT $2",
                before, limit,
            )
        )  # fmt: skip
        return [AuditEntry(**dict(row.items())) for row in rows]

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Raise `StorageError`: the database has its own backups."""
        raise StorageError(f"A database cannot be copied to {os.fspath(path)}; back it up with pg_dump.")

    async def close(self) -> None:
        """Close the records; later calls raise `StorageError`."""
        await self._database.close()


async def _made(db: Connection, change: RecordChange, time: float) -> bool:
    """Make a change; return False if the stored record has another version."""
    kind, record_id, version = change.kind, change.id, change.version
    if change.body is None:
        query = "DELETE FROM records WHERE kind = $1 AND id = $2 AND version = $3 RETURNING true"
        return await db.fetchval(query, kind, record_id, version) is not None
    if version:
        query = (
            "UPDATE records SET version = version + 1, body = $4, changed_at = $5"
            " WHERE kind = $1 AND id = $2 AND version = $3 RETURNING true"
        )
        return await db.fetchval(query, kind, record_id, version, change.body, time) is not None
    query = "INSERT INTO records VALUES ($1, $2, 1, $3, $4) ON CONFLICT DO NOTHING RETURNING true"
    return await db.fetchval(query, kind, record_id, change.body, time) is not None


def _record(row: asyncpg.Record) -> StoredRecord:
    return StoredRecord(**dict(row.items()))


def _changed(kind: str) -> RecordChanged:
    return RecordChanged(f"The {kind} was changed or deleted meanwhile; read it again.")
