"""The counts of an account's rows in several tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from webwx.storage.engine.port import Select

if TYPE_CHECKING:
    from webwx.storage.engine.port import Statements


class RowCounts(NamedTuple):
    """Counts of an account's rows, as in `Stats`."""

    entries: int
    batches: int
    conflicts: int
    dead_letters: int
    kept: int
    kept_size: int


_COUNTS = Select(
    RowCounts,
    """
    SELECT (SELECT count(*) FROM entries WHERE account = $0) AS entries,
        (SELECT count(*) FROM batches WHERE account = $0) AS batches,
        coalesce((SELECT conflicts FROM accounts WHERE account = $0), 0) AS conflicts,
        (SELECT count(*) FROM failures WHERE state = 'dead'
            AND consumer IN (SELECT consumer FROM consumers WHERE account = $0)) AS dead_letters,
        (SELECT count(*) FROM media WHERE account = $0 AND digest <> '') AS kept,
        (SELECT coalesce(sum(size), 0)::bigint FROM media WHERE account = $0 AND digest <> '') AS kept_size
    """,
)


async def count_rows(db: Statements) -> RowCounts:
    """Return the counts of the account's rows."""
    [counts] = await db.all(_COUNTS)
    return counts
