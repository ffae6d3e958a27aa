"""Secret keys that all nodes of a gateway share."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from webwx.errors import RecordChanged

if TYPE_CHECKING:
    from webwx.storage.tables.records import RecordStore


async def shared_key(records: RecordStore, kind: str, time: float) -> bytes:
    """
    Return the key of one purpose, 32 random bytes; it is made once and stays the same at all nodes.

    Args:
        records: Stores the key.
        kind: Kind of its record, one for each purpose.
        time: Seconds since 1970.

    Raises:
        StorageError: The records cannot be read or written.
    """
    while True:
        found = await records.get(kind, "1")
        if found is not None:
            return found.body
        try:
            await records.put(kind, "1", secrets.token_bytes(32), version=0, time=time)
        except RecordChanged:  # another node was quicker
            continue
