"""The stored attempts at webhooks: newest first, by page, limited in number, and available after a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.virtual_loop import on_virtual_clock

from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.webhook_attempts import AttemptLog, WebhookAttempt
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.storage.base import RecordStore


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[RecordStore]:
    records = open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


def log_of(records: RecordStore) -> AttemptLog:
    return AttemptLog(OwnedRecords(records, lambda: 1000.0))


def attempt(event: str, status: int | None = 200) -> WebhookAttempt:
    return WebhookAttempt(
        event=event, type="message.text", account=1, attempt=1, time=1000.5, milliseconds=3, status=status
    )


async def events(log: AttemptLog, webhook: str, *, before: int | None = None, limit: int = 1000) -> list[str]:
    return [each.event for each in await log.read(webhook, before=before, limit=limit)]


async def test_attempts_are_listed_by_page_before_they_are_stored(records: RecordStore) -> None:
    log = log_of(records)
    numbers = [(await log.append("w", attempt(f"1-{number}"))).number for number in range(120)]
    await log.append("other", attempt("2-1"))
    assert numbers == list(range(1, 121))
    assert await events(log, "w", limit=2) == ["1-119", "1-118"]
    assert await events(log, "w", before=3) == ["1-1", "1-0"]
    assert await events(log, "other") == ["2-1"]
    await log.close()


async def test_a_restart_continues_the_list(records: RecordStore) -> None:
    for run in range(3):
        log = log_of(records)
        for number in range(70):
            made = await log.append("w", attempt(f"{run}-{number}", None))
        await log.close()
        assert made.number == 70 * (run + 1)
    found = await log_of(records).read("w", limit=1000)
    assert [each.number for each in found] == list(range(210, 0, -1))
    assert found[0] == made


async def test_only_the_latest_attempts_are_stored(records: RecordStore) -> None:
    for run in range(2):
        log = log_of(records)
        for number in range(1_020):
            await log.append("w", attempt(f"{run}-{number}"))
        await log.close()
    assert len(await records.find("webhook-attempts/w")) <= 20
    found = await events(log_of(records), "w", limit=2_000)
    assert 950 < len(found) <= 1_000
    assert found == [f"1-{number}" for number in reversed(range(1_020))][: len(found)]


async def test_attempts_that_a_crash_has_left_are_deleted(records: RecordStore) -> None:
    log = log_of(records)
    for _ in range(1_001):
        await log.append("w", attempt("1-1"))
    await log.close()
    kind = "webhook-attempts/w"
    oldest = min(record.id for record in await records.find(kind))
    await records.put(kind, "0" * len(oldest), b"[]", version=0, time=0)
    again = log_of(records)
    await again.append("w", attempt("1-2"))
    await again.close()
    assert min(record.id for record in await records.find(kind)) == oldest


@on_virtual_clock
async def test_an_attempt_is_stored_within_a_second(tmp_path: Path) -> None:
    records, loop = open_records(tmp_path / "gateway.db"), asyncio.get_running_loop()
    log, begun = log_of(records), loop.time()
    await log.append("w", attempt("1-1"))
    while not await records.find("webhook-attempts/w"):  # noqa: ASYNC110 - storing sets no event
        await asyncio.sleep(0.1)
    assert loop.time() - begun < 1
    await log.close()
    await records.close()


async def test_the_attempts_at_a_deleted_webhook_are_deleted(records: RecordStore) -> None:
    log = log_of(records)
    await log.append("w", attempt("1-1"))
    await log.close()
    again = log_of(records)
    await again.append("w", attempt("1-2"))
    await again.forget("w")
    await again.close()
    assert await events(again, "w") == []
    assert await records.find("webhook-attempts/w") == []
