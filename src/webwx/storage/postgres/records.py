"""Records of a service and its audit log in a PostgreSQL database, which several gateways may share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.postgres.tables import PostgresTables
from webwx.storage.tables.records import AUDIT_ENTRIES, VersionedRecords

if TYPE_CHECKING:
    from webwx.storage.postgres.database import PostgresDatabase


class PostgresRecordStore(VersionedRecords):
    """
    Records in a database.

    Args:
        database: The connections, which `close` closes.
        audit_entries: Maximum number of entries in the audit log.
    """

    def __init__(self, database: PostgresDatabase, *, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._database = database
        super().__init__(PostgresTables(database), audit_entries=audit_entries)

    def __repr__(self) -> str:
        return f"PostgresRecordStore({self._database!r})"

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Raise `StorageError`: the database has its own backups."""
        raise StorageError(f"A database cannot be copied to {os.fspath(path)}; back it up with pg_dump.")

    async def close(self) -> None:
        """Close the records; later calls raise `StorageError`."""
        await self._database.close()
