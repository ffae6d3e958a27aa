"""The stored times of next attempts: the pauses grow and end, and the times survive the process."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.webhook_request import PAUSES
from webwx.gateway.webhook_retries import EventPlace, WebhookRetries
from webwx.gateway.webhooks import StoredWebhook
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.storage.base import RecordStore

WEBHOOK = StoredWebhook(id="w", secret="", created_at=0, name="n", url="https://h.example/")
PLACE = EventPlace("w", 1, 7)


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[RecordStore]:
    records = open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


async def retries_of(records: RecordStore, now: float) -> WebhookRetries:
    owned = OwnedRecords(records, lambda: now)
    retries = WebhookRetries(owned, lambda: now, asyncio.sleep, random.Random(1))
    await retries.load()
    return retries


async def test_the_time_of_the_next_attempt_survives_the_process(records: RecordStore) -> None:
    first = await retries_of(records, 1000.0)
    assert first.pause(PLACE) == 0
    assert await first.postpone(WEBHOOK, PLACE, 1, asked=70) == 1070
    second = await retries_of(records, 1030.0)
    assert (second.pause(PLACE), second.is_waiting("w"), second.is_waiting("other")) == (40, True, False)
    assert (await retries_of(records, 2000.0)).pause(PLACE) == 0


async def test_after_the_last_attempt_no_time_is_stored(records: RecordStore) -> None:
    retries = await retries_of(records, 1000.0)
    for failures in range(1, len(PAUSES) + 1):
        assert await retries.postpone(WEBHOOK, PLACE, failures, asked=0) is not None
    assert await retries.postpone(WEBHOOK, PLACE, len(PAUSES) + 1, asked=0) is None
    assert not (await retries_of(records, 1000.0)).is_waiting("w")


async def test_the_times_of_a_deleted_webhook_are_deleted(records: RecordStore) -> None:
    retries = await retries_of(records, 1000.0)
    for place in (PLACE, EventPlace("w", 2, 7), EventPlace("other", 1, 7)):
        await retries.postpone(WEBHOOK, place, 1, asked=70)
    await retries.forget("w")
    later = await retries_of(records, 1000.0)
    assert [later.is_waiting(webhook) for webhook in ("w", "other")] == [False, True]
