"""A bot with one chat whose handler hangs until the end; it writes down how long the others waited."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from tests.soak.bot import LOGIN
from tests.soak.checker import JOURNAL

from webwx.bot.delivery import deliver
from webwx.client.client import AsyncClient
from webwx.model.messages import TextMessage
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from webwx.bot.context import Context
    from webwx.model.messages import Event

HANG = "hang"
"""How a text begins whose handler waits for the file `open`; the others are the time at which they were said."""

OPEN = "open"
WAITED = "waited.json"


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down at the end, in seconds."""

    others: list[float]
    """From when a text was said until its handler was called."""
    lags: list[float]
    """By how much each of many short sleeps was too long."""
    hung: int
    """Texts that were handled once the door was open."""


async def run(server: str, folder: Path, *, others: int, hanging: int) -> None:
    """Handle so many texts of either kind."""
    waited: list[float] = []
    lags: list[float] = []
    hung = 0
    is_done = asyncio.Event()

    async def handle(ctx: Context, event: Event) -> None:
        nonlocal hung
        if not isinstance(event, TextMessage):
            return
        if event.text.startswith(HANG):
            while not (folder / OPEN).exists():  # noqa: ASYNC110 - it is another process that opens it
                await asyncio.sleep(0.1)
            hung += 1
        else:
            waited.append(time.monotonic() - float(event.text))
        if (len(waited), hung) == (others, hanging):
            is_done.set()

    async def watch() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.01)
            lags.append(time.perf_counter() - begun - 0.01)

    journal = SqliteJournal(folder / JOURNAL)
    async with AsyncClient(server=server, store=LoginFile(folder / LOGIN), journal=journal) as client:
        await client.resume()
        tasks = [asyncio.create_task(deliver(client, handle)), asyncio.create_task(watch())]
        await is_done.wait()
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    await journal.close()
    (folder / WAITED).write_bytes(msgspec.json.encode(Waited(others=waited, lags=lags, hung=hung)))
