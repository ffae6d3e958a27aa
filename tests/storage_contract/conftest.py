"""Fixtures of the contract suite: every test in this folder runs for every storage engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import opened
from tests.storage.phone import Phone, logged_in_twice
from tests.storage_contract.engines import ENGINES, make

from webwx.storage.postgres import database
from webwx.storage.sqlite import threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> StorageEngine:
    return make(request.param, tmp_path)


@pytest.fixture(params=ENGINES)
def quick_engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorageEngine:
    """Return an engine whose journals notice changes by other processes within milliseconds."""
    monkeypatch.setattr(threads, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(database, "LOOK_EVERY", 0.01)
    return make(request.param, tmp_path)


@pytest.fixture
async def journal(engine: StorageEngine) -> AsyncIterator[Journal]:
    journal = engine.open()
    yield journal
    await journal.close()


@pytest.fixture
async def account(journal: Journal) -> AccountJournal:
    return await opened(journal)


@pytest.fixture
def phone(journal: Journal) -> Phone:
    return Phone(journal.account(1))


@pytest.fixture
async def relogin(phone: Phone) -> Phone:
    return await logged_in_twice(phone)
