"""The stored attempts at webhooks: newest first, by page, limited in number, and the same at every gateway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.client.virtual_loop import on_virtual_clock

from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.webhooks.attempts import AttemptLog, WebhookAttempt
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.tables.records import RecordStore


def log_of(records: RecordStore) -> AttemptLog:
    return AttemptLog(OwnedRecords(records, lambda: 1000.0))


def attempt(event: str, status: int | None = 200, *, at: float = 1000.5) -> WebhookAttempt:
    return WebhookAttempt(
        event=event, type="message.text", account=1, attempt=1, time=at, milliseconds=3, status=status
    )


async def events(log: AttemptLog, webhook: str, *, before: int | None = None, limit: int = 1000) -> list[str]:
    return [each.event for each in await log.read(webhook, before=before, limit=limit)]


async def test_attempts_are_listed_by_page_before_they_are_stored(records: RecordStore) -> None:
    log = log_of(records)
    numbers = [log.append("w", attempt(f"1-{number}")).number for number in range(120)]
    log.append("other", attempt("2-1"))
    assert numbers == sorted(set(numbers))
    assert await events(log, "w", limit=2) == ["1-119", "1-118"]
    assert await events(log, "w", before=numbers[2]) == ["1-1", "1-0"]
    assert await events(log, "other") == ["2-1"]
    await log.close()


async def test_every_gateway_lists_the_attempts_of_all_in_their_order(records: RecordStore) -> None:
    logs = [log_of(records) for _ in range(3)]
    for number in range(210):
        made = logs[number % 3].append("w", attempt(f"{number}", None, at=1000.0 + number))
    for log in logs:
        await log.close()
    for log in (*logs, log_of(records)):
        assert await events(log, "w") == [f"{number}" for number in reversed(range(210))]
    (latest,) = await log_of(records).read("w", limit=1)
    assert latest == made


async def test_only_the_latest_attempts_of_all_gateways_are_stored(records: RecordStore) -> None:
    for run in range(2):
        log = log_of(records)
        for number in range(1_020):
            log.append("w", attempt(f"{run}-{number}", at=1000.0 + run))
        await log.close()
    assert len(await records.find("webhook-attempts/w")) <= 20
    found = await events(log_of(records), "w", limit=2_000)
    assert 950 < len(found) <= 1_000
    assert found == [f"1-{number}" for number in reversed(range(1_020))][: len(found)]


@on_virtual_clock
async def test_an_attempt_is_stored_within_a_second(tmp_path: Path) -> None:
    records, loop = open_records(tmp_path / "gateway.db"), asyncio.get_running_loop()
    log, begun = log_of(records), loop.time()
    log.append("w", attempt("1-1"))
    while not await records.find("webhook-attempts/w"):  # noqa: ASYNC110 - storing sets no event
        await asyncio.sleep(0.1)
    assert loop.time() - begun < 1
    await log.close()
    await records.close()


async def test_the_attempts_at_a_deleted_webhook_are_deleted(records: RecordStore) -> None:
    log = log_of(records)
    log.append("w", attempt("1-1"))
    await log.close()
    again = log_of(records)
    again.append("w", attempt("1-2"))
    await again.forget("w")
    await again.close()
    assert await events(again, "w") == []
    assert await records.find("webhook-attempts/w") == []
