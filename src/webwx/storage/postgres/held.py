"""
Events and timers that are held after a restore, because the database may have lost what was done for them.

A held event is a row of `failures` in state `held`, and is acknowledged as a dead letter is. A release makes it a
revived one, so that its consumer takes it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.restored import HeldWork
from webwx.storage.tables.media import ARCHIVE_CONSUMER

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.storage.postgres.database import Connection

NAME_OF = "coalesce((SELECT n.name FROM login_names n WHERE n.account = {} ORDER BY n.opened_at DESC LIMIT 1), '')"
"""Expression for the name of the last login of an account; empty for none."""

_EVENTS = "consumer IN (SELECT consumer FROM consumers WHERE account = ANY ($1) AND ($2 = '' OR name = $2))"
_TIMERS = "account = ANY ($1) AND ($2 = '' OR bot = $2)"


async def hold_entries(db: Connection, consumer: int, numbers: Collection[int], time: float) -> None:
    """Hold entries of a consumer."""
    await db.execute(
        "INSERT INTO failures SELECT $1, n, 'held', 0, '', $3 FROM unnest($2::bigint[]) n"
        " ON CONFLICT (consumer, number) DO UPDATE SET state = 'held', time = excluded.time",
        consumer, list(numbers), time,
    )  # fmt: skip


async def hold_all(db: Connection, time: float) -> None:
    """Hold all entries that no consumer has acknowledged, and the timers that are due; move the cursors to the end."""
    await db.execute(
        "INSERT INTO failures SELECT c.consumer, e.number, 'held', 0, '', $2"
        " FROM consumers c JOIN entries e ON e.account = c.account AND e.number > c.acked"
        " WHERE c.name <> $1 AND NOT EXISTS ("
        " SELECT FROM acked_ahead a WHERE a.consumer = c.consumer AND a.number = e.number)"
        " ON CONFLICT (consumer, number) DO UPDATE SET state = 'held', time = excluded.time"
        " WHERE failures.state <> 'dead'",
        ARCHIVE_CONSUMER, time,
    )  # fmt: skip
    of_others = "consumer IN (SELECT consumer FROM consumers WHERE name <> $1)"
    await db.execute(
        f"UPDATE failures SET state = 'held', time = $2 WHERE state = 'revived' AND {of_others}",  # noqa: S608 - constants
        ARCHIVE_CONSUMER, time,
    )  # fmt: skip
    for table in ("acked_ahead", "crashes"):
        await db.execute(f"DELETE FROM {table} WHERE {of_others}", ARCHIVE_CONSUMER)  # noqa: S608 - constants
    await db.execute(
        "UPDATE consumers c SET acked = a.last_number, started = a.last_number, isolated_to = 0, is_open = false"
        " FROM accounts a WHERE a.account = c.account AND c.name <> $1",
        ARCHIVE_CONSUMER,
    )
    await db.execute("UPDATE timers SET state = 'held' WHERE state = 'waiting' AND due_at <= $1", time)
    # The time-out of a conversation is called once, and it may have been.
    await db.execute("UPDATE conversations SET deadline = NULL WHERE deadline <= $1", time)


async def read_held(db: Connection) -> list[HeldWork]:
    """Return what is held, for each consumer."""
    rows = await db.fetch(
        f"SELECT {NAME_OF.format('h.account')} AS account, consumer, sum(events)::bigint AS events,"  # noqa: S608 - constants
        " sum(timers)::bigint AS timers FROM ("
        "  SELECT c.account, c.name AS consumer, count(*) AS events, 0 AS timers"
        "   FROM failures f JOIN consumers c USING (consumer) WHERE f.state = 'held' GROUP BY 1, 2"
        "  UNION ALL SELECT account, bot, 0, count(*) FROM timers WHERE state = 'held' GROUP BY 1, 2"
        ") h GROUP BY h.account, consumer ORDER BY 1, 2"
    )
    return [HeldWork(**dict(row.items())) for row in rows]


async def release_held(db: Connection, account: str, consumer: str, time: float) -> HeldWork:
    """Deliver held entries again, and let held timers wait; without a consumer, end the holding of accounts."""
    accounts = await _accounts(db, account)
    if not consumer:
        await db.execute("UPDATE accounts SET restored_at = 0 WHERE account = ANY ($1::bigint[])", accounts)
    events = await db.execute(
        f"UPDATE failures SET state = 'revived', time = $3 WHERE state = 'held' AND {_EVENTS}",  # noqa: S608 - constants
        accounts, consumer, time,
    )  # fmt: skip
    timers = await db.execute(
        f"UPDATE timers SET state = 'waiting', changed_at = $3 WHERE state = 'held' AND {_TIMERS}",  # noqa: S608 - constants
        accounts, consumer, time,
    )  # fmt: skip
    return _counted(account, consumer, events, timers)


async def drop_held(db: Connection, account: str, consumer: str, time: float) -> HeldWork:
    """Forget held entries, and cancel held timers."""
    accounts = await _accounts(db, account)
    events = await db.execute(f"DELETE FROM failures WHERE state = 'held' AND {_EVENTS}", accounts, consumer)  # noqa: S608 - constants
    timers = await db.execute(
        f"UPDATE timers SET state = 'cancelled', changed_at = $3 WHERE state = 'held' AND {_TIMERS}",  # noqa: S608 - constants
        accounts, consumer, time,
    )  # fmt: skip
    return _counted(account, consumer, events, timers)


async def _accounts(db: Connection, name: str) -> list[int]:
    """Return the accounts whose last login has a name, with or without its place; all for an empty name."""
    rows = await db.fetch(
        f"SELECT account FROM (SELECT a.account, {NAME_OF.format('a.account')} AS name FROM accounts a) named"  # noqa: S608 - constants
        " WHERE $1 IN ('', name, split_part(name, '/', 1))",
        name,
    )
    return [row["account"] for row in rows]


def _counted(account: str, consumer: str, events: str, timers: str) -> HeldWork:
    """Return the numbers of rows from the tags of two statements."""
    counts = [int(tag.rpartition(" ")[2]) for tag in (events, timers)]
    return HeldWork(account=account, consumer=consumer, events=counts[0], timers=counts[1])
