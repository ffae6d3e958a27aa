"""
Reads and writes of many rows in one statement.

Each step of a statement releases the interpreter's lock, and beside a busy event loop it takes 5 ms to get the lock
back: a hundred rows would take half a second. So rows are written by the hundred, and read in one step, as JSON.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

import sqlite3
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.protocol.codec import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Values = Sequence[object] | Mapping[str, object]
    """Parameters of a statement: in the order of its `?`, or by name."""

_WRITTEN = 256
"""Number of rows of one statement; a power of two."""

_LIGHT = 64 * 1024
"""Bytes of parameters that a cached statement may keep."""


def insert(
    db: sqlite3.Connection,
    into: str,
    rows: Sequence[Sequence[Any]],
    *,
    verb: str = "INSERT",
    shared: Sequence[Any] = (),
    utf8: int | None = None,
    then: str = "",
) -> None:
    """
    Insert rows with as few statements as possible; lone surrogates become U+FFFD.

    Args:
        db: Connection to write to.
        into: The table, with its columns unless `shared` and `rows` have all columns in their order.
        rows: Values of the last columns, one tuple for each row.
        verb: SQL verb of the insertion.
        shared: Values of the first columns, the same in all rows; passing them once saves most of the time.
        utf8: Place of a text in each row that is passed as bytes in UTF-8, which saves decoding it.
        then: The `ON CONFLICT` clause for rows that exist already.
    """
    if not rows:
        return
    width = len(rows[0])
    limit = db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) - 1 - len(shared)
    # Every statement is prepared and cached, so there are few: each takes a power of two of rows, padded with zeros.
    most = 1 << (max(1, min(_WRITTEN, limit // width)).bit_length() - 1)
    left = iter(rows)
    while piece := list(islice(left, most)):
        room = 1 << (len(piece) - 1).bit_length()
        query = _insertion(verb, into, len(shared), width, room, utf8, then)
        values = [*shared, *chain.from_iterable(piece)]
        try:
            weight = len(_weigh(values))
        except UnicodeEncodeError:
            values = [clean_text(each) if isinstance(each, str) else each for each in values]
            weight = len(_weigh(values))
        values += [0] * (room - len(piece)) * width
        values.append(len(piece))
        db.execute(query, values)
        if weight > _LIGHT:  # the statement keeps a copy of the last parameters
            db.execute(query, [0] * (len(shared) + room * width + 1))


_weigh = msgspec.msgpack.Encoder().encode


@cache
def _insertion(verb: str, into: str, shared: int, width: int, room: int, utf8: int | None, then: str) -> str:
    columns = ["?"] * shared + [f"column{place + 1}" for place in range(width)]
    if utf8 is not None:
        columns[shared + utf8] = f"CAST({columns[shared + utf8]} AS TEXT)"
    one = f"({', '.join('?' * width)})"
    return f"{verb} INTO {into} SELECT {', '.join(columns)} FROM (VALUES {', '.join([one] * room)}) LIMIT ? {then}"


def select(db: sqlite3.Connection, columns: Sequence[str], source: str, values: Values) -> list[list[Any]]:
    """Read columns of rows, without columns of bytes; `source` is the query after its columns."""
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
    """Encode values for `json_each`, so that one statement takes any number of them."""
    return msgspec.json.encode(list(values)).decode()
