"""The stored times of next attempts: the pauses grow and end, and every gateway reads the times of the others."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.webhook_request import PAUSES
from webwx.gateway.webhook_retries import EventPlace, WebhookRetries
from webwx.gateway.webhooks import StoredWebhook

if TYPE_CHECKING:
    from webwx.storage.tables.records import RecordStore

WEBHOOK = StoredWebhook(id="w", secret="", created_at=0, name="n", url="https://h.example/")
PLACE = EventPlace("w", 1, 7)


def retries_of(records: RecordStore, now: float) -> WebhookRetries:
    return WebhookRetries(OwnedRecords(records, lambda: now), lambda: now, asyncio.sleep, random.Random(1))


async def test_the_time_of_the_next_attempt_is_the_same_at_every_gateway(records: RecordStore) -> None:
    first, second = retries_of(records, 1000.0), retries_of(records, 1030.0)
    assert [await each.pause(PLACE) for each in (first, second)] == [0, 0]
    assert await first.postpone(WEBHOOK, PLACE, 1, asked=70) == 1070
    assert await second.pause(PLACE) == 40
    assert [await second.is_waiting(webhook) for webhook in ("w", "other")] == [True, False]
    assert await retries_of(records, 2000.0).pause(PLACE) == 0
    await second.settle(PLACE)
    assert await first.pause(PLACE) == 0
    assert not await first.is_waiting("w")


async def test_after_the_last_attempt_no_time_is_stored(records: RecordStore) -> None:
    retries = retries_of(records, 1000.0)
    for failures in range(1, len(PAUSES) + 1):
        assert await retries.postpone(WEBHOOK, PLACE, failures, asked=0) is not None
    assert await retries.postpone(WEBHOOK, PLACE, len(PAUSES) + 1, asked=0) is None
    assert not await retries.is_waiting("w")


@pytest.mark.parametrize(("accounts", "deleted"), [(None, [True, True, False]), ({2}, [False, True, False])])
async def test_the_times_of_a_changed_webhook_are_deleted(
    records: RecordStore, accounts: set[int] | None, deleted: list[bool]
) -> None:
    retries = retries_of(records, 1000.0)
    places = PLACE, EventPlace("w", 2, 7), EventPlace("other", 2, 7)
    for place in places:
        await retries.postpone(WEBHOOK, place, 1, asked=70)
    await retries_of(records, 1000.0).forget("w", accounts)
    assert [await retries.pause(place) == 0 for place in places] == deleted
