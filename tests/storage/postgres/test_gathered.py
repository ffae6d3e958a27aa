"""Reads that share statements, and locks that do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.storage.statement_log import StatementLog

from webwx.errors import StorageError
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.gathered import GatheredReads
from webwx.storage.postgres.pooler import SharedSessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify

DOUBLES = "SELECT place, 2 * n AS double FROM unnest($1::bigint[]) WITH ORDINALITY a (n, place) WHERE n > 0"
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.fixture
async def database(schema: TemporarySchema) -> AsyncIterator[PostgresDatabase]:
    opened = PostgresDatabase(schema.url)
    yield opened
    await opened.close()


async def test_reads_at_the_same_time_share_statements_and_each_has_its_own_rows(
    schema: TemporarySchema, database: PostgresDatabase
) -> None:
    log, reads = StatementLog(schema), GatheredReads(database, DOUBLES)
    found = await asyncio.gather(*(reads.rows(n) for n in range(100)))
    assert [[row["double"] for row in rows] for rows in found] == [[], *([2 * n] for n in range(1, 100))]
    assert log.statements()[DOUBLES] <= 2  # the first one has begun before the others are asked for
    assert [row["double"] for row in await reads.rows(7)] == [14]


async def test_reads_that_fail_raise_an_error_each_and_later_ones_succeed(database: PostgresDatabase) -> None:
    reads = GatheredReads(database, "SELECT 1 AS place, 1 / n AS part FROM unnest($1::bigint[]) n")
    failed = await asyncio.gather(*(reads.rows(0) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(error, StorageError) for error in failed)
    assert len({id(error) for error in failed}) == 3
    assert [row["part"] for row in await reads.rows(1)] == [1]


async def test_the_error_of_a_read_keeps_its_text(database: PostgresDatabase) -> None:
    database._shares_sessions = True  # as after a look that has found a pooler in another mode
    with pytest.raises(SharedSessions) as raised:
        await GatheredReads(database, DOUBLES).rows(1)
    assert str(raised.value) == str(SharedSessions(database._place))


async def test_locks_that_are_taken_at_the_same_time_share_statements(
    schema: TemporarySchema, database: PostgresDatabase
) -> None:
    log, locks = StatementLog(schema), database.locks
    other = PostgresDatabase(schema.url)
    assert await other.run(lambda: other.locks.take(7))
    taken = await asyncio.gather(*(database.run(lambda key=key: locks.take(key)) for key in [*range(1, 51), 3]))  # type: ignore[misc]
    assert [key for key, is_free in enumerate(taken, 1) if not is_free] == [7, 51]
    assert schema.execute(LOCKS).strip() == "50"
    await asyncio.gather(*(database.run(lambda key=key: locks.release(key)) for key in range(1, 51)))  # type: ignore[misc]
    assert schema.execute(LOCKS).strip() == "1"
    assert sum(count for text, count in log.statements().items() if "pg_try_advisory_lock(key)" in text) <= 3
    assert sum(count for text, count in log.statements().items() if "pg_advisory_unlock(key)" in text) <= 2
    await other.close()
    assert await database.run(lambda: locks.take(7))


async def test_the_lock_of_a_call_that_was_cancelled_is_released(
    schema: TemporarySchema, database: PostgresDatabase
) -> None:
    async def cancel_one() -> tuple[bool, bool]:
        calls = [asyncio.ensure_future(database.locks.take(key)) for key in (1, 2, 3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        await asyncio.wait(calls)
        return calls[0].result(), calls[2].result()

    assert await database.run(cancel_one) == (True, True)
    assert await database.run(lambda: database.locks.take(2))
    await database.run(lambda: database.locks.release(2))
    assert schema.execute(LOCKS).strip() == "2"
