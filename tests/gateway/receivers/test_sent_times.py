"""The times of the messages of receivers, which several gateways share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.gateway.notify.digest import DigestRule
from webwx.gateway.receivers.sent_times import SentTimes
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path

RULE = DigestRule(3, 60.0)


def at_thousand() -> float:
    return 1_000.0


async def test_several_gateways_send_together_as_many_messages_as_the_rule_permits(tmp_path: Path) -> None:
    records = open_records(tmp_path / "records.db")
    gateways = [SentTimes(records, at_thousand) for _ in range(4)]
    taken = await asyncio.gather(*(each.take("r", RULE, 1_000.0 + place) for place, each in enumerate(gateways * 2)))
    assert sum(is_now for _, is_now in taken) == 3
    assert [await each.get("r") for each in gateways] == [await gateways[0].get("r")] * 4
    assert await gateways[0].take("other", RULE, 1_000.0) == ((1_000.0,), True)
    await records.close()


async def test_a_message_is_counted_for_one_period() -> None:
    times = SentTimes(open_records("memory:"), at_thousand)
    for now in (0.0, 10.0, 20.0):
        await times.take("r", RULE, now)
    assert await times.take("r", RULE, 59.0) == ((0.0, 10.0, 20.0), False)
    assert await times.take("r", RULE, 60.0) == ((10.0, 20.0, 60.0), True)


async def test_a_digest_is_counted_like_a_message() -> None:
    times = SentTimes(open_records("memory:"), at_thousand)
    await times.take("r", RULE, 0.0)
    assert await times.count_digest("r", RULE, 61.0) == (61.0,)
    assert await times.count_digest("r", RULE, 62.0) == (61.0, 62.0)


async def test_times_are_deleted_with_their_receiver_or_when_they_are_old() -> None:
    now = 1_000.0
    records = open_records("memory:")
    times = SentTimes(records, lambda: now)
    for receiver in ("deleted", "old"):
        await times.take(receiver, RULE, now)
    await times.forget("deleted")
    now += 3_601
    await times.take("new", RULE, now)
    await times.forget_old()
    assert [await times.get(each) for each in ("deleted", "old", "new")] == [(), (), (now,)]
