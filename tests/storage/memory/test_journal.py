"""Behaviour of a journal in memory alone; tests/storage_contract tests the rest."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, UIN, arrival, ids, message, messages, opened

from webwx.errors import StorageError
from webwx.storage.base import EntryQuery, SendQuery
from webwx.storage.memory import journal as journal_module
from webwx.storage.memory.journal import MemoryJournal

if TYPE_CHECKING:
    from webwx.storage.memory.journal import MemoryAccount


async def kept_folder(account: MemoryAccount) -> Path:
    """Store a picture in the archive, and return the folder of its file."""
    await account.ingest(arrival(message(1)))
    (entry,) = await account.find(EntryQuery())
    with account.media.begin() as (file, part):
        file.write(b"shown")
        await account.media.add(entry, part, time=1.0, max_total=100)
    return part.parent


@pytest.mark.parametrize("how", ["close", "forget"])
async def test_media_are_in_a_temporary_folder_that_is_deleted_with_the_journal(how: str) -> None:
    journal = MemoryJournal()
    folder = await kept_folder(await opened(journal))
    assert [each.read_bytes() for each in folder.iterdir()] == [b"shown"]
    if how == "close":
        await journal.close()
    del journal
    gc.collect()

    assert not folder.exists()


async def test_the_journal_is_closed_at_the_end_of_its_block() -> None:
    async with MemoryJournal() as journal:
        account = await opened(journal)
    with pytest.raises(StorageError, match="closed"):
        await account.stats()
    with pytest.raises(StorageError, match="closed"), account.media.begin():
        pass
    with MemoryJournal() as other:
        account = other.account(UIN)
    with pytest.raises(StorageError, match="closed"):
        await account.stats()


async def test_a_consumer_gets_entries_that_another_loop_stores() -> None:
    journal = MemoryJournal()
    account = await opened(journal)
    consumer = await account.consumer("bot")
    await asyncio.to_thread(asyncio.run, account.ingest(arrival(*messages(1, 2))))

    assert ids(await consumer.take()) == ["1", "2"]


async def test_the_size_of_quarantined_messages_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "QUARANTINE", 3)
    account = await opened(MemoryJournal())
    await account.ingest(arrival(*[b'{"NoMsgId": %d}' % number for number in range(5)], message(100)))

    assert (await account.stats()).quarantined == 3
    assert [entry.number for entry in await account.find(EntryQuery())] == [6, 5, 4, 3]


async def test_old_sends_and_contacts_of_old_logins_are_deleted() -> None:
    account = await opened(MemoryJournal(retention_days=10))
    await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1_000.0)
    await account.ingest(arrival(message(1)))

    assert await account.outbox.find(SendQuery()) == []


def test_it_needs_no_database() -> None:
    program = "import sys, webwx; webwx.MemoryJournal(); print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
