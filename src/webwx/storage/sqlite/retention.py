"""
Deletion of old entries, of unreadable entries, and of entries that the user purges.

Deletion is complete: the bytes in the bodies are blanked, and the rows of the indexes are deleted. A consumer that had
not read the deleted entries finds a gap in place of the last one. Such a gap belongs to no batch, and is not deleted
because of its age.
"""

# ruff: noqa: S608 - only tables and conditions are put together here, never a value

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from webwx.storage.base import QUARANTINE
from webwx.storage.batches import gap_after_purge, missed_entries
from webwx.storage.bodies import ItemRange, blank_packed
from webwx.storage.engine.port import drive
from webwx.storage.sqlite.archive import delete_unnamed
from webwx.storage.sqlite.bulk import as_list, select, select_numbers
from webwx.storage.sqlite.entries import KINDS
from webwx.storage.sqlite.index import key_of
from webwx.storage.sqlite.schema import transaction
from webwx.storage.sqlite.tables import SqliteStatements
from webwx.storage.tables.identities.links import forget_logins
from webwx.storage.tables.media import ARCHIVE_CONSUMER
from webwx.storage.tables.retention import accounts_with_old, delete_of_entries, delete_old

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from webwx.storage.archive_files import MediaFiles
    from webwx.storage.sqlite.contacts import RosterCompaction
    from webwx.storage.sqlite.index import Index
    from webwx.storage.sqlite.log_room import LogRoom
    from webwx.storage.sqlite.threads import Writer

T = TypeVar("T")

PIECE = 50
"""Number of entries deleted by one set of statements."""

STEP = 0.01
"""Seconds of deletion after which a transaction is committed, because messages wait meanwhile."""

MAX_STEP = 500
"""Maximum number of rows deleted in one transaction."""

_BATCHES = 20
"""Number of batches checked for one transaction."""

PAUSE = 3_600.0
"""Seconds between two checks for old entries."""

BEGIN_BESIDE = 1.0
"""Seconds after the opening of a file before which entries are deleted only while nothing is stored."""

REST = 4.0
"""Time between two steps beside other work, as a multiple of the last step: deletion takes a fifth of the time."""

PURGE_REST = 2.0
"""
Time between two steps of a purge, as a multiple of the last step.

Another process that waits for the file tries again after pauses of up to 0.1 s, so it must be free most of the time.
"""

LONGEST_PAUSE = 0.2
"""Maximum seconds between two steps of a purge."""

_TRUNCATE_WAIT = 50
"""Milliseconds for which an attempt to truncate the log waits for readers."""

_TRUNCATE_WITHIN = 5.0
"""Seconds for which the log is tried to be truncated."""

_MERGED = 50
"""Number of pages of the full-text index that one transaction rewrites."""


