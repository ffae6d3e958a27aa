"""Room in the log: when it is made, and that it is not part of the journal."""

from __future__ import annotations

import contextlib
import itertools
import resource
import shutil
import sqlite3
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import arrival, message
from tests.storage.entries import numbers

from webwx.storage.sqlite import log_room
from webwx.storage.sqlite.log_room import BUSY, QUIET, ROOM, LogRoom, make_room
from webwx.storage.sqlite.schema import connect, log_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from webwx.storage.sqlite.journal import SqliteAccount


def length(path: Path) -> int:
    """Return the length of a journal's log."""
    return log_of(path).stat().st_size


def ask(db: sqlite3.Connection, question: str) -> object:
    return db.execute(question).fetchone()[0]


class TestConsumer:
    """A consumer that stays open asks for room."""

    @pytest.mark.parametrize("stays", [False, True])
    async def test_only_one_that_stays_open_has_room(self, account: SqliteAccount, path: Path, stays: bool) -> None:
        await account.consumer("bot", stays=stays)
        for number in range(BUSY + 1):  # the room is made after one of these, and before the next
            await account.ingest(arrival(message(number)))

        assert (length(path) >= ROOM) is stays

    async def test_a_full_disk_does_not_disturb_it_and_the_space_is_released(
        self, account: SqliteAccount, path: Path
    ) -> None:
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM // 2, unlimited[1]))
        try:
            consumer = await account.consumer("bot", stays=True)
            for number in range(BUSY + 1):
                await account.ingest(arrival(message(number)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

        assert numbers(await consumer.take()) == [*range(1, BUSY + 2)]
        assert length(path) < ROOM // 4


class TestLogRoom:
    @pytest.fixture
    def db(self, path: Path) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(connect(path)) as db:
            yield db

    @pytest.fixture
    def now(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Return the time that the job sees, which a test may change."""
        now = [1_000.0]
        monkeypatch.setattr(log_room, "time", SimpleNamespace(monotonic=lambda: now[0]))
        return now

    def test_is_not_made_unless_it_is_asked_for(self, db: sqlite3.Connection, path: Path) -> None:
        room = LogRoom(path)
        assert [room.work(db, is_idle=is_idle) for is_idle in (False, True)] == [None, None]
        assert length(path) < ROOM

    def test_is_made_once_the_writer_is_quiet(self, db: sqlite3.Connection, path: Path, now: list[float]) -> None:
        room = LogRoom(path)
        room.ask()
        assert room.work(db, is_idle=True) == pytest.approx(QUIET), "an idle writer waits for the first transaction"
        assert room.work(db, is_idle=False) == pytest.approx(QUIET)
        now[0] += QUIET / 2
        assert room.work(db, is_idle=True) == pytest.approx(QUIET / 2)
        assert length(path) < ROOM
        now[0] += QUIET
        assert room.work(db, is_idle=True) is None
        assert length(path) >= ROOM

    @pytest.mark.usefixtures("now")
    def test_is_made_beside_other_work_in_the_end(self, db: sqlite3.Connection, path: Path) -> None:
        room = LogRoom(path)
        room.ask()
        for _ in range(BUSY - 1):
            assert room.work(db, is_idle=False) is not None
        assert length(path) < ROOM
        assert room.work(db, is_idle=False) is None
        assert length(path) >= ROOM

    def test_that_cannot_be_made_is_not_tried_again(self, db: sqlite3.Connection, path: Path, now: list[float]) -> None:
        db.execute("PRAGMA max_page_count = 100")
        room = LogRoom(path)
        room.ask()
        room.work(db, is_idle=False)
        now[0] += QUIET
        with pytest.raises(sqlite3.OperationalError, match="full"):
            room.work(db, is_idle=True)
        assert room.work(db, is_idle=True) is None


class TestMakeRoom:
    def test_is_not_part_of_the_journal(self, path: Path) -> None:
        with contextlib.closing(connect(path)) as db, contextlib.closing(connect(path, is_reader=True)) as reader:
            db.execute("INSERT INTO accounts (uin) VALUES ('7')")
            before = db.execute("SELECT * FROM sqlite_master").fetchall(), ask(db, "PRAGMA page_count")
            make_room(db, path)

            assert length(path) >= ROOM
            assert (db.execute("SELECT * FROM sqlite_master").fetchall(), ask(db, "PRAGMA page_count")) == before
            assert ask(reader, "SELECT uin FROM accounts") == "7"
            assert ask(db, "PRAGMA integrity_check") == "ok"

    def test_is_used_by_the_next_commits(self, path: Path) -> None:
        with contextlib.closing(connect(path)) as db:
            make_room(db, path)
            before = length(path)
            for number in range(300):
                db.execute("INSERT INTO accounts (uin) VALUES (?)", (str(number),))

            assert length(path) == before
            shutil.copytree(path.parent, path.parent.with_name("copy"))  # The state that a dead process leaves.
        with contextlib.closing(connect(path.parent.with_name("copy") / path.name)) as db:
            assert ask(db, "SELECT count(*) FROM accounts") == 300

    def test_is_reserved_where_there_is_none(self, path: Path) -> None:
        with contextlib.closing(connect(path)) as db:
            for is_long in (False, True):
                statements: list[str] = []
                db.set_trace_callback(statements.append)
                make_room(db, path)
                assert bool(statements) is not is_long

    def test_is_not_reserved_on_a_nearly_full_disk(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with contextlib.closing(connect(path)) as db:
            before = length(path)
            monkeypatch.setattr(log_room, "PLENTY", 1 + shutil.disk_usage(path.parent).total // ROOM)
            make_room(db, path)

            assert length(path) == before

    def test_that_cannot_be_reserved_leaves_no_open_transaction(self, path: Path) -> None:
        with contextlib.closing(connect(path)) as db:
            db.execute("PRAGMA max_page_count = 100")
            with pytest.raises(sqlite3.OperationalError, match="full"):
                make_room(db, path)

            assert not db.in_transaction
            db.execute("INSERT INTO accounts (uin) VALUES ('7')")

    def test_is_reserved_again_after_a_process_died_while_reserving_it(self, path: Path) -> None:
        dead = path.parent.with_name("dead")

        def look(statement: str) -> None:
            if statement == "ROLLBACK":
                shutil.copytree(path.parent, dead)

        with contextlib.closing(connect(path)) as db:
            db.execute("INSERT INTO accounts (uin) VALUES ('7')")
            db.set_trace_callback(look)
            make_room(db, path)
        assert length(dead / path.name) >= ROOM
        with contextlib.closing(connect(dead / path.name)) as db:
            assert db.execute("SELECT uin FROM accounts").fetchall() == [("7",)]
            assert ask(db, "SELECT count(*) FROM sqlite_master WHERE name = 'room'") == 0
            assert ask(db, "PRAGMA integrity_check") == "ok"

    def test_is_reserved_while_others_write(self, path: Path) -> None:
        is_made = threading.Event()

        def write() -> None:
            with contextlib.closing(connect(path)) as other:
                for number in itertools.count():
                    other.execute("INSERT INTO accounts (uin) VALUES (?)", (str(number),))
                    written.append(number)
                    if is_made.wait(0.001):  # SQLite's retries would rarely meet a shorter gap
                        break

        written: list[int] = []
        with contextlib.closing(connect(path)) as db:
            writing = threading.Thread(target=write)
            writing.start()
            try:
                for _ in range(5):
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                    make_room(db, path)
            finally:
                is_made.set()
                writing.join()

            assert length(path) >= ROOM
            assert ask(db, "SELECT count(*) FROM accounts") == len(written)
            assert ask(db, "PRAGMA integrity_check") == "ok"
