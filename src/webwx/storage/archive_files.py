"""
The files of the media archive, in one private folder.

A file is named by the digest of its bytes, so a picture that came in ten chats is stored once, and a damaged copy is
never confused with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from typing import TYPE_CHECKING, BinaryIO

from webwx.errors import StorageError
from webwx.storage.locks import flush_folder, make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LEFT_BEHIND = 86_400.0
"""Seconds after which an unfinished file counts as left by a dead process."""

_WINDOW = 512 * 1024


class MediaFiles:
    """
    The folder of one journal.

    Args:
        folder: Path of the folder; it is created when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Path = folder

    def __repr__(self) -> str:
        return f"MediaFiles({str(self.folder)!r})"

    @contextlib.contextmanager
    def begin(self) -> Iterator[tuple[BinaryIO, Path]]:
        """
        Open a private file to write, with its path; it is deleted on exit unless it was renamed.

        Raises:
            StorageError: The folder is not writable.
        """
        part = self.folder / f".{secrets.token_hex(8)}.part"
        try:
            make_private_folder(self.folder)
            handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise StorageError(f"No media can be stored in {self.folder}: {error.strerror}.") from None
        try:
            with os.fdopen(handle, "w+b", buffering=0) as file:
                yield file, part
        finally:
            part.unlink(missing_ok=True)

    def find(self, digest: str) -> Path | None:
        """Return the path of the file with a digest; None if no file has this digest."""
        path = self.folder / digest
        return path if digest and path.is_file() else None

    def take(self, part: Path, digest: str) -> None:
        """
        Rename a written file to its digest.

        Raises:
            StorageError: The file cannot be renamed.
        """
        try:
            part.replace(self.folder / digest)
            flush_folder(self.folder)
        except OSError as error:
            raise StorageError(f"No media can be stored in {self.folder}: {error.strerror}.") from None

    def names(self) -> set[str]:
        """
        Return the names of all files except those that may be incomplete.

        Raises:
            StorageError: The folder cannot be read.
        """
        begun_since = time.time() - LEFT_BEHIND
        try:
            if not self.folder.is_dir():
                return set()
            return {
                entry.name
                for entry in os.scandir(self.folder)
                if not entry.name.startswith(".") or entry.stat().st_mtime < begun_since
            }
        except OSError as error:
            raise StorageError(f"The media in {self.folder} cannot be listed: {error.strerror}.") from None

    def remove(self, names: Iterable[str]) -> None:
        """
        Delete files by their names.

        Raises:
            StorageError: A file cannot be deleted.
        """
        try:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"The media in {self.folder} cannot be deleted: {error.strerror}.") from None

    def delete(self) -> None:
        """
        Delete the folder with all its files.

        Raises:
            OSError: The folder cannot be deleted.
        """
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                path.unlink(missing_ok=True)
            self.folder.rmdir()


def finish(part: Path) -> tuple[str, int]:
    """
    Flush a written file to the disk, and return the digest and the size of its bytes.

    Raises:
        StorageError: The file cannot be stored.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("r+b", buffering=0) as file:
            while window := file.read(_WINDOW):
                digest.update(window)
                size += len(window)
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"A downloaded file cannot be stored: {error.strerror}.") from None
    return digest.hexdigest(), size
