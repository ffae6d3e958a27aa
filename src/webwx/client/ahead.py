"""Reading ahead: while one window of a file is on its way, the next is read."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from webwx.transport.run import read_file, read_window

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from webwx.protocol.http import Read


class Ahead:
    """
    Reads a file window by window, one further than was wished for.

    It has a thread of its own: what several threads allocate in turn stays with each of them.

    Args:
        size: The file's.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._thread = ThreadPoolExecutor(1)  # begun when there is something to read
        self._next: Read | None = None
        self._begun: Future[bytes] | None = None
        """What is likely to be wished for next. The loop is told of it only if it is still read when it is wanted."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, asyncio.CancelledError):  # whoever cancels need not wait for a disk
            await self._settle()
        self._thread.shutdown(wait=False)

    async def read(self, wish: Read) -> bytes:
        """
        Give a window; of what ends before, what there is.

        Raises:
            NoSuchFile: It cannot be read any more.
        """
        if isinstance(wish.source, bytes) or self._size <= wish.size:
            return await read_window(wish)
        begun = self._begun
        if begun is not None and self._next == wish:
            content = begun.result() if begun.done() else await asyncio.wrap_future(begun)
        else:
            await self._settle()
            content = await read_window(wish, self._thread)
        after = self._next = msgspec.structs.replace(wish, start=wish.start + wish.size)
        self._begun = None
        if after.start < self._size:
            self._begun = self._thread.submit(read_file, wish.source, after.start, after.size)
        return content

    async def _settle(self) -> None:
        """Wait for what is being read in vain: a file that is open can only be read by one at a time."""
        if self._begun is not None:
            await asyncio.gather(asyncio.wrap_future(self._begun), return_exceptions=True)  # nobody need know
