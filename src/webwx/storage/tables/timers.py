"""The calls of handlers that an account's bots have scheduled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from webwx.model.contacts import ContactId
from webwx.protocol.codec import clean_text
from webwx.storage.engine.port import Ageing, Conditions, Select, StoredTable

if TYPE_CHECKING:
    from webwx.storage.engine.port import Tables

TimerOutcome = Literal["done", "failed", "cancelled"]


class StoredTimer(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled call of a bot's handler."""

    number: int
    bot: str
    """Name of the bot."""
    handler: str
    """Name of the handler."""
    key: str
    """Idempotency key: a second timer with the same key is the same timer."""
    name: str = ""
    """Name for the bot's own use, by which timers are found and cancelled; several may have the same."""
    chat: ContactId = ContactId("")
    """Chat that the call is for, with its id when the timer was made; empty for none."""
    payload: bytes = b"null"
    """Data for the handler, as JSON."""
    due_at: float
    """Time of the next attempt at the call, in seconds since 1970."""
    state: Literal["waiting", TimerOutcome] = "waiting"
    failures: int = 0
    """Number of failed attempts at the call."""
    created_at: float
    changed_at: float

    @property
    def data(self) -> Any:
        """Data for the handler, decoded."""
        return msgspec.json.decode(self.payload)

    def __repr__(self) -> str:
        return f"StoredTimer({self.number}, {self.handler}, {self.state})"


class TimerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions for timers to find: the timers that wait and meet all of them, the next one first."""

    bot: str
    """The bot's name."""
    number: int | None = None
    """The timer's number."""
    name: str | None = None
    """The timer's name."""
    due_until: float | None = None
    """Due at this time or before, in seconds since 1970."""
    limit: int = 100
    """Maximum number of timers."""

    def __repr__(self) -> str:
        return "TimerQuery(***)"


class _TimerRow(NamedTuple):
    number: int
    bot: str
    handler: str
    key: str
    name: str
    chat: str
    payload: str
    due_at: float
    state: Literal["waiting", "done", "failed", "cancelled"]
    failures: int
    created_at: float
    changed_at: float


TIMERS = StoredTable(
    name="timers",
    columns=_TimerRow._fields,
    copied_as={"state": "CASE state WHEN 'held' THEN 'waiting' ELSE state END"},
    ages=Ageing(time="changed_at", old_if="state <> 'waiting'"),
    ddl="""
CREATE TABLE timers (
    account bigint NOT NULL,
    number NUMBERED,
    bot text NOT NULL,
    handler text NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    chat text NOT NULL,
    payload text NOT NULL,                      -- JSON
    due_at float8 NOT NULL,
    state text NOT NULL,                        -- waiting, done, failed, cancelled, or held after a restore
    failures integer NOT NULL DEFAULT 0,
    created_at float8 NOT NULL,
    changed_at float8 NOT NULL
);
CREATE UNIQUE INDEX timers_key ON timers (account, webwx_key(key));
CREATE INDEX timers_due ON timers (account, due_at) WHERE state = 'waiting';
CREATE INDEX timers_age ON timers (account, changed_at) WHERE state <> 'waiting';
""",
)

_TIMERS = """
SELECT number, bot, handler, key, name, chat, payload, due_at, state, failures, created_at, changed_at FROM timers"""

_ADD = """\
INSERT INTO timers (account, bot, handler, key, name, chat, payload, due_at, state, failures, created_at, changed_at)
VALUES ($0, $1, $2, $3, $4, $5, $6, $7, 'waiting', 0, $8, $8) ON CONFLICT DO NOTHING
"""

_OF_KEY = Select(_TimerRow, f"{_TIMERS} WHERE account = $0 AND webwx_key(key) = webwx_key($1)")

_SETTLE = """
UPDATE timers SET state = $2, changed_at = $3 WHERE account = $0 AND number = $1 AND state = 'waiting'
"""

_POSTPONE = """
UPDATE timers SET due_at = $2, failures = $3, changed_at = $4
WHERE account = $0 AND number = $1 AND state = 'waiting'
"""


