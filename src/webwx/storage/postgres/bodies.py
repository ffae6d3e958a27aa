"""The check of the stored bodies of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webwx.storage.base import DamagedBatch
from webwx.storage.bodies import CheckedBodies, unpack

if TYPE_CHECKING:
    import asyncpg

    from webwx.storage.postgres.database import Connection

_CHECKED = 100
"""Number of bodies that are checked in one step."""


async def check_bodies(
    db: Connection | asyncpg.Connection[asyncpg.Record], account: int, after: int
) -> CheckedBodies | None:
    """Read the next bodies of an account after a batch; None: there are no more."""
    rows = await db.fetch(
        "SELECT batch, time, body FROM batches WHERE account = $1 AND batch > $2 ORDER BY batch LIMIT $3",
        account, after, _CHECKED,
    )  # fmt: skip
    if not rows:
        return None
    damaged = [await _describe(db, account, row) for row in rows if unpack(row["body"]) is None]
    return CheckedBodies(rows[-1]["batch"], len(rows), damaged)


async def _describe(db: Any, account: int, row: asyncpg.Record) -> DamagedBatch:
    entries = await db.fetchval(
        "SELECT count(*) FROM entries WHERE account = $1 AND batch = $2 AND raw IS NULL AND number >= $2 AND number < "
        "coalesce((SELECT min(batch) FROM batches WHERE account = $1 AND batch > $2), 9223372036854775807)",
        account, row["batch"],
    )  # fmt: skip
    return DamagedBatch(number=row["batch"], entries=entries, time=row["time"])
