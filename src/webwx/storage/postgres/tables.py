"""
The shared tables in a PostgreSQL database: the port over the connections of `database`.

A single change is one statement, which also locks the account's row and checks its epoch: one round trip instead of
four. The lock is taken before the change, because the change depends on it, so numbers become visible in their order.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from webwx.override import override
from webwx.storage.engine.dialect import postgres_insert_all, to_postgres
from webwx.storage.engine.port import Select, Statements, Tables
from webwx.storage.postgres.database import hold, hold_any, transaction
from webwx.storage.postgres.news import SENDS_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from webwx.storage.engine.port import By, Operation, StoredTable, Value
    from webwx.storage.postgres.database import Connection, PostgresDatabase

T = TypeVar("T")
R = TypeVar("R", bound="NamedTuple")


class PostgresStatements(Statements):
    """
    The statements of one transaction, or of one read.

    Args:
        db: The connection.
        account: The account; None without an account.
    """

    __slots__ = ("_account", "_db")

    def __init__(self, db: Connection, account: int | None) -> None:
        self._db = db
        self._account = account

    @override
    async def all(self, select: Select[R], *values: Value) -> list[R]:
        rows = await self._db.fetch(*self._prepared(select.text, values))
        return list(map(select.row._make, rows))

    @override
    async def one(self, select: Select[R], *values: Value) -> R | None:
        row = await self._db.fetchrow(*self._prepared(select.text, values))
        return None if row is None else select.row._make(row)

    @override
    async def change(self, text: str, *values: Value) -> int:
        tag = await self._db.execute(*self._prepared(text, values))
        return int(tag.rpartition(" ")[2])

    async def change_each(self, text: str, rows: Sequence[Sequence[Value]]) -> None:
        """Make one change with each of several rows of values, in one round trip."""
        if rows:
            prepared = [self._prepared(text, tuple(values)) for values in rows]
            await self._db.executemany(prepared[0][0], [values for _, *values in prepared])

    @override
    async def insert(self, text: str, *values: Value) -> int:
        number: int | None = await self._db.fetchval(*self._prepared(f"{text} RETURNING number", values))
        return number or 0

    async def insert_all(
        self, table: StoredTable, rows: Sequence[Sequence[Value]], *, owner: int | None = None
    ) -> None:  # fmt: skip
        """Insert rows with one statement."""
        if rows:
            columns = tuple(list(column) for column in zip(*rows, strict=True))
            statement = to_postgres(postgres_insert_all(table), len(columns))
            of = (self._account if owner is None else owner,) if statement.has_account else ()
            await self._db.execute(statement.text, *columns, *of)

    async def aside(self, work: Callable[[], T]) -> T:
        """Run a computation in another thread."""
        return await asyncio.to_thread(work)

    @override
    async def lock(self, table: str) -> None:
        await self._db.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")

    def _prepared(self, text: str, values: tuple[Value, ...]) -> tuple[Any, ...]:
        """Return a statement and its values, as the driver takes them."""
        converted = to_postgres(text, len(values))
        return (converted.text, *values, self._account) if converted.has_account else (converted.text, *values)


class PostgresTables(Tables):
    """
    The tables as one account uses them; `Tables` states the guarantees.

    Args:
        database: The connections.
        account: The account; None without an account, whose changes hold no row.
        changed: Called with the account after a single change of rows, in the thread of the connections.
    """

    def __init__(
        self, database: PostgresDatabase, account: int | None = None, *,
        changed: Callable[[int], object] = lambda _: None,
    ) -> None:  # fmt: skip
        self._database = database
        self._account = account
        self._changed = changed

    def __repr__(self) -> str:
        return "PostgresTables(***)"

    async def read(self, operation: Operation[T]) -> T:
        """Run an operation that changes nothing; each of its statements reads a state of its own."""
        return await self._database.read(lambda db: operation(PostgresStatements(db, self._account)))

    @override
    async def transaction(self, operation: Operation[T], *, by: By = "owner") -> T:
        return await self._database.run(lambda: self._transaction(operation, by))

    @override
    async def change(self, text: str, *values: Value, by: By = "owner") -> int:
        if self._account is None or by == "unfenced":
            own = self._account
            return await self._database.run(
                lambda: self._database.changing(lambda db: PostgresStatements(db, own).change(text, *values))
            )
        account = self._account
        return await self._database.run(lambda: self._single(account, _CHANGE, text, values, by))

    @override
    async def insert(
        self, text: str, *values: Value, by: Literal["owner", "any"] = "owner", announces: bool = False
    ) -> int:  # fmt: skip
        if self._account is None:
            return await self.transaction(lambda db: db.insert(text, *values))
        account, kind = self._account, _ANNOUNCED_INSERT if announces else _INSERT
        return await self._database.run(lambda: self._single(account, kind, text, values, by))

    async def _single(self, account: int, kind: _SingleChange, text: str, values: tuple[Value, ...], by: By) -> int:
        """Make a change as one statement; if that did not hold the account's row, in a transaction that creates it."""
        held: list[int] = [account]
        if by == "owner":
            held.append((await self._database.fence_of(account)).epoch)
        query = _single_statement(text, len(values), kind, is_fenced=by == "owner")
        row = await self._database.changing(lambda db: db.fetchrow(query, *values, *held))
        if row["is_held"]:
            result: int = row["result"]
        else:
            result = await self._transaction(lambda db: kind.make(db, text, values), by)
        if result and kind is not _ANNOUNCED_INSERT:
            self._changed(account)
        return result

    async def _transaction(self, operation: Operation[T], by: By) -> T:
        """Do the work of `transaction`, in the thread of the connections."""
        account = None if by == "unfenced" else self._account
        fence = await self._database.fence_of(account) if account is not None and by == "owner" else None

        async def store(db: Connection) -> T:
            async with transaction(db):
                if fence is not None:
                    await hold(db, fence)
                elif account is not None:
                    await hold_any(db, account)
                return await operation(PostgresStatements(db, self._account))

        return await self._database.changing(store)


