"""
Archived media: a table with the bytes in pieces, a row for each message, and local copies for reading.

All pieces belong to one account, so the lock on the account's row orders deletion and reuse.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from webwx.errors import StorageError
from webwx.storage.archive_files import MediaFiles, finish
from webwx.storage.archived_media import StoredMedium

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from webwx.storage.entries import Entry
    from webwx.storage.postgres.database import Connection, PostgresDatabase

PIECE = 512 * 1024
"""Bytes of a piece."""

MOST_COPIED = 256 * 1024 * 1024
"""Maximum number of bytes of the copies on this machine; the oldest ones are deleted to stay below it."""


_OLDEST = 100
"""Number of media that are read at a time to find those to drop."""


class LocalCopies:
    """
    Copies of archived files in a temporary folder, by digest.

    A copy that was deleted by hand is not written again while the journal is open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: MediaFiles | None = None
        self._sizes: dict[str, int] = {}
        """Sizes of the copies, the oldest first."""

    @property
    def files(self) -> MediaFiles:
        """The folder, which is created when it is first needed."""
        with self._lock:
            if self._files is None:
                self._files = MediaFiles(Path(tempfile.mkdtemp(prefix="webwx-media-")))
            return self._files

    def __contains__(self, digest: str) -> bool:
        return digest in self._sizes

    def find(self, digest: str) -> Path | None:
        """Return the path of a copy; None if no copy has this digest."""
        return self.files.find(digest)

    def keep(self, part: Path, digest: str, size: int) -> None:
        """Make a written file of this folder the copy of a digest."""
        self.files.take(part, digest)
        with self._lock:
            self._sizes.pop(digest, None)
            self._sizes[digest] = size
            gone, total = [], sum(self._sizes.values())
            for each in tuple(self._sizes)[:-1]:
                if total <= MOST_COPIED:
                    break
                total -= self._sizes.pop(each)
                gone.append(each)
        self.files.remove(gone)

    def remove(self, digests: Collection[str]) -> None:
        """Delete copies."""
        with self._lock:
            gone = [each for each in digests if self._sizes.pop(each, None) is not None]
        self.files.remove(gone)

    def close(self) -> None:
        """Delete all copies."""
        if self._files is not None:
            shutil.rmtree(self._files.folder, ignore_errors=True)


class PostgresArchivedMedia:
    """Archived media of one account; `ArchivedMedia` states the guarantees."""

    def __init__(self, account: int, database: PostgresDatabase, copies: LocalCopies) -> None:
        self._account = account
        self._database = database
        self._copies = copies

    def __repr__(self) -> str:
        return "PostgresArchivedMedia(***)"

    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        """Open a private file to download into, with its path."""
        return self._copies.files.begin()

    async def add(self, entry: Entry, part: Path, *, time: float, max_total: int) -> bool:
        """Store a downloaded file as the media of an entry, and return whether the entry still exists."""
        digest, size = await asyncio.to_thread(finish, part)

        async def store(db: Connection) -> set[str] | None:
            if not await _is_there(db, self._account, entry.number):
                return None
            known = "SELECT EXISTS (SELECT FROM media_pieces WHERE account = $1 AND digest = $2)"
            if not await db.fetchval(known, self._account, digest):
                await self._write_pieces(db, part, digest)
            await _note(db, self._account, entry, "kept", digest, size, time)
            return await _make_room(db, self._account, max_total)

        dropped = await self._database.write(self._account, store)
        if dropped is None:
            return False
        self._copies.keep(part, digest, size)
        self._copies.remove(dropped)
        return True

    async def _write_pieces(self, db: Connection, part: Path, digest: str) -> None:
        with await asyncio.to_thread(part.open, "rb") as file:
            number = 0
            while piece := await asyncio.to_thread(file.read, PIECE):
                await db.execute(
                    "INSERT INTO media_pieces VALUES ($1, $2, $3, $4)", self._account, digest, number, piece
                )
                number += 1

    async def pass_over(self, entry: Entry, state: Literal["too_large", "unavailable"], *, time: float) -> None:
        """Record that the media of an entry are not archived, and why."""

        async def store(db: Connection) -> None:
            if await _is_there(db, self._account, entry.number):
                await _note(db, self._account, entry, state, "", 0, time)

        await self._database.write(self._account, store)

    async def find(self, message_id: str) -> StoredMedium | None:
        """Return the record of a message's media; None if the archive has no record of them."""
        row = await self._database.read(
            lambda db: db.fetchrow(
                "SELECT * FROM media WHERE account = $1"
                " AND webwx_key(message_id) = webwx_key($2)"
                " ORDER BY digest = '', number DESC LIMIT 1",
                self._account, message_id,
            )
        )  # fmt: skip
        if row is None:
            return None
        path = await self._path_of(row["digest"], row["size"]) if row["digest"] else None
        return StoredMedium(
            number=row["number"], message_id=row["message_id"], state=row["state"], size=row["size"],
            path=str(path or ""),
        )  # fmt: skip

    async def _path_of(self, digest: str, size: int) -> Path | None:
        """Return the path of a copy, which is written if it does not exist yet."""
        if digest in self._copies:
            return self._copies.find(digest)
        with self._copies.files.begin() as (file, part):
            piece: bytes | None
            number = 0
            query = "SELECT bytes FROM media_pieces WHERE account = $1 AND digest = $2 AND piece = $3"
            while number * PIECE < size:
                piece = await self._database.read(
                    lambda db, number=number: db.fetchval(query, self._account, digest, number)  # type: ignore[misc]
                )
                if piece is None:  # it was deleted meanwhile
                    return None
                await asyncio.to_thread(file.write, piece)
                number += 1
            if (await asyncio.to_thread(finish, part))[0] != digest:
                raise StorageError("An archived file is damaged.")
            self._copies.keep(part, digest, size)
        return self._copies.find(digest)

    async def drop(self, *, before: float = 0) -> int:
        """Delete files archived before a time (0: all), and return the number of their messages."""

        async def store(db: Connection) -> tuple[int, set[str]]:
            rows = await db.fetch(
                "SELECT number FROM media WHERE account = $1 AND digest <> '' AND ($2::float8 = 0 OR time < $2)",
                self._account, before,
            )  # fmt: skip
            return len(rows), await _drop(db, self._account, [row["number"] for row in rows])

        count, digests = await self._database.write(self._account, store)
        self._copies.remove(digests)
        return count


