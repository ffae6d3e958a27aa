"""Kept media: private files that go with their messages, and with nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.store.arrivals import FRIEND, ROOM, UIN, arrival, message, opened

from webwx.errors import StorageError
from webwx.model.events import ContinuityLost, event_from_item
from webwx.store.index import Index
from webwx.store.kept import KEEPER, LEFT_BEHIND, KeptFiles
from webwx.store.people import Thinning
from webwx.store.retention import Retention
from webwx.store.schema import connect
from webwx.store.sqlite import SqliteAccount, SqliteJournal

if TYPE_CHECKING:
    from webwx.store.journal import Entry

ALL = 10**9


@pytest.fixture
def folder(path: Path) -> Path:
    return path.with_name("me.journal.kept")


async def receive(account: SqliteAccount, *raws: bytes, at: float | None = None) -> list[Entry]:
    """Take messages in and give their entries."""
    await account.ingest(arrival(*raws, at=at))
    return (await account.entries(limit=len(raws)))[-len(raws) :]


async def keep(
    account: SqliteAccount, entry: Entry, content: bytes, *, max_total: int = ALL, at: float = 1_000.0
) -> bool:
    with account.kept.begin() as (file, part):
        file.write(content)
        return await account.kept.add(entry, part, time=at, max_total=max_total)


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def contents(folder: Path) -> list[bytes]:
    return sorted(each.read_bytes() for each in folder.iterdir())


def is_there(folder: Path) -> bool:
    return folder.exists()


def empty(folder: Path) -> None:
    for each in folder.iterdir():
        each.unlink()


def put_a_file_in_place_of(folder: Path) -> None:
    folder.touch()


async def test_what_is_kept_is_found_by_its_message(account: SqliteAccount) -> None:
    one, other = await receive(account, message(1), message(2))
    assert await keep(account, one, b"shown")
    await account.kept.pass_over(other, "too_large", time=1.0)

    found, passed_over = await account.kept.find("1"), await account.kept.find("2")
    assert found is not None
    assert (found.number, found.state, found.size) == (one.number, "kept", 5)
    assert contents(Path(found.path).parent) == [b"shown"]
    assert passed_over is not None
    assert (passed_over.state, passed_over.path) == ("too_large", "")
    assert await account.kept.find("3") is None
    assert (await account.stats()).kept_size == 5


async def test_the_same_bytes_are_kept_once_and_until_the_last_message_goes(
    account: SqliteAccount, folder: Path
) -> None:
    one, other = await receive(account, message(1), message(2, chat=ROOM))
    await keep(account, one, b"shown")
    await keep(account, other, b"shown")
    assert contents(folder) == [b"shown"]

    await account.purge(chats=[FRIEND])
    assert contents(folder) == [b"shown"]
    await account.purge(chats=[ROOM])
    assert contents(folder) == []


async def test_what_makes_room_takes_no_bytes_that_another_message_shows(account: SqliteAccount, folder: Path) -> None:
    one, same, other = await receive(account, message(1), message(2), message(3))
    await keep(account, one, b"shown")
    await keep(account, same, b"shown")
    await keep(account, other, b"other", max_total=10)

    assert contents(folder) == [b"other", b"shown"]
    states = [found.state for number in "123" if (found := await account.kept.find(number))]
    assert states == ["dropped", "kept", "kept"]


async def test_a_message_that_is_deleted_while_it_is_fetched_leaves_nothing(
    account: SqliteAccount, folder: Path
) -> None:
    [entry] = await receive(account, message(1))
    await account.purge(chats=[FRIEND])

    assert not await keep(account, entry, b"shown")
    await account.kept.pass_over(entry, "unavailable", time=1.0)
    assert names(folder) == set()
    assert await account.kept.find("1") is None


async def test_what_nobody_finishes_is_gone(account: SqliteAccount, folder: Path) -> None:
    with account.kept.begin() as (file, _):
        file.write(b"half of it")
        assert len(names(folder)) == 1
    assert names(folder) == set()


async def test_what_a_crash_leaves_goes_with_the_next_deletion_but_not_what_is_being_written(
    account: SqliteAccount, folder: Path
) -> None:
    [entry] = await receive(account, message(1))
    await keep(account, entry, b"shown")
    (folder / ("0" * 64)).write_bytes(b"renamed, and never noted")
    (folder / ".old.part").write_bytes(b"begun long ago")
    os.utime(folder / ".old.part", (0, time.time() - LEFT_BEHIND - 60))
    (folder / ".new.part").write_bytes(b"being written")
    await account.purge(before=1)

    assert contents(folder) == [b"being written", b"shown"]


async def test_retention_takes_bytes_with_their_messages(account: SqliteAccount, path: Path, folder: Path) -> None:
    now = time.time()
    [old] = await receive(account, message(1), at=now - 20 * 86_400)
    await keep(account, old, b"old")
    [new] = await receive(account, message(2), at=now)
    await keep(account, new, b"new")
    index = Index()
    retention = Retention(index, 10 * 86_400, dict, KeptFiles(path), thinning=Thinning())
    with contextlib.closing(connect(path)) as db:
        index.fill(db, 5_000)
        while retention.work(db, is_idle=True) == 0.0:
            pass

    assert contents(folder) == [b"new"]


async def test_deleting_the_journal_deletes_the_folder(
    journal: SqliteJournal, account: SqliteAccount, folder: Path
) -> None:
    [entry] = await receive(account, message(1))
    await keep(account, entry, b"shown")
    await journal.delete()

    assert not is_there(folder)


async def test_one_account_drops_nothing_of_another_s(journal: SqliteJournal, account: SqliteAccount) -> None:
    other = await opened(journal, UIN + 1)
    for each in (account, other):
        [entry] = await receive(each, message(1))
        await keep(each, entry, b"shown", at=100.0)
    await keep(other, (await receive(other, message(2)))[0], b"later", at=200.0)

    assert await other.kept.drop(before=150.0) == 1
    assert await other.kept.drop() == 1
    found = await account.kept.find("1")
    assert found is not None
    assert found.path


async def test_a_file_that_somebody_has_deleted_is_not_there(account: SqliteAccount, folder: Path) -> None:
    [entry] = await receive(account, message(1))
    await keep(account, entry, b"shown")
    empty(folder)

    found = await account.kept.find("1")
    assert found is not None
    assert not found.path


async def test_a_disk_that_takes_nothing_is_a_storage_error(account: SqliteAccount, folder: Path) -> None:
    put_a_file_in_place_of(folder)
    with pytest.raises(StorageError, match="Nothing can be kept"), account.kept.begin():
        pass


async def test_the_keeper_s_place_makes_no_gaps(account: SqliteAccount) -> None:
    keeper, reader = await account.consumer(KEEPER), await account.consumer("reader")
    await receive(account, message(1), message(2))
    for entry in await reader.take(2):
        reader.ack(entry.number)
    await reader.flush()
    await account.purge(before=2**40)

    left = [event_from_item(entry.item, entry.own_id) async for entry in account.export()]
    assert [event for event in left if isinstance(event, ContinuityLost) and event.reason == "purged"] == []
    await keeper.close()


async def test_whoever_keeps_loses_nothing_to_somebody_else_who_deletes(path: Path, folder: Path) -> None:
    one, other = SqliteJournal(path), SqliteJournal(path)
    try:
        here = await opened(one)
        entries = await receive(here, *(message(number) for number in range(1, 21)))

        async def sweep() -> None:
            for _ in range(20):
                await other.account(UIN).kept.drop(before=1.0)

        async def keep_all() -> None:
            for number, entry in enumerate(entries):
                await keep(here, entry, b"%d" % number)

        await asyncio.gather(keep_all(), sweep())
        assert len(contents(folder)) == 20
    finally:
        await one.close()
        await other.close()


async def test_notices_of_an_older_webwx_are_looked_at_too(account: SqliteAccount, path: Path) -> None:
    await receive(account, message(1), message(2))
    assert await account.notices() == []
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE entries SET is_notice = NULL WHERE message_id = '1'")

    assert [entry.message_id for entry in await account.notices()] == ["1"]
