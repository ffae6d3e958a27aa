"""
Many rows in one statement, both ways.

Each step of a statement gives up the interpreter's lock, and beside a busy loop gets it back 5 ms later: a hundred rows
would take half a second. So rows are written by the hundred, and read in one step, as JSON.
"""

# ruff: noqa: S608 - what is put together here are columns and conditions, and never a value

from __future__ import annotations

import sqlite3
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Values = Sequence[object] | Mapping[str, object]
    """What a statement is given: in the order of its `?`, or by the names that it has for them."""

_WRITTEN = 256
"""Rows of one statement; a power of two."""

_LIGHT = 64 * 1024
"""Bytes that a statement may keep of what was written by it."""


def insert(
    db: sqlite3.Connection,
    into: str,
    rows: Sequence[Sequence[Any]],
    *,
    verb: str = "INSERT",
    shared: Sequence[Any] = (),
    then: str = "",
) -> None:
    """
    Insert rows by as few statements as can be.

    Args:
        db: Where.
        into: The table, and its columns where these are not all of them in their order.
        rows: What differs from row to row: the last columns.
        verb: How.
        shared: What is the same in all rows: the first columns. To give that once saves most of an insertion's time.
        then: What becomes of rows that are there already, as `ON CONFLICT` says it.
    """
    if not rows:
        return
    width = len(rows[0])
    limit = db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) - 1 - len(shared)
    # Every text is prepared and kept, so there are few: each takes twice the rows of the next, and is filled up.
    most = 1 << (max(1, min(_WRITTEN, limit // width)).bit_length() - 1)
    left = iter(rows)
    while piece := list(islice(left, most)):
        room = 1 << (len(piece) - 1).bit_length()
        query = _insertion(verb, into, len(shared), width, room, then)
        values = [*shared, *chain.from_iterable(piece)]
        weight = len(_weigh(values))
        values += [0] * (room - len(piece)) * width
        values.append(len(piece))
        db.execute(query, values)
        if weight > _LIGHT:  # it keeps a copy of what was bound last
            db.execute(query, [0] * (len(shared) + room * width + 1))


_weigh = msgspec.msgpack.Encoder().encode


@cache
def _insertion(verb: str, into: str, shared: int, width: int, room: int, then: str) -> str:
    first, one = "?, " * shared, f"({', '.join('?' * width)})"
    return f"{verb} INTO {into} SELECT {first}* FROM (VALUES {', '.join([one] * room)}) LIMIT ? {then}"


def select(db: sqlite3.Connection, columns: Sequence[str], source: str, values: Values) -> list[list[Any]]:
    """Read columns of rows, none of them bytes; `source` is what comes after the columns of a query."""
    listed = ", ".join(f"{column} AS c{place}" for place, column in enumerate(columns))
    names = ", ".join(f"c{place}" for place in range(len(columns)))
    (answer,) = db.execute(
        f"SELECT json_group_array(json_array({names})) FROM (SELECT {listed} {source})", values
    ).fetchone()
    rows: list[list[Any]] = msgspec.json.decode(answer)
    return rows


def select_numbers(db: sqlite3.Connection, query: str, values: Values) -> list[int]:
    """Read the one column `number` of a query."""
    (answer,) = db.execute(f"SELECT json_group_array(number) FROM ({query})", values).fetchone()
    numbers: list[int] = msgspec.json.decode(answer)
    return numbers


def as_list(values: Iterable[int | str]) -> str:
    """Write values as SQL reads them through `json_each`: one statement, however many."""
    return msgspec.json.encode(list(values)).decode()
