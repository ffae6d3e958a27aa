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

from webwx.storage.engine.rows import of_account
from webwx.storage.postgres.tables import PostgresStatements
from webwx.storage.refusals import NotOwner
from webwx.storage.tables.consumers import CONSUMERS
from webwx.storage.tables.engine_tables import LOGINS
from webwx.storage.tables.registry import OF_ACCOUNTS

if TYPE_CHECKING:
    from webwx.storage.postgres.database import Connection, PostgresDatabase

_PIECE = 5_000
"""Number of rows deleted in one transaction."""

_OF_DATABASE = ("media_pieces", "send_pieces", "entry_blocks")
"""Tables of accounts that only a database has."""

_DELETED = {
    **dict.fromkeys(_OF_DATABASE, "account = $0"),
    **{table.name: of_account(table) for table in reversed(OF_ACCOUNTS)},
}
"""The tables with rows of accounts, each before the one that its rows belong to, and the condition for these rows."""

_OWNERS = (CONSUMERS.name, LOGINS.name)
"""Tables whose rows say which rows of others are deleted, so they are deleted in the last transaction only."""


async def delete_account(database: PostgresDatabase, account: int) -> None:
    """
    Delete all rows of an account, in the thread of the connections.

    Raises:
        NotOwner: A worker owns the account.
    """
    for table in _DELETED:
        while table not in _OWNERS and await database.writing(account, lambda db: _delete_piece(db, account, table)):  # noqa: B023 - awaited at once
            pass

    async def delete_rest(db: Connection) -> None:
        if await db.fetchval("SELECT worker IS NOT NULL FROM accounts WHERE account = $1", account):
            raise NotOwner("A worker has taken this account meanwhile.")
        statements = PostgresStatements(db, account)
        for table, condition in _DELETED.items():  # also rows that were stored meanwhile
            await statements.change(f"DELETE FROM {table} WHERE {condition}")
        await db.execute("DELETE FROM login_names WHERE account = $1", account)
        await db.execute(
            "UPDATE accounts SET epoch = epoch + 1, wanted = false, conflicts = 0 WHERE account = $1", account
        )

    await database.writing(account, delete_rest)


async def _delete_piece(db: Connection, account: int, table: str) -> bool:
    """Delete some rows, and return whether there may be more."""
    chosen = f"SELECT ctid FROM {table} WHERE {_DELETED[table]} LIMIT {_PIECE}"
    deleted = await PostgresStatements(db, account).change(f"DELETE FROM {table} WHERE ctid = ANY (ARRAY ({chosen}))")
    return deleted == _PIECE
