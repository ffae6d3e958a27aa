"""
Consumers of an account's entries, and their cursors.

A cursor has three stored parts. `acked`: all entries up to this number are acknowledged. `acked_ahead`: later entries
that are acknowledged too. `started`: entries up to this number may have been delivered. After a crash, entries after
`acked` that were delivered and not acknowledged come again as `redelivered`. `marks` record deliveries and
acknowledgements at once, so an acknowledged entry is not delivered again even if its acknowledgement is not stored yet.

A consumer that keeps up is served from memory: it receives a batch when the batch is stored, and the same transaction
advances `started`. A slower consumer reads from the file, and stores `started` in its own transaction before it
delivers. The newest batches are kept in memory for it as well: once it has read up to them, it continues from memory.

A change of a conversation is stored by the transaction that stores the acknowledgement of its entries. Such an
acknowledgement has no mark: a crash before the transaction would otherwise keep it and lose the change.

A poison message, which crashes its process each time, must not crash every process. No single delivery is stored, so
after a crash every entry that was in flight may be the cause, and mostly none is. An entry that was in flight in two
crashes is handled in isolation, after its poison marker was stored, so that a third crash counts against this entry
only.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from bisect import bisect_right
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from webwx.override import override
from webwx.storage.consumer import Consumer
from webwx.storage.deliveries import ConsumerState, state_of
from webwx.storage.engine.port import drive
from webwx.storage.sqlite.bulk import insert, select_numbers
from webwx.storage.sqlite.entries import read_entries
from webwx.storage.sqlite.marks import TOKEN, EarlierMarks, Marks
from webwx.storage.sqlite.tables import SqliteStatements, SqliteTables
from webwx.storage.tables.consumers import CONSUMERS, read_ahead, read_crashes, write_crashes
from webwx.storage.tables.conversations import write_conversations
from webwx.storage.tables.dead_letters import failures_after, forget_failures
from webwx.storage.tables.registry import OF_ACCOUNTS
from webwx.storage.tables.states import OPENING, delete_state, put_state, read_state

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from webwx.storage.entries import Entry
    from webwx.storage.sqlite.threads import Reader, Writer

MOST_WAITING = 2_000
"""Maximum number of entries in memory that were not taken yet; others are read from the file later."""

PIECE = 500
"""Number of entries read from the file at a time."""


class KnownConsumer(NamedTuple):
    """The stored state of a consumer, and the token of its last opening, by which its marks are recognised."""

    state: ConsumerState
    token: bytes


def read_known(db: sqlite3.Connection, consumer: int) -> KnownConsumer:
    """Read the stored state of a consumer."""
    account, acked, started, is_open, isolated_to = db.execute(
        "SELECT account, acked, started, is_open, isolated_to FROM consumers WHERE consumer = ?", (consumer,)
    ).fetchone()
    statements = SqliteStatements(db, account)
    state = state_of(
        acked=acked, started=started, is_open=bool(is_open), isolated_to=isolated_to,
        ahead=drive(read_ahead(statements, consumer)), failures=drive(failures_after(statements, consumer, acked)),
        crashes=drive(read_crashes(statements, consumer)),
    )  # fmt: skip
    return KnownConsumer(state, drive(read_state(statements, token_name(consumer))))


def find_consumer(db: sqlite3.Connection, account: int, name: str) -> int | None:
    """Return the row of a consumer; None if no consumer has this name."""
    found = db.execute("SELECT consumer FROM consumers WHERE account = ? AND name = ?", (account, name)).fetchone()
    return None if found is None else int(found[0])


def delete_consumer(db: sqlite3.Connection, account: int, consumer: int) -> None:
    """Delete a consumer, whose lock the caller holds, with all that belongs to it."""
    of_consumer = [table.name for table in OF_ACCOUNTS if table.of == "consumer"]
    for table in (*of_consumer, CONSUMERS.name):
        db.execute(f"DELETE FROM {table} WHERE consumer = ?", (consumer,))  # noqa: S608 - constants
    drive(delete_state(SqliteStatements(db, account), token_name(consumer)))


def token_name(consumer: int) -> str:
    """Return the name under which the token of a consumer's opening is stored."""
    return f"{OPENING}{consumer}"


def _may_have_begun(earlier: EarlierMarks, started: int, number: int) -> bool:
    """Return whether an earlier process may have passed an entry to a handler."""
    return number <= started and earlier.may_be_delivered(number)


class StoredBatch(NamedTuple):
    """The entries of an account that a transaction has stored."""

    entries: list[Entry]
    is_after_others: bool
    """Whether another process may have stored earlier entries, which were not published here."""


