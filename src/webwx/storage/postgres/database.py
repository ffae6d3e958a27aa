"""
The connections to a PostgreSQL database, in a thread with its own event loop.

A connection of asyncpg belongs to one event loop, and a journal is called from any loop of the process. So the
connections belong to the loop of this thread; a call passes it a job and waits for the result in its own loop. The
thread also keeps queries, and the decoding of their results, off the loop of the callers.

Every transaction that changes an account locks the account's row first, and checks its epoch. The lock orders all
changes of an account, by any process, and the takeover of an account by another process. No transaction waits for the
locks of two accounts, so transactions of different accounts do not block each other.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import logging
import secrets
import ssl
import threading
import time
import weakref
from collections import deque
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import asyncpg

from webwx.errors import StorageError
from webwx.storage.consumer import LOOK_EVERY
from webwx.storage.database_url import check_database_url, describe_database, split_search_path, split_servers
from webwx.storage.postgres.loop_calls import LoopCalls
from webwx.storage.postgres.pooler import SharedSessions, is_pooled, share_sessions
from webwx.storage.postgres.schema import PreparedSchema
from webwx.storage.postgres.text import decode_text, encode_text
from webwx.storage.refusals import ChangeRefused, DatabaseUnreachable, Fence, NotOwner
from webwx.storage.tables.outbox import KEPT_OUTCOMES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Iterator
    from typing import TypeAlias

    from webwx.storage.leases import ClusterMember

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

T = TypeVar("T")

_log = logging.getLogger("webwx.storage")

MOST_CONNECTIONS = 6
"""Number of connections that execute jobs; a journal has up to three more, for locks, announcements and news."""

TIMEOUT = 30.0
"""Seconds until a statement, or an attempt to connect, is given up."""

_EXIT_TIMEOUT = 2.0
"""Seconds that the exit of a program waits for a journal that was not closed."""

_CANCELLING = 1.0
"""Seconds in which the driver can send the cancellation of a statement before its connection is closed."""

_CHECKING = 0.2
"""Part of the time of a statement in which a doubtful connection has to answer."""

_AGAIN = 0.02
"""Seconds until a lock is tried again."""

_FIRST_EPOCH = 1
"""Epoch of an account that was never taken over."""

SETTINGS = {
    "application_name": "webwx",
    "default_transaction_isolation": "read committed",
    # The statements are prepared once for arrays of any length; planning each execution takes half of its time.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # Without statistics, rows would be read by it and sorted although an index has their order.
    "enable_bitmapscan": "off",
    # A stopped process must not keep the lock of an account; a takeover of its accounts ends its sessions earlier.
    "idle_in_transaction_session_timeout": "15s",
    # The locks of an unreachable machine end after half a minute.
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_LOST = (
    asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError,
)  # fmt: skip
"""
Errors of a connection that was lost before or during a statement.

`InternalClientError` is that of a session that the server has ended, whose last message has arrived, but not its end.
"""

OF_DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Errors of the driver."""

UNANSWERED = (TimeoutError, asyncio.CancelledError)
"""
Errors after which a connection must be closed: the driver cancels the statement, and the next one, even a rollback,
waits for the answer without a limit. The server may not exist any more.
"""

_OF_VALUES = ("22", "23")
"""Codes of errors of a value that cannot be stored."""

_OF_SERVER = ("08", "53300", "57P01", "57P02", "57P03")
"""Codes of a server that was lost, starts or stops, or has no room for another session."""

_UNREACHABLE = (*_LOST, OSError, TimeoutError)
"""Errors of a server that is away or does not answer."""

_OF_SETTINGS = (asyncpg.ClientConfigurationError, ssl.SSLError)
"""Errors, among them, of a setting or a certificate that does not become valid by itself."""

_EXPLAINED = ("08", "28", "3D", "53", "57", "42501")
"""Codes of errors whose message is for the user; other messages may contain stored values."""


