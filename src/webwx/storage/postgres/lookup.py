"""Queries for entries: each is one statement, and a search finds phrases of tokens in an index."""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from webwx.protocol.codec import clean_text
from webwx.storage.entries import UnreadEntries
from webwx.storage.entry_blocks import ALWAYS, FoundBlocks, spans_of
from webwx.storage.postgres.entries import (
    LONG,
    LONGEST_TOKEN,
    NOTICE,
    QUARANTINED,
    entries_of,
    read_numbers,
    reading_of,
)
from webwx.storage.tokenizer import Query, tokens_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.storage.entries import Entry, EntryQuery
    from webwx.storage.postgres.database import Connection


_LAST = 2**63 - 1
"""A number above that of every entry."""

_BLOCKS = """
SELECT coalesce((SELECT block FROM entry_blocks WHERE account = $1 ORDER BY block DESC LIMIT 1), -1) + 1,
    (SELECT block FROM entry_blocks WHERE account = $1 AND latest >= $2::float8 ORDER BY block LIMIT 1),
    (SELECT block FROM entry_blocks WHERE account = $1 AND earliest <= $3::float8 ORDER BY block DESC LIMIT 1)
"""
"""The fields of `FoundBlocks`."""

_OF_CHAT = "chat <> '' AND hashtextextended(chat, 0) = hashtextextended(each::text, 0) AND chat = each"
"""Condition for the entries of the chat `each`."""

_RARE = "(flags & 14 <> 0 OR batch = 0)"
"""The condition of the index `entries_rare`."""

_IN_ORDER = 1_000
"""Number of entries that a search reads in the order of numbers, before it uses the index of words."""

_LONG_READ = 20
"""Number of long messages that are read at a time."""


class _EntryConditions(NamedTuple):
    """The conditions of a query except the words and the chats."""

    place: list[str]
    """Those on the account and on numbers, by which entries are read in the order of an index."""
    others: list[str]
    values: list[object]

    @property
    def all(self) -> list[str]:
        """All of them."""
        return [*self.place, *self.others]


_UNREAD = f"""
SELECT count(*) FILTER (WHERE flags & {NOTICE} = 0) AS count,
    coalesce(array_agg(number ORDER BY number) FILTER (WHERE flags & {NOTICE} <> 0), '{{}}') AS notices,
    EXISTS (SELECT FROM entries WHERE account = $1 AND chat <> '') AS has_messages
FROM unnest($3::varchar[]) each CROSS JOIN LATERAL (
    SELECT number, flags FROM entries
    WHERE account = $1 AND number > $2::bigint AND kind = 0 AND flags & {QUARANTINED} = 0 AND {_OF_CHAT} OFFSET 0
) later
"""


async def find_unread(db: Connection, account: int, chats: Collection[str], after: int) -> UnreadEntries:
    """Count the messages of a chat after a number, and read the notices after it."""
    row = await db.fetchrow(_UNREAD, account, after, sorted({clean_text(chat) for chat in chats}))
    assert row is not None  # noqa: S101 - for the type checker: an aggregate without GROUP BY has one row
    notices = await read_numbers(db, account, row["notices"]) if row["notices"] else []
    return UnreadEntries(has_messages=row["has_messages"], count=row["count"], notices=notices)


async def find_entries(db: Connection, account: int, query: EntryQuery) -> list[Entry]:
    """Read the entries that match a query, the newest first; with `after`, in the order of arrival."""
    conditions = _conditions(account, query)
    if query.words is None and (query.since or query.until):
        found = await _read_times(db, account, query, conditions)
    elif query.words is None:
        found = await _read(db, query, conditions.all, conditions.values, query.limit)
    else:
        found = await _search(db, account, query, Query.of(query.words), conditions)
    return found if query.after is not None else found[::-1]


