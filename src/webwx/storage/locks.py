"""
Files that are their owner's alone, and locks that end with the process, however that ends.

What is private must be so from the first syscall, whatever the umask: a mode that is mended later leaves a moment in
which somebody may already have opened the file.
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
"""Two threads do not make one file: the first would still have it open when the other has locked it."""


_REMEDIES = {
    errno.ENOSPC: "Make room on its disk",
    errno.EDQUOT: "Make room in your quota",
    errno.EROFS: "Make its folder writable",
    errno.EACCES: "Make its folder writable",
    errno.EPERM: "Make its folder writable",
}


def explain(error: OSError) -> str:
    """Return what the system says, and what helps."""
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{error.strerror}." if remedy is None else f"{error.strerror}. {remedy}."


def make_private_folder(path: Path) -> None:
    """
    Make a folder for such files, and those above it, unless they are there.

    Raises:
        OSError: It cannot be made.
    """
    if not path.is_dir():
        # One by one: `parents=True` would leave the mode of those above to the umask.
        make_private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def make_private(path: Path) -> None:
    """
    Make an empty file that only its owner can read, with the folder it lies in; one that is there must be so already.

    Raises:
        StorageError: It cannot be made, or others can read it.
    """
    # A file that is there is never opened here: to close it again would end every lock that SQLite has on it in this
    # process, and whoever else closes it then takes its log away, with all that is written to it afterwards.
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
            f"{path} can be read by others (mode {mode:04o}), and it holds what was said to you; "
            f"make it yours alone: chmod 600 '{path}'."
        )


def require_own_folder(path: Path) -> None:
    """
    Refuse a folder in which other users can replace files; the sticky bit, as /tmp has it, prevents that.

    Raises:
        StorageError: Other users can replace files there.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:  # opening a file in it fails as well, and says why
        return
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX and sys.platform != "win32":
        raise StorageError(
            f"Other users can replace files in {path} (mode {mode:04o}); make it private with chmod 700 '{path}'."
        )


def open_lock(path: Path, beside: Path | None = None) -> int:
    """
    Open the file of a lock, which is made when needed, with the folder it lies in.

    A symbolic link is refused: it would have another file written to.

    Args:
        path: The lock's.
        beside: The file that it locks, for the error.

    Raises:
        StorageError: It cannot be made, or is a symbolic link.
    """
    try:
        make_private_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StorageError(f"The lock {path} is a symbolic link; delete it.") from None
        raise StorageError(f"Nothing can be written beside {beside or path}: {explain(error)}") from None


_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""Windows has no such flag."""


def take_lock(path: Path) -> int | None:
    """
    Take an exclusive lock; None when another process or another part of this one holds it.

    The lock ends when its handle is closed or its process ends.

    Raises:
        StorageError: The lock's file cannot be made, or is a symbolic link.
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
except ImportError:  # Windows has a lock of its own kind
    import msvcrt

    def lock(handle: int, *, wait: bool) -> None:
        """Take the lock of an open file; `OSError` when it is taken and nobody wants to wait."""
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # only there on Windows

    def flush_folder(folder: Path) -> None:
        """Windows keeps a rename without being asked."""

else:

    def lock(handle: int, *, wait: bool) -> None:
        """Take the lock of an open file; `OSError` when it is taken and nobody wants to wait."""
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)

    def flush_folder(folder: Path) -> None:
        """Make a rename outlive a loss of power."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
