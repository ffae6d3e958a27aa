"""Retention: no bytes of deleted entries are left, and consumers get a gap."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.storage.arrivals import (
    FRIEND,
    OWN,
    ROOM,
    UIN,
    arrival,
    contact_change,
    everything,
    ids,
    message,
    messages,
)
from tests.storage.entries import gap_in

from webwx.errors import AlreadyRunning
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import ContinuityLost
from webwx.storage.archive_files import MediaFiles
from webwx.storage.bodies import unpack
from webwx.storage.entries import EntryQuery
from webwx.storage.lookup import find_message
from webwx.storage.sqlite import retention as retention_module
from webwx.storage.sqlite.contacts import RosterCompaction
from webwx.storage.sqlite.index import Index
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal
from webwx.storage.sqlite.log_room import LogRoom
from webwx.storage.sqlite.retention import Deleted, Retention, delete_some
from webwx.storage.sqlite.schema import connect, shrink
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from pathlib import Path


DAY = 86_400.0
NOW = time.time()


def content(path: Path) -> bytes:
    """Return all bytes of a journal on the disk, with unpacked bodies."""
    # Read by another process: to open and close a file here would release the locks of SQLite in this process.
    files: list[bytes] = [
        subprocess.run(["cat", each], stdout=subprocess.PIPE, check=True).stdout for each in path.parent.iterdir()
    ]
    with contextlib.closing(sqlite3.connect(path)) as db:
        bodies = [unpack(body) or b"" for (body,) in db.execute("SELECT body FROM batches")]
    return b"".join(files + bodies)


def keep_house(path: Path, days: float) -> None:
    """Run the background jobs of an idle writer until none is left."""
    index = Index()
    retention = Retention(
        index,
        days * DAY,
        dict,
        MediaFiles(path.with_name(f"{path.name}.kept")),
        compaction=RosterCompaction(),
        log_room=LogRoom(path),
    )
    with contextlib.closing(connect(path)) as db:
        index.fill(db, 5_000)
        while retention.work(db, is_idle=True) == 0.0:
            pass


@pytest.fixture(params=["tail", "index"])
def is_indexed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "index")


def maybe_index(path: Path, is_indexed: bool) -> None:
    if is_indexed:
        with contextlib.closing(connect(path)) as db:
            Index().fill(db, 5_000)


class TestPurge:
    async def test_a_purge_of_a_chat_leaves_no_bytes(
        self, account: SqliteAccount, path: Path, is_indexed: bool
    ) -> None:
        await account.ingest(
            arrival(message(1, "秘密 secretword"), message(2, "other", ROOM), message(3, "plain", ROOM))
        )
        await account.ingest(arrival(message(4, "secretword again")))
        maybe_index(path, is_indexed)
        assert b"secretword" in content(path)
        assert await account.purge(chats=[FRIEND]) == 2

        assert ids(await everything(account)) == ["2", "3"]
        assert await account.find(EntryQuery(words="secretword")) == []
        assert await account.find(EntryQuery(words="秘")) == []
        assert await find_message(account, "1") is None
        assert await account.find(EntryQuery(chats=(FRIEND,))) == []
        assert ids(await account.find(EntryQuery(words="oth"))) == ["2"]
        left = content(path)
        assert b"secretword" not in left
        assert "秘".encode() not in left
        assert b"plain" in left

    async def test_a_purge_by_age_leaves_no_bytes(self, account: SqliteAccount, path: Path, is_indexed: bool) -> None:
        await account.ingest(arrival(*(message(number, at=1_000 * number) for number in range(1, 11))))
        await account.ingest(arrival(contact_change("unknown"), at=4_500))
        maybe_index(path, is_indexed)
        assert await account.purge(before=5_000, chats=[ROOM]) == 0
        assert await account.purge(before=5_000) == 5

        assert ids(await everything(account)) == ["5", "6", "7", "8", "9", "10"]
        assert await account.purge(before=8_000, chats=[FRIEND]) == 3
        assert ids(await everything(account)) == ["8", "9", "10"]
        assert await account.purge() == 0

    async def test_a_purge_in_pieces_deletes_all(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch, is_indexed: bool
    ) -> None:
        monkeypatch.setattr(retention_module, "PIECE", 7)
        monkeypatch.setattr(retention_module, "STEP", 0)
        for first in range(1, 101, 10):
            await account.ingest(arrival(*messages(first, 5), *messages(first + 5, 5, ROOM)))
        maybe_index(path, is_indexed)
        assert await account.purge(chats=[FRIEND]) == 50
        assert {entry.chat for entry in await everything(account)} == {ROOM}

    async def test_a_purge_leaves_no_bytes_of_a_duplicate(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(message(1, "secretword")))
        await account.ingest(arrival(message(1, "secretword"), message(2, "plain", ROOM)))
        await account.purge(chats=[FRIEND])

        assert b"secretword" not in content(path)
        assert ids(await everything(account)) == ["2"]

    async def test_a_purge_leaves_no_bytes_of_a_repaired_item(self, account: SqliteAccount, path: Path) -> None:
        batch = arrival(message(1, "secretword"), message(2, "plain", ROOM))
        body = batch.body.replace(b'"secretword"', b'"secretword\x01"')
        await account.ingest(msgspec.structs.replace(batch, body=body))
        await account.purge(chats=[FRIEND])

        assert b"secretword" not in content(path)
        assert bytes((await everything(account))[0].item.raw) == message(2, "plain", ROOM)

    async def test_a_purged_message_can_be_stored_again(
        self, account: SqliteAccount, path: Path, is_indexed: bool
    ) -> None:
        await account.ingest(arrival(message(1)))
        maybe_index(path, is_indexed)
        await account.purge(chats=[FRIEND])
        assert await account.ingest(arrival(message(1))) == 1


class TestGaps:
    async def test_a_consumer_that_had_not_read_deleted_entries_gets_a_gap(
        self, account: SqliteAccount, path: Path, is_indexed: bool
    ) -> None:
        behind, ahead = await account.consumer("behind"), await account.consumer("ahead")
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 7))))
        for entry in await ahead.take():
            ahead.ack(entry.number)
        await behind.close()
        maybe_index(path, is_indexed)
        await account.purge(before=1_004)
        await account.ingest(arrival(*messages(7, 1)))

        assert ids(await ahead.take()) == ["7"]
        behind = await account.consumer("behind")
        first, *others = await behind.take()
        assert gap_in(first) == ContinuityLost(since=1_001.0, until=1_003.0, reason="purged")
        assert first.number == 3, "at the place of the messages"
        assert ids(others) == ["4", "5", "6", "7"]

    async def test_entries_in_memory_leave_no_gap(self, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 4)))
        assert ids(await consumer.take(2)) == ["1", "2"]
        await account.purge(chats=[FRIEND])
        assert ids(await consumer.take()) == ["3", "4"]
        assert await everything(account) == []

    async def test_gaps_in_a_row_are_one(self, account: SqliteAccount, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention_module, "PIECE", 3)
        monkeypatch.setattr(retention_module, "STEP", 0)
        await (await account.consumer("bot")).close()
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 12))))
        await account.purge(before=1_005)
        await account.purge(before=1_011)

        first, last = await (await account.consumer("bot")).take()
        assert gap_in(first) == ContinuityLost(since=1_001.0, until=1_010.0, reason="purged")
        assert last.message_id == "11"

    async def test_a_damaged_gap_does_not_stop_a_purge(self, account: SqliteAccount, path: Path) -> None:
        await (await account.consumer("bot")).close()
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 5))))
        await account.purge(before=1_003)
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE entries SET raw = x'7b' WHERE batch = 0")
        assert await account.purge(before=1_004) == 1
        gap, last = await (await account.consumer("bot")).take()
        assert (gap_in(gap).since, last.message_id) == (1_003.0, "4")

    async def test_a_gap_is_not_purged_before_it_is_delivered(self, account: SqliteAccount, path: Path) -> None:
        await (await account.consumer("bot")).close()
        await account.ingest(arrival(message(1, at=1_000)))
        await account.purge(before=NOW)
        await account.purge(before=NOW + DAY)
        consumer = await account.consumer("bot")
        (gap,) = await consumer.take()
        assert gap.item.kind == "gap"
        consumer.ack(gap.number)
        await consumer.close()
        await account.ingest(arrival(message(2)))
        keep_house(path, days=90)
        assert ids(await everything(account)) == ["2"]


class TestSteps:
    async def test_a_step_ends_when_its_time_is_over(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await account.ingest(arrival(*messages(1, 200)))
        monkeypatch.setattr(retention_module, "PIECE", 20)
        monkeypatch.setattr(retention_module, "STEP", 0)
        with contextlib.closing(connect(path)) as db:
            assert delete_some(db, Index(), range(1, 201), {}) == Deleted(done=20, deleted=20)
            monkeypatch.setattr(retention_module, "STEP", 1_000)
            monkeypatch.setattr(retention_module, "MAX_STEP", 100)
            assert delete_some(db, Index(), range(11, 201), {}) == Deleted(done=100, deleted=90)

    async def test_old_entries_are_deleted_although_new_ones_keep_arriving(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention_module, "BEGIN_BESIDE", 0)
        monkeypatch.setattr(retention_module, "REST", 0)
        for day in range(1, 6):
            await account.ingest(arrival(message(day), at=NOW - (20 - day) * DAY))
        await account.ingest(arrival(message(100), at=NOW))
        index = Index()
        retention = Retention(
            index,
            10 * DAY,
            dict,
            MediaFiles(path.with_name("none")),
            compaction=RosterCompaction(),
            log_room=LogRoom(path),
        )
        with contextlib.closing(connect(path)) as db:
            for _ in range(10):
                pause = retention.work(db, is_idle=False)  # a writer that always has jobs, and an index that waits
                assert pause is not None
        assert ids(await everything(account)) == ["100"]

    async def test_deletion_beside_other_work_rests_between_its_steps(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention_module, "BEGIN_BESIDE", 0)
        monkeypatch.setattr(retention_module, "REST", 1_000_000)
        monkeypatch.setattr(retention_module, "MAX_STEP", 1)
        await account.ingest(arrival(message(1), at=NOW - 20 * DAY))
        await account.ingest(arrival(message(2), at=NOW - 20 * DAY))
        await account.ingest(arrival(message(3), at=NOW))
        retention = Retention(
            Index(),
            10 * DAY,
            dict,
            MediaFiles(path.with_name("none")),
            compaction=RosterCompaction(),
            log_room=LogRoom(path),
        )
        with contextlib.closing(connect(path)) as db:
            for _ in range(10):
                retention.work(db, is_idle=False)
        assert ids(await everything(account)) == ["1", "2", "3"], "the first step has only looked for logins to compact"

    async def test_old_sends_are_deleted_in_steps(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention_module, "MAX_STEP", 2)
        for number in range(5):
            await account.outbox.add(
                client_id=str(number), chat=FRIEND, kind="text", text="x", key="", time=NOW - 100 * DAY
            )
        await account.ingest(arrival(message(1), at=NOW))
        keep_house(path, days=90)
        assert await account.outbox.find(SendQuery()) == []


class TestCompacting:
    async def test_a_compacted_file_is_smaller_and_has_the_same_entries(
        self, journal: SqliteJournal, account: SqliteAccount, path: Path
    ) -> None:
        await account.ingest(arrival(*messages(1, 2_000)))
        await account.ingest(arrival(*messages(5_000, 3, ROOM)))
        await account.purge(chats=[FRIEND])
        before = path.stat().st_size
        freed = await journal.compact()
        assert freed == before - path.stat().st_size > 100_000
        async with SqliteJournal(path, retention_days=0) as again:
            assert ids(await everything(again.account(UIN))) == ["5000", "5001", "5002"]

    async def test_a_file_is_compacted_beside_another_journal_that_goes_on(
        self, journal: SqliteJournal, account: SqliteAccount, path: Path
    ) -> None:
        async with SqliteJournal(path, retention_days=0) as other:
            theirs = other.account(UIN)
            await theirs.position(OWN)
            bot = await theirs.consumer("bot", since="beginning")
            await account.ingest(arrival(*messages(1, 2_000), *messages(5_000, 3, ROOM)))
            assert len(await bot.take(10)) == 10
            await account.purge(chats=[FRIEND])
            assert await journal.compact() > 100_000
            await theirs.ingest(arrival(*messages(6_000, 2)))
            seen = await everything(theirs)
        assert [each for each in ids(seen) if each] == ["5000", "5001", "5002", "6000", "6001"]

    async def test_a_file_of_an_earlier_version_is_compacted_when_it_is_not_in_use(
        self, journal: SqliteJournal, account: SqliteAccount, path: Path
    ) -> None:
        await account.ingest(arrival(*messages(1, 3)))
        await journal.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA auto_vacuum = NONE")
            db.execute("VACUUM")
        async with SqliteJournal(path, retention_days=0) as other:
            await other.accounts()
            with pytest.raises(AlreadyRunning):
                await SqliteJournal(path, retention_days=0).compact()
        await SqliteJournal(path, retention_days=0).compact()
        async with SqliteJournal(path, retention_days=0) as other:
            assert ids(await everything(other.account(UIN))) == ["1", "2", "3"]
            await SqliteJournal(path, retention_days=0).compact()  # the first time has prepared it

    def test_a_step_gives_many_pages_back(self, path: Path) -> None:
        with contextlib.closing(connect(path)) as db:
            db.execute("CREATE TABLE large (content BLOB)")
            db.execute("INSERT INTO large VALUES (zeroblob(1000000))")
            db.execute("DROP TABLE large")
            (before,) = db.execute("PRAGMA freelist_count").fetchone()
            assert shrink(db)
            assert before - db.execute("PRAGMA freelist_count").fetchone()[0] >= 100

    async def test_others_write_while_a_reader_keeps_the_log_from_being_truncated(
        self, journal: SqliteJournal, account: SqliteAccount, path: Path
    ) -> None:
        await account.ingest(arrival(*messages(1, 2_000)))
        await account.purge(chats=[FRIEND])
        with (
            contextlib.closing(connect(path, is_reader=True)) as reader,
            contextlib.closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as bot,
        ):
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM accounts").fetchall()
            bot.execute("CREATE TABLE theirs (number INTEGER)")
            compacting = asyncio.create_task(journal.compact())
            writes = 0
            while bot.execute("PRAGMA freelist_count").fetchone()[0] or writes < 20:
                writes += 1
                bot.execute("INSERT INTO theirs VALUES (1)")
                await asyncio.sleep(0.01)
            reader.execute("COMMIT")
            assert await compacting > 100_000


class TestRetention:
    async def test_days_count_from_the_arrival_by_the_server_s_clock(self, account: SqliteAccount, path: Path) -> None:
        then = NOW - 2_000 * DAY  # The server's clock is far behind.
        for day in range(1, 13):
            await account.ingest(arrival(message(day, at=1), at=then + day * DAY))
        keep_house(path, days=10)
        assert ids(await everything(account)) == [str(day) for day in range(2, 13)]

    async def test_a_clock_that_ran_ahead_deletes_nothing(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(message(1), at=NOW))
        await account.ingest(arrival(message(2), at=NOW + 10_000 * DAY))
        keep_house(path, days=10)
        assert ids(await everything(account)) == ["1", "2"]

    async def test_with_zero_days_nothing_is_deleted(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(message(1), at=1_000.0))
        keep_house(path, days=0)
        assert len(await everything(account)) == 1

    async def test_old_sends_and_contacts_are_deleted(self, account: SqliteAccount, path: Path) -> None:
        await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=NOW - 100 * DAY)
        await account.outbox.add(client_id="2", chat=FRIEND, kind="text", text="x", key="", time=NOW)
        someone = Contact(id=ContactId("@x"), nickname="Someone")
        for login, days in (("@one", 200), ("@two", 95), ("@three", 0)):
            await account.open_login(ContactId(login), b"", NOW - days * DAY, [someone])
        await account.ingest(arrival(message(1), at=NOW))
        keep_house(path, days=90)

        assert [row.client_id for row in await account.outbox.find(SendQuery())] == ["2"]
        assert [len(await account.roster(ContactId(login))) for login in ("@one", "@two", "@three")] == [0, 0, 1]

    async def test_the_size_of_quarantined_messages_is_limited(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention_module, "QUARANTINE", 3)
        broken = [b'{"NoMsgId": %d}' % number for number in range(5)]
        await account.ingest(arrival(*broken, message(100)))
        assert (await account.stats()).quarantined == 5
        keep_house(path, days=90)

        assert (await account.stats()).quarantined == 3
        assert [entry.number for entry in await everything(account)] == [3, 4, 5, 6]
