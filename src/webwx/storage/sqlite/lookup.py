"""
Queries for entries.

A query searches the indexes, and scans the tail: the entries that are not indexed yet.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.protocol.codec import clean_text
from webwx.storage.sqlite.bulk import as_list, select_numbers
from webwx.storage.sqlite.entries import LAST, read_entries
from webwx.storage.sqlite.index import key_of
from webwx.storage.tokenizer import Query, tokens_of

if TYPE_CHECKING:
    import sqlite3

    from webwx.storage.base import Entry, EntryQuery

_READ = 500
"""Number of entries of the tail that are searched at a time."""

_IS_IN_TAIL = "e.number > (SELECT number FROM indexed)"
"""Condition for entries that are not indexed yet."""


def entries_after(db: sqlite3.Connection, account: int, number: int, limit: int) -> list[Entry]:
    """Read the entries after a number, in the order of arrival."""
    following = "SELECT number FROM entries WHERE number > ? AND account = ? ORDER BY number LIMIT ?"
    return read_entries(db, select_numbers(db, following, (number, account, limit)))


def find_entries(db: sqlite3.Connection, account: int, query: EntryQuery) -> list[Entry]:
    """Read the entries that match a query, the newest first."""
    condition, values = _condition(account, query)
    if query.words is not None:
        return _search(db, query, Query.of(query.words), condition, values)
    numbers: list[int] = []
    for source in _sources(account, query):
        found = f"SELECT e.number FROM {source[0]} AND {condition} ORDER BY e.number DESC LIMIT ?"
        numbers += select_numbers(db, found, (*source[1], *values, query.limit))
    return read_entries(db, sorted(numbers, reverse=True)[: query.limit])[::-1]


def _condition(account: int, query: EntryQuery) -> tuple[str, list[object]]:
    """Return all conditions of a query except the words as SQL, with their values."""
    condition, values = "e.account = ?", list[object]([account])
    if query.number is not None:
        condition += " AND e.number = ?"
        values.append(query.number)
    if query.message_id is not None:
        condition += " AND e.message_id = ?"
        values.append(clean_text(query.message_id))
    if query.chats:
        condition += " AND e.chat IN (SELECT value FROM json_each(?))"
        values.append(as_list(clean_text(each) for each in query.chats))
    if query.before is not None:
        condition += " AND e.number < ?"
        values.append(query.before)
    if query.since:
        condition += " AND e.time >= ?"
        values.append(query.since)
    if query.until:
        condition += " AND e.time <= ?"
        values.append(query.until)
    if query.is_notice:
        condition += " AND e.is_notice IS NOT 0 AND e.kind = 0"
    return condition, values


def _sources(account: int, query: EntryQuery) -> list[tuple[str, tuple[object, ...]]]:
    """Return the tables with the fewest candidates, each with a first condition and its values."""
    if query.number is not None:
        return [("entries e WHERE 1", ())]
    if query.is_notice:
        return [("entries e INDEXED BY notices WHERE 1", ())]
    if query.message_id is not None:
        index, keys = "by_id", [key_of(clean_text(query.message_id))]
    elif query.chats:
        index, keys = "by_chat", list({key_of(clean_text(chat)) for chat in query.chats})
    else:
        return [("entries e WHERE 1", ())]
    indexed = f"{index} i CROSS JOIN entries e USING (number) WHERE i.account = ? AND i.key = ?"
    return [(f"entries e WHERE {_IS_IN_TAIL}", ()), *((indexed, (account, key)) for key in keys)]


def _search(
    db: sqlite3.Connection, query: EntryQuery, words: Query, condition: str, values: list[object]
) -> list[Entry]:
    """Read the newest messages that contain all of these words."""
    if not words.runs:
        return []
    from_tail = f"SELECT e.number FROM entries e WHERE {_IS_IN_TAIL} AND e.kind = 0 AND {condition}"
    tail = sorted(select_numbers(db, from_tail, values), reverse=True)
    found: list[Entry] = []
    for start in range(0, len(tail), _READ):
        newest_last = read_entries(db, tail[start : start + _READ])
        found += (entry for entry in reversed(newest_last) if words.finds(tokens_of(entry.item.raw, entry.own_id)))
        if len(found) >= query.limit:
            return found[: query.limit]
    from_index = (
        "SELECT w.rowid AS number FROM words w CROSS JOIN entries e ON e.number = w.rowid"
        f" WHERE words MATCH ? AND w.rowid < ? AND {condition} ORDER BY w.rowid DESC LIMIT ?"
    )
    newest = LAST if query.before is None else query.before
    numbers = select_numbers(db, from_index, (words.expression, newest, *values, query.limit - len(found)))
    return found + read_entries(db, numbers)[::-1]
