"""Records and an audit log in memory."""

from __future__ import annotations

import os
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from webwx.errors import RecordChanged, StorageError
from webwx.storage.base import AUDIT_ENTRIES, AuditEntry, StoredRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webwx.storage.base import RecordChange


class MemoryRecordStore:
    """
    Records that end with the process.

    Args:
        audit_entries: Maximum number of entries in the audit log.
    """

    def __init__(self, *, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._records: dict[tuple[str, str], StoredRecord] = {}
        self._audit: deque[AuditEntry] = deque(maxlen=audit_entries)
        self._last_number = 0
        self._is_closed = False

    def __repr__(self) -> str:
        return f"MemoryRecordStore({len(self._records)})"

    async def find(self, kind: str, *, prefix: str = "") -> list[StoredRecord]:
        """Return the records of a kind whose ids begin with a prefix, in the order of their ids."""
        self._require_open()
        return [
            record
            for (of_kind, record_id), record in sorted(self._records.items())
            if of_kind == kind and record_id.startswith(prefix)
        ]

    async def get(self, kind: str, id: str) -> StoredRecord | None:  # noqa: A002 - the field's name
        """Return a record; None if no record has this id."""
        self._require_open()
        return self._records.get((kind, id))

    async def put(self, kind: str, id: str, body: bytes, *, version: int, time: float) -> StoredRecord:  # noqa: A002
        """Store a record, and return it with its new version."""
        self._require(kind, id, version)
        record = StoredRecord(kind=kind, id=id, version=version + 1, body=body, changed_at=time)
        self._records[kind, id] = record
        return record

    async def delete(self, kind: str, id: str, *, version: int | None = None) -> bool:  # noqa: A002
        """Delete a record, and return whether it existed."""
        self._require_open()
        if version is not None:
            self._require(kind, id, version)
        return self._records.pop((kind, id), None) is not None

    async def change(self, changes: Sequence[RecordChange], *, time: float) -> None:
        """Store and delete several records: all changes are made, or none."""
        for each in changes:
            self._require(each.kind, each.id, each.version)
        for each in changes:
            if each.body is None:
                self._records.pop((each.kind, each.id), None)
            else:
                await self.put(each.kind, each.id, each.body, version=each.version, time=time)

    async def append_audit(
        self, actor: str, action: str, *, target: str = "", detail: str = "", time: float
    ) -> AuditEntry:
        """Append an entry to the audit log, and return it."""
        self._require_open()
        self._last_number += 1
        entry = AuditEntry(
            number=self._last_number, time=time, actor=actor, action=action, target=target, detail=detail
        )
        self._audit.append(entry)
        return entry

    async def audit(self, *, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """Return entries of the audit log, the newest first."""
        self._require_open()
        earlier = (entry for entry in reversed(self._audit) if before is None or entry.number < before)
        return list(islice(earlier, limit))

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Raise `StorageError`: there is no file to copy."""
        raise StorageError(f"Records in memory cannot be copied to {os.fspath(path)}.")

    async def close(self) -> None:
        """Close the records; later calls raise `StorageError`."""
        self._is_closed = True

    def _require(self, kind: str, name: str, version: int) -> None:
        self._require_open()
        stored = self._records.get((kind, name))
        if (0 if stored is None else stored.version) != version:
            raise RecordChanged(f"The {kind} was changed or deleted meanwhile; read it again.")

    def _require_open(self) -> None:
        if self._is_closed:
            raise StorageError("These records were closed.")
