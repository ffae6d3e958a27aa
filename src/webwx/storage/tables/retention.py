"""
Deletion of old rows, of the rows of some chats, and of rows of deleted entries, in all tables that say so.

Entries, and what is deleted with logins, are in the retention of each engine.
"""

# ruff: noqa: S608 - only names and conditions of tables are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from webwx.storage.engine.port import Conditions, Select
from webwx.storage.engine.rows import of_account
from webwx.storage.tables.registry import OF_ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.storage.engine.port import Ageing, Statements, StoredTable

STEP = 500
"""Number of rows that one transaction deletes."""

_AGEING = tuple((table, table.ages) for table in OF_ACCOUNTS if table.ages is not None)


class DeletedRows(NamedTuple):
    """The result of a step of a deletion."""

    counted: int
    """Number of deleted rows, without those that a purge does not count."""
    has_more: bool
    """Whether there may be more rows to delete."""


class _AccountRow(NamedTuple):
    account: int


def _old(table: StoredTable, ages: Ageing) -> str:
    """Return the condition for the rows that are older than `$1`."""
    return " AND ".join(filter(None, (of_account(table), f"{ages.time} < $1", ages.only_if, ages.old_if)))


_WITH_OLD = Select(
    _AccountRow,
    "SELECT a.account FROM accounts a WHERE "
    + " OR ".join(
        f"EXISTS (SELECT 1 FROM {table.name} WHERE {_old(table, ages)})".replace("$0", "a.account")
        for table, ages in _AGEING
    )
    + " LIMIT $2",
)


async def accounts_with_old(db: Statements, before: float) -> list[int]:
    """Return some of the journal's accounts that have rows from before a time; none: no account has any."""
    return [row.account for row in await db.all(_WITH_OLD, before, STEP)]


async def delete_old(db: Statements, before: float, chats: Collection[str] = ()) -> DeletedRows:
    """
    Delete some rows of the account that are older than a time, or of some chats, or both; repeat while there are more.

    Args:
        db: The statements of a transaction.
        before: The time, in seconds since 1970; 0: rows of any age.
        chats: The chats; none: all chats.
    """
    counted, left = 0, STEP
    for table, ages in _AGEING:
        matching = Conditions(of_account(table))
        if ages.only_if:
            matching.also(ages.only_if)
        if before:
            matching.also(f"{ages.time} < {{}}", before)
        if chats:
            matching.also("chat = ANY ({}::varchar[])", list(chats))
        elif ages.old_if:
            matching.also(ages.old_if)
        if table.is_numbered:  # the others have few rows
            matching.then("LIMIT {}", left)
            chosen = f"{of_account(table)} AND number IN (SELECT number FROM {table.name} WHERE {matching.text})"
        else:
            chosen = matching.text
        deleted = await db.change(f"DELETE FROM {table.name} WHERE {chosen}", *matching.values)
        counted += deleted if ages.is_counted else 0
        left -= deleted
        if left <= 0:
            return DeletedRows(counted, has_more=True)
    return DeletedRows(counted, has_more=False)


async def delete_of_entries(db: Statements, numbers: Collection[int]) -> None:
    """Delete the rows of the account that are of deleted entries."""
    for table in OF_ACCOUNTS:
        if table.is_of_entries:
            condition = f"{of_account(table)} AND number = ANY ($1::bigint[])"
            await db.change(f"DELETE FROM {table.name} WHERE {condition}", list(numbers))
