"""
Consumers: who reads an account's entries, and how far each has come.

What is stored of one is three things. `acked`: it is done with all up to here. `ahead`: with these further ones too.
`started`: it may have been given all up to here, so that after a crash what lies between comes again as `redelivered`.

A consumer that keeps up is served from memory: a batch is handed to it when it is stored, and the transaction that
stores the batch moves `started` as well. One that does not reads from the file, and stores `started` by itself before
it gives anything.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.store.entries import read_entries
from webwx.store.journal import DeadLetter, Entry
from webwx.store.rows import as_list, insert, select_numbers

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from webwx.store.writer import Reader, Writer

MOST_WAITING = 2_000
"""Entries in memory that were not taken yet; beyond, they are read from the file when their turn comes."""

PIECE = 500
"""Entries read from the file at a time."""


class Known(NamedTuple):
    """What the file knows of a consumer."""

    acked: int
    started: int
    ahead: frozenset[int]
    attempts: dict[int, int]
    """How often an entry was tried that is not done with."""
    revived: tuple[int, ...]


def read_known(db: sqlite3.Connection, consumer: int) -> Known:
    """Read what the file knows of a consumer."""
    acked, started = db.execute("SELECT acked, started FROM consumers WHERE consumer = ?", (consumer,)).fetchone()
    ahead = select_numbers(db, "SELECT number FROM ahead WHERE consumer = ?", (consumer,))
    failures = db.execute(
        "SELECT number, attempts, state FROM failures WHERE consumer = ? ORDER BY number", (consumer,)
    ).fetchall()
    return Known(
        acked=acked,
        started=started,
        # A process may have died between a burial and its acknowledgement.
        ahead=frozenset(ahead) | {number for number, _, state in failures if state == "dead"},
        attempts={number: attempts for number, attempts, state in failures if state != "dead"},
        revived=tuple(number for number, _, state in failures if state == "revived"),
    )


class Stream:
    """What is stored of one account, while it is being stored: the consumers of this process."""

    def __init__(self) -> None:
        self.consumers: list[SqliteConsumer] = []
        self.head: int | None = None
        """The last entry that was handed on here; None when none was."""

    def publish(self, entries: list[Entry]) -> None:
        """Hand on what was stored."""
        if not entries:
            return
        before, self.head = self.head, entries[-1].number
        for consumer in self.consumers:
            consumer.receive(entries, before)


class SqliteConsumer:
    """One reader's way through an account's entries; what it promises is said in `journal`."""

    def __init__(
        self, name: str, *, consumer: int, account: int, known: Known, stream: Stream, writer: Writer, reader: Reader,
        lock: int,
    ) -> None:  # fmt: skip
        self.name = name
        self.row = consumer
        self._account = account
        self._stream = stream
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._was_started = known.started
        self._attempts = dict(known.attempts)
        self._revived = deque(known.revived)
        self._buffer: deque[Entry] = deque()
        self.read_to = known.acked
        """All up to here was read into the buffer, or need not be."""
        self._filling = asyncio.Lock()
        self._waiters: list[asyncio.Future[None]] = []
        # What follows is shared with the thread that writes.
        self._guard = threading.Lock()
        self._given: deque[int] = deque()
        """What was given and is not acknowledged, or not all before it is."""
        self._done: set[int] = set(known.ahead)
        """Acknowledged ahead of `_acked`."""
        self._acked = known.acked
        self._last_given = known.acked
        self._started = known.started
        self._stored_started = known.started
        self._starting = known.started
        """As it stands in a transaction that has not ended."""
        self._to_store: list[int] = []
        """Acknowledged since the last transaction."""
        self._storing: list[int] = []
        """Acknowledged, and in a transaction that has not ended."""
        self._has_stored_ahead = bool(known.ahead)
        self._was_all_done = False
        """Nothing was acknowledged ahead when the last transaction was written."""
        self._is_nudged = False
        self._is_dirty = False
        self._is_dirty_in_flight = False

    def __repr__(self) -> str:
        return f"SqliteConsumer({self.name!r})"

    # -- giving ------------------------------------------------------------------------------------------------------

    async def take(self, limit: int = 100) -> list[Entry]:
        """Give the next entries, in the order of arrival; waits until there is one."""
        while not (entries := await self.take_waiting(limit)):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            if self._is_behind():  # something came while the file was read
                self._waiters.remove(waiter)
                continue
            await waiter
        return entries

    async def take_waiting(self, limit: int = 100) -> list[Entry]:
        """Give the next entries without waiting; an empty list when there are none."""
        if not self._buffer:
            await self._fill(limit)
        count = min(limit, len(self._buffer))
        entries = [self._buffer.popleft() for _ in range(count)]
        with self._guard:
            for entry in entries:
                if entry.number > self._last_given:
                    self._given.append(entry.number)
                    self._last_given = entry.number
        return entries

    def receive(self, entries: list[Entry], head_before: int | None) -> None:
        """Take over what was stored just now, when all before it was read; else it is read when its turn comes."""
        is_next = head_before is not None and self.read_to >= head_before
        is_covered = self._stored_started >= entries[-1].number
        if is_next and is_covered and len(self._buffer) < MOST_WAITING:
            self._buffer.extend(entry for entry in entries if entry.number > self.read_to)
            self.read_to = entries[-1].number
        self._wake()

    def is_live(self) -> bool:
        """Say whether the next batch will be taken over from memory."""
        head = self._stream.head
        return head is not None and self.read_to >= head and len(self._buffer) < MOST_WAITING

    def start(self, number: int) -> None:
        """Note, in the transaction that stores a batch, that it may be given from when that ends."""
        with self._guard:
            self._started = max(self._started, number)
            self._is_dirty = True

    def _is_behind(self) -> bool:
        head = self._stream.head
        return bool(self._buffer or self._revived) or (head is not None and self.read_to < head)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _fill(self, limit: int) -> None:
        """Read the next entries from the file, and store that they are about to be given."""
        async with self._filling:
            if self._buffer or (not self._revived and self.is_live()):
                return
            head, after = self._stream.head, self.read_to
            revived = [self._revived.popleft() for _ in range(len(self._revived))]
            most = max(limit, PIECE)

            def read(db: sqlite3.Connection) -> tuple[list[Entry], list[Entry]]:
                following = select_numbers(
                    db,
                    "SELECT number FROM entries WHERE number > ? AND account = ? ORDER BY number LIMIT ?",
                    (after, self._account, most),
                )
                return read_entries(db, revived), read_entries(db, following)

            try:
                again, following = await self._reader.do(read)
                if following and following[-1].number > self._stored_started:
                    last = following[-1].number
                    await self._writer.do(lambda _: self.start(last))  # it rides in that very transaction
            except BaseException:
                self._revived.extendleft(reversed(revived))
                raise
            self._buffer.extend(self._marked(again))
            self._buffer.extend(
                self._marked(
                    entry for entry in following if entry.number > self.read_to and entry.number not in self._done
                )
            )
            is_all = len(following) < most
            self.read_to = max(self.read_to, (head or 0) if is_all else 0, following[-1].number if following else 0)

    def _marked(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        """Say of entries from the file whether and how often they were given before."""
        for entry in entries:
            tried = self._attempts.get(entry.number, 0)
            is_again = entry.number <= self._was_started
            if tried or is_again:
                # The attempt that a death cut short was not counted by anybody.
                is_revived = entry.number <= self._acked
                attempt = tried + (2 if is_again and not is_revived else 1)
                yield msgspec.structs.replace(entry, redelivered=is_again, attempt=attempt)
            else:
                yield entry

    # -- acknowledging -----------------------------------------------------------------------------------------------

    def ack(self, number: int) -> None:
        """Note that an entry is done with, for good."""
        with self._guard:
            self._to_store.append(number)
            if number > self._acked:
                self._done.add(number)
                while self._given and self._given[0] in self._done:
                    self._acked = self._given.popleft()
                    self._done.discard(self._acked)
                if not self._given and self._done:  # an earlier process was done with these
                    self._done = {each for each in self._done if each > self._acked}
            self._is_dirty = True
            is_nudged, self._is_nudged = self._is_nudged, True
        if not is_nudged:
            self._writer.nudge()

    def write(self, db: sqlite3.Connection) -> None:
        """Write what has changed; the file's part of `ack`, in the thread that writes."""
        with self._guard:
            self._is_nudged = False
            if not self._is_dirty:
                return
            self._storing, self._to_store = self._to_store, []
            self._is_dirty, self._is_dirty_in_flight = False, True
            self._starting = self._started
            acked, started, storing = self._acked, self._started, self._storing
            self._was_all_done = not self._done
        db.execute("UPDATE consumers SET acked = ?, started = ? WHERE consumer = ?", (acked, started, self.row))
        ahead = [(self.row, number) for number in storing if number > acked]
        insert(db, "ahead", ahead, verb="INSERT OR IGNORE")
        self._has_stored_ahead = self._has_stored_ahead or bool(ahead)
        if self._has_stored_ahead:
            db.execute("DELETE FROM ahead WHERE consumer = ? AND number <= ?", (self.row, acked))
        tried = [number for number in storing if number in self._attempts]
        if tried:
            db.execute(
                "DELETE FROM failures WHERE consumer = ? AND state <> 'dead'"
                " AND number IN (SELECT value FROM json_each(?))",
                (self.row, as_list(tried)),
            )

    def settled(self, *, is_stored: bool) -> None:
        """Take note of how the transaction ended; what was not stored is written in the next one."""
        with self._guard:
            if self._is_dirty_in_flight and is_stored:
                self._stored_started = self._starting
                self._has_stored_ahead = self._has_stored_ahead and not self._was_all_done
                for number in self._storing:
                    self._attempts.pop(number, None)
            elif self._is_dirty_in_flight:
                self._to_store = self._storing + self._to_store
                self._is_dirty = True
            self._storing = []
            self._is_dirty_in_flight = False

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        if self._is_dirty or self._is_dirty_in_flight:
            await self._writer.do(lambda _: None)

    # -- failing -----------------------------------------------------------------------------------------------------

    async def failed(self, number: int, error: str) -> int:
        """Note that an attempt at an entry has failed; gives how many have."""
        attempts = self._attempts.get(number, 0) + 1
        await self._writer.do(lambda db: self._note_failure(db, number, "trying", attempts, error))
        self._attempts[number] = attempts
        return attempts

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and be done with it."""
        attempts = max(1, self._attempts.get(number, 0))

        await self._writer.do(
            lambda db: self._note_failure(db, number, "dead", attempts, error), then=lambda _: self.ack(number)
        )

    def _note_failure(self, db: sqlite3.Connection, number: int, state: str, attempts: int, error: str) -> None:
        db.execute(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)",
            (self.row, number, state, attempts, error, time.time()),
        )

    async def dead_letters(self) -> list[DeadLetter]:
        """Give what was given up, oldest first."""

        def read(db: sqlite3.Connection) -> list[DeadLetter]:
            dead = {
                number: (attempts, error, at)
                for number, attempts, error, at in db.execute(
                    "SELECT number, attempts, error, time FROM failures WHERE consumer = ? AND state = 'dead'",
                    (self.row,),
                )
            }
            return [
                DeadLetter(
                    entry=entry, attempts=dead[entry.number][0], error=dead[entry.number][1], time=dead[entry.number][2]
                )
                for entry in read_entries(db, dead)
            ]

        return await self._reader.do(read)

    async def revive(self, number: int) -> bool:
        """Hand a dead letter out once more, as a new attempt; says whether there was one."""

        def mark(db: sqlite3.Connection) -> int | None:
            found = db.execute(
                "SELECT attempts FROM failures WHERE consumer = ? AND number = ? AND state = 'dead'",
                (self.row, number),
            ).fetchone()
            if found is None:
                return None
            db.execute("UPDATE failures SET state = 'revived' WHERE consumer = ? AND number = ?", (self.row, number))
            return int(found[0])

        attempts = await self._writer.do(mark)
        if attempts is None:
            return False
        self._attempts[number] = attempts
        self._revived.append(number)
        self._wake()
        return True

    # -- ending ------------------------------------------------------------------------------------------------------

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Store every acknowledgement and let go of the name, so that it may be opened again.

        Args:
            unseen_from: What was given from this number on has been shown to nobody; 0: all of it was shown.
        """
        if self not in self._stream.consumers:
            return
        self._stream.consumers.remove(self)
        shown = min(self._last_given, unseen_from - 1) if unseen_from else self._last_given

        def end(_: sqlite3.Connection) -> None:
            with self._guard:
                self._started = max(self._acked, min(self._started, max(shown, self._was_started)))
                self._is_dirty = True

        try:
            await self._writer.do(end)
        finally:
            self._writer.leave(self)
            os.close(self._lock)
