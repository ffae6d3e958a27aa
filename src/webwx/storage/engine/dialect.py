"""
Converts the statements of the shared tables, which are in PostgreSQL's SQL, to what each engine understands.

Only these words are converted; everything else must mean the same in both:

| Statement | SQLite |
|---|---|
| `$1`, `$0` for the account | `?` |
| `x::bigint` | `x` |
| `= ANY ($1::varchar[])` | `IN (SELECT value FROM json_each(?))` |
| `webwx_key(x)`, by which PostgreSQL indexes text of any length | `x` |
| `x COLLATE "C"`, for the order of bytes | `x` |
| `least(`, `greatest(` | `min(`, `max(`, which are NULL if one value is |
| `EACH ($1::bigint[]) x`, a table with a column `value` | `json_each(?) x` |
| `LOOKUP JOIN t x ON (...)` | `CROSS JOIN t x ON ...` |
| `LAST_ENTRY`, the last number that an entry of the account had | the last one of the file |

PostgreSQL understands all but these:

| Statement | PostgreSQL |
|---|---|
| `$0` | the number after that of the last value |
| `EACH ($1::bigint[]) x` | `unnest($1::bigint[]) x(value)` |
| `LOOKUP JOIN t x ON (...)` | `CROSS JOIN LATERAL (SELECT * FROM t x WHERE ... OFFSET 0) x` |
| `webwx_key(x) = ANY ($1::varchar[])` | `webwx_key(x) IN (SELECT webwx_key(k) FROM unnest($1::varchar[]) k)` |
| `t x INDEXED BY i` | `t x` |
| `LAST_ENTRY` | that of the account's row |

`LOOKUP JOIN` looks up the rows of a table by an index, for each row of the tables before it. An engine that has few
statistics, or a plan from before a table was filled, chooses another order or compares each row with all of the
account otherwise: SQLite keeps the order of a CROSS JOIN, PostgreSQL that of a subquery with OFFSET. With `EACH`, rows
are looked up for each of several values; for `= ANY`, PostgreSQL's plan may compare all values with each row of another
index instead. `INDEXED BY` names an index that begins with the account: without statistics, SQLite expects few rows of
an account, and reads all of them in the order of the table's key.

So a statement does not use: a WITH that writes, FOR UPDATE, DISTINCT ON, SELECT without columns, unnest, VALUES with
a name, starts_with, USING after CROSS JOIN, DELETE with LIMIT, INSERT OR, functions of JSON, and RETURNING, which costs
SQLite up to 19 microseconds and does not exist before its version 3.35.

`?1` would name a value in SQLite as `$1` does, but Python 3.12 warns of it, so the values are put into the order of
their `?`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from webwx.storage.engine.port import StoredTable

_CACHED = 1_024
"""Number of converted statements that are kept."""

_ANY = re.compile(r"= ANY \((\$\d+)(?:::\w+\[\])?\)")
_KEY = re.compile(r"\bwebwx_key\(([^()]*)\)")
_CAST = re.compile(r"::\w+(\[\])?")
_LOOKUP = re.compile(r"\bLOOKUP JOIN (\w+) (\w+) ON \(((?:[^()]|\([^()]*\))*)\)")
_EACH = re.compile(r"\bEACH \((\$\d+)(::\w+\[\])\) (\w+)")
_INDEXED = re.compile(r" INDEXED BY \w+")
_ANY_KEY = re.compile(r"(\bwebwx_key\([^()]*\)) = ANY \((\$\d+::varchar\[\])\)")
_VALUE = re.compile(r"\$(\d+)")
_ACCOUNT = re.compile(r"\$0(?!\d)")
_EXTREME = re.compile(r"\b(least|greatest)\(")
_EXTREMES = {"least": "min(", "greatest": "max("}

_LAST_ENTRY = "LAST_ENTRY"
_LAST_OF_SQLITE = "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries')"
_LAST_OF_POSTGRES = "coalesce((SELECT last_number FROM accounts WHERE account = $0), 0)"


class SqliteText(NamedTuple):
    """A statement for SQLite."""

    text: str
    values: tuple[int, ...]
    """Number of the value of each `?`; 0 is the account."""
    arrange: Callable[[tuple[Any, ...]], Sequence[Any]]
    """Returns the values of the `?` in their order, from the account and the values by their numbers."""


@lru_cache(maxsize=_CACHED)
def to_sqlite(text: str) -> SqliteText:
    """Return a statement for SQLite."""
    text = text.replace(_LAST_ENTRY, _LAST_OF_SQLITE)
    text = _LOOKUP.sub(r"CROSS JOIN \1 \2 ON \3", _EACH.sub(r"json_each(\1) \3", text))
    text = _ANY.sub(r"IN (SELECT value FROM json_each(\1))", text)
    text = text.replace(' COLLATE "C"', "")
    text = _CAST.sub("", _KEY.sub(r"\1", text))
    text = _EXTREME.sub(lambda found: _EXTREMES[found[1]], text)
    numbers = tuple(int(found) for found in _VALUE.findall(text))
    return SqliteText(_VALUE.sub("?", text), numbers, _arranging(numbers))


def _arranging(numbers: tuple[int, ...]) -> Callable[[tuple[Any, ...]], Sequence[Any]]:
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda values: [values[number] for number in numbers]  # an `itemgetter` of one returns no sequence


class PostgresText(NamedTuple):
    """A statement for PostgreSQL."""

    text: str
    has_account: bool
    """Whether the account is a value, after all others."""


@lru_cache(maxsize=_CACHED)
def to_postgres(text: str, values: int) -> PostgresText:
    """Return a statement with a number of values for PostgreSQL."""
    text = text.replace(_LAST_ENTRY, _LAST_OF_POSTGRES)
    text = _LOOKUP.sub(r"CROSS JOIN LATERAL (SELECT * FROM \1 \2 WHERE \3 OFFSET 0) \2", text)
    text = _INDEXED.sub("", text)
    text = _EACH.sub(r"unnest(\1\2) \3(value)", text)
    text = _ANY_KEY.sub(r"\1 IN (SELECT webwx_key(k) FROM unnest(\2) k)", text)
    converted, count = _ACCOUNT.subn(f"${values + 1}", text)
    return PostgresText(converted, count > 0)


# -- tables ----------------------------------------------------------------------------------------------------------

_COLUMN = re.compile(r"^( +\w+ )(NUMBERED|bigint|integer|smallint|boolean|float8|bytea|text)\b", re.MULTILINE)
_TYPES_OF_SQLITE = {
    "NUMBERED": "INTEGER PRIMARY KEY AUTOINCREMENT", "bigint": "INTEGER", "integer": "INTEGER", "smallint": "INTEGER",
    "boolean": "INTEGER", "float8": "REAL", "bytea": "BLOB", "text": "TEXT",
}  # fmt: skip
_TYPES_OF_POSTGRES = {"NUMBERED": "bigint GENERATED BY DEFAULT AS IDENTITY", "text": 'text COLLATE "C"'}
_TYPES_OF_ARRAYS = {"NUMBERED": "bigint", "text": "varchar"}
_END = "\n);"
_OF_CONSUMER = "\n    consumer bigint NOT NULL"
_INDEX = re.compile(r"^CREATE INDEX [^;]+\);$", re.MULTILINE)
_UNCONDITIONAL = re.compile(r"^(CREATE (?:UNIQUE )?INDEX \w+ ON \w+ \((.*)\));$", re.MULTILINE)
_PRIMARY_KEY = re.compile(r"^ *PRIMARY KEY \((.*)\)", re.MULTILINE)
_LONG_KEY = re.compile(r",\n    PRIMARY KEY \((.*webwx_key.*)\)\n\);")


def sqlite_ddl(table: StoredTable) -> str:
    """
    Return the statements that create a table and its indexes in SQLite.

    Rows without a number are stored in the order of their key, unless another index has all of them: without statistics
    SQLite would prefer the first columns of the key to all columns of that index.
    """
    ddl = _KEY.sub(r"\1", _COLUMN.sub(lambda found: found[1] + _TYPES_OF_SQLITE[found[2]], table.ddl))
    has_rowid = table.is_numbered or _INDEX.search(table.ddl)
    return ddl if has_rowid else ddl.replace(_END, "\n) WITHOUT ROWID;", 1)


def postgres_ddl(table: StoredTable) -> str:
    """
    Return the statements that create a table and its indexes in PostgreSQL.

    Text is compared byte by byte, as in SQLite, and numbers are unique within the owner of a row only. A row of a
    consumer is deleted with it. A key with text of any length is a unique index.

    An index beside the key is for statements with a condition on its own column only. Otherwise PostgreSQL, which
    expects few rows in a table without statistics, would read all rows of an account by it to find one by its key.
    """
    ddl = _COLUMN.sub(lambda found: found[1] + _TYPES_OF_POSTGRES.get(found[2], found[2]), table.ddl)
    if table.of == "consumer":
        ddl = ddl.replace(_OF_CONSUMER, f"{_OF_CONSUMER} REFERENCES consumers ON DELETE CASCADE", 1)
    ddl = _LONG_KEY.sub(rf"\n);\nCREATE UNIQUE INDEX {table.name}_key ON {table.name} (\1);", ddl)
    if table.is_numbered:
        key = ", ".join(filter(None, (table.of, "number")))
        ddl = re.sub(rf"CREATE INDEX \w+ ON {table.name} \({key}\);\n", "", ddl)  # that of the key is the same
        ddl = ddl.replace(_END, f",\n    PRIMARY KEY ({key})\n);", 1)
    found = _PRIMARY_KEY.search(ddl)
    if found is None:
        return ddl
    columns = found[1].split(", ")
    return _UNCONDITIONAL.sub(lambda index: f"{index[1]} WHERE {_own_column(index[2], columns)} IS NOT NULL;", ddl)


def _own_column(index: str, key: Sequence[str]) -> str:
    """Return the first column of an index that is not one of the key."""
    return next(column for column in _KEY.sub(r"\1", index).split(", ") if column not in key)


@lru_cache
def postgres_insert_all(table: StoredTable) -> str:
    """Return the statement that inserts many rows in PostgreSQL; its values are an array for each column."""
    types = {found[1].strip(): _TYPES_OF_ARRAYS.get(found[2], found[2]) for found in _COLUMN.finditer(table.ddl)}
    arrays = ", ".join(f"${place}::{types[column]}[]" for place, column in enumerate(table.columns, 1))
    owner, value = (f"{table.of}, ", "$0, ") if table.of else ("", "")
    return f"INSERT INTO {table.name} ({owner}{', '.join(table.columns)}) SELECT {value}r.* FROM unnest({arrays}) r"  # noqa: S608 - names
