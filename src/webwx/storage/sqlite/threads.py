"""
The threads that speak to a journal's file: one writes, one reads.

All jobs that wait go into one transaction, so many tasks share the cost of one commit; a job that fails is rolled back
alone. What changes all the time and is cheap to write, such as acknowledgements, is piggybacked: it is written with the
next transaction, or in one of its own a few milliseconds later.

A commit that failed may or may not have been made. Each job of it raises `StorageError`; the connection is closed, and
the next job opens the file again and sees what is stored.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from webwx.errors import StorageError
from webwx.storage.base import LOOK_EVERY
from webwx.storage.sqlite.schema import explain

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PIGGYBACK_DELAY = 0.01
"""Seconds after which a piggybacked write gets a transaction of its own."""

_log = logging.getLogger("webwx.storage")

_EXIT_TIMEOUT = 2.0
"""Seconds that a program which ends waits for a journal that it has not closed."""

_RETRY = 1.0
"""Seconds until what nobody waits for is tried again, after a failure."""


class PiggybackedWrite(Protocol):
    """A write that is stored with the next transaction, whatever that is for."""

    def write(self, db: sqlite3.Connection) -> None:
        """Write what has changed since it was last stored, if anything has."""
        ...

    def settled(self, *, is_stored: bool) -> None:
        """Note whether the transaction with this write was stored."""
        ...


class BackgroundJobs(Protocol):
    """Work to do when there is time, or when it cannot wait any longer."""

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        """Do a piece, in transactions of its own; gives the seconds until the next, None when nothing is left."""
        ...

    def forget(self) -> None:
        """Drop what is known of the file, because a transaction was rolled back."""
        ...


class _QueuedJob(Generic[T]):
    """A job, and the future of its result."""

    __slots__ = ("can_wait", "error", "future", "is_outside", "job", "loop", "result", "then")

    def __init__(
        self, job: Callable[[sqlite3.Connection], T], then: Callable[[T], None] | None, *, is_outside: bool = False,
        can_wait: bool = False,
    ) -> None:  # fmt: skip
        self.job = job
        self.can_wait = can_wait
        self.is_outside = is_outside
        self.then = then
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.result: T
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell it, in the loop it came from; what follows from a job follows even when nobody waits any more."""
        if self.error is None and self.then is not None:
            self.then(self.result)
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class _Signal:
    """Something else that a thread may find in its queue."""


_NOTICE = _Signal()
_END = _Signal()


class _JobThread(threading.Thread):
    """A thread that takes jobs from its queue, and knows whether one is left."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        # A daemon: a program that forgets to close must still be able to end, and a commit survives a kill.
        super().__init__(target=work, name=name, daemon=True)
        self._queue: queue.SimpleQueue[_QueuedJob[Any] | _Signal] = queue.SimpleQueue()
        self._put_in = self._taken_out = self._finished = 0

    @property
    def is_at_work(self) -> bool:
        """Something was put in that is not finished."""
        return self._put_in != self._finished

    def put(self, item: _QueuedJob[Any] | _Signal) -> None:
        """Put something in, from one thread at a time."""
        self._put_in += 1
        self._queue.put(item)

    def get(self, timeout: float | None = None) -> _QueuedJob[Any] | _Signal:
        """
        Take the next out, in this thread.

        Raises:
            queue.Empty: There was none in time; 0 does not wait.
        """
        item = self._queue.get(timeout != 0, timeout)
        self._taken_out += 1
        return item

    def finish(self) -> None:
        """Note that all that was taken out is finished, and its results are handed over."""
        self._finished = self._taken_out


def is_any_at_work() -> bool:
    """
    Return whether a journal of this process has an unfinished job.

    A virtual clock stands still meanwhile, because a disk takes real time.
    """
    return any(isinstance(thread, _JobThread) and thread.is_at_work for thread in threading.enumerate())


class _Worker:
    """
    A thread with a connection of its own, started when it is needed.

    Args:
        connect: Opens the file.
        name: The thread's.
        title: What errors call the file.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], name: str, *, title: str = "The journal") -> None:
        self._connect = connect
        self._title = title
        self._thread = _JobThread(self._live, name)
        self._starting = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._is_closed = False

    async def do(self, job: Callable[[sqlite3.Connection], T], then: Callable[[T], None] | None = None) -> T:
        """
        Run a job in the thread, and wait until it is done for good.

        A job that was handed in is done even when the wait is cancelled.

        Args:
            job: What is done; it may not wait for anything.
            then: What follows from it here, before anybody learns of the result.

        Raises:
            StorageError: The file does not take it, or nobody can say.
        """
        call = _QueuedJob(job, then)
        self._put(call)
        return await call.future

    async def close(self) -> None:
        """Finish the jobs that wait, and close the file."""
        if self._end():
            await asyncio.to_thread(self._thread.join)

    def _close_at_exit(self) -> None:
        """Close the file of a program that ends without closing it; what is piggybacked would be lost otherwise."""
        if self._end():
            self._thread.join(_EXIT_TIMEOUT)

    def _end(self) -> bool:
        """Take no further jobs; return whether the thread has to end."""
        with self._starting:
            self._is_closed = True
            is_alive = self._thread.is_alive()  # it was never started otherwise, or this process is a fork
            if is_alive:
                self._thread.put(_END)
        atexit.unregister(self._close_at_exit)
        return is_alive

    def _put(self, item: _QueuedJob[Any] | _Signal) -> None:
        with self._starting:
            if self._is_closed:
                raise StorageError("This journal was closed.")
            if self._thread.ident is None:
                self._thread.start()
                atexit.register(self._close_at_exit)
            self._thread.put(item)

    def _live(self) -> None:
        try:
            self._work()
        finally:
            self._disconnect()

    def _work(self) -> None:
        raise NotImplementedError  # a reader and a writer go about it in different ways

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._connect()
        return self._db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):  # whatever it says, it is gone
                db.close()


