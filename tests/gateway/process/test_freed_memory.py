"""The return of freed memory to the system."""

from __future__ import annotations

import asyncio
import ctypes
import sys

import pytest

from webwx.gateway.process import freed_memory
from webwx.gateway.process.freed_memory import find_malloc_trim, return_freed_memory

HAS_GLIBC = sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "malloc_trim")


@pytest.mark.skipif(not HAS_GLIBC, reason="only glibc has the function")
async def test_freed_memory_is_returned_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def trim(padding: int) -> int:
        loop.call_soon_threadsafe(calls.put_nowait, padding)
        return 1

    found = find_malloc_trim()
    assert found is not None
    assert found(0) in {0, 1}
    monkeypatch.setattr(freed_memory, "EVERY", 0.001)
    monkeypatch.setattr(freed_memory, "find_malloc_trim", lambda: trim)
    returning = asyncio.ensure_future(return_freed_memory())
    assert [await calls.get() for _ in range(3)] == [0, 0, 0]
    returning.cancel()


async def test_nothing_is_returned_where_the_system_has_no_function_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_malloc_trim() is None
    await return_freed_memory()