class LiveConsumers:
    """The open consumers of one account in this process, which receive entries when they are stored."""

    def __init__(self) -> None:
        self.consumers: list[SqliteConsumer] = []
        self.head: int | None = None
        """Number of the last published entry; None before the first one."""
        self.has_others = False
        """Whether the file may hold entries that were not published here; used by the writer thread only."""

    def publish(self, stored: StoredBatch) -> None:
        """Pass stored entries to the consumers."""
        entries, is_after_others = stored
        if is_after_others:
            for consumer in self.consumers:
                consumer.look_into_file()
        if entries:
            before, self.head = self.head, entries[-1].number
            for consumer in self.consumers:
                consumer.receive(entries, None if is_after_others else before)


class _News:
    """
    A buffer of the newest entries that were stored while a consumer is open.

    A consumer that has read up to the buffer is served from it, even with entries that are deleted meanwhile; then a
    full buffer takes no new entries. Otherwise the oldest entries of a full buffer are dropped.
    """

    def __init__(self) -> None:
        self.to = 0
        """Number of the last entry that was added."""
        self.is_void = False
        """Whether the buffer is invalid and the file must be read, because a deletion may have left a gap there."""
        self.has_room = True
        self._entries: list[Entry] = []
        self._after: int | None = None
        """The buffer holds all entries after this number, up to its capacity; None: it holds no entries."""

    def follow(self, number: int) -> bool:
        """Return whether the buffer continues after an entry without a hole."""
        return self._after is not None and not self.is_void and number >= self._after

    def add(self, entries: list[Entry], after: int, read_to: int) -> None:
        """Add the entries that were stored after the entry `after`; the consumer has read up to `read_to`."""
        if self.is_void or (not self.has_room and read_to >= self.to):
            self._entries.clear()
            self._after, self.has_room, self.is_void = None, True, False
        is_followed = self.follow(read_to)
        if is_followed and (not self.has_room or len(self._entries) >= MOST_WAITING):
            self.has_room = False
            return
        if self._after is None:
            self._after = after
        self._entries.extend(entries)
        self.to = entries[-1].number
        too_many = 0 if is_followed else len(self._entries) - MOST_WAITING
        if too_many > 0:
            self._after = self._entries[too_many - 1].number
            del self._entries[:too_many]

    def after(self, number: int, limit: int) -> list[Entry]:
        """Remove and return the next entries after a number; earlier ones were read from the file."""
        begin = bisect_right(self._entries, number, key=attrgetter("number"))
        end = begin + limit
        taken = self._entries[begin:end]
        del self._entries[:end]
        return taken


