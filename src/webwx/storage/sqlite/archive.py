"""
Archived media: private files beside the journal, and a row for each message.

Files are renamed and deleted only while the journal's file is locked for writing, so no process deletes a file that
another process has just stored. A file that a crash left without a row is deleted with the next deletion.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, BinaryIO, Literal

from webwx.protocol.codec import clean_text
from webwx.storage.archive_files import finish
from webwx.storage.archived_media import StoredMedium
from webwx.storage.sqlite.bulk import as_list, select

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Collection
    from pathlib import Path

    from webwx.storage.archive_files import MediaFiles
    from webwx.storage.entries import Entry
    from webwx.storage.sqlite.threads import Reader, Writer


class SqliteArchivedMedia:
    """Archived media of one account; `ArchivedMedia` states the guarantees."""

    def __init__(
        self, account: Callable[[], Awaitable[int]], files: MediaFiles, writer: Writer, reader: Reader
    ) -> None:
        self._account = account
        self._files = files
        self._writer = writer
        self._reader = reader

    def begin(self) -> contextlib.AbstractContextManager[tuple[BinaryIO, Path]]:
        """Open a private file to download into, with its path."""
        self._writer.require_open()
        return self._files.begin()

    async def add(self, entry: Entry, part: Path, *, time: float, max_total: int) -> bool:
        """Store a downloaded file as the media of an entry, and return whether the entry still exists."""
        account = await self._account()
        digest, size = await asyncio.to_thread(finish, part)  # in another thread, so other writes do not wait

        def store(db: sqlite3.Connection) -> bool:
            if not _is_there(db, account, entry.number):
                return False
            self._files.take(part, digest)
            _note(db, account, entry, "kept", digest, size, time)
            delete_unnamed(db, self._files, _make_room(db, account, max_total))
            return True

        return await self._writer.do(store)

    async def pass_over(self, entry: Entry, state: Literal["too_large", "unavailable"], *, time: float) -> None:
        """Record that the media of an entry are not archived, and why."""
        account = await self._account()

        def store(db: sqlite3.Connection) -> None:
            if _is_there(db, account, entry.number):
                _note(db, account, entry, state, "", 0, time)

        await self._writer.do(store)

    async def find(self, message_id: str) -> StoredMedium | None:
        """Return the record of a message's media; None if the archive has no record of them."""
        account = await self._account()
        found = await self._reader.do(
            lambda db: select(
                db, ("number", "message_id", "state", "digest", "size"),
                "FROM media WHERE account = ? AND message_id = ? ORDER BY digest = '', number DESC LIMIT 1",
                (account, clean_text(message_id)),
            )
        )  # fmt: skip
        if not found:
            return None
        [[number, message_id, state, digest, size]] = found
        return StoredMedium(
            number=number, message_id=message_id, state=state, size=size, path=str(self._files.find(digest) or "")
        )

    async def drop(self, *, before: float = 0) -> int:
        """Delete files archived before a time (0: all), and return the number of their messages."""
        account = await self._account()

        def store(db: sqlite3.Connection) -> int:
            dropped = select(
                db, ("number", "digest"), "FROM media WHERE account = ? AND digest <> '' AND (time < ? OR ? = 0)",
                (account, before, before),
            )  # fmt: skip
            _drop(db, account, [number for number, _ in dropped])
            delete_unnamed(db, self._files, {digest for _, digest in dropped})
            return len(dropped)

        return await self._writer.do(store)


def delete_unnamed(db: sqlite3.Connection, files: MediaFiles, digests: Collection[str] | None = None) -> None:
    """
    Delete files without a row, in the transaction of the caller.

    Args:
        db: Connection with a write transaction.
        files: The folder of the files.
        digests: Digests of the files to check; None for all files, including those that a crash has left.

    Raises:
        StorageError: A file cannot be deleted.
    """
    names = files.names() if digests is None else set(digests)
    if names:
        named = select(
            db, ("DISTINCT digest",),
            "FROM media WHERE digest <> '' AND digest IN (SELECT value FROM json_each(?))",
            (as_list(sorted(names)),),
        )  # fmt: skip
        files.remove(names - {digest for (digest,) in named})


def _is_there(db: sqlite3.Connection, account: int, number: int) -> bool:
    query = "SELECT 1 FROM entries WHERE number = ? AND account = ? AND batch <> 0"
    return db.execute(query, (number, account)).fetchone() is not None


def _note(db: sqlite3.Connection, account: int, entry: Entry, state: str, digest: str, size: int, time: float) -> None:
    db.execute(
        "INSERT INTO media VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, number) DO UPDATE SET"
        " state = excluded.state, digest = excluded.digest, size = excluded.size, time = excluded.time",
        (account, entry.number, entry.message_id, state, digest, size, time),
    )


def _make_room(db: sqlite3.Connection, account: int, max_total: int) -> set[str]:
    """Drop the oldest media until the limit is met, and return the digests of the dropped files."""
    (total,) = db.execute("SELECT media_size FROM accounts WHERE account = ?", (account,)).fetchone()
    dropped: list[int] = []
    digests: set[str] = set()
    if total > max_total:
        oldest = db.execute(
            "SELECT number, digest, size FROM media INDEXED BY media_oldest"
            " WHERE account = ? AND digest <> '' ORDER BY number",
            (account,),
        )
        for number, digest, size in oldest:
            if total <= max_total:
                break
            dropped.append(number)
            digests.add(digest)
            total -= size
    _drop(db, account, dropped)
    return digests


def _drop(db: sqlite3.Connection, account: int, numbers: Collection[int]) -> None:
    db.execute(
        "UPDATE media SET state = 'dropped', digest = '', size = 0"
        " WHERE account = ? AND number IN (SELECT value FROM json_each(?))",
        (account, as_list(numbers)),
    )
