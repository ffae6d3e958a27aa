"""
The threads that access a journal's file: a writer and a reader.

All waiting jobs run in one transaction, so many tasks share the cost of one commit; a job that fails is rolled back
alone. Frequent and cheap changes, such as acknowledgements and outcomes of sends, are piggybacked: they are written
with the next transaction, or in their own a few milliseconds later, without a hand-over between the threads for each.

A commit that failed may or may not be stored. All of its jobs raise `StorageError`; the connection is closed, and the
next job opens the file again and sees what is stored.

A used connection keeps up to a megabyte of pages and statements, and a thread keeps a quarter of a megabyte of freed
memory. A process may have hundreds of journals, most of them idle. So an idle reader closes its connection, an idle
writer replaces its connection by a new one, and both end their threads; the next job starts them again. The writer
always has a connection, because SQLite deletes the log (WAL) with the last one. One thread checks the files of all
idle writers.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import math
import os
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from webwx.errors import StorageError
from webwx.storage.consumer import LOOK_EVERY
from webwx.storage.refusals import ChangeRefused
from webwx.storage.sqlite.schema import explain

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PIGGYBACK_DELAY = 0.01
"""Seconds after which a piggybacked write gets a transaction of its own."""

_log = logging.getLogger("webwx.storage")

IDLE = 5.0
"""Seconds without a job after which a thread releases memory."""

_EXIT_TIMEOUT = 2.0
"""Seconds that the exit of a program waits for a journal that was not closed."""

_RETRY = 1.0
"""Seconds until background jobs and piggybacked writes are retried after a failure."""


class PiggybackedWrite(Protocol):
    """A write that is stored with the next transaction of any job."""

    def write(self, db: sqlite3.Connection) -> None:
        """Write the changes since the last transaction, if there are any."""
        ...

    def settled(self, *, is_stored: bool) -> None:
        """Handle the end of the transaction with this write."""
        ...


class BackgroundJobs(Protocol):
    """Work that is done when the writer is idle, or when it is overdue."""

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        """Do a piece in its own transactions; return the seconds until the next piece, None if nothing is left."""
        ...

    def forget(self) -> None:
        """Drop all cached state of the file, because a transaction was rolled back."""
        ...


class _QueuedJob(Generic[T]):
    """A job with the future of its result."""

    __slots__ = ("error", "future", "is_one_statement", "is_outside", "job", "loop", "result", "then")

    def __init__(
        self, job: Callable[[sqlite3.Connection], T], then: Callable[[T], None] | None, *, is_outside: bool = False,
        is_one_statement: bool = False,
    ) -> None:  # fmt: skip
        self.job = job
        self.is_one_statement = is_one_statement
        self.is_outside = is_outside
        self.then = then
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.result: T
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Set the result in the loop of the caller; `then` is called even if the caller was cancelled."""
        if self.error is None and self.then is not None:
            self.then(self.result)
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class _Signal:
    """An item of the queue that is not a job."""


_NOTICE = _Signal()
_END = _Signal()


