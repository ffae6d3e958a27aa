"""The tables in PostgreSQL and their version."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.schema import VERSION
from webwx.storage.postgres.storage import PostgresStorage

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify


async def test_a_newer_schema_is_refused_in_one_sentence(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        await journal.accounts()
    schema.execute(f"UPDATE webwx_schema SET version = {VERSION + 1}")

    async with PostgresJournal(schema.url) as journal:
        with pytest.raises(StorageError, match=r"written by a newer webwx \(version \d+, this one reads \d+\)"):
            await journal.accounts()
    schema.execute(f"UPDATE webwx_schema SET version = {VERSION}")


async def test_a_schema_from_before_the_version_was_complete_is_refused_in_one_sentence(
    schema: TemporarySchema,
) -> None:
    async with PostgresJournal(schema.url) as journal:
        await journal.accounts()
    schema.execute("ALTER TABLE accounts DROP COLUMN media_size")

    async with PostgresJournal(schema.url) as journal:
        with pytest.raises(
            StorageError, match=r"from before version 100 was complete \(accounts\.media_size is missing"
        ):
            await journal.accounts()


async def test_a_storage_that_has_begun_before_a_newer_one_opens_further_connections(schema: TemporarySchema) -> None:
    storage = PostgresStorage(schema.url, passphrase="three words long")
    assert await storage.accounts_by_name() == {}
    schema.execute(f"UPDATE webwx_schema SET version = {VERSION + 1}")
    assert await storage.list_logins() == {}
    assert await storage.records().find("key") == []
    await storage.close()


async def test_processes_that_open_an_empty_schema_at_once_make_its_tables_once(schema: TemporarySchema) -> None:
    journals = [PostgresJournal(schema.url) for _ in range(4)]

    assert await asyncio.gather(*(journal.accounts() for journal in journals)) == [[]] * 4
    for journal in journals:
        await journal.close()
