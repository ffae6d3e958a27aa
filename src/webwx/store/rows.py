"""
Many rows in one statement, both ways.

Each step of a statement gives up the interpreter's lock, and beside a busy loop gets it back 5 ms later: a hundred rows
would take half a second. So rows are written by the hundred, and read in one step, as JSON.
"""

# ruff: noqa: S608 - what is put together here are columns and conditions, and never a value

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WRITTEN = 250
"""Rows of one statement."""


def insert(db: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]], *, verb: str = "INSERT") -> None:
    """Insert rows by as few statements as can be."""
    if not rows:
        return
    one = f"({', '.join('?' * len(rows[0]))})"
    limit = db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    most = max(1, min(_WRITTEN, limit // len(rows[0])))
    left = iter(rows)
    while piece := list(islice(left, most)):
        values = ", ".join([one] * len(piece))
        db.execute(f"{verb} INTO {into} VALUES {values}", [value for row in piece for value in row])


def select(db: sqlite3.Connection, columns: Sequence[str], source: str, values: Sequence[object]) -> list[list[Any]]:
    """Read columns of rows, none of them bytes; `source` is what comes after the columns of a query."""
    listed = ", ".join(f"{column} AS c{place}" for place, column in enumerate(columns))
    names = ", ".join(f"c{place}" for place in range(len(columns)))
    (answer,) = db.execute(
        f"SELECT json_group_array(json_array({names})) FROM (SELECT {listed} {source})", values
    ).fetchone()
    rows: list[list[Any]] = msgspec.json.decode(answer)
    return rows


def select_numbers(db: sqlite3.Connection, query: str, values: Sequence[object]) -> list[int]:
    """Read the one column `number` of a query."""
    (answer,) = db.execute(f"SELECT json_group_array(number) FROM ({query})", values).fetchone()
    numbers: list[int] = msgspec.json.decode(answer)
    return numbers


def as_list(values: Iterable[int | str]) -> str:
    """Write values as SQL reads them through `json_each`: one statement, however many."""
    return msgspec.json.encode(list(values)).decode()
