"""
Files of sends, kept until their sends are settled.

A send file is a hard link to the given file, so it needs no space, and the given file may be deleted meanwhile. In a
database that several machines share, the file of a background send is stored there as well, because another machine may
take the account over; the links are then copies for the present owner only.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from typing import TYPE_CHECKING, Protocol

from webwx.errors import StorageError
from webwx.override import override
from webwx.storage.file_opening import open_file
from webwx.storage.locks import explain, make_private, make_private_folder

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from webwx.gateway.sends.background_sends import QueuedSend
    from webwx.storage.leases import SendFiles


class AccountSendFiles(Protocol):
    """The files of the sends of one account."""

    def path(self, name: str) -> Path:
        """Return the path of a file by its name."""
        ...

    async def keep(self, path: Path) -> str:
        """
        Keep a file in this process, and return its name.

        Raises:
            StorageError: The file is gone, or the folder is not writable.
        """
        ...

    async def discard(self, name: str) -> None:
        """Delete a file that no background send has, if it is there."""
        ...

    async def store(self, send: QueuedSend) -> None:
        """
        Store the file of a send for the next owner, before the row of the send names it.

        Raises:
            StorageError: The file is not stored, or another process has taken the account over.
        """
        ...

    async def fetch(self, send: QueuedSend) -> None:
        """
        Copy the file of a background send to its path, unless it is there, or is not stored any more.

        Raises:
            StorageError: The file cannot be read or copied now.
        """
        ...

    async def delete(self, send: QueuedSend) -> None:
        """
        Delete the file of a background send, if it is there.

        Raises:
            StorageError: The file may not be deleted everywhere.
        """
        ...

    async def delete_all_but(self, sends: Collection[QueuedSend]) -> None:
        """
        Delete the files that a killed process has left behind.

        Raises:
            StorageError: Not all files are deleted, or this process does not own the account.
        """
        ...


class FolderSendFiles(AccountSendFiles):
    """
    Send files in a folder that no other process uses; `AccountSendFiles` states the guarantees.

    Args:
        folder: The folder for them; nothing else is in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return "FolderSendFiles()"

    @override
    def path(self, name: str) -> Path:
        return self._folder / name

    async def keep(self, path: Path) -> str:
        """Keep a file, and return its name."""
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

    @override
    async def discard(self, name: str) -> None:
        await asyncio.to_thread(self.path(name).unlink, missing_ok=True)

    async def store(self, send: QueuedSend) -> None:
        """Do nothing: the file is there for the next process."""

    async def fetch(self, send: QueuedSend) -> None:
        """Do nothing: the file is at its path."""

    @override
    async def delete(self, send: QueuedSend) -> None:
        await self.discard(send.file)

    @override
    async def delete_all_but(self, sends: Collection[QueuedSend]) -> None:
        await asyncio.to_thread(self._delete_all_but, {send.file for send in sends})

    def _delete_all_but(self, names: Collection[str]) -> None:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in names:
                    path.unlink(missing_ok=True)


class SharedSendFiles(FolderSendFiles):
    """
    Send files of an account that several machines share; `AccountSendFiles` states the guarantees.

    A file is stored in the database by the number of its send, and as a copy by its name.

    Args:
        folder: The folder for the copies of this process.
        files: The files in the database.
    """

    def __init__(self, folder: Path, files: SendFiles) -> None:
        super().__init__(folder)
        self._files = files

    def __repr__(self) -> str:
        return "SharedSendFiles()"

    async def store(self, send: QueuedSend) -> None:
        """Store a file in the database."""
        try:
            with await open_file(self.path(send.file), "rb") as file:
                await self._files.put(send.number, file)
        except OSError as error:
            raise StorageError(f"The file cannot be stored until it is sent: {explain(error)}") from None

    async def fetch(self, send: QueuedSend) -> None:
        """Copy the file of a background send from the database, unless this process has a copy."""
        path = self.path(send.file)
        if await asyncio.to_thread(path.exists):
            return
        part = path.with_name(f"{path.name}.part")
        try:
            await asyncio.to_thread(part.unlink, missing_ok=True)
            await asyncio.to_thread(make_private, part)
            with await open_file(part, "wb") as file:
                is_complete = await self._files.copy_to(send.number, file)
            if is_complete:
                await asyncio.to_thread(part.replace, path)
        except OSError as error:
            raise StorageError(f"The file of a queued send cannot be copied: {explain(error)}") from None
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)

    async def delete(self, send: QueuedSend) -> None:
        """Delete the file of a background send here and in the database."""
        await super().delete(send)
        await self._files.delete(send.number)

    async def delete_all_but(self, sends: Collection[QueuedSend]) -> None:
        """Delete the files that a killed process has left behind, here and in the database."""
        await super().delete_all_but(sends)
        await self._files.delete_all_but([send.number for send in sends])
