"""
Letting go: what is older than it may be kept, what nobody could read, and what somebody wants deleted.

Nothing is left of what is deleted: neither in the bodies, where its bytes are blanked, nor in the indexes. A consumer
that had not come so far must not believe that nothing was there: in place of the last entry that it will not see
stands a gap. Such a gap belongs to no batch, and is not deleted for its age.
"""

# ruff: noqa: S608 - what is put together here are tables and conditions, and never a value

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.model.events import ContinuityLost
from webwx.storage.base import ARCHIVE_CONSUMER, QUARANTINE
from webwx.storage.sqlite.archive import delete_unnamed
from webwx.storage.sqlite.bodies import ItemRange, blank, pack, unpack
from webwx.storage.sqlite.bulk import as_list, select, select_numbers
from webwx.storage.sqlite.entries import KINDS
from webwx.storage.sqlite.index import key_of
from webwx.storage.sqlite.links import forget_logins
from webwx.storage.sqlite.schema import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from webwx.storage.archive_files import MediaFiles
    from webwx.storage.sqlite.contacts import Thinning
    from webwx.storage.sqlite.index import Index

PIECE = 500
"""Entries deleted in one transaction."""

_BATCHES = 20
"""Batches looked at for one piece."""

PAUSE = 3_600.0
"""Seconds between two looks for what is too old."""


class Retention:
    """
    What is done about a journal's file when there is time: first its index, then what may not be kept any longer.

    Args:
        index: The file's.
        seconds: How long what came is kept; 0: for ever.
        reached: Says how far the consumers of this process have read, by their rows.
        media_files: What goes with its entries.
        thinning: What is done about logins that others have followed.
    """

    def __init__(
        self, index: Index, seconds: float, reached: Callable[[], Mapping[int, int]], media_files: MediaFiles, *,
        thinning: Thinning,
    ) -> None:  # fmt: skip
        self._index = index
        self._seconds = seconds
        self._reached = reached
        self._media_files = media_files
        self._thinning = thinning
        self._due_at = 0.0

    def forget(self) -> None:
        """Look at the file anew before anything else is done."""
        self._index.forget()
        self._thinning.look_soon()

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        """Do a piece; gives the seconds until the next, None when nothing is left."""
        for jobs in (self._index, self._thinning):
            pause = jobs.work(db, is_idle=is_idle)
            if pause is not None:
                return pause
        left = self._due_at - time.monotonic()
        if left > 0 or not is_idle:
            return max(left, 1.0)
        if not self._delete_piece(db):
            self._due_at = time.monotonic() + PAUSE
        return 0.0

    def _delete_piece(self, db: sqlite3.Connection) -> bool:
        """Delete some of what may not be kept; says whether there was anything."""
        with transaction(db):
            numbers = self._superfluous(db)
            delete(db, self._index, numbers, self._reached())
            if self._seconds and not numbers:
                _delete_the_rest(db, self._limit(db))
            if not numbers:
                delete_unnamed(db, self._media_files)
        return bool(numbers)

    def _limit(self, db: sqlite3.Connection) -> float:
        """
        Give the time before which all is too old.

        Times in the file are the server's. Its clock may stand behind ours, and if it ever ran ahead by years, nothing
        may be deleted for that.
        """
        (newest,) = db.execute("SELECT time FROM batches ORDER BY batch DESC LIMIT 1").fetchone() or (0.0,)
        return min(time.time(), float(newest)) - self._seconds

    def _superfluous(self, db: sqlite3.Connection) -> list[int]:
        """Give some entries that may not be kept: whole batches that are too old, or what could not be read."""
        too_old: list[int] = []
        if self._seconds:
            limit = self._limit(db)
            oldest = db.execute("SELECT batch, time FROM batches ORDER BY batch LIMIT ?", (_BATCHES,)).fetchall()
            for batch, at in oldest:
                if at < limit and len(too_old) < PIECE:
                    too_old += (number for number, *_ in _entries_of(db, batch))
        if too_old:
            return too_old
        return select_numbers(
            db,
            "SELECT number FROM entries WHERE is_quarantined ORDER BY number DESC LIMIT ? OFFSET ?",
            (PIECE, QUARANTINE),
        )


