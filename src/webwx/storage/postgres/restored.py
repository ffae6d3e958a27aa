"""What is done to a PostgreSQL database that was restored to an earlier moment."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING

from webwx.override import override
from webwx.storage.database_url import check_database_url, describe_database
from webwx.storage.postgres.database import SETTINGS, TIMEOUT, explained, open_connection
from webwx.storage.postgres.held import NAME_OF, drop_held, hold_all, read_held, release_held
from webwx.storage.postgres.schema import require_tables
from webwx.storage.restored import RestoredReset, RestoredStorage, UnknownSend
from webwx.storage.tables.registry import ALL

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from webwx.storage.postgres.database import Connection
    from webwx.storage.restored import HeldWork

_STEP = 1_000_000_000
"""
How many numbers a reset skips: more than can have been assigned since the moment of the restore. Client ids need no
skip, because they are made from the time.
"""

_COUNTERS = {
    "accounts": ("epoch", "last_number", "last_identity"),
    "consumers": ("opening",),
    "saved_logins": ("changes",),
    "records": ("version",),
}
"""Columns that count what was assigned."""

_SEQUENCES = {
    "logins": "login", "contacts": "place", "consumers": "consumer",
    **{table.name: "number" for table in ALL if table.is_numbered},
}  # fmt: skip
"""Columns that are numbered by a sequence."""

_NOW = "SELECT extract(epoch FROM now())::float8"


class PostgresRestored(RestoredStorage):
    """
    A restored database, open in `async with`; `RestoredStorage` states the guarantees.

    Args:
        url: The URL of the database, as for `psql`.

    Raises:
        InvalidSettings: The URL is not valid.
    """

    def __init__(self, url: str) -> None:
        check_database_url(url)
        self._url = url
        self._place = describe_database(url)
        self._stack = contextlib.AsyncExitStack()

    def __repr__(self) -> str:
        return f"PostgresRestored({self._place!r})"

    async def __aenter__(self) -> Self:
        settings = SETTINGS | {"application_name": "webwx cluster", "statement_timeout": "0"}
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(explained(self._place, "changed"))
            self._db = await open_connection(self._url, settings, TIMEOUT, statements_end=False)
            stack.push_async_callback(self._db.close)
            await require_tables(self._db, self._place)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def reset(self) -> RestoredReset:
        """Skip numbers that may have been assigned, and hold what may have been done."""
        async with self._db.transaction():
            await self._db.execute("UPDATE accounts SET worker = NULL")
            await self._db.execute("DELETE FROM workers")
            time = await self._db.fetchval(_NOW)
            sends = await _end_sends(self._db, time)
            await _skip_numbers(self._db)
            await hold_all(self._db, time)
            # The times of messages are whole seconds: one that was answered in this second is older as well.
            next_second = math.floor(time) + 1
            await self._db.execute("UPDATE accounts SET restored_at = $1::float8", next_second)
            accounts = await self._db.fetchval("SELECT count(*) FROM accounts")
        await asyncio.sleep(next_second - time)  # so that no message that is sent after this call is held
        return RestoredReset(accounts=accounts, sends=tuple(sends))

    @override
    async def held(self) -> list[HeldWork]:
        return await read_held(self._db)

    async def release(self, account: str = "", consumer: str = "") -> HeldWork:
        """Deliver held events and call held timers, and return how many."""
        async with self._db.transaction():
            return await release_held(self._db, account, consumer, await self._db.fetchval(_NOW))

    async def drop(self, account: str = "", consumer: str = "") -> HeldWork:
        """Forget held events and timers, and return how many."""
        async with self._db.transaction():
            return await drop_held(self._db, account, consumer, await self._db.fetchval(_NOW))


async def _end_sends(db: Connection, time: float) -> list[UnknownSend]:
    """Make sends without an outcome `unknown`, and return them."""
    rows = await db.fetch(
        f"""
        WITH doubtful AS (
            UPDATE outbox SET state = 'unknown', sender = '', changed_at = $1 WHERE state IN ('queued', 'sending')
            RETURNING account, number, kind, key, created_at
        )
        SELECT {NAME_OF.format("d.account")} AS account, number, kind, key, created_at FROM doubtful d
        ORDER BY d.account, number
        """,  # noqa: S608 - constants
        time,
    )
    return [UnknownSend(**dict(row.items())) for row in rows]


async def _skip_numbers(db: Connection) -> None:
    """Continue all counters and sequences beyond what may have been assigned."""
    for table, columns in _COUNTERS.items():
        changes = ", ".join(f"{column} = {column} + {_STEP}" for column in columns)
        await db.execute(f"UPDATE {table} SET {changes}")  # noqa: S608 - constants
    for table, column in _SEQUENCES.items():
        sequence = f"pg_get_serial_sequence('{table}', '{column}')::regclass"
        await db.execute(f"SELECT setval({sequence}, nextval({sequence}) + {_STEP})")
