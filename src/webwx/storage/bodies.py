"""
The stored form of the bodies of batches, which several engines use, and the location of items in a body.

An item is found in the body by its exact bytes. An item that was repaired when it was decoded has other bytes, so it is
stored beside the body.
"""

from __future__ import annotations

import logging
import zlib
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from webwx.storage.body_dictionary import DICTIONARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FEW_MESSAGES = 12 * 1024
"""Bytes below which a body has few messages."""

_BEGINNING = 32
"""Number of bytes of an item that are searched first."""


_log = logging.getLogger("webwx.storage")


class ItemRange(msgspec.Struct, frozen=True, gc=False):
    """Range of bytes of an item in a body."""

    start: int
    length: int


def locate(body: bytes, items: Iterable[bytes | msgspec.Raw]) -> list[ItemRange | None]:
    """Return the ranges of items in a body, None for an item that is not in it; quick if the items are in order."""
    places: list[ItemRange | None] = []
    after = gap = 0
    for raw in items:
        start, length = after + gap, len(raw)
        if not body.startswith(raw, start):  # the gap between two items is mostly the same
            start = _find(body, bytes(raw), after)
        if start < 0 or not length:
            places.append(None)
        else:
            gap, after = max(0, start - after), start + length
            places.append(ItemRange(start, length))
    return places


def _find(body: bytes, raw: bytes, after: int) -> int:
    # A search for the whole item takes ten times as long.
    start = body.find(raw[:_BEGINNING], after)
    if start >= 0 and not body.startswith(raw, start):
        start = body.find(raw, after)
    return start if start >= 0 else body.find(raw)


def blank(body: bytes, kept: Iterable[ItemRange]) -> bytes:
    """Return a body of the same length in which all bytes outside of some ranges are blank."""
    left = bytearray(b" " * len(body))
    for place in kept:
        end = place.start + place.length
        left[place.start : end] = body[place.start : end]
    return bytes(left)


def pack(body: bytes) -> bytes:
    """Compress a body quickly, in zlib's format with a dictionary."""
    return _packer()(body)


def unpack(packed: bytes | None) -> bytes | None:
    """Decompress a body, with or without the dictionary; return None if it is damaged or missing."""
    if packed is None:
        return None
    unpacker = zlib.decompressobj(zdict=DICTIONARY)
    try:
        body = unpacker.decompress(packed)
    except zlib.error:
        return None
    return body if unpacker.eof else None


def unpack_batch(batch: int, packed: bytes | None) -> bytes | None:
    """Decompress the body of a batch, as `unpack`, and log damage."""
    body = unpack(packed)
    if body is None:
        _log.error(
            "The stored body of the batch that begins with event %d is damaged, so its messages cannot be read; "
            "'webwx journal check' lists all such messages.", batch,
        )  # fmt: skip
    return body


def blank_packed(packed: bytes | None, kept: Iterable[ItemRange]) -> bytes:
    """
    Blank all bytes of a packed body outside of some ranges, and pack it again.

    The result for a damaged body is empty: what is to be deleted must not remain in bytes that cannot be read.
    """
    body = unpack(packed)
    return b"" if body is None else pack(blank(body, kept))


@cache
def _packer() -> Callable[[bytes], bytes]:
    # The module takes 1 MB of memory, so it is imported only by a process that stores something.
    try:
        from isal.isal_zlib import compressobj
    except ImportError:  # it has no wheel for this platform
        return _pack_with_zlib

    def pack_with_isal(body: bytes) -> bytes:
        # Level 0 takes less than half the time; a few messages become as small as at level 1 without the dictionary.
        packer = compressobj(0 if len(body) < _FEW_MESSAGES else 1, zdict=DICTIONARY)
        return packer.compress(body) + packer.flush()

    return pack_with_isal


def _pack_with_zlib(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zdict=DICTIONARY)  # level 0 of zlib does not compress
    return packer.compress(body) + packer.flush()
