"""A schema of its own for each test, with accounts in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.postgres import TemporarySchema, new_schema

from webwx.storage.leases import LeaseTimes
from webwx.storage.postgres.leases import PostgresLeases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def schema() -> TemporarySchema:
    return new_schema()


@pytest.fixture
async def leases(schema: TemporarySchema) -> AsyncIterator[PostgresLeases]:
    """The leases of the schema, whose tables exist."""
    opened = PostgresLeases(schema.url, LeaseTimes())
    await opened.workers()
    yield opened
    await opened.close()


def add_accounts(schema: TemporarySchema, count: int) -> None:
    """Store accounts with the numbers from 1."""
    schema.execute(f"INSERT INTO accounts (account, epoch) SELECT n, 1 FROM generate_series(1, {count}) n")