class _JobThread(threading.Thread):
    """A thread that takes jobs from its queue, and counts unfinished ones."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        # A daemon, so that a program that never closes the journal can still exit; commits survive that.
        super().__init__(target=work, name=name, daemon=True)
        self.has_left = False
        """Whether the thread takes no more jobs."""
        self._queue: queue.SimpleQueue[_QueuedJob[Any] | _Signal] = queue.SimpleQueue()
        self._put_in = self._taken_out = self._finished = 0

    @property
    def is_at_work(self) -> bool:
        """Whether an item of the queue is not finished."""
        return self._put_in != self._finished

    def put(self, item: _QueuedJob[Any] | _Signal) -> None:
        """Append an item; called from one thread at a time."""
        self._put_in += 1
        self._queue.put(item)

    def get(self, timeout: float | None = None) -> _QueuedJob[Any] | _Signal:
        """
        Remove and return the next item; called in this thread.

        Raises:
            queue.Empty: There was no item within the timeout; 0 does not wait.
        """
        item = self._queue.get(timeout != 0, timeout)
        self._taken_out += 1
        return item

    def finish(self) -> None:
        """Count all items that were removed as finished, after their results were delivered."""
        self._finished = self._taken_out


def is_any_at_work() -> bool:
    """
    Return whether a journal of this process has an unfinished job.

    A virtual clock stands still meanwhile, because a disk takes real time.
    """
    return any(isinstance(thread, _JobThread) and thread.is_at_work for thread in threading.enumerate())


class _Worker:
    """
    A thread with its own connection, started when it is needed.

    Args:
        connect: Opens the file; any thread may use the connection, one at a time.
        name: Name of the thread.
        title: Name of the file in errors.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], name: str, *, title: str = "The journal") -> None:
        self._connect = connect
        self._title = title
        self._thread = _JobThread(self._live, name)
        self._starting = threading.Lock()
        self._turn = threading.Lock()
        """Held by the thread that uses the connection."""
        self._db: sqlite3.Connection | None = None
        self._process = 0
        """Id of the process that has started the thread."""
        self._is_closed = False

    def require_open(self) -> None:
        """
        Check that jobs are accepted.

        Raises:
            StorageError: The journal was closed.
        """
        if self._is_closed:
            raise StorageError("This journal was closed.")

    async def do(
        self, job: Callable[[sqlite3.Connection], T], then: Callable[[T], None] | None = None, *,
        is_one_statement: bool = False,
    ) -> T:  # fmt: skip
        """
        Run a job in the thread, and wait until its result is stored.

        A queued job is completed even if the wait is cancelled.

        Args:
            job: The job; it must not wait for anything.
            then: Called in this loop with the result, before this returns.
            is_one_statement: Whether the job executes a single statement, which SQLite itself undoes if it fails.

        Raises:
            StorageError: The job was not stored, or may not have been.
        """
        call = _QueuedJob(job, then, is_one_statement=is_one_statement)
        self._put(call)
        return await call.future

    async def close(self) -> None:
        """Complete the queued jobs, and close the file."""
        if self._end():
            await asyncio.to_thread(self._close_file)

    def _close_at_exit(self) -> None:
        """Close the file at exit if the program did not; otherwise piggybacked writes would be lost."""
        if self._end():
            self._close_file(_EXIT_TIMEOUT)

    def _end(self) -> bool:
        """Accept no further jobs, and return whether the file may be open."""
        with self._starting:
            self._is_closed = True
            if self._thread.is_alive():
                self._thread.put(_END)
        atexit.unregister(self._close_at_exit)
        # A fork has no thread, and must not close a connection of its parent.
        return self._thread.ident is not None and self._process == os.getpid()

    def _close_file(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, and close the file."""
        self._thread.join(timeout)
        if self._turn.acquire(timeout=-1 if timeout is None else timeout):
            try:
                self._disconnect()
            finally:
                self._turn.release()

    def _put(self, item: _QueuedJob[Any] | _Signal) -> None:
        with self._starting:
            self.require_open()
            if self._thread.has_left:
                self._thread = _JobThread(self._live, self._thread.name)
                self._thread.start()
            elif self._thread.ident is None:
                self._process = os.getpid()
                self._thread.start()
                atexit.register(self._close_at_exit)
            self._thread.put(item)

    def _leave(self) -> bool:
        """End the thread unless it has a job, and return whether it ends; called in the thread."""
        with self._starting:
            self._thread.has_left = not self._thread.is_at_work
            return self._thread.has_left

    def _live(self) -> None:
        with self._turn:
            try:
                self._work()
            finally:
                self._disconnect()

    def _work(self) -> None:
        raise NotImplementedError  # the reader and the writer differ

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._connect()
        return self._db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):  # the connection is dropped in any case
                db.close()


class Reader(_Worker):
    """
    The reader thread; each job reads from one snapshot of the file, and cannot write.

    A write would fail as "database is locked" if another connection had written since the job began.

    Without jobs the thread ends, and the next job starts another one.
    """

    def _connected(self) -> sqlite3.Connection:
        is_new = self._db is None
        db = super()._connected()
        if is_new:
            db.execute("PRAGMA query_only = ON")
        return db

    def _work(self) -> None:
        while (call := self._next()) is not None:
            try:
                db = self._connected()
                db.execute("BEGIN")
                try:
                    call.result = call.job(db)
                finally:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._disconnect()
                call.error = StorageError(f"{self._title} cannot be read: {explain(error)}")
            except BaseException as error:  # noqa: BLE001 - raised in the caller of `do`
                call.error = error
            _deliver([call])
            self._thread.finish()
            del call

    def _next(self) -> _QueuedJob[Any] | None:
        """Wait for a job; return None at the end."""
        while True:
            try:
                item = self._thread.get(IDLE)
            except queue.Empty:
                if self._leave():
                    return None
            else:
                return item if isinstance(item, _QueuedJob) else None


class Writer(_Worker):
    """
    The writer thread, the only one that writes in a process.

    Args:
        connect: Opens the file.
        name: Name of the thread.
        background: The background jobs.
        watch: Called every few seconds to check the file.
        title: Name of the file in errors.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        name: str,
        background: BackgroundJobs,
        watch: Callable[[sqlite3.Connection], object] = lambda _: None,
        *,
        title: str = "The journal",
    ) -> None:
        super().__init__(connect, name, title=title)
        self._background = background
        self._watch = watch
        self._look_at = time.monotonic() + LOOK_EVERY
        self._is_used = False
        """Whether there was a job since the last check."""
        self._release_at = math.inf
        """Time at which memory is released unless a job comes."""
        self._work_at = math.inf
        """Time at which the next background job is due."""
        self._is_parked = False
        """Whether the writer has no thread of its own, only its connection."""
        self._before_jobs: tuple[PiggybackedWrite, ...] = ()
        self._piggybacked: tuple[PiggybackedWrite, ...] = ()
        self._is_doubtful = False
        """Whether a commit has failed, and the file was not checked since."""

    def join(self, piggyback: PiggybackedWrite, *, before_jobs: bool = False) -> None:
        """
        Add a write to every transaction from now on.

        Args:
            piggyback: The write.
            before_jobs: Whether it comes before the jobs of the transaction, which see its changes, or after them.
        """
        with self._starting:
            if before_jobs:
                self._before_jobs = (*self._before_jobs, piggyback)
            else:
                self._piggybacked = (*self._piggybacked, piggyback)

    def leave(self, piggyback: PiggybackedWrite) -> None:
        """Remove a write that comes after the jobs."""
        with self._starting:
            self._piggybacked = tuple(each for each in self._piggybacked if each is not piggyback)

    def notify(self) -> None:
        """Announce that a piggybacked write has changes; without another job it gets its own transaction."""
        self._put(_NOTICE)

    async def do_outside(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run a job outside of a transaction, and wait for it.

        Raises:
            StorageError: The job failed.
        """
        call = _QueuedJob(job, None, is_outside=True)
        self._put(call)
        return await call.future

    def tend(self) -> bool:
        """Do what is due while there are no jobs, in the thread for all idle writers; return whether it may go on."""
        if not self._turn.acquire(blocking=False):  # it has a thread of its own again
            return False
        try:
            if self._is_parked and self._db is not None:
                now = time.monotonic()
                if now >= self._look_at:
                    self._look(now)
                if now >= self._work_at:
                    self._do_background_jobs(is_idle=True)
            return self._is_parked and self._db is not None
        finally:
            self._turn.release()

    def _live(self) -> None:
        with self._turn:
            self._is_parked = False
            try:
                self._work()
            finally:
                is_parked = self._is_parked
                if not is_parked:
                    self._disconnect()
        if is_parked:
            _idle_writers.add(self)

    def _work(self) -> None:
        is_ending = False
        while not is_ending:
            calls, is_idle, is_ending = self._next()
            inside = [call for call in calls if not call.is_outside]
            if inside or not is_idle or self._is_doubtful:
                self._write(inside)
            self._do_outside([call for call in calls if call.is_outside])
            _deliver(calls)
            self._thread.finish()
            del calls, inside  # a job may hold much memory
            if not is_ending:
                self._do_background_jobs(is_idle=is_idle)

    def _next(self) -> tuple[list[_QueuedJob[Any]], bool, bool]:
        """Wait for jobs; return all queued jobs, whether the wait timed out, and whether this is the end."""
        calls: list[_QueuedJob[Any]] = []
        try:
            item = self._wait()
        except queue.Empty:
            return calls, True, self._is_parked
        self._is_used = True
        write_at: float | None = None
        while True:
            match item:
                case _QueuedJob():
                    calls.append(item)
                case _Signal() if item is _END:
                    return calls, False, True
                case _:
                    write_at = write_at or time.monotonic() + PIGGYBACK_DELAY
            try:
                if calls or write_at is None:
                    item = self._thread.get(0)
                else:
                    item = self._thread.get(max(0.0, write_at - time.monotonic()))
            except queue.Empty:
                return calls, False, False

    def _wait(self) -> _QueuedJob[Any] | _Signal:
        """
        Wait for the next item, and check the file when that is due.

        Raises:
            queue.Empty: A background job is due, or the writer is idle and was parked.
        """
        while True:
            now = time.monotonic()
            if now >= self._look_at:
                self._look(now)
                if self._park(now):
                    raise queue.Empty
            try:
                return self._thread.get(max(0.0, min(self._look_at, self._work_at) - now))
            except queue.Empty:
                if time.monotonic() >= self._work_at:
                    raise

    def _look(self, now: float) -> None:
        """Check the file."""
        self._look_at = now + LOOK_EVERY
        if self._db is not None:
            try:
                self._watch(self._db)
            except sqlite3.Error:  # the next job raises it
                self._disconnect()

    def _park(self, now: float) -> bool:
        """Release memory and end the thread, if there was no job for some time; return whether it ends."""
        if self._is_used:
            self._is_used, self._release_at = False, now + IDLE
        if now < self._release_at or self._is_doubtful or self._db is None or not self._leave():
            return False
        self._is_parked = True
        with contextlib.suppress(StorageError, sqlite3.Error, OSError):  # then the present connection stays
            fresh = self._connect()
            self._disconnect()
            self._db = fresh
            self._background.forget()  # it may remember values that are valid for one connection only
        return True

    def _write(self, calls: list[_QueuedJob[Any]]) -> None:
        """Run jobs and the piggybacked writes in one transaction."""
        before_jobs, piggybacked = self._before_jobs, self._piggybacked
        try:
            db = self._settled_connection()
            self._begin(db, before_jobs)
            for call in calls:
                if not self._do(db, call, needs_savepoint=len(calls) > 1 and not call.is_one_statement):
                    self._begin(db, before_jobs)
            for piggyback in piggybacked:
                piggyback.write(db)
            db.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - raised in the callers of `do`; the next job may succeed
            failure = self._failed(error)
            for call in calls:
                call.error = failure
            is_stored = False
        else:
            is_stored = True
        for piggyback in (*before_jobs, *piggybacked):
            piggyback.settled(is_stored=is_stored)

    def _failed(self, error: Exception) -> Exception:
        """Close the file, whose state is unknown, and return the error for the waiting callers."""
        self._is_doubtful |= not isinstance(error, StorageError)
        self._disconnect()
        self._background.forget()
        if isinstance(error, sqlite3.Error):
            return StorageError(f"{self._title} cannot be written: {explain(error)}")
        return error

    def _settled_connection(self) -> sqlite3.Connection:
        db = self._connected()
        if self._is_doubtful:
            # After a failed write the kernel may report the lost pages as written, so nothing may be appended to them:
            # copy all commits into the file itself, and begin a new log.
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._is_doubtful = False
        return db

    def _begin(self, db: sqlite3.Connection, before_jobs: tuple[PiggybackedWrite, ...]) -> None:
        """Begin a transaction with the writes that come before the jobs."""
        db.execute("BEGIN IMMEDIATE")
        for piggyback in before_jobs:
            piggyback.write(db)

    def _do(self, db: sqlite3.Connection, call: _QueuedJob[Any], *, needs_savepoint: bool) -> bool:
        """Run a job; a job that fails is rolled back alone. Return whether the transaction is still open."""
        if needs_savepoint:
            db.execute("SAVEPOINT job")
        try:
            call.result = call.job(db)
        except sqlite3.OperationalError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised in the caller of `do`
            self._background.forget()
            call.error = (
                ChangeRefused(f"{self._title} refused a change: {explain(error)}")
                if isinstance(error, sqlite3.Error)
                else error
            )
            if not needs_savepoint and not call.is_one_statement:
                db.execute("ROLLBACK")
                return False
            if needs_savepoint:
                db.execute("ROLLBACK TO job")
        if needs_savepoint:
            db.execute("RELEASE job")
        return True

    def _do_outside(self, calls: list[_QueuedJob[Any]]) -> None:
        for call in calls:
            try:
                call.result = call.job(self._settled_connection())
            except Exception as error:  # noqa: BLE001 - raised in the caller of `do_outside`
                call.error = self._failed(error)

    def _do_background_jobs(self, *, is_idle: bool) -> None:
        pause = _RETRY if self._is_doubtful else self._work_in_background(is_idle=is_idle)
        self._work_at = math.inf if pause is None else time.monotonic() + pause

    def _work_in_background(self, *, is_idle: bool) -> float | None:
        if self._db is None:
            return None
        try:
            return self._background.work(self._db, is_idle=is_idle)
        except sqlite3.Error:  # the next job raises it
            self._is_doubtful = True
            self._disconnect()
        except Exception as error:  # noqa: BLE001 - an index that fails at one message must not stop the storage
            _log.error("The journal's index or its retention has failed: %s.", type(error).__name__)
        self._background.forget()
        return _RETRY


class _IdleWriters:
    """The writers without a thread of their own, and the thread that tends them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._writers: set[Writer] = set()
        self._thread: threading.Thread | None = None

    def add(self, writer: Writer) -> None:
        """Tend a writer until it has a thread of its own again, or is closed."""
        with self._guard:
            self._writers.add(writer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._tend, name="webwx idle journals", daemon=True)
                self._thread.start()

    def _tend(self) -> None:
        while True:
            time.sleep(LOOK_EVERY)
            for writer in tuple(self._writers):
                with self._guard:
                    self._writers.discard(writer)  # before, because the writer may add itself again meanwhile
                if writer.tend():
                    with self._guard:
                        self._writers.add(writer)
            with self._guard:
                if not self._writers:
                    self._thread = None
                    return


_idle_writers = _IdleWriters()


def _forget_idle_writers() -> None:
    """Leave the parent's writers to the parent, in a fork: SQLite allows no connection to be used there."""
    global _idle_writers
    _idle_writers = _IdleWriters()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_idle_writers)


def _deliver(calls: list[_QueuedJob[Any]]) -> None:
    """Pass results to the waiting callers, with one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_QueuedJob[Any]]] = {}
    for call in calls:
        by_loop.setdefault(call.loop, []).append(call)
    for loop, theirs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it the callers
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(calls: list[_QueuedJob[Any]]) -> None:
    for call in calls:
        call.settle()
