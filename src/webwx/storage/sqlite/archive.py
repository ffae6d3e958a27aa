"""
The bytes of archived media: private files beside the journal.

Files are renamed and deleted only while the journal's file is locked for writing, so no process deletes a file that
another process has just stored. A file that a crash left without a row is deleted with the next deletion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from webwx.override import override
from webwx.storage.tables.media import MediaBytes, unnamed

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager
    from pathlib import Path

    from webwx.storage.archive_files import MediaFiles
    from webwx.storage.engine.port import Statements
    from webwx.storage.sqlite.threads import Writer


class SqliteMediaBytes(MediaBytes):
    """
    The bytes of media of all accounts of a file; `MediaBytes` states the guarantees.

    Args:
        files: The folder of the files.
        writer: The thread that writes.
    """

    def __init__(self, files: MediaFiles, writer: Writer) -> None:
        self._files = files
        self._writer = writer

    def __repr__(self) -> str:
        return f"SqliteMediaBytes({self._files!r})"

    @override
    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        self._writer.require_open()
        return self._files.begin()

    async def store(self, db: Statements, part: Path, digest: str, size: int) -> None:
        """Rename a written file to its digest."""
        del db, size  # the file is locked for writing, and has its size
        self._files.take(part, digest)

    async def delete(self, db: Statements, digests: Collection[str]) -> None:
        """Delete those of some files that no row of any account names any more."""
        await delete_unnamed(db, self._files, digests)

    async def find(self, digest: str, size: int) -> Path | None:
        """Return the path of a file; None if it is missing."""
        del size
        return self._files.find(digest)


async def delete_unnamed(db: Statements, files: MediaFiles, digests: Collection[str] | None = None) -> None:
    """
    Delete files without a row, in the transaction of the caller.

    Args:
        db: The statements of the transaction.
        files: The folder of the files.
        digests: Digests of the files to check; None for all files, including those that a crash has left.

    Raises:
        StorageError: A file cannot be deleted.
    """
    names = files.names() if digests is None else set(digests)
    if names:
        files.remove(await unnamed(db, names, in_all_accounts=True))
