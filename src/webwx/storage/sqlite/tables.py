"""
The shared tables in a journal's file: the port over the writer and the reader thread.

Changes of many tasks share one transaction, and with it the cost of its commit, as all jobs of the writer do.

Rows are read as one JSON text, which SQLite puts together: fetched one by one they would pass between this thread and
that of the event loop twice for each row. JSON has too few digits for a float, so that is written with all of its
digits, as a text. A column of bytes has no place in JSON, and newer versions of SQLite would even take it for their
binary JSON, so rows with one are fetched one by one.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import starmap
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec

from webwx.override import override
from webwx.protocol.codec import clean_text
from webwx.storage.engine.dialect import to_sqlite
from webwx.storage.engine.port import Statements, Tables, drive
from webwx.storage.sqlite.bulk import as_list, insert

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Sequence

    from webwx.storage.engine.port import By, Operation, Select, StoredTable, Value
    from webwx.storage.sqlite.threads import Reader, Writer

T = TypeVar("T")
R = TypeVar("R", bound="NamedTuple")


class SqliteStatements(Statements):
    """
    The statements of one transaction, or of one read, in the thread of the connection.

    Args:
        db: The connection.
        account: The account's row; 0 without an account.
    """

    __slots__ = ("_account", "_db")

    def __init__(self, db: sqlite3.Connection, account: int) -> None:
        self._db = db
        self._account = account

    @override
    async def all(self, select: Select[R], *values: Value) -> list[R]:
        reading = _reading(select.row)
        if reading.columns is None:
            return reading.convert(execute(self._db, self._account, select.text, values).fetchall())
        text = f"SELECT json_group_array(json_array({reading.columns})) FROM ({select.text})"  # noqa: S608 - names of columns
        (rows,) = execute(self._db, self._account, text, values).fetchone()
        return reading.decode(rows)

    @override
    async def one(self, select: Select[R], *values: Value) -> R | None:
        cursor = execute(self._db, self._account, select.text, values)
        row = cursor.fetchone()
        cursor.close()  # otherwise the statement stays open at its next row
        return None if row is None else _reading(select.row).convert([row])[0]

    @override
    async def change(self, text: str, *values: Value) -> int:
        return execute(self._db, self._account, text, values).rowcount

    async def change_each(self, text: str, rows: Sequence[Sequence[Value]]) -> None:
        """Make one change with each of several rows of values."""
        for values in rows:
            execute(self._db, self._account, text, tuple(values))

    @override
    async def insert(self, text: str, *values: Value) -> int:
        return _insert(self._db, self._account, text, values)

    async def insert_all(
        self, table: StoredTable, rows: Sequence[Sequence[Value]], *, owner: int | None = None
    ) -> None:  # fmt: skip
        """Insert rows with few statements."""
        columns, shared = table.columns, tuple[int, ...]()
        if table.of:
            columns, shared = (table.of, *columns), (self._account if owner is None else owner,)
        insert(self._db, f"{table.name} ({', '.join(columns)})", rows, shared=shared)

    async def aside(self, work: Callable[[], T]) -> T:
        """Run a computation here: this thread has one job at a time, and readers have another thread."""
        return work()

    async def lock(self, table: str) -> None:
        """Return at once: a file has one writer."""


class SqliteTables(Tables):
    """
    The tables as one account uses them; `Tables` states the guarantees.

    Args:
        writer: The thread that writes.
        reader: The thread that reads.
        account: Returns the account's row; None without an account.
    """

    def __init__(self, writer: Writer, reader: Reader, account: Callable[[], Awaitable[int]] | None = None) -> None:
        self._writer = writer
        self._reader = reader
        self._account = account or _none

    def __repr__(self) -> str:
        return "SqliteTables(***)"

    async def read(self, operation: Operation[T]) -> T:
        """Run an operation that changes nothing; all of its statements read from one snapshot."""
        account = await self._account()
        return await self._reader.do(lambda db: drive(operation(SqliteStatements(db, account))))

    @override
    async def transaction(self, operation: Operation[T], *, by: By = "owner") -> T:
        del by  # a file has one owner for all accounts
        account = await self._account()
        return await self._writer.do(lambda db: drive(operation(SqliteStatements(db, account))))

    @override
    async def change(self, text: str, *values: Value, by: By = "owner") -> int:
        del by  # as above
        account = await self._account()
        return await self._writer.do(lambda db: execute(db, account, text, values).rowcount, is_one_statement=True)

    @override
    async def insert(
        self, text: str, *values: Value, by: Literal["owner", "any"] = "owner", announces: bool = False
    ) -> int:  # fmt: skip
        del by, announces  # as above; the readers of a file look at it
        account = await self._account()
        return await self._writer.do(lambda db: _insert(db, account, text, values), is_one_statement=True)


async def _none() -> int:
    """Return the row of no account."""
    return 0


def execute(db: sqlite3.Connection, account: int, text: str, values: Sequence[Value]) -> sqlite3.Cursor:
    """
    Execute a statement of a shared table.

    Args:
        db: The connection.
        account: The account's row; 0 without an account.
        text: The statement.
        values: Its values.
    """
    converted = to_sqlite(text)
    # Most values are stored as they are; a call for each of them would take half as long as the statement.
    stored = [each if isinstance(each, str) and each.isascii() else _stored(each) for each in values]
    return db.execute(converted.text, converted.arrange((account, *stored)))


def _insert(db: sqlite3.Connection, account: int, text: str, values: Sequence[Value]) -> int:
    cursor = execute(db, account, text, values)
    return (cursor.lastrowid or 0) if cursor.rowcount else 0  # otherwise `lastrowid` is that of an earlier insert


def _stored(value: Value) -> str | int | float | bytes | None:
    """Return a value as it is stored, or compared with what is stored."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, int | float | bytes):
        return value
    return as_list(clean_text(each) if isinstance(each, str) else each for each in value)


class _Reading(Generic[R]):
    """
    How the rows of a type are read.

    Args:
        row: The type.
    """

    def __init__(self, row: type[R]) -> None:
        fields = {name: {hint, *get_args(hint)} for name, hint in get_type_hints(row).items()}
        self._rows = list[row]  # type: ignore[valid-type]
        self.columns: str | None = None
        """The columns as JSON has them; None if the rows are fetched one by one."""
        if not any(bytes in kinds for kinds in fields.values()):
            self.columns = ", ".join(starmap(_as_json, fields.items()))
            self.decode: Callable[[str], list[R]] = msgspec.json.Decoder(self._rows, strict=False).decode
            """Decodes rows as JSON."""

    def convert(self, rows: list[Any]) -> list[R]:
        """Return rows that were fetched, in the types of their fields: SQLite has no boolean values."""
        converted: list[R] = msgspec.convert(rows, self._rows, strict=False)
        return converted


@lru_cache(maxsize=256)
def _reading(row: type[R]) -> _Reading[R]:
    return _Reading(row)


def _as_json(column: str, kinds: set[object]) -> str:
    """Return an expression for a column in JSON; without quotation marks, in which SQLite reads any name as a text."""
    return f"iif({column} IS NULL, NULL, printf('%!.17g', {column}))" if float in kinds else column