class StoredTimers:
    """
    The calls of handlers that an account's bots have scheduled, each due once.

    | State                         | Change                                                       | Next state  |
    |-------------------------------|--------------------------------------------------------------|-------------|
    | `waiting`                     | its call returns                                             | `done`      |
    |                               | its call fails, and `postpone` plans another attempt         | `waiting`   |
    |                               | its last attempt fails, or is interrupted                    | `failed`    |
    |                               | the bot cancels it                                           | `cancelled` |
    |                               | it is due in a database that is restored (`RestoredStorage`) | `held`      |
    | `held`                        | `RestoredStorage.release`                                    | `waiting`   |
    |                               | `RestoredStorage.drop`                                       | `cancelled` |
    | `done`, `failed`, `cancelled` | the retention time has passed                                | deleted     |

    A timer waits until its outcome is stored, so a call that a crash interrupts is made again. Afterwards its row stays
    for the retention time, because its key has to be known when the event that made it is handled again.

    Args:
        tables: The account's tables.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __repr__(self) -> str:
        return "StoredTimers(***)"

    async def add(
        self, *, bot: str, handler: str, key: str, name: str, chat: ContactId, payload: bytes, due_at: float,
        time: float,
    ) -> StoredTimer:  # fmt: skip
        """
        Store a timer, or return the existing timer with the same key, unchanged, in any state.

        Args:
            bot: The bot's name.
            handler: The handler's name.
            key: Idempotency key, unique among the existing timers of an account.
            name: Name for the bot's own use; empty for none.
            chat: Chat that the call is for; empty for none.
            payload: Data for the handler, as JSON.
            due_at: Time of the call, in seconds since 1970.
            time: The current time, in seconds since 1970.
        """
        bot, handler, key, name, data = map(clean_text, (bot, handler, key, name, payload.decode()))
        chat = ContactId(clean_text(chat))
        number = await self._tables.insert(_ADD, bot, handler, key, name, chat, data, due_at, time)
        if number:
            return StoredTimer(
                number=number, bot=bot, handler=handler, key=key, name=name, chat=chat, payload=data.encode(),
                due_at=due_at, created_at=time, changed_at=time,
            )  # fmt: skip
        known = await self._tables.read(lambda db: db.one(_OF_KEY, key))
        if known is None:  # it was deleted meanwhile
            return await self.add(
                bot=bot, handler=handler, key=key, name=name, chat=chat, payload=payload, due_at=due_at, time=time
            )
        return _timer(known)

    async def find(self, query: TimerQuery) -> list[StoredTimer]:
        """Return the timers that wait and match a query, in the order of their times."""
        matching = Conditions("account = $0 AND state = 'waiting' AND bot = {}", query.bot)
        if query.number is not None:
            matching.also("number = {}", query.number)
        if query.name is not None:
            matching.also("name = {}", query.name)
        if query.due_until is not None:
            matching.also("due_at <= {}", query.due_until)
        matching.then("ORDER BY due_at, number LIMIT {}", query.limit)
        select = Select(_TimerRow, f"{_TIMERS} WHERE {matching.text}")
        return [_timer(row) for row in await self._tables.read(lambda db: db.all(select, *matching.values))]

    async def settle(self, number: int, outcome: TimerOutcome, *, time: float) -> bool:
        """Store the outcome of a timer that waits, and return whether it waited."""
        return await self._tables.change(_SETTLE, number, outcome, time) == 1

    async def postpone(self, number: int, due_at: float, *, failures: int, time: float) -> None:
        """Store when the next attempt at a call is due, and how many have failed, if the timer waits."""
        await self._tables.change(_POSTPONE, number, due_at, failures, time)


def _timer(row: _TimerRow) -> StoredTimer:
    return StoredTimer(
        number=row.number, bot=row.bot, handler=row.handler, key=row.key, name=row.name, chat=ContactId(row.chat),
        payload=row.payload.encode(), due_at=row.due_at, state=row.state, failures=row.failures,
        created_at=row.created_at, changed_at=row.changed_at,
    )  # fmt: skip
