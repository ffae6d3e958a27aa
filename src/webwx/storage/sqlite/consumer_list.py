"""The list of an account's consumers, and the deletion of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.base import ConsumerPosition
from webwx.storage.sqlite.consumers import token_name

if TYPE_CHECKING:
    import sqlite3


def find_consumer(db: sqlite3.Connection, account: int, name: str) -> int | None:
    """Return the row of a consumer; None if no consumer has this name."""
    found = db.execute("SELECT consumer FROM consumers WHERE account = ? AND name = ?", (account, name)).fetchone()
    return None if found is None else int(found[0])


def read_consumers(db: sqlite3.Connection, account: int) -> list[ConsumerPosition]:
    """Return the consumers of an account in the order of their names."""
    rows = db.execute(
        "SELECT name, acked,"
        " (SELECT count(*) FROM entries e WHERE e.number > c.acked AND e.account = c.account)"
        " - (SELECT count(*) FROM ahead a JOIN entries e USING (number)"
        "    WHERE a.consumer = c.consumer AND a.number > c.acked),"
        " (SELECT count(*) FROM failures f WHERE f.consumer = c.consumer AND f.state = 'dead')"
        " FROM consumers c WHERE c.account = ?",
        (account,),
    ).fetchall()
    return [
        ConsumerPosition(name=name, acked=acked, waiting=waiting, dead_letters=dead)
        for name, acked, waiting, dead in sorted(rows)
    ]


def delete_consumer(db: sqlite3.Connection, account: int, consumer: int) -> None:
    """Delete a consumer, whose lock the caller holds, with all that belongs to it."""
    for table in ("ahead", "failures", "deaths", "conversations", "consumers"):
        db.execute(f"DELETE FROM {table} WHERE consumer = ?", (consumer,))  # noqa: S608 - constants
    db.execute("DELETE FROM states WHERE account = ? AND name = ?", (account, token_name(consumer)))