def delete(db: sqlite3.Connection, index: Index, numbers: Collection[int], reached: Mapping[int, int]) -> int:
    """
    Delete entries, in the transaction of whoever calls; gives how many there were.

    Args:
        db: Where a transaction has begun.
        index: The file's.
        numbers: Which; those that are not there are passed over.
        reached: How far the consumers of this process have read, by their rows.
    """
    if not numbers:
        return 0
    listed = as_list(numbers)
    rows = select(
        db,
        ("number", "account", "message_id", "chat", "time", "batch"),
        "FROM entries WHERE batch <> 0 AND number IN (SELECT value FROM json_each(?))",
        (listed,),
    )
    index.reload()  # not `forget`: entries that wait in memory for open consumers stay there
    for account in {row[1] for row in rows}:
        theirs = [row for row in rows if row[1] == account]
        _leave_gaps(db, account, theirs, reached)
        _delete_from_indexes(db, account, theirs)
    db.execute("DELETE FROM entries WHERE batch <> 0 AND number IN (SELECT value FROM json_each(?))", (listed,))
    db.execute("DELETE FROM kept WHERE number IN (SELECT value FROM json_each(?))", (listed,))
    db.execute("DELETE FROM failures WHERE number IN (SELECT value FROM json_each(?))", (listed,))
    db.execute("DELETE FROM deaths WHERE number IN (SELECT value FROM json_each(?))", (listed,))
    for batch in {row[-1] for row in rows}:
        _wipe(db, batch)
    return len(rows)


def _leave_gaps(db: sqlite3.Connection, account: int, rows: list[list[Any]], reached: Mapping[int, int]) -> None:
    """Put gaps where consumers will miss something."""
    missed: dict[int, list[tuple[int, int]]] = {}
    for consumer, acked in db.execute(
        "SELECT consumer, acked FROM consumers WHERE account = ? AND name <> ?", (account, ARCHIVE_CONSUMER)
    ).fetchall():
        seen = max(acked, reached.get(consumer, 0))
        ahead = set(select_numbers(db, "SELECT number FROM ahead WHERE consumer = ?", (consumer,)))
        unseen = [(row[0], row[4]) for row in rows if row[0] > seen and row[0] not in ahead]
        if unseen:
            missed.setdefault(max(unseen)[0], unseen)
    for number, unseen in missed.items():
        times = [at for _, at in unseen]
        since = float(min(times))
        before = db.execute(
            "SELECT number, batch, raw FROM entries WHERE account = ? AND number < ?"
            " AND number NOT IN (SELECT value FROM json_each(?)) ORDER BY number DESC LIMIT 1",
            (account, number, as_list(row[0] for row in rows)),
        ).fetchone()
        if before is not None and before[1] == 0:  # one gap, not two in a row
            since = min(since, msgspec.json.decode(before[2], type=ContinuityLost).since)
            db.execute("DELETE FROM entries WHERE number = ?", (before[0],))
        gap = ContinuityLost(since=since, until=float(max(times)), reason="purged")
        db.execute(
            "UPDATE entries SET kind = ?, message_id = '', digest = 0, chat = '', is_quarantined = 0, batch = 0,"
            " start = 0, length = 0, raw = ? WHERE number = ?",
            (KINDS.index("gap"), msgspec.json.encode(gap), number),
        )


def _delete_from_indexes(db: sqlite3.Connection, account: int, rows: list[list[Any]]) -> None:
    listed = as_list(row[0] for row in rows)
    for table, keys in (
        ("by_id", {key_of(row[2]) for row in rows if row[2]}),
        ("by_chat", {key_of(row[3]) for row in rows if row[3]}),
    ):
        db.execute(
            f"DELETE FROM {table} WHERE account = ? AND key IN (SELECT value FROM json_each(?))"
            " AND number IN (SELECT value FROM json_each(?))",
            (account, as_list(sorted(keys)), listed),
        )
    db.execute("DELETE FROM words WHERE rowid IN (SELECT value FROM json_each(?))", (listed,))


