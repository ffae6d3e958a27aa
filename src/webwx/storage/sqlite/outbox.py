"""
An account's sends, as rows that are stored before anything is transmitted.

A row in state `sending` belongs to the process that sends it, which holds a lock file as long as it runs. If the lock
is free, that process has died.

The outcome of a send is stored in a later transaction, which no caller waits for. Until then it stands in the lock file
of its process, so a kill loses no outcome: the process that finds the lock free reads the file. Without an outcome
there, the outcome of the send is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
import secrets
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.protocol.codec import clean_text
from webwx.storage.base import KEPT_OUTCOMES, Outgoing
from webwx.storage.locks import take_lock
from webwx.storage.refusals import ChangeRefused
from webwx.storage.sqlite.bulk import as_list, select, select_numbers

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from webwx.storage.base import SendQuery, State
    from webwx.storage.sqlite.threads import Reader, Writer

T = TypeVar("T")

_COLUMNS = (
    "number", "client_id", "key", "chat", "kind", "text", "addressed", "content_id", "state", "receipt", "ret",
    # JSON has too few digits for the time.
    "CAST(round(created_at * 1e6) AS INTEGER)", "CAST(round(changed_at * 1e6) AS INTEGER)",
)  # fmt: skip

_log = logging.getLogger("webwx.storage")

_LONG = 64 * 1024
"""Size in bytes beyond which stored outcomes are removed from the file of outcomes."""

_WITH_KEY = "key = ? AND key <> ''"
"""Condition for a send by its key; the second half is that of the index, which SQLite does not use otherwise."""

_WITH_MESSAGE_ID = "message_id <> '' AND message_id = ?"


_SETTLE = """
UPDATE outbox SET state = :state, sender = '', message_id = :message_id, receipt = :receipt, ret = :ret,
    changed_at = :time
WHERE account = :account AND number = :number
    AND (:begun_at IS NULL OR state IN ('sending', 'unknown') AND changed_at = :begun_at)
"""
"""
Stores an outcome; with the time of an attempt's begin only if the send waits for the outcome of that attempt.

Only `sending` and `settle` change the time, so it identifies the attempt, also after the send became `unknown` because
its process seemed dead.
"""

_UNDO = """
UPDATE outbox SET state = 'queued', sender = ''
WHERE account = :account AND (client_id = :client_id OR number = :number) AND sender = :sender
    AND state = 'sending' AND changed_at = :begun_at
"""
"""Stores that an attempt was not begun."""


class KeptOutcomes:
    """Outcomes of sends that could not be stored: they are written with the next transaction that succeeds."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[int, tuple[Callable[[sqlite3.Connection], object], Callable[[], object]]] = {}
        self._last = 0
        self._written: tuple[int, ...] = ()
        """Outcomes that the running transaction contains."""

    def __repr__(self) -> str:
        return f"KeptOutcomes({len(self._waiting)})"

    def add(self, store: Callable[[sqlite3.Connection], object], then: Callable[[], object]) -> None:
        """
        Keep an outcome; beyond the maximum number the oldest one is dropped.

        Args:
            store: Writes the outcome.
            then: Called once it is stored.
        """
        _log.warning("The outcome of a send could not be stored; it is kept, and stored as soon as that is possible.")
        with self._guard:
            if len(self._waiting) >= KEPT_OUTCOMES:
                del self._waiting[next(iter(self._waiting))]
            self._last += 1
            self._waiting[self._last] = store, then

    def write(self, db: sqlite3.Connection) -> None:
        """Write all outcomes."""
        if not self._waiting:
            return
        with self._guard:
            waiting = dict(self._waiting)
        self._written = tuple(waiting)
        for store, _ in waiting.values():
            store(db)

    def settled(self, *, is_stored: bool) -> None:
        """Drop the outcomes that were stored."""
        written, self._written = self._written, ()
        for number in written if is_stored else ():
            with self._guard:
                kept = self._waiting.pop(number, None)
            if kept is not None:
                kept[1]()


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
        self.kept: KeptOutcomes = KeptOutcomes()
        """The outcomes that could not be stored."""

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


