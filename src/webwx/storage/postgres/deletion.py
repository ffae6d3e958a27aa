"""
The deletion of an account from the database.

The rows are deleted in pieces, each in a transaction of its own, because an account may have millions of them. The last
transaction deletes the consumers and the logins, so a deletion that was interrupted can be repeated until it is done.
The row of the account itself stays, with a new epoch and with its numbers: a process that still knows the account
cannot write to it, and an entry that arrives after a new login has a number that no reader has seen.
"""

# ruff: noqa: S608 - only constants are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.refusals import NotOwner

if TYPE_CHECKING:
    from webwx.storage.postgres.database import Connection, PostgresDatabase

_PIECE = 5_000
"""Number of rows deleted in one transaction."""

_OF_ACCOUNT = "account = $1"

_OF_LOGINS = "login IN (SELECT login FROM logins WHERE account = $1)"

_IN_PIECES = {
    "entries": _OF_ACCOUNT,
    "batches": _OF_ACCOUNT,
    "media": _OF_ACCOUNT,
    "media_pieces": _OF_ACCOUNT,
    "send_pieces": _OF_ACCOUNT,
    "outbox": _OF_ACCOUNT,
    "timers": _OF_ACCOUNT,
    "contacts": _OF_LOGINS,
    "names": _OF_LOGINS,
    "links": _OF_ACCOUNT,
    "evidence": _OF_ACCOUNT,
    "origins": _OF_ACCOUNT,
    "identities": _OF_ACCOUNT,
    "never_matched": _OF_ACCOUNT,
    "real_ids": _OF_ACCOUNT,
}
"""Tables with many rows of an account, and the condition for its rows."""

_AT_ONCE = ("states", "consumers", "logins", "login_names")
"""Tables with few rows of an account; what belongs to a consumer is deleted with it."""


async def delete_account(database: PostgresDatabase, account: int) -> None:
    """
    Delete all rows of an account, in the thread of the connections.

    Raises:
        NotOwner: A worker owns the account.
    """
    for table, condition in _IN_PIECES.items():
        while await database.writing(account, lambda db: _delete_piece(db, account, table, condition)):  # noqa: B023 - awaited at once
            pass

    async def delete_rest(db: Connection) -> None:
        if await db.fetchval("SELECT worker IS NOT NULL FROM accounts WHERE account = $1", account):
            raise NotOwner("A worker has taken this account meanwhile.")
        for table, condition in _IN_PIECES.items():  # rows that were stored meanwhile
            await db.execute(f"DELETE FROM {table} WHERE {condition}", account)
        for table in _AT_ONCE:
            await db.execute(f"DELETE FROM {table} WHERE account = $1", account)
        await db.execute(
            "UPDATE accounts SET epoch = epoch + 1, wanted = false, conflicts = 0 WHERE account = $1", account
        )

    await database.writing(account, delete_rest)


async def _delete_piece(db: Connection, account: int, table: str, condition: str) -> bool:
    """Delete some rows, and return whether there may be more."""
    deleted: str = await db.execute(
        f"DELETE FROM {table} WHERE ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {condition} LIMIT {_PIECE}))",
        account,
    )
    return deleted == f"DELETE {_PIECE}"