def _wipe(db: sqlite3.Connection, batch: int) -> None:
    """Leave of a batch's body what is still pointed to; of a batch without entries nothing."""
    left = _entries_of(db, batch)
    if not left:
        db.execute("DELETE FROM batches WHERE batch = ?", (batch,))
        return
    (packed,) = db.execute("SELECT body FROM batches WHERE batch = ?", (batch,)).fetchone()
    body = blank(unpack(packed), (ItemRange(start, length) for _, start, length in left))
    db.execute("UPDATE batches SET body = ? WHERE batch = ?", (pack(body), batch))


def _entries_of(db: sqlite3.Connection, batch: int) -> list[list[int]]:
    """Give number and place of a batch's entries, which have numbers in a row."""
    return select(
        db,
        ("number", "start", "length"),
        "FROM entries WHERE number >= ? AND batch = ?"
        " AND number < coalesce((SELECT min(batch) FROM batches WHERE batch > ?), 9223372036854775807)",
        (batch, batch, batch),
    )


def _delete_the_rest(db: sqlite3.Connection, before: float) -> None:
    """Delete sends of any account, gaps that everybody has met, and who was known in logins that have long ended."""
    db.execute("DELETE FROM outbox WHERE created_at < ? AND state <> 'sending'", (before,))
    db.execute(
        "DELETE FROM entries WHERE batch = 0 AND number <= ("
        " SELECT min(acked) FROM consumers WHERE consumers.account = entries.account AND name <> ?)",
        (ARCHIVE_CONSUMER,),
    )
    forget_people(db, before)


def forget_people(db: sqlite3.Connection, before: float) -> None:
    """Delete who was known in logins that have ended; each account's last login is kept."""
    ended = db.execute(
        "SELECT login FROM logins l WHERE last_at < ?"
        " AND EXISTS (SELECT 1 FROM logins n WHERE n.account = l.account AND n.last_at > l.last_at)",
        (before,),
    ).fetchall()
    listed = as_list(login for (login,) in ended)
    for table in ("contacts", "names"):
        db.execute(f"DELETE FROM {table} WHERE login IN (SELECT value FROM json_each(?))", (listed,))
    forget_logins(db, listed)


def expunge(db: sqlite3.Connection, *, is_first: bool) -> bool:
    """
    Rewrite a piece of the full-text index without what was deleted from it; says whether there is more.

    A deletion only notes there that words are gone; the words themselves go when their segment is written anew.
    """
    before = db.total_changes
    db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (-500 if is_first else 500,))
    return db.total_changes - before > 1


def doomed(db: sqlite3.Connection, account: int, before: float, chats: Collection[str]) -> list[int]:
    """Give the entries that somebody wants deleted: older than a time, or of some chats, or both."""
    condition, values = "account = ? AND batch <> 0", list[object]([account])
    if before:
        condition += " AND time < ?"
        values.append(before)
    if chats:
        condition += (
            " AND chat IN (SELECT value FROM json_each(?)) AND number IN ("
            " SELECT number FROM by_chat WHERE account = ? AND key IN (SELECT value FROM json_each(?)) UNION ALL"
            " SELECT number FROM entries WHERE number > (SELECT number FROM indexed))"
        )
        values += (as_list(chats), account, as_list(sorted(map(key_of, chats))))
    return select_numbers(db, f"SELECT number FROM entries WHERE {condition} ORDER BY number", values)


def delete_sends(db: sqlite3.Connection, account: int, before: float, chats: Collection[str]) -> int:
    """Delete sends, but for one that is on its way; gives how many there were."""
    condition, values = "account = ? AND state <> 'sending'", list[object]([account])
    if before:
        condition += " AND created_at < ?"
        values.append(before)
    if chats:
        condition += " AND chat IN (SELECT value FROM json_each(?))"
        values.append(as_list(chats))
    return db.execute(f"DELETE FROM outbox WHERE {condition}", values).rowcount
