"""Consumers of a file: no entry is lost, and a redelivered entry is marked."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, UIN, arrival, messages, opened
from tests.storage.entries import numbers

from webwx.errors import StorageError
from webwx.storage.sqlite import consumers as consumers_module
from webwx.storage.sqlite import threads as writer_module
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.sqlite.consumers import SqliteConsumer


@pytest.fixture
def frequent_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often for changes by other processes; used before the fixture that opens the journal."""
    monkeypatch.setattr(writer_module, "LOOK_EVERY", 0.01)


async def reopened(path: Path, *, shows: bool = False) -> tuple[SqliteJournal, SqliteAccount, SqliteConsumer]:
    """Open the journal and the consumer as another process does."""
    journal = SqliteJournal(path)
    account = journal.account(UIN)
    if await account.position(OWN) is None:
        account = await opened(journal)
    return journal, account, await account.consumer("bot", shows=shows)


async def die(journal: SqliteJournal, path: Path) -> None:
    """Leave the file in its present state; all that is not stored is lost."""
    moment = path.with_suffix(".moment")
    await journal.backup(moment)
    await journal.close()
    moment.replace(path)


class TestGiving:
    async def test_a_consumer_gets_all_missed_entries_with_bounded_memory(
        self, account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consumers_module, "MOST_WAITING", 20)
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 1)))
        assert numbers(await consumer.take()) == [1]
        for first in range(2, 1_002, 10):
            await account.ingest(arrival(*messages(first, 10)))

        taken: list[int] = []
        while more := await consumer.take():
            taken += numbers(more)
        assert taken == list(range(2, 1_002))
        await account.ingest(arrival(*messages(1_002, 1)))
        assert numbers(await consumer.take()) == [1_002]

    async def test_a_consumer_reads_new_entries_from_memory(
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
            db.execute("DELETE FROM entries")  # The consumer reads from memory.
        while len(taken) < 8:
            taken += numbers(await consumer.take(2))

        assert taken == list(range(1, 9))

    async def test_entries_in_memory_are_stored_as_started_before_delivery(
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

    async def test_an_entry_that_cannot_be_stored_as_started_is_delivered_later(
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

    async def test_entries_that_are_purged_before_delivery_become_a_gap(
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
    async def test_an_acknowledgement_is_stored_soon_without_a_new_batch(
        self, path: Path, account: SqliteAccount
    ) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        consumer.ack(1)
        with contextlib.closing(sqlite3.connect(path)) as db:
            async with asyncio.timeout(60):
                while db.execute("SELECT acked FROM consumers").fetchone() != (1,):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.002)
        await journal.close()

    async def test_acknowledgements_are_stored_with_the_next_batch(self, account: SqliteAccount, path: Path) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 10)))
        await consumer.take()
        for number in range(1, 11):
            consumer.ack(number)
        await account.ingest(arrival(*messages(11, 1)))
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT acked, started FROM consumers").fetchone() == (10, 11)
            assert db.execute("SELECT count(*) FROM acked_ahead").fetchone() == (0,)

    @pytest.mark.skipif(sys.platform != "linux", reason="entries are marked where a boot of the machine has a name")
    async def test_after_a_kill_only_unacknowledged_entries_are_redelivered(self, path: Path) -> None:
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

        for _ in range(2):  # The second time it was closed properly.
            journal, account, consumer = await reopened(path, shows=True)
            taken = await consumer.take()
            assert [entry.number for entry in taken] == [3, 4, *range(6, 41)]
            assert [entry.number for entry in taken if entry.redelivered] == [3, 4, 6]
            assert [(entry.attempt, entry.crashes) for entry in taken[:3]] == [(2, 1)] * 3
            assert {(entry.attempt, entry.crashes) for entry in taken[3:]} == {(1, 0)}
            await journal.close()

    async def test_started_is_stored_before_delivery(self, path: Path, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        with contextlib.closing(sqlite3.connect(path)) as db:
            for first in (1, 4, 7):  # From the file, then from memory.
                await account.ingest(arrival(*messages(first, 3)))
                taken = await consumer.take(2)
                (started,) = db.execute("SELECT started FROM consumers").fetchone()
                assert started >= taken[-1].number
                await consumer.take(2)

    async def test_a_failed_commit_loses_no_acknowledgement(self, path: Path, account: SqliteAccount) -> None:
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
            assert db.execute("SELECT number FROM acked_ahead").fetchall() == [(3,)]


class TestFailing:
    async def test_dead_letter_is_not_delivered_after_a_crash_before_its_acknowledgement(
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


class TestCrashes:
    async def test_acknowledged_entry_leaves_no_poison_marker(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        await consumer.add_poison_marker(1)
        await consumer.add_poison_marker(2)
        consumer.ack(1)
        await journal.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM crashes").fetchone() == (0,)

    async def test_poison_marker_that_cannot_be_stored_raises_and_is_stored_later(
        self, account: SqliteAccount, path: Path
    ) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TRIGGER stop BEFORE INSERT ON crashes BEGIN SELECT RAISE(FAIL, 'stop'); END")
            with pytest.raises(StorageError):
                await consumer.add_poison_marker(1)
            db.execute("DROP TRIGGER stop")
            await consumer.flush()
            assert db.execute("SELECT number, crashes FROM crashes").fetchall() == [(1, 1)]


class TestRevived:
    async def test_a_dead_letter_revived_by_another_process_is_delivered_within_seconds(
        self, frequent_looks: None, path: Path, account: SqliteAccount
    ) -> None:
        notified = asyncio.Event()
        consumer = await account.consumer("bot", on_revived=notified.set)
        await account.ingest(arrival(*messages(1, 2)))
        await consumer.take()
        await consumer.give_up(2, "KeyError")
        other = SqliteJournal(path)
        assert await other.account(UIN).revive("bot", 2) is True
        async with asyncio.timeout(60):
            await notified.wait()
        (entry,) = await consumer.take()
        assert (entry.number, entry.attempt) == (2, 2)
        assert await consumer.take() == []

        await consumer.failed(2, "KeyError")  # And a second time.
        await consumer.give_up(2, "KeyError")
        notified.clear()
        assert await other.account(UIN).revive("bot", 2) is True
        async with asyncio.timeout(60):
            await notified.wait()
        (entry,) = await consumer.take()
        assert (entry.number, entry.attempt) == (2, 3)
        await other.close()

    async def test_a_dead_letter_that_is_revived_at_once_is_not_acknowledged(self, path: Path) -> None:
        journal, account, consumer = await reopened(path)
        await account.ingest(arrival(*messages(1, 1)))
        await consumer.take()
        await consumer.give_up(1, "KeyError")  # Its acknowledgement is stored some milliseconds later.
        with contextlib.closing(sqlite3.connect(path)) as db:  # As another process does.
            db.execute("UPDATE failures SET state = 'revived', time = 1")
            db.commit()
        consumer.look_soon()
        (entry,) = await consumer.take()
        assert (entry.number, entry.attempt) == (1, 2)
        await consumer.flush()
        await die(journal, path)

        _, _, consumer = await reopened(path)
        assert numbers(await consumer.take()) == [1]


class TestABrokenFile:
    async def test_entries_are_delivered_once_the_file_is_readable_again(
        self, account: SqliteAccount, path: Path
    ) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 3)))
        assert numbers(await consumer.take(1)) == [1]
        await consumer.failed(1, "KeyError")
        await consumer.give_up(1, "KeyError")
        assert numbers(await consumer.take()) == [2, 3]
        await account.revive("bot", 1)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("ALTER TABLE batches RENAME COLUMN body TO hidden")
            with pytest.raises(StorageError, match="cannot be read"):
                await consumer.take()
            db.execute("ALTER TABLE batches RENAME COLUMN hidden TO body")
        assert numbers(await consumer.take()) == [1]

    async def test_a_name_that_could_not_be_opened_can_be_opened_later(
        self, account: SqliteAccount, path: Path
    ) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("ALTER TABLE acked_ahead RENAME COLUMN number TO hidden")
            with pytest.raises(StorageError, match="cannot be read"):
                await account.consumer("bot")
            db.execute("ALTER TABLE acked_ahead RENAME COLUMN hidden TO number")
        assert await (await account.consumer("bot")).take() == []


# -- any order of events ---------------------------------------------------------------------------------------------
