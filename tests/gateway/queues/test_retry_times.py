"""The stored times of next attempts: every gateway reads the times of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.queues.retry_times import EventPlace, RetryTimes

if TYPE_CHECKING:
    from webwx.storage.tables.records import RecordStore

PLACE = EventPlace("w", 1, 7)


def times_of(records: RecordStore, now: float, kind: str = "retry") -> RetryTimes:
    return RetryTimes(kind, OwnedRecords(records, lambda: now), lambda: now)


async def test_the_time_of_the_next_attempt_is_the_same_at_every_gateway(records: RecordStore) -> None:
    first, second = times_of(records, 1000.0), times_of(records, 1030.0)
    assert [await each.pause(PLACE) for each in (first, second)] == [0, 0]
    assert await first.postpone(PLACE, 70) == 1070
    assert await second.pause(PLACE) == 40
    assert [await second.is_waiting(owner) for owner in ("w", "other")] == [True, False]
    assert await times_of(records, 2000.0).pause(PLACE) == 0
    await second.settle(PLACE)
    assert await first.pause(PLACE) == 0
    assert not await first.is_waiting("w")


async def test_owners_of_different_kinds_may_have_the_same_id(records: RecordStore) -> None:
    await times_of(records, 1000.0).postpone(PLACE, 70)
    assert not await times_of(records, 1000.0, "other").is_waiting("w")


@pytest.mark.parametrize(("accounts", "deleted"), [(None, [True, True, False]), ({2}, [False, True, False])])
async def test_the_times_of_a_changed_owner_are_deleted(
    records: RecordStore, accounts: set[int] | None, deleted: list[bool]
) -> None:
    times = times_of(records, 1000.0)
    places = PLACE, EventPlace("w", 2, 7), EventPlace("other", 2, 7)
    for place in places:
        await times.postpone(place, 70)
    await times_of(records, 1000.0).forget("w", accounts)
    assert [await times.pause(place) == 0 for place in places] == deleted