class SqliteConsumer(Consumer):
    """A consumer of an account's entries."""

    def __init__(
        self, name: str, *, consumer: int, account: int, known: KnownConsumer, stream: LiveConsumers,
        writer: Writer, reader: Reader, lock: int, lock_path: Path, on_revived: Callable[[], object], shows: bool,
    ) -> None:  # fmt: skip
        state = known.state
        self._marks = Marks(lock, lock_path)
        self._earlier_marks = self._marks.read(known.token, acked=state.acked, started=state.started)
        """The marks of the last process."""
        super().__init__(
            name, consumer, SqliteTables(writer, reader), state, on_revived=on_revived,
            may_have_begun=partial(_may_have_begun, self._earlier_marks, state.started),
        )  # fmt: skip
        self._account = account
        self._stream = stream
        self._writer = writer
        self._reader = reader
        self._shows = shows
        self._token = secrets.token_bytes(TOKEN)
        unstored = self._earlier_marks.done - state.ahead - state.revived
        self._attempts.unstored_crashes = dict.fromkeys(unstored & state.crashes.keys(), 0)
        self._buffer: list[Entry] = []
        """Entries for the next calls of `take`."""
        self._news = _News()
        self._filling = asyncio.Lock()
        # The attributes below are shared with the writer thread.
        self._position.ahead |= unstored
        self._acks += sorted(unstored)
        self._started = state.started
        self._stored_started = state.started
        self._starting = state.started
        """Value of `_started` in the current transaction."""
        self._acking = state.acked
        """The acknowledged position in the current transaction."""
        self._has_stored_ahead = bool(state.ahead)
        self._was_all_done = False
        """Whether no entry was acknowledged ahead of the position when the last transaction was written."""
        self._is_notified = False
        self._is_dirty_in_flight = False
        self._is_open = True
        self._is_stored_open = False
        """Whether the file has the opening by this process, and the entries that were in flight in the last crash."""
        self._crashes_storing: dict[int, int] = {}
        """Crash counts in the current transaction."""

    def __repr__(self) -> str:
        return f"SqliteConsumer({self.name!r})"

    # -- delivery ----------------------------------------------------------------------------------------------------

    @override
    async def take(self, limit: int = 100) -> list[Entry]:
        if self._revivals.is_look_due:
            await self._look_for_revived()
        if not self._buffer:
            await self._fill(limit)
        entries = self._buffer[:limit]
        del self._buffer[:limit]
        if not self._shows:
            for entry in entries:
                self._marks.add_delivered(entry.number)
        if entries:
            with self._guard:
                self._position.deliver(self._revivals.without(entries))
        return entries

    def show(self, number: int) -> None:
        """Record that an entry is passed to a handler now."""
        self._marks.add_delivered(number)

    def receive(self, entries: list[Entry], head_before: int | None) -> None:
        """Buffer entries that were just stored; those for which there is no room are read from the file later."""
        after = entries[0].number - 1 if head_before is None else head_before
        self._news.add(entries, after, self.read_to)

    def look_into_file(self) -> None:
        """Read the next entries from the file, because another process may have stored some."""
        self._news.is_void = True

    def is_live(self) -> bool:
        """Return whether the next batch will be delivered from memory."""
        return self._news.has_room and self._news.follow(self.read_to)

    def reached(self) -> int:
        """
        Return the number up to which all entries will be delivered even if they are deleted now.

        Any thread may call this before it deletes entries.
        """
        if self._news.follow(self.read_to):
            return max(self.read_to, self._news.to)
        self._news.is_void = True
        return self.read_to

    def start(self, number: int) -> None:
        """Advance `started` in the transaction that stores a batch, because it may be delivered right after that."""
        with self._guard:
            self._started = max(self._started, number)
            self._is_dirty = True

    def look_soon(self) -> None:
        """Check for revived dead letters at the next `take`, and call `on_revived`."""
        self._revivals.is_look_due = True
        self._on_revived()

    def look_soon_threadsafe(self) -> None:
        """Call `look_soon` from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.look_soon)

    async def _fill(self, limit: int) -> None:
        """Get the next entries from memory or from the file, and store `started` before they are delivered."""
        async with self._filling:
            is_more = True
            while not self._buffer and is_more:  # a whole piece of the file may be acknowledged
                if not self._revivals.waiting and self._news.follow(self.read_to) and await self._take_news(limit):
                    return
                is_more = await self._fill_from_file(max(limit, PIECE))

    async def _fill_from_file(self, limit: int) -> bool:
        """Read revived entries and the next ones; return whether there may be more."""
        head, after = self._stream.head, self.read_to
        revived, self._revivals.waiting = self._revivals.waiting, []

        def read(db: sqlite3.Connection) -> tuple[list[Entry], list[int], list[Entry]]:
            numbers = select_numbers(
                db,
                "SELECT number FROM entries WHERE number > ? AND account = ? ORDER BY number LIMIT ?",
                (after, self._account, limit),
            )
            unread = [number for number in numbers if number not in self._position.ahead]
            return read_entries(db, revived), numbers, read_entries(db, unread)

        try:
            again, numbers, following = await self._reader.do(read)
            last = numbers[-1] if numbers else 0
            if last > self._stored_started or ((again or following) and not self._is_stored_open):
                await self._writer.do(lambda _: self.start(last))  # `write` stores it in the same transaction
        except BaseException:
            self._revivals.waiting = [*revived, *self._revivals.waiting]
            raise
        self._buffer.extend(self._attempts.annotate(again, is_revived=True))
        self._buffer.extend(
            self._attempts.annotate(
                entry for entry in following if entry.number > self.read_to and entry.number not in self._position.ahead
            )
        )
        is_all = len(numbers) < limit
        self.read_to = max(self.read_to, (head or 0) if is_all else 0, last)
        return not is_all

    async def _take_news(self, limit: int) -> bool:
        """Get the next entries from memory; return False if the file must be read instead."""
        entries = self._news.after(self.read_to, limit)
        if not entries:
            return self.read_to >= (self._stream.head or 0)
        last = entries[-1].number
        if last > self._stored_started or not self._is_stored_open:
            newest = self._news.to  # the whole buffer may be delivered soon
            try:
                await self._writer.do(lambda _: self.start(newest))
            except BaseException:
                self._news.is_void = True  # the entries are read from the file instead
                raise
        self._buffer.extend(entries)
        self.read_to = last
        return True

    # -- acknowledgement ---------------------------------------------------------------------------------------------

    def ack(self, number: int) -> None:
        """Acknowledge an entry: it is not delivered to this consumer again."""
        self._marks.add_done(number)
        self._acks.append(number)
        if self._attempts.poison_markers or self._attempts.crashes:
            with self._guard:
                self._attempts.forget_crashes(number)
        if not self._is_notified:  # the writer thread resets this before it reads the acknowledgements
            self._store_soon()

    def _store_soon(self) -> None:
        """Store what has changed with the next transaction of the writer thread."""
        with self._guard:
            self._is_dirty = True
            is_notified, self._is_notified = self._is_notified, True
        if not is_notified:
            self._writer.notify()

    def write(self, db: sqlite3.Connection) -> None:
        """Write the changes, including acknowledgements, in the writer thread."""
        with self._guard:
            self._is_notified = False
            if not self._is_dirty and not self._acks:
                return
            self._count_acks()
            self._crashes_storing, self._attempts.unstored_crashes = self._attempts.unstored_crashes, {}
            self._changes_storing, self._changes = self._changes, {}
            self._is_dirty, self._is_dirty_in_flight = False, True
            acked, started, storing = self._position.acked, self._started, self._acks_storing
            self._starting, self._acking = started, acked
            is_open = self._is_open
            self._was_all_done = not self._position.ahead
        db.execute(
            "UPDATE consumers SET acked = ?, started = ?, is_open = ?, isolated_to = ? WHERE consumer = ?",
            (acked, started, is_open, self._known.isolated_to_now, self.row),
        )
        if not self._is_stored_open:
            drive(put_state(SqliteStatements(db, self._account), token_name(self.row), self._token))
        ahead = [(self.row, number) for number in storing if number > acked]
        insert(db, "acked_ahead", ahead, verb="INSERT OR IGNORE")
        self._has_stored_ahead = self._has_stored_ahead or bool(ahead)
        if self._has_stored_ahead:
            db.execute("DELETE FROM acked_ahead WHERE consumer = ? AND number <= ?", (self.row, acked))
        failed = self._attempts.failed
        tried = [number for number in storing if number in failed] if failed else []
        statements = SqliteStatements(db, 0)
        if tried:
            drive(forget_failures(statements, self.row, tried))
        if self._crashes_storing:
            drive(write_crashes(statements, self.row, self._crashes_storing))
        if self._changes_storing:
            drive(write_conversations(statements, self.row, self._changes_storing.values()))

    def _count_acks(self) -> None:
        """Advance the position by the acknowledgements since the last transaction."""
        count = len(self._acks)  # more may be added meanwhile
        self._acks_storing += self._acks[:count]
        del self._acks[:count]
        self._position.add(self._acks_storing)

    def settled(self, *, is_stored: bool) -> None:
        """Handle the end of the transaction; changes that were not stored are written in the next one."""
        with self._guard:
            if self._is_dirty_in_flight and is_stored:
                self._stored_started = self._starting
                self._mark_stored()
                self._has_stored_ahead = self._has_stored_ahead and not self._was_all_done
                self._attempts.forget_failed(self._acks_storing)
            elif self._is_dirty_in_flight:
                self._attempts.unstored_crashes = {**self._crashes_storing, **self._attempts.unstored_crashes}
                self._changes = {**self._changes_storing, **self._changes}
                self._is_dirty = True
            if not is_stored:
                self._acks[:0] = self._acks_storing
            self._acks_storing, self._crashes_storing, self._changes_storing = [], {}, {}
            self._is_dirty_in_flight = False

    def _mark_stored(self) -> None:
        """Update the marks after a transaction was stored."""
        if self._is_stored_open:
            self._marks.advance(self._acking)
            return
        self._is_stored_open = True
        known = self._known
        self._marks.begin(
            self._token,
            self._acking,
            (
                number
                for number in range(self._acking + 1, known.started + 1)
                if self._earlier_marks.may_be_delivered(number)
            ),
        )

    @override
    async def flush(self) -> None:
        if self._acks or self._is_dirty or self._is_dirty_in_flight:
            await self._writer.do(lambda _: None)

    # -- closing -----------------------------------------------------------------------------------------------------

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Store every acknowledgement and release the name, so that the consumer can be opened again.

        Args:
            unseen_from: No handler has seen the entries from this number on; 0: handlers have seen all entries.
        """
        if self not in self._stream.consumers:
            return
        self._stream.consumers.remove(self)
        delivered = self._position.last_delivered
        shown = min(delivered, unseen_from - 1) if unseen_from else delivered
        for number in tuple(self._attempts.poison_markers):
            self.remove_poison_marker(number)

        def end(_: sqlite3.Connection) -> None:
            with self._guard:
                self._is_open = False
                self._count_acks()
                self._started = max(self._position.acked, min(self._started, max(shown, self._known.started)))
                self._is_dirty = True

        try:
            await self._writer.do(end)
        finally:
            self._writer.leave(self)
            with self._guard:  # the writer thread may be using the marks
                self._marks.close()
