"""
Files that only their owner may read, replaced atomically.

A private file is created with its final mode, independent of the umask: if the mode were set afterwards, another user
could open the file in between.
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
    Write or replace a file atomically: readers see the old or the new content, never a part, even after a crash.

    Raises:
        StorageError: The file cannot be written; the old one is unchanged.
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
