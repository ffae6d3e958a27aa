"""The deletion of a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.postgres.consumers import lock_consumer

if TYPE_CHECKING:
    from webwx.storage.postgres.database import PostgresDatabase


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
    release = await lock_consumer(database, account, name, lock)
    try:
        gone = await database.writing(
            account,
            lambda db: db.fetchval(
                "DELETE FROM consumers WHERE account = $1 AND lock = $2 RETURNING true", account, lock
            ),
        )
    finally:
        await release()
    return gone is not None
