"""
Consumers of an account's entries, and their cursors.

A cursor has three stored parts. `acked`: all entries up to this number are acknowledged. `acked_ahead`: later entries
that are acknowledged too. `started`: entries up to this number may have been delivered; it is stored by the statement
that reads the entries, so after a crash every entry that was delivered but not acknowledged is delivered again
as `redelivered`.

Acknowledgements, and changes of conversations, are stored together a few milliseconds later. Only one process has a
consumer open: the worker that owns the account, or without a worker the process that holds the consumer's advisory
lock, which ends with its connection. A process whose connection was lost may still act; `opening` counts the openings
of a consumer, and every write checks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from webwx.errors import AlreadyRunning, StorageError
from webwx.override import override
from webwx.storage.consumer import Consumer
from webwx.storage.deliveries import ConsumerState, state_of
from webwx.storage.engine.dialect import to_postgres
from webwx.storage.postgres.database import new_lock
from webwx.storage.postgres.entries import entries_of, read_numbers, reading_of
from webwx.storage.postgres.held import hold_entries
from webwx.storage.postgres.tables import PostgresStatements, PostgresTables
from webwx.storage.tables.consumers import read_ahead, read_crashes, write_crashes
from webwx.storage.tables.conversations import ConversationRow, write_conversations
from webwx.storage.tables.dead_letters import FAILURES_AFTER, failures_after, forget_failures
from webwx.storage.tables.media import ARCHIVE_CONSUMER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from webwx.storage.entries import Entry
    from webwx.storage.postgres.database import Connection, PostgresDatabase

STORE_DELAY = 0.01
"""Seconds after which acknowledgements are stored, so that several share a transaction."""

_RETRY = 1.0
"""Seconds until acknowledgements that could not be stored are stored again."""

_RELEASE = 1.0
"""Seconds to wait for the lock of a consumer: the database notices the death of a process a moment later."""

CRASH_GRACE = 300.0
"""
Seconds in which a process that has lost its connection revokes the crashes that were counted for it.
"""

_ISOLATED_TO = "CASE WHEN lived_on >= opening - 1 THEN {before}::bigint ELSE {now}::bigint END"
"""Expression for `isolated_to`, which depends on whether the process before this one has really crashed."""

_LIVED_ON = """
WITH lived AS (
    UPDATE consumers SET lived_on = greatest(lived_on, $2) WHERE consumer = $1
), counted AS (
    UPDATE crashes SET crashes = crashes - 1 WHERE consumer = $1 AND number = ANY ($3::bigint[]) AND crashes > 1
)
DELETE FROM crashes WHERE consumer = $1 AND number = ANY ($3::bigint[]) AND crashes <= 1
"""
"""Takes back the crashes that were counted for a process that has lived on."""

_BEGUN = f"""
UPDATE consumers SET is_open = true, isolated_to = {_ISOLATED_TO.format(before="$4", now="$3")}
WHERE consumer = $1 AND opening = $2 RETURNING true
"""  # noqa: S608 - a constant

_STORE = f"""
UPDATE consumers SET acked = $3, is_open = $4, isolated_to = {_ISOLATED_TO.format(before="$7", now="$5")},
    started = greatest($3, coalesce($6, started))
WHERE consumer = $1 AND opening = $2 RETURNING true
"""  # noqa: S608 - a constant

_STORE_ALONE = f"""
WITH held AS MATERIALIZED (SELECT true FROM accounts WHERE account = $8 AND epoch = $9 FOR NO KEY UPDATE), stored AS (
    {_STORE.replace("WHERE", "WHERE EXISTS (SELECT FROM held) AND").strip()}
)
SELECT EXISTS (SELECT FROM held) AS is_held, EXISTS (SELECT FROM stored) AS is_stored
"""  # noqa: S608 - a constant
"""`_STORE` with the lock of the account's row, for a transaction that stores nothing else."""

