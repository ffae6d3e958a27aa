"""A copied account is the same in the other engine: nothing is missing, and work goes on where it was."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, UIN, arrival, everything, message, messages, opened
from tests.storage.damage import damage
from tests.storage.filled import contents, fill
from tests.storage.phone import NOW

from webwx.errors import AlreadyRunning, StorageError
from webwx.storage.account_folder import LoginName
from webwx.storage.entries import EntryQuery
from webwx.storage.open import open_journal_file, open_storage, open_transfer
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.tables.registry import OF_ACCOUNTS
from webwx.storage.transfer import Ordinals, copy_journal, release

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import TemporarySchema


NAME = LoginName("work", "wx.qq.com")


@pytest.mark.verify
async def test_an_account_is_the_same_after_a_copy_into_a_database_and_back(
    schema: TemporarySchema, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.journal", tmp_path / "second.journal"
    async with SqliteJournal(tmp_path / "origin.journal", retention_days=0) as origin:
        await fill(origin)
        await origin.backup(first)  # what a process leaves that is killed now
        shutil.copytree(tmp_path / "origin.journal.kept", tmp_path / "first.journal.kept")
    journal = open_journal_file(first, retention_days=0)
    await release(journal)
    expected = await contents(journal.account(UIN))
    await journal.close()

    seen: list[tuple[str, int]] = []
    [counted] = await copy_journal(
        open_transfer(first, NAME), open_transfer(schema.url, NAME), lambda *each: seen.append(each)
    )
    assert set(counted) == {*(table.name for table in OF_ACCOUNTS), "files"}
    assert [table for table, count in counted.items() if not count] == [], "fill() in filled.py stores no row of these"
    assert dict(seen) == counted
    storage = open_storage(schema.url, retention_days=0)
    stored = storage.journal(NAME)
    assert await stored.accounts() == [UIN]
    assert await contents(stored.account(UIN)) == expected
    await storage.close()

    await copy_journal(open_transfer(schema.url, NAME), open_transfer(second, NAME))
    journal = open_journal_file(second, retention_days=0)
    assert await contents(journal.account(UIN)) == expected
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith((".part", ".part-wal"))] == []

    bot = await journal.account(UIN).consumer("bot")
    assert [(each.number, each.attempt) for each in await bot.take()][:2] == [(2, 3), (5, 2)]  # a crash counts
    conversation = await bot.conversation("@ann")
    assert conversation is not None
    assert (conversation.step, conversation.deadline) == ("name", NOW)
    await bot.close()
    last = expected[0][0].number  # type: ignore[index]  # a list of entries
    account = journal.account(UIN)
    assert await account.position(OWN) == b"here"
    assert await account.ingest(arrival(messages(5, 2)[0], message(100))) == 1  # one is known
    assert (await account.find(EntryQuery(limit=1)))[0].number == last + 1
    send = await account.outbox.add(client_id="x", chat=FRIEND, kind="text", text="", key="", time=1.0)
    assert send.number == 6  # the number of a removed send is not used again
    await journal.close()


@pytest.mark.verify
async def test_a_journal_with_a_damaged_batch_can_be_copied_into_a_database_and_back(
    schema: TemporarySchema, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.journal", tmp_path / "second.journal"
    async with SqliteJournal(first, retention_days=0) as original:
        account = await opened(original)
        for number in (1, 2, 3):
            await account.ingest(arrival(message(number)))
    damage(first, 2)
    await copy_journal(open_transfer(first, NAME), open_transfer(schema.url, NAME))
    await copy_journal(open_transfer(schema.url, NAME), open_transfer(second, NAME))
    journal = open_journal_file(second, retention_days=0)
    assert [each.item.kind for each in await everything(journal.account(UIN))] == ["message", "damaged", "message"]
    await journal.close()


async def test_a_journal_in_use_is_not_released(tmp_path: Path) -> None:
    journal, other = (open_journal_file(tmp_path / "me.journal", retention_days=0) for _ in range(2))
    account = journal.account(UIN)
    await account.open_login(OWN, b"1", 1_000.0, [])
    bot = await account.consumer("bot")
    with pytest.raises(AlreadyRunning):
        await release(other)
    await bot.close()
    await release(other)
    await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="", key="", time=1.0, state="sending")
    with pytest.raises(StorageError, match="in progress"):
        await release(other)
    await journal.close()
    await other.close()


def test_rows_are_numbered_from_one_and_zero_is_none() -> None:
    ordinals = Ordinals([70, 80])
    ordinals.add(95)
    assert [ordinals.number(each) for each in (0, 70, 80, 95)] == [0, 1, 2, 3]
    assert [ordinals.row(each) for each in range(4)] == [0, 70, 80, 95]
