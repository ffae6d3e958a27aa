"""
The bytes of archived media: a table with pieces of them, and local copies for reading.

All pieces belong to one account, so the lock on the account's row orders deletion and reuse.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from webwx.errors import StorageError
from webwx.override import override
from webwx.storage.archive_files import MediaFiles, finish
from webwx.storage.engine.port import Select
from webwx.storage.file_opening import open_file
from webwx.storage.tables.media import MediaBytes, unnamed

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from webwx.storage.engine.port import Statements, Tables

PIECE = 512 * 1024
"""Bytes of a piece."""

MOST_COPIED = 256 * 1024 * 1024
"""Maximum number of bytes of the copies on this machine; the oldest ones are deleted to stay below it."""


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


class _NumberOfPiece(NamedTuple):
    piece: int


class _PieceRow(NamedTuple):
    bytes: bytes


_KNOWN = Select(_NumberOfPiece, "SELECT piece FROM media_pieces WHERE account = $0 AND digest = $1 LIMIT 1")
_PIECE = Select(_PieceRow, "SELECT bytes FROM media_pieces WHERE account = $0 AND digest = $1 AND piece = $2")
_ADD = "INSERT INTO media_pieces (account, digest, piece, bytes) VALUES ($0, $1, $2, $3)"
_DELETE = "DELETE FROM media_pieces WHERE account = $0 AND digest = ANY ($1::varchar[])"


class PostgresMediaBytes(MediaBytes):
    """
    The bytes of one account's media; `MediaBytes` states the guarantees.

    Args:
        tables: The account's tables.
        copies: The copies on this machine.
    """

    def __init__(self, tables: Tables, copies: LocalCopies) -> None:
        self._tables = tables
        self._copies = copies

    def __repr__(self) -> str:
        return "PostgresMediaBytes(***)"

    @override
    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        return self._copies.files.begin()

    async def store(self, db: Statements, part: Path, digest: str, size: int) -> None:
        """Store a written file, and keep it as the copy on this machine."""
        if await db.one(_KNOWN, digest) is None:
            with await open_file(part, "rb") as file:
                number = 0
                while piece := await asyncio.to_thread(file.read, PIECE):
                    await db.change(_ADD, digest, number, piece)
                    number += 1
        await asyncio.to_thread(self._copies.keep, part, digest, size)

    async def delete(self, db: Statements, digests: Collection[str]) -> None:
        """Delete those of some files that no row of the account names any more."""
        await delete_unnamed(db, self._copies, digests)

    async def find(self, digest: str, size: int) -> Path | None:
        """Return the path of a copy, which is written if it does not exist yet."""
        if digest in self._copies:
            return self._copies.find(digest)
        with self._copies.files.begin() as (file, part):
            number = 0
            while number * PIECE < size:
                row = await self._tables.read(lambda db, number=number: db.one(_PIECE, digest, number))  # type: ignore[misc]
                if row is None:  # it was deleted meanwhile
                    return None
                await asyncio.to_thread(file.write, row.bytes)
                number += 1
            if (await asyncio.to_thread(finish, part))[0] != digest:
                raise StorageError("An archived file is damaged.")
            self._copies.keep(part, digest, size)
        return self._copies.find(digest)


async def delete_unnamed(db: Statements, copies: LocalCopies, digests: Collection[str]) -> None:
    """Delete those of some files that no row of the account names any more, and their copies."""
    gone = await unnamed(db, digests, in_all_accounts=False) if digests else set()
    if gone:
        await db.change(_DELETE, sorted(gone))
        await asyncio.to_thread(copies.remove, gone)