_OPEN_OWNED = f"""
WITH held AS MATERIALIZED (SELECT true FROM accounts WHERE account = $1 AND epoch = $3 FOR NO KEY UPDATE), opened AS (
    UPDATE consumers SET opening = opening + 1
    WHERE EXISTS (SELECT FROM held) AND account = $1 AND webwx_key(name) = webwx_key($2) RETURNING *
)
SELECT o.*,
    ARRAY (SELECT number FROM acked_ahead a WHERE a.consumer = o.consumer) AS ahead,
    failed.*,
    ARRAY (SELECT c.number FROM crashes c WHERE c.consumer = o.consumer ORDER BY c.number) AS crashed_numbers,
    ARRAY (SELECT c.crashes FROM crashes c WHERE c.consumer = o.consumer ORDER BY c.number) AS crash_counts
FROM opened o CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(f.number ORDER BY f.number), '{{}}') AS failed_numbers,
        coalesce(array_agg(f.attempts ORDER BY f.number), '{{}}') AS failed_attempts,
        coalesce(array_agg(f.state::varchar ORDER BY f.number), '{{}}') AS failed_states
    FROM ({to_postgres(FAILURES_AFTER.format(consumer="o.consumer", acked="o.acked"), 0).text}) f
) failed
"""  # noqa: S608 - constants
"""
Opens a consumer of an account that this worker owns. All reads are of one state, which is the latest one: the claim of
the account has ended the writes of earlier owners.
"""

_TAKE = f"""
WITH following AS MATERIALIZED (
    SELECT * FROM entries WHERE account = $1 AND number > $2 ORDER BY number LIMIT $3
), fence AS (
    SELECT restored_at FROM accounts WHERE account = $1 AND epoch = $4 FOR SHARE
), begun AS (
    UPDATE consumers SET started = greatest(started, (SELECT max(number) FROM following)), is_open = true,
        isolated_to = {_ISOLATED_TO.format(before="$8", now="$7")}
    WHERE consumer = $5 AND opening = $6 AND EXISTS (SELECT FROM following) AND EXISTS (SELECT FROM fence)
    RETURNING true
)
{
    reading_of(
        "SELECT * FROM following",
        ", EXISTS (SELECT FROM begun) AS is_begun, e.time > 0 AND e.time < (SELECT restored_at FROM fence) AS is_older",
    )
}
"""  # noqa: S608 - no value is put together


class OpenedCursor(NamedTuple):
    """A consumer that this process has opened, and its stored state."""

    consumer: int
    opening: int
    state: ConsumerState
    release: Callable[[], Awaitable[None]]
    """Allows others to open it; called in the thread of the connections."""


class _Changes(NamedTuple):
    """The changes of a consumer that one transaction stores."""

    acked: int
    is_open: bool
    started: int | None
    """The new, lower value of `started`; None: no change."""
    acks: list[int]
    crashes: dict[int, int]
    conversations: dict[str, ConversationRow]


async def open_cursor(database: PostgresDatabase, account: int, name: str, *, is_from_beginning: bool) -> OpenedCursor:
    """
    Open a consumer, in the thread of the connections; create it if it is new.

    Raises:
        AlreadyRunning: The consumer is open in another process.
    """

    async def find(db: Connection) -> int:
        lock: int | None = await db.fetchval(
            "SELECT lock FROM consumers WHERE account = $1 AND webwx_key(name) = webwx_key($2)", account, name
        )
        if lock is not None:
            return lock
        begin = (
            "SELECT CASE WHEN $3 OR NOT EXISTS (SELECT FROM consumers WHERE account = $1) THEN 0 ELSE last_number END"
            " FROM accounts WHERE account = $1"
        )
        made: int = await db.fetchval(
            f"INSERT INTO consumers (account, name, acked, started, lock) SELECT $1, $2, s.begin, s.begin, $4"  # noqa: S608 - a constant
            f" FROM ({begin}) s (begin) RETURNING lock",
            account, name, is_from_beginning, new_lock(),
        )  # fmt: skip
        return made

    opened = None
    while opened is None:
        # A worker needs no lock in the database, and so need not read which one it is.
        lock = 0 if database.is_worker else await database.writing(account, find)
        release = await _lock_consumer(database, account, name, lock)
        try:
            if database.is_worker:
                opened = await _open_owned(database, account, name, release)
            else:
                opened = await database.writing(account, partial(_open, account, name, lock, release))
        finally:
            if opened is None:  # it is new, was deleted before this process held its lock, or an error occurred
                await release()
        if opened is None and database.is_worker:
            await database.writing(account, find)
    return opened


