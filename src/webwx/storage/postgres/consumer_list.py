"""The list of an account's consumers, and the deletion of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.base import ConsumerPosition
from webwx.storage.postgres.consumers import lock_consumer

if TYPE_CHECKING:
    from webwx.storage.postgres.database import Connection, PostgresDatabase


async def read_consumers(db: Connection, account: int) -> list[ConsumerPosition]:
    """Return the consumers of an account in the order of their names."""
    rows = await db.fetch(
        "SELECT name, acked,"
        " (SELECT count(*) FROM entries e WHERE e.account = $1 AND e.number > c.acked)"
        " - (SELECT count(*) FROM ahead a JOIN entries e ON e.account = $1 AND e.number = a.number"
        "    WHERE a.consumer = c.consumer AND a.number > c.acked) AS waiting,"
        " (SELECT count(*) FROM failures f WHERE f.consumer = c.consumer AND f.state = 'dead') AS dead_letters"
        " FROM consumers c WHERE c.account = $1",
        account,
    )
    return sorted((ConsumerPosition(**dict(row.items())) for row in rows), key=lambda each: each.name)


async def forget_consumer(database: PostgresDatabase, account: int, name: str) -> bool:
    """
    Delete a consumer with all that belongs to it, in the thread of the connections, and return whether it existed.

    Raises:
        AlreadyRunning: The consumer is open.
    """
    lock = await database.reading(
        lambda db: db.fetchval(
            "SELECT lock FROM consumers WHERE account = $1 AND webwx_key(name) = webwx_key($2)", account, name
        )
    )
    if lock is None:
        return False
    await lock_consumer(database, name, lock)
    try:
        gone = await database.writing(
            account,
            lambda db: db.fetchval(
                "DELETE FROM consumers WHERE account = $1 AND lock = $2 RETURNING true", account, lock
            ),
        )
    finally:
        await database.locks.release(lock)
    return gone is not None
