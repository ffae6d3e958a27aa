"""
Files that only their owner may read, replaced in one piece.

What is private must be so from the first syscall, whatever the umask: a mode that is mended later leaves a moment in
which somebody may already have opened the file.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.locks import explain, flush_folder, make_private_folder

if TYPE_CHECKING:
    from pathlib import Path


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
            flush_folder(path.parent)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {explain(error)}") from None
