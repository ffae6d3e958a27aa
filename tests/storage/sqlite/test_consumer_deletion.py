"""The deletion of a consumer while other processes open consumers in the same file."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import UIN, arrival, messages, opened

from webwx.errors import AlreadyRunning
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def journals(tmp_path: Path) -> AsyncIterator[tuple[SqliteJournal, SqliteJournal]]:
    async with SqliteJournal(tmp_path / "j") as one, SqliteJournal(tmp_path / "j") as other:
        yield one, other


async def test_a_consumer_that_is_deleted_while_it_is_opened_starts_as_a_new_one(
    journals: tuple[SqliteJournal, SqliteJournal],
) -> None:
    one, other = journals
    account = await opened(one)
    await account.ingest(arrival(*messages(1, 2)))
    for _ in range(30):
        opening = asyncio.ensure_future(account.consumer("bot", since="beginning"))
        deleting = asyncio.ensure_future(other.account(UIN).forget_consumer("bot"))
        done = await asyncio.gather(opening, deleting, return_exceptions=True)
        assert all(not isinstance(each, BaseException) or isinstance(each, AlreadyRunning) for each in done)
        with contextlib.suppress(AlreadyRunning):
            bot = await opening
            assert [entry.number for entry in await bot.take()] == [1, 2]
            assert [each.name for each in await account.consumers()] == ["bot"]
            await bot.close()


async def test_the_place_of_a_deleted_consumer_is_used_again_by_one_consumer_at_a_time(
    journals: tuple[SqliteJournal, SqliteJournal],
) -> None:
    one, other = journals
    account, elsewhere = await opened(one), await opened(other)
    for name in ("first", "second"):
        consumer = await account.consumer(name)
        with pytest.raises(AlreadyRunning):
            await elsewhere.consumer(name)
        await consumer.close()
        assert await elsewhere.forget_consumer(name)
        assert await account.consumers() == await elsewhere.consumers() == []


async def test_a_deleted_consumer_leaves_neither_rows_nor_files(
    journals: tuple[SqliteJournal, SqliteJournal], tmp_path: Path
) -> None:
    one, other = journals
    account = await opened(one)
    await account.ingest(arrival(*messages(1, 5)))
    kept = await account.consumer("bot", since="beginning")
    before = {each.name for each in tmp_path.iterdir()}
    for number in range(3):
        consumer = await account.consumer(f"webhook-{number}", since="beginning")
        await consumer.take()
        consumer.ack(2)
        await consumer.close()
        assert await other.account(UIN).forget_consumer(f"webhook-{number}")
    assert {each.name for each in tmp_path.iterdir()} == before
    await kept.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "j")) as db:
        rows = {
            table: db.execute(f"SELECT count(DISTINCT consumer) FROM {table}").fetchone()[0]
            for table in ("consumers", "acked_ahead", "failures", "crashes", "conversations")
        }
        tokens = db.execute("SELECT count(*) FROM states WHERE name LIKE 'opening of consumer %'").fetchone()[0]
    assert rows == {"consumers": 1, "acked_ahead": 0, "failures": 0, "crashes": 0, "conversations": 0}
    assert tokens == 1
