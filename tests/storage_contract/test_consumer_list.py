"""The list of an account's consumers, and the deletion of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, UIN, arrival, messages, opened

from webwx.errors import AlreadyRunning
from webwx.storage.tables.consumers import ConsumerPosition
from webwx.storage.tables.conversations import ConversationRow

if TYPE_CHECKING:
    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal

pytestmark = pytest.mark.plain


async def test_each_consumer_is_listed_with_its_position(journal: Journal, account: AccountJournal) -> None:
    other = await opened(journal, UIN + 1)
    await other.consumer("other")
    await account.ingest(arrival(*messages(1, 5)))
    slow, bot = await account.consumer("slow", since="beginning"), await account.consumer("bot", since="beginning")
    await bot.take()
    for number in (1, 2, 4):
        bot.ack(number)
    await bot.give_up(3, "KeyError at bot.py:7")
    await bot.flush()
    await slow.take(1)

    assert await account.consumers() == [
        ConsumerPosition(name="bot", acked=4, waiting=1, dead_letters=1),
        ConsumerPosition(name="slow", acked=0, waiting=5, dead_letters=0),
    ]
    assert await account.consumer_names() == {"bot", "slow"}


async def test_entries_acknowledged_out_of_order_do_not_wait(account: AccountJournal) -> None:
    bot = await account.consumer("bot")
    await account.ingest(arrival(*messages(1, 5)))
    await bot.take()
    for number in (3, 5):
        bot.ack(number)
    await bot.flush()

    assert await account.consumers() == [ConsumerPosition(name="bot", acked=0, waiting=3, dead_letters=0)]


async def test_a_forgotten_consumer_is_a_new_one_when_it_is_opened_again(account: AccountJournal) -> None:
    await (await account.consumer("other")).close()
    await account.ingest(arrival(*messages(1, 3)))
    bot = await account.consumer("bot", since="beginning")
    await bot.take()
    await bot.give_up(1, "KeyError")
    bot.commit([2], [ConversationRow(key="chat", step="name")])
    await bot.close()

    assert await account.forget_consumer("bot")
    assert not await account.forget_consumer("bot")
    assert [each.name for each in await account.consumers()] == ["other"]
    assert await account.dead_letters("bot") == []
    assert not await account.revive("bot", 1)
    bot = await account.consumer("bot")
    assert await bot.conversation("chat") is None
    await account.ingest(arrival(*messages(4, 1)))
    assert [(entry.number, entry.redelivered, entry.attempt) for entry in await bot.take()] == [(4, False, 1)]


async def test_a_consumer_in_the_place_of_a_forgotten_one_inherits_nothing(account: AccountJournal) -> None:
    await account.ingest(arrival(*messages(1, 3)))
    first = await account.consumer("first")
    await first.take()
    await first.failed(1, "KeyError")
    first.ack(2)
    await first.close()
    await account.forget_consumer("first")

    second = await account.consumer("second", since="beginning")
    assert [(entry.number, entry.redelivered, entry.attempt) for entry in await second.take()] == [
        (1, False, 1),
        (2, False, 1),
        (3, False, 1),
    ]


async def test_an_open_consumer_is_not_forgotten(account: AccountJournal) -> None:
    bot = await account.consumer("bot")
    with pytest.raises(AlreadyRunning, match="'bot' is open already"):
        await account.forget_consumer("bot")
    await bot.close()
    assert await account.forget_consumer("bot")


async def test_a_consumer_of_another_process_is_not_forgotten(quick_engine: StorageEngine) -> None:
    journal = quick_engine.open()
    bot = await (await opened(journal)).consumer("bot")
    other_journal = quick_engine.open()
    other = other_journal.account(UIN)
    await other.position(OWN)
    with pytest.raises(AlreadyRunning):
        await other.forget_consumer("bot")
    await bot.close()
    assert await other.forget_consumer("bot")
    assert await (await opened(journal)).consumers() == []
    await other_journal.close()
    await journal.close()
