"""A check of a journal from outside."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.model.contacts import FILEHELPER
from webwx.storage.sqlite.checkup import check_up, copied
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A journal with two sends and a consumer."""
    path = tmp_path / "a ?#.journal"
    journal = SqliteJournal(path, retention_days=0)
    account = journal.account(1)
    for client_id in ("1", "2"):
        await account.outbox.add(client_id=client_id, chat=FILEHELPER, kind="text", text="geheim", key="", time=1.0)
    await account.consumer("listen")
    await journal.close()
    return path


def test_a_check_counts_the_rows_and_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    found = check_up(path)
    assert (found.accounts, found.entries, found.sends, found.consumers) == (1, 0, 2, 1)
    assert found.is_sound
    assert "geheim" not in repr(found)
    assert path.read_bytes() == before


def test_damage_is_reported(path: Path) -> None:
    with sqlite3.connect(path) as db:
        (page,) = db.execute("PRAGMA page_size").fetchone()
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'outbox'").fetchone()
        db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * page + 8)
        file.write(os.urandom(64))
    try:
        is_sound = check_up(path).is_sound
    except StorageError:
        is_sound = False
    assert not is_sound


def test_a_check_of_another_or_missing_file_fails_and_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        check_up(tmp_path / "none.journal")
    assert list(tmp_path.iterdir()) == []
    other = tmp_path / "other.journal"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE a (b)")
    db.close()
    with pytest.raises(StorageError, match="not a journal"):
        check_up(other)
    other.write_bytes(b"geheim" * 1000)
    with pytest.raises(StorageError):
        check_up(other)


def test_a_check_of_another_version_fails(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(StorageError, match="version 999"):
        check_up(path)


async def test_a_temporary_copy_includes_the_log_and_is_deleted_afterwards(path: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed" / "a.journal"
    async with SqliteJournal(path) as journal:
        await journal.account(1).change_state("a test", lambda _: b"in the log")
        crashed.parent.mkdir(mode=0o700)
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
    with copied(crashed) as copy:
        assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
        async with SqliteJournal(copy) as journal:
            assert await journal.account(1).state("a test") == b"in the log"
    assert not copy.parent.exists()


def test_an_unreadable_file_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be copied for reading"), copied(tmp_path / "none.journal"):
        pass