def _conditions(account: int, query: EntryQuery) -> _EntryConditions:
    place, others, values = ["account = $1"], list[str](), list[object]([account])

    def require(conditions: list[str], condition: str, value: object) -> None:
        values.append(value)
        conditions.append(condition.format(f"${len(values)}"))

    if query.numbers:
        require(place, "number = ANY ({}::bigint[])", list(query.numbers))
    if query.before is not None:
        require(place, "number < {}::bigint", query.before)
    if query.after is not None:
        require(place, "number > {}::bigint", query.after)
    if query.message_id is not None:
        others.append("message_id <> ''")
        require(
            others,
            "hashtextextended(message_id, 0) = hashtextextended({0}::text, 0) AND message_id = {0}",
            query.message_id,
        )
    if query.message_ids:
        others.append("message_id <> ''")
        require(
            others,
            "hashtextextended(message_id, 0) = ANY (ARRAY(SELECT hashtextextended(i, 0) FROM unnest({0}::varchar[]) i))"
            " AND message_id = ANY ({0})",
            list(query.message_ids),
        )
    if query.since:
        require(others, "time >= {}::float8", query.since)
    if query.until:
        require(others, "time <= {}::float8", query.until)
    if query.is_notice:
        others.append(f"{_RARE} AND flags & {NOTICE} <> 0 AND kind = 0")
    return _EntryConditions(place, others, values)


def _order(query: EntryQuery) -> str:
    return f"ORDER BY number {'DESC' if query.after is None else 'ASC'}"


def _behind(query: EntryQuery) -> str:
    """Return the comparison with a number for those behind it in the query's order."""
    return "<" if query.after is None else ">"


async def _read(
    db: Connection, query: EntryQuery, conditions: list[str], values: list[object], limit: int
) -> list[Entry]:
    order = f"{_order(query)} LIMIT {int(limit)}"
    if not query.chats:
        source = f"SELECT * FROM entries WHERE {' AND '.join(conditions)} {order}"
        return entries_of(await db.fetch(reading_of(source), *values))
    # Each chat in the order of the index: with `= ANY`, all entries of the chats would be read and sorted.
    source = (
        f"SELECT e.* FROM unnest(${len(values) + 1}::varchar[]) each CROSS JOIN LATERAL ("
        f"SELECT * FROM entries WHERE {' AND '.join([*conditions, _OF_CHAT])} {order}) e {order}"
    )
    return entries_of(await db.fetch(reading_of(source), *values, sorted(set(query.chats))))


async def _within_times(
    db: Connection, account: int, query: EntryQuery, conditions: _EntryConditions
) -> list[_EntryConditions]:  # fmt: skip
    """Return the conditions for each range of numbers that the times of a query do not exclude."""
    if not query.since and not query.until:
        return [conditions]
    row = await db.fetchrow(_BLOCKS, account, query.since, query.until or ALWAYS)
    assert row is not None  # noqa: S101 - for the type checker: a query without FROM has one row
    place, others, values = conditions
    between = f"number >= ${len(values) + 1}::bigint AND number < ${len(values) + 2}::bigint"
    return [
        _EntryConditions([*place, between], others, [*values, span.first, _LAST if span.end is None else span.end])
        for span in spans_of(query, FoundBlocks(*row))
    ]


async def _read_times(db: Connection, account: int, query: EntryQuery, conditions: _EntryConditions) -> list[Entry]:
    """Read the entries of a query with times, among the numbers that the times do not exclude."""
    found: list[Entry] = []
    for within in await _within_times(db, account, query, conditions):
        found += await _read(db, query, within.all, within.values, query.limit)
    found.sort(key=lambda entry: entry.number)
    return found[: query.limit] if query.after is not None else found[-query.limit :]


async def _search(
    db: Connection, account: int, query: EntryQuery, words: Query, conditions: _EntryConditions
) -> list[Entry]:  # fmt: skip
    """Read messages that contain all of these words, in the order of arrival."""
    if not words.runs:
        return []
    conditions.others.append("kind = 0")
    # The best plan depends on how often the words occur, so each search is planned with its words.
    async with db.transaction(readonly=True):
        await db.execute("SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_bitmapscan = on")
        found: list[Entry] = []
        for within in await _within_times(db, account, query, conditions):
            found += await read_numbers(db, account, await _search_short(db, query, words, within))
        found += await _search_long(db, account, query, words, conditions)
    found.sort(key=lambda entry: entry.number)
    return found[: query.limit] if query.after is not None else found[-query.limit :]


