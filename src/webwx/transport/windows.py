"""
Files on their way up, window by window.

What the system has in memory is taken at once; what it would have to wait for is read in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from webwx.errors import NoSuchFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Self

    from webwx.protocol.http import Buffer, Read


async def read_window(wish: Read) -> bytes:
    """
    Read a piece of a file, in a thread; of what ends before, what there is.

    Raises:
        NoSuchFile: It cannot be read any more.
    """
    if isinstance(wish.source, bytes):
        return wish.source[wish.start : wish.start + wish.size]
    return await asyncio.to_thread(_read_alone, wish)


class Windows:
    """
    Reads a file of several windows.

    It is opened once, so that no file that takes its place is mixed with it.

    Args:
        size: The file's.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._open = contextlib.ExitStack()
        self._file: BinaryIO | None = None
        self._buffer = memoryview(b"")
        self._thread: ThreadPoolExecutor | None = None
        """It alone does what may take long, in turn; there is none before it has something to do."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.submit(self._open.close)  # after what it still reads: whoever cancels need not wait for a disk
            self._thread.shutdown(wait=False)

    async def read(self, wish: Read) -> Buffer:
        """
        Give a window, for as long as no other is asked for; of what ends before, what there is.

        Raises:
            NoSuchFile: It cannot be read any more.
        """
        if isinstance(wish.source, bytes) or self._size <= wish.size:
            return await read_window(wish)
        window = self._from_memory(wish)
        if window is not None:
            return window
        self._thread = self._thread or ThreadPoolExecutor(1)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._from_disk, wish)

    def _from_memory(self, wish: Read) -> memoryview | None:
        """Take a window that the system has read; None if a disk has a say in it, or if the system cannot tell."""
        if sys.platform != "linux" or self._file is None:
            return None
        if not self._buffer:
            self._buffer = memoryview(bytearray(wish.size))
        window = self._buffer[: min(wish.size, self._size - wish.start)]
        with contextlib.suppress(OSError):
            if os.preadv(self._file.fileno(), [window], wish.start, os.RWF_NOWAIT) == len(window):
                return window
        return None

    def _from_disk(self, wish: Read) -> bytes:
        with _unreadable(wish):
            if self._file is None:
                self._file = self._open.enter_context(_opened(wish))
            content = _piece(self._file, wish)
        if sys.platform == "linux":  # while this window is on its way, the next one comes from the disk
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._file.fileno(), wish.start + wish.size, wish.size, os.POSIX_FADV_WILLNEED)
        return content


def _opened(wish: Read) -> AbstractContextManager[BinaryIO]:
    """Open what has a path; what is open stays so."""
    source = wish.source
    assert not isinstance(source, bytes)  # noqa: S101 - they are at hand
    return Path(source).open("rb", buffering=0) if isinstance(source, str) else contextlib.nullcontext(source)


def _piece(file: BinaryIO, wish: Read) -> bytes:
    file.seek(wish.start)
    return file.read(wish.size)


def _read_alone(wish: Read) -> bytes:
    with _unreadable(wish), _opened(wish) as file:
        return _piece(file, wish)


@contextlib.contextmanager
def _unreadable(wish: Read) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        which = f"file {wish.source}" if isinstance(wish.source, str) else "stream's content"
        raise NoSuchFile(f"The {which} cannot be read any more: {error.strerror}.") from None
