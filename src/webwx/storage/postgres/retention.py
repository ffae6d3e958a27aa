"""
Deletion of old entries, of unreadable entries, and of entries that the user purges.

Deletion is complete: the bytes in the bodies are blanked. A consumer that had not read the deleted entries finds a gap
in place of the last one; such a gap belongs to no batch, and is not deleted because of its age.
"""

# ruff: noqa: S608 - only constants are put together here, never a value

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.base import QUARANTINE
from webwx.storage.batches import gap_after_purge, missed_entries
from webwx.storage.bodies import ItemRange, blank_packed
from webwx.storage.postgres.archive import delete_unnamed
from webwx.storage.postgres.entries import KINDS, QUARANTINED
from webwx.storage.postgres.tables import PostgresStatements
from webwx.storage.refusals import NotOwner
from webwx.storage.tables.identities.links import forget_logins
from webwx.storage.tables.media import ARCHIVE_CONSUMER, digests_of
from webwx.storage.tables.retention import delete_of_entries, delete_old

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import asyncpg

    from webwx.storage.postgres.archive import LocalCopies
    from webwx.storage.postgres.database import Connection, PostgresDatabase

PIECE = 500
"""Number of entries deleted in one transaction."""

IDLE = 0.5
"""Seconds after an arrival until old entries are deleted."""

STEP = 3_600.0
"""Minimum seconds by which the age limit moves between two searches for old entries."""

_MOST_UNREADABLE = 1_000
"""Number of new unreadable entries after which superfluous ones are deleted."""

_OF_BATCH = (
    "FROM entries e WHERE e.account = $1 AND e.number >= b.batch AND e.batch = b.batch AND e.number < coalesce("
    "(SELECT min(n.batch) FROM batches n WHERE n.account = $1 AND n.batch > b.batch), 9223372036854775807)"
    " ORDER BY e.number OFFSET 0"
)
"""
The entries of a batch `b`, which have consecutive numbers, in their order. `OFFSET 0` makes PostgreSQL look them up by
the index.
"""


class PostgresRetention:
    """
    The deletion of old and unreadable entries in the background, of all accounts that this process may change.

    Args:
        database: The database.
        seconds: Seconds after which entries are deleted; 0 keeps them.
        reached: Returns the number up to which each consumer of this process has read, by its row.
        copies: The copies of archived media on this machine.
    """

    def __init__(
        self, database: PostgresDatabase, seconds: float, reached: Callable[[], Mapping[int, int]], *,
        copies: LocalCopies,
    ) -> None:  # fmt: skip
        self.reached = reached
        self.copies = copies
        self._database = database
        self._seconds = seconds
        self._newest = 0.0
        """The newest time of arrival, by the platform's clock, which may be behind or ahead of this machine's."""
        self._limit = float("-inf")
        """The time before which entries were deleted last."""
        self._unreadable = 0
        self._is_due = False

    def note(self, at: float, unreadable: int) -> None:
        """Note an arrival, and delete old entries soon if the age limit has moved; called in any thread."""
        self._newest = max(self._newest, at)
        self._unreadable += unreadable
        is_moved = bool(self._seconds) and self._current_limit() > self._limit + STEP
        if (is_moved or self._unreadable > _MOST_UNREADABLE) and not self._is_due:
            self._is_due = True
            self._database.spawn(self._work)

    def _current_limit(self) -> float:
        # If the platform's clock ever ran ahead by years, nothing may be deleted because of that.
        return min(time.time(), self._newest) - self._seconds

    async def _work(self) -> None:
        await asyncio.sleep(IDLE)
        self._is_due = False
        self._unreadable = 0
        try:
            if self._seconds:
                self._limit = self._current_limit()
                await self._expire(self._limit)
            await self._delete_unreadable()
        except StorageError:  # the next arrival tries again
            self._limit = float("-inf")

    async def _expire(self, limit: float) -> None:
        rows = await self._database.reading(lambda db: db.fetch("SELECT account FROM accounts"))
        for row in rows:
            try:
                await self._expire_account(row["account"], limit)
            except NotOwner:  # its owner deletes them
                continue

    async def _expire_account(self, account: int, limit: float) -> None:
        old = (
            "SELECT e.number FROM ("
            "SELECT batch FROM batches WHERE account = $1 AND time < $2 ORDER BY batch LIMIT 100) b"
            " CROSS JOIN LATERAL (SELECT number FROM entries WHERE account = $1 AND number >= b.batch"
            " AND batch = b.batch AND number < coalesce((SELECT min(n.batch) FROM batches n WHERE n.account = $1"
            f" AND n.batch > b.batch), 9223372036854775807)) e LIMIT {PIECE}"
        )
        while await self._delete(account, old, limit):
            pass
        while await self._database.writing(account, lambda db: _delete_the_rest(db, account, limit)):
            pass

    async def _delete_unreadable(self) -> None:
        rows = await self._database.reading(
            lambda db: db.fetch(
                f"SELECT account FROM entries WHERE (flags & 14 <> 0 OR batch = 0) AND flags & {QUARANTINED} <> 0"
                " GROUP BY account HAVING count(*) > $1",
                QUARANTINE,
            )
        )
        superfluous = (
            f"SELECT number FROM entries WHERE account = $1 AND (flags & 14 <> 0 OR batch = 0)"
            f" AND flags & {QUARANTINED} <> 0 ORDER BY number DESC OFFSET $2::bigint LIMIT {PIECE}"
        )
        for row in rows:
            try:
                while await self._delete(row["account"], superfluous, QUARANTINE):
                    pass
            except NotOwner:
                continue

    async def _delete(self, account: int, query: str, value: float) -> int:
        """Delete the entries that a query finds, and return how many."""

        async def store(db: Connection) -> int:
            numbers = [row["number"] for row in await db.fetch(query, account, value)]
            return await _delete_entries(db, account, numbers, self)

        return await self._database.writing(account, store)


