"""The loop with a virtual clock: the clock stands still while a thread is working."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from tests.client.virtual_loop import run_with_virtual_clock

from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path


def work_for_long(_: bytes = b"") -> bytes:
    """Work for some real time outside the loop."""
    return hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000)


def test_the_clock_stands_still_while_a_journal_works(tmp_path: Path) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        journal = SqliteJournal(tmp_path / "me.journal")
        part = journal.account(1)
        sleeping = asyncio.create_task(asyncio.sleep(600))
        assert await part.change_state("a test", work_for_long) == await part.state("a test")
        assert loop.time() == 0
        await sleeping
        assert loop.time() == 600
        await journal.close()

    run_with_virtual_clock(work)


def test_the_clock_stands_still_while_an_executor_works() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        sleeping = asyncio.create_task(asyncio.sleep(600))
        await asyncio.to_thread(work_for_long)
        assert loop.time() == 0
        await sleeping

    run_with_virtual_clock(work)
