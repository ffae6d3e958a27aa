"""The bot, with a journal that records how long it takes to store each batch."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tests.soak import bot

from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from webwx.storage.entries import Arrival
    from webwx.storage.sqlite.journal import SqliteAccount

STORED = "stored.json"
"""File in the folder with the seconds for each batch."""


class Metered:
    """An account of a journal that measures the time of each batch."""

    def __init__(self, part: SqliteAccount, seconds: list[float]) -> None:
        self._part = part
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    async def ingest(self, arrival: Arrival) -> int:
        """Store a batch, and measure the time until the caller continues after the commit."""
        begun = time.perf_counter()
        count = await self._part.ingest(arrival)
        self._seconds.append(time.perf_counter() - begun)
        return count


class MeteredJournal(SqliteJournal):
    """A journal that measures the time of its batches."""

    def __init__(self, path: Path, *, seconds: list[float]) -> None:
        super().__init__(path)
        self._seconds = seconds

    def account(self, uin: int) -> Any:
        return Metered(super().account(uin), self._seconds)


async def run(server: str, folder: Path) -> None:
    """Run the bot until SIGTERM."""
    seconds: list[float] = []
    await bot.run(server, folder, make_journal=partial(MeteredJournal, seconds=seconds))
    (folder / STORED).write_bytes(msgspec.json.encode(seconds))
