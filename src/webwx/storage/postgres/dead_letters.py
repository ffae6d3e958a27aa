"""Dead letters: entries that a consumer has given up, and their revivals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from webwx.storage.base import DeadLetterRow
from webwx.storage.postgres.entries import read_numbers

if TYPE_CHECKING:
    from webwx.storage.postgres.database import Connection

_OF = "consumer = (SELECT consumer FROM consumers WHERE account = $1 AND webwx_key(name) = webwx_key($2))"


async def read_dead_letters(
    db: Connection, account: int, consumer: str, limit: int, before: int | None
) -> list[DeadLetterRow]:
    """Return a consumer's dead letters before a number, the newest first."""
    rows = await db.fetch(
        f"SELECT number, attempts, error, time FROM failures WHERE {_OF} AND state = 'dead'"  # noqa: S608 - a constant
        " AND number < coalesce($4::bigint, 9223372036854775807) ORDER BY number DESC LIMIT $3",
        account, consumer, limit, before,
    )  # fmt: skip
    entries = {entry.number: entry for entry in await read_numbers(db, account, [row["number"] for row in rows])}
    return [
        DeadLetterRow(
            entry=entries[row["number"]], attempts=row["attempts"], error=row["error"], time=row["time"]
        )
        for row in rows
        if row["number"] in entries
    ]  # fmt: skip


async def revive(db: Connection, account: int, consumer: str, number: int) -> bool:
    """Store that a dead letter is to be delivered again, and return whether it existed."""
    changed = await db.fetchval(
        f"UPDATE failures SET state = 'revived', time = $4 WHERE {_OF} AND number = $3 AND state = 'dead'"  # noqa: S608 - a constant
        " RETURNING true",
        account, consumer, number, time.time(),
    )  # fmt: skip
    return changed is not None
