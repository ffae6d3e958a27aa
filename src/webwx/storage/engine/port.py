"""
The port between tables and engines: what a table's class may ask of the engine that stores it.

A table that is not on the way of a message is written once (`storage.tables`): its columns, its statements and one
class. The statements are in the SQL of PostgreSQL; `dialect` converts them for SQLite. The port has no word of either.

**Operations.** What runs in a transaction, or reads from several statements, is a coroutine that waits only for its
`Statements`. PostgreSQL awaits it. SQLite runs it in the thread of the journal's connection, where a statement never
waits; there it must not wait for anything else (`drive`).

**The account.** `Tables` belong to one account, or to none. `$0` in a statement is the number by which the engine's
rows name that account; the values of the caller begin with `$1`.

**Ownership.** Every change holds the account's row until it is stored, and a change by a process that does not own the
account is refused (`NotOwner`), so a table's class need not think of it. A file has one owner for all accounts.

**Numbers.** The numbers of one account's rows become visible in their order. Gaps are normal: a row that was not
inserted because of a conflict, or was rolled back, has used its number.

**Text.** Lone surrogates in values become U+FFFD when they are stored, and when they are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from typing import NamedTuple

_NUMBER = re.compile(r"\$([1-9]\d*)")
_COLUMN = re.compile(r"^    ([a-z]\w*) ", re.MULTILINE)

T = TypeVar("T")
R = TypeVar("R", bound="NamedTuple")

Value: TypeAlias = str | int | float | bytes | Sequence[str] | Sequence[int] | None
"""A value of a statement; a sequence is for `= ANY ($1::varchar[])`, or `bigint[]`."""

By: TypeAlias = Literal["owner", "any", "unfenced"]
"""
Who may change an account: the process that owns it, any process, or any process without holding the account's row.

`unfenced` is for a change with a condition of its own, such as the outcome of a send, which only its sender knows.
"""


class Select(Generic[R]):
    """
    A query whose rows are named tuples.

    Args:
        row: Type of a row. Its fields are named as the columns of the query and in their order; the engine converts
            each value to the type of its field.
        text: The query.
    """

    __slots__ = ("row", "text")

    def __init__(self, row: type[R], text: str) -> None:
        self.row: type[R] = row
        self.text: str = text

    def __repr__(self) -> str:
        return f"Select({self.text!r})"


class Conditions:
    """
    The end of a query, from its conditions on, with their values.

    Conditions that may be missing are put together, because a plan for `$1 IS NULL OR number = $1` uses no index.

    Args:
        condition: The first condition; each `{}` in it is one of the values.
        values: The values.
    """

    def __init__(self, condition: str, *values: Value) -> None:
        self.text = ""
        """The conditions, and what follows them."""
        self.values: list[Value] = []
        """The values, in the order of their numbers in the text."""
        self._append("", condition, values)

    def __repr__(self) -> str:
        return f"Conditions({self.text!r})"

    def also(self, condition: str, *values: Value) -> None:
        """Add a condition that a row has to meet as well."""
        self._append(" AND ", condition, values)

    def then(self, clause: str, *values: Value) -> None:
        """Add the clauses after the conditions, such as the order."""
        self._append(" ", clause, values)

    def renumbered(self, count: int) -> str:
        """Return the text as it stands in a statement behind others, which have this number of values."""
        return _NUMBER.sub(lambda found: f"${int(found[1]) + count}", self.text)

    def _append(self, between: str, text: str, values: tuple[Value, ...]) -> None:
        first = len(self.values) + 1
        self.text += between + text.format(*(f"${first + place}" for place in range(len(values))))
        self.values += values


class Statements(Protocol):
    """The statements of one transaction, or of one read."""

    async def all(self, select: Select[R], *values: Value) -> list[R]:
        """Return the rows of a query."""
        ...

    async def one(self, select: Select[R], *values: Value) -> R | None:
        """Return the first row of a query; None if there is none."""
        ...

    async def change(self, text: str, *values: Value) -> int:
        """Insert, update or delete rows, and return the number of changed rows."""
        ...

    async def change_each(self, text: str, rows: Sequence[Sequence[Value]]) -> None:
        """Make one change with each of several rows of values, which PostgreSQL gets together."""
        ...

    async def insert(self, text: str, *values: Value) -> int:
        """Insert one row into a table with numbers, and return its number; 0 if `ON CONFLICT` has prevented it."""
        ...

    async def insert_all(
        self, table: StoredTable, rows: Sequence[Sequence[Value]], *, owner: int | None = None
    ) -> None:  # fmt: skip
        """
        Insert rows with few statements, which takes a small part of the time of many.

        Args:
            table: The table.
            rows: The values of its columns, in their order.
            owner: The row of the login or the consumer that they belong to; None: they belong to the account.
        """
        ...

    async def aside(self, work: Callable[[], T]) -> T:
        """Run a long computation where it delays no other operation of the engine's thread, and return its result."""
        ...

    async def lock(self, table: str) -> None:
        """
        Keep other transactions from changing a table until the end of this one.

        It is for numbers of a table without an account, which become visible in their order only so.
        """
        ...


