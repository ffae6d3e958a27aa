"""Conversations: a change and the acknowledgement of its entry are one transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, ROOM, UIN, arrival, messages, opened
from tests.storage.entries import numbers
from tests.storage_contract.test_consumers import reopened
from tests.storage_contract.test_processes import program, said

from webwx.storage.tables.conversations import ConversationRow

if TYPE_CHECKING:
    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.consumer import Consumer

NOW = time.time()


def row(
    key: str = "1", step: str = "", values: bytes = b"", deadline: float | None = None, changed_at: float = NOW
) -> ConversationRow:
    return ConversationRow(
        key=key, step=step, values=values, chat=FRIEND, deadline=deadline, changed_at=changed_at
    )  # fmt: skip


async def steps(consumer: Consumer, *keys: str) -> list[str | None]:
    found = [await consumer.conversation(key) for key in keys]
    return [None if each is None else each.step for each in found]


@pytest.fixture
async def consumer(account: AccountJournal) -> Consumer:
    await account.ingest(arrival(*messages(1, 5)))
    return await account.consumer("bot", since="beginning")


async def test_a_change_is_visible_at_once_and_after_it_is_stored(consumer: Consumer) -> None:
    await consumer.take()
    assert await consumer.conversation("1") is None
    changed = row("1", "Survey.age", b'{"name":"x"}', NOW + 60)
    consumer.commit([1], [changed])

    assert await consumer.conversation("1") == changed
    await consumer.flush()
    assert await consumer.conversation("1") == changed
    assert await consumer.conversation("2") is None


async def test_an_empty_change_deletes_a_conversation(consumer: Consumer) -> None:
    consumer.commit([], [row("1", "a"), row("2", "a")])
    await consumer.flush()
    consumer.commit([], [row("1")])

    assert await steps(consumer, "1", "2") == [None, "a"]
    await consumer.flush()
    assert await steps(consumer, "1", "2") == [None, "a"]


async def test_the_next_opening_finds_the_state_and_not_the_acknowledged_entries(engine: StorageEngine) -> None:
    journal, account, consumer = await reopened(engine)
    await account.ingest(arrival(*messages(1, 3)))
    await consumer.take()
    consumer.commit([1], [row("1", "a")])
    consumer.commit([3], [row("1", "b"), row("2", "c")])
    await journal.close()

    journal, _, consumer = await reopened(engine)
    assert numbers(await consumer.take()) == [2]
    assert await steps(consumer, "1", "2") == ["b", "c"]
    await journal.close()


async def test_a_commit_acknowledges_several_entries(engine: StorageEngine) -> None:
    journal, account, consumer = await reopened(engine)
    await account.ingest(arrival(*messages(1, 3)))
    await consumer.take()
    consumer.commit([1, 3], [])
    await journal.close()

    journal, _, consumer = await reopened(engine)
    assert numbers(await consumer.take()) == [2]
    await journal.close()


async def test_each_consumer_of_each_account_has_its_own_conversations(journal: Journal) -> None:
    one, two = await opened(journal, 1), await opened(journal, 2)
    consumers = [await one.consumer("bot"), await one.consumer("other"), await two.consumer("bot")]
    for number, each in enumerate(consumers):
        each.commit([], [row("1", str(number))])

    assert [await steps(each, "1") for each in consumers] == [["0"], ["1"], ["2"]]
    for each in consumers:
        await each.flush()
    assert [await steps(each, "1") for each in consumers] == [["0"], ["1"], ["2"]]


async def test_deadlines_are_listed_earliest_first(consumer: Consumer) -> None:
    consumer.commit([], [row("1", "a", deadline=30.0), row("2", "a"), row("3", deadline=10.0), row("4", deadline=20.0)])
    assert [each.key for each in await consumer.deadlines()] == ["3", "4", "1"]
    consumer.commit([], [row("3", "b"), row("4"), row("1", "a", deadline=40.0)])

    assert [(each.key, each.deadline) for each in await consumer.deadlines()] == [("1", 40.0)]


async def test_deadlines_are_listed_up_to_a_limit(consumer: Consumer) -> None:
    consumer.commit([], [row(str(number), deadline=100.0 - number) for number in range(9)])

    assert [each.key for each in await consumer.deadlines(2)] == ["8", "7"]


async def test_all_conversations_are_listed_up_to_a_limit(consumer: Consumer) -> None:
    assert await consumer.conversations() == []
    rows = [row("1", "a"), row("2", "b", b"{}", 10.0), row("3", "c")]
    consumer.commit([], rows)

    assert sorted(await consumer.conversations(), key=lambda each: each.key) == rows
    assert len(await consumer.conversations(2)) == 2
    consumer.commit([], [row("2")])
    assert sorted(each.key for each in await consumer.conversations()) == ["1", "3"]


async def test_any_text_is_a_key(consumer: Consumer) -> None:
    consumer.commit([], [row("\ud800", "a"), row("你好", "b")])
    await consumer.flush()

    assert await steps(consumer, "\ud800", "你好") == ["a", "b"]


async def test_the_repr_of_a_conversation_has_no_values() -> None:
    assert repr(row("@friend", "a", b"secret")) == "ConversationRow(***)"


class TestDeleting:
    async def test_a_purge_of_a_chat_deletes_its_conversations(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        consumer.commit([], [row("1", "a")])
        await consumer.flush()
        await account.purge(chats=[ROOM])
        assert await steps(consumer, "1") == ["a"]
        await account.purge(chats=[FRIEND])

        assert await steps(consumer, "1") == [None]

    async def test_a_purge_by_age_keeps_what_changed_later_or_is_due_later(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        consumer.commit([], [row("1", "a", changed_at=1.0), row("2", "a", deadline=9.0, changed_at=1.0), row("3", "a")])
        await consumer.flush()
        await account.purge(before=5.0)

        assert await steps(consumer, "1", "2", "3") == [None, "a", "a"]

    async def test_a_purge_deletes_nothing_of_another_account(self, journal: Journal) -> None:
        one, two = await opened(journal, 1), await opened(journal, 2)
        consumer = await one.consumer("bot")
        consumer.commit([], [row("1", "a", changed_at=1.0)])
        await consumer.flush()
        await two.purge(before=5.0, chats=[FRIEND])
        await two.purge(before=5.0)

        assert await steps(consumer, "1") == ["a"]


@pytest.mark.parametrize("line", [*range(4), *(pytest.param(line, marks=pytest.mark.verify) for line in range(4, 40))])
async def test_a_kill_around_any_commit_leaves_the_state_of_the_acknowledged_entries(
    quick_engine: StorageEngine, line: int
) -> None:
    async with program(quick_engine, "converse", "20") as other:
        for _ in range(line + 1):
            await said(other)
    journal = quick_engine.open()
    account = journal.account(UIN)
    if await account.position(OWN) is None:
        assert line == 0
    else:
        consumer = await account.consumer("bot")
        left = numbers(await consumer.take())
        stored = await consumer.conversation("count")
        counted = 0 if stored is None else int(stored.step)
        assert left == list(range(counted + 1, len(left) + counted + 1)), (
            "the state belongs to the last acknowledged entry"
        )
    await journal.close()
