"""The check of the stored bodies of batches, which each engine writes in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.storage.bodies import unpack
from webwx.storage.engine.port import Select

if TYPE_CHECKING:
    from webwx.storage.engine.port import Statements

CHECKED = 100
"""Number of bodies that are checked in one step."""


class DamagedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose stored body cannot be read."""

    number: int
    """Number of its first event."""
    entries: int
    """Number of its events that cannot be read."""
    time: float
    """Time of its arrival, in seconds since 1970 (server's clock)."""


class BodyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of reading all stored bodies of an account."""

    batches: int
    """Number of batches that were read."""
    damaged: tuple[DamagedBatch, ...] = ()


class CheckedBodies(NamedTuple):
    """A part of a check of all bodies."""

    last: int
    """Number of the last batch that was read."""
    batches: int
    damaged: list[DamagedBatch]


class _BatchRow(NamedTuple):
    batch: int
    time: float
    body: bytes


class _InBody(NamedTuple):
    entries: int


_NEXT = Select(
    _BatchRow,
    "SELECT batch, time, body FROM batches WHERE account = $0 AND batch > $1 ORDER BY batch LIMIT $2",
)

_IN_BODY = Select(
    _InBody,
    """
    SELECT count(*) AS entries FROM entries WHERE account = $0 AND batch = $1 AND raw IS NULL AND number >= $1
    AND number < coalesce((SELECT min(batch) FROM batches WHERE account = $0 AND batch > $1), 9223372036854775807)
    """,
)


async def check_bodies(db: Statements, after: int) -> CheckedBodies | None:
    """Read the next bodies of the account after a batch; None: there are no more."""
    rows = await db.all(_NEXT, after, CHECKED)
    if not rows:
        return None
    damaged: list[DamagedBatch] = []
    for row in rows:
        if unpack(row.body) is None:
            found = await db.one(_IN_BODY, row.batch)
            damaged.append(DamagedBatch(number=row.batch, entries=found.entries if found else 0, time=row.time))
    return CheckedBodies(rows[-1].batch, len(rows), damaged)
