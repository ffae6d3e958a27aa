"""Conversations in the file: a transaction that fails stores neither the change nor the acknowledgement."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import UIN, arrival, messages, opened

from webwx.errors import StorageError
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.tables.conversations import ConversationRow

if TYPE_CHECKING:
    from pathlib import Path


def run(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


async def test_a_transaction_that_fails_is_repeated_with_the_change_and_the_acknowledgement(path: Path) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    consumer = await account.consumer("bot")
    await account.ingest(arrival(*messages(1, 2)))
    await consumer.take()
    run(
        path,
        "CREATE TRIGGER broken BEFORE INSERT ON conversations BEGIN SELECT RAISE(ABORT, 'no disk'); END",
    )
    consumer.commit([1], [ConversationRow(key="1", step="a")])
    with pytest.raises(StorageError):
        await consumer.flush()
    found = await consumer.conversation("1")
    assert found is not None
    assert found.step == "a"
    run(path, "DROP TRIGGER broken")
    await consumer.flush()
    await journal.close()

    journal = SqliteJournal(path)
    consumer = await journal.account(UIN).consumer("bot")
    found = await consumer.conversation("1")
    assert found is not None
    assert found.step == "a"
    assert [entry.number for entry in await consumer.take()] == [2]
    await journal.close()


async def test_a_process_that_dies_before_the_repetition_has_stored_neither(path: Path) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    consumer = await account.consumer("bot")
    await account.ingest(arrival(*messages(1, 2)))
    await consumer.take()
    run(
        path,
        "CREATE TRIGGER broken BEFORE INSERT ON conversations BEGIN SELECT RAISE(ABORT, 'no disk'); END",
    )
    consumer.commit([1], [ConversationRow(key="1", step="a")])
    with pytest.raises(StorageError):
        await consumer.flush()
    with contextlib.suppress(StorageError):
        await journal.close()
    run(path, "DROP TRIGGER broken")

    journal = SqliteJournal(path)
    consumer = await journal.account(UIN).consumer("bot")
    assert await consumer.conversation("1") is None
    assert [entry.number for entry in await consumer.take()] == [1, 2]
    await journal.close()
