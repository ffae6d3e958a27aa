"""How entries are read from the file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.storage.arrivals import FRIEND, OWN, arrival, arrived, message, messages, opened

from webwx.model.events import Arrived
from webwx.storage.sqlite.entries import read_entries, read_rows
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.schema import connect

if TYPE_CHECKING:
    from pathlib import Path


async def filled(path: Path, *items: bytes | Arrived, body: bytes | None = None) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    batch = arrival(*items)
    await account.ingest(batch if body is None else msgspec.structs.replace(batch, body=body))
    await journal.close()


async def test_entries_are_returned_in_the_order_of_their_numbers(path: Path) -> None:
    await filled(path, *messages(10, 5))
    with contextlib.closing(connect(path, is_reader=True)) as db:
        assert [entry.number for entry in read_entries(db, [4, 99, 2, 5])] == [2, 4, 5]
        assert read_entries(db, []) == []


async def test_an_entry_equals_the_arrived_message(path: Path) -> None:
    raw = message(7, "你好😀")
    await filled(path, msgspec.structs.replace(arrived(raw), is_backlog=True))
    with contextlib.closing(connect(path, is_reader=True)) as db:
        (entry,) = read_entries(db, [1])

    assert (entry.number, entry.message_id, entry.chat, entry.own_id) == (1, "7", FRIEND, OWN)
    assert (entry.item.kind, bytes(entry.item.raw), entry.is_backlog) == ("message", raw, True)
    assert repr(entry) == "Entry(1)", "no message text"


async def test_an_item_that_is_not_in_the_body_is_stored_beside_it(path: Path) -> None:
    first, mended, last = messages(1, 3)
    await filled(path, *map(arrived, (first, mended, last)), body=first + b"something broken" + last)
    with contextlib.closing(connect(path, is_reader=True)) as db:
        rows = list(read_rows(db, [1, 2, 3]))
        apart = db.execute("SELECT number FROM entries WHERE raw IS NOT NULL").fetchall()

    assert [row.raw for row in rows] == [first, mended, last]
    assert apart == [(2,)]


async def test_a_batch_is_unpacked_once_for_all_entries_that_are_read_of_it(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt to unpack a damaged body is logged."""
    await filled(path, *messages(1, 100))
    with contextlib.closing(connect(path, is_reader=False)) as db:
        db.execute("UPDATE batches SET body = x'00'")
        entries = read_entries(db, range(1, 101))
    assert {entry.item.kind for entry in entries} == {"damaged"}
    assert len(caplog.records) == 1
