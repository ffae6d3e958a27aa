"""Consumers: nothing is lost, nothing comes twice without saying so."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.arrivals import OWN, UIN, arrival, messages, opened

from webwx.errors import AlreadyRunning, StorageError
from webwx.store import consumers as consumers_module
from webwx.store import writer as writer_module
from webwx.store.schema import ROOM, log_of
from webwx.store.sqlite import SqliteAccount, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.store.consumers import SqliteConsumer
    from webwx.store.journal import Entry

pytestmark = pytest.mark.usefixtures("folds")


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.number for entry in entries]


async def reopened(path: Path, *, shows: bool = False) -> tuple[SqliteJournal, SqliteAccount, SqliteConsumer]:
    """Come as another process would."""
    journal = SqliteJournal(path)
    account = journal.account(UIN)
    if await account.position(OWN) is None:
        account = await opened(journal)
    return journal, account, await account.consumer("bot", shows=shows)


async def known(journal: SqliteJournal) -> SqliteAccount:
    """Give the account, at its login."""
    account = journal.account(UIN)
    await account.position(OWN)
    return account


@contextlib.asynccontextmanager
async def two_processes(path: Path) -> AsyncIterator[tuple[SqliteJournal, SqliteJournal, SqliteConsumer]]:
    """Open a journal twice, as two processes have it; the first has a consumer."""
    journal, _, consumer = await reopened(path)
    beside = SqliteJournal(path)
    try:
        yield journal, beside, consumer
    finally:
        await beside.close()
        await journal.close()


async def die(journal: SqliteJournal, path: Path) -> None:
    """Leave the file as it is at this moment, with whatever was not stored lost."""
    moment = path.with_suffix(".moment")
    await journal.backup(moment)
    await journal.close()
    moment.replace(path)


class TestGiving:
    async def test_entries_come_once_and_in_order(self, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        taken: list[int] = []
        for first in range(1, 50, 7):
            await account.ingest(arrival(*messages(first, 7)))
            taken += numbers(await consumer.take(3))
        while more := await consumer.take_waiting(4):
            taken += numbers(more)

        assert taken == list(range(1, 50))

    async def test_whoever_takes_waits_until_there_is_one(self, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        for first in (1, 2):  # from the file, then from memory
            waiting = asyncio.ensure_future(consumer.take())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await account.ingest(arrival(*messages(first, 1)))
            assert numbers(await waiting) == [first]

    @pytest.mark.parametrize("is_taken_between", [True, False])
    async def test_what_another_process_stores_between_two_batches_is_given_in_its_place(
        self, path: Path, is_taken_between: bool
    ) -> None:
        taken: list[int] = []
        async with two_processes(path) as (journal, beside, consumer):
            account = await known(journal)
            for first in (1, 2):  # from the file, then from memory
                await account.ingest(arrival(*messages(first, 1)))
                taken += numbers(await consumer.take())
            await account.ingest(arrival(*messages(3, 1)))
            if is_taken_between:
                taken += numbers(await consumer.take())
            await (await known(beside)).ingest(arrival(*messages(4, 1)))
            await account.ingest(arrival(*messages(5, 1)))
            while more := await consumer.take_waiting():
                taken += numbers(more)
        assert taken == [1, 2, 3, 4, 5]

    async def test_what_another_process_stores_for_one_account_is_not_hidden_by_the_next_batch_of_another(
        self, path: Path
    ) -> None:
        async with two_processes(path) as (journal, beside, consumer):
            account, second = await known(journal), journal.account(UIN + 1)
            await second.open_login(OWN, b"fresh", 1.0, [])
            await account.ingest(arrival(*messages(1, 1)))
            taken = numbers(await consumer.take())
            await account.ingest(arrival(*messages(2, 1)))
            taken += numbers(await consumer.take())
            await (await known(beside)).ingest(arrival(*messages(3, 1)))
            await second.ingest(arrival(*messages(4, 1)))
            await account.ingest(arrival(*messages(5, 1)))
            while more := await consumer.take_waiting():
                taken += numbers(more)
        assert taken == [1, 2, 3, 5]

    async def test_nothing_waits_when_nobody_wants_to(self, account: SqliteAccount) -> None:
        assert await (await account.consumer("bot")).take_waiting() == []

    async def test_each_consumer_has_a_way_of_its_own(self, account: SqliteAccount) -> None:
        fast, slow = await account.consumer("fast"), await account.consumer("slow")
        await account.ingest(arrival(*messages(1, 5)))
        assert numbers(await fast.take()) == [1, 2, 3, 4, 5]
        await account.ingest(arrival(*messages(6, 2)))

        assert numbers(await fast.take()) == [6, 7]
        assert numbers(await slow.take(6)) == [1, 2, 3, 4, 5, 6]
        assert numbers(await slow.take(6)) == [7]

    async def test_the_first_consumer_gets_everything_and_later_ones_what_comes(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(*messages(1, 3)))
        first, late = await account.consumer("first"), await account.consumer("late")
        early = await account.consumer("early", since="beginning")
        await account.ingest(arrival(*messages(4, 1)))

        assert numbers(await first.take()) == [1, 2, 3, 4]
        assert numbers(await late.take()) == [4]
        assert numbers(await early.take()) == [1, 2, 3, 4]

    async def test_accounts_share_a_file_and_nothing_else(self, journal: SqliteJournal) -> None:
        one, two = await opened(journal, 1), await opened(journal, 2)
        bots = [await one.consumer("bot"), await two.consumer("bot")]
        for first in (1, 4, 7):
            await one.ingest(arrival(*messages(first, 2)))
            await two.ingest(arrival(*messages(first, 3)))

        assert [entry.message_id for entry in await bots[0].take()] == ["1", "2", "4", "5", "7", "8"]
        assert len(await bots[1].take()) == 9

    async def test_f7_one_that_was_away_gets_all_of_it_and_memory_is_bounded(
        self, account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consumers_module, "MOST_WAITING", 20)
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 1)))
        assert numbers(await consumer.take()) == [1]
        for first in range(2, 1_002, 10):
            await account.ingest(arrival(*messages(first, 10)))

        taken: list[int] = []
        while more := await consumer.take_waiting():
            taken += numbers(more)
        assert taken == list(range(2, 1_002))
        await account.ingest(arrival(*messages(1_002, 1)))
        assert numbers(await consumer.take()) == [1_002]

    async def test_what_comes_while_the_file_is_read_is_not_missed(self, account: SqliteAccount) -> None:
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

    async def test_one_that_has_come_as_far_as_what_is_new_goes_on_from_memory(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consumers_module, "PIECE", 2)
        monkeypatch.setattr(consumers_module, "MOST_WAITING", 4)
        await account.ingest(arrival(*messages(1, 2)))
        consumer = await account.consumer("bot")
        for number in range(3, 9):
            await account.ingest(arrival(*messages(number, 1)))
        taken: list[int] = []
        for _ in range(2):
            taken += numbers(await consumer.take(2))
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM entries")  # nobody reads them there any more
        while len(taken) < 8:
            taken += numbers(await consumer.take(2))

        assert taken == list(range(1, 9))

    async def test_what_is_given_from_memory_is_stored_as_given_before(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await account.ingest(arrival(*messages(1, 1)))
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(2, 3)))
        await consumer.take(1)
        await consumer.take(1)
        with contextlib.closing(sqlite3.connect(path)) as db:
            (started,) = db.execute("SELECT started FROM consumers").fetchone()

        assert started >= 2

    async def test_what_cannot_be_stored_as_given_is_not_given_and_comes_the_next_time(
        self, account: SqliteAccount, path: Path
    ) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 3)))
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TRIGGER stop BEFORE UPDATE ON consumers BEGIN SELECT RAISE(FAIL, 'stop'); END")
            with pytest.raises(StorageError):
                await consumer.take()
            db.execute("DROP TRIGGER stop")

        assert numbers(await consumer.take()) == [1, 2, 3]
        await account.ingest(arrival(*messages(4, 2)))
        assert numbers(await consumer.take()) == [4, 5]

    async def test_what_is_deleted_before_it_is_reached_is_missed_with_a_gap(
        self, account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consumers_module, "PIECE", 2)
        await account.ingest(arrival(*messages(1, 4)))
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(5, 4)))
        assert numbers(await consumer.take(2)) == [1, 2]
        await account.purge(before=2**40)

        (gap,) = await consumer.take()
        assert (gap.number, gap.item.kind) == (8, "gap")


class TestAcknowledging:
    async def test_what_was_acknowledged_does_not_come_again(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 6)))
        await consumer.take()
        for number in (1, 2, 5):
            consumer.ack(number)
        await consumer.flush()
        await die(journal, path)

        journal, account, consumer = await reopened(path)
        again = await consumer.take()
        assert [(entry.number, entry.redelivered, entry.attempt) for entry in again] == [
            (3, True, 2),
            (4, True, 2),
            (6, True, 2),
        ]
        for number in (6, 3, 4):
            consumer.ack(number)
        await journal.close()

        journal, account, consumer = await reopened(path)
        assert await consumer.take_waiting() == []
        await journal.close()

    async def test_an_acknowledgement_is_stored_within_milliseconds_though_nothing_comes(
        self, path: Path, account: SqliteAccount
    ) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        consumer.ack(1)
        with contextlib.closing(sqlite3.connect(path)) as db:
            async with asyncio.timeout(10):
                while db.execute("SELECT acked FROM consumers").fetchone() != (1,):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.002)
        await journal.close()

    async def test_acknowledgements_ride_in_the_next_batch(self, account: SqliteAccount, path: Path) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 10)))
        await consumer.take()
        for number in range(1, 11):
            consumer.ack(number)
        await account.ingest(arrival(*messages(11, 1)))
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT acked, started FROM consumers").fetchone() == (10, 11)
            assert db.execute("SELECT count(*) FROM ahead").fetchone() == (0,)

    async def test_what_no_process_has_given_is_not_redelivered(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 3)))
        await consumer.take(1)
        await journal.close()

        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(4, 1)))
        again = await consumer.take()
        assert [(entry.number, entry.redelivered) for entry in again] == [
            (1, True),
            (2, False),
            (3, False),
            (4, False),
        ]
        await journal.close()

    async def test_what_was_shown_to_nobody_is_not_redelivered(self, path: Path) -> None:
        for shown in (False, True):
            journal, account, consumer = await reopened(path)
            await account.ingest(arrival(*messages(1, 4)))
            taken = await consumer.take()
            assert [entry.redelivered for entry in taken] == [shown, False, False, False]
            await consumer.close(unseen_from=2)
            await journal.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="entries are marked where a boot of the machine has a name")
    async def test_after_a_kill_what_was_shown_is_redelivered_and_what_was_acknowledged_does_not_come_again(
        self, path: Path
    ) -> None:
        journal, account, _ = await reopened(path)
        await account.ingest(arrival(*messages(1, 40)))
        await journal.close()
        program = (
            "import asyncio, os, signal, sys\n"
            "from webwx import SqliteJournal\n"
            "async def main():\n"
            "    part = SqliteJournal(sys.argv[1]).account(int(sys.argv[2]))\n"
            "    consumer = await part.consumer('bot', shows=True)\n"
            "    taken = await consumer.take()\n"
            "    for entry in taken[:6]:\n"
            "        consumer.show(entry.number)\n"
            "    for number in 1, 2, 5:\n"
            "        consumer.ack(number)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "asyncio.run(main())\n"
        )
        killed = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path), str(UIN))
        assert await killed.wait() == -signal.SIGKILL

        for _ in range(2):  # the second time it was closed well
            journal, account, consumer = await reopened(path, shows=True)
            taken = await consumer.take()
            assert [entry.number for entry in taken] == [3, 4, *range(6, 41)]
            assert [entry.number for entry in taken if entry.redelivered] == [3, 4, 6]
            assert [(entry.attempt, entry.deaths) for entry in taken[:3]] == [(2, 1)] * 3
            assert {(entry.attempt, entry.deaths) for entry in taken[3:]} == {(1, 0)}
            await journal.close()

    async def test_started_is_stored_before_anything_is_given(self, path: Path, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        with contextlib.closing(sqlite3.connect(path)) as db:
            for first in (1, 4, 7):  # from the file, then from memory
                await account.ingest(arrival(*messages(first, 3)))
                taken = await consumer.take(2)
                (started,) = db.execute("SELECT started FROM consumers").fetchone()
                assert started >= taken[-1].number
                await consumer.take(2)

    async def test_a_failed_commit_costs_no_acknowledgement(self, path: Path, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 3)))
        await consumer.take()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TRIGGER stop BEFORE UPDATE ON consumers BEGIN SELECT RAISE(FAIL, 'stop'); END")
            consumer.ack(1)
            consumer.ack(3)
            with pytest.raises(StorageError):
                await consumer.flush()
            db.execute("DROP TRIGGER stop")
            await consumer.flush()
            assert db.execute("SELECT acked FROM consumers").fetchone() == (1,)
            assert db.execute("SELECT number FROM ahead").fetchall() == [(3,)]


class TestFailing:
    async def test_failures_are_counted_over_processes(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        assert await consumer.failed(1, "ValueError at bot.py:3") == 1
        assert await consumer.failed(1, "ValueError at bot.py:3") == 2
        await die(journal, path)

        journal, account, consumer = await reopened(path)
        first, second = await consumer.take()
        assert (first.attempt, first.redelivered) == (4, True), "two that failed, one that was cut short, and this"
        assert (second.attempt, second.redelivered) == (2, True)
        assert await consumer.failed(1, "ValueError at bot.py:3") == 3
        consumer.ack(1)
        await consumer.flush()
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM failures").fetchone() == (0,)
        await journal.close()

    async def test_a_dead_letter_is_kept_and_comes_no_more(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        for _ in range(3):
            await consumer.failed(2, "KeyError at bot.py:7")
        await consumer.give_up(2, "KeyError at bot.py:7")
        consumer.ack(1)
        await journal.close()

        journal, account, consumer = await reopened(path)
        assert await consumer.take_waiting() == []
        (letter,) = await account.dead_letters("bot")
        assert (letter.entry.number, letter.attempts, letter.error) == (2, 3, "KeyError at bot.py:7")
        await journal.close()

    async def test_a_death_between_burial_and_acknowledgement_hands_it_out_no_more(
        self, path: Path, account: SqliteAccount
    ) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("INSERT INTO failures VALUES ((SELECT consumer FROM consumers), 2, 'dead', 3, 'x', 0)")
            db.commit()
        await die(journal, path)

        journal, account, consumer = await reopened(path)
        assert numbers(await consumer.take()) == [1]
        await journal.close()

    async def test_a_dead_letter_can_be_revived_once(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        await consumer.failed(1, "KeyError")
        await consumer.give_up(1, "KeyError")
        waiting = asyncio.ensure_future(consumer.take())
        await asyncio.sleep(0.05)
        assert await account.revive("bot", 1) is True
        assert await account.revive("bot", 1) is False
        assert await account.revive("bot", 77) is False
        (entry,) = await waiting
        assert (entry.number, entry.attempt) == (1, 2)
        assert await account.dead_letters("bot") == []
        await die(journal, path)

        journal, account, consumer = await reopened(path)
        first, second = await consumer.take()
        assert (first.number, second.number) == (1, 2), "not done with yet, so it comes again"
        consumer.ack(1)
        await journal.close()

        journal, account, consumer = await reopened(path)
        assert numbers(await consumer.take()) == [2]
        await journal.close()


def deaths(entries: list[Entry]) -> dict[int, int]:
    return {entry.number: entry.deaths for entry in entries}


class TestDeaths:
    async def test_what_was_in_flight_at_two_deaths_is_a_suspect(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 3)))
        assert deaths(await consumer.take()) == {1: 0, 2: 0, 3: 0}
        await die(journal, path)

        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(4, 1)))
        assert deaths(await consumer.take()) == {1: 1, 2: 1, 3: 1, 4: 0}
        consumer.ack(2)
        await consumer.flush()
        await die(journal, path)

        for _ in range(2):  # nobody was blamed, so it does not become more
            journal, account, consumer = await reopened(path)
            again = await consumer.take()
            assert deaths(again) == {1: 2, 3: 2, 4: _ + 1}
            assert [entry.attempt for entry in again] == [3, 3, _ + 2]
            await die(journal, path)

    async def test_a_third_death_is_counted_for_the_one_that_was_blamed(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 4)))
        for blamed in (None, None, 1, 1):
            await consumer.take()
            if blamed is not None:
                for innocent in (2, 3):
                    await consumer.blame(innocent)
                consumer.absolve(2)
                consumer.absolve(3)
                await consumer.blame(blamed)
            await die(journal, path)
            journal, account, consumer = await reopened(path)

        again = await consumer.take()
        assert deaths(again) == {1: 4, 2: 2, 3: 2, 4: 2}
        assert [entry.attempt for entry in again] == [5, 3, 3, 3]
        await journal.close()

    async def test_nothing_is_left_of_the_blame_once_it_is_done_with(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        await consumer.blame(1)
        await consumer.blame(2)
        consumer.ack(1)
        await journal.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM deaths").fetchone() == (0,)

    async def test_a_proper_end_is_no_death(self, path: Path) -> None:
        for _ in range(4):
            journal, account, consumer = await reopened(path)
            await account.ingest(arrival(*messages(1, 1)))
            (entry,) = await consumer.take()
            assert entry.deaths == 0
            await consumer.blame(1)
            await journal.close()

    async def test_what_was_buried_for_it_begins_anew_when_it_is_revived(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 1)))
        for _ in range(3):
            await consumer.take()
            await consumer.blame(1)
            await die(journal, path)
            journal, account, consumer = await reopened(path)
        (entry,) = await consumer.take()
        assert entry.deaths == 3
        await consumer.give_up(1, "the process died")
        (letter,) = await account.dead_letters("bot")
        assert letter.attempts == 3
        await account.revive("bot", 1)
        (entry,) = await consumer.take()
        assert (entry.deaths, entry.attempt) == (0, 4)
        await die(journal, path)

        for expected in (2, 5), (3, 6):  # one death is enough to be a suspect, and one alone is counted
            journal, account, consumer = await reopened(path)
            (entry,) = await consumer.take()
            assert (entry.deaths, entry.attempt) == expected
            await consumer.blame(1)
            await die(journal, path)

    async def test_blame_that_cannot_be_stored_is_an_error_and_is_stored_later(
        self, account: SqliteAccount, path: Path
    ) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TRIGGER stop BEFORE INSERT ON deaths BEGIN SELECT RAISE(FAIL, 'stop'); END")
            with pytest.raises(StorageError):
                await consumer.blame(1)
            db.execute("DROP TRIGGER stop")
            await consumer.flush()
            assert db.execute("SELECT number, deaths FROM deaths").fetchall() == [(1, 1)]


class TestRevived:
    async def test_by_another_process_it_comes_within_seconds(
        self, path: Path, account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer_module, "LOOK_EVERY", 0.01)
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        await consumer.give_up(2, "KeyError")
        waiting = asyncio.ensure_future(consumer.take())
        other = SqliteJournal(path)
        assert await other.account(UIN).revive("bot", 2) is True
        async with asyncio.timeout(10):
            (entry,) = await waiting
        assert (entry.number, entry.attempt) == (2, 2)
        assert await consumer.take_waiting() == []

        await consumer.failed(2, "KeyError")  # and a second time
        await consumer.give_up(2, "KeyError")
        assert await other.account(UIN).revive("bot", 2) is True
        async with asyncio.timeout(10):
            (entry,) = await consumer.take()
        assert (entry.number, entry.attempt) == (2, 3)
        await other.close()

    async def test_at_once_it_is_not_taken_for_done_with(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        await consumer.give_up(1, "KeyError")  # its acknowledgement is stored some milliseconds later
        with contextlib.closing(sqlite3.connect(path)) as db:  # as another process does
            db.execute("UPDATE failures SET state = 'revived', time = 1")
            db.commit()
        consumer.look_soon()
        (entry,) = await consumer.take()
        assert (entry.number, entry.attempt) == (1, 2)
        await consumer.flush()
        await die(journal, path)

        _, _, consumer = await reopened(path)
        assert numbers(await consumer.take()) == [1]

    async def test_one_that_failed_and_was_not_done_with_comes_again_to_the_next_process(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 2)))
        for entry in await consumer.take():
            consumer.ack(entry.number) if entry.number == 2 else await consumer.give_up(1, "KeyError")
        await account.revive("bot", 1)
        assert numbers(await consumer.take()) == [1]
        await consumer.failed(1, "KeyError")
        assert await consumer.take_waiting() == []
        await die(journal, path)

        journal, account, consumer = await reopened(path)
        assert numbers(await consumer.take()) == [1]
        await journal.close()

    async def test_one_revived_at_once_after_its_burial_is_not_lost(self, path: Path, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        await consumer.failed(1, "KeyError")
        await consumer.give_up(1, "KeyError")
        await account.revive("bot", 1)  # before the acknowledgement is stored
        await consumer.flush()
        assert numbers(await consumer.take()) == [1]


class TestABrokenFile:
    async def test_what_could_not_be_read_is_given_once_it_can(self, account: SqliteAccount, path: Path) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 3)))
        assert numbers(await consumer.take(1)) == [1]
        await consumer.failed(1, "KeyError")
        await consumer.give_up(1, "KeyError")
        assert numbers(await consumer.take()) == [2, 3]
        await account.revive("bot", 1)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("ALTER TABLE batches RENAME TO hidden")
            with pytest.raises(StorageError, match="cannot be read"):
                await consumer.take()
            db.execute("ALTER TABLE hidden RENAME TO batches")
        assert numbers(await consumer.take()) == [1]

    async def test_a_name_that_could_not_be_opened_can_be_opened_later(
        self, account: SqliteAccount, path: Path
    ) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("ALTER TABLE ahead RENAME TO hidden")
            with pytest.raises(StorageError, match="cannot be read"):
                await account.consumer("bot")
            db.execute("ALTER TABLE hidden RENAME TO ahead")
        assert await (await account.consumer("bot")).take_waiting() == []


class TestRoom:
    """Of the log, for a consumer that stays."""

    @pytest.mark.parametrize("stays", [False, True])
    async def test_is_made_for_one_that_stays(self, account: SqliteAccount, path: Path, stays: bool) -> None:
        await account.consumer("bot", stays=stays)

        assert (log_of(path).stat().st_size >= ROOM) is stays

    async def test_that_the_disk_does_not_give_keeps_nobody_from_opening_and_is_given_back(
        self, account: SqliteAccount, path: Path
    ) -> None:
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM // 2, unlimited[1]))
        try:
            consumer = await account.consumer("bot", stays=True)
            await account.ingest(arrival(*messages(1, 2)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

        assert numbers(await consumer.take()) == [1, 2]
        assert log_of(path).stat().st_size < ROOM // 4


class TestNames:
    async def test_a_consumer_is_open_once(self, account: SqliteAccount, path: Path) -> None:
        consumer = await account.consumer("bot")
        with pytest.raises(AlreadyRunning, match="'bot' is open already"):
            await account.consumer("bot")
        await consumer.close()
        await consumer.close()
        await (await account.consumer("bot")).close()

    async def test_another_process_cannot_open_it_either_until_that_dies(self, path: Path) -> None:
        program = (
            "import asyncio, sys\n"
            "from webwx import SqliteJournal\n"
            "async def main():\n"
            "    await SqliteJournal(sys.argv[1]).account(int(sys.argv[2])).consumer('bot')\n"
            "    print('open', flush=True)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(path), str(UIN), stdout=asyncio.subprocess.PIPE
        )
        assert other.stdout is not None
        await other.stdout.readline()
        journal = SqliteJournal(path)
        with pytest.raises(AlreadyRunning):
            await journal.account(UIN).consumer("bot")
        other.kill()
        await other.wait()
        await journal.account(UIN).consumer("bot")
        await journal.close()

    @pytest.mark.parametrize("name", ["", "../../etc", "机器人", "a\x00b", "\ud800"])
    async def test_any_name_will_do(self, account: SqliteAccount, name: str) -> None:
        consumer = await account.consumer(name)
        await account.ingest(arrival(*messages(1, 1)))
        assert numbers(await consumer.take()) == [1]


# -- any order of events ---------------------------------------------------------------------------------------------

STEP = st.one_of(
    st.tuples(st.just("ingest"), st.integers(1, 8)),
    st.tuples(st.just("take"), st.integers(1, 8)),
    st.tuples(st.just("ack"), st.integers(0, 7)),
    st.tuples(st.just("crash"), st.just(0)),
    st.tuples(st.just("close"), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=30))
def test_g_r1_whatever_happens_each_entry_is_acknowledged_once_and_comes_twice_only_if_it_says_so(
    steps: list[tuple[str, int]],
) -> None:
    import tempfile
    from pathlib import Path

    async def play(path: Path) -> None:
        journal, account, consumer = await reopened(path)
        stored, given, open_entries, acked = 0, set[int](), list[int](), set[int]()
        for verb, count in [*steps, ("crash", 0)]:
            match verb:
                case "ingest":
                    await account.ingest(arrival(*messages(stored + 1, count)))
                    stored += count
                case "take":
                    for entry in await consumer.take_waiting(count):
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
                    await (die(journal, path) if verb == "crash" else journal.close())
                    journal, account, consumer = await reopened(path)
                    open_entries.clear()
        left: list[int] = []
        while more := await consumer.take_waiting(100):
            left += numbers(more)
        assert left == [number for number in range(1, stored + 1) if number not in acked]
        await journal.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder) / "me.journal"))
