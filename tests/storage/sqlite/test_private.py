"""A journal and records in a private folder; tests/storage_contract tests the rest of the engine."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, UIN, arrival, message, opened

from webwx.errors import StorageError
from webwx.storage.entries import EntryQuery
from webwx.storage.open import open_records
from webwx.storage.sqlite.private import PrivateJournal

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal

LEAVE = """
import asyncio
from webwx import PrivateJournal

async def leave():
    account = PrivateJournal().account(1)
    await account.open_login("@me", b"", 1.0, [])
    with account.media.begin() as (_, part):
        print(part.parent.parent)

asyncio.run(leave())
"""


def folder_of(account: AccountJournal) -> Path:
    """Return the folder of a private journal."""
    with account.media.begin() as (_, part):
        return part.parent.parent


def open_mode_of(db: sqlite3.Connection) -> list[int]:
    """Return SQLite's `synchronous` of a connection, 0 if it does not wait for the disk; nothing if it is closed."""
    try:
        return [int(mode) for (mode,) in db.execute("PRAGMA synchronous")]
    except sqlite3.ProgrammingError:
        return []


async def test_the_folder_is_private_and_deleted_with_the_journal() -> None:
    async with PrivateJournal() as journal:
        account = await opened(journal)
        await account.ingest(arrival(message(1)))
        (entry,) = await account.find(EntryQuery())
        with account.media.begin() as (file, part):
            file.write(b"shown")
            await account.media.add(entry, part, time=1.0, max_total=100)
        folder = folder_of(account)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not [each for each in folder.rglob("*") if each.stat().st_mode & 0o077]
    assert not folder.exists()


async def test_a_closed_journal_refuses_calls_and_leaves_no_folder() -> None:
    journal = PrivateJournal()
    account = await opened(journal)
    folder = folder_of(account)
    await journal.close()
    with pytest.raises(StorageError, match="closed"):
        await account.stats()
    with pytest.raises(StorageError, match="closed"), account.media.begin():
        pass
    with pytest.raises(StorageError, match="closed"):
        await account.outbox.sending(1, 1.0, OWN)
    with pytest.raises(StorageError, match="closed"):
        journal.account(UIN)
    with pytest.raises(StorageError, match="closed"):
        await journal.accounts()
    assert not folder.exists()


def test_a_journal_is_closed_at_the_end_of_its_block_without_a_loop() -> None:
    with PrivateJournal() as journal:
        folder = folder_of(asyncio.run(opened(journal)))
        assert folder.exists()
    assert not folder.exists()


async def test_a_block_without_a_loop_is_refused_in_a_loop() -> None:
    with pytest.raises(RuntimeError, match="async with"), PrivateJournal():
        pass


async def test_a_cancelled_task_closes_its_journal() -> None:
    folders: list[Path] = []

    async def wait() -> None:
        async with PrivateJournal() as journal:
            folders.append(folder_of(await opened(journal)))
            task.cancel()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.wait([task])
    assert task.cancelled()
    assert not folders[0].exists()


def test_a_journal_that_is_not_closed_is_deleted_at_the_exit_of_its_program() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVE], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not Path(done.stdout.strip()).exists()


async def test_two_journals_share_nothing_and_no_other_process_changes_one() -> None:
    async with PrivateJournal() as journal, PrivateJournal() as other:
        await opened(journal)
        assert await journal.accounts() == [UIN]
        assert await other.accounts() == []
        assert journal.fingerprint(UIN) is None


async def test_no_commit_waits_for_a_disk_and_no_log_is_extended_in_advance(monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*values: object, **options: object) -> sqlite3.Connection:
        connections.append(connect(*values, **options))  # type: ignore[call-overload]  # as it was called
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    async with PrivateJournal() as journal:
        account = await opened(journal)
        await account.consumer("bot", stays=True)
        assert sum(each.stat().st_size for each in folder_of(account).iterdir()) < 1024 * 1024
        modes = [mode for each in connections for mode in open_mode_of(each)]
    assert modes
    assert set(modes) == {0}


async def test_closed_records_are_deleted_and_their_backup_stays(tmp_path: Path) -> None:
    records = open_records("memory:")
    await records.put("key", "a", b"1", version=0, time=1.0)
    await records.backup(tmp_path / "copy.db")
    await records.close()
    await records.close()
    with pytest.raises(StorageError, match="closed"):
        await records.get("key", "a")

    copy = open_records(tmp_path / "copy.db")
    assert [each.id for each in await copy.find("key")] == ["a"]
    await copy.close()