class SqliteOutbox:
    """An account's sends; `Outbox` states the guarantees."""

    def __init__(self, account: Callable[[], Awaitable[int]], senders: Senders, writer: Writer, reader: Reader) -> None:
        self._account = account
        self._senders = senders
        self._writer = writer
        self._reader = reader

    async def add(
        self, *, client_id: str, chat: ContactId, kind: str, text: str, key: str, time: float,
        state: Literal["queued", "sending"] = "queued", addressed: str = "", content_id: str = "",
    ) -> Outgoing:  # fmt: skip
        """Store a send, or return the existing send with the same key."""
        account = await self._account()
        given = (client_id, key, chat, kind, text, addressed, content_id)
        values = tuple(clean_text(each) for each in given)
        sender = self._senders.own() if state == "sending" else ""

        def store(db: sqlite3.Connection) -> Outgoing:
            known = self._with_key(db, account, values[1])
            if known is not None and (known.state, known.client_id) != ("sending", values[0]):
                return known
            row = db.execute(
                "INSERT INTO outbox (account, client_id, key, chat, kind, text, addressed, content_id, state, sender,"
                " created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (account, *values, state, sender, time, time),
            )
            assert row.lastrowid is not None  # noqa: S101 - for the type checker: a row was inserted
            return Outgoing(
                number=row.lastrowid, client_id=values[0], key=values[1], chat=ContactId(values[2]), kind=values[3],
                text=values[4], addressed=values[5], content_id=values[6], state=state, created_at=time,
                changed_at=time,
            )  # fmt: skip

        try:
            return await self._writer.do(store)
        except ChangeRefused:
            raise
        except StorageError:
            if state == "sending":
                self._keep_as_queued(account, time, client_id=values[0])
            raise

    async def sending(self, number: int, time: float, chat: ContactId) -> bool:
        """Set a send to `sending`, and return whether its first byte may be transmitted."""
        account = await self._account()
        own = self._senders.own()
        goes_to = clean_text(chat)

        def store(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                "UPDATE outbox SET state = 'sending', sender = ?, chat = ?, changed_at = ?"
                " WHERE account = ? AND number = ? AND state IN ('queued', 'failed')",
                (own, goes_to, time, account, number),
            )
            return changed.rowcount == 1

        try:
            return await self._writer.do(store)
        except StorageError:
            self._keep_as_queued(account, time, number=number)
            raise

    async def settle(
        self, number: int, state: Literal["queued", "sent", "failed", "unknown", "recalled"], *, time: float,
        receipt: Receipt | None = None, ret: int = 0, begun_at: float | None = None,
    ) -> None:  # fmt: skip
        """Store the outcome of a send; a kill does not lose `sent`, which is stored in a later transaction."""
        account = await self._account()
        written = None if receipt is None else receipt.to_json()
        notes = self._senders.notes
        values = {
            "account": account, "number": number, "state": state, "receipt": written, "ret": ret, "time": time,
            "begun_at": begun_at, "message_id": "" if receipt is None else clean_text(receipt.message_id),
        }  # fmt: skip

        def store(db: sqlite3.Connection) -> None:
            db.execute(_SETTLE, values)

        if state == "sent" and notes is not None and notes.add(number, written):

            def settled(stored: asyncio.Future[None]) -> None:
                if not stored.cancelled() and stored.exception() is not None:
                    self._keep(store, forget)
                else:
                    forget()

            forget = partial(notes.remove, number)
            self._writer.do_soon(store).add_done_callback(settled)
            return
        try:
            await self._writer.do(store)
        except ChangeRefused:
            raise
        except StorageError:
            if begun_at is None:
                raise
            self._keep(store)

    def _keep(self, store: Callable[[sqlite3.Connection], object], then: Callable[[], object] = lambda: None) -> None:
        self._senders.kept.add(store, then)
        with contextlib.suppress(StorageError):  # closed: the next process reads the lock file
            self._writer.notify()

    def _keep_as_queued(self, account: int, begun_at: float, *, number: int = 0, client_id: str = "") -> None:
        """Keep the outcome of an attempt that was not begun, because it is unknown whether its begin was stored."""
        values = {
            "account": account, "number": number, "client_id": client_id, "begun_at": begun_at,
            "sender": self._senders.own(),
        }  # fmt: skip
        self._keep(lambda db: db.execute(_UNDO, values))

    async def flush(self) -> None:
        """Return once every outcome that was passed to `settle` is stored."""
        await self._writer.catch_up()

    async def find(self, query: SendQuery) -> list[Outgoing]:
        """Return the sends that match a query, the newest first; a send whose process has died is `unknown`."""
        account = await self._account()

        def read(db: sqlite3.Connection) -> list[Outgoing]:
            return _find(db, account, query)

        if not query.states and query.message_id is None:
            found = await self._reader.do(read)
            if all(row.state != "sending" for row in found):  # an outcome that is not stored yet is of a `sending` one
                return found
        return await self._read(account, read)

    async def count(self) -> dict[State, int]:
        """Return the number of sends in each state that occurs; a send whose process has died is `unknown`."""
        account = await self._account()
        query = "SELECT state, count(*) FROM outbox WHERE account = ? GROUP BY state"
        return await self._read(account, lambda db: dict(db.execute(query, (account,)).fetchall()))

    async def _read(self, account: int, read: Callable[[sqlite3.Connection], T]) -> T:
        """Read all sends, after those of dead processes were settled."""
        await self.flush()
        found = await self._reader.do(lambda db: None if self._dead(db, account) else (read(db),))
        if found is None:
            await self._writer.do(lambda db: self._settle_dead(db, account))
            return await self._reader.do(read)
        return found[0]

    async def remove(self, number: int) -> bool:
        """Delete a send, free its key, and return whether it was deleted; a send in state `sending` stays."""
        account = await self._account()

        def delete(db: sqlite3.Connection) -> bool:
            self._settle_dead(db, account)
            gone = db.execute(
                "DELETE FROM outbox WHERE account = ? AND number = ? AND state <> 'sending'", (account, number)
            )
            return gone.rowcount == 1

        return await self._writer.do(delete)

    def _with_key(self, db: sqlite3.Connection, account: int, key: str) -> Outgoing | None:
        """Return the send with a key, if there is one; a send whose process has died is `unknown`."""
        is_new = f"SELECT NOT EXISTS (SELECT * FROM outbox WHERE account = ? AND {_WITH_KEY})"  # noqa: S608 - a constant
        if not key or db.execute(is_new, (account, key)).fetchone() == (1,):
            return None
        (known,) = _select(db, account, _WITH_KEY, key)
        if known.state == "sending":
            self._settle_dead(db, account)
            (known,) = _select(db, account, _WITH_KEY, key)
        return known

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