async def _lock_consumer(
    database: PostgresDatabase, account: int, name: str, lock: int
) -> Callable[[], Awaitable[None]]:  # fmt: skip
    """
    Take the lock of a consumer, in the thread of the connections, and return what releases it there.

    The fence of a worker excludes all other processes, so its consumers have locks among its own calls only.

    Raises:
        AlreadyRunning: The consumer is open.
    """
    place = (account, name)
    if database.is_worker:
        is_free, release = await database.places.wait_for(place, _RELEASE), partial(database.places.release, place)
    else:
        is_free, release = await database.locks.wait_for(lock, _RELEASE), partial(database.locks.release, lock)
    if not is_free:
        raise AlreadyRunning(f"The consumer {name!r} is open already, in this process or another one.")
    return release


async def forget_consumer(database: PostgresDatabase, account: int, name: str) -> bool:
    """
    Delete a consumer with all that belongs to it, in the thread of the connections, and return whether it existed.

    Raises:
        AlreadyRunning: The consumer is open.
    """
    lock = await database.reading(
        lambda db: db.fetchval(
            "SELECT lock FROM consumers WHERE account = $1 AND webwx_key(name) = webwx_key($2)", account, name
        )
    )
    if lock is None:
        return False
    release = await _lock_consumer(database, account, name, lock)
    try:
        gone = await database.writing(
            account,
            lambda db: db.fetchval(
                "DELETE FROM consumers WHERE account = $1 AND lock = $2 RETURNING true", account, lock
            ),
        )
    finally:
        await release()
    return gone is not None


async def _open_owned(
    database: PostgresDatabase, account: int, name: str, release: Callable[[], Awaitable[None]]
) -> OpenedCursor | None:
    """Open a consumer of an account that this worker owns, by one statement; None if there is no such consumer."""
    epoch = (await database.fence_of(account)).epoch
    row = await database.changing(lambda db: db.fetchrow(_OPEN_OWNED, account, name, epoch))
    if row is None:
        return None
    failures = list(zip(row["failed_numbers"], row["failed_attempts"], row["failed_states"], strict=True))
    crashes = dict(zip(row["crashed_numbers"], row["crash_counts"], strict=True))
    return _opened(row, row["ahead"], failures, crashes, release)


async def _open(
    account: int, name: str, lock: int, release: Callable[[], Awaitable[None]], db: Connection
) -> OpenedCursor | None:
    row = await db.fetchrow(
        "UPDATE consumers SET opening = opening + 1"
        " WHERE account = $1 AND webwx_key(name) = webwx_key($2) AND lock = $3 RETURNING *",
        account, name, lock,
    )  # fmt: skip
    if row is None:
        return None
    consumer, statements = row["consumer"], PostgresStatements(db, account)
    ahead = await read_ahead(statements, consumer)
    failures = await failures_after(statements, consumer, row["acked"])
    return _opened(row, ahead, failures, await read_crashes(statements, consumer), release)


def _opened(
    row: Mapping[str, Any], ahead: Iterable[int], failures: Collection[tuple[int, int, str]],
    crashes: Mapping[int, int], release: Callable[[], Awaitable[None]],
) -> OpenedCursor:  # fmt: skip
    """Return a consumer by its row, which was read after `opening` was increased."""
    state = state_of(
        acked=row["acked"], started=row["started"], is_open=row["is_open"] and row["lived_on"] < row["opening"] - 1,
        isolated_to=row["isolated_to"], ahead=ahead, failures=failures, crashes=crashes,
    )  # fmt: skip
    return OpenedCursor(row["consumer"], row["opening"], state, release)


