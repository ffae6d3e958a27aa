"""
Downloaded media of messages, kept for the next request up to a limit of bytes and age.

The oldest files are removed first, and never one that is in use: `get` returns an object, and the file stays as long as
that object exists.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from weakref import WeakValueDictionary

from webwx.gateway.accounts.account import DownloadedMedia
from webwx.gateway.config import LimitsTable
from webwx.storage.locks import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

_TRIM_EVERY = 3600.0
"""Seconds between two checks for files that are too old."""

_DAY = 86_400.0


class _Stored(NamedTuple):
    """A file in the cache; the older ones sort first."""

    time: float
    size: int
    folder: Path


class MediaCache:
    """
    The downloaded media of all accounts: one folder for each message.

    Args:
        folder: The folder for them; nothing else is in it.
        limits: Returns the limits, which may change.
        clock: Returns seconds since 1970.
    """

    def __init__(self, folder: Path, limits: Callable[[], LimitsTable], clock: Callable[[], float]) -> None:
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._used: WeakValueDictionary[Path, DownloadedMedia] = WeakValueDictionary()
        """Files in use, by their folder."""
        self._turns: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()
        """Locks of the messages whose media are looked up or downloaded now, by their folder."""
        self._size = 0
        """Bytes of the cache at the last check, and those downloaded since."""
        self._trimming = asyncio.Lock()

    def __repr__(self) -> str:
        return "MediaCache()"

    async def get(self, account: int, number: int, download: Callable[[Path], Awaitable[Path]]) -> DownloadedMedia:
        """
        Return the media of a message, downloaded if necessary.

        Args:
            account: Number of the account.
            number: Number of the message's event.
            download: Downloads the media into a folder, and returns the path of the file.
        """
        folder = self._folder / f"{account}" / f"{number}"
        turn = self._turns.setdefault(folder, asyncio.Lock())
        async with turn:
            file = self._used.get(folder)
            if file is None:
                path = await asyncio.to_thread(_only_file, folder)
                file = self._used[folder] = DownloadedMedia(path=path or await self._download(folder, download))
        if self._size > self._limits().media:
            await self.trim()
        return file

    async def _download(self, folder: Path, download: Callable[[Path], Awaitable[Path]]) -> Path:
        await asyncio.to_thread(make_private_folder, folder)
        path = await download(folder)
        now = self._clock()
        await asyncio.to_thread(os.utime, path, (now, now))
        self._size += path.stat().st_size
        return path

    async def trim(self) -> None:
        """Remove what is too old, and then the oldest files until the rest is within the limit of bytes."""
        async with self._trimming:
            limits, now = self._limits(), self._clock()
            stored = await asyncio.to_thread(lambda: sorted(self._walk()))
            self._size = sum(each.size for each in stored)
            for each in stored:
                if self._size <= limits.media and now - each.time <= limits.media_days * _DAY:
                    break
                if each.folder not in self._used and each.folder not in self._turns:
                    # Not in a thread: nothing else may begin to use the file meanwhile.
                    shutil.rmtree(each.folder, ignore_errors=True)
                    self._size -= each.size

    def _walk(self) -> Iterator[_Stored]:
        """Yield the complete files."""
        for folder in self._folder.glob("*/*"):
            path = _only_file(folder)
            if path is not None:
                about = path.stat()
                yield _Stored(about.st_mtime, about.st_size, folder)

    async def run(self) -> NoReturn:
        """Remove what is too old or too much now, and then once an hour."""
        while True:
            await self.trim()
            await asyncio.sleep(_TRIM_EVERY)


def _only_file(folder: Path) -> Path | None:
    """Return the complete file in a folder; None if the folder has no complete file."""
    if not folder.is_dir():
        return None
    return next((path for path in folder.iterdir() if not path.name.startswith(".")), None)
