"""Records of a service, each with a version, and its audit log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from webwx.errors import RecordChanged
from webwx.override import override
from webwx.storage.engine.port import Conditions, Select, StoredTable

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from webwx.storage.engine.port import Statements, Tables, Value


class StoredRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A stored value of a service on top of the accounts, such as a key or a receiver."""

    kind: str
    """Kind of the record, such as `key`."""
    id: str
    """Id of the record, unique among the records of its kind."""
    version: int
    """Number of times that the record was stored."""
    body: bytes
    """The value, usually JSON."""
    changed_at: float
    """Time of the last change: seconds since 1970."""

    def __repr__(self) -> str:
        return f"StoredRecord({self.kind}, version {self.version})"


class RecordChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one record."""

    kind: str
    """Kind of the record."""
    id: str
    """Id of the record."""
    version: int
    """Version that the caller has read; 0: there is no such record yet."""
    body: bytes | None
    """The new value; None deletes the record."""

    def __repr__(self) -> str:
        return f"RecordChange({self.kind}, version {self.version})"


AUDIT_ENTRIES = 100_000
"""Maximum number of entries in the audit log; older ones are deleted."""

_GAP = 1_000
"""
Largest gap in the numbers of the audit log that is ignored when old entries are deleted.

After a restore the numbers go on a billion later; then the entries are counted, which takes longer.
"""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An action that was carried out, never changed afterwards."""

    number: int
    """Position in the order in which the entries were stored; never used twice."""
    time: float
    """Seconds since 1970."""
    actor: str
    """Author of the action: the id of a key, or a part of the service."""
    action: str
    """Name of the action, such as `key.create`."""
    target: str
    """Id of the object that was changed; may be empty."""
    detail: str
    """One line about the change. It never holds a secret or the text of a message."""


class NewAuditEntry(NamedTuple):
    """An action that was carried out, with the fields of `AuditEntry`."""

    time: float
    actor: str
    action: str
    target: str = ""
    detail: str = ""