class Reader(_Worker):
    """
    Reads, each job from one state of the file.

    Args:
        connect: Opens the file.
        name: The thread's.
        watch: Looks at the file every few seconds, whatever else is read.
        title: What errors call the file.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        name: str,
        watch: Callable[[sqlite3.Connection], object] = lambda _: None,
        *,
        title: str = "The journal",
    ) -> None:
        super().__init__(connect, name, title=title)
        self._watch = watch
        self._look_at = time.monotonic() + LOOK_EVERY

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
            except BaseException as error:  # noqa: BLE001 - it is raised where the job came from
                call.error = error
            _tell([call])
            self._thread.finish()
            del call

    def _next(self) -> _QueuedJob[Any] | None:
        """Wait for a job, and look at the file when that is due; None: there will be no more."""
        while True:
            wait = self._look_at - time.monotonic()
            if wait <= 0:
                self._look()
                continue
            with contextlib.suppress(queue.Empty):
                item = self._thread.get(wait)
                return item if isinstance(item, _QueuedJob) else None

    def _look(self) -> None:
        self._look_at = time.monotonic() + LOOK_EVERY
        if self._db is not None:
            try:
                self._watch(self._db)
            except sqlite3.Error:  # a job that comes will tell of it
                self._disconnect()


class Writer(_Worker):
    """
    Writes: the only one of its process that does.

    Args:
        connect: Opens the file.
        name: The thread's.
        background: Jobs to do when there is time.
        title: What errors call the file.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        name: str,
        background: BackgroundJobs,
        *,
        title: str = "The journal",
    ) -> None:
        super().__init__(connect, name, title=title)
        self._background = background
        self._piggybacked: tuple[PiggybackedWrite, ...] = ()
        self._deferred: set[asyncio.Future[Any]] = set()
        """Futures of jobs that wait for others."""
        self._is_doubtful = False
        """A commit has failed, and the file was not looked at since."""

    def join(self, piggyback: PiggybackedWrite) -> None:
        """Write something with every transaction from now on."""
        with self._starting:
            self._piggybacked = (*self._piggybacked, piggyback)

    def leave(self, piggyback: PiggybackedWrite) -> None:
        """Stop writing it."""
        with self._starting:
            self._piggybacked = tuple(each for each in self._piggybacked if each is not piggyback)

    def notify(self) -> None:
        """Note that a piggybacked write has something to store; without another job it gets its own transaction."""
        self._put(_NOTICE)

    def do_soon(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """
        Run a job with whatever comes next, or after a few milliseconds in a transaction of its own.

        It runs before every job that is handed in later. Return a future of its result.

        Raises:
            StorageError: The journal was closed.
        """
        call = _QueuedJob(job, None, can_wait=True)
        self._put(call)
        self._deferred.add(call.future)
        call.future.add_done_callback(self._deferred.discard)
        return call.future

    async def catch_up(self) -> None:
        """Wait until all is stored that `do_soon` was given."""
        if self._deferred:
            await self.do(lambda _: None)

    async def do_outside(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run a job that no transaction may be around, and wait for it.

        Raises:
            StorageError: The file does not take it.
        """
        call = _QueuedJob(job, None, is_outside=True)
        self._put(call)
        return await call.future

    def _work(self) -> None:
        pause: float | None = None
        is_ending = False
        while not is_ending:
            calls, is_idle, is_ending = self._next(pause)
            inside = [call for call in calls if not call.is_outside]
            if inside or not is_idle or self._is_doubtful:
                self._write(inside)
            self._do_outside([call for call in calls if call.is_outside])
            _tell(calls)
            self._thread.finish()
            del calls, inside  # a job may hold on to a great deal
            if not is_ending:
                pause = _RETRY if self._is_doubtful else self._do_background_jobs(is_idle=is_idle)

    def _next(self, pause: float | None) -> tuple[list[_QueuedJob[Any]], bool, bool]:
        """Wait for jobs: gives all there are, whether the wait was in vain, and whether that was the last."""
        calls: list[_QueuedJob[Any]] = []
        try:
            item = self._thread.get(pause)
        except queue.Empty:
            return calls, True, False
        write_at: float | None = None
        is_urgent = False
        while True:
            match item:
                case _QueuedJob():
                    calls.append(item)
                    if item.can_wait:
                        write_at = write_at or time.monotonic() + PIGGYBACK_DELAY
                    else:
                        is_urgent = True
                case _Signal() if item is _END:
                    return calls, False, True
                case _:
                    write_at = write_at or time.monotonic() + PIGGYBACK_DELAY
            try:
                if is_urgent or write_at is None:
                    item = self._thread.get(0)
                else:
                    item = self._thread.get(max(0.0, write_at - time.monotonic()))
            except queue.Empty:
                return calls, False, False

    def _write(self, calls: list[_QueuedJob[Any]]) -> None:
        """Do jobs, and the piggybacked writes, in one transaction."""
        piggybacked = self._piggybacked
        try:
            db = self._settled_connection()
            db.execute("BEGIN IMMEDIATE")
            for call in calls:
                self._do(db, call, is_alone=len(calls) == 1)
            for piggyback in piggybacked:
                piggyback.write(db)
            db.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - it is raised wherever somebody waits, and the next job may work
            failure = self._failed(error)
            for call in calls:
                call.error = failure
            is_stored = False
        else:
            is_stored = True
        for piggyback in piggybacked:
            piggyback.settled(is_stored=is_stored)

    def _failed(self, error: Exception) -> Exception:
        """Let go of a file in which nobody knows what is written; gives what those are told who wait."""
        self._is_doubtful |= not isinstance(error, StorageError)
        self._disconnect()
        self._background.forget()
        if isinstance(error, sqlite3.Error):
            return StorageError(f"{self._title} cannot be written: {explain(error)}")
        return error

    def _settled_connection(self) -> sqlite3.Connection:
        db = self._connected()
        if self._is_doubtful:
            # What the kernel could not write it may call written ever after, so nothing may be appended to that:
            # all is copied once more, into the file itself, and the log begins anew.
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._is_doubtful = False
        return db

    def _do(self, db: sqlite3.Connection, call: _QueuedJob[Any], *, is_alone: bool) -> None:
        """Do a job; one that fails takes nothing else back but itself."""
        if not is_alone:
            db.execute("SAVEPOINT job")
        try:
            call.result = call.job(db)
        except sqlite3.OperationalError:
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised where the job came from
            db.execute("ROLLBACK" if is_alone else "ROLLBACK TO job")
            if is_alone:
                db.execute("BEGIN IMMEDIATE")
            self._background.forget()
            call.error = (
                StorageError(f"{self._title} does not take this: {explain(error)}")
                if isinstance(error, sqlite3.Error)
                else error
            )
        if not is_alone:
            db.execute("RELEASE job")

    def _do_outside(self, calls: list[_QueuedJob[Any]]) -> None:
        for call in calls:
            try:
                call.result = call.job(self._settled_connection())
            except Exception as error:  # noqa: BLE001 - it is raised where the job came from
                call.error = self._failed(error)

    def _do_background_jobs(self, *, is_idle: bool) -> float | None:
        if self._db is None:
            return None
        try:
            return self._background.work(self._db, is_idle=is_idle)
        except sqlite3.Error:  # a job that comes will tell of it
            self._is_doubtful = True
            self._disconnect()
        except Exception as error:  # noqa: BLE001 - an index that one message breaks must not stop what is stored
            _log.error("The journal's index or its retention has failed: %s.", type(error).__name__)
        self._background.forget()
        return _RETRY


def _tell(calls: list[_QueuedJob[Any]]) -> None:
    """Let those know who wait, each loop at once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_QueuedJob[Any]]] = {}
    for call in calls:
        by_loop.setdefault(call.loop, []).append(call)
    for loop, theirs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and so has whoever waited
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(calls: list[_QueuedJob[Any]]) -> None:
    for call in calls:
        call.settle()
