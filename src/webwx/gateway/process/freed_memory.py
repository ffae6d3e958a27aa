"""
Freed memory, which is returned to the system from time to time.

The C library of most Linux systems (glibc) keeps freed memory between memory in use. After a start with a hundred
accounts that is a third of the process, and the accounts do not need it again once they are idle.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = 30.0
"""Seconds between two returns; each takes a few milliseconds of a thread."""


async def return_freed_memory() -> None:
    """Return freed memory to the system, without end; return at once where the C library has no function for it."""
    trim = find_malloc_trim()
    while trim is not None:
        await asyncio.sleep(EVERY)
        await asyncio.to_thread(trim, 0)


def find_malloc_trim() -> Callable[[int], int] | None:
    """Return the function of glibc that returns freed memory; None on other systems."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim
