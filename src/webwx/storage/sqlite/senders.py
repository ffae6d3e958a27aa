"""
The attempts at sends in a file: who sends is shown by lock files, and outcomes wait there until they are stored.

A row in state `sending` belongs to the process that sends it, which holds a lock file as long as it runs. If the lock
is free, that process has died.

The outcome of a confirmed send is stored by the next transaction, before the jobs of that, and no caller waits for it.
Until then it stands in the lock file of its process, so a kill loses no outcome: the process that finds the lock free
reads the file. Without an outcome there, the outcome of the send is unknown.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import secrets
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.errors import StorageError
from webwx.model.messages import Receipt
from webwx.override import override
from webwx.protocol.codec import clean_text
from webwx.storage.locks import take_lock
from webwx.storage.refusals import ChangeRefused
from webwx.storage.sqlite.bulk import select_numbers
from webwx.storage.sqlite.tables import execute
from webwx.storage.tables.outbox import KEPT_OUTCOMES, Attempt, AttemptStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from webwx.storage.engine.port import Value
    from webwx.storage.sqlite.threads import Reader, Writer
    from webwx.storage.tables.outbox import Change

T = TypeVar("T")

_log = logging.getLogger("webwx.storage")

KEPT = "The outcome of a send could not be stored; it is kept, and stored as soon as that is possible."
"""Message of the log."""

_LONG = 64 * 1024
"""Size in bytes beyond which stored outcomes are removed from the file of outcomes."""


class PendingOutcomes:
    """Outcomes of sends that are written by the next transaction that succeeds, before its jobs."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[int, tuple[Callable[[sqlite3.Connection], object], Callable[[], object]]] = {}
        self._last = 0
        self._written: tuple[int, ...] = ()
        """Outcomes that the running transaction contains."""
        self._tried = 0
        """The last outcome that was in a failed transaction."""
        self._is_announced = False
        """Whether the writer knows that there are outcomes which no transaction contained."""

    def __repr__(self) -> str:
        return f"PendingOutcomes({len(self._waiting)})"

    @property
    def is_empty(self) -> bool:
        """Whether every outcome is stored."""
        return not self._waiting

    @property
    def has_untried(self) -> bool:
        """Whether an outcome waits that was in no failed transaction."""
        return bool(self._waiting) and self._last > self._tried

    def add(self, store: Callable[[sqlite3.Connection], object], then: Callable[[], object]) -> bool:
        """
        Add an outcome, and return whether the writer must be notified; beyond the maximum the oldest one is dropped.

        Args:
            store: Writes the outcome.
            then: Called in the writer thread once it is stored.
        """
        with self._guard:
            if len(self._waiting) >= KEPT_OUTCOMES:
                del self._waiting[next(iter(self._waiting))]
            self._last += 1
            self._waiting[self._last] = store, then
            was_announced, self._is_announced = self._is_announced, True
        return not was_announced

    def write(self, db: sqlite3.Connection) -> None:
        """Write all outcomes."""
        if not self._waiting:
            return
        with self._guard:
            waiting = dict(self._waiting)
            self._is_announced = False
        self._written = tuple(waiting)
        for store, _ in waiting.values():
            store(db)

    def settled(self, *, is_stored: bool) -> None:
        """Drop the outcomes that were stored; the others wait for the next transaction."""
        written, self._written = self._written, ()
        if not written:
            return
        if not is_stored:
            if written[-1] > self._tried:
                self._tried = written[-1]
                _log.warning(KEPT)
            return
        with self._guard:
            stored = [self._waiting.pop(number) for number in written if number in self._waiting]
        for _, then in stored:
            then()


class OutcomeNotes:
    """
    Receipts that are not stored yet, in the lock file of the process that got them.

    Args:
        handle: The open lock file.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._guard = threading.Lock()
        """Lock of the notes, because sends may be made in several event loops, each in its own thread."""
        self._waiting: dict[int, bytes] = {}
        self._end = 0

    def add(self, number: int, receipt: str | None) -> bool:
        """Write the receipt of a send; return False if this system or this disk cannot."""
        line = msgspec.json.encode([number, receipt]) + b"\n"
        with self._guard:
            if not self._write(line, self._end):
                return False
            self._waiting[number] = line
            self._end += len(line)
        return True

    def remove(self, number: int) -> None:
        """Remove the receipt of a send that the journal has stored; shorten a long file."""
        with self._guard:
            self._waiting.pop(number, None)
            if self._end > _LONG:
                left = b"".join(self._waiting.values())
                if self._write(left, 0):
                    self._end = len(left)
                    with contextlib.suppress(OSError):
                        os.ftruncate(self._handle, self._end)

    def close(self) -> bool:
        """
        Write no further receipts: the handle is closed, and its number may soon belong to another file.

        Returns:
            Whether the journal has stored all receipts.
        """
        with self._guard:
            self._handle = -1
            return not self._waiting

    def _write(self, content: bytes, at: int) -> bool:
        if sys.platform == "win32":  # where the locked part of a file cannot be read by others
            return False
        try:
            return os.pwrite(self._handle, content, at) == len(content)
        except OSError:
            return False


def read_notes(path: Path) -> dict[int, str | None]:
    """Return the receipts in the lock file of a dead process, by the numbers of the sends."""
    receipts: dict[int, str | None] = {}
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(msgspec.DecodeError):  # the rest of an older line
                number, receipt = msgspec.json.decode(line, type=tuple[int, str | None])
                receipts[number] = receipt
    return receipts


class Senders:
    """The processes that send from a journal: each holds a lock of its own."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._own = ""
        self._lock: int | None = None
        self._is_closed = False
        self.notes: OutcomeNotes | None = None
        """The outcomes that are not stored yet; None before the first send."""
        self.pending: PendingOutcomes = PendingOutcomes()
        """The outcomes that the next transaction stores."""

    def own(self) -> str:
        """
        Return this process's name, and hold its lock from now on.

        Raises:
            StorageError: The journal was closed, or the lock file cannot be created.
        """
        if self._is_closed:
            raise StorageError("This journal was closed.")
        while self._lock is None:  # another process may check the file before it is locked, and delete it
            self._own = secrets.token_hex(8)
            self._lock = take_lock(self._path(self._own))
            self.notes = None if self._lock is None else OutcomeNotes(self._lock)
        return self._own

    def is_alive(self, name: str) -> bool:
        """Return whether a process is still running."""
        if name == self._own and self._lock is not None:
            return True
        path = self._path(name)
        if not path.exists():
            return False
        lock = take_lock(path)
        if lock is None:
            return True
        os.close(lock)
        return False

    def settle(self, db: sqlite3.Connection, name: str) -> None:
        """Store the outcomes of all sends that a dead process has begun, and delete its lock file."""
        receipts = read_notes(self._path(name))
        for number in select_numbers(db, "SELECT number FROM outbox WHERE state = 'sending' AND sender = ?", (name,)):
            if number in receipts:
                db.execute(
                    "UPDATE outbox SET state = 'sent', sender = '', message_id = ?, receipt = ? WHERE number = ?",
                    (_message_id(receipts[number]), receipts[number], number),
                )
        db.execute("UPDATE outbox SET state = 'unknown', sender = '' WHERE state = 'sending' AND sender = ?", (name,))
        self._path(name).unlink(missing_ok=True)

    def remove_dead(self, db: sqlite3.Connection) -> None:
        """Delete the lock files of processes that ended without closing the journal, and left no send to settle."""
        prefix = self._path("").name
        for path in self._journal.parent.glob(f"{glob.escape(prefix)}*"):
            name = path.name.removeprefix(prefix)
            with contextlib.suppress(StorageError, OSError):  # another process may do the same
                if not self.is_alive(name) and not _has_begun(db, name):
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock, and delete its file unless it has receipts that could not be stored."""
        self._is_closed = True
        if self._lock is not None:
            if self.notes is None or self.notes.close():
                self._path(self._own).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = self.notes = None

    def _path(self, name: str) -> Path:
        return self._journal.with_name(f".{self._journal.name}.sender-{name}")


class SqliteAttempts(AttemptStore):
    """
    The attempts at the sends of an account; `AttemptStore` states the guarantees.

    Args:
        account: Returns the account's row.
        senders: The processes that send from the journal.
        writer: The thread that writes.
        reader: The thread that reads.
    """

    def __init__(self, account: Callable[[], Awaitable[int]], senders: Senders, writer: Writer, reader: Reader) -> None:
        self._account = account
        self._senders = senders
        self._writer = writer
        self._reader = reader

    def __repr__(self) -> str:
        return "SqliteAttempts(***)"

    async def begin(self) -> Attempt:
        """Hold the lock of this process, and return its name."""
        return Attempt(self._senders.own(), 0)

    async def epoch(self) -> int:
        """Return 0: a file has no epochs."""
        return 0

    async def settle(
        self, changes: Sequence[Change], *, number: int, sent: bool, receipt: str | None, keeps: bool
    ) -> None:
        """Store the outcome of an attempt; one that is `sent` is stored a little later, and a kill does not lose it."""
        account = await self._account()
        notes = self._senders.notes

        def store(db: sqlite3.Connection) -> None:
            for text, values in changes:
                execute(db, account, text, values)

        if sent and notes is not None and notes.add(number, receipt):
            self._store_soon(store, partial(notes.remove, number))
            return
        try:
            await self._writer.do(store, is_one_statement=len(changes) == 1)
        except ChangeRefused:
            raise
        except StorageError:
            if not keeps:
                raise
            self._keep(store)

    @override
    async def keep(self, text: str, *values: Value) -> None:
        account = await self._account()
        self._keep(lambda db: execute(db, account, text, values))

    def _keep(self, store: Callable[[sqlite3.Connection], object]) -> None:
        _log.warning(KEPT)
        self._store_soon(store, lambda: None)

    def _store_soon(self, store: Callable[[sqlite3.Connection], object], then: Callable[[], object]) -> None:
        if self._senders.pending.add(store, then):
            with contextlib.suppress(StorageError):  # closed: the next process reads the lock file
                self._writer.notify()

    async def settle_dead(self) -> None:
        """Store all pending outcomes, and those of processes that have died."""
        if self._senders.pending.has_untried:  # others must not keep the outbox from being read
            await self._writer.do(lambda _: None)
        account = await self._account()
        if await self._reader.do(lambda db: self._dead(db, account)):
            await self._writer.do(lambda db: self._settle_dead(db, account))

    @override
    async def flush(self) -> None:
        if not self._senders.pending.is_empty:
            await self._writer.do(lambda _: None)

    def _dead(self, db: sqlite3.Connection, account: int) -> list[str]:
        """Return the names of processes that died while they were sending."""
        senders = db.execute("SELECT DISTINCT sender FROM outbox WHERE account = ? AND state = 'sending'", (account,))
        return [sender for (sender,) in senders if not self._senders.is_alive(sender)]

    def _settle_dead(self, db: sqlite3.Connection, account: int) -> None:
        for sender in self._dead(db, account):
            self._senders.settle(db, sender)


def _message_id(receipt: str | None) -> str:
    return "" if receipt is None else clean_text(Receipt.from_json(receipt).message_id)


def _has_begun(db: sqlite3.Connection, name: str) -> bool:
    """Return whether a process has left a send without a stored outcome."""
    left = db.execute("SELECT 1 FROM outbox WHERE state = 'sending' AND sender = ? LIMIT 1", (name,)).fetchone()
    return left is not None
