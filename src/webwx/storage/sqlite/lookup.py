"""
Queries for entries.

A query searches the indexes, and scans the tail: the entries that are not indexed yet.
"""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.protocol.codec import clean_text
from webwx.storage.entries import UnreadEntries
from webwx.storage.entry_blocks import ALWAYS, FoundBlocks, NumberSpan, spans_of
from webwx.storage.sqlite.bulk import as_list, select_numbers
from webwx.storage.sqlite.entries import LAST, read_entries
from webwx.storage.sqlite.index import key_of
from webwx.storage.tokenizer import Query, tokens_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from webwx.storage.entries import Entry, EntryQuery

_READ = 500
"""Number of entries of the tail that are searched at a time."""

_ALL_NUMBERS = NumberSpan()

_BLOCKS = """
SELECT (SELECT coalesce(max(block), -1) + 1 FROM entry_blocks),
    (SELECT block FROM entry_blocks WHERE account = ? AND latest >= ? ORDER BY block LIMIT 1),
    (SELECT block FROM entry_blocks WHERE account = ? AND earliest <= ? ORDER BY block DESC LIMIT 1)
"""
"""The fields of `FoundBlocks`."""

_FEW = 300
"""Number of entries of a chat up to which a search reads them: a word may be in a million messages of other chats."""

_OF_CHATS = """
SELECT number FROM by_chat WHERE account = ? AND key IN (SELECT value FROM json_each(?)) LIMIT ?
"""

_IS_IN_TAIL = "e.number > (SELECT number FROM indexed)"
"""Condition for entries that are not indexed yet."""


_IS_READABLE = """
e.chat IN (SELECT value FROM json_each(?)) AND e.account = ? AND e.kind = 0 AND NOT e.is_quarantined
"""

_UNREAD = f"""
WITH later AS (
    SELECT e.number, e.is_notice IS 1 AS is_notice FROM by_chat i CROSS JOIN entries e ON e.number = i.number
    WHERE i.account = ? AND i.key IN (SELECT value FROM json_each(?)) AND i.number > ? AND {_IS_READABLE}
    UNION ALL
    SELECT e.number, e.is_notice IS 1 FROM entries e
    WHERE e.number > (SELECT max(number, ?) FROM indexed) AND {_IS_READABLE}
)
SELECT count(*) - coalesce(sum(is_notice), 0), '[' || coalesce(group_concat(iif(is_notice, number, NULL)), '') || ']'
FROM later
"""

_HAS_MESSAGES = f"""
SELECT EXISTS (SELECT 1 FROM by_chat WHERE account = ?)
    OR EXISTS (SELECT 1 FROM entries e WHERE {_IS_IN_TAIL} AND e.account = ? AND e.chat <> '')
"""


def find_unread(db: sqlite3.Connection, account: int, chats: Collection[str], after: int) -> UnreadEntries:
    """Count the messages of a chat after a number, and read the notices after it."""
    (has_messages,) = db.execute(_HAS_MESSAGES, (account, account)).fetchone()
    ids = [clean_text(chat) for chat in chats]
    of_chats = as_list(ids)
    values = (account, as_list(map(key_of, ids)), after, of_chats, account, after, of_chats, account)
    count, notices = db.execute(_UNREAD, values).fetchone()
    return UnreadEntries(
        has_messages=bool(has_messages), count=count, notices=read_entries(db, msgspec.json.decode(notices))
    )


def find_entries(db: sqlite3.Connection, account: int, query: EntryQuery) -> list[Entry]:
    """Read the entries that match a query, the newest first; with `after`, in the order of arrival."""
    condition, values = _condition(account, query)
    if query.words is not None:
        between, bounds = _between("e.number", query, _ALL_NUMBERS)
        return _search(db, account, query, Query.of(query.words), condition + between, [*values, *bounds])
    numbers: list[int] = []
    for source, span in product(_sources(account, query), _spans(db, account, query)):
        # In the order of the column that leads to the entries: SQLite would read and sort all of them otherwise.
        between, bounds = _between(source.number, query, span)
        found = (
            f"SELECT e.number FROM {source.tables} AND {condition}{between}"
            f" ORDER BY {source.number} {_order(query)} LIMIT ?"
        )
        numbers += select_numbers(db, found, (*source.values, *values, *bounds, query.limit))
    return _read(db, sorted(numbers, reverse=query.after is None)[: query.limit], query)


def _order(query: EntryQuery) -> str:
    return "DESC" if query.after is None else "ASC"


def _read(db: sqlite3.Connection, numbers: list[int], query: EntryQuery) -> list[Entry]:
    """Read entries by their numbers, in the query's order."""
    entries = read_entries(db, numbers)
    return entries[::-1] if query.after is None else entries


def _condition(account: int, query: EntryQuery) -> tuple[str, list[object]]:
    """Return the conditions of a query except the words, `before` and `after` as SQL, with their values."""
    condition, values = "e.account = ?", list[object]([account])
    if query.numbers:
        condition += " AND e.number IN (SELECT value FROM json_each(?))"
        values.append(as_list(query.numbers))
    if query.message_id is not None:
        condition += " AND e.message_id = ?"
        values.append(clean_text(query.message_id))
    if query.message_ids:
        condition += " AND e.message_id IN (SELECT value FROM json_each(?))"
        values.append(as_list(clean_text(each) for each in query.message_ids))
    if query.chats:
        condition += " AND e.chat IN (SELECT value FROM json_each(?))"
        values.append(as_list(clean_text(each) for each in query.chats))
    if query.since:
        condition += " AND e.time >= ?"
        values.append(query.since)
    if query.until:
        condition += " AND e.time <= ?"
        values.append(query.until)
    if query.is_notice:
        condition += " AND e.is_notice IS NOT 0 AND e.kind = 0"
    return condition, values


