"""The revived dead letters of consumers, as their cursors read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.deliveries import Revival
from webwx.storage.sqlite.bulk import select_numbers

if TYPE_CHECKING:
    import sqlite3


def consumers_with_revivals(db: sqlite3.Connection) -> set[int]:
    """Return the rows of all consumers with revived dead letters."""
    return set(
        select_numbers(
            db, "SELECT consumer AS number FROM failures INDEXED BY failures_revived WHERE state = 'revived'", ()
        )
    )


def read_revivals(db: sqlite3.Connection, consumer: int) -> dict[int, Revival]:
    """Return a consumer's revived dead letters that are not acknowledged yet, by number."""
    return {
        number: Revival(at, attempts)
        for number, at, attempts in db.execute(
            "SELECT number, time, attempts FROM failures INDEXED BY failures_revived"
            " WHERE consumer = ? AND state = 'revived' ORDER BY number",
            (consumer,),
        )
    }
