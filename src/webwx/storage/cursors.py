"""
A cursor over several accounts: one opaque string that holds an entry's number for each account.

Entries are not ordered across accounts, so one number cannot describe the position of a reader. The string is opaque:
store it and pass it on unchanged; its format may change in a later version. `read_accounts` advances it.

The journal does not store such a cursor, unlike the cursor of a consumer: if entries are deleted before a reader has
read them, the reader finds no gap in their place.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import InvalidCursor
from webwx.storage.entries import Entry, EntryQuery

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from webwx.storage.base import Journal

_VERSION = b"\x01"

_CHECKSUM = 4
"""Bytes of the checksum at the end, by which a damaged string is detected."""


_RECENT = 256
"""Number of cursors that are remembered in both forms, because many readers stand at the same position."""


class AccountEntry(NamedTuple):
    """An entry with the account that it belongs to."""

    account: int
    """The account's number at the platform (`uin`)."""
    entry: Entry


class EntryPage(NamedTuple):
    """Entries of several accounts, and the cursor after them."""

    entries: list[AccountEntry]
    cursor: str


def encode_cursor(numbers: Mapping[int, int]) -> str:
    """
    Return the cursor after the given entry of each account; equal positions have equal cursors.

    Args:
        numbers: The number of the last entry that was read, by account; an account at its beginning may be left out.
    """
    return _encode(tuple(sorted((account, number) for account, number in numbers.items() if number)))


@lru_cache(maxsize=_RECENT)
def _encode(positions: tuple[tuple[int, int], ...]) -> str:
    if not positions:
        return ""
    content = _VERSION + msgspec.msgpack.encode(positions)
    return base64.urlsafe_b64encode(content + _checksum(content)).decode("ascii").rstrip("=")


def decode_cursor(cursor: str) -> dict[int, int]:
    """
    Return the number of the last entry that was read, by account; an empty cursor stands before all entries.

    Raises:
        InvalidCursor: The text is damaged, or is not a cursor of this version.
    """
    return dict(_decode(cursor))


@lru_cache(maxsize=_RECENT)
def _decode(cursor: str) -> dict[int, int]:
    if not cursor:
        return {}
    try:
        packed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        content, checksum = packed[:-_CHECKSUM], packed[-_CHECKSUM:]
        if content[:1] != _VERSION or checksum != _checksum(content):
            raise InvalidCursor
        numbers = dict(msgspec.msgpack.decode(content[1:], type=list[tuple[int, int]]))
        if encode_cursor(numbers) != cursor:
            raise InvalidCursor
    except (InvalidCursor, UnicodeEncodeError, binascii.Error, msgspec.DecodeError):
        raise InvalidCursor("This is not a valid cursor; pass one that was returned before, unchanged.") from None
    return numbers


def _checksum(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECKSUM).digest()


async def newest_cursor(journal: Journal, accounts: Collection[int]) -> str:
    """Return the cursor after all stored entries of some accounts, from which only later entries are read."""

    async def last_number(account: int) -> int:
        newest = await journal.account(account).find(EntryQuery(limit=1))
        return newest[0].number if newest else 0

    numbers = await asyncio.gather(*map(last_number, accounts))
    return encode_cursor(dict(zip(accounts, numbers, strict=True)))


async def read_accounts(
    journal: Journal, accounts: Collection[int], *, cursor: str = "", limit: int = 100
) -> EntryPage:
    """
    Read the entries of several accounts after a cursor, those of each account in the order of arrival.

    Args:
        journal: The journal to read.
        accounts: The accounts to read. An account that is not in the cursor is read from its beginning; one that is in
            the cursor and not listed keeps its position in the new cursor.
        cursor: The cursor to continue from; empty for the beginning.
        limit: Maximum number of entries of each account, so that a busy account does not delay the others.

    Raises:
        InvalidCursor: The text is not a cursor.
        StorageError: The journal cannot be read.
    """
    numbers = decode_cursor(cursor)
    wanted = tuple(dict.fromkeys(accounts))
    found = await asyncio.gather(
        *(journal.account(account).find(EntryQuery(after=numbers.get(account, 0), limit=limit)) for account in wanted)
    )
    entries = [AccountEntry(account, entry) for account, some in zip(wanted, found, strict=True) for entry in some]
    last = {account: entry.number for account, entry in entries}
    return EntryPage(entries, encode_cursor({**numbers, **last}))
