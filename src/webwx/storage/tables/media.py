"""
Archived media: files of messages that were downloaded while the platform still served them.

A message has one row. The bytes are files, or pieces in the database, so each engine stores them in its own way
(`MediaBytes`); equal files are stored once, for all messages that have them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

from webwx.storage.archive_files import finish
from webwx.storage.engine.port import Conditions, Select, StoredTable

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from webwx.storage.engine.port import Statements, Tables
    from webwx.storage.entries import Entry

ARCHIVE_CONSUMER = "keep"
"""Name of the media archive's consumer. No handler reads its entries, so a purge stores no gap for it."""

_OLDEST = 100
"""Number of media that are read at a time to find those to drop."""


class StoredMedium(msgspec.Struct, frozen=True, kw_only=True):
    """The archive's record of a message's media."""

    number: int
    """Number of the message's entry."""
    message_id: str
    state: Literal["kept", "dropped", "too_large", "unavailable"]
    """
    `kept`: the bytes are archived. `dropped`: they were archived and have been deleted to free space. `too_large`: they
    exceed the size limit. `unavailable`: the platform did not serve them.
    """
    path: str = ""
    """Path of the archived file; empty if no file was archived."""
    size: int = 0
    """Size in bytes."""

    def __repr__(self) -> str:
        return f"StoredMedium({self.number}, {self.state})"


class MediaBytes(Protocol):
    """The bytes of an account's archived media, by their digests; only the owner of the journal can read the files."""

    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        """
        Open a private file to write, with its path; it is deleted on exit unless it was stored.

        Raises:
            StorageError: The folder is not writable.
        """
        ...

    async def store(self, db: Statements, part: Path, digest: str, size: int) -> None:
        """
        Store a written file, in the transaction of the caller, unless there is one with this digest.

        Args:
            db: The statements of the transaction.
            part: The path from `begin`, which the file leaves.
            digest: The digest of its bytes.
            size: Its size in bytes.

        Raises:
            StorageError: The file cannot be stored.
        """
        ...

    async def delete(self, db: Statements, digests: Collection[str]) -> None:
        """
        Delete those of some files that no row names any more, in the transaction of the caller.

        Raises:
            StorageError: A file cannot be deleted.
        """
        ...

    async def find(self, digest: str, size: int) -> Path | None:
        """
        Return the path of a file with these bytes; None if it is missing.

        Raises:
            StorageError: The stored bytes are damaged.
        """
        ...


MEDIA = StoredTable(
    name="media",
    columns=("number", "message_id", "state", "digest", "size", "time"),
    is_of_entries=True,
    ddl="""
CREATE TABLE media (
    account bigint NOT NULL,
    number bigint NOT NULL,                     -- of the message's entry
    message_id text NOT NULL,
    state text NOT NULL,
    digest text NOT NULL,                       -- SHA-256 of its bytes; empty: there are none
    size bigint NOT NULL,
    time float8 NOT NULL,                       -- of the download
    PRIMARY KEY (account, number)
);
CREATE INDEX media_message ON media (account, webwx_key(message_id));
CREATE INDEX media_digest_account ON media (digest, account) WHERE digest <> '';
CREATE INDEX media_oldest ON media (account, number) WHERE digest <> '';
""",
)


class _MediumRow(NamedTuple):
    number: int
    message_id: str
    state: Literal["kept", "dropped", "too_large", "unavailable"]
    digest: str
    size: int


class _WithBytes(NamedTuple):
    number: int
    digest: str
    size: int


class _TotalSize(NamedTuple):
    media_size: int


class _DigestRow(NamedTuple):
    digest: str


class _NumberOfEntry(NamedTuple):
    number: int


_STORED_ENTRY = Select(_NumberOfEntry, "SELECT number FROM entries WHERE account = $0 AND number = $1 AND batch <> 0")

_PUT = """
INSERT INTO media (account, number, message_id, state, digest, size, time) VALUES ($0, $1, $2, $3, $4, $5, $6)
ON CONFLICT (account, number) DO UPDATE SET
    state = excluded.state, digest = excluded.digest, size = excluded.size, time = excluded.time
"""

_OF_MESSAGE = Select(
    _MediumRow,
    f"SELECT {', '.join(_MediumRow._fields)} FROM media"  # noqa: S608 - names of columns
    " WHERE account = $0 AND webwx_key(message_id) = webwx_key($1) ORDER BY digest = '', number DESC LIMIT 1",
)

_WITH_BYTES = "SELECT number, digest, size FROM media INDEXED BY media_oldest WHERE "

_TOTAL = Select(_TotalSize, "SELECT media_size FROM accounts WHERE account = $0")

_DROP = """
UPDATE media SET state = 'dropped', digest = '', size = 0 WHERE account = $0 AND number = ANY ($1::bigint[])
"""

_DIGESTS_OF = Select(
    _DigestRow,
    "SELECT DISTINCT digest FROM media WHERE account = $0 AND number = ANY ($1::bigint[]) AND digest <> ''",
)

_NAMED = "SELECT DISTINCT digest FROM media WHERE digest <> '' AND digest = ANY ($1::varchar[])"

