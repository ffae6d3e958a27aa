"""Ids of WeChat users for programs outside the gateway, which do not learn the platform's numbers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from webwx.gateway.shared_keys import shared_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore

_KIND = "accounts/user-key"

_BYTES = 7
"""Size of an id, so that it is a positive integer of 64 bits with a sign."""


class OpaqueUsers:
    """
    Derives ids of WeChat users with a key of this gateway.

    Args:
        records: Stores the key.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock

    async def id_of(self, uin: int) -> str:
        """
        Return the id of a user: 14 hexadecimal digits, the same in all logins and at all nodes.

        Args:
            uin: The platform's number of the user.

        Raises:
            StorageError: The key cannot be read.
        """
        key = await shared_key(self._records, _KIND, self._clock())
        return hashlib.blake2b(str(uin).encode(), key=key, digest_size=_BYTES).hexdigest()
