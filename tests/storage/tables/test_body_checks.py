"""The check of stored bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import UIN, arrival, message, opened

from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.tables import body_checks
from webwx.storage.tables.body_checks import DamagedBatch

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

pytestmark = pytest.mark.verify


async def test_a_check_reads_the_bodies_in_pieces(schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_checks, "CHECKED", 2)
    async with PostgresJournal(schema.url, retention_days=0) as journal:
        account = await opened(journal)
        for number in range(1, 6):
            await account.ingest(arrival(message(number), at=1_000.0))
        schema.execute("UPDATE batches SET body = '' WHERE batch IN (2, 5)")
        found = await journal.account(UIN).check_bodies()
    assert found.batches == 5
    assert found.damaged == tuple(DamagedBatch(number=number, entries=1, time=1_000.0) for number in (2, 5))