async def purge(
    database: PostgresDatabase, retention: PostgresRetention, account: int, *, before: float, chats: list[str]
) -> int:
    """Delete entries, sends and timers that are older than a time, or of some chats, or both, and return how many."""
    numbers = await database.reading(lambda db: _old_entries(db, account, before, chats))
    count = 0
    for start in range(0, len(numbers), PIECE):
        piece = numbers[start : start + PIECE]
        count += await database.writing(
            account,
            lambda db, piece=piece: _delete_entries(db, account, piece, retention),  # type: ignore[misc]
        )
    has_more = True
    while has_more:
        rows = await database.writing(account, lambda db: delete_old(PostgresStatements(db, account), before, chats))
        count, has_more = count + rows.counted, rows.has_more
    if not chats:
        await database.writing(account, lambda db: _forget_people(db, account, before))
    return count


async def _old_entries(db: Connection, account: int, before: float, chats: list[str]) -> list[int]:
    """Return the numbers of the entries to purge: those older than a time, or of some chats, or both."""
    query = "SELECT number FROM entries WHERE account = $1 AND batch <> 0 AND ($2::float8 = 0 OR time < $2)"
    if not chats:
        rows = await db.fetch(f"{query} ORDER BY number", account, before)
    else:
        rows = await db.fetch(
            f"{query} AND chat <> '' AND hashtextextended(chat, 0) = ANY (ARRAY("
            "SELECT hashtextextended(c, 0) FROM unnest($3::varchar[]) c)) AND chat = ANY ($3) ORDER BY number",
            account, before, chats,
        )  # fmt: skip
    return [row["number"] for row in rows]


async def _delete_entries(db: Connection, account: int, numbers: Collection[int], retention: PostgresRetention) -> int:
    """
    Delete entries, in the transaction of the caller, and return how many.

    Args:
        db: Connection with a transaction that holds the account.
        account: The account.
        numbers: Numbers of the entries; missing entries are skipped.
        retention: Knows how far consumers have read, and the copies of archived media.
    """
    if not numbers:
        return 0
    rows = await db.fetch(
        "SELECT number, time, batch FROM entries WHERE account = $1 AND batch <> 0 AND number = ANY ($2::bigint[])",
        account, list(numbers),
    )  # fmt: skip
    listed = [row["number"] for row in rows]
    await _leave_gaps(db, account, rows, retention.reached())
    await db.execute(
        "DELETE FROM entries WHERE account = $1 AND batch <> 0 AND number = ANY ($2::bigint[])", account, listed
    )
    statements = PostgresStatements(db, account)
    digests = await digests_of(statements, listed)
    await delete_of_entries(statements, listed)
    await delete_unnamed(statements, retention.copies, digests)
    await _wipe(db, account, {row["batch"] for row in rows})
    return len(rows)


