"""The calls that an account's bots have scheduled, as rows; only a timer that waits is in the index of due ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.model.contacts import ContactId
from webwx.storage.base import StoredTimer

if TYPE_CHECKING:
    import asyncpg

    from webwx.storage.base import TimerOutcome, TimerQuery
    from webwx.storage.postgres.database import Connection, PostgresDatabase


class PostgresTimerStore:
    """The calls that an account's bots have scheduled; `TimerStore` states the guarantees."""

    def __init__(self, account: int, database: PostgresDatabase) -> None:
        self._account = account
        self._database = database

    async def add(
        self, *, bot: str, handler: str, key: str, name: str, chat: ContactId, payload: bytes, due_at: float,
        time: float,
    ) -> StoredTimer:  # fmt: skip
        """Store a timer, or return the existing timer with the same key."""

        async def store(db: Connection) -> StoredTimer:
            known = await db.fetchrow(
                "SELECT * FROM timers WHERE account = $1 AND webwx_key(key) = webwx_key($2)", self._account, key
            )
            if known is None:
                number = await db.fetchval(
                    "UPDATE accounts SET last_timer = last_timer + 1 WHERE account = $1 RETURNING last_timer",
                    self._account,
                )
                known = await db.fetchrow(
                    "INSERT INTO timers (account, number, bot, handler, key, name, chat, payload, due_at, state,"
                    " created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', $10, $10)"
                    " RETURNING *",
                    self._account, number, bot, handler, key, name, chat, payload, due_at, time,
                )  # fmt: skip
            return _timer(known)

        return await self._database.write(self._account, store)

    async def find(self, query: TimerQuery) -> list[StoredTimer]:
        """Return the timers that wait and match a query, in the order of their times."""
        rows = await self._database.read(
            lambda db: db.fetch(
                "SELECT * FROM timers WHERE account = $1 AND state = 'waiting' AND bot = $2"
                " AND ($3::bigint IS NULL OR number = $3) AND ($4::text IS NULL OR name = $4)"
                " AND ($5::float8 IS NULL OR due_at <= $5) ORDER BY due_at, number LIMIT $6",
                self._account, query.bot, query.number, query.name, query.due_until, query.limit,
            )
        )  # fmt: skip
        return [_timer(row) for row in rows]

    async def settle(self, number: int, outcome: TimerOutcome, *, time: float) -> bool:
        """Store the outcome of a timer that waits, and return whether it waited."""
        changed = await self._database.write(
            self._account,
            lambda db: db.fetchval(
                "UPDATE timers SET state = $3, changed_at = $4"
                " WHERE account = $1 AND number = $2 AND state = 'waiting' RETURNING true",
                self._account, number, outcome, time,
            ),
        )  # fmt: skip
        return changed is not None

    async def postpone(self, number: int, due_at: float, *, failures: int, time: float) -> None:
        """Store when the next attempt at a call is due, and how many have failed, if the timer waits."""
        await self._database.write(
            self._account,
            lambda db: db.execute(
                "UPDATE timers SET failures = $3, due_at = $4, changed_at = $5"
                " WHERE account = $1 AND number = $2 AND state = 'waiting'",
                self._account, number, failures, due_at, time,
            ),
        )  # fmt: skip


def _timer(row: asyncpg.Record) -> StoredTimer:
    return StoredTimer(
        number=row["number"], bot=row["bot"], handler=row["handler"], key=row["key"], name=row["name"],
        chat=ContactId(row["chat"]), payload=row["payload"], due_at=row["due_at"], state=row["state"],
        failures=row["failures"], created_at=row["created_at"], changed_at=row["changed_at"],
    )  # fmt: skip


async def delete_timers(db: Connection, account: int, before: float, chats: list[str]) -> int:
    """Delete timers of some chats, or those that were settled before a time, and return how many."""
    gone = await db.fetch(
        "DELETE FROM timers WHERE account = $1 AND ($2::float8 = 0 OR changed_at < $2)"
        " AND CASE WHEN $3::varchar[] = '{}' THEN state <> 'waiting' ELSE chat = ANY ($3) END RETURNING number",
        account, before, chats,
    )  # fmt: skip
    return len(gone)
