"""Find and delete a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.engine.port import drive
from webwx.storage.sqlite.consumers import token_name
from webwx.storage.sqlite.tables import SqliteStatements
from webwx.storage.tables import OF_ACCOUNTS
from webwx.storage.tables.consumers import CONSUMERS
from webwx.storage.tables.states import delete_state

if TYPE_CHECKING:
    import sqlite3


def find_consumer(db: sqlite3.Connection, account: int, name: str) -> int | None:
    """Return the row of a consumer; None if no consumer has this name."""
    found = db.execute("SELECT consumer FROM consumers WHERE account = ? AND name = ?", (account, name)).fetchone()
    return None if found is None else int(found[0])


def delete_consumer(db: sqlite3.Connection, account: int, consumer: int) -> None:
    """Delete a consumer, whose lock the caller holds, with all that belongs to it."""
    of_consumer = [table.name for table in OF_ACCOUNTS if table.of == "consumer"]
    for table in (*of_consumer, CONSUMERS.name):
        db.execute(f"DELETE FROM {table} WHERE consumer = ?", (consumer,))  # noqa: S608 - constants
    drive(delete_state(SqliteStatements(db, account), token_name(consumer)))