async def _leave_gaps(db: Connection, account: int, rows: list[asyncpg.Record], reached: Mapping[int, int]) -> None:
    """Store gaps in place of entries that consumers have not read."""
    consumers = await db.fetch(
        "SELECT c.consumer, c.acked, array(SELECT number FROM acked_ahead a WHERE a.consumer = c.consumer) AS ahead"
        " FROM consumers c WHERE account = $1 AND name <> $2",
        account, ARCHIVE_CONSUMER,
    )  # fmt: skip
    positions = [(max(row["acked"], reached.get(row["consumer"], 0)), set(row["ahead"])) for row in consumers]
    numbers = [row["number"] for row in rows]
    for number, times in missed_entries([(row["number"], row["time"]) for row in rows], positions).items():
        before = await db.fetchrow(
            "SELECT number, batch, raw FROM entries WHERE account = $1 AND number < $2 AND number <> ALL ($3::bigint[])"
            " ORDER BY number DESC LIMIT 1",
            account, number, numbers,
        )  # fmt: skip
        is_gap = before is not None and before["batch"] == 0
        if is_gap:  # consecutive gaps become one
            await db.execute("DELETE FROM entries WHERE account = $1 AND number = $2", account, before["number"])
        await db.execute(
            "UPDATE entries SET kind = $3, flags = 0, message_id = '', digest = 0, chat = '', batch = 0, start = 0,"
            " length = 0, words = NULL, raw = $4 WHERE account = $1 AND number = $2",
            account, number, KINDS.index("gap"), gap_after_purge(times, before["raw"] if is_gap else None),
        )  # fmt: skip


async def _wipe(db: Connection, account: int, batches: Collection[int]) -> None:
    """Delete those of some batches that have no entries, and blank the bytes of the others to which no entry points."""
    await db.execute(
        "DELETE FROM batches b WHERE b.account = $1 AND b.batch = ANY ($2::bigint[])"
        f" AND NOT EXISTS (SELECT {_OF_BATCH})",
        account, sorted(batches),
    )  # fmt: skip
    left = await db.fetch(
        f"SELECT b.batch, b.body, array(SELECT e.start {_OF_BATCH}) AS starts, array(SELECT e.length {_OF_BATCH})"
        " AS lengths FROM batches b WHERE b.account = $1 AND b.batch = ANY ($2::bigint[])",
        account, sorted(batches),
    )  # fmt: skip
    if left:
        bodies = [blank_packed(row["body"], map(ItemRange, row["starts"], row["lengths"])) for row in left]
        await db.execute(
            "UPDATE batches b SET body = v.body FROM unnest($2::bigint[], $3::bytea[]) AS v (batch, body)"
            " WHERE b.account = $1 AND b.batch = v.batch",
            account, [row["batch"] for row in left], bodies,
        )  # fmt: skip


async def _delete_the_rest(db: Connection, account: int, before: float) -> bool:
    """
    Delete old rows of other tables, gaps that consumers have passed, and contacts of ended logins.

    Returns:
        Whether there is more: rows are deleted in steps.
    """
    if (await delete_old(PostgresStatements(db, account), before)).has_more:
        return True
    await db.execute(
        "DELETE FROM entries WHERE account = $1 AND (flags & 14 <> 0 OR batch = 0) AND batch = 0 AND number <= ("
        " SELECT min(acked) FROM consumers WHERE account = $1 AND name <> $2)",
        account, ARCHIVE_CONSUMER,
    )  # fmt: skip
    await _forget_people(db, account, before)
    return False


async def _forget_people(db: Connection, account: int, before: float) -> None:
    """Delete the contacts of logins that ended before a time; the account's last login is kept."""
    rows = await db.fetch(
        "SELECT login FROM logins l WHERE account = $1 AND last_at < $2"
        " AND EXISTS (SELECT FROM logins n WHERE n.account = l.account AND n.last_at > l.last_at)",
        account, before,
    )  # fmt: skip
    ended = [row["login"] for row in rows]
    if ended:
        await db.execute("DELETE FROM contacts WHERE login = ANY ($1::bigint[])", ended)
        await db.execute("DELETE FROM names WHERE login = ANY ($1::bigint[])", ended)
        await forget_logins(PostgresStatements(db, account), ended)