Operation: TypeAlias = Callable[[Statements], Coroutine[Any, Any, T]]
"""A function that returns a coroutine, which waits only for the statements that it gets."""


class Tables(Protocol):
    """
    The tables of one journal as one account uses them, or without an account.

    Every method raises `StorageError` if the tables cannot be read or written. A change that was begun is completed
    even if the wait for it is cancelled.
    """

    async def read(self, operation: Operation[T]) -> T:
        """
        Run an operation that changes nothing.

        Its statements may see different states; a file shows them the same one. The operation may run twice.
        """
        ...

    async def transaction(self, operation: Operation[T], *, by: By = "owner") -> T:
        """
        Run an operation in one transaction: all of its changes are stored when this returns, or none if it raises.

        Raises:
            NotOwner: Another process owns the account.
        """
        ...

    async def change(self, text: str, *values: Value, by: By = "owner") -> int:
        """
        Make one change in a transaction of its own, which is quicker than `transaction`, as `Statements.change`.

        Args:
            text: An INSERT with one row of VALUES, or an UPDATE or DELETE with a WHERE.
            values: The values.
            by: Who may make the change.

        Raises:
            NotOwner: Another process owns the account.
        """
        ...

    async def insert(
        self, text: str, *values: Value, by: Literal["owner", "any"] = "owner", announces: bool = False
    ) -> int:  # fmt: skip
        """
        Insert one row in a transaction of its own, which is quicker than `transaction`, as `Statements.insert`.

        There is no `unfenced`: numbers become visible in their order only while the account's row is held.

        Args:
            text: An INSERT with one row of VALUES.
            values: The values.
            by: Who may insert it.
            announces: Announce a new row to all processes in the same transaction, as changed sends of the account. A
                file announces nothing.

        Raises:
            NotOwner: Another process owns the account.
        """
        ...


class Ageing(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a table are deleted once they are old, or with their chat; the table has a column `chat`."""

    time: str
    """Expression for the time from which the age of a row counts, in seconds since 1970."""
    only_if: str = ""
    """Condition for the rows that are deleted at all; empty: all."""
    old_if: str = ""
    """Condition for the rows that are deleted because of their age alone; empty: all."""
    is_counted: bool = True
    """Whether the rows are part of the number that a purge returns."""


class StoredTable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """
    A table, described once: how it is created, copied and deleted follows from this.

    Raises:
        ValueError: The statements that create it do not have what the other fields need.
    """

    name: str
    columns: tuple[str, ...]
    """
    Names of the columns that hold what is stored, without the one that `of` names.

    A copy of an account has these; other columns get their default values, because they belong to this journal or this
    process.
    """
    of: Literal["account", "login", "consumer", ""] = "account"
    """Column that names the owner of a row; empty if the rows belong to the journal, and to none of its accounts."""
    ddl: str = ""
    """
    Statements that create the table and its indexes, in the SQL of PostgreSQL, each column on a line of its own.

    The type `NUMBERED` is that of a number which the engine gives to a new row. Empty: each engine has its own
    statements, in its `schema`.
    """
    since: int = 100
    """The version of the tables that has added it; the migration to a later version than 100 creates it."""
    order: str = "number"
    """Columns that order the rows of one owner, the same way on each engine: those of the key without the owner."""
    copied_as: Mapping[str, str] = MappingProxyType({})
    """Expressions for columns that have another value in a copy, by their names."""
    copied_if: str = ""
    """Condition for the rows that a copy has; empty: all."""

    ages: Ageing | None = None
    """Which rows are deleted by a purge, and after the retention time; None: none because of their own age."""
    is_of_entries: bool = False
    """Whether `number` is that of an entry, with which the row is deleted."""

    def __post_init__(self) -> None:
        if not self.ddl:
            return
        existing = set(_COLUMN.findall(self.ddl))
        if self.of and self.of not in existing:
            raise ValueError(f"The table {self.name} needs the column {self.of} of type bigint, because of `of`.")
        if not self.is_numbered and "PRIMARY KEY" not in self.ddl:
            raise ValueError(
                f"The table {self.name} has no key: give it the column `number NUMBERED`, or a PRIMARY KEY that begins "
                "with its owner."
            )
        if self.of and not existing.issuperset(self.order.split(", ")):
            raise ValueError(
                f"The table {self.name} does not have the columns of its `order` ({self.order}): name those of its key "
                "there, without the owner."
            )
        if self.ages and "chat" not in existing:
            raise ValueError(f"The table {self.name} needs the column chat, because of `ages`.")

    @property
    def is_numbered(self) -> bool:
        """Whether the engine gives numbers to new rows."""
        return "NUMBERED" in self.ddl


def drive(operation: Coroutine[Any, Any, T]) -> T:
    """
    Run an operation in this thread, whose statements never wait, and return its result.

    Raises:
        RuntimeError: The operation waits for something else.
    """
    try:
        operation.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    operation.close()
    raise RuntimeError("An operation on tables may wait for nothing but its statements.")
