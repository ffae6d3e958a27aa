"""The migration of tables that an older version has written, while other processes use them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.storage.arrivals import UIN

from webwx.errors import StorageError
from webwx.storage.postgres.checkup import check_up
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.migration import upgrade, wait_for_tables
from webwx.storage.postgres.schema import MIGRATIONS, VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

BEFORE_INDEXES = 5
"""The last version before one with new indexes."""

NAMED = f"INSERT INTO login_names (name, account, opened_at) VALUES ('{{}}/wx.qq.com', {UIN}, 1)"

VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{}')"

SAID: list[str] = []


async def of_version(schema: TemporarySchema, version: int) -> None:
    """Create the tables as an older version has left them."""
    db = await asyncpg.connect(schema.url)
    for migration in MIGRATIONS[:version]:
        for statement in migration.statements:
            await db.execute(statement)
    await db.execute("CREATE TABLE webwx_schema (version integer NOT NULL)")
    await db.execute("INSERT INTO webwx_schema VALUES ($1)", version)
    await db.close()


@asynccontextmanager
async def held_up(schema: TemporarySchema) -> AsyncIterator[None]:
    """Keep a transaction open that has changed `login_names`, until which no index of it can be built."""
    db = await asyncpg.connect(schema.url)
    async with db.transaction():
        await db.execute(NAMED.format("first"))
        yield
    await db.close()


async def wait_for_statement(schema: TemporarySchema, begin: str) -> int:
    """Return the process of the server that executes a statement, once one does."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        f" AND usename = '{schema.name}' AND query LIKE '{begin}%'"
    )
    while not (found := schema.execute(query).split()):  # noqa: ASYNC110 - no event announces it
        await asyncio.sleep(0.01)
    return int(found[0])


async def test_tables_of_an_older_version_are_refused_with_the_command_that_migrates_them(
    schema: TemporarySchema,
) -> None:
    await of_version(schema, BEFORE_INDEXES)
    async with PostgresJournal(schema.url) as journal:
        with pytest.raises(StorageError, match=f"needs version {VERSION}: run 'webwx storage migrate'"):
            await journal.accounts()
    assert schema.execute("SELECT version FROM webwx_schema").strip() == str(BEFORE_INDEXES)
    assert (await check_up(schema.url)).is_older

    assert await upgrade(schema.url, SAID.append) == (BEFORE_INDEXES, VERSION)
    async with PostgresJournal(schema.url) as journal:
        assert await journal.accounts() == []
    assert await upgrade(schema.url, SAID.append) == (VERSION, VERSION)


async def test_a_migrated_schema_is_equal_to_a_new_one(schema: TemporarySchema) -> None:
    def described() -> str:
        """Return the definitions of columns and indexes, without their order."""
        columns = (
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
            " WHERE table_schema = current_schema() ORDER BY 1, 2"
        )
        return schema.execute(columns) + schema.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname"
        )

    assert await upgrade(schema.url, SAID.append) == (0, VERSION)
    new = described()
    schema.execute(f"DROP SCHEMA {schema.name} CASCADE; CREATE SCHEMA {schema.name} AUTHORIZATION {schema.name}")
    await of_version(schema, 1)
    await upgrade(schema.url, SAID.append)
    assert described() == new


async def test_an_index_that_a_kill_has_left_invalid_is_built_again_and_nobody_waits(schema: TemporarySchema) -> None:
    await of_version(schema, BEFORE_INDEXES)
    said: list[str] = []
    async with held_up(schema):
        building = asyncio.create_task(upgrade(schema.url, said.append))
        process = await wait_for_statement(schema, "CREATE INDEX CONCURRENTLY login_names")
        schema.execute(f"SET lock_timeout = '20s'; {NAMED.format('second')}")  # a writer does not wait for the index
        schema.execute(f"SELECT pg_terminate_backend({process})")
        with pytest.raises(StorageError, match="cannot be migrated"):
            await building
        assert schema.execute(VALID.format("login_names_account")).strip() == "f"
        assert schema.execute("SELECT version FROM webwx_schema").strip() == str(BEFORE_INDEXES)

    said.clear()
    assert await upgrade(schema.url, said.append) == (BEFORE_INDEXES, VERSION)
    assert "The index login_names_account was not completed, and is deleted." in said
    assert schema.execute(VALID.format("login_names_account")).strip() == "t"


async def test_a_process_waits_for_the_migration(schema: TemporarySchema, caplog: pytest.LogCaptureFixture) -> None:
    await of_version(schema, BEFORE_INDEXES)
    waiting = asyncio.create_task(wait_for_tables(schema.url))
    while "waits for the migration" not in caplog.text:  # noqa: ASYNC110 - no event announces it
        await asyncio.sleep(0.01)
    async with held_up(schema):
        building = asyncio.create_task(upgrade(schema.url, SAID.append))
        await wait_for_statement(schema, "CREATE INDEX CONCURRENTLY login_names")
        assert not waiting.done()
    await building
    await waiting


async def test_two_migrations_at_once_are_one(schema: TemporarySchema) -> None:
    await of_version(schema, BEFORE_INDEXES)
    done = await asyncio.gather(*(upgrade(schema.url, SAID.append) for _ in range(2)))
    assert sorted(done) == [(BEFORE_INDEXES, VERSION), (VERSION, VERSION)]


async def test_transactions_that_use_the_tables_in_another_order_end_as_without_a_migration(
    schema: TemporarySchema,
) -> None:
    await of_version(schema, BEFORE_INDEXES)
    db = await asyncpg.connect(schema.url)
    async with db.transaction():
        await db.execute("LOCK outbox IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(upgrade(schema.url, SAID.append))
        await wait_for_statement(schema, "%ALTER TABLE outbox")
        await db.execute("SET LOCAL lock_timeout = '20s'; LOCK accounts IN ROW EXCLUSIVE MODE")
    await db.close()
    assert await migrating == (BEFORE_INDEXES, VERSION)
