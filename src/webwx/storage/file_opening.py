"""Open a file in a thread, so that a slow disk does not stop the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from pathlib import Path


async def open_file(path: Path, mode: Literal["rb", "wb", "ab"]) -> BinaryIO:
    """
    Open a file.

    A cancelled call leaves no file open: a thread that is still opening it then closes it.

    Raises:
        OSError: The file cannot be opened.
    """
    opened: list[BinaryIO] = []
    is_left = threading.Event()

    def open_there() -> BinaryIO:
        file = path.open(mode)
        opened.append(file)
        if is_left.is_set():
            file.close()
        return file

    try:
        return await asyncio.to_thread(open_there)
    except asyncio.CancelledError:
        is_left.set()
        for file in opened:
            file.close()
        raise