class _AnnouncedRow(NamedTuple):
    """The result of an announcement."""

    is_announced: bool


class _SingleChange(NamedTuple):
    """A kind of change that is one statement."""

    returning: str
    """Columns that the change returns."""
    result: str
    """Expression for its result."""
    make: Callable[[Statements, str, tuple[Value, ...]], Coroutine[Any, Any, int]]
    """Makes the change in a transaction."""


_CHANGE = _SingleChange("true", "(SELECT count(*) FROM changed)", lambda db, text, values: db.change(text, *values))
_INSERT = _SingleChange(
    "number", "coalesce((SELECT number FROM changed), 0)", lambda db, text, values: db.insert(text, *values)
)

_ANNOUNCED = f"pg_notify({SENDS_CHANNEL}, held.account::text) IS NOT NULL"

_ANNOUNCED_INSERT = _SingleChange(
    _INSERT.returning,
    f"coalesce((SELECT CASE WHEN {_ANNOUNCED} THEN number END FROM changed, held), 0)",  # noqa: S608 - a constant
    lambda db, text, values: _insert_announced(db, text, values),
)
"""An insert that announces a new row; the function of the announcement is called once for each row of the result."""


_ANNOUNCEMENT = Select(
    _AnnouncedRow, f"SELECT pg_notify({SENDS_CHANNEL}, $0::bigint::text) IS NOT NULL AS is_announced"
)


async def _insert_announced(db: Statements, text: str, values: tuple[Value, ...]) -> int:
    number = await db.insert(text, *values)
    if number:
        await db.all(_ANNOUNCEMENT)
    return number


_VALUES = re.compile(r"\bVALUES \(")
_WHERE = re.compile(r"\sWHERE\s")
_ON_CONFLICT = re.compile(r"(\sON CONFLICT\s.*)", re.DOTALL)
_PARENTHESIS = re.compile(r"[()]")


@lru_cache(maxsize=512)
def _single_statement(text: str, values: int, kind: _SingleChange, *, is_fenced: bool) -> str:
    """Return a statement that holds the account's row, makes a change if it does, and returns whether it does."""
    account = values + 1
    epoch = f" AND epoch = ${account + 1}" if is_fenced else ""
    lock = f"SELECT account FROM accounts WHERE account = ${account}{epoch} FOR NO KEY UPDATE"  # noqa: S608 - no value
    change = f"{depend_on_held(to_postgres(text, values).text)} RETURNING {kind.returning}"
    return (
        f"WITH held AS MATERIALIZED ({lock}), changed AS ({change})"  # noqa: S608 - no value is put together
        f" SELECT EXISTS (SELECT FROM held) AS is_held, {kind.result} AS result"
    )


def depend_on_held(text: str) -> str:
    """
    Return a change that is made if the common table `held` has a row.

    Raises:
        ValueError: The change is neither an INSERT with one row of VALUES, nor has it a WHERE outside of parentheses.
    """
    text = text.strip()
    values = _VALUES.search(text) if text.startswith("INSERT ") else None
    if values is not None:
        end = _end_of_parentheses(text, values.end())
        return f"{text[: values.start()]}SELECT {text[values.end() : end]} FROM held{text[end + 1 :]}"  # noqa: S608 - as above
    for found in _WHERE.finditer(text):
        if text.count("(", 0, found.start()) == text.count(")", 0, found.start()):  # it is outside of parentheses
            condition, *action = _ON_CONFLICT.split(text[found.end() :], maxsplit=1)
            return f"{text[: found.start()]} WHERE EXISTS (SELECT FROM held) AND ({condition}){''.join(action)}"
    raise ValueError(f"This is not a change of which one statement can be made: {text}")


def _end_of_parentheses(text: str, start: int) -> int:
    """Return the place of the parenthesis that ends what begins at a place."""
    depth = 1
    for found in _PARENTHESIS.finditer(text, start):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    return -1
