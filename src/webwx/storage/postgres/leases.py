"""
The leases of workers and accounts in a PostgreSQL database.

A claim locks the accounts that it takes and skips those that are locked. Under READ COMMITTED, PostgreSQL evaluates a
condition again after it has locked a row that was changed meanwhile, but only with the new version of this row: rows of
other tables stay as the statement saw them when it began. So the condition stands on the account's row alone
(`FREE`); a condition such as `NOT EXISTS (a live worker)` would let two workers take the same account.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from webwx.override import override
from webwx.storage.leases import Leases, OwnedAccount, Renewal, WorkerRow
from webwx.storage.postgres.database import PostgresDatabase, application_of, transaction
from webwx.storage.postgres.schema import PreparedSchema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from webwx.storage.leases import LeaseTimes, WorkerHealth
    from webwx.storage.postgres.database import Connection
    from webwx.storage.refusals import Fence

T = TypeVar("T")

FREE = "a.worker IS NULL OR a.worker = ANY (ARRAY (SELECT w.worker FROM workers w WHERE w.expires <= now()))"
"""Condition for an account that a worker may take."""

_SHARE = """
WITH live AS (
    SELECT capacity::numeric, least(capacity, coalesce(weight, capacity))::numeric AS weight FROM workers
    WHERE expires > now() AND NOT draining AND capacity > 0
), level AS (
    SELECT max(((SELECT count(*) FROM accounts WHERE wanted) - full_ones) / others) AS level FROM (
        SELECT coalesce(sum(capacity) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS full_ones,
            sum(weight) OVER (earlier ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS others
        FROM live WINDOW earlier AS (ORDER BY capacity / weight)
    ) filled
)
SELECT CASE WHEN me.draining OR me.capacity = 0 THEN 0 ELSE
    least(me.capacity, greatest(0, ceil(round(coalesce(me.weight, me.capacity) * level, 6))))
END::bigint FROM workers me LEFT JOIN level ON true WHERE me.worker = $1 AND me.expires > now()
"""
"""
The worker's share: the accounts are divided by the weights, which are the capacities unless a worker lags, and rounded
up. What exceeds the capacity of a worker is divided among the others: accounts per weight are as many as if the workers
with the least room for their weight were full, for the number of full ones that makes them most. No row if the lease
has expired. The sum of all shares is not less than the number of accounts, unless the capacities are exceeded.
"""

CLAIM = f"""
WITH free AS MATERIALIZED (
    SELECT a.account FROM accounts a WHERE a.wanted AND ({FREE})
    LIMIT (SELECT greatest(0, ({_SHARE}) - (SELECT count(*) FROM accounts WHERE worker = $1)))
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE accounts a SET worker = $1, epoch = a.epoch + 1, taken_at = now() FROM free f WHERE a.account = f.account
    RETURNING a.account, a.epoch
), doubtful AS (
    UPDATE outbox o SET state = 'unknown', sender = '' FROM taken t
    WHERE o.account = t.account AND o.state = 'sending' AND o.epoch < t.epoch
)
SELECT account, epoch FROM taken
"""  # noqa: S608 - constants
"""Takes accounts; `$1` is the worker. `state` is named twice because the index of open sends holds both states."""

_DEAD = """
SELECT w.worker FROM workers w WHERE w.expires <= now() AND w.worker <> $1
    AND EXISTS (SELECT FROM accounts a WHERE a.worker = w.worker AND a.wanted)
"""

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY ($1::text[])"
"""
Ends the sessions of dead workers: a stopped process, or one behind a broken network, keeps its sessions, and with them
the locks of rows and consumers. A worker that is alive connects again.
"""

_OWNED = """
SELECT a.account, a.worker, w.address, a.epoch, a.wanted AS is_wanted,
    extract(epoch FROM a.taken_at)::float8 AS taken_at
FROM accounts a LEFT JOIN workers w USING (worker)
"""

_RESET_STEP = 1_000_000
"""Number of epochs that a reset skips: more than a standby can lag behind."""

_JOBS = 2
"""Number of connections for all calls but the renewals."""

_FORGET_AFTER = "1 hour"
"""Time after which a worker whose lease has expired is removed."""


class PostgresLeases(Leases):
    """
    The leases of one database; `Leases` states the guarantees.

    Args:
        url: The URL of the database, as for `psql`.
        times: Times of the leases.
    """

    def __init__(self, url: str, times: LeaseTimes) -> None:
        schema = PreparedSchema()
        self._database = PostgresDatabase(url, timeout=times.timeout, schema=schema, jobs=_JOBS)
        self._for_renewals = PostgresDatabase(url, timeout=times.timeout, schema=schema, jobs=1)
        """Has one connection, so that no other statement delays the renewal of a lease."""
        self._times = times

    def __repr__(self) -> str:
        return f"PostgresLeases({self._database!r})"

    async def join(self, worker: str, address: str, capacity: int) -> float:
        """Add a worker, with a lease that begins now; remove workers whose leases have expired long ago."""

        async def store(db: Connection) -> float:
            await db.execute(
                "DELETE FROM workers w WHERE expires < now() - $1::text::interval"
                " AND NOT EXISTS (SELECT FROM accounts a WHERE a.worker = w.worker)",
                _FORGET_AFTER,
            )
            time: float = await db.fetchval(
                "INSERT INTO workers (worker, address, capacity, expires)"
                " VALUES ($1, $2, $3, now() + make_interval(secs => $4))"
                " ON CONFLICT (worker) DO UPDATE SET expires = excluded.expires, renewed = now()"
                " RETURNING extract(epoch FROM now())::float8",
                worker, address, capacity, self._times.lease,
            )  # fmt: skip
            return time

        return await self._change(store, self._for_renewals)

    async def renew(self, worker: str, health: WorkerHealth | None = None) -> Renewal | None:
        """Renew the lease of a worker; None if it was removed."""
        given = (None, None, None) if health is None else (health.weight, health.loop_lag, health.failed_bots)

        async def store(db: Connection) -> Renewal | None:
            row = await db.fetchrow(
                "UPDATE workers SET expires = now() + make_interval(secs => $2), renewed = now(),"
                " weight = coalesce($3, weight), loop_lag = coalesce($4, loop_lag),"
                " failed_bots = coalesce($5, failed_bots)"
                " WHERE worker = $1 RETURNING draining, extract(epoch FROM now())::float8 AS time",
                worker, self._times.lease, *given,
            )  # fmt: skip
            if row is None:
                return None
            share = await db.fetchval(_SHARE, worker) or 0
            return Renewal(is_draining=row["draining"], share=share, time=row["time"])

        return await self._change(store, self._for_renewals)

    @override
    async def held(self, worker: str) -> dict[int, int]:
        return await self._read(lambda db: _epochs(db, "SELECT account, epoch FROM accounts WHERE worker = $1", worker))

    async def claim(self, worker: str) -> dict[int, int]:
        """Take accounts up to the worker's share, and end the sessions of dead workers."""

        async def take(db: Connection) -> dict[int, int]:
            dead = [row["worker"] for row in await db.fetch(_DEAD, worker)]
            if dead:
                await db.execute(_END_SESSIONS, [application_of(each) for each in dead])
            elif not await db.fetchval("SELECT EXISTS (SELECT FROM accounts WHERE worker IS NULL AND wanted)"):
                return {}
            return await _epochs(db, CLAIM, worker)

        return await self._change(take)

    @override
    async def release(self, worker: str, fences: Collection[Fence], *, is_wanted: bool = True) -> None:
        columns = [each.account for each in fences], [each.epoch for each in fences]
        await self._change(
            lambda db: db.execute(
                "UPDATE accounts a SET worker = NULL, wanted = $4"
                " FROM unnest($2::bigint[], $3::bigint[]) AS f (account, epoch)"
                " WHERE a.account = f.account AND a.epoch = f.epoch AND a.worker = $1",
                worker, *columns, is_wanted,
            )
        )  # fmt: skip

    @override
    async def want(self, account: int) -> None:
        await self._change(
            lambda db: db.execute("UPDATE accounts SET wanted = true WHERE account = $1 AND NOT wanted", account)
        )

    @override
    async def drain(self, worker: str) -> bool:
        return await self._change(
            lambda db: db.fetchval("UPDATE workers SET draining = true WHERE worker = $1 RETURNING true", worker)
        ) is not None  # fmt: skip

    @override
    async def leave(self, worker: str) -> None:
        async def store(db: Connection) -> None:
            async with transaction(db):
                await db.execute("UPDATE accounts SET worker = NULL WHERE worker = $1", worker)
                await db.execute("DELETE FROM workers WHERE worker = $1", worker)

        await self._change(store)

    @override
    async def owner_of(self, account: int) -> OwnedAccount | None:
        row = await self._read(lambda db: db.fetchrow(f"{_OWNED} WHERE a.account = $1", account))
        return None if row is None else OwnedAccount(**dict(row.items()))

    @override
    async def workers(self) -> list[WorkerRow]:
        rows = await self._read(
            lambda db: db.fetch(
                "SELECT worker, address, capacity, draining AS is_draining,"
                " extract(epoch FROM expires - now())::float8 AS expires_in,"
                " extract(epoch FROM now() - renewed)::float8 AS lease_age, loop_lag, failed_bots,"
                " (SELECT count(*) FROM accounts a WHERE a.worker = w.worker) AS accounts"
                ' FROM workers w ORDER BY worker COLLATE "C"'
            )
        )
        return [WorkerRow(**dict(row.items())) for row in rows]

    @override
    async def consumer_lags(self) -> dict[str, int]:
        rows = await self._read(
            lambda db: db.fetch(
                "SELECT a.worker, max(greatest(0, a.last_number - c.acked)) AS lag"
                " FROM accounts a JOIN consumers c USING (account) WHERE a.worker IS NOT NULL AND c.is_open"
                " GROUP BY a.worker"
            )
        )
        return {row["worker"]: row["lag"] for row in rows}

    @override
    async def accounts(self) -> list[OwnedAccount]:
        rows = await self._read(lambda db: db.fetch(f"{_OWNED} ORDER BY a.account"))
        return [OwnedAccount(**dict(row.items())) for row in rows]

    async def reset(self) -> int:
        """Remove all workers and raise all epochs; return the number of accounts."""

        async def store(db: Connection) -> int:
            async with transaction(db):
                rows = await db.fetch(
                    "UPDATE accounts SET worker = NULL, epoch = epoch + $1 RETURNING account", _RESET_STEP
                )
                await db.execute("DELETE FROM workers")
            return len(rows)

        return await self._change(store)

    @override
    async def close(self) -> None:
        try:
            await self._for_renewals.close()
        finally:
            await self._database.close()

    async def _read(self, job: Callable[[Connection], Awaitable[T]]) -> T:
        database = self._database
        return await database.run(lambda: self._limited(database, "read", lambda: database.reading(job)))

    async def _change(self, job: Callable[[Connection], Awaitable[T]], database: PostgresDatabase | None = None) -> T:
        chosen = database or self._database
        return await chosen.run(lambda: self._limited(chosen, "written", lambda: chosen.changing(job)))

    async def _limited(self, database: PostgresDatabase, verb: str, job: Callable[[], Awaitable[T]]) -> T:
        """Run a job within one timeout, an attempt to connect included."""
        with database.explained(verb):
            async with asyncio.timeout(self._times.timeout):
                return await job()


async def _epochs(db: Connection, query: str, worker: str) -> dict[int, int]:
    return {row["account"]: row["epoch"] for row in await db.fetch(query, worker)}
