"""
A process that runs for a long time: it logs in repeatedly, handles events, sends large files, and measures its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from tests.soak.checker import JOURNAL, Notebook

from webwx.bot.chat_queues import DeliveryCounts
from webwx.bot.delivery import deliver
from webwx.client.client import AsyncClient
from webwx.model.messages import FileMessage
from webwx.storage.entries import EntryQuery
from webwx.storage.login import LoginFile
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from webwx.bot.context import Context
    from webwx.model.messages import Event

WEIGHTS = "weights.jsonl"
LOGIN = "veteran.json"

WARM_LOGINS = 10
"""Logins after which every cache is full."""

_EVERY = 1_000
"""Messages between two reports."""


class MemoryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a measurement."""

    after: str
    """`logins`, `messages` or `files`; with `warm ` before it for the measurement after which growth counts."""
    mebibytes: float = 0.0
    handled: int = 0


async def settled(client: AsyncClient, journal: SqliteJournal) -> float:
    """
    Return the memory of this process in MiB, when the journal has identified all contacts and indexed all entries.
    """
    await client.list_identities()
    account = journal.account(client.account.uin)
    newest = await account.find(EntryQuery(limit=1))
    while newest and (await account.stats()).indexed < newest[-1].number:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.05)
    return weigh()


def weigh() -> float:
    """
    Return the memory of this process in MiB, after garbage collection and after the allocator returned its free memory.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    found = re.search(r"^Rss:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


async def run(server: str, folder: Path, *, logins: int, warm: int, messages: int, size: int) -> None:
    """Run all phases; the server confirms logins by itself."""
    journal = SqliteJournal(folder / JOURNAL)
    async with AsyncClient(server=server, store=LoginFile(folder / LOGIN), journal=journal) as client:
        with Notebook(folder / WEIGHTS) as notebook:
            for number in range(logins):
                await client.login(show_qr=lambda _: None)
                await client.list_contacts()
                async for _ in client.events("bot", follow=False):
                    pass
                notebook.note(
                    MemoryFigures(
                        after="warm logins" if number == WARM_LOGINS else "", mebibytes=await settled(client, journal)
                    )
                )
                if number < logins - 1:
                    await client.logout()
            notebook.note(MemoryFigures(after="logins", mebibytes=await settled(client, journal)))
            await _handle(client, journal, notebook, warm, messages)
            await _move(client, journal, notebook, folder, size)
    await journal.close()


async def _handle(client: AsyncClient, journal: SqliteJournal, notebook: Notebook, warm: int, messages: int) -> None:
    """Deliver this many messages."""
    handled, warm_up, all_handled = 0, asyncio.Event(), asyncio.Event()

    async def handle(ctx: Context, event: Event) -> None:
        nonlocal handled
        handled += 1
        if handled % _EVERY == 0:
            notebook.note(MemoryFigures(after="", handled=handled))
        if handled == warm:
            warm_up.set()
        if handled == messages:
            all_handled.set()

    work = asyncio.create_task(deliver(client, handle, counts=DeliveryCounts()))
    for reached, name in ((warm_up, "warm messages"), (all_handled, "messages")):
        await reached.wait()
        notebook.note(MemoryFigures(after=name, mebibytes=await settled(client, journal)))
    work.cancel()
    await asyncio.wait([work])


async def _move(client: AsyncClient, journal: SqliteJournal, notebook: Notebook, folder: Path, size: int) -> None:
    """Send a file and download it; measure the peak memory."""
    path, heaviest = folder / "large.bin", 0.0

    async def watch() -> None:
        nonlocal heaviest
        while True:
            heaviest = max(heaviest, weigh())
            await asyncio.sleep(0.2)

    for is_warm in (True, False):
        path.write_bytes(b"")
        with path.open("wb") as file:
            file.truncate(2_000_000 if is_warm else size)
        before, heaviest = await settled(client, journal), 0.0
        watching = asyncio.create_task(watch())
        await client.send_file("filehelper", path)
        async with client.events("bot") as events:
            async for event in events:
                if isinstance(event, FileMessage):
                    await client.download_to(event, folder / f"{is_warm}.bin")
                    break
            await events.ack()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        if not is_warm:
            notebook.note(MemoryFigures(after="warm files", mebibytes=before))
            notebook.note(MemoryFigures(after="files", mebibytes=heaviest))
