"""A damaged body of a batch costs its own messages only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, ROOM, UIN, arrival, everything, message, opened

from webwx.model.events import QuarantinedMessage, event_from_item
from webwx.model.messages import TextMessage
from webwx.storage.cursors import read_accounts
from webwx.storage.entries import EntryQuery
from webwx.storage.tables.body_checks import BodyCheck, DamagedBatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.entries import Entry

DAY = 86_400.0
NOW = float(int(time.time()))

EVENTS = ["text 1", QuarantinedMessage, QuarantinedMessage, "text 4", "text 5"]
"""The events of `damaged`: two of three batches can be read."""


def said(number: int, chat: str = FRIEND) -> bytes:
    return message(str(number), f"text {number}", chat, at=int(NOW - 10 * DAY))


def texts(entries: Iterable[Entry]) -> list[object]:
    """Return the texts of messages, and the types of other events."""
    events = [event_from_item(each.item, each.own_id) for each in entries]
    return [event.text if isinstance(event, TextMessage) else type(event) for event in events]


@pytest.fixture
async def damaged(quick_engine: StorageEngine) -> AsyncIterator[Journal]:
    """A journal with three batches, of which the second one is damaged."""
    async with quick_engine.open() as journal:
        account = await opened(journal)
        await (await account.consumer("bot", since="beginning")).close()
        for numbers in ((1,), (2, 3), (4, 5)):
            chat = ROOM if 4 in numbers else FRIEND
            await account.ingest(arrival(*(said(number, chat) for number in numbers), at=NOW - 10 * DAY))
    quick_engine.damage(2)
    async with quick_engine.open() as journal:
        yield journal


@pytest.fixture
def account(damaged: Journal) -> AccountJournal:
    return damaged.account(UIN)


async def test_a_consumer_gets_the_other_messages_of_a_journal_with_a_damaged_batch(account: AccountJournal) -> None:
    consumer = await account.consumer("bot")
    taken = await consumer.take()
    assert texts(taken) == EVENTS
    assert [each.number for each in taken] == [1, 2, 3, 4, 5]
    for each in taken:
        consumer.ack(each.number)
    await consumer.close()
    assert await (await account.consumer("bot")).take() == []


async def test_the_history_of_a_journal_with_a_damaged_batch_is_complete(account: AccountJournal) -> None:
    assert texts(await account.find(EntryQuery())) == EVENTS[::-1]
    assert texts(await everything(account)) == EVENTS
    assert texts(await account.find(EntryQuery(chats=(FRIEND,)))) == EVENTS[2::-1]
    assert texts(await account.find(EntryQuery(message_id="3"))) == [QuarantinedMessage]


async def test_a_search_finds_the_other_messages_of_a_journal_with_a_damaged_batch(account: AccountJournal) -> None:
    found = await account.find(EntryQuery(words="text"))
    assert [text for text in texts(found) if text is not QuarantinedMessage] == ["text 5", "text 4", "text 1"]


async def test_a_page_of_several_accounts_passes_a_damaged_batch(damaged: Journal) -> None:
    page = await read_accounts(damaged, [UIN], limit=3)
    page_after = await read_accounts(damaged, [UIN], cursor=page.cursor)
    assert texts(each.entry for each in (*page.entries, *page_after.entries)) == EVENTS


async def test_a_message_of_a_damaged_batch_is_not_stored_twice(account: AccountJournal) -> None:
    await account.position(OWN)
    assert await account.ingest(arrival(said(2), said(6))) == 1


async def test_a_check_finds_a_damaged_batch(account: AccountJournal) -> None:
    found = await account.check_bodies()
    assert found == BodyCheck(batches=3, damaged=(DamagedBatch(number=2, entries=2, time=NOW - 10 * DAY),))


async def test_a_purge_deletes_messages_of_a_damaged_batch(account: AccountJournal) -> None:
    assert await account.purge(chats=(FRIEND,)) == 3
    assert texts(await everything(account))[-2:] == ["text 4", "text 5"]
    assert (await account.check_bodies()).damaged == ()


async def test_old_messages_of_a_damaged_batch_are_deleted(damaged: Journal, quick_engine: StorageEngine) -> None:
    await damaged.close()
    async with quick_engine.open(retention_days=5) as journal:
        account = await opened(journal)
        await account.ingest(arrival(message("7", "new", at=int(NOW)), at=NOW))
        while (await account.stats()).batches > 1:
            await account.find(EntryQuery(limit=1))
        assert texts(await everything(account))[-1:] == ["new"]
