"""The bot, with a journal that writes down how long each batch takes to be stored."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tests.soak import bot

from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from webwx.storage.base import Arrival
    from webwx.storage.sqlite.journal import SqliteAccount

STORED = "stored.json"
"""Seconds that each batch took, in a file of the folder."""


class Metered:
    """An account's part of a journal, as it is, but for the watch."""

    def __init__(self, part: SqliteAccount, seconds: list[float]) -> None:
        self._part = part
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    async def ingest(self, arrival: Arrival) -> int:
        """Store a batch: from the moment it is handed in until whoever waits knows of the commit."""
        begun = time.perf_counter()
        count = await self._part.ingest(arrival)
        self._seconds.append(time.perf_counter() - begun)
        return count


class MeteredJournal(SqliteJournal):
    """A journal whose batches are timed."""

    def __init__(self, path: Path, *, seconds: list[float]) -> None:
        super().__init__(path)
        self._seconds = seconds

    def account(self, uin: int) -> Any:
        return Metered(super().account(uin), self._seconds)


async def run(server: str, folder: Path) -> None:
    """Be the bot until SIGTERM."""
    seconds: list[float] = []
    await bot.run(server, folder, make_journal=partial(MeteredJournal, seconds=seconds))
    (folder / STORED).write_bytes(msgspec.json.encode(seconds))