async def _search_short(db: Connection, query: EntryQuery, words: Query, conditions: _EntryConditions) -> list[int]:
    """
    Return the numbers of messages that have the words with their positions.

    The index of words has no order, so all messages with a frequent word would be read by it; in the order of numbers,
    all messages would be read to find a rare word. So the first ones are read in their order, and if too few of them
    match, the others by the index of words: then the word is not frequent among them, or in other chats only.
    """
    values = [*conditions.values, _phrases(words)]
    others = " AND ".join([*conditions.others, f"flags & {LONG} = 0 AND words @@ ${len(values)}::text::tsquery"])
    chats = sorted(set(query.chats))
    count = max(1, _IN_ORDER // max(1, len(chats)))
    first = f"SELECT number, {others} AS is_match FROM entries WHERE {' AND '.join(conditions.place)}"
    limited = f"{_order(query)} LIMIT {count}"
    if chats:
        source = (
            f"SELECT each, e.* FROM unnest(${len(values) + 1}::varchar[]) each CROSS JOIN LATERAL ("
            f"{first} AND {_OF_CHAT} {limited}) e"
        )
    else:
        source = f"SELECT '' AS each, e.* FROM ({first} {limited}) e"
    row = await db.fetchrow(
        f"WITH first AS MATERIALIZED ({source}) SELECT"
        f" array(SELECT number FROM first WHERE is_match {_order(query)}) AS numbers,"
        f" (SELECT {'min(last)' if query.after is not None else 'max(first)'} FROM ("
        f"SELECT min(number) AS first, max(number) AS last FROM first GROUP BY each HAVING count(*) = {count}"
        ") unfinished) AS read_to",
        *values, *([chats] if chats else []),
    )  # fmt: skip
    assert row is not None  # noqa: S101 - for the type checker: a query without FROM has one row
    read_to, numbers = row["read_to"], list[int](row["numbers"])
    if read_to is None:
        return numbers[: query.limit]
    numbers = [each for each in numbers if (each <= read_to if query.after is not None else each >= read_to)]
    left = query.limit - len(numbers)
    if left > 0:
        numbers += await _search_index(db, query, others, conditions, values, read_to, left)
    return numbers[: query.limit]


async def _search_index(
    db: Connection, query: EntryQuery, others: str, conditions: _EntryConditions, values: list[object], read_to: int,
    limit: int,
) -> list[int]:  # fmt: skip
    """Return the numbers of messages behind a number that the index of words finds."""
    place = len(conditions.values) + 2
    of_chats = [f"chat = ANY (${place + 1}::varchar[])"] if query.chats else []
    within = [*conditions.place, f"number {_behind(query)} ${place}::bigint", others, *of_chats]
    # `OFFSET 0` keeps PostgreSQL from reading in the order of the numbers.
    source = f"SELECT number FROM entries WHERE {' AND '.join(within)} OFFSET 0"
    rows = await db.fetch(
        f"SELECT number FROM ({source}) e {_order(query)} LIMIT {limit}",
        *values, read_to, *([list(query.chats)] if query.chats else []),
    )  # fmt: skip
    return [row["number"] for row in rows]


async def _search_long(
    db: Connection, account: int, query: EntryQuery, words: Query, conditions: _EntryConditions
) -> list[Entry]:  # fmt: skip
    """Read messages whose tokens have no positions in the index; each that may match is searched itself."""
    values = [*conditions.values, _tokens(words)]
    others = [*conditions.others, f"words @@ ${len(values)}::text::tsquery"]
    if query.chats:
        values.append(list(query.chats))
        others.append(f"chat = ANY (${len(values)}::varchar[])")
    long = [*conditions.place, f"number {_behind(query)} ${len(values) + 1}::bigint", _RARE, f"flags & {LONG} <> 0"]
    source = (
        f"SELECT number, {' AND '.join(others)} AS may_match FROM entries WHERE {' AND '.join(long)}"
        f" {_order(query)} LIMIT {_LONG_READ}"
    )
    found: list[Entry] = []
    last = _LAST if query.after is None else 0
    while len(found) < query.limit and (rows := await db.fetch(source, *values, last)):
        some = await read_numbers(db, account, [row["number"] for row in rows if row["may_match"]])
        found += [entry for entry in some if words.finds(tokens_of(entry.item.raw, entry.own_id))]
        last = rows[-1]["number"]
    return found


def _phrases(words: Query) -> str:
    """Return a search as a `tsquery`: each run is a phrase, whose last token may be the beginning of a word."""
    return " & ".join("(" + " <-> ".join(f"'{token[:LONGEST_TOKEN]}'" for token in run) + ":*)" for run in words.runs)


def _tokens(words: Query) -> str:
    """Return a search as a `tsquery` that ignores the order of the tokens."""
    return " & ".join(
        f"'{token[:LONGEST_TOKEN]}'{':*' if place == len(run) - 1 else ''}"
        for run in words.runs
        for place, token in enumerate(run)
    )
