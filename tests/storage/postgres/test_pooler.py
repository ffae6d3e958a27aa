"""A pooler before the database: one that assigns sessions to transactions is refused, one to connections works."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest
from tests.pooler import pooler
from tests.storage.arrivals import arrival, ids, messages, opened

from webwx.errors import AlreadyRunning, StorageError
from webwx.storage.account_folder import LoginName
from webwx.storage.leases import DEFAULT_TIMES
from webwx.storage.open import open_transfer
from webwx.storage.postgres import database
from webwx.storage.postgres.checkup import check_up
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.leases import PostgresLeases
from webwx.storage.postgres.storage import PostgresStorage

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

REFUSED = "cannot be used: a pooler .* assigns a session of the server to each transaction.* session mode"

NAME = LoginName("one", "filehelper")


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_does_not_keep_sessions_is_refused_in_one_sentence(
    schema: TemporarySchema, mode: Literal["transaction", "statement"]
) -> None:
    with pooler(schema, mode) as running:
        async with PostgresJournal(running.url) as journal:
            with pytest.raises(StorageError, match=REFUSED):
                await journal.accounts()
            with pytest.raises(StorageError, match=REFUSED):
                await opened(journal, 1)
        storage = PostgresStorage(running.url, passphrase="three words long")
        with pytest.raises(StorageError, match=REFUSED):
            await storage.login(NAME).load()
        await storage.close()
        leases = PostgresLeases(running.url, DEFAULT_TIMES)
        with pytest.raises(StorageError, match=REFUSED):
            await leases.join("a", "host", 1)
        await leases.close()
        with pytest.raises(StorageError, match=REFUSED):
            async with open_transfer(running.url, NAME):
                pass
        assert "session mode" in (await check_up(running.url)).problem

    assert schema.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").strip() == "0"
    assert schema.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").strip() == "0"


async def test_a_pooler_in_session_mode_works(schema: TemporarySchema) -> None:
    with pooler(schema, "session") as running:
        async with PostgresJournal(running.url) as journal, PostgresJournal(running.url) as other:
            account = await opened(journal, 1)
            consumer = await account.consumer("bot")
            await account.ingest(arrival(*messages(1, 2)))
            assert ids(await consumer.take()) == ["1", "2"]
            with pytest.raises(AlreadyRunning):
                await other.account(1).consumer("bot")
        leases = PostgresLeases(running.url, DEFAULT_TIMES)
        await leases.join("a", "host", 1)
        assert list(await leases.claim("a")) == [1]
        await leases.close()
        assert (await check_up(running.url)).accounts == 1


async def test_a_pooler_that_is_changed_to_transaction_mode_is_refused_at_the_next_look(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOOK_EVERY", 0.01)
    with pooler(schema, "session") as running:
        leases = PostgresLeases(running.url, DEFAULT_TIMES)
        await leases.join("a", "host", 1)
        running.change_mode("transaction")
        with pytest.raises(StorageError, match=REFUSED):  # noqa: PT012 - until the next look
            async with asyncio.timeout(60):
                while await leases.renew("a"):  # noqa: ASYNC110 - no event announces it
                    await asyncio.sleep(0)
        await leases.close()


async def test_a_pooler_that_is_restarted_in_session_mode_works_again(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOOK_EVERY", 0.01)
    with pooler(schema, "session") as running:
        leases = PostgresLeases(running.url, DEFAULT_TIMES)
        await leases.join("a", "host", 1)
        running.change_mode("transaction")
        async with asyncio.timeout(60):
            while await can_renew(leases):  # noqa: ASYNC110 - no event announces it
                await asyncio.sleep(0)
            running.restart("transaction")
            while not running.has_clients:  # noqa: ASYNC110 - until the next look
                await asyncio.sleep(0.01)
            running.restart("session")
            while not await can_renew(leases):  # noqa: ASYNC110 - no event announces it
                await asyncio.sleep(0.01)
        await leases.close()


async def can_renew(leases: PostgresLeases) -> bool:
    """Return whether the lease of a worker can be renewed."""
    try:
        return await leases.renew("a") is not None
    except StorageError:
        return False
