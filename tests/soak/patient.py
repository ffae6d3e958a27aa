"""A bot whose handler hangs in one chat until the end; it records how long the texts of other chats waited."""

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
"""Beginning of a text whose handler waits for the file `open`; all other texts are the time at which they were sent."""

OPEN = "open"
WAITED = "waited.json"


class Waited(msgspec.Struct, frozen=True, kw_only=True):
    """The measured times in seconds."""

    others: list[float]
    """From the send of a text to the call of its handler."""
    lags: list[float]
    """Lateness of each of many short sleeps."""
    hung: int
    """Texts that were handled after the file `open` existed."""


async def run(server: str, folder: Path, *, others: int, hanging: int) -> None:
    """Handle this many texts of either kind."""
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
