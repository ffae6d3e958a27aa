"""The stored bodies of batches: how items are read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.storage.bodies import unpack_batch
from webwx.storage.sqlite.bulk import as_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from webwx.storage.bodies import ItemRange

_KEPT = 4
"""Number of bodies that stay unpacked: consecutive entries mostly come from one batch."""

_SMALL = 32 * 1024
"""Bytes below which a body is read together with others."""


class Bodies:
    """
    The bodies of some batches, during one read.

    Args:
        db: Connection to read from.
        batches: Numbers of the batches.
    """

    def __init__(self, db: sqlite3.Connection, batches: Iterable[int]) -> None:
        self._db = db
        # Small bodies are read in one statement; a large body has many entries, and is worth its own statement.
        (packed,) = db.execute(
            "SELECT json_group_array(json_array(batch, hex(body))) FROM batches"
            " WHERE batch IN (SELECT value FROM json_each(?)) AND length(body) < ?",
            (as_list(batches), _SMALL),
        ).fetchone()
        self._packed = {
            batch: bytes.fromhex(body) for batch, body in msgspec.json.decode(packed, type=list[tuple[int, str]])
        }
        self._kept: dict[int, bytes | None] = {}

    def cut_out(self, batch: int, place: ItemRange) -> bytes | None:
        """Return the bytes of a range of a batch's body; None if the body is damaged or missing."""
        if batch not in self._kept:
            packed = self._packed.pop(batch, None)
            if packed is None:
                found: tuple[bytes] | None = self._db.execute(
                    "SELECT body FROM batches WHERE batch = ?", (batch,)
                ).fetchone()
                packed = None if found is None else found[0]
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[batch] = unpack_batch(batch, packed)
        body = self._kept[batch]
        return None if body is None else body[place.start : place.start + place.length]
