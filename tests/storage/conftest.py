from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import opened
from tests.storage.phone import Phone, logged_in_twice

from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "me.journal"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(path, retention_days=0)
    yield journal
    await journal.close()


@pytest.fixture
async def account(journal: SqliteJournal) -> SqliteAccount:
    return await opened(journal)


@pytest.fixture
def phone(journal: SqliteJournal) -> Phone:
    return Phone(journal.account(1))


@pytest.fixture
async def relogin(phone: Phone) -> Phone:
    return await logged_in_twice(phone)
