"""
Folders that only one process uses, and that are deleted when it closes them or ends.

Beside each folder is a lock file, whose lock its process holds. A process that was killed deletes nothing, but its lock
is free; so the first private folder of each process deletes the folders of dead processes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path

from webwx.errors import StorageError
from webwx.storage.locks import explain, take_lock

_PREFIX = "webwx-private-"

_MEMORY = Path("/dev/shm")  # noqa: S108 - everything there is in private folders


_ROOM = 256 * 1024 * 1024
"""Bytes that must be free in memory for a private folder; the default of containers is 64 MB in all."""


def memory_folder(room: int = _ROOM) -> Path:
    """Return a folder whose files are in memory if it has this many free bytes, otherwise that of temporary files."""
    with contextlib.suppress(OSError):
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= room:
            return _MEMORY
    return Path(tempfile.gettempdir())


class PrivateFolder:
    """A folder that is created by `make`, and deleted by `delete` or at the exit of its process."""

    def __init__(self) -> None:
        self.path: Path = memory_folder() / f"{_PREFIX}{secrets.token_hex(8)}"
        self._guard = threading.Lock()
        self._lock: int | None = None
        """The handle of the lock file; None before `make` and after `delete`."""
        self._process = 0
        """Id of the process that has created the folder."""
        self._is_deleted = False

    def __repr__(self) -> str:
        return f"PrivateFolder({str(self.path)!r})"

    def make(self) -> None:
        """
        Create the folder if it does not exist yet.

        Raises:
            StorageError: It was deleted, or cannot be created.
        """
        with self._guard:
            if self._is_deleted:
                raise StorageError("This journal was closed, and its private folder was deleted.")
            if self._lock is not None:
                return
            for place in {self.path.parent, _MEMORY}:
                _delete_left_once(place)
            lock = take_lock(_lock_of(self.path))
            assert lock is not None  # noqa: S101 - no other process knows this name
            try:
                self.path.mkdir(mode=0o700)
            except OSError as error:
                _delete(self.path, lock)
                raise StorageError(f"{self.path} cannot be created: {explain(error)}") from None
            self._lock, self._process = lock, os.getpid()
            atexit.register(self.delete)

    def delete(self) -> None:
        """Delete the folder with all its files; in a fork of its process, leave it to that process."""
        with self._guard:
            self._is_deleted = True
            lock, self._lock = self._lock, None
            if lock is None or self._process != os.getpid():
                return
            atexit.unregister(self.delete)
            _delete(self.path, lock)


def _lock_of(folder: Path) -> Path:
    """Return the path of a folder's lock file, which is beside it: so the folder never exists without a lock."""
    return folder.with_name(f"{folder.name}.lock")


def _delete(folder: Path, lock: int) -> None:
    """Delete a folder and its lock file, whose lock this process holds."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)  # before its file is deleted, which Windows requires
    with contextlib.suppress(OSError):
        _lock_of(folder).unlink()


def delete_left(place: Path) -> None:
    """Delete the private folders that dead processes have left in a folder."""
    for path in place.glob(f"{_PREFIX}*.lock"):
        with contextlib.suppress(StorageError, OSError):  # of another user, or just deleted by another process
            lock = take_lock(path)
            if lock is not None:
                _delete(path.with_suffix(""), lock)


_delete_left_once = cache(delete_left)
