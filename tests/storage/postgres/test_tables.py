"""The port of the shared tables on PostgreSQL: ownership, and the order of numbers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.storage_contract.shared_tables import ADD, KEYS, tables_in_database

from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.tables import PostgresTables, depend_on_held
from webwx.storage.refusals import NotOwner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema
    from tests.storage_contract.shared_tables import TablesOf

    from webwx.storage.engine.port import Tables


@pytest.mark.parametrize(
    ("text", "dependent"),
    [
        ("INSERT INTO t (a, b) VALUES ($1, least(1, 2))", "INSERT INTO t (a, b) SELECT $1, least(1, 2) FROM held"),
        (
            "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = 1",
            "INSERT INTO t (a) SELECT $1 FROM held ON CONFLICT (a) DO UPDATE SET b = 1",
        ),
        (
            "UPDATE t SET a = (SELECT b FROM u WHERE c = 1) WHERE a = 1 OR b = 2",
            "UPDATE t SET a = (SELECT b FROM u WHERE c = 1) WHERE EXISTS (SELECT FROM held) AND (a = 1 OR b = 2)",
        ),
        (
            "INSERT INTO t (a) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM t WHERE a = $1) ON CONFLICT DO NOTHING",
            "INSERT INTO t (a) SELECT $1 WHERE EXISTS (SELECT FROM held) AND"
            " (NOT EXISTS (SELECT 1 FROM t WHERE a = $1)) ON CONFLICT DO NOTHING",
        ),
        ("\nDELETE FROM t\nWHERE a = 1\n", "DELETE FROM t WHERE EXISTS (SELECT FROM held) AND (a = 1)"),
    ],
)
def test_change_depends_on_the_accounts_row(text: str, dependent: str) -> None:
    assert depend_on_held(text) == dependent


@pytest.mark.parametrize("text", ["DELETE FROM t", "UPDATE t SET a = (SELECT b FROM u WHERE c = 1)"])
def test_change_of_all_rows_is_no_single_statement(text: str) -> None:
    with pytest.raises(ValueError, match="not a change of which one statement"):
        depend_on_held(text)


@pytest.fixture
async def tables_of(schema: TemporarySchema) -> AsyncIterator[TablesOf]:
    async with tables_in_database(schema.url) as tables_of:
        yield tables_of


async def _change_all(tables: Tables) -> list[Exception | None]:
    """Make a change of every kind, and return their errors."""
    delete = "DELETE FROM samples WHERE account = $0"
    changes = (
        tables.insert(ADD, "b", 1.0),
        tables.change(delete),
        tables.transaction(lambda db: db.change(delete)),
    )  # fmt: skip
    errors: list[Exception | None] = []
    for change in changes:
        try:
            await change
            errors.append(None)
        except NotOwner as error:
            errors.append(error)
    return errors


@pytest.mark.verify
async def test_changes_under_an_earlier_epoch_are_refused_and_change_nothing(
    schema: TemporarySchema, tables_of: TablesOf
) -> None:
    tables = tables_of(7)
    await tables.insert(ADD, "a", 1.0)
    schema.execute("UPDATE accounts SET epoch = epoch + 1")
    assert all(await _change_all(tables))
    assert await tables.read(lambda db: db.all(KEYS)) == [("a",)]


@pytest.mark.verify
async def test_changes_that_any_process_may_make_need_no_epoch(schema: TemporarySchema, tables_of: TablesOf) -> None:
    tables = tables_of(7)
    await tables.insert(ADD, "a", 1.0)
    schema.execute("UPDATE accounts SET epoch = epoch + 1")
    assert await tables.insert(ADD, "b", 1.0, by="any") > 0
    assert await tables.change("DELETE FROM samples WHERE account = $0 AND key = 'a'", by="any") == 1
    assert await tables.transaction(lambda db: db.insert(ADD, "c", 1.0), by="any") > 0
    assert await tables.change("DELETE FROM samples WHERE account = $0 AND key = 'b'", by="unfenced") == 1
    assert await tables.read(lambda db: db.all(KEYS)) == [("c",)]


@pytest.mark.verify
@pytest.mark.parametrize("by", ["owner", "any"])
async def test_first_change_creates_the_accounts_row(schema: TemporarySchema, tables_of: TablesOf, by: str) -> None:
    number = await tables_of(7).insert(ADD, "a", 1.0, by="owner" if by == "owner" else "any")
    assert number > 0
    assert schema.execute("SELECT account, epoch FROM accounts") == "7|1\n"


@pytest.mark.verify
async def test_numbers_of_an_account_become_visible_in_their_order(
    schema: TemporarySchema, tables_of: TablesOf
) -> None:  # fmt: skip
    writers = [PostgresDatabase(schema.url) for _ in range(3)]

    async def write(number: int) -> None:
        tables = PostgresTables(writers[number % 3], 7)
        for each in range(30):
            key = f"{number} {each}"
            if each % 3:
                await tables.insert(ADD, key, 1.0)
            else:
                await tables.transaction(lambda db, key=key: db.insert(ADD, key, 1.0))  # type: ignore[misc]

    async def watch() -> int:
        seen, late = list[str](), 0
        while len(seen) < 6 * 30:
            keys = [row.key for row in await tables_of(7).read(lambda db: db.all(KEYS))]
            late += keys[: len(seen)] != seen
            seen = keys
        return late

    try:
        _, late = await asyncio.gather(asyncio.gather(*map(write, range(6))), watch())
    finally:
        for each in writers:
            await each.close()
    assert late == 0
