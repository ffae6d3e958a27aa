"""The calls that an account's bots have scheduled, as rows; only the row of a timer that waits is in the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.model.contacts import ContactId
from webwx.protocol.codec import clean_text
from webwx.storage.base import StoredTimer
from webwx.storage.sqlite.bulk import as_list, select

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Collection

    from webwx.storage.base import TimerOutcome, TimerQuery
    from webwx.storage.sqlite.threads import Reader, Writer

_COLUMNS = (
    "number", "bot", "handler", "key", "name", "chat", "payload", "state", "failures",
    # JSON has too few digits for the time.
    "CAST(round(due_at * 1e6) AS INTEGER)", "CAST(round(created_at * 1e6) AS INTEGER)",
    "CAST(round(changed_at * 1e6) AS INTEGER)",
)  # fmt: skip


class SqliteTimerStore:
    """The calls that an account's bots have scheduled; `TimerStore` states the guarantees."""

    def __init__(self, account: Callable[[], Awaitable[int]], writer: Writer, reader: Reader) -> None:
        self._account = account
        self._writer = writer
        self._reader = reader

    async def add(
        self, *, bot: str, handler: str, key: str, name: str, chat: ContactId, payload: bytes, due_at: float,
        time: float,
    ) -> StoredTimer:  # fmt: skip
        """Store a timer, or return the existing timer with the same key."""
        account = await self._account()
        values = [clean_text(each) for each in (bot, handler, key, name, chat, payload.decode())]

        def store(db: sqlite3.Connection) -> StoredTimer:
            db.execute(
                "INSERT OR IGNORE INTO timers (account, bot, handler, key, name, chat, payload, due_at, state,"
                " failures, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?)",
                (account, *values, due_at, time, time),
            )
            return _select(db, account, "key = ?", values[2])[0]

        return await self._writer.do(store)

    async def find(self, query: TimerQuery) -> list[StoredTimer]:
        """Return the timers that wait and match a query, in the order of their times."""
        account = await self._account()
        condition, values = "state = 'waiting' AND bot = ?", list[object]([clean_text(query.bot)])
        for column, value in (("number", query.number), ("name", query.name)):
            if value is not None:
                condition += f" AND {column} = ?"
                values.append(clean_text(value) if isinstance(value, str) else value)
        if query.due_until is not None:
            condition += " AND due_at <= ?"
            values.append(query.due_until)
        condition += " ORDER BY due_at, number LIMIT ?"
        return await self._reader.do(lambda db: _select(db, account, condition, *values, query.limit))

    async def settle(self, number: int, outcome: TimerOutcome, *, time: float) -> bool:
        """Store the outcome of a timer that waits, and return whether it waited."""
        account = await self._account()

        def store(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                "UPDATE timers SET state = ?, changed_at = ? WHERE account = ? AND number = ? AND state = 'waiting'",
                (outcome, time, account, number),
            )
            return changed.rowcount == 1

        return await self._writer.do(store)

    async def postpone(self, number: int, due_at: float, *, failures: int, time: float) -> None:
        """Store when the next attempt at a call is due, and how many have failed, if the timer waits."""
        account = await self._account()

        def store(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE timers SET failures = ?, due_at = ?, changed_at = ?"
                " WHERE account = ? AND number = ? AND state = 'waiting'",
                (failures, due_at, time, account, number),
            )

        await self._writer.do(store)


def delete_timers(db: sqlite3.Connection, account: int, before: float, chats: Collection[str]) -> int:
    """Delete timers of some chats, or those that were settled before a time, and return how many."""
    condition, values = "account = ?", list[object]([account])
    if chats:
        condition += " AND chat IN (SELECT value FROM json_each(?))"
        values.append(as_list(chats))
    else:
        condition += " AND state <> 'waiting'"
    if before:
        condition += " AND changed_at < ?"
        values.append(before)
    return db.execute(f"DELETE FROM timers WHERE {condition}", values).rowcount  # noqa: S608 - no value is put together


def _select(db: sqlite3.Connection, account: int, condition: str, *values: object) -> list[StoredTimer]:
    rows = select(db, _COLUMNS, f"FROM timers WHERE account = ? AND {condition}", (account, *values))
    return [
        StoredTimer(
            number=number, bot=bot, handler=handler, key=key, name=name, chat=ContactId(chat), payload=payload.encode(),
            state=state, failures=failures, due_at=due_at / 1e6, created_at=created_at / 1e6,
            changed_at=changed_at / 1e6,
        )
        for number, bot, handler, key, name, chat, payload, state, failures, due_at, created_at, changed_at in rows
    ]  # fmt: skip
