"""
Dead letters: entries that a consumer has given up, and their revivals.

Both are rows that any process may read and change. A process with open consumers checks the rows every few seconds, so
it also sees what another process has revived.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from webwx.storage.base import DeadLetterRow
from webwx.storage.deliveries import Revival
from webwx.storage.sqlite.bulk import select_numbers
from webwx.storage.sqlite.entries import read_entries

if TYPE_CHECKING:
    import sqlite3

_OF = "consumer = (SELECT consumer FROM consumers WHERE account = ? AND name = ?)"


def read_dead_letters(
    db: sqlite3.Connection, account: int, consumer: str, limit: int, before: int | None
) -> list[DeadLetterRow]:
    """Return a consumer's dead letters before a number, the newest first."""
    dead = {
        number: (attempts, error, at)
        for number, attempts, error, at in db.execute(
            f"SELECT number, attempts, error, time FROM failures WHERE {_OF} AND state = 'dead'"  # noqa: S608 - a constant
            " AND number < ifnull(?, 9223372036854775807) ORDER BY number DESC LIMIT ?",
            (account, consumer, before, limit),
        )
    }
    entries = {entry.number: entry for entry in read_entries(db, dead)}
    return [
        DeadLetterRow(entry=entries[number], attempts=attempts, error=error, time=at)
        for number, (attempts, error, at) in dead.items()
        if number in entries
    ]


def revive(db: sqlite3.Connection, account: int, consumer: str, number: int) -> bool:
    """Store that a dead letter is to be delivered again, and return whether it existed."""
    changed = db.execute(
        f"UPDATE failures SET state = 'revived', time = ? WHERE {_OF} AND number = ? AND state = 'dead'",  # noqa: S608 - a constant
        (time.time(), account, consumer, number),
    )
    return changed.rowcount > 0


def consumers_with_revivals(db: sqlite3.Connection) -> set[int]:
    """Return the rows of all consumers with revived dead letters."""
    return set(
        select_numbers(db, "SELECT consumer AS number FROM failures INDEXED BY revived WHERE state = 'revived'", ())
    )


def read_revivals(db: sqlite3.Connection, consumer: int) -> dict[int, Revival]:
    """Return a consumer's revived dead letters that are not acknowledged yet, by number."""
    return {
        number: Revival(at, attempts)
        for number, at, attempts in db.execute(
            "SELECT number, time, attempts FROM failures INDEXED BY revived"
            " WHERE consumer = ? AND state = 'revived' ORDER BY number",
            (consumer,),
        )
    }
