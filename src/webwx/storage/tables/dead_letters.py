"""
Failed attempts at entries, dead letters, which a consumer has given up, and their revivals.

All are rows that any process may read and change. A process with open consumers checks the rows every few seconds, so
it also sees what another process has revived.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.storage.deliveries import Revival
from webwx.storage.engine.port import Conditions, Select, StoredTable
from webwx.storage.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from webwx.storage.engine.port import Statements, Tables


FAILURES = StoredTable(
    name="failures",
    of="consumer",
    columns=("number", "state", "attempts", "error", "time"),
    is_of_entries=True,
    copied_as={"state": "CASE state WHEN 'held' THEN 'dead' ELSE state END"},
    ddl="""
CREATE TABLE failures (
    consumer bigint NOT NULL,
    number bigint NOT NULL,                     -- of the entry
    state text NOT NULL,                        -- trying, dead, revived, or held after a restore
    attempts integer NOT NULL,
    error text NOT NULL,
    time float8 NOT NULL,
    PRIMARY KEY (consumer, number)
);
CREATE INDEX failures_revived ON failures (consumer, number) WHERE state = 'revived';
CREATE INDEX failures_held ON failures (consumer, number) WHERE state = 'held';
""",
)


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: an entry that a consumer has given up."""

    entry: Entry
    attempts: int
    error: str
    """Type of the error and where it was raised; never its text, which may hold private content."""
    time: float


class _DeadRow(NamedTuple):
    number: int
    attempts: int
    error: str
    time: float


_OF_CONSUMER = "consumer = (SELECT consumer FROM consumers WHERE account = $0 AND webwx_key(name) = webwx_key({}))"

_DEAD = "SELECT number, attempts, error, time FROM failures WHERE "

_REVIVE = (
    "UPDATE failures SET state = 'revived', time = $3"  # noqa: S608 - constants
    f" WHERE {_OF_CONSUMER.format('$1')} AND number = $2 AND state = 'dead'"
)


class StoredDeadLetters:
    """
    The dead letters of an account's consumers.

    Args:
        tables: The account's tables.
        entries_of: Returns the entries with these numbers, without those that were deleted.
    """

    def __init__(self, tables: Tables, entries_of: Callable[[Collection[int]], Awaitable[list[Entry]]]) -> None:
        self._tables = tables
        self._entries_of = entries_of

    def __repr__(self) -> str:
        return "StoredDeadLetters(***)"

    async def find(self, consumer: str, *, limit: int, before: int | None) -> list[DeadLetterRow]:
        """Return a consumer's dead letters, the newest first; with `before`, only those with smaller numbers."""
        matching = Conditions(f"{_OF_CONSUMER} AND state = 'dead'", consumer)
        if before is not None:
            matching.also("number < {}", before)
        matching.then("ORDER BY number DESC LIMIT {}", limit)
        select = Select(_DeadRow, _DEAD + matching.text)
        rows = await self._tables.read(lambda db: db.all(select, *matching.values))
        entries = {entry.number: entry for entry in await self._entries_of([row.number for row in rows])}
        return [
            DeadLetterRow(entry=entries[row.number], attempts=row.attempts, error=row.error, time=row.time)
            for row in rows
            if row.number in entries
        ]

    async def revive(self, consumer: str, number: int) -> bool:
        """Store that a dead letter is to be delivered again, and return whether it existed."""
        return await self._tables.change(_REVIVE, consumer, number, time.time()) == 1


class _RevivedRow(NamedTuple):
    number: int
    time: float
    attempts: int


class _ConsumerRow(NamedTuple):
    consumer: int


class FailedEntry(NamedTuple):
    """An entry with failed attempts."""

    number: int
    attempts: int
    state: str
    """As in the rows."""


FAILURES_AFTER = """
SELECT number, attempts, state FROM failures
WHERE consumer = {consumer} AND number > {acked} AND number < 9223372036854775807
UNION ALL SELECT number, attempts, state FROM failures INDEXED BY failures_revived
WHERE consumer = {consumer} AND state = 'revived' AND number <= {acked}
"""
"""
Failed attempts at entries that may be delivered again, so without the dead letters that the cursor has passed.

Without an upper limit, PostgreSQL would expect a third of all rows, and read the whole table.
"""

_AFTER = Select(FailedEntry, f"{FAILURES_AFTER.format(consumer='$1', acked='$2')} ORDER BY number")

_REVIVED = Select(
    _RevivedRow,
    "SELECT number, time, attempts FROM failures INDEXED BY failures_revived"
    " WHERE consumer = $1 AND state = 'revived' ORDER BY number",
)

_WITH_REVIVED = Select(
    _ConsumerRow, "SELECT DISTINCT consumer FROM failures INDEXED BY failures_revived WHERE state = 'revived'"
)

_PUT_FAILURE = """
INSERT INTO failures (consumer, number, state, attempts, error, time) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (consumer, number) DO UPDATE SET
    state = excluded.state, attempts = excluded.attempts, error = excluded.error, time = excluded.time
"""

_FORGET_FAILURES = "DELETE FROM failures WHERE consumer = $1 AND state <> 'dead' AND number = ANY ($2::bigint[])"


class StoredFailures:
    """
    The failed attempts of one consumer.

    Args:
        tables: The account's tables.
        consumer: The consumer's row.
    """

    def __init__(self, tables: Tables, consumer: int) -> None:
        self._tables = tables
        self._consumer = consumer

    def __repr__(self) -> str:
        return "StoredFailures(***)"

    async def put(
        self, number: int, state: Literal["trying", "revived", "dead"], attempts: int, error: str, at: float
    ) -> None:  # fmt: skip
        """
        Store the failed attempts at an entry.

        Args:
            number: The entry.
            state: `dead` if it is given up; `revived` if it was before, and the cursor has passed it.
            attempts: Number of failed attempts.
            error: The last error, as in `DeadLetterRow`.
            at: Time of the last attempt, or of the revival, in seconds since 1970.
        """
        await self._tables.change(_PUT_FAILURE, self._consumer, number, state, attempts, error, at)

    async def revived(self) -> dict[int, Revival]:
        """Return the revived dead letters that are not acknowledged yet, by number."""
        rows = await self._tables.read(lambda db: db.all(_REVIVED, self._consumer))
        return {row.number: Revival(row.time, row.attempts) for row in rows}


async def failures_after(db: Statements, consumer: int, acked: int) -> list[FailedEntry]:
    """Return the failed attempts at entries after a position, and at revived ones, in the order of their numbers."""
    return await db.all(_AFTER, consumer, acked)


async def consumers_with_revivals(db: Statements) -> set[int]:
    """Return the rows of all consumers with revived dead letters."""
    return {row.consumer for row in await db.all(_WITH_REVIVED)}


async def forget_failures(db: Statements, consumer: int, numbers: Collection[int]) -> None:
    """Delete the failed attempts at entries that are acknowledged; dead letters stay."""
    await db.change(_FORGET_FAILURES, consumer, list(numbers))
