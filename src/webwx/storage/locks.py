"""
Files that only their owner may read, and locks that end with the process, even after a crash.

A private file is created with its final mode, independent of the umask: if the mode were set afterwards, another user
could open the file in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
from pathlib import Path

from webwx.errors import StorageError

_making = threading.Lock()
"""Held while a file is created: otherwise one thread could still have it open when another has locked it."""


def _forget_making() -> None:
    """Make a lock of the fork's own: another thread of the parent may have held it."""
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_making)


_REMEDIES = {
    errno.ENOSPC: "Make room on its disk",
    errno.EDQUOT: "Make room in your quota",
    errno.EROFS: "Make its folder writable",
    errno.EACCES: "Make its folder writable",
    errno.EPERM: "Make its folder writable",
}


def explain(error: OSError) -> str:
    """Return the message of the system, and a remedy if one is known."""
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{error.strerror}." if remedy is None else f"{error.strerror}. {remedy}."


def make_private_folder(path: Path) -> None:
    """
    Create a folder that only its owner can use, and its missing parents.

    Raises:
        OSError: A folder cannot be created.
    """
    if not path.is_dir():
        # One by one: with `parents=True`, the umask would decide the mode of the parents.
        make_private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def make_private(path: Path) -> None:
    """
    Create an empty file that only its owner can read, and its folder; an existing file must be private already.

    Raises:
        StorageError: The file cannot be created, or others can read it.
    """
    # An existing file is never opened here: closing it would release every lock that SQLite has on it in this process.
    # The next process that closes the file would then delete its log, with all that is written to it afterwards.
    with _making:
        try:
            make_private_folder(path.parent)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as error:
            raise StorageError(f"{path} cannot be opened: {explain(error)}") from None
    if mode & 0o077 and sys.platform != "win32":
        raise StorageError(
            f"{path} can be read by others (mode {mode:04o}), and it holds private messages; "
            f"make it private: chmod 600 '{path}'."
        )


def require_own_folder(path: Path) -> None:
    """
    Check that other users cannot replace files in a folder; the sticky bit, as on /tmp, prevents that.

    Raises:
        StorageError: Other users can replace files there.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:  # opening a file in it fails as well, with a reason
        return
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX and sys.platform != "win32":
        raise StorageError(
            f"Other users can replace files in {path} (mode {mode:04o}); make it private with chmod 700 '{path}'."
        )


def open_lock(path: Path, beside: Path | None = None) -> int:
    """
    Open a lock file; create it and its folder if they are missing.

    A symbolic link is refused, because the lock would be written to another file.

    Args:
        path: Path of the lock file.
        beside: The file that it protects, for the error.

    Raises:
        StorageError: The lock file cannot be created, or is a symbolic link.
    """
    try:
        make_private_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StorageError(f"The lock {path} is a symbolic link; delete it.") from None
        raise StorageError(f"Nothing can be written beside {beside or path}: {explain(error)}") from None


_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""Flag that refuses a symbolic link; Windows does not have it."""


def take_lock(path: Path) -> int | None:
    """
    Take an exclusive lock and return its handle; None if another process or another part of this one holds it.

    The lock ends when its handle is closed or its process ends.

    Raises:
        StorageError: The lock file cannot be created, or is a symbolic link.
    """
    while True:
        handle = open_lock(path)
        try:
            lock(handle, wait=False)
        except OSError:
            os.close(handle)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # the file was deleted in between, and a lock on a deleted file excludes no other process


try:
    import fcntl
except ImportError:  # Windows has its own API for locks
    import msvcrt

    def lock(handle: int, *, wait: bool) -> None:
        """Take the lock of an open file; raise `OSError` if it is taken and `wait` is false."""
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # only there on Windows

    def flush_folder(folder: Path) -> None:
        """Do nothing: Windows stores a rename durably by itself."""

else:

    def lock(handle: int, *, wait: bool) -> None:
        """Take the lock of an open file; raise `OSError` if it is taken and `wait` is false."""
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)

    def flush_folder(folder: Path) -> None:
        """Flush a folder to the disk, so that a rename survives a power failure."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