class PostgresConsumer(Consumer):
    """
    A consumer of an account's entries.

    Every entry that was taken counts as passed to a handler if this process crashes.
    """

    crash_grace = CRASH_GRACE

    def __init__(
        self, name: str, account: int, opened: OpenedCursor, database: PostgresDatabase, *,
        on_revived: Callable[[], object], on_close: Callable[[PostgresConsumer], None],
    ) -> None:  # fmt: skip
        state = opened.state
        super().__init__(
            name, opened.consumer, PostgresTables(database, account), state, on_revived=on_revived,
            may_have_begun=lambda number: number <= state.started,
        )  # fmt: skip
        self.account: int = account
        self._opened = opened
        self._database = database
        self._on_close = on_close
        self._taking = asyncio.Lock()
        self._revivals.is_look_due = bool(state.revived)
        self._buffer: list[Entry] = []
        """Entries that were read and not returned yet, because a later read of that call has failed."""
        self._is_closed = False
        self._has_ahead = bool(state.ahead)
        """Whether there may be rows of `acked_ahead`; used in the thread of the connections."""
        self._storing_one = asyncio.Lock()
        """Held in the thread of the connections while changes are stored."""
        # The attributes below are shared with the thread of the connections.
        self._in_flight: _Changes | None = None
        """What the current transaction stores."""
        self._is_open = True
        self._lowered: int | None = None
        """The value of `started` to store when the consumer is closed."""
        self._is_store_due = False

    def __repr__(self) -> str:
        return f"PostgresConsumer({self.name!r})"

    # -- delivery ----------------------------------------------------------------------------------------------------

    @override
    async def take(self, limit: int = 100) -> list[Entry]:
        async with self._taking:
            if self._revivals.is_look_due:
                await self._look_for_revived()
            if self._revivals.waiting:
                await self._take_revived(limit)
            is_more = True
            while is_more and (wanted := limit - len(self._buffer)) > 0:
                following, older = await self._database.run(lambda wanted=wanted: self._read(wanted))  # type: ignore[misc]
                is_more = len(following) == wanted
                new = [entry for entry in following if entry.number not in self._position.ahead]
                if older:
                    await self._hold(new, older)
                    new = [entry for entry in new if entry.number not in older]
                self.read_to = following[-1].number if following else self.read_to
                self._buffer += self._attempts.annotate(new)
                with self._guard:
                    self._position.deliver(new)
            taken = self._buffer[:limit]
            del self._buffer[:limit]
            return taken

    async def _read(self, limit: int) -> tuple[list[Entry], frozenset[int]]:
        """Read the next entries, and store that they may have been delivered; also return which are to be held."""
        epoch = (await self._database.fence_of(self.account)).epoch
        opened = self._opened
        rows = await self._database.changing(
            lambda db: db.fetch(
                _TAKE,
                self.account,
                self.read_to,
                limit,
                epoch,
                opened.consumer,
                opened.opening,
                opened.state.isolated_to_now,
                opened.state.isolated_to,
            )
        )
        if rows and not rows[0]["is_begun"]:
            raise self._overtaken()
        older = (row["number"] for row in rows if row["is_older"]) if self.name != ARCHIVE_CONSUMER else ()
        return entries_of(rows), frozenset(older)

    async def _hold(self, entries: list[Entry], older: frozenset[int]) -> None:
        """Hold entries that are older than a restore, which may have been answered, and acknowledge them."""
        held = [entry.number for entry in entries if entry.number in older]
        at = time.time()
        await self._database.write(self.account, lambda db: hold_entries(db, self.row, held, at))
        with self._guard:
            self._position.deliver(entries)
            for number in held:
                self._attempts.failed.pop(number, None)  # so that the acknowledgement does not delete the row
        self.commit(held, ())

    def _overtaken(self) -> StorageError:
        return StorageError(f"The consumer {self.name!r} was opened by another process meanwhile.")

    def look_soon(self) -> None:
        """Check for revived dead letters at the next `take`, and call `on_revived`; called in any thread."""
        self._revivals.is_look_due = True
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._on_revived)

    async def _take_revived(self, limit: int) -> None:
        numbers = self._revivals.waiting[:limit]
        entries = await self._database.read(lambda db: read_numbers(db, self.account, numbers))
        await self._database.write(self.account, self._begin)
        del self._revivals.waiting[: len(numbers)]
        self._buffer += self._attempts.annotate(entries, is_revived=True)

    async def _begin(self, db: Connection) -> None:
        """Store that this process has taken entries, so that its crash counts."""
        state = self._known
        done = await db.fetchval(_BEGUN, self.row, self._opened.opening, state.isolated_to_now, state.isolated_to)
        if not done:
            raise self._overtaken()

    # -- acknowledgement ---------------------------------------------------------------------------------------------

    def _store_soon(self) -> None:
        """Store what has changed in `STORE_DELAY`."""
        with self._guard:
            self._is_dirty = True
            is_due, self._is_store_due = self._is_store_due, True
        if not is_due:
            self._database.spawn(self._store_later)

    async def _store_later(self) -> None:
        await asyncio.sleep(STORE_DELAY)
        self._is_store_due = False
        try:
            await self._store()
        except StorageError:
            # They stay in memory; `flush` raises the error.
            asyncio.get_running_loop().call_later(_RETRY, self._store_again)

    def _store_again(self) -> None:
        if self._is_dirty and not self._is_closed:
            self._database.start(self._store_later())

    async def _store(self) -> None:
        """Store the changes until now, in the thread of the connections."""
        async with self._storing_one:
            changes = self._collect()
            if changes is None:
                return
            try:
                await self._write_all(changes)
            except BaseException:
                self._restore(changes)
                raise
            with self._guard:
                self._attempts.forget_failed(self._acks_storing)
                self._forget_in_flight()

    def _collect(self) -> _Changes | None:
        """Move the changes until now into a transaction."""
        with self._guard:
            if not self._is_dirty:
                return None
            self._is_dirty = False
            self._acks_storing, self._acks = self._acks, []
            self._changes_storing, self._changes = self._changes, {}
            crashes, self._attempts.unstored_crashes = self._attempts.unstored_crashes, {}
            self._position.add(self._acks_storing)
            self._in_flight = _Changes(
                self._position.acked, self._is_open, self._lowered, self._acks_storing, crashes, self._changes_storing
            )
            return self._in_flight

    def _forget_in_flight(self) -> None:
        """Note that no transaction is under way; called under the guard."""
        self._in_flight, self._acks_storing, self._changes_storing = None, [], {}

    def _restore(self, changes: _Changes) -> None:
        """Keep changes that were not stored for the next transaction."""
        with self._guard:
            self._forget_in_flight()
            self._acks[:0] = changes.acks
            self._attempts.unstored_crashes = {**changes.crashes, **self._attempts.unstored_crashes}
            self._changes = {**changes.conversations, **self._changes}
            self._is_dirty = True

    async def _write_all(self, changes: _Changes) -> None:
        """Store changes in one transaction; by one statement if only the consumer's own row changes."""
        ahead = [number for number in changes.acks if number > changes.acked]
        tried = [number for number in changes.acks if number in self._attempts.failed]
        if ahead or tried or self._has_ahead or changes.crashes or changes.conversations:
            await self._database.writing(self.account, lambda db: self._write(db, changes, ahead, tried))
            return
        fence = await self._database.fence_of(self.account)
        row = await self._database.changing(
            lambda db: db.fetchrow(_STORE_ALONE, *self._stored(changes), self.account, fence.epoch)
        )
        if not row["is_held"]:  # the transaction raises the error
            await self._database.writing(self.account, lambda db: self._write(db, changes, ahead, tried))
        elif not row["is_stored"]:
            raise self._overtaken()

    def _stored(self, changes: _Changes) -> tuple[object, ...]:
        """Return the values of `_STORE`."""
        state = self._known
        return (
            self.row, self._opened.opening, changes.acked, changes.is_open, state.isolated_to_now, changes.started,
            state.isolated_to,
        )  # fmt: skip

    async def _write(self, db: Connection, changes: _Changes, ahead: list[int], tried: list[int]) -> None:
        row = self.row
        if not await db.fetchval(_STORE, *self._stored(changes)):
            raise self._overtaken()
        if self._has_ahead:
            await db.execute("DELETE FROM acked_ahead WHERE consumer = $1 AND number <= $2", row, changes.acked)
        if ahead:
            self._has_ahead = True
            await db.execute(
                "INSERT INTO acked_ahead SELECT $1, * FROM unnest($2::bigint[]) ON CONFLICT DO NOTHING", row, ahead
            )
        statements = PostgresStatements(db, None)
        if tried:
            await forget_failures(statements, row, tried)
        if changes.crashes:
            await write_crashes(statements, row, changes.crashes)
        if changes.conversations:
            await write_conversations(statements, row, changes.conversations.values())

    @override
    async def flush(self) -> None:
        if self._is_dirty or self._in_flight is not None:
            await self._database.run(self._store)

    @override
    async def recount_crashes(self, number: int) -> int:
        await self.flush()
        row = await self._database.read(
            lambda db: db.fetchrow(
                "SELECT crashes, lived_on >= opening - 1 AS has_lived_on FROM consumers"
                " LEFT JOIN crashes ON crashes.consumer = consumers.consumer AND number = $2"
                " WHERE consumers.consumer = $1",
                self.row, number,
            )
        )  # fmt: skip
        if row is None:
            raise self._overtaken()
        with self._guard:
            return self._attempts.recount(number, row["crashes"], has_lived_on=row["has_lived_on"])

    # -- closing -----------------------------------------------------------------------------------------------------

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Store every acknowledgement and release the name, so that the consumer can be opened again.

        Args:
            unseen_from: No handler has seen the entries from this number on; 0: handlers have seen all entries.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._on_close(self)
        opened = self._opened
        delivered = self._position.last_delivered
        shown = min(delivered, unseen_from - 1) if unseen_from else delivered
        markers = list(self._attempts.poison_markers)
        for number in markers:
            self.remove_poison_marker(number)
        with self._guard:
            self._is_open = False
            self._lowered = max(shown, self._known.started)
            self._is_dirty = True

        async def store() -> None:
            try:
                await self._store()
            except StorageError:
                # Another process counts a crash for this one, which has not crashed.
                self._database.kept.add(lambda db: db.execute(_LIVED_ON, self.row, opened.opening, markers))
                raise

        try:
            await self._database.run(store)
        finally:
            await self._database.run(opened.release)


class OpenConsumers:
    """The open consumers of all accounts of a journal; the database's thread may read them too."""

    def __init__(self) -> None:
        self._all: dict[PostgresConsumer, None] = {}
        self._by_account: defaultdict[int, dict[str, PostgresConsumer]] = defaultdict(dict)

    def __repr__(self) -> str:
        return f"OpenConsumers({len(self._all)})"

    def all(self) -> tuple[PostgresConsumer, ...]:
        """Return the consumers in the order in which they were opened."""
        return tuple(self._all)

    def of(self, account: int) -> tuple[PostgresConsumer, ...]:
        """Return the consumers of an account."""
        return tuple(self._by_account.get(account, {}).values())

    def has(self, account: int, name: str) -> bool:
        """Return whether an account's consumer is open."""
        return name in self._by_account.get(account, {})

    def add(self, consumer: PostgresConsumer) -> None:
        """Add a consumer that was opened."""
        self._all[consumer] = None
        self._by_account[consumer.account][consumer.name] = consumer

    def remove(self, consumer: PostgresConsumer) -> None:
        """Remove a consumer that is closed."""
        del self._all[consumer]
        of_account = self._by_account[consumer.account]
        del of_account[consumer.name]
        if not of_account:
            del self._by_account[consumer.account]
