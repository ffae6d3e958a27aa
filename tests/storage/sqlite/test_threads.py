"""The threads that use the file."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.virtual_loop import until

from webwx.errors import StorageError
from webwx.storage.refusals import ChangeRefused
from webwx.storage.sqlite import threads as writer_module
from webwx.storage.sqlite.threads import Reader, Writer, is_any_at_work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


class BackgroundJobs:
    """Background jobs that count their calls."""

    def __init__(self) -> None:
        self.pauses: list[float | None] = []
        self.calls: list[bool] = []
        self.forgotten = 0
        self.error: Exception | None = None
        """An exception that is raised once."""
        self.done = threading.Event()

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        self.calls.append(is_idle)
        error, self.error = self.error, None
        if error is not None:
            raise error
        if not self.pauses:
            self.done.set()
            return None
        return self.pauses.pop(0)

    def forget(self) -> None:
        self.forgotten += 1


class PiggybackedWrite:
    """A piggybacked write that stores a number at each call."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.outcomes: list[bool] = []
        self.is_settled = threading.Event()

    def write(self, db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (?)", (self.number,))

    def settled(self, *, is_stored: bool) -> None:
        self.outcomes.append(is_stored)
        self.is_settled.set()


class File:
    """A file with one table, which can be made to fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened = 0
        self.closed = 0
        self.is_broken = False
        self.is_refused = False
        """Open the file with permissions that others can read."""
        self.failing: str | None = None
        """Statements with this beginning fail."""

    def connect(self) -> sqlite3.Connection:
        if self.is_broken:
            raise sqlite3.OperationalError("unable to open database file")
        if self.is_refused:
            raise StorageError("others can read it")
        self.opened += 1
        file = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
                if file.failing is not None and sql.startswith(file.failing):
                    raise sqlite3.OperationalError("disk I/O error")
                file.statements.append(sql)
                return super().execute(sql, values)

            def close(self) -> None:
                super().close()
                file.closed += 1

        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, factory=Connection)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE IF NOT EXISTS t (number INTEGER NOT NULL)")
        return db

    statements: list[str] = []  # noqa: RUF012 - one file in each test

    def numbers(self) -> list[int]:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return [number for (number,) in db.execute("SELECT number FROM t ORDER BY rowid")]


@pytest.fixture
def file(tmp_path: Path) -> File:
    file = File(tmp_path / "file")
    file.statements = []
    return file


@pytest.fixture
def background() -> BackgroundJobs:
    return BackgroundJobs()


@pytest.fixture
async def writer(file: File, background: BackgroundJobs) -> AsyncIterator[Writer]:
    writer = Writer(file.connect, "writer", background)
    yield writer
    await writer.close()


def add(number: int) -> Callable[[sqlite3.Connection], int]:
    def job(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO t VALUES (?)", (number,))
        return number

    return job


def broken(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO t VALUES (99)")
    raise ValueError("a mistake")


async def keep_busy(writer: Writer) -> tuple[asyncio.Future[None], threading.Event]:
    """Queue a job that ends when the returned event is set."""
    has_begun, is_free = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        has_begun.set()
        is_free.wait(60)

    job = asyncio.ensure_future(writer.do(wait))
    await asyncio.to_thread(has_begun.wait, 60)
    return job, is_free


async def test_a_job_is_done_when_its_await_returns(file: File, writer: Writer) -> None:
    assert await writer.do(add(7)) == 7
    assert file.numbers() == [7]


async def test_a_journal_is_busy_until_its_last_job_is_done(writer: Writer) -> None:
    assert not is_any_at_work()
    first, is_free = await keep_busy(writer)
    second = asyncio.ensure_future(writer.do(add(7)))
    assert is_any_at_work()
    is_free.set()
    await first
    await second
    await writer.close()
    assert not is_any_at_work()


async def test_a_journal_is_busy_until_its_piggybacked_write_is_stored(writer: Writer) -> None:
    piggyback = PiggybackedWrite(5)
    writer.join(piggyback)
    writer.notify()
    assert is_any_at_work()
    await until(lambda: not is_any_at_work())
    assert piggyback.outcomes == [True]


async def test_jobs_that_wait_share_one_commit(file: File, writer: Writer) -> None:
    first, is_free = await keep_busy(writer)
    others = [asyncio.ensure_future(writer.do(add(number))) for number in range(50)]
    await asyncio.sleep(0)
    is_free.set()
    await first
    await asyncio.gather(*others)

    assert file.statements.count("COMMIT") == 2
    assert file.numbers() == list(range(50))


@pytest.mark.parametrize("company", [0, 1])
async def test_a_job_that_fails_is_rolled_back_alone(
    file: File, writer: Writer, background: BackgroundJobs, company: int
) -> None:
    first, is_free = await keep_busy(writer)
    jobs = [add(1)] * company + [broken] + [add(2)] * company
    waits = [asyncio.ensure_future(writer.do(job)) for job in jobs]
    await asyncio.sleep(0)
    is_free.set()
    await first
    results = await asyncio.gather(*waits, return_exceptions=True)

    assert [type(result) for result in results] == [int] * company + [ValueError] + [int] * company
    assert file.numbers() == [1, 2][: 2 * company]
    assert background.forgotten == 1


async def test_values_that_sqlite_refuses_raise_a_storage_error(file: File, writer: Writer) -> None:
    with pytest.raises(StorageError, match="refused a change"):
        await writer.do(lambda db: db.execute("INSERT INTO t VALUES (NULL)"))
    assert await writer.do(add(2)) == 2


async def test_the_follow_up_of_a_job_runs_before_its_await_returns(writer: Writer) -> None:
    order: list[object] = []
    order.append(await writer.do(add(1), then=order.append))

    assert order == [1, 1]


async def test_the_follow_up_of_a_job_runs_even_if_its_caller_was_cancelled(file: File, writer: Writer) -> None:
    followed = asyncio.Event()
    blocker, is_free = await keep_busy(writer)
    waiting = asyncio.ensure_future(writer.do(add(1), then=lambda _: followed.set()))
    await asyncio.sleep(0)
    waiting.cancel()
    is_free.set()
    await blocker
    await followed.wait()

    assert waiting.cancelled()
    assert file.numbers() == [1]


@pytest.mark.parametrize("failing", ["BEGIN", "COMMIT", "INSERT"])
async def test_a_disk_error_fails_one_job_and_the_next_one_works(
    file: File, writer: Writer, background: BackgroundJobs, failing: str
) -> None:
    await writer.do(add(1))
    file.failing = failing
    with pytest.raises(StorageError, match="disk I/O error"):
        await writer.do(add(2))
    file.failing = None
    await writer.do(add(3))

    assert file.numbers() == [1, 3]
    assert file.opened == 2
    assert background.forgotten == 1


async def test_after_a_failed_commit_the_log_is_emptied_before_the_next_write(file: File, writer: Writer) -> None:
    await writer.do(add(1))
    file.failing = "COMMIT"
    with pytest.raises(StorageError):
        await writer.do(add(2))
    file.failing = None
    file.statements.clear()
    await writer.do(add(3))

    assert file.statements.index("PRAGMA wal_checkpoint(TRUNCATE)") < file.statements.index("BEGIN IMMEDIATE")


async def test_the_log_is_still_emptied_after_the_file_could_not_be_opened(file: File, writer: Writer) -> None:
    file.failing = "COMMIT"
    with pytest.raises(StorageError):
        await writer.do(add(1))
    file.failing = None
    file.is_refused = True
    with pytest.raises(StorageError, match="others can read it"):
        await writer.do(add(2))
    file.is_refused = False
    file.statements.clear()
    await writer.do(add(3))

    assert file.statements.index("PRAGMA wal_checkpoint(TRUNCATE)") < file.statements.index("BEGIN IMMEDIATE")


async def test_a_file_that_cannot_be_opened_is_tried_again_by_the_next_job(file: File, writer: Writer) -> None:
    file.is_broken = True
    with pytest.raises(StorageError, match="unable to open"):
        await writer.do(add(1))
    file.is_broken = False

    assert await writer.do(add(2)) == 2


async def test_a_write_before_the_jobs_is_seen_by_them(file: File, writer: Writer) -> None:
    writer.join(PiggybackedWrite(5), before_jobs=True)
    writer.join(PiggybackedWrite(6))
    assert await writer.do(lambda db: db.execute("SELECT number FROM t").fetchall()) == [(5,)]
    await writer.do(add(1))

    assert file.numbers() == [5, 6, 5, 1, 6]


@pytest.mark.parametrize("company", [0, 1])
async def test_a_job_that_fails_undoes_no_write_before_it(file: File, writer: Writer, company: int) -> None:
    first, is_free = await keep_busy(writer)
    before = PiggybackedWrite(5)
    writer.join(before, before_jobs=True)
    waits = [asyncio.ensure_future(writer.do(job)) for job in [add(1)] * company + [broken]]
    await asyncio.sleep(0)
    is_free.set()
    await first
    await asyncio.gather(*waits, return_exceptions=True)

    assert file.numbers() == [5] + [1] * company
    assert before.outcomes == [True]


@pytest.mark.parametrize("company", [0, 1])
async def test_a_job_of_one_statement_that_fails_undoes_nothing_else(file: File, writer: Writer, company: int) -> None:
    first, is_free = await keep_busy(writer)
    refused = "INSERT INTO t VALUES (7), (8), (NULL)"
    waits = [asyncio.ensure_future(writer.do(add(number), is_one_statement=True)) for number in [1, 2][: 2 * company]]
    waits.insert(
        company, asyncio.ensure_future(writer.do(lambda db: db.execute(refused).rowcount, is_one_statement=True))
    )
    await asyncio.sleep(0)
    is_free.set()
    await first
    results = await asyncio.gather(*waits, return_exceptions=True)

    assert [type(result) for result in results] == [int] * company + [ChangeRefused] + [int] * company
    assert file.numbers() == [1, 2][: 2 * company]
    assert "SAVEPOINT job" not in file.statements


async def test_a_piggybacked_write_goes_with_the_next_job(file: File, writer: Writer) -> None:
    piggyback = PiggybackedWrite(5)
    writer.join(piggyback)
    await writer.do(add(1))
    writer.leave(piggyback)
    await writer.do(add(2))

    assert file.numbers() == [1, 5, 2]
    assert piggyback.outcomes == [True]


async def test_a_piggybacked_write_that_notifies_does_not_wait_for_a_job(file: File, writer: Writer) -> None:
    piggyback = PiggybackedWrite(5)
    writer.join(piggyback)
    writer.notify()
    await asyncio.to_thread(piggyback.is_settled.wait, 60)

    assert file.numbers() == [5]


async def test_a_piggybacked_write_is_tried_again_after_a_failure(file: File, writer: Writer) -> None:
    piggyback = PiggybackedWrite(5)
    await writer.do(add(1))
    writer.join(piggyback)
    file.failing = "COMMIT"
    with pytest.raises(StorageError):
        await writer.do(add(2))
    file.failing = None
    piggyback.is_settled.clear()
    await asyncio.to_thread(piggyback.is_settled.wait, 60)

    assert file.numbers() == [1, 5]
    assert piggyback.outcomes == [False, True]


async def test_an_error_in_a_piggybacked_write_does_not_end_the_thread(file: File, writer: Writer) -> None:
    class Broken(PiggybackedWrite):
        def write(self, db: sqlite3.Connection) -> None:
            raise ValueError("a mistake of ours")

    piggyback = Broken(5)
    writer.join(piggyback)
    with pytest.raises(ValueError, match="mistake"):
        await writer.do(add(1))
    writer.leave(piggyback)
    await writer.do(add(2))

    assert file.numbers() == [2]


async def test_background_jobs_run_while_no_job_waits(writer: Writer, background: BackgroundJobs) -> None:
    background.pauses = [0.01, 0.0]
    await writer.do(add(1))
    await asyncio.to_thread(background.done.wait, 60)

    assert background.calls == [False, True, True]


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), ValueError("a mistake of ours")])
async def test_background_jobs_that_fail_are_tried_again_and_affect_no_job(
    file: File, writer: Writer, background: BackgroundJobs, error: Exception
) -> None:
    background.error = error
    await writer.do(add(1))
    await writer.do(add(2))
    await asyncio.to_thread(background.done.wait, 60)

    assert file.numbers() == [1, 2]
    assert background.forgotten == 1


async def test_a_job_outside_has_no_transaction_around_it(writer: Writer) -> None:
    assert await writer.do_outside(lambda db: db.in_transaction) is False
    with pytest.raises(StorageError, match="no such table"):
        await writer.do_outside(lambda db: db.execute("SELECT * FROM missing"))
    assert await writer.do(lambda db: db.in_transaction) is True


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), OSError("a mistake of ours")])
async def test_after_a_failed_job_outside_the_log_is_emptied_before_the_next_write(
    file: File, writer: Writer, error: Exception
) -> None:
    def fail(_: sqlite3.Connection) -> None:
        file.statements.clear()
        raise error

    await writer.do(add(1))
    with pytest.raises((StorageError, OSError)):
        await writer.do_outside(fail)
    await writer.do(add(2))

    assert file.numbers() == [1, 2]
    assert file.statements.index("PRAGMA wal_checkpoint(TRUNCATE)") < file.statements.index("BEGIN IMMEDIATE")


async def test_closing_runs_waiting_jobs_and_refuses_later_ones(file: File, writer: Writer) -> None:
    waits = [asyncio.ensure_future(writer.do(add(number))) for number in range(3)]
    await asyncio.sleep(0)
    await writer.close()
    await asyncio.gather(*waits)

    assert file.numbers() == [0, 1, 2]
    with pytest.raises(StorageError, match="closed"):
        await writer.do(add(4))


async def test_jobs_come_from_any_number_of_loops(file: File, writer: Writer) -> None:
    def elsewhere() -> None:
        asyncio.run(writer.do(add(2)))

    await writer.do(add(1))
    await asyncio.to_thread(elsewhere)

    assert file.numbers() == [1, 2]


async def test_a_reader_sees_one_state_in_a_job(file: File, writer: Writer) -> None:
    reader = Reader(file.connect, "reader")
    await writer.do(add(1))
    has_begun, is_written = threading.Event(), threading.Event()

    def look(db: sqlite3.Connection) -> list[int]:
        (before,) = db.execute("SELECT count(*) FROM t").fetchone()
        has_begun.set()
        is_written.wait(60)
        (after,) = db.execute("SELECT count(*) FROM t").fetchone()
        return [before, after]

    looking = asyncio.ensure_future(reader.do(look))
    await asyncio.to_thread(has_begun.wait, 60)
    await writer.do(add(2))
    is_written.set()

    assert await looking == [1, 1]
    await reader.close()


async def test_a_reader_raises_an_error_and_the_next_read_works(file: File) -> None:
    reader = Reader(file.connect, "reader")
    with pytest.raises(StorageError, match="cannot be read"):
        await reader.do(lambda db: db.execute("SELECT * FROM missing"))
    with pytest.raises(ZeroDivisionError):
        await reader.do(lambda _: 1 // 0)
    assert await reader.do(lambda db: db.execute("SELECT count(*) FROM t").fetchone()) == (0,)
    await reader.close()
    with pytest.raises(StorageError, match="closed"):
        await reader.do(lambda _: None)


async def test_a_reader_cannot_write(file: File) -> None:
    reader = Reader(file.connect, "reader")
    with pytest.raises(StorageError, match="readonly"):
        await reader.do(add(1))
    assert await reader.do(lambda db: db.execute("SELECT count(*) FROM t").fetchone()) == (0,)
    await reader.close()


async def test_a_writer_checks_the_file_regularly_although_it_is_busy(
    file: File, background: BackgroundJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "LOOK_EVERY", 0.01)
    looks = threading.Semaphore(0)
    writer = Writer(file.connect, "writer", background, lambda _: looks.release())
    assert not await asyncio.to_thread(looks.acquire, timeout=0.05)  # The file was not open yet.

    await writer.do(lambda _: None)
    for _ in range(3):
        assert await asyncio.to_thread(looks.acquire, timeout=60)
    while not looks.acquire(blocking=False):
        await writer.do(lambda _: None)  # The writer is never idle.
    await writer.close()


async def test_a_failed_check_raises_nothing_and_the_file_is_opened_again(
    file: File, background: BackgroundJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "LOOK_EVERY", 0.01)
    has_failed = threading.Event()

    def look(db: sqlite3.Connection) -> None:
        has_failed.set()
        db.execute("SELECT * FROM missing")

    writer = Writer(file.connect, "writer", background, look)
    await writer.do(lambda _: None)
    assert await asyncio.to_thread(has_failed.wait, 60)
    assert await writer.do(lambda db: db.execute("SELECT count(*) FROM t").fetchone()) == (0,)
    await writer.close()


@pytest.fixture
def soon_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the time after which a thread is idle to a few milliseconds."""
    monkeypatch.setattr(writer_module, "IDLE", 0.01)
    monkeypatch.setattr(writer_module, "LOOK_EVERY", 0.01)


async def end_of(name: str) -> None:
    """Return once no thread has this name."""
    for thread in threading.enumerate():
        if thread.name == name:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()


@pytest.mark.usefixtures("soon_idle")
async def test_an_idle_reader_closes_the_file_and_the_next_job_opens_it(file: File) -> None:
    reader = Reader(file.connect, "idle reader")
    for opened in (1, 2):
        assert await reader.do(lambda db: db.execute("SELECT count(*) FROM t").fetchone()) == (0,)
        await end_of("idle reader")
        assert (opened, opened) == (file.opened, file.closed)
    await reader.close()


@pytest.mark.usefixtures("soon_idle")
async def test_an_idle_writer_replaces_its_connection_and_never_closes_the_last_one(
    file: File, background: BackgroundJobs
) -> None:
    writer = Writer(file.connect, "idle writer", background)
    for number in (1, 2):
        await writer.do(add(number))
        await end_of("idle writer")
        assert (number + 1, number) == (file.opened, file.closed)
        assert number == background.forgotten
        assert file.path.with_name("file-wal").exists()
    await writer.close()

    assert file.numbers() == [1, 2]
    assert file.opened == file.closed
    assert not file.path.with_name("file-wal").exists()


@pytest.mark.usefixtures("soon_idle")
async def test_an_idle_writer_keeps_its_connection_where_no_new_one_can_be_opened(
    file: File, background: BackgroundJobs
) -> None:
    writer = Writer(file.connect, "idle writer", background)
    await writer.do(add(1))
    file.is_broken = True
    await end_of("idle writer")
    await writer.do(add(2))
    await writer.close()

    assert file.numbers() == [1, 2]
    assert file.opened == 1


@pytest.mark.usefixtures("soon_idle")
async def test_the_file_of_an_idle_writer_is_checked_and_its_background_jobs_are_done(
    file: File, background: BackgroundJobs
) -> None:
    looks = threading.Semaphore(0)
    writer = Writer(file.connect, "idle writer", background, lambda _: looks.release())
    background.pauses = [0.3]
    await writer.do(add(1))
    await end_of("idle writer")
    while looks.acquire(blocking=False):
        pass

    assert await asyncio.to_thread(looks.acquire, timeout=60)
    assert await asyncio.to_thread(background.done.wait, 60)
    assert background.calls == [False, True]
    assert "idle writer" not in {thread.name for thread in threading.enumerate()}
    await writer.close()


@pytest.mark.usefixtures("soon_idle")
async def test_a_failed_check_of_an_idle_writer_closes_the_file_until_the_next_job(
    file: File, background: BackgroundJobs
) -> None:
    has_failed = threading.Event()

    def look(db: sqlite3.Connection) -> None:
        if threading.current_thread().name != "idle writer":
            has_failed.set()
            db.execute("SELECT * FROM missing")

    writer = Writer(file.connect, "idle writer", background, look)
    await writer.do(add(1))
    assert await asyncio.to_thread(has_failed.wait, 60)
    await writer.do(add(2))
    await writer.close()

    assert file.numbers() == [1, 2]
    assert file.opened == file.closed


async def test_no_job_is_lost_between_a_thread_that_ends_and_the_next_one(
    file: File, background: BackgroundJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "IDLE", 0.0)
    monkeypatch.setattr(writer_module, "LOOK_EVERY", 0.0001)
    writer, reader = Writer(file.connect, "writer", background), Reader(file.connect, "reader")
    piggyback = PiggybackedWrite(-1)
    writer.join(piggyback)
    for number in range(100):
        await writer.do(add(number))
        await reader.do(lambda _: None)
        writer.notify()
        await asyncio.to_thread(threading.Event().wait, number % 7 / 10_000)
    await writer.close()
    await reader.close()

    assert [number for number in file.numbers() if number >= 0] == list(range(100))
    assert file.numbers()[-1] == -1
    assert file.opened == file.closed


async def test_an_unused_thread_can_be_closed(file: File) -> None:
    await Reader(file.connect, "reader").close()

    assert file.opened == 0