async def delete_media(db: Connection, account: int, numbers: Collection[int]) -> set[str]:
    """Delete the media of deleted entries, and return the digests of files that no message has any more."""
    rows = await db.fetch(
        "DELETE FROM media WHERE account = $1 AND number = ANY ($2::bigint[]) RETURNING digest", account, list(numbers)
    )
    return await _delete_unnamed(db, account, {row["digest"] for row in rows})


async def _is_there(db: Connection, account: int, number: int) -> bool:
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM entries WHERE account = $1 AND number = $2 AND batch <> 0)", account, number
    )
    return found


async def _note(db: Connection, account: int, entry: Entry, state: str, digest: str, size: int, time: float) -> None:
    await db.execute(
        "INSERT INTO media VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, number) DO UPDATE SET"
        " state = excluded.state, digest = excluded.digest, size = excluded.size, time = excluded.time",
        account, entry.number, entry.message_id, state, digest, size, time,
    )  # fmt: skip


async def _make_room(db: Connection, account: int, max_total: int) -> set[str]:
    """Drop the oldest media until the limit is met, and return the digests of the deleted files."""
    total: int = await db.fetchval("SELECT media_size FROM accounts WHERE account = $1", account)
    dropped: list[int] = []
    oldest = (
        "SELECT number, size FROM media WHERE account = $1 AND digest <> '' AND number > $2"
        " ORDER BY number LIMIT $3::bigint"
    )
    while total > max_total and (some := await db.fetch(oldest, account, dropped[-1] if dropped else 0, _OLDEST)):
        for row in some:
            if total > max_total:
                dropped.append(row["number"])
                total -= row["size"]
    return await _drop(db, account, dropped)


async def _drop(db: Connection, account: int, numbers: Collection[int]) -> set[str]:
    """Delete the files of some messages, and return the digests of files that no message has any more."""
    rows = await db.fetch(
        "SELECT DISTINCT digest FROM media WHERE account = $1 AND number = ANY ($2::bigint[])", account, list(numbers)
    )
    await db.execute(
        "UPDATE media SET state = 'dropped', digest = '', size = 0 WHERE account = $1 AND number = ANY ($2::bigint[])",
        account, list(numbers),
    )  # fmt: skip
    return await _delete_unnamed(db, account, {row["digest"] for row in rows})


async def _delete_unnamed(db: Connection, account: int, digests: set[str]) -> set[str]:
    rows = await db.fetch(
        "SELECT d FROM unnest($2::varchar[]) d WHERE d <> ''"
        " AND NOT EXISTS (SELECT FROM media WHERE account = $1 AND digest <> '' AND digest = d)",
        account, list(digests),
    )  # fmt: skip
    gone = {row["d"] for row in rows}
    await db.execute(
        "DELETE FROM media_pieces WHERE account = $1 AND digest = ANY ($2::varchar[])", account, list(gone)
    )
    return gone
