"""A copy into a new file: it appears when it is complete, and replaces nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import UIN
from tests.storage.filled import contents, fill

from webwx.errors import StorageError
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.transfer import SqliteTransfer
from webwx.storage.transfer import copy_journal, release

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """The path of a journal with something of everything."""
    path = tmp_path / "me.journal"
    async with SqliteJournal(path, retention_days=0) as journal:
        await fill(journal)
    async with SqliteJournal(path, retention_days=0) as journal:
        await release(journal)
    return path


async def test_a_new_file_holds_the_same_account(path: Path, tmp_path: Path) -> None:
    await copy_journal(SqliteTransfer(path), SqliteTransfer(tmp_path / "new.journal"))
    async with SqliteJournal(path) as journal, SqliteJournal(tmp_path / "new.journal") as copy:
        assert await contents(copy.account(UIN)) == await contents(journal.account(UIN))
    assert (tmp_path / "new.journal").stat().st_mode & 0o077 == 0


async def test_an_existing_file_is_not_replaced(path: Path, tmp_path: Path) -> None:
    existing = tmp_path / "existing"
    existing.write_text("mine")
    with pytest.raises(StorageError, match="exists already"):
        await copy_journal(SqliteTransfer(path), SqliteTransfer(existing))
    assert existing.read_text() == "mine"


async def test_a_copy_that_fails_leaves_no_file(path: Path, tmp_path: Path) -> None:
    shutil.rmtree(path.with_name("me.journal.kept"))
    with pytest.raises(StorageError, match="An archived file is missing"):
        await copy_journal(SqliteTransfer(path), SqliteTransfer(tmp_path / "new.journal"))
    assert [each.name for each in tmp_path.iterdir() if "new" in each.name and each.is_file()] == []
    with pytest.raises(StorageError, match="There is no journal"):
        await copy_journal(SqliteTransfer(tmp_path / "new.journal"), SqliteTransfer(tmp_path / "other.journal"))
    assert not (tmp_path / "new.journal").exists()


async def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text" * 1_000)
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(StorageError, match="cannot be copied: file is not a database"):
        await copy_journal(SqliteTransfer(tmp_path / "text"), SqliteTransfer(tmp_path / "new.journal"))


def evidence_in(path: Path) -> list[tuple[int, int, str]]:
    """Return the evidence of a file: the identity, the login in which it was first seen, and its content."""
    with closing(sqlite3.connect(path)) as db:
        return sorted(db.execute("SELECT number, login, content FROM evidence"))


async def test_evidence_is_of_the_login_in_which_it_was_first_seen(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        first = "WHERE login = (SELECT min(login) FROM links WHERE login > 0)"
        db.execute(f"CREATE TEMP TABLE changed AS SELECT * FROM links {first}")
        db.execute(f"DELETE FROM links {first}")
        db.execute("INSERT INTO links SELECT * FROM changed")  # so these links were changed last
    await copy_journal(SqliteTransfer(path), SqliteTransfer(tmp_path / "new.journal"))
    assert evidence_in(tmp_path / "new.journal") == evidence_in(path)
