"""The deletion of an account from a database: nothing of it stays but its numbers; other accounts are unchanged."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, UIN, arrival, messages
from tests.storage.filled import contents, fill

from webwx.errors import AlreadyRunning, StorageError
from webwx.storage.account_folder import LoginName
from webwx.storage.entries import EntryQuery
from webwx.storage.leases import LeaseTimes
from webwx.storage.open import open_transfer
from webwx.storage.postgres.leases import PostgresLeases
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.refusals import NotOwner
from webwx.storage.transfer import copy_journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

NAME, OTHER_NAME = LoginName("work", "wx.qq.com"), LoginName("home", "wx.qq.com")

OTHER = UIN + 1

OF_NO_ACCOUNT = {"accounts", "records", "audit", "saved_logins", "workers", "webwx_schema"}
"""Tables whose rows stay."""


@pytest.fixture
async def storage(schema: TemporarySchema) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(schema.url, retention_days=0)
    yield storage
    await storage.close()


async def filled(schema: TemporarySchema) -> None:
    """Store something of everything, and end the process that did it."""
    storage = PostgresStorage(schema.url, retention_days=0)
    await fill(storage.journal(NAME))
    await storage.send_files(UIN).put(1, io.BytesIO(b"the file of a queued send"))
    await storage.close()


def counts(schema: TemporarySchema) -> dict[str, int]:
    """Return the number of rows of each table."""
    tables = schema.execute(
        f"SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = '{schema.name}'::regnamespace"
    )
    return {table: int(schema.execute(f"SELECT count(*) FROM {table}")) for table in tables.split()}


async def test_no_row_of_a_deleted_account_stays(schema: TemporarySchema, storage: PostgresStorage) -> None:
    await filled(schema)
    before = counts(schema)
    assert {"entries", "contacts", "outbox", "media_pieces", "send_pieces", "conversations", "identities"} <= {
        table for table, count in before.items() if count
    }
    await storage.delete_journal(NAME)
    left = {table for table, count in counts(schema).items() if count}
    assert left - OF_NO_ACCOUNT == set()
    assert not await storage.has_journal(NAME)


async def test_other_accounts_keep_their_rows(schema: TemporarySchema, storage: PostgresStorage) -> None:
    account = storage.journal(OTHER_NAME).account(OTHER)
    await account.open_login(OWN, b"1", 1_000.0, [])
    await account.ingest(arrival(*messages(1, 3)))
    before = await account.find(EntryQuery())
    await filled(schema)
    await storage.delete_journal(NAME)
    assert len(before) == 3
    assert await account.find(EntryQuery()) == before


async def test_an_account_of_a_worker_is_not_deleted(schema: TemporarySchema, storage: PostgresStorage) -> None:
    await filled(schema)
    leases = PostgresLeases(schema.url, LeaseTimes())
    await leases.join("a", "", 10)
    await leases.claim("a")
    before = counts(schema)
    with pytest.raises(NotOwner, match="worker a owns"):
        await storage.delete_journal(NAME)
    assert counts(schema) == before
    await leases.close()


async def test_an_account_with_an_open_consumer_is_not_deleted(
    schema: TemporarySchema, storage: PostgresStorage
) -> None:
    await filled(schema)
    other = PostgresStorage(schema.url, retention_days=0)
    await other.journal(NAME).account(UIN).consumer("bot")
    before = counts(schema)
    with pytest.raises(AlreadyRunning):
        await storage.delete_journal(NAME)
    assert counts(schema) == before
    await other.close()


async def test_an_interrupted_deletion_can_be_repeated(schema: TemporarySchema, storage: PostgresStorage) -> None:
    await filled(schema)
    schema.execute(
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END';"
        " CREATE TRIGGER stop BEFORE DELETE ON logins FOR EACH ROW EXECUTE FUNCTION stop()"
    )
    with pytest.raises(StorageError):
        await storage.delete_journal(NAME)
    assert await storage.has_journal(NAME)
    schema.execute("DROP TRIGGER stop ON logins")
    await storage.delete_journal(NAME)
    assert not await storage.has_journal(NAME)


async def test_more_rows_than_one_transaction_deletes_are_deleted(
    schema: TemporarySchema, storage: PostgresStorage
) -> None:
    account = storage.journal(NAME).account(UIN)
    await account.open_login(OWN, b"1", 1_000.0, [])
    schema.execute(
        "INSERT INTO entries"
        " (account, number, login, batch, kind, flags, start, length, digest, time, message_id, chat)"
        f" SELECT {UIN}, n, 1, 1, 1, 0, 0, 0, 0, 0, '', '' FROM generate_series(1, 12000) n"
    )
    await storage.delete_journal(NAME)
    assert counts(schema)["entries"] == 0


async def test_a_process_that_knew_a_deleted_account_cannot_write_to_it(
    schema: TemporarySchema, storage: PostgresStorage
) -> None:
    other = PostgresStorage(schema.url, retention_days=0)
    account = other.journal(NAME).account(UIN)
    await account.open_login(OWN, b"1", 1_000.0, [])
    await storage.delete_journal(NAME)
    with pytest.raises(NotOwner):
        await account.ingest(arrival(*messages(1, 2)))
    await other.close()


async def test_a_new_login_continues_with_the_numbers(schema: TemporarySchema, storage: PostgresStorage) -> None:
    await filled(schema)
    last = int(schema.execute("SELECT max(number) FROM entries"))
    await storage.delete_journal(NAME)

    again = PostgresStorage(schema.url, retention_days=0)
    account = again.journal(NAME).account(UIN)
    await account.open_login(OWN, b"1", 2_000.0, [])
    await account.ingest(arrival(*messages(1, 2)))
    assert min(each.number for each in await account.find(EntryQuery())) > last
    await again.close()


async def test_a_deleted_account_can_be_imported_again(
    schema: TemporarySchema, storage: PostgresStorage, tmp_path: Path
) -> None:
    await filled(schema)
    before = await contents(storage.journal(NAME).account(UIN))
    path = tmp_path / "me.journal"
    await copy_journal(open_transfer(schema.url, NAME), open_transfer(path, NAME))
    await storage.delete_journal(NAME)
    await copy_journal(open_transfer(path, NAME), open_transfer(schema.url, NAME))

    again = PostgresStorage(schema.url, retention_days=0)
    assert await contents(again.journal(NAME).account(UIN)) == before
    await again.close()