class Retention:
    """
    The background jobs of a file: room in its log, indexing, compaction, deletion of old and unreadable entries.

    Args:
        index: The indexes of the file.
        seconds: Seconds after which entries are deleted; 0 keeps them.
        reached: Returns the number up to which each consumer of this process has read, by its row.
        media_files: The media files, which are deleted with their entries.
        compaction: The compaction of earlier logins.
        log_room: The room in the log.
    """

    def __init__(
        self, index: Index, seconds: float, reached: Callable[[], Mapping[int, int]], media_files: MediaFiles, *,
        compaction: RosterCompaction, log_room: LogRoom,
    ) -> None:  # fmt: skip
        self._index = index
        self._seconds = seconds
        self._reached = reached
        self._media_files = media_files
        self._compaction = compaction
        self._log_room = log_room
        self._due_at = 0.0
        """Time of the next check for old entries."""
        self._beside_at = time.monotonic() + BEGIN_BESIDE
        """Time from which a step may delay other work."""

    def forget(self) -> None:
        """Drop all cached state, because a transaction was rolled back."""
        self._index.forget()
        self._compaction.look_soon()

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        """
        Do a piece of work, and return the seconds until the next piece.

        A busy writer is never idle for long, so that deletion has a share of its time.
        """
        pauses = [self._log_room.work(db, is_idle=is_idle), self._index.work(db, is_idle=is_idle)]
        is_quiet = is_idle and pauses == [None, None]
        began = time.monotonic()
        if began >= self._next_step(is_quiet=is_quiet):
            self._do_step(db)
            ended = time.monotonic()
            self._beside_at = ended + REST * (ended - began)
        left = max(0.0, self._next_step(is_quiet=is_quiet) - time.monotonic())
        return min([left, *(pause for pause in pauses if pause is not None)])

    def _next_step(self, *, is_quiet: bool) -> float:
        due_at = 0.0 if self._compaction.is_due else self._due_at
        return due_at if is_quiet else max(due_at, self._beside_at)

    def _do_step(self, db: sqlite3.Connection) -> None:
        if self._compaction.is_due:
            self._compaction.work(db)
        elif not self._delete_piece(db):
            self._due_at = time.monotonic() + PAUSE

    def _delete_piece(self, db: sqlite3.Connection) -> bool:
        """Delete some old or unreadable rows, and return whether there were any."""
        with transaction(db):
            numbers = self._superfluous(db)
            delete_some(db, self._index, numbers, self._reached())
            has_more = bool(numbers) or bool(self._seconds and _delete_the_rest(db, self._limit(db)))
            if not has_more:
                drive(delete_unnamed(SqliteStatements(db, 0), self._media_files))
        return has_more

    def _limit(self, db: sqlite3.Connection) -> float:
        """
        Return the time before which entries are too old, in seconds since 1970.

        Times in the file come from the server's clock. That clock may be behind the local one. If it once ran ahead by
        years, that must not delete anything.
        """
        (newest,) = db.execute("SELECT time FROM batches ORDER BY batch DESC LIMIT 1").fetchone() or (0.0,)
        return min(time.time(), float(newest)) - self._seconds

    def _superfluous(self, db: sqlite3.Connection) -> list[int]:
        """Return some entries to delete: whole batches that are too old, or else unreadable entries."""
        too_old: list[int] = []
        if self._seconds:
            limit = self._limit(db)
            oldest = db.execute("SELECT batch, time FROM batches ORDER BY batch LIMIT ?", (_BATCHES,)).fetchall()
            for batch, at in oldest:
                if at < limit and len(too_old) < MAX_STEP:
                    too_old += (number for number, *_ in _entries_of(db, batch))
        if too_old:
            return too_old
        return select_numbers(
            db,
            "SELECT number FROM entries WHERE is_quarantined ORDER BY number DESC LIMIT ? OFFSET ?",
            (MAX_STEP, QUARANTINE),
        )


async def do_step(writer: Writer, job: Callable[[sqlite3.Connection], T]) -> T:
    """Do a step of a purge, and leave the file to other work of this process and of others for some time."""
    began = time.monotonic()
    result = await writer.do(job)
    await asyncio.to_thread(time.sleep, min(PURGE_REST * (time.monotonic() - began), LONGEST_PAUSE))
    return result


async def checkpoint(writer: Writer) -> None:
    """
    Write the log back to the file, and make both as short as they can be.

    While another connection reads for a long time, such as a backup, this tries for some seconds; what it leaves is
    done by a later checkpoint.
    """
    # The first checkpoint causes no delay, and leaves little for the second one, which does.
    await writer.do_outside(lambda db: db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall())
    until = time.monotonic() + _TRUNCATE_WITHIN
    while not await writer.do_outside(_truncate_log) and time.monotonic() < until:
        await asyncio.to_thread(time.sleep, LONGEST_PAUSE)


def _truncate_log(db: sqlite3.Connection) -> bool:
    """Write the whole log back and truncate it; return False if readers are in the way."""
    (timeout,) = db.execute("PRAGMA busy_timeout").fetchone()
    # It keeps out all writers while it waits for the readers.
    db.execute(f"PRAGMA busy_timeout = {_TRUNCATE_WAIT}")
    try:
        is_busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout = {timeout}")
    return not is_busy


class Deleted(NamedTuple):
    """The result of a step of a deletion."""

    done: int
    """Number of the given entries that are deleted now, or were missing."""
    deleted: int
    """Number of entries that were deleted."""


def delete_some(
    db: sqlite3.Connection, index: Index, numbers: Sequence[int], reached: Mapping[int, int]
) -> Deleted:  # fmt: skip
    """Delete the first of some entries, in the transaction of the caller: as many as `STEP` allows, at least a few."""
    until = time.monotonic() + STEP
    done = deleted = 0
    while done < min(len(numbers), MAX_STEP) and (not done or time.monotonic() < until):
        piece = numbers[done : done + PIECE]
        deleted += delete(db, index, piece, reached)
        done += len(piece)
    return Deleted(done, deleted)