class PostgresDatabase:
    """
    The connections to one database.

    Args:
        url: The URL, as for `psql`.
        member: This process as a worker, which writes to its own accounts. None: it writes to accounts that belong to
            no worker, each under the epoch that the account had when it was first used.
        watch: Called in the thread of the connections every few seconds to check the database.
        timeout: Seconds until a statement, or an attempt to connect, is given up; default: those of the member, or
            half a minute.
        schema: The schema, if others of this process have connections to it as well.
        jobs: Number of connections that execute jobs.

    Raises:
        InvalidSettings: The URL is not valid.
    """

    def __init__(
        self, url: str, member: ClusterMember | None = None, *, watch: Callable[[], Awaitable[None]] | None = None,
        timeout: float | None = None, schema: PreparedSchema | None = None, jobs: int = MOST_CONNECTIONS,
    ) -> None:  # fmt: skip
        check_database_url(url)
        self._url = url
        self._timeout = timeout or (TIMEOUT if member is None else member.timeout)
        self._settings = {
            **SETTINGS,
            "application_name": application_of(None if member is None else member.worker),
        }
        self._shares_sessions = False
        """Whether a pooler was found to share sessions of the server between connections."""
        self._place = describe_database(url)
        self._fence = None if member is None else member.fence
        self._sending_fence = None if member is None else member.sending_fence
        self._epochs: dict[int, int] = {}
        """Epoch of each account that this process has used without a fence."""
        self._thread = threading.Thread(target=self._live, name="webwx postgres", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: LoopCalls | None = None
        """Passes jobs to the thread of the connections."""
        self._answers: dict[asyncio.AbstractEventLoop, LoopCalls] = {}
        """Passes results to the loops of the callers."""
        self._starting = threading.Lock()
        self._unfinished = 0
        self._is_closed = False
        self._idle: list[Connection] = []
        self._doubtful: set[Connection] = set()
        """Idle connections whose server may be gone, because a statement of another connection was not answered."""
        self._free = asyncio.Semaphore(jobs)
        self._schema = schema or PreparedSchema()
        self._migrating = asyncio.Lock()
        self._tasks: set[asyncio.Future[Any]] = set()
        self.before_close: set[Callable[[], Awaitable[None]]] = set()
        """Called in the thread of the connections when it ends, to close connections of their own."""
        self._watch = watch
        self.locks: SessionLocks = SessionLocks(self)
        self.places: ProcessLocks = ProcessLocks()
        """Consumers that a worker has open, as pairs of an account and a name."""
        self.kept: UnstoredOutcomes = UnstoredOutcomes(self)
        _databases.add(self)

    def __repr__(self) -> str:
        return f"PostgresDatabase({self._place!r})"

    # -- from any thread ---------------------------------------------------------------------------------------------

    @property
    def is_worker(self) -> bool:
        """Whether this process is a worker, which writes to its own accounts only."""
        return self._fence is not None

    @property
    def is_at_work(self) -> bool:
        """Whether a job is not finished."""
        return self._unfinished > 0

    async def read(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        """
        Run a job that changes nothing, and return its result; it runs again if its connection was lost.

        Raises:
            StorageError: The database cannot be read.
        """
        return await self.run(lambda: self.reading(job))

    async def write(self, account: int, job: Callable[[Connection], Awaitable[T]]) -> T:
        """
        Run a job in a transaction that holds the account's row, and return its result.

        The job is completed even if the wait is cancelled.

        Raises:
            NotOwner: This process may not write to the account.
            StorageError: The change was not stored, or may not have been.
        """
        return await self.run(lambda: self.writing(account, job))

    async def run(
        self, job: Callable[[], Awaitable[T]], undo: Callable[[T], Awaitable[None]] | None = None
    ) -> T:  # fmt: skip
        """
        Run a job in the thread of the connections, and wait for its result.

        Args:
            job: Called in that thread; returns a coroutine, or a future of its loop. The job is completed even if the
                wait is cancelled.
            undo: Called with a result that the caller does not get, because the wait was cancelled.

        Raises:
            StorageError: The journal was closed.
        """
        caller = asyncio.get_running_loop()
        answers = self._answers_to(caller)
        answer: asyncio.Future[T] = caller.create_future()

        def settle(done: asyncio.Future[T]) -> None:
            if not answer.done():
                _copy(done, answer)
            elif undo is not None and not done.cancelled() and done.exception() is None:
                self._undo(undo, done.result())

        def pass_on(done: asyncio.Future[T]) -> None:
            if not done.cancelled():
                done.exception()  # the caller may be gone; this marks the exception as retrieved
            with contextlib.suppress(RuntimeError):  # the caller's loop has ended
                answers.add(partial(settle, done))

        self.spawn(job, pass_on)
        try:
            return await answer
        except asyncio.CancelledError:
            # A cancellation may also arrive after the result, before this coroutine continues.
            if undo is not None and answer.done() and not answer.cancelled() and answer.exception() is None:
                self._undo(undo, answer.result())
            raise

    def _answers_to(self, caller: asyncio.AbstractEventLoop) -> LoopCalls:
        """Return what passes results to a loop, and forget loops that have ended."""
        if caller not in self._answers:
            for loop in tuple(self._answers):
                if loop.is_closed():
                    self._answers.pop(loop, None)
        return self._answers.setdefault(caller, LoopCalls(caller))

    def _undo(self, undo: Callable[[T], Awaitable[None]], result: T) -> None:
        async def work() -> None:
            with contextlib.suppress(StorageError):  # the end of the connection undoes it
                await undo(result)

        with contextlib.suppress(StorageError):  # as above
            self.spawn(work)

    def spawn(
        self, job: Callable[[], Awaitable[T]], then: Callable[[asyncio.Future[T]], object] = lambda _: None
    ) -> None:
        """
        Start a job in the thread of the connections.

        Args:
            job: Called in that thread; returns a coroutine, or a future of its loop.
            then: Called in that thread with the finished job.

        Raises:
            StorageError: The journal was closed.
        """
        with self._starting:
            if self._is_closed:
                raise StorageError("This journal was closed.")
            if self._loop is None or self._jobs is None:
                self._loop = asyncio.new_event_loop()
                self._jobs = LoopCalls(self._loop)
                self._thread.start()
                atexit.register(self._close_at_exit)
            self._unfinished += 1
        self._jobs.add(partial(self._begin, job, then))

    async def close(self) -> None:
        """Complete the jobs that were begun, and close the connections."""
        if self._end():
            await asyncio.to_thread(self._thread.join)

    def _close_at_exit(self) -> None:
        if self._end():
            self._thread.join(_EXIT_TIMEOUT)

    def _end(self) -> bool:
        """Accept no further jobs, and return whether the thread has to be joined."""
        with self._starting:
            was_closed, self._is_closed = self._is_closed, True
            if self._jobs is None or not self._thread.is_alive():  # never started, or this process is a fork
                return False
            if not was_closed:
                self._jobs.add(self._begin_closing)
        atexit.unregister(self._close_at_exit)
        return True

    # -- in the thread of the connections ----------------------------------------------------------------------------

    def _live(self) -> None:
        assert self._loop is not None  # noqa: S101 - for the type checker: the thread is started after it was made
        asyncio.set_event_loop(self._loop)
        self._watching = self._loop.create_task(self._look())
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _look(self) -> None:
        """Check the database every few seconds; a failure is left to the next job."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with contextlib.suppress(StorageError, *OF_DRIVER, OSError):
                await self._check_sessions()
                await self.locks.renew()
                await self.kept.store()
                if self._watch is not None:
                    await self._watch()

    async def _check_sessions(self) -> None:
        """Check again that a pooler shares no session: its mode may change, and a busy one is not always detected."""
        if self._idle or self._shares_sessions:  # a restart of the pooler closes the idle ones
            name = self._settings["application_name"]
            try:
                await self._borrow(lambda one: require_own_session(one, self._url, name, self._timeout))
                self._shares_sessions = False
            except SharedSessions:
                self._shares_sessions = True

    def _begin(self, job: Callable[[], Awaitable[T]], then: Callable[[asyncio.Future[T]], object]) -> None:
        def finish(done: asyncio.Future[T]) -> None:
            self._tasks.discard(done)
            then(done)
            with self._starting:
                self._unfinished -= 1

        work: asyncio.Future[T]
        try:
            work = asyncio.ensure_future(job())
        except BaseException as error:  # noqa: BLE001 - passed on as the outcome of the job
            work = asyncio.get_running_loop().create_future()
            work.set_exception(error)
        self._tasks.add(work)
        work.add_done_callback(finish)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a coroutine in the background; `close` waits for its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin_closing(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._close())

    async def _close(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            while self._tasks:  # the end of the watch may have started some
                await asyncio.wait(tuple(self._tasks))
            await self._store_kept()
            await self.locks.close()
            for close in tuple(self.before_close):
                await close()
            for connection in self._idle:
                await disconnect(connection)
            await loop.shutdown_default_executor()
        finally:
            loop.stop()

    async def _store_kept(self) -> None:
        """Store what could not be stored, as far as that is possible; a first connection may have been lost."""
        for _ in range(2):
            with contextlib.suppress(StorageError, TimeoutError):
                async with asyncio.timeout(_EXIT_TIMEOUT):
                    await self.kept.store()
            await asyncio.sleep(0)  # the transport of a refused connection is closed

    async def reading(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        """Do the work of `read`, called in the thread of the connections."""
        try:
            return await self._with_connection(job)
        except _LOST:
            with self.explained("read"):
                return await self._with_connection(job)
        except (asyncpg.PostgresError, OSError, TimeoutError) as error:
            raise self._failure("read", error) from None

    async def fence_of(self, account: int) -> Fence:
        """
        Return the fence of an account, called in the thread of the connections.

        Raises:
            NotOwner: This process may not write to the account.
        """
        fence = self.known_fence(account)
        if fence is not None:
            return fence
        found = await self.reading(
            lambda db: db.fetchrow("SELECT epoch, worker FROM accounts WHERE account = $1", account)
        )
        if found is not None and found["worker"] is not None:
            raise NotOwner(f"The worker {found['worker']} owns this account.")
        self._epochs[account] = _FIRST_EPOCH if found is None else found["epoch"]
        return Fence(account=account, epoch=self._epochs[account])

    async def sending_fence_of(self, account: int) -> Fence:
        """Return the fence of an account as `fence_of` does, for a send that begins: a late lease is waited for."""
        return await (self.fence_of(account) if self._sending_fence is None else self._sending_fence(account))

    async def known_sending_fence(self, account: int) -> Fence | None:
        """Return what `sending_fence_of` does, in any thread; None if it has to be read from the database."""
        return self.known_fence(account) if self._sending_fence is None else await self._sending_fence(account)

    def known_fence(self, account: int) -> Fence | None:
        """
        Return the fence of an account as `fence_of` does; None if it has to be read from the database.

        Raises:
            NotOwner: This process may not write to the account.
        """
        if self._fence is not None:
            return self._fence(account)
        epoch = self._epochs.get(account)
        return None if epoch is None else Fence(account=account, epoch=epoch)

    async def writing(self, account: int, job: Callable[[Connection], Awaitable[T]]) -> T:
        """Do the work of `write`, called in the thread of the connections."""
        fence = await self.fence_of(account)

        async def store(connection: Connection) -> T:
            async with transaction(connection):
                await hold(connection, fence)
                return await job(connection)

        return await self.changing(store)

    async def sharing(self, account: int, job: Callable[[Connection], Awaitable[T]]) -> T:
        """Do the work of `writing` for a change that is allowed to processes that do not own the account."""

        async def store(connection: Connection) -> T:
            async with transaction(connection):
                await hold_any(connection, account)
                return await job(connection)

        return await self.changing(store)

    async def changing(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a job that takes care of its transaction and its fence, called in the thread of the connections."""
        with self.explained("written"):
            return await self._with_connection(job)

    async def _with_connection(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        if self._shares_sessions:
            raise SharedSessions(self._place)
        return await self._borrow(job)

    async def _borrow(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a job with a connection that no other job uses."""
        async with self._free:
            connection = await self._idle_connection()
            try:
                result = await job(connection)
            except BaseException as error:
                if isinstance(error, UNANSWERED):
                    self.start(_terminate(connection))
                    self._doubtful.update(self._idle)  # they lead to the same server
                elif isinstance(error, asyncpg.InternalClientError):
                    connection.terminate()
                elif connection.is_closed() or connection.is_in_transaction():
                    await disconnect(connection)
                else:
                    self._idle.append(connection)
                raise
            self._idle.append(connection)
            return result

    async def _idle_connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if await self._is_usable(connection):
                return connection
        return await self.connect()

    async def _is_usable(self, connection: Connection) -> bool:
        """Return whether a connection is open; a doubtful one has to answer."""
        is_doubtful = connection in self._doubtful
        self._doubtful.discard(connection)
        if connection.is_closed() or not is_doubtful:
            return not connection.is_closed()
        try:
            async with asyncio.timeout(self._timeout * _CHECKING):
                await connection.fetchval("SELECT true")
        except (*OF_DRIVER, OSError, TimeoutError):
            self.start(_terminate(connection))
            return False
        except BaseException:
            self.start(_terminate(connection))
            raise
        return True

    async def connect(self) -> Connection:
        """Return a new connection to a migrated database."""
        connection = await open_connection(self._url, self._settings, self._timeout)
        try:
            async with self._migrating:
                await self._schema.prepare(connection, self._place)
        except BaseException:
            self.start(_terminate(connection))
            raise
        return connection

    @contextlib.contextmanager
    def explained(self, verb: str) -> Iterator[None]:
        """Convert an error of the driver into a `StorageError`."""
        try:
            yield
        except (*OF_DRIVER, OSError, TimeoutError) as error:
            raise self._failure(verb, error) from None

    def _failure(self, verb: str, error: BaseException) -> StorageError:
        return _failure_of(error, self._place, verb, self._timeout)


class UnstoredOutcomes:
    """
    Outcomes of sends and ends of consumers that could not be stored; they are stored as soon as that is possible.

    Args:
        database: The database, whose thread calls all methods.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._waiting: deque[Callable[[Connection], Awaitable[object]]] = deque(maxlen=KEPT_OUTCOMES)

    def __repr__(self) -> str:
        return f"UnstoredOutcomes({len(self._waiting)})"

    @property
    def is_empty(self) -> bool:
        """Whether everything is stored; for any thread."""
        return not self._waiting

    def add(self, store: Callable[[Connection], Awaitable[object]]) -> None:
        """Keep an outcome; beyond the maximum number the oldest one is dropped."""
        if not self._waiting:  # one line for all that follow
            _log.warning(
                "The outcomes of sends, or the ends of consumers, could not be stored; they are kept, and stored as "
                "soon as that is possible."
            )
        self._waiting.append(store)

    async def store(self) -> None:
        """
        Store the outcomes.

        Raises:
            StorageError: The database cannot be written.
        """
        while self._waiting:
            store = self._waiting[0]
            with contextlib.suppress(NotOwner, ChangeRefused):
                await self._database.changing(store)
            if self._waiting and self._waiting[0] is store:
                self._waiting.popleft()


class ProcessLocks:
    """Locks among the calls of this process, whose fences exclude the other ones; called in one thread."""

    def __init__(self) -> None:
        self._held: set[Hashable] = set()

    async def wait_for(self, key: Hashable, seconds: float) -> bool:
        """Take a lock, and return whether it was free or became free in time."""
        deadline = time.monotonic() + seconds
        while key in self._held:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_AGAIN)
        self._held.add(key)
        return True

    async def release(self, key: Hashable) -> None:
        """Release a lock."""
        self._held.discard(key)


class _Ask(NamedTuple):
    """A lock that a call wants to take."""

    key: int
    answer: asyncio.Future[bool]


class SessionLocks:
    """
    Locks that end with the process: advisory locks of a connection of their own.

    Calls that wait for the connection share a statement: a worker takes and releases those of thousands of accounts.

    Args:
        database: The database, whose thread calls all methods.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._held: set[int] = set()
        self._asked: list[_Ask] = []
        """Locks to take with the next statement."""
        self._left: list[int] = []
        """Locks to release with the next statement; they are not in `_held` any more."""
        self._turn = asyncio.Lock()

    async def take(self, key: int) -> bool:
        """Take a lock, and return whether it was free."""
        ask = _Ask(key, asyncio.get_running_loop().create_future())
        self._asked.append(ask)
        try:
            async with self._turn:
                while not ask.answer.done():
                    await self._take_asked(ask)
            return ask.answer.result()
        except BaseException:
            ask.answer.cancel()
            self._asked = [each for each in self._asked if each is not ask]
            raise

    async def _take_asked(self, own: _Ask) -> None:
        """Take all locks that are asked for; after an error, each other call asks again itself."""
        await self._release_left()
        asked, self._asked = self._asked, []
        # The database would give the same session its lock again.
        keys = list({ask.key for ask in asked if not ask.answer.done()} - self._held)
        free: set[int] = set()
        if keys:
            try:
                with self._database.explained("written"):
                    free = await self._try_to_lock(await self._connected(), keys)
            except BaseException:
                self._asked[:0] = [ask for ask in asked if ask is not own]
                raise
        self._held |= free
        for ask in asked:
            if not ask.answer.done():
                ask.answer.set_result(ask.key in free)
                free.discard(ask.key)
        if free:  # the calls that asked for them were cancelled
            self._held -= free
            self._left += free

    async def wait_for(self, key: int, seconds: float) -> bool:
        """Take a lock, and return whether it was free or became free in time."""
        deadline = time.monotonic() + seconds
        while not await self.take(key):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_AGAIN)
        return True

    def holds(self, key: int) -> bool:
        """Return whether this object holds a lock; called in any thread."""
        return key in self._held

    async def release(self, key: int) -> None:
        """Release a lock."""
        if key in self._held:
            self._held.discard(key)
            self._left.append(key)
        async with self._turn:
            await self._release_left()

    async def _release_left(self) -> None:
        left, self._left = self._left, []
        if left and self._connection is not None and not self._connection.is_closed():
            with self._database.explained("written"):
                await self._ask(
                    self._connection, "SELECT key FROM unnest($1::bigint[]) key WHERE pg_advisory_unlock(key)", left
                )

    async def renew(self) -> None:
        """Take the locks again if the connection was lost."""
        async with self._turn:
            if self._held:
                await self._connected()

    async def close(self) -> None:
        """Release all locks."""
        self._held.clear()
        if self._connection is not None:
            await disconnect(self._connection)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            if self._held:  # another process may have one of them now, and its writes exclude this one's
                await self._try_to_lock(self._connection, list(self._held))
        return self._connection

    async def _try_to_lock(self, connection: Connection, keys: list[int]) -> set[int]:
        """Return the locks that were free."""
        return await self._ask(
            connection, "SELECT key FROM unnest($1::bigint[]) key WHERE pg_try_advisory_lock(key)", keys
        )

    async def _ask(self, connection: Connection, query: str, keys: list[int]) -> set[int]:
        """Return the keys that a query selects; without an answer, the connection is closed."""
        try:
            return {row["key"] for row in await connection.fetch(query, keys)}
        except (*UNANSWERED, asyncpg.InternalClientError):
            connection.terminate()
            raise


def new_lock() -> int:
    """Return the key of a new lock, which no other database object has."""
    return secrets.randbits(63)


def application_of(worker: str | None) -> str:
    """Return the name of a worker, or of another process, in the database's list of sessions."""
    return "webwx" if worker is None else f"webwx {worker}"


async def hold(connection: Connection, fence: Fence) -> None:
    """
    Lock the row of an account for this transaction; create it when it is first needed.

    Raises:
        NotOwner: The account's epoch is another one, because another process owns it.
    """
    query = "SELECT true FROM accounts WHERE account = $1 AND epoch = $2 FOR NO KEY UPDATE"
    if await connection.fetchval(query, fence.account, fence.epoch):
        return
    await connection.execute(
        "INSERT INTO accounts (account, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING", fence.account, fence.epoch
    )
    if not await connection.fetchval(query, fence.account, fence.epoch):
        raise NotOwner("Another process owns this account now.")


async def hold_any(connection: Connection, account: int) -> None:
    """Lock the row of an account, of any epoch, for this transaction; create it when it is first needed."""
    query = "SELECT true FROM accounts WHERE account = $1 FOR NO KEY UPDATE"
    if not await connection.fetchval(query, account):
        await connection.execute(
            "INSERT INTO accounts (account, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING", account, _FIRST_EPOCH
        )
        await connection.fetchval(query, account)


async def open_connection(
    url: str, settings: dict[str, str], limit: float, *, statements_end: bool = True
) -> Connection:  # fmt: skip
    """
    Return a new connection that encodes text as this engine does; the schema may be of any version.

    Args:
        url: The URL of the database. If it names several servers, the first one that accepts the session is used.
        settings: Settings of the session.
        limit: Seconds until a statement, or the attempts to connect, are given up.
        statements_end: Whether the limit is also that of statements; otherwise they have none.

    Raises:
        SharedSessions: A pooler shares sessions of the server between connections.
    """
    name, (_, search_path) = settings["application_name"], split_search_path(url)
    connection = await _connect(url, name, limit, limit if statements_end else None)
    try:
        await require_own_session(connection, url, name, limit)
        # A pooler refuses most settings of a new connection, so they are set afterwards.
        chosen = settings if search_path is None else settings | {"search_path": search_path}
        await connection.execute(f"SELECT {', '.join(starmap(_setting, chosen.items()))}")
        # An array of `text` takes no codec of its elements, so statements take arrays of `varchar`.
        for kind in ("text", "varchar"):
            await connection.set_type_codec(
                kind, schema="pg_catalog", encoder=encode_text, decoder=decode_text, format="binary"
            )
    except BaseException:
        connection.terminate()
        raise
    return connection


def _setting(name: str, value: str) -> str:
    """Return an expression that changes a setting of the session."""
    quoted = value.replace("'", "''")
    return f"set_config('{name}', '{quoted}', false)"


async def _connect(url: str, application: str, limit: float, statement_limit: float | None) -> Connection:
    """Return a new connection without further settings; the arguments are those of `open_connection`."""
    servers = split_servers(split_search_path(url)[0])
    for server in servers:
        try:
            # A server that does not answer must leave time for the next one.
            return await asyncpg.connect(
                server, timeout=limit / len(servers), command_timeout=statement_limit,
                server_settings={"application_name": application}, statement_cache_size=512,
            )  # fmt: skip
        except asyncpg.TargetServerAttributeNotMatched:
            failure: Exception = ConnectionError(errno.ECONNREFUSED, "no server is as target_session_attrs requires")
        except (OSError, asyncpg.CannotConnectNowError) as error:
            failure = error
    raise failure


async def require_own_session(connection: Connection, url: str, application: str, limit: float) -> None:
    """
    Check, with a further connection, that a pooler does not share the session of a connection with others.

    Raises:
        SharedSessions: It does.
    """
    if await is_pooled(connection):
        other = await _connect(url, application, limit, limit)
        try:
            if await share_sessions(connection, other):
                raise SharedSessions(describe_database(url))
        finally:
            await disconnect(other)


@contextlib.asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
    """Commit the statements of the block together, or none; after one that was not answered, close the connection."""
    begun = connection.transaction()
    await begun.start()
    try:
        yield
    except UNANSWERED:
        raise
    except BaseException:
        await begun.rollback()
        raise
    await begun.commit()


async def disconnect(connection: Connection) -> None:
    """Close a connection."""
    with contextlib.suppress(*OF_DRIVER, OSError):
        await connection.close(timeout=1.0)


async def _terminate(connection: Connection) -> None:
    """Close a connection whose statement was not answered; `close` would wait for the answer without a limit."""
    await asyncio.sleep(_CANCELLING)
    connection.terminate()


def _copy(done: asyncio.Future[T], answer: asyncio.Future[T]) -> None:
    """Pass the result of a finished job to its caller, in the caller's loop."""
    if done.cancelled():
        answer.cancel()
    elif (failure := done.exception()) is not None:
        answer.set_exception(failure)
    else:
        answer.set_result(done.result())


@contextlib.contextmanager
def explained(place: str, verb: str) -> Iterator[None]:
    """Convert an error of the driver into a `StorageError` that names the database, and what was to be done to it."""
    try:
        yield
    except (*OF_DRIVER, OSError, TimeoutError) as error:
        raise _failure_of(error, place, verb, TIMEOUT) from None


def _failure_of(error: BaseException, place: str, verb: str, timeout: float) -> StorageError:
    """Return the `StorageError` for an error of the driver."""
    code = (error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""
    kind = StorageError
    if code.startswith(_OF_VALUES):
        kind = ChangeRefused
    elif code.startswith(_OF_SERVER) or (isinstance(error, _UNREACHABLE) and not isinstance(error, _OF_SETTINGS)):
        kind = DatabaseUnreachable
    return kind(f"The journal in {place} cannot be {verb}: {explain(error, timeout)}")


def explain(error: BaseException, timeout: float = TIMEOUT) -> str:
    """Return a sentence about an error of a statement with a time limit; it contains no stored value."""
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        if code.startswith(_EXPLAINED):
            return f"{error}."
        return f"PostgreSQL refused it ({type(error).__name__}, {code})."
    if isinstance(error, asyncpg.ClientConfigurationError):  # its text may repeat a part of the URL
        return "a parameter of the URL, or a variable of PostgreSQL such as PGSSLMODE, is not valid."
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} seconds."
    if isinstance(error, OSError):
        return f"{error.strerror or 'the connection was lost'}."
    return "the connection was lost."


_databases: weakref.WeakSet[PostgresDatabase] = weakref.WeakSet()


def is_any_at_work() -> bool:
    """
    Return whether a journal of this process has an unfinished job.

    A virtual clock stands still meanwhile, because a database takes real time.
    """
    return any(database.is_at_work for database in tuple(_databases))