_NAMED_BY_ANY = Select(_DigestRow, _NAMED)

_NAMED_BY_ACCOUNT = Select(_DigestRow, f"{_NAMED} AND account = $0")


class ArchivedMedia:
    """
    The archived media of an account's messages.

    | State                      | Change                                            | Next state                 |
    |----------------------------|---------------------------------------------------|----------------------------|
    | no record                  | `add`, after a download                           | `kept`                     |
    |                            | `pass_over`                                       | `too_large`, `unavailable` |
    | `too_large`, `unavailable` | `add`, after another download                     | `kept`                     |
    | `kept`                     | `drop`, or `add` of others that need its space    | `dropped`                  |
    | any                        | the message is deleted                            | no record                  |

    When a message is deleted, its media are deleted too; a recall deletes nothing.

    Args:
        tables: The account's tables.
        stored: The bytes.
    """

    def __init__(self, tables: Tables, stored: MediaBytes) -> None:
        self._tables = tables
        self._bytes = stored

    def __repr__(self) -> str:
        return "ArchivedMedia(***)"

    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        """
        Open a private file to download into, with its path; it is deleted on exit unless `add` has stored it.

        Raises:
            StorageError: The folder is not writable.
        """
        return self._bytes.begin()

    async def add(self, entry: Entry, part: Path, *, time: float, max_total: int) -> bool:
        """
        Store a downloaded file as the media of an entry, and return whether the entry still exists.

        Args:
            entry: The entry of the message.
            part: The path from `begin`, completely written.
            time: Time of the download, in seconds since 1970.
            max_total: Limit in bytes for this account; the oldest files are deleted to stay below it.

        Raises:
            StorageError: The file cannot be stored.
        """
        digest, size = await asyncio.to_thread(finish, part)  # in another thread, so other writes do not wait

        async def store(db: Statements) -> bool:
            if await db.one(_STORED_ENTRY, entry.number) is None:
                return False
            await self._bytes.store(db, part, digest, size)
            await db.change(_PUT, entry.number, entry.message_id, "kept", digest, size, time)
            await self._bytes.delete(db, await _make_room(db, max_total))
            return True

        return await self._tables.transaction(store)

    async def pass_over(self, entry: Entry, state: Literal["too_large", "unavailable"], *, time: float) -> None:
        """Record that the media of an entry are not archived, and why."""

        async def store(db: Statements) -> None:
            if await db.one(_STORED_ENTRY, entry.number) is not None:
                await db.change(_PUT, entry.number, entry.message_id, state, "", 0, time)

        await self._tables.transaction(store)

    async def find(self, message_id: str) -> StoredMedium | None:
        """
        Return the record of a message's media; None if the archive has no record of them.

        Raises:
            StorageError: The stored bytes are damaged.
        """
        row = await self._tables.read(lambda db: db.one(_OF_MESSAGE, message_id))
        if row is None:
            return None
        path = await self._bytes.find(row.digest, row.size) if row.digest else None
        return StoredMedium(
            number=row.number, message_id=row.message_id, state=row.state, size=row.size, path=str(path or "")
        )

    async def drop(self, *, before: float = 0) -> int:
        """Delete files archived before a time (0: all), keep their messages, and return the number of messages."""
        matching = Conditions("account = $0 AND digest <> ''")
        if before:
            matching.also("time < {}", before)
        select = Select(_WithBytes, _WITH_BYTES + matching.text)

        async def store(db: Statements) -> int:
            rows = await db.all(select, *matching.values)
            await db.change(_DROP, [row.number for row in rows])
            await self._bytes.delete(db, {row.digest for row in rows})
            return len(rows)

        return await self._tables.transaction(store)


_OLDEST_WITH_BYTES = Select(
    _WithBytes, f"{_WITH_BYTES}account = $0 AND digest <> '' AND number > $1 ORDER BY number LIMIT $2"
)


async def _make_room(db: Statements, max_total: int) -> set[str]:
    """Drop the oldest media until the limit is met, and return the digests of the dropped files."""
    found = await db.one(_TOTAL)
    total = 0 if found is None else found.media_size
    dropped: list[_WithBytes] = []
    while total > max_total and (
        oldest := await db.all(_OLDEST_WITH_BYTES, dropped[-1].number if dropped else 0, _OLDEST)
    ):
        for row in oldest:
            if total > max_total:
                dropped.append(row)
                total -= row.size
    if dropped:
        await db.change(_DROP, [row.number for row in dropped])
    return {row.digest for row in dropped}


async def digests_of(db: Statements, numbers: Collection[int]) -> set[str]:
    """Return the digests of the media of some entries."""
    return {row.digest for row in await db.all(_DIGESTS_OF, list(numbers))}


async def unnamed(db: Statements, digests: Collection[str], *, in_all_accounts: bool) -> set[str]:
    """Return those of some digests that no row of the account has, or no row of any account."""
    named = await db.all(_NAMED_BY_ANY if in_all_accounts else _NAMED_BY_ACCOUNT, sorted(digests))
    return set(digests) - {row.digest for row in named}