def delete(db: sqlite3.Connection, index: Index, numbers: Collection[int], reached: Mapping[int, int]) -> int:
    """
    Delete entries, in the transaction of the caller, and return how many.

    Args:
        db: Connection with a write transaction.
        index: The indexes of the file.
        numbers: Numbers of the entries; missing entries are skipped.
        reached: Number up to which each consumer of this process has read, by its row.
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
        drive(delete_of_entries(SqliteStatements(db, account), [row[0] for row in theirs]))
    db.execute("DELETE FROM entries WHERE batch <> 0 AND number IN (SELECT value FROM json_each(?))", (listed,))
    for batch in {row[-1] for row in rows}:
        _wipe(db, batch)
    return len(rows)


def _leave_gaps(db: sqlite3.Connection, account: int, rows: list[list[Any]], reached: Mapping[int, int]) -> None:
    """Store gaps in place of entries that consumers have not read."""
    positions = [
        (
            max(acked, reached.get(consumer, 0)),
            set(select_numbers(db, "SELECT number FROM acked_ahead WHERE consumer = ?", (consumer,))),
        )
        for consumer, acked in db.execute(
            "SELECT consumer, acked FROM consumers WHERE account = ? AND name <> ?", (account, ARCHIVE_CONSUMER)
        ).fetchall()
    ]
    for number, times in missed_entries([(row[0], row[4]) for row in rows], positions).items():
        before = db.execute(
            "SELECT number, batch, raw FROM entries WHERE account = ? AND number < ?"
            " AND number NOT IN (SELECT value FROM json_each(?)) ORDER BY number DESC LIMIT 1",
            (account, number, as_list(row[0] for row in rows)),
        ).fetchone()
        is_gap = before is not None and before[1] == 0
        if is_gap:  # consecutive gaps become one
            db.execute("DELETE FROM entries WHERE number = ?", (before[0],))
        db.execute(
            "UPDATE entries SET kind = ?, message_id = '', digest = 0, chat = '', is_quarantined = 0, batch = 0,"
            " start = 0, length = 0, raw = ? WHERE number = ?",
            (KINDS.index("gap"), gap_after_purge(times, before[2] if is_gap else None), number),
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
    """Blank the bytes of a batch's body to which no entry points; delete a batch without entries."""
    left = _entries_of(db, batch)
    if not left:
        db.execute("DELETE FROM batches WHERE batch = ?", (batch,))
        return
    (packed,) = db.execute("SELECT body FROM batches WHERE batch = ?", (batch,)).fetchone()
    body = blank_packed(packed, (ItemRange(start, length) for _, start, length in left))
    db.execute("UPDATE batches SET body = ? WHERE batch = ?", (body, batch))


def _entries_of(db: sqlite3.Connection, batch: int) -> list[list[int]]:
    """Return number and range of a batch's entries, which have consecutive numbers."""
    return select(
        db,
        ("number", "start", "length"),
        "FROM entries WHERE number >= ? AND batch = ?"
        " AND number < coalesce((SELECT min(batch) FROM batches WHERE batch > ?), 9223372036854775807)",
        (batch, batch, batch),
    )


def _delete_the_rest(db: sqlite3.Connection, before: float) -> bool:
    """
    Delete old rows of other tables, gaps that consumers have passed, and contacts of ended logins.

    Returns:
        Whether there is more: rows are deleted in steps.
    """
    for account in drive(accounts_with_old(SqliteStatements(db, 0), before)):
        if drive(delete_old(SqliteStatements(db, account), before)).has_more:
            return True
    db.execute(
        "DELETE FROM entries WHERE batch = 0 AND number <= ("
        " SELECT min(acked) FROM consumers WHERE consumers.account = entries.account AND name <> ?)",
        (ARCHIVE_CONSUMER,),
    )
    forget_people(db, before)
    return False


def forget_people(db: sqlite3.Connection, before: float) -> None:
    """Delete the contacts of logins that ended before a time; each account's last login is kept."""
    rows = db.execute(
        "SELECT account, login FROM logins l WHERE last_at < ?"
        " AND EXISTS (SELECT 1 FROM logins n WHERE n.account = l.account AND n.last_at > l.last_at)",
        (before,),
    ).fetchall()
    ended: dict[int, list[int]] = {}
    for account, login in rows:
        ended.setdefault(account, []).append(login)
    listed = as_list(login for _, login in rows)
    for table in ("contacts", "names"):
        db.execute(f"DELETE FROM {table} WHERE login IN (SELECT value FROM json_each(?))", (listed,))
    for account, logins in ended.items():
        drive(forget_logins(SqliteStatements(db, account), logins))


def expunge(db: sqlite3.Connection, *, is_first: bool) -> bool:
    """
    Rewrite a part of the full-text index without deleted words, and return whether there is more.

    A deletion only marks words in the index as deleted; the words disappear when their segment is rewritten.
    """
    before = db.total_changes
    db.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (-_MERGED if is_first else _MERGED,))
    return db.total_changes - before > 1


def old_entries(db: sqlite3.Connection, account: int, before: float, chats: Collection[str]) -> list[int]:
    """Return the entries to purge: older than a time, or of some chats, or both."""
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
