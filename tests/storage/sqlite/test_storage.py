"""A folder as a storage: logins in files, and a journal and records in SQLite files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.saved import LOGIN
from tests.storage.arrivals import OWN, UIN

from webwx.errors import InvalidLogin, StorageError
from webwx.storage.account_folder import LoginName
from webwx.storage.saved_login import SavedLogin
from webwx.storage.sqlite.storage import SqliteStorage

if TYPE_CHECKING:
    from pathlib import Path

WORK, HOME = LoginName("work", "wx.qq.com"), LoginName("default", "filehelper")


async def test_each_login_has_its_own_file_and_journal(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path, passphrase="three words long")
    for name in (WORK, HOME):
        assert not await storage.has_journal(name)
        await storage.login(name).save(SavedLogin(login=LOGIN))
    await storage.journal(WORK).account(UIN).open_login(OWN, b"1", 1_000.0, [])

    assert list(await storage.list_logins()) == [HOME, WORK]
    assert await storage.has_journal(WORK)
    assert not await storage.has_journal(HOME)
    with pytest.raises(InvalidLogin, match="encrypted"):
        await SqliteStorage(tmp_path).login(WORK).load()
    await storage.close()


async def test_deleting_a_journal_leaves_the_login_and_the_other_journals(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    for name in (WORK, HOME):
        await storage.login(name).save(SavedLogin(login=LOGIN))
        await storage.journal(name).account(UIN).open_login(OWN, b"1", 1_000.0, [])
    await storage.close()
    await storage.delete_journal(WORK)

    assert not await storage.has_journal(WORK)
    assert await storage.has_journal(HOME)
    assert list(await storage.list_logins()) == [HOME, WORK]


async def test_a_changed_login_has_another_number(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    await storage.login(WORK).save(SavedLogin(login=LOGIN))
    before = await storage.list_changes()
    await storage.login(WORK).update(lambda saved: saved)

    assert before != await storage.list_changes()
    await storage.login(WORK).clear()
    assert await storage.list_changes() == {}


async def test_closing_it_closes_the_journals_and_the_records(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    journal, records = storage.journal(WORK), storage.records()
    await journal.account(UIN).open_login(OWN, b"1", 1_000.0, [])
    assert await records.find("key") == []
    await storage.close()

    with pytest.raises(StorageError, match="closed"):
        await journal.accounts()
    with pytest.raises(StorageError, match="closed"):
        await records.find("key")