def _find(db: sqlite3.Connection, account: int, query: SendQuery) -> list[Outgoing]:
    """
    Read the sends that match a query, the newest first.

    Sends of some chats or states are one ordered query each: all of them would be read and sorted otherwise.
    """
    condition, values = _condition(query)
    sources = [("chat = ?", each) for each in {clean_text(each) for each in query.chats}] or [
        ("state = ?", each) for each in set(query.states)
    ]
    numbers: list[int] = []
    for source, value in sources or [("'' = ?", "")]:
        found = f"SELECT number FROM outbox WHERE account = ? AND {source}{condition} ORDER BY number DESC LIMIT ?"  # noqa: S608 - no value is put together
        numbers += select_numbers(db, found, (account, value, *values, query.limit))
    newest = as_list(sorted(numbers, reverse=True)[: query.limit])
    return _select(db, account, "number IN (SELECT value FROM json_each(?)) ORDER BY number DESC", newest)


def _condition(query: SendQuery) -> tuple[str, list[object]]:
    """Return the conditions of a query except one of its chats or states as SQL, with their values."""
    condition, values = "", list[object]()
    terms = (
        ("number = ?", query.number), (_WITH_KEY, query.key), ("client_id = ?", query.client_id),
        (_WITH_MESSAGE_ID, query.message_id), ("number < ?", query.before),
    )  # fmt: skip
    for term, value in terms:
        if value is not None:
            condition += f" AND {term}"
            values.append(clean_text(value) if isinstance(value, str) else value)
    if query.chats and query.states:
        condition += " AND +state IN (SELECT value FROM json_each(?))"  # not by the index of the states
        values.append(as_list(query.states))
    if query.since:
        condition += " AND created_at >= ?"
        values.append(query.since)
    if query.until:
        condition += " AND created_at <= ?"
        values.append(query.until)
    return condition, values


def _select(db: sqlite3.Connection, account: int, condition: str, *values: object) -> list[Outgoing]:
    rows = select(db, _COLUMNS, f"FROM outbox WHERE account = ? AND {condition}", (account, *values))
    return [
        Outgoing(
            number=number, client_id=client_id, key=key, chat=ContactId(chat), kind=kind, text=text,
            addressed=addressed, content_id=content_id, state=state,
            receipt=None if receipt is None else Receipt.from_json(receipt), ret=ret,
            created_at=created_at / 1e6, changed_at=changed_at / 1e6,
        )
        for number, client_id, key, chat, kind, text, addressed, content_id, state, receipt, ret, created_at,
            changed_at in rows
    ]  # fmt: skip
