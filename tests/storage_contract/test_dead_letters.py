"""Dead letters are listed and revived while their consumer is open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import (
    UIN,
    arrival,
    messages,
    opened,
)

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal, Journal

pytestmark = pytest.mark.plain


async def give_up(account: AccountJournal, *numbers: int, consumer: str = "bot") -> None:
    """Take all entries with a consumer, and give up some of them."""
    opened = await account.consumer(consumer)
    await opened.take()
    for number in numbers:
        await opened.failed(number, f"ValueError at bot.py:{number}")
        await opened.give_up(number, f"ValueError at bot.py:{number}")
    await opened.close()


async def test_dead_letters_are_listed_newest_first_up_to_a_limit(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 5)))
    await give_up(account, 2, 4, 5)

    letters = await account.dead_letters("bot", limit=2)
    assert [(each.entry.number, each.attempts, each.error) for each in letters] == [
        (5, 1, "ValueError at bot.py:5"),
        (4, 1, "ValueError at bot.py:4"),
    ]
    assert letters[0].time > 0


async def test_dead_letters_before_a_number_are_the_next_page(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 5)))
    await give_up(account, 2, 4, 5)

    assert [each.entry.number for each in await account.dead_letters("bot", limit=1, before=5)] == [4]
    assert [each.entry.number for each in await account.dead_letters("bot", before=5)] == [4, 2]
    assert await account.dead_letters("bot", before=2) == []


async def test_a_dead_letter_is_acknowledged_although_its_caller_is_cancelled(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 2)))
    consumer = await account.consumer("bot")
    await consumer.take()
    giving_up = asyncio.create_task(consumer.give_up(1, "ValueError at bot.py:1"))
    await asyncio.sleep(0)  # it has begun
    giving_up.cancel()
    await asyncio.wait([giving_up])

    while (await account.consumers())[0].acked != 1:
        await consumer.flush()
    assert [each.entry.number for each in await account.dead_letters("bot")] == [1]
    await consumer.close()


async def test_each_consumer_of_each_account_has_its_own_dead_letters(
    journal: Journal, account: AccountJournal
) -> None:
    other = await opened(journal, UIN + 1)
    await account.ingest(arrival(*messages(1, 1)))
    await other.ingest(arrival(*messages(1, 1)))
    await give_up(account, 1)
    await give_up(account, consumer="archive")

    assert await account.dead_letters("archive") == await other.dead_letters("bot") == []
    assert await account.dead_letters("who") == []
    assert not await other.revive("bot", 1)
    assert not await account.revive("archive", 1)
    assert (await account.stats()).dead_letters == 1
    assert (await other.stats()).dead_letters == 0


async def test_a_dead_letter_is_deleted_with_its_entry(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 1)))
    await give_up(account, 1)
    await account.purge(before=2_000_000_000)

    assert await account.dead_letters("bot") == []
    assert not await account.revive("bot", 1)
