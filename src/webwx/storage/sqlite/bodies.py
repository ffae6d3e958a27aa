"""
The stored bodies of batches: where each item stands in its body, and how it is taken out again.

An item is found by its very bytes. One that was mended when it was read does not stand there as it is now, so it is
kept beside the body.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from webwx.storage.sqlite.bulk import as_list

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

_KEPT = 4
"""Bodies that stay unpacked: neighbours mostly come from one batch."""

_SMALL = 32 * 1024
"""Bytes of a body that is read with others."""


_BEGINNING = 32
"""Bytes of an item that are looked for first."""


class ItemRange(msgspec.Struct, frozen=True, gc=False):
    """Where an item stands in a body."""

    start: int
    length: int


def locate(body: bytes, items: Iterable[bytes | msgspec.Raw]) -> list[ItemRange | None]:
    """Find items in a body, in about the order they stand there; None for one that does not."""
    places: list[ItemRange | None] = []
    after = gap = 0
    for raw in items:
        start, length = after + gap, len(raw)
        if not body.startswith(raw, start):  # mostly it comes as far behind the last one as that behind the one before
            start = _find(body, bytes(raw), after)
        if start < 0 or not length:
            places.append(None)
        else:
            gap, after = max(0, start - after), start + length
            places.append(ItemRange(start, length))
    return places


def _find(body: bytes, raw: bytes, after: int) -> int:
    # To search for all of it takes ten times as long.
    start = body.find(raw[:_BEGINNING], after)
    if start >= 0 and not body.startswith(raw, start):
        start = body.find(raw, after)
    return start if start >= 0 else body.find(raw)


def blank(body: bytes, kept: Iterable[ItemRange]) -> bytes:
    """Give a body of the same length in which nothing is left but what stands in some places."""
    left = bytearray(b" " * len(body))
    for place in kept:
        end = place.start + place.length
        left[place.start : end] = body[place.start : end]
    return bytes(left)


def pack(body: bytes) -> bytes:
    """Compress a body, fast, for `unpack` or whatever else reads zlib's format."""
    return _compressor()(body, 1)


def unpack(packed: bytes) -> bytes:
    """Give a body back."""
    return zlib.decompress(packed)


@cache
def _compressor() -> Callable[[bytes, int], bytes]:
    # It takes 1 MB, so whoever stores nothing does without.
    try:
        from isal.isal_zlib import compress
    except ImportError:  # it has no wheel for this platform
        return zlib.compress
    return compress


class Bodies:
    """
    The bodies of some batches, for the length of one read.

    Args:
        db: Where they are read.
        batches: Which.
    """

    def __init__(self, db: sqlite3.Connection, batches: Iterable[int]) -> None:
        self._db = db
        # Many small ones come in one step; one that is large has many entries, and is worth a step of its own.
        (packed,) = db.execute(
            "SELECT json_group_array(json_array(batch, hex(body))) FROM batches"
            " WHERE batch IN (SELECT value FROM json_each(?)) AND length(body) < ?",
            (as_list(batches), _SMALL),
        ).fetchone()
        self._packed = {
            batch: bytes.fromhex(body) for batch, body in msgspec.json.decode(packed, type=list[tuple[int, str]])
        }
        self._kept: dict[int, bytes] = {}

    def cut_out(self, batch: int, place: ItemRange) -> bytes:
        """Give what stands in a place of a batch's body."""
        body = self._kept.get(batch)
        if body is None:
            packed = self._packed.pop(batch, None)
            if packed is None:
                (packed,) = self._db.execute("SELECT body FROM batches WHERE batch = ?", (batch,)).fetchone()
            body = unpack(packed)
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[batch] = body
        return body[place.start : place.start + place.length]
