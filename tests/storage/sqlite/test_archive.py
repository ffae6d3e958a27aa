"""Media in the archive: private files that are deleted with their messages only."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.storage.archived_media import contents, keep, receive
from tests.storage.arrivals import message

from webwx.errors import StorageError
from webwx.storage.archive_files import LEFT_BEHIND, MediaFiles
from webwx.storage.entries import EntryQuery
from webwx.storage.sqlite.contacts import RosterCompaction
from webwx.storage.sqlite.index import Index
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal
from webwx.storage.sqlite.log_room import LogRoom
from webwx.storage.sqlite.retention import Retention
from webwx.storage.sqlite.schema import connect

if TYPE_CHECKING:
    pass


@pytest.fixture
def folder(path: Path) -> Path:
    return path.with_name("me.journal.kept")


def is_there(folder: Path) -> bool:
    return folder.exists()


def put_a_file_in_place_of(folder: Path) -> None:
    folder.touch()


async def test_the_next_deletion_removes_files_of_a_crash_but_not_unfinished_ones(
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


async def test_retention_deletes_files_with_their_messages(account: SqliteAccount, path: Path, folder: Path) -> None:
    now = time.time()
    [old] = await receive(account, message(1), at=now - 20 * 86_400)
    await keep(account, old, b"old")
    [new] = await receive(account, message(2), at=now)
    await keep(account, new, b"new")
    index = Index()
    retention = Retention(
        index,
        10 * 86_400,
        dict,
        MediaFiles(path.with_name(f"{path.name}.kept")),
        compaction=RosterCompaction(),
        log_room=LogRoom(path),
    )
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


async def test_a_disk_that_cannot_be_written_is_a_storage_error(account: SqliteAccount, folder: Path) -> None:
    put_a_file_in_place_of(folder)
    with pytest.raises(StorageError, match="No media can be stored"), account.media.begin():
        pass


async def test_recalls_stored_by_an_older_webwx_are_found(account: SqliteAccount, path: Path) -> None:
    await receive(account, message(1), message(2))
    assert await account.find(EntryQuery(is_notice=True)) == []
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE entries SET is_notice = NULL WHERE message_id = '1'")

    assert [entry.message_id for entry in await account.find(EntryQuery(is_notice=True))] == ["1"]
