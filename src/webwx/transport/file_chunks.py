"""
Files to upload, chunk by chunk.

Data in the system's page cache is read at once; data that needs the disk is read in a thread. Before the last chunk is
returned, the file must still be the announced one: by its digest, or, at no cost, by its inode and its times if those
are sure to show a change. A file that was renamed or replaced meanwhile has another inode time and the same content; it
is read once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from webwx.errors import LocalStateError, NoSuchFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Self

    from webwx.protocol.http import Buffer, Read


SETTLED_AFTER = 0.1
"""Seconds after a change until a further one is sure to have another time: the ticks of kernels are 10 ms at most."""

SETTLED_AFTER_COARSE = 2.5
"""As `SETTLED_AFTER`, for file systems with ticks of up to two seconds, such as FAT."""

_FINE = 10_000_000
"""Nanoseconds; a time that is not a multiple of this comes from a file system with a finer tick."""

_PIECE = 1024 * 1024
"""Bytes of a file that are digested at a time."""

FileStamp = tuple[int, int, int, int, int]
"""Fields of a file's stat that a change of the file changes: device, inode, size, content time and inode time."""


def stamp_of(file: BinaryIO) -> FileStamp:
    """Return the stat fields of an open file that differ after a change."""
    about = os.fstat(file.fileno())
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def is_settled(stamp: FileStamp) -> bool:
    """Return whether every later change of the file would change its times; on Windows some changes do not."""
    *_, changed = stamp
    wait = SETTLED_AFTER if changed % _FINE else SETTLED_AFTER_COARSE
    return os.name == "posix" and changed < (time.time() - wait) * 1e9


async def read_window(wanted: Read) -> bytes:
    """
    Read a piece of a file in a thread; it is shorter at the end of the file.

    Raises:
        NoSuchFile: The file cannot be read any more.
    """
    if isinstance(wanted.source, bytes):
        return wanted.source[wanted.start : wanted.start + wanted.size]
    return await asyncio.to_thread(_read_alone, wanted)


class FileChunks:
    """
    Reads a file of several chunks.

    The file is opened once, so that a file that replaces it is not mixed in. The last chunk can be read again and is
    equal.

    Args:
        size: Size of the file.
        md5: The announced digest, in hex; empty if the file cannot change.
        stamp: Stat of the file when that digest was computed, if every later change is visible in it; else the chunks
            are digested as they are read, in order.
    """

    def __init__(self, size: int, md5: str = "", stamp: FileStamp | None = None) -> None:
        self._size = size
        self._md5 = md5
        self._stamp = stamp
        self._digest = hashlib.md5(usedforsecurity=False)
        self._digested = 0
        self._last: tuple[int, Buffer] | None = None
        self._open = contextlib.ExitStack()
        self._file: BinaryIO | None = None
        self._buffer = memoryview(b"")
        self._thread: ThreadPoolExecutor | None = None
        """Thread for slow reads, one at a time; created on first use."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.submit(self._open.close)  # after the current read: a cancelled caller need not wait for a disk
            self._thread.shutdown(wait=False)

    async def read(self, wanted: Read) -> Buffer:
        """
        Return a chunk, valid until another one is requested; it is shorter at the end of the file.

        Raises:
            NoSuchFile: The file cannot be read any more.
            LocalStateError: The file is not the announced one any more; then the last chunk is never returned.
        """
        if isinstance(wanted.source, bytes):
            return await read_window(wanted)
        if self._last is not None and self._last[0] == wanted.start:
            return self._last[1]
        self._last = None  # its buffer is about to take another window
        window: Buffer | None = self._from_memory(wanted)
        if window is None and self._size <= wanted.size:
            window = await read_window(wanted)
        elif window is None:
            self._thread = self._thread or ThreadPoolExecutor(1)
            window = await asyncio.get_running_loop().run_in_executor(self._thread, self._from_disk, wanted)
        if self._md5:
            await self._check(wanted, window)
        self._last = wanted.start, window
        return window

    async def _check(self, wanted: Read, window: Buffer) -> None:
        is_last = wanted.start + wanted.size >= self._size
        if self._stamp is not None and self._file is not None:
            is_same = not is_last or await self._is_same(self._file, self._stamp)
        else:
            if wanted.start == self._digested:
                self._digest.update(window)
                self._digested += len(window)
            is_same = not is_last or self._digest.hexdigest() == self._md5
        if not is_same:
            raise LocalStateError("The file was changed during the upload; no message was sent.")

    async def _is_same(self, file: BinaryIO, stamp: FileStamp) -> bool:
        """Return whether an open file is the announced one."""
        *now, inode_time = stamp_of(file)
        if (*now, inode_time) == stamp:
            return True
        if tuple(now) != stamp[:-1]:
            return False
        self._thread = self._thread or ThreadPoolExecutor(1)
        return await asyncio.get_running_loop().run_in_executor(self._thread, _digest_of, file) == self._md5

    def _from_memory(self, wanted: Read) -> memoryview | None:
        """Return a chunk from the page cache; None if it needs the disk, or if the system cannot tell."""
        if sys.platform != "linux" or self._file is None:
            return None
        if not self._buffer:
            self._buffer = memoryview(bytearray(wanted.size))
        window = self._buffer[: min(wanted.size, self._size - wanted.start)]
        with contextlib.suppress(OSError):
            if os.preadv(self._file.fileno(), [window], wanted.start, os.RWF_NOWAIT) == len(window):
                return window
        return None

    def _from_disk(self, wanted: Read) -> bytes:
        with _unreadable(wanted):
            if self._file is None:
                self._file = self._open.enter_context(_opened(wanted))
            content = _piece(self._file, wanted)
        if sys.platform == "linux":  # while this window is on its way, the next one comes from the disk
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._file.fileno(), wanted.start + wanted.size, wanted.size, os.POSIX_FADV_WILLNEED)
        return content


def _opened(wanted: Read) -> AbstractContextManager[BinaryIO]:
    """Open a path; return an open file unchanged."""
    source = wanted.source
    assert not isinstance(source, bytes)  # noqa: S101 - they are at hand
    return Path(source).open("rb", buffering=0) if isinstance(source, str) else contextlib.nullcontext(source)


def _piece(file: BinaryIO, wanted: Read) -> bytes:
    file.seek(wanted.start)
    return file.read(wanted.size)


def _digest_of(file: BinaryIO) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _read_alone(wanted: Read) -> bytes:
    with _unreadable(wanted), _opened(wanted) as file:
        return _piece(file, wanted)


@contextlib.contextmanager
def _unreadable(wanted: Read) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        which = f"file {wanted.source!r}" if isinstance(wanted.source, str) else "stream's content"
        raise NoSuchFile(f"The {which} cannot be read any more: {error.strerror}.") from None
