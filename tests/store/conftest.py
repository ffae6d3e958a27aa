from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.store.arrivals import opened

from webwx.store.sqlite import SqliteAccount, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "me.journal"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal(path)
    yield journal
    await journal.close()


@pytest.fixture
async def account(journal: SqliteJournal) -> SqliteAccount:
    return await opened(journal)