def _spans(db: sqlite3.Connection, account: int, query: EntryQuery) -> list[NumberSpan]:
    """Return the numbers that the times of a query do not exclude."""
    if not query.since and not query.until:
        return [_ALL_NUMBERS]
    times = (account, query.since, account, query.until or ALWAYS)
    return spans_of(query, FoundBlocks(*db.execute(_BLOCKS, times).fetchone()))


def _between(column: str, query: EntryQuery, span: NumberSpan) -> tuple[str, list[int]]:
    """Return the conditions for the numbers of a query's entries as SQL, with their values."""
    # One condition for each end: SQLite would begin its search at the first one alone.
    first = max(span.first, 0 if query.after is None else query.after + 1)
    ends = [end for end in (span.end, query.before) if end is not None]
    between = f" AND {column} >= ?" if first else ""
    return between + (f" AND {column} < ?" if ends else ""), [
        *([first] if first else []),
        *([min(ends)] if ends else []),
    ]


class _Source(NamedTuple):
    """Tables with candidates of a query."""

    tables: str
    """The tables, and a first condition."""
    values: tuple[object, ...] = ()
    """Values of the condition."""
    number: str = "e.number"
    """Column with the number of the entry, in whose order the candidates are read."""


def _sources(account: int, query: EntryQuery) -> list[_Source]:
    """Return the tables with the fewest candidates."""
    if query.numbers:
        numbers = "(SELECT DISTINCT value FROM json_each(?)) n CROSS JOIN entries e ON e.number = n.value WHERE 1"
        return [_Source(numbers, (as_list(query.numbers),))]
    if query.is_notice:
        return [_Source("entries e INDEXED BY notices WHERE 1")]
    if query.message_id is not None:
        index, keys = "by_id", [key_of(clean_text(query.message_id))]
    elif query.message_ids:
        index, keys = "by_id", list({key_of(clean_text(each)) for each in query.message_ids})
    elif query.chats:
        index, keys = "by_chat", list({key_of(clean_text(chat)) for chat in query.chats})
    else:
        return [_Source("entries e WHERE 1")]
    indexed = f"{index} i CROSS JOIN entries e ON e.number = i.number WHERE i.account = ? AND i.key = ?"
    return [
        _Source(f"entries e WHERE {_IS_IN_TAIL}"), *(_Source(indexed, (account, key), "i.number") for key in keys)
    ]  # fmt: skip


def _search(
    db: sqlite3.Connection, account: int, query: EntryQuery, words: Query, condition: str, values: list[object]
) -> list[Entry]:
    """Read messages that contain all of these words, in the query's order."""
    if not words.runs:
        return []

    def matching(source: str, source_values: Sequence[object], limit: int) -> list[Entry]:
        """Read the messages of a source that have the words, one after another."""
        one_by_one = f"SELECT e.number FROM entries e WHERE {source} AND e.kind = 0 AND {condition}"
        numbers = sorted(select_numbers(db, one_by_one, [*source_values, *values]), reverse=query.after is None)
        found: list[Entry] = []
        for start in range(0, len(numbers), _READ):
            some = _read(db, numbers[start : start + _READ], query)
            found += (entry for entry in some if words.finds(tokens_of(entry.item.raw, entry.own_id)))
            if len(found) >= limit:
                break
        return found[:limit]

    def from_tail(limit: int) -> list[Entry]:
        return matching(_IS_IN_TAIL, (), limit)

    def from_index(limit: int) -> list[Entry]:
        chats, keys = "", list[object]()
        if query.chats:
            keys = [account, as_list({key_of(clean_text(chat)) for chat in query.chats})]
            of_chats = select_numbers(db, _OF_CHATS, (*keys, _FEW + 1))
            if len(of_chats) <= _FEW:
                return matching("e.number IN (SELECT value FROM json_each(?))", (as_list(of_chats),), limit)
            # The chat of a match is found in its index, whose rows are a small part of those of the entries.
            chats = (
                " AND EXISTS (SELECT 1 FROM by_chat i WHERE i.account = ? AND i.number = w.rowid"
                " AND i.key IN (SELECT value FROM json_each(?)))"
            )
        in_index = (
            "SELECT w.rowid AS number FROM words w CROSS JOIN entries e ON e.number = w.rowid"
            f" WHERE words MATCH ? AND w.rowid > ? AND w.rowid < ?{chats} AND {condition}"
            f" ORDER BY w.rowid {_order(query)} LIMIT ?"
        )
        numbers: list[int] = []
        for span in _spans(db, account, query):
            after = max(query.after or 0, span.first - 1)
            before = min(each for each in (query.before, span.end, LAST) if each is not None)
            numbers += select_numbers(db, in_index, (words.expression, after, before, *keys, *values, limit))
        return _read(db, sorted(numbers, reverse=query.after is None)[:limit], query)

    found: list[Entry] = []
    for read in (from_tail, from_index) if query.after is None else (from_index, from_tail):
        if len(found) < query.limit:
            found += read(query.limit - len(found))
    return found
