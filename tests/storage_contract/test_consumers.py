"""Consumers: no entry is lost, and a redelivered entry is marked."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.storage.arrivals import (
    OWN,
    UIN,
    arrival,
    messages,
    opened,
)
from tests.storage.entries import crashes, numbers
from tests.storage_contract.engines import make

from webwx.errors import AlreadyRunning

if TYPE_CHECKING:
    from tests.storage_contract.engines import OpenJournal, StorageEngine

    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.consumer import Consumer


async def reopened(engine: StorageEngine) -> tuple[OpenJournal, AccountJournal, Consumer]:
    """Open the consumer as the next process does, or again in this process."""
    journal = engine.open()
    account = journal.account(UIN)
    if await account.position(OWN) is None:
        account = await opened(journal)
    return journal, account, await account.consumer("bot")


class TestGiving:
    async def test_entries_are_delivered_once_and_in_order(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        taken: list[int] = []
        for first in range(1, 50, 7):
            await account.ingest(arrival(*messages(first, 7)))
            taken += numbers(await consumer.take(3))
        while more := await consumer.take(4):
            taken += numbers(more)

        assert taken == list(range(1, 50))

    async def test_what_a_cancelled_take_has_read_is_taken_by_the_next_one(self, engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(engine)
        await account.ingest(arrival(*messages(1, 100)))
        await consumer.take()
        for number in range(1, 101):
            if number % 3:
                consumer.ack(number)
        await consumer.give_up(99, "KeyError")
        await journal.close()

        journal, account, consumer = await reopened(engine)
        await account.revive("bot", 99)
        taken: list[int] = []
        for steps in range(30):
            taking = asyncio.ensure_future(consumer.take(3))
            for _ in range(steps):
                await asyncio.sleep(0)
            if not taking.done():
                taking.cancel()
            taken += [
                number
                for each in await asyncio.gather(taking, return_exceptions=True)
                if not isinstance(each, BaseException)
                for number in numbers(each)
            ]
        while more := await consumer.take(3):
            taken += numbers(more)
        assert sorted(taken) == list(range(3, 100, 3))
        await journal.close()

    async def test_entries_behind_many_acknowledged_ones_are_delivered_at_once(self, engine: StorageEngine) -> None:
        journal = engine.open()
        account = await opened(journal)
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 1_301)))
        taken = [number for _ in range(13) for number in numbers(await consumer.take(100))]
        for number in taken[1:1_100]:
            consumer.ack(number)
        await consumer.flush()
        await journal.close()

        journal, _, consumer = await reopened(engine)
        again: list[int] = []
        while more := await consumer.take(100):
            again += numbers(more)
        assert again == [1, *range(1_101, 1_302)]
        await journal.close()

    async def test_taking_does_not_wait(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        for first in (1, 2):  # From storage, then from memory as they arrive.
            assert await consumer.take() == []
            await account.ingest(arrival(*messages(first, 1)))
            assert numbers(await consumer.take()) == [first]

    async def test_an_entry_can_be_acknowledged_before_it_is_taken(self, journal: Journal) -> None:
        account = await opened(journal)
        first = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 5)))
        await first.take(4)
        await first.close()
        again = await account.consumer("bot")
        for number in (2, 4, 4):
            again.ack(number)
        await again.flush()
        assert numbers(await again.take()) == [1, 3, 5]
        for number in (1, 3, 5):
            again.ack(number)
        await again.flush()
        [position] = await account.consumers()
        assert (position.acked, position.waiting) == (5, 0)

    async def test_each_consumer_has_its_own_cursor(self, account: AccountJournal) -> None:
        fast, slow = await account.consumer("fast"), await account.consumer("slow")
        await account.ingest(arrival(*messages(1, 5)))
        assert numbers(await fast.take()) == [1, 2, 3, 4, 5]
        await account.ingest(arrival(*messages(6, 2)))

        assert numbers(await fast.take()) == [6, 7]
        assert numbers(await slow.take(6)) == [1, 2, 3, 4, 5, 6]
        assert numbers(await slow.take(6)) == [7]

    async def test_the_first_consumer_gets_all_entries_and_later_ones_only_new_entries(
        self, account: AccountJournal
    ) -> None:
        await account.ingest(arrival(*messages(1, 3)))
        first, late = await account.consumer("first"), await account.consumer("late")
        early = await account.consumer("early", since="beginning")
        await account.ingest(arrival(*messages(4, 1)))

        assert numbers(await first.take()) == [1, 2, 3, 4]
        assert numbers(await late.take()) == [4]
        assert numbers(await early.take()) == [1, 2, 3, 4]

    async def test_consumers_of_two_accounts_do_not_affect_each_other(self, journal: Journal) -> None:
        one, two = await opened(journal, 1), await opened(journal, 2)
        bots = [await one.consumer("bot"), await two.consumer("bot")]
        for first in (1, 4, 7):
            await one.ingest(arrival(*messages(first, 2)))
            await two.ingest(arrival(*messages(first, 3)))

        assert [entry.message_id for entry in await bots[0].take()] == ["1", "2", "4", "5", "7", "8"]
        assert len(await bots[1].take()) == 9

    async def test_entries_that_arrive_while_the_file_is_read_are_delivered(self, account: AccountJournal) -> None:
        await account.ingest(arrival(*messages(1, 2_000)))
        consumer = await account.consumer("bot")

        async def ingest() -> None:
            for first in range(2_001, 3_001, 10):
                await account.ingest(arrival(*messages(first, 10)))

        working = asyncio.ensure_future(ingest())
        taken: list[int] = []
        while len(taken) < 3_000:
            taken += numbers(await consumer.take(7))
            await asyncio.sleep(0)
        await working

        assert taken == list(range(1, 3_001))


class TestAcknowledging:
    async def test_an_entry_that_was_never_delivered_is_not_marked_as_redelivered(self, engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(engine)
        await account.ingest(arrival(*messages(1, 3)))
        await consumer.take(1)
        await journal.close()

        journal, account, consumer = await reopened(engine)
        await account.ingest(arrival(*messages(4, 1)))
        again = await consumer.take()
        assert [(entry.number, entry.redelivered) for entry in again] == [
            (1, True),
            (2, False),
            (3, False),
            (4, False),
        ]
        await journal.close()

    async def test_an_entry_that_no_handler_has_got_is_not_marked_as_redelivered(self, engine: StorageEngine) -> None:
        for shown in (False, True):
            journal, account, consumer = await reopened(engine)
            await account.ingest(arrival(*messages(1, 4)))
            taken = await consumer.take()
            assert [entry.redelivered for entry in taken] == [shown, False, False, False]
            await consumer.close(unseen_from=2)
            await journal.close()

    async def test_an_acknowledged_entry_is_not_delivered_again(self, quick_engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(1, 6)))
        await consumer.take()
        for number in (1, 2, 5):
            consumer.ack(number)
        await consumer.flush()
        await quick_engine.kill(journal)

        journal, account, consumer = await reopened(quick_engine)
        again = await consumer.take()
        assert [(entry.number, entry.redelivered, entry.attempt) for entry in again] == [
            (3, True, 2),
            (4, True, 2),
            (6, True, 2),
        ]
        for number in (6, 3, 4):
            consumer.ack(number)
        await journal.close()

        journal, account, consumer = await reopened(quick_engine)
        assert await consumer.take() == []
        await journal.close()


class TestFailing:
    async def test_failures_are_counted_over_processes(self, quick_engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        assert await consumer.failed(1, "ValueError at bot.py:3") == 1
        assert await consumer.failed(1, "ValueError at bot.py:3") == 2
        await quick_engine.kill(journal)

        journal, account, consumer = await reopened(quick_engine)
        first, second = await consumer.take()
        assert (first.attempt, first.redelivered) == (4, True), (
            "two failed attempts, one interrupted attempt, and this one"
        )
        assert (second.attempt, second.redelivered) == (2, True)
        assert await consumer.failed(1, "ValueError at bot.py:3") == 3
        consumer.ack(1)
        await consumer.flush()
        await journal.close()

    async def test_a_dead_letter_can_be_revived_once(self, quick_engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        await consumer.failed(1, "KeyError")
        await consumer.give_up(1, "KeyError")
        assert await account.revive("bot", 1) is True
        assert await account.revive("bot", 1) is False
        assert await account.revive("bot", 77) is False
        (entry,) = await consumer.take()
        assert (entry.number, entry.attempt) == (1, 2)
        assert await account.dead_letters("bot") == []
        await quick_engine.kill(journal)

        journal, account, consumer = await reopened(quick_engine)
        first, second = await consumer.take()
        assert (first.number, second.number) == (1, 2), "it is not acknowledged, so it is delivered again"
        consumer.ack(1)
        await journal.close()

        journal, account, consumer = await reopened(quick_engine)
        assert numbers(await consumer.take()) == [2]
        await journal.close()

    async def test_entries_before_a_revived_one_are_not_lost(self, engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(engine)
        await account.ingest(arrival(*messages(1, 3)))
        await consumer.take()
        await consumer.give_up(3, "KeyError")
        await journal.close()

        journal, account, consumer = await reopened(engine)
        await account.revive("bot", 3)
        taken = numbers(await consumer.take(1))
        taken += [number for _ in range(3) for number in numbers(await consumer.take(1))]
        assert taken == [3, 1, 2]
        consumer.ack(3)
        await journal.close()

        journal, account, consumer = await reopened(engine)
        assert numbers(await consumer.take()) == [1, 2]
        await journal.close()

    async def test_a_dead_letter_is_stored_and_not_delivered_again(self, engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(engine)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        for _ in range(3):
            await consumer.failed(2, "KeyError at bot.py:7")
        await consumer.give_up(2, "KeyError at bot.py:7")
        consumer.ack(1)
        await journal.close()

        journal, account, consumer = await reopened(engine)
        assert await consumer.take() == []
        (letter,) = await account.dead_letters("bot")
        assert (letter.entry.number, letter.attempts, letter.error) == (2, 3, "KeyError at bot.py:7")
        await journal.close()


class TestDeaths:
    async def test_entry_in_flight_at_two_crashes_has_two_crashes(self, quick_engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(1, 3)))
        assert crashes(await consumer.take()) == {1: 0, 2: 0, 3: 0}
        await quick_engine.kill(journal)

        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(4, 1)))
        assert crashes(await consumer.take()) == {1: 1, 2: 1, 3: 1, 4: 0}
        consumer.ack(2)
        await consumer.flush()
        await quick_engine.kill(journal)

        for _ in range(2):  # Without a poison marker the count does not grow.
            journal, account, consumer = await reopened(quick_engine)
            again = await consumer.take()
            assert crashes(again) == {1: 2, 3: 2, 4: _ + 1}
            assert [entry.attempt for entry in again] == [3, 3, _ + 2]
            await quick_engine.kill(journal)

    async def test_third_crash_counts_against_the_entry_with_the_poison_marker(
        self, quick_engine: StorageEngine
    ) -> None:
        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(1, 4)))
        for marked in (None, None, 1, 1):
            await consumer.take()
            if marked is not None:
                for innocent in (2, 3):
                    await consumer.add_poison_marker(innocent)
                consumer.remove_poison_marker(2)
                consumer.remove_poison_marker(3)
                await consumer.add_poison_marker(marked)
            await quick_engine.kill(journal)
            journal, account, consumer = await reopened(quick_engine)

        again = await consumer.take()
        assert crashes(again) == {1: 4, 2: 2, 3: 2, 4: 2}
        assert [entry.attempt for entry in again] == [5, 3, 3, 3]
        await journal.close()

    async def test_revived_entry_begins_without_crashes(self, quick_engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(1, 1)))
        for _ in range(3):
            await consumer.take()
            await consumer.add_poison_marker(1)
            await quick_engine.kill(journal)
            journal, account, consumer = await reopened(quick_engine)
        (entry,) = await consumer.take()
        assert entry.crashes == 3
        await consumer.give_up(1, "the process crashed")
        (letter,) = await account.dead_letters("bot")
        assert letter.attempts == 3
        await account.revive("bot", 1)
        (entry,) = await consumer.take()
        assert (entry.crashes, entry.attempt) == (0, 4)
        await quick_engine.kill(journal)

        for expected in (2, 5), (3, 6):  # One crash is enough for isolation, and a crash in isolation is counted.
            journal, account, consumer = await reopened(quick_engine)
            (entry,) = await consumer.take()
            assert (entry.crashes, entry.attempt) == expected
            await consumer.add_poison_marker(1)
            await quick_engine.kill(journal)

    async def test_a_normal_end_is_not_a_crash(self, engine: StorageEngine) -> None:
        for _ in range(4):
            journal, account, consumer = await reopened(engine)
            await account.ingest(arrival(*messages(1, 1)))
            (entry,) = await consumer.take()
            assert entry.crashes == 0
            await consumer.add_poison_marker(1)
            await journal.close()


class TestRevived:
    async def test_a_failed_entry_is_delivered_to_the_next_process(self, quick_engine: StorageEngine) -> None:
        journal, account, consumer = await reopened(quick_engine)
        await account.ingest(arrival(*messages(1, 2)))
        for entry in await consumer.take():
            consumer.ack(entry.number) if entry.number == 2 else await consumer.give_up(1, "KeyError")
        await account.revive("bot", 1)
        assert numbers(await consumer.take()) == [1]
        await consumer.failed(1, "KeyError")
        assert await consumer.take() == []
        await quick_engine.kill(journal)

        journal, account, consumer = await reopened(quick_engine)
        assert numbers(await consumer.take()) == [1]
        await journal.close()

    async def test_dead_letter_that_is_revived_at_once_is_not_lost(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        await consumer.failed(1, "KeyError")
        await consumer.give_up(1, "KeyError")
        await account.revive("bot", 1)  # Before the acknowledgement is stored.
        await consumer.flush()
        assert numbers(await consumer.take()) == [1]


class TestNames:
    async def test_a_consumer_is_open_once(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        with pytest.raises(AlreadyRunning, match="'bot' is open already"):
            await account.consumer("bot")
        await consumer.close()
        await consumer.close()
        await (await account.consumer("bot")).close()

    @pytest.mark.parametrize("name", ["", "../../etc", "机器人", "a\x00b", "\ud800"])
    async def test_a_consumer_may_have_any_name(self, account: AccountJournal, name: str) -> None:
        consumer = await account.consumer(name)
        await account.ingest(arrival(*messages(1, 1)))
        assert numbers(await consumer.take()) == [1]


STEP = st.one_of(
    st.tuples(st.just("ingest"), st.integers(1, 8)),
    st.tuples(st.just("take"), st.integers(1, 8)),
    st.tuples(st.just("ack"), st.integers(0, 7)),
    st.tuples(st.just("crash"), st.just(0)),
    st.tuples(st.just("close"), st.just(0)),
)


async def play(engine: StorageEngine, steps: list[tuple[str, int]]) -> None:
    """Check after any steps that no entry is lost and every repetition is marked."""
    journal, account, consumer = await reopened(engine)
    stored, given, open_entries, acked = 0, set[int](), list[int](), set[int]()
    for verb, count in [*steps, ("crash", 0)]:
        match verb:
            case "ingest":
                await account.ingest(arrival(*messages(stored + 1, count)))
                stored += count
            case "take":
                for entry in await consumer.take(count):
                    assert entry.number not in acked
                    assert entry.redelivered or entry.number not in given
                    given.add(entry.number)
                    open_entries.append(entry.number)
            case "ack" if open_entries:
                number = open_entries.pop(count % len(open_entries))
                consumer.ack(number)
                acked.add(number)
            case "crash" | "close":
                await consumer.flush()
                if verb == "crash":
                    await engine.kill(journal)
                else:
                    await journal.close()
                journal, account, consumer = await reopened(engine)
                open_entries.clear()
    left: list[int] = []
    while more := await consumer.take(100):
        left += numbers(more)
    assert left == [number for number in range(1, stored + 1) if number not in acked]
    await journal.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=30))
def test_in_any_order_of_events_no_entry_is_lost_and_every_repetition_is_marked(
    steps: list[tuple[str, int]], tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        asyncio.run(play(make("sqlite", Path(folder)), steps))


@pytest.mark.verify
@settings(max_examples=15)  # a kill of a server's sessions takes long
@given(steps=st.lists(STEP, max_size=30))
def test_the_same_holds_on_a_server(steps: list[tuple[str, int]]) -> None:
    asyncio.run(play(make("postgres", Path()), steps))


async def test_a_revived_dead_letter_notifies_its_consumer_although_nothing_arrives(account: AccountJournal) -> None:
    notified = asyncio.Event()
    consumer = await account.consumer("bot", on_revived=notified.set)
    await account.ingest(arrival(*messages(1, 1)))
    await consumer.take()
    await consumer.give_up(1, "KeyError")
    assert not notified.is_set()
    await asyncio.gather(account.revive("bot", 1), notified.wait())
    assert numbers(await consumer.take()) == [1]
