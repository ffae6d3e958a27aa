"""Records that usually one process changes, so it does not read the version of a record before each change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import RecordChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore


class OwnedRecords:
    """
    Records of a gateway; if another one has changed a record, the later change replaces it.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        self.stored: RecordStore = records
        """The records, for readers."""
        self._clock = clock
        self._versions: dict[tuple[str, str], int] = {}
        """The stored version of each record that was read or changed here."""

    def __repr__(self) -> str:
        return f"OwnedRecords({len(self._versions)} known)"

    async def put(self, kind: str, record_id: str, body: bytes) -> None:
        """
        Store a record, new or not.

        Raises:
            StorageError: The record was not stored, or it is not known whether it was.
        """
        key = (kind, record_id)
        version = self._versions.pop(key, None)  # if this raises, the stored version is unknown
        while key not in self._versions:
            if version is None:
                found = await self.stored.get(kind, record_id)
                version = 0 if found is None else found.version
            try:
                stored = await self.stored.put(kind, record_id, body, version=version, time=self._clock())
                self._versions[key] = stored.version
            except RecordChanged:
                version = None

    def forget(self, kind: str, record_id: str) -> None:
        """Forget the version of a record that is not changed here any more."""
        self._versions.pop((kind, record_id), None)

    async def delete(self, kind: str, record_id: str) -> None:
        """Delete a record, if it is there."""
        self._versions.pop((kind, record_id), None)
        await self.stored.delete(kind, record_id)
