"""Turns of the event loop, for tests that need other tasks to go on and must not wait for time."""

from __future__ import annotations

import asyncio


async def let_others_run() -> None:
    """Return after the other tasks had several turns, enough to read what is in their sockets and to begin to wait."""
    for _ in range(10):
        await asyncio.sleep(0)
