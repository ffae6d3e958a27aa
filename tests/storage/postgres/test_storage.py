"""One database for many logins: each journal shows its own accounts, and each login is encrypted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.saved import LOGIN
from tests.storage.arrivals import OWN, UIN, arrival, messages

from webwx.errors import InvalidLogin, InvalidSettings
from webwx.storage.account_folder import LoginName
from webwx.storage.entries import EntryQuery
from webwx.storage.postgres.database import MOST_CONNECTIONS
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.saved_login import SavedLogin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

WORK, HOME = LoginName("work", "wx.qq.com"), LoginName("default", "filehelper")

OTHER = UIN + 1


@pytest.fixture
async def storage(schema: TemporarySchema) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(schema.url, passphrase="three words long")
    yield storage
    await storage.close()


async def test_a_journal_shows_the_accounts_of_its_login_only(storage: PostgresStorage) -> None:
    """A client without a login reads the newest account of its journal, which must not be that of another login."""
    work, home = storage.journal(WORK), storage.journal(HOME)
    await work.account(UIN).open_login(OWN, b"1", 1_000.0, [])
    await home.account(OTHER).open_login(OWN, b"1", 2_000.0, [])

    assert (await work.accounts(), await home.accounts()) == ([UIN], [OTHER])
    assert await storage.has_journal(WORK)
    assert not await storage.has_journal(LoginName("work", "filehelper"))


async def test_the_latest_account_of_a_login_comes_first(storage: PostgresStorage) -> None:
    journal = storage.journal(WORK)
    for uin, time in ((UIN, 1_000.0), (OTHER, 2_000.0)):
        await journal.account(uin).open_login(OWN, b"1", time, [])
    assert await journal.accounts() == [OTHER, UIN]
    await journal.account(UIN).open_login(OWN, b"2", 3_000.0, [])
    assert await journal.accounts() == [UIN, OTHER]


async def test_the_latest_account_of_each_name_is_known(storage: PostgresStorage) -> None:
    for name, uin, time in ((WORK, UIN, 1_000.0), (WORK, OTHER, 2_000.0), (HOME, UIN, 1_500.0)):
        await storage.journal(name).account(uin).open_login(OWN, b"1", time, [])
    assert await storage.accounts_by_name() == {WORK: OTHER, HOME: UIN}


async def test_a_login_that_is_continued_under_another_name_belongs_to_both(
    schema: TemporarySchema, storage: PostgresStorage
) -> None:
    async with PostgresJournal(schema.url) as unnamed:
        await unnamed.account(UIN).open_login(OWN, b"1", 1_000.0, [])
    journal = storage.journal(WORK)
    assert await journal.accounts() == []
    assert await journal.account(UIN).position(OWN) is not None
    assert await journal.accounts() == [UIN]


async def test_closing_one_journal_closes_its_consumers_and_leaves_the_others_open(storage: PostgresStorage) -> None:
    work, home = storage.journal(WORK), storage.journal(HOME)
    for journal, uin in ((work, UIN), (home, OTHER)):
        await journal.account(uin).open_login(OWN, b"1", 1_000.0, [])
    await work.account(UIN).consumer("bot")
    still_open = await home.account(OTHER).consumer("bot")
    await work.close()

    await (await storage.journal(WORK).account(UIN).consumer("bot")).close()
    assert await still_open.take() == []


async def test_logins_are_listed_with_a_number_that_changes_with_them(storage: PostgresStorage) -> None:
    login = storage.login(WORK)
    await login.reserve_id(1)
    assert await storage.list_changes() == {}
    await login.save(SavedLogin(login=LOGIN))
    before = await storage.list_changes()
    await login.update(lambda saved: saved)
    after = await storage.list_changes()

    assert list(before) == list(after) == list(await storage.list_logins()) == [WORK]
    assert before != after
    await login.clear()
    assert await storage.list_logins() == {}


async def test_a_damaged_login_is_not_listed_after_it_was_set_aside(
    schema: TemporarySchema, storage: PostgresStorage
) -> None:
    login = storage.login(WORK)
    await login.save(SavedLogin(login=LOGIN))
    schema.execute("UPDATE saved_logins SET login = 'damaged'")
    with pytest.raises(InvalidLogin):
        await login.load()
    assert await storage.list_logins() == {}


async def test_a_login_without_a_passphrase_is_refused_and_a_journal_is_not(schema: TemporarySchema) -> None:
    storage = PostgresStorage(schema.url)
    with pytest.raises(InvalidSettings, match="set WEBWX_PASSPHRASE"):
        storage.login(WORK)
    assert await storage.journal(WORK).accounts() == []
    await storage.close()


async def test_the_parts_of_a_storage_share_their_connections(
    storage: PostgresStorage, schema: TemporarySchema
) -> None:
    account = storage.journal(WORK).account(UIN)
    await account.open_login(OWN, b"1", 1_000.0, [])
    await account.ingest(arrival(*messages(1, 1)))
    consumer = await account.consumer("bot")
    await storage.announce_sends(UIN)
    news = storage.moved()
    await anext(news)
    for _ in range(3):
        await asyncio.gather(
            *(account.find(EntryQuery()) for _ in range(20)), *(storage.login(WORK).load() for _ in range(20)),
            *(storage.records().find("key") for _ in range(20)), *(storage.list_logins() for _ in range(20)),
        )  # fmt: skip
        count = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{schema.name}'"
        assert 2 <= int(schema.execute(count)) <= MOST_CONNECTIONS + 3
    await news.aclose()
    await consumer.close()
