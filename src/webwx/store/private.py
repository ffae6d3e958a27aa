"""
Files that only their owner may read, replaced in one piece.

What is private must be so from the first syscall, whatever the umask: a mode that is mended later leaves a moment in
which somebody may already have opened the file.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING

from webwx.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


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


def write_private(path: Path, content: bytes) -> None:
    """
    Write a file, or replace it: whoever opens it, also after a crash, finds the old or the new one whole.

    Raises:
        StorageError: The disk does not take it; the old one is still there.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        make_private_folder(path.parent)
        try:
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            _flush_folder(path.parent)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from None


def _flush_folder(folder: Path) -> None:
    """Make a rename outlive a loss of power; Windows does so without being asked."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
