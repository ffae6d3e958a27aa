"""
Files of sends, kept until their sends are settled.

A kept file is a hard link to the given file, so it needs no space, and the given file may be deleted meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.locks import explain, make_private_folder

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class KeptFiles:
    """
    The kept files of one account.

    Args:
        folder: The folder for them; nothing else is in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return "KeptFiles()"

    def path(self, name: str) -> Path:
        """Return the path of a kept file."""
        return self._folder / name

    async def keep(self, path: Path) -> str:
        """
        Keep a file, and return the name of the kept one.

        Raises:
            StorageError: The file is gone, or the folder is not writable.
        """
        name = secrets.token_hex(16)
        try:
            await asyncio.to_thread(self._keep, path, self.path(name))
        except OSError as error:
            raise StorageError(f"The file cannot be kept until it is sent: {explain(error)}") from None
        return name

    def _keep(self, path: Path, kept: Path) -> None:
        make_private_folder(self._folder)
        try:
            os.link(path, kept)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without links, such as FAT
            shutil.copyfile(path, kept)

    async def delete(self, name: str) -> None:
        """Delete a kept file, if it is there."""
        await asyncio.to_thread(self.path(name).unlink, missing_ok=True)

    async def delete_all_but(self, names: Collection[str]) -> None:
        """Delete the kept files that a killed process has left behind."""
        await asyncio.to_thread(self._delete_all_but, frozenset(names))

    def _delete_all_but(self, names: frozenset[str]) -> None:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in names:
                    path.unlink()