class RecordStore(Protocol):
    """
    Records of a service, each with a version, and its audit log.

    A caller that changes a record passes the version that it has read, so two callers never overwrite each other's
    change. Records of all kinds are stored together; several processes may open the same ones, and each sees what the
    others stored before its call began.
    """

    async def find(self, kind: str, *, prefix: str = "") -> list[StoredRecord]:
        """Return the records of a kind whose ids begin with a prefix, in the order of their ids."""
        ...

    async def get(self, kind: str, id: str) -> StoredRecord | None:  # noqa: A002 - the field's name
        """Return a record; None if no record has this id."""
        ...

    async def put(self, kind: str, id: str, body: bytes, *, version: int, time: float) -> StoredRecord:  # noqa: A002
        """
        Store a record, and return it with its new version.

        Args:
            kind: The record's kind.
            id: The record's id.
            body: The new value.
            version: The version that the caller has read; 0: there is no such record yet.
            time: The current time, in seconds since 1970.

        Raises:
            RecordChanged: The stored record has another version.
            StorageError: The record was not stored.
        """
        ...

    async def delete(self, kind: str, id: str, *, version: int | None = None) -> bool:  # noqa: A002
        """
        Delete a record, and return whether it existed.

        Args:
            kind: The record's kind.
            id: The record's id.
            version: The version that the caller has read; None: delete any version.

        Raises:
            RecordChanged: The stored record has another version.
        """
        ...

    async def change(self, changes: Sequence[RecordChange], *, time: float) -> None:
        """
        Store and delete several records in one transaction: all changes are made, or none.

        Args:
            changes: The changes, at most one of each record.
            time: The current time, in seconds since 1970.

        Raises:
            RecordChanged: One of the stored records has another version.
            StorageError: No change was stored, or it is not known whether they were.
        """
        ...

    async def overwrite(self, kind: str, bodies: Mapping[str, bytes], *, time: float) -> None:
        """
        Store records in one transaction, whatever their versions are: for what only its newest writer knows.

        Args:
            kind: The kind of the records.
            bodies: The new values by the ids of the records.
            time: The current time, in seconds since 1970.

        Raises:
            StorageError: No record was stored, or it is not known whether they were.
        """
        ...

    async def append_audit(
        self, actor: str, action: str, *, target: str = "", detail: str = "", time: float
    ) -> AuditEntry:
        """Append an entry to the audit log, and return it; only the newest entries stay."""
        [appended] = await self.append_audits([NewAuditEntry(time, actor, action, target, detail)])
        return appended

    async def append_audits(self, entries: Sequence[NewAuditEntry]) -> list[AuditEntry]:
        """
        Append several entries to the audit log in one transaction, and return them.

        Raises:
            StorageError: No entry was stored, or it is not known whether they were.
        """
        ...

    async def audit(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """
        Return entries of the audit log, the newest first.

        Args:
            before: Only entries with a lower number.
            limit: Maximum number of entries.
        """
        ...

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """
        Copy a snapshot into a new file; other writers continue meanwhile.

        Raises:
            StorageError: The file exists, cannot be written, or this engine stores no file.
        """
        ...

    async def close(self) -> None:
        """Store pending changes and close the records; later calls raise `StorageError`."""
        ...


class _RecordRow(NamedTuple):
    kind: str
    id: str
    version: int
    body: bytes
    changed_at: float


class _AuditRow(NamedTuple):
    number: int
    time: float
    actor: str
    action: str
    target: str
    detail: str


class _AuditNumber(NamedTuple):
    number: int


RECORDS = StoredTable(
    name="records",
    of="",
    columns=_RecordRow._fields,
    ddl="""
CREATE TABLE records (
    kind text NOT NULL,
    id text NOT NULL,
    version bigint NOT NULL,
    body bytea NOT NULL,
    changed_at float8 NOT NULL,
    PRIMARY KEY (kind, id)
);
""",
)

AUDIT = StoredTable(
    name="audit",
    of="",
    columns=_AuditRow._fields,
    ddl="""
CREATE TABLE audit (
    number NUMBERED,
    time float8 NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    detail text NOT NULL
);
""",
)

_GET = Select(_RecordRow, "SELECT kind, id, version, body, changed_at FROM records WHERE kind = $1 AND id = $2")

_OF_KIND = Select(
    _RecordRow,
    """
    SELECT kind, id, version, body, changed_at FROM records
    WHERE kind = $1 AND id >= $2 AND id < $3 ORDER BY id
    """,
)
"""The records of a kind from an id on until another one, byte by byte: a range of the index."""

_ADD = """
INSERT INTO records (kind, id, version, body, changed_at) VALUES ($1, $2, 1, $3, $4) ON CONFLICT DO NOTHING
"""

_REPLACE = """
UPDATE records SET version = version + 1, body = $4, changed_at = $5 WHERE kind = $1 AND id = $2 AND version = $3
"""

_OVERWRITE = """
INSERT INTO records (kind, id, version, body, changed_at) VALUES ($1, $2, 1, $3, $4)
ON CONFLICT (kind, id)
DO UPDATE SET version = records.version + 1, body = excluded.body, changed_at = excluded.changed_at
"""

_DELETE = "DELETE FROM records WHERE kind = $1 AND id = $2"

_DELETE_VERSION = "DELETE FROM records WHERE kind = $1 AND id = $2 AND version = $3"

_APPEND = "INSERT INTO audit (time, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5)"

_AUDIT = "SELECT number, time, actor, action, target, detail FROM audit"

_OLDEST = Select(_AuditNumber, "SELECT number FROM audit ORDER BY number LIMIT 1")

_NEWEST_SUPERFLUOUS = Select(_AuditNumber, "SELECT number FROM audit ORDER BY number DESC LIMIT 1 OFFSET $1")

_FORGET = "DELETE FROM audit WHERE number <= $1"


class VersionedRecords(RecordStore):
    """
    The records and the audit log; `RecordStore` states the guarantees.

    Args:
        tables: The tables, without an account.
        audit_entries: Maximum number of entries in the audit log.
    """

    def __init__(self, tables: Tables, *, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._tables = tables
        self._audit_entries = audit_entries

    def __repr__(self) -> str:
        return f"VersionedRecords({self._tables!r})"

    @override
    async def find(self, kind: str, *, prefix: str = "") -> list[StoredRecord]:
        end = f"{prefix}{chr(sys.maxunicode)}"
        return [_record(row) for row in await self._tables.read(lambda db: db.all(_OF_KIND, kind, prefix, end))]

    @override
    async def get(self, kind: str, id: str) -> StoredRecord | None:
        row = await self._tables.read(lambda db: db.one(_GET, kind, id))
        return None if row is None else _record(row)

    @override
    async def put(self, kind: str, id: str, body: bytes, *, version: int, time: float) -> StoredRecord:
        change = RecordChange(kind=kind, id=id, version=version, body=body)
        await self._make_one(change, time)
        return StoredRecord(kind=kind, id=id, version=version + 1, body=body, changed_at=time)

    @override
    async def delete(self, kind: str, id: str, *, version: int | None = None) -> bool:
        if version is None:
            return await self._tables.change(_DELETE, kind, id) > 0
        await self._make_one(RecordChange(kind=kind, id=id, version=version, body=None), 0.0)
        return True

    @override
    async def change(self, changes: Sequence[RecordChange], *, time: float) -> None:
        ordered = sorted(changes, key=lambda each: (each.kind, each.id))  # so that two callers never wait in a circle

        async def store(db: Statements) -> None:
            for each in ordered:
                text, values = _statement(each, time)
                if not await db.change(text, *values):
                    raise _changed(each)

        await self._tables.transaction(store)

    async def overwrite(self, kind: str, bodies: Mapping[str, bytes], *, time: float) -> None:
        """Store records of a kind in one transaction, whatever their versions are."""
        rows = [(kind, each, bodies[each], time) for each in sorted(bodies)]  # as above
        await self._tables.transaction(lambda db: db.change_each(_OVERWRITE, rows))

    async def _make_one(self, change: RecordChange, time: float) -> None:
        text, values = _statement(change, time)
        if not await self._tables.change(text, *values):
            raise _changed(change)

    @override
    async def append_audits(self, entries: Sequence[NewAuditEntry]) -> list[AuditEntry]:
        async def append(db: Statements) -> list[int]:
            await db.lock("audit")
            numbers = [await db.insert(_APPEND, *each) for each in entries]
            last = numbers[-1] - self._audit_entries
            oldest = await db.one(_OLDEST)
            if oldest is not None and oldest.number < last - _GAP:
                superfluous = await db.one(_NEWEST_SUPERFLUOUS, self._audit_entries)
                last = 0 if superfluous is None else superfluous.number
            await db.change(_FORGET, last)
            return numbers

        numbers = await self._tables.transaction(append) if entries else []
        return [AuditEntry(number=number, **each._asdict()) for number, each in zip(numbers, entries, strict=True)]

    @override
    async def audit(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        matching = Conditions("number > 0")
        if before is not None:
            matching.also("number < {}", before)
        matching.then("ORDER BY number DESC LIMIT {}", limit)
        select = Select(_AuditRow, f"{_AUDIT} WHERE {matching.text}")
        rows = await self._tables.read(lambda db: db.all(select, *matching.values))
        return [AuditEntry(**row._asdict()) for row in rows]


def _statement(change: RecordChange, time: float) -> tuple[str, tuple[Value, ...]]:
    """Return the statement of a change, with its values; it changes no row if the record has another version."""
    if change.body is None:
        return _DELETE_VERSION, (change.kind, change.id, change.version)
    if change.version:
        return _REPLACE, (change.kind, change.id, change.version, change.body, time)
    return _ADD, (change.kind, change.id, change.body, time)


def _changed(change: RecordChange) -> RecordChanged:
    return RecordChanged(f"The {change.kind} was changed or deleted meanwhile; read it again.")


def _record(row: _RecordRow) -> StoredRecord:
    return StoredRecord(kind=row.kind, id=row.id, version=row.version, body=row.body, changed_at=row.changed_at)
