"""Queries for entries: each is one statement, and a search finds phrases of tokens in an index."""

# ruff: noqa: S608 - only columns and conditions are put together here, never a value

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.storage.entry_blocks import ALWAYS, FoundBlocks, spans_of
from webwx.storage.postgres.entries import LONG, LONGEST_TOKEN, NOTICE, entries_of, reading_of
from webwx.storage.tokenizer import Query, tokens_of

if TYPE_CHECKING:
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

_LONG_READ = 20
"""Number of long messages that are read at a time."""


async def find_entries(db: Connection, account: int, query: EntryQuery) -> list[Entry]:
    """Read the entries that match a query, the newest first; with `after`, in the order of arrival."""
    conditions, values = _conditions(account, query)
    if query.words is None and (query.since or query.until):
        found = await _read_times(db, account, query, conditions, values)
    elif query.words is None:
        found = await _read(db, query, conditions, values, query.limit)
    else:
        found = await _search(db, query, Query.of(query.words), conditions, values)
    return found if query.after is not None else found[::-1]


def _conditions(account: int, query: EntryQuery) -> tuple[list[str], list[object]]:
    """Return the conditions of a query except the words and the chats, with their values."""
    conditions, values = ["account = $1"], list[object]([account])

    def require(condition: str, value: object) -> None:
        values.append(value)
        conditions.append(condition.format(f"${len(values)}"))

    if query.number is not None:
        require("number = {}::bigint", query.number)
    if query.message_id is not None:
        conditions.append("message_id <> ''")
        require(
            "hashtextextended(message_id, 0) = hashtextextended({0}::text, 0) AND message_id = {0}", query.message_id
        )
    if query.message_ids:
        conditions.append("message_id <> ''")
        require(
            "hashtextextended(message_id, 0) = ANY (ARRAY(SELECT hashtextextended(i, 0) FROM unnest({0}::varchar[]) i))"
            " AND message_id = ANY ({0})",
            list(query.message_ids),
        )
    if query.before is not None:
        require("number < {}::bigint", query.before)
    if query.after is not None:
        require("number > {}::bigint", query.after)
    if query.since:
        require("time >= {}::float8", query.since)
    if query.until:
        require("time <= {}::float8", query.until)
    if query.is_notice:
        conditions.append(f"(flags & 14 <> 0 OR batch = 0) AND flags & {NOTICE} <> 0 AND kind = 0")
    return conditions, values


async def _read(
    db: Connection, query: EntryQuery, conditions: list[str], values: list[object], limit: int
) -> list[Entry]:
    order = f"ORDER BY number {'DESC' if query.after is None else 'ASC'} LIMIT {int(limit)}"
    if not query.chats:
        source = f"SELECT * FROM entries WHERE {' AND '.join(conditions)} {order}"
        return entries_of(await db.fetch(reading_of(source), *values))
    # Each chat in the order of the index: with `= ANY`, all entries of the chats would be read and sorted.
    source = (
        f"SELECT e.* FROM unnest(${len(values) + 1}::varchar[]) each CROSS JOIN LATERAL ("
        f"SELECT * FROM entries WHERE {' AND '.join([*conditions, _OF_CHAT])} {order}) e {order}"
    )
    return entries_of(await db.fetch(reading_of(source), *values, sorted(set(query.chats))))


async def _read_times(
    db: Connection, account: int, query: EntryQuery, conditions: list[str], values: list[object]
) -> list[Entry]:
    """Read the entries of a query with times, among the numbers that the times do not exclude."""
    row = await db.fetchrow(_BLOCKS, account, query.since, query.until or ALWAYS)
    assert row is not None  # noqa: S101 - for the type checker: a query without FROM has one row
    places = (len(values) + 1, len(values) + 2)
    within = [*conditions, "number >= ${}::bigint AND number < ${}::bigint".format(*places)]
    found: list[Entry] = []
    for span in spans_of(query, FoundBlocks(*row)):
        ends = (span.first, _LAST if span.end is None else span.end)
        found += await _read(db, query, within, [*values, *ends], query.limit)
    found.sort(key=lambda entry: entry.number)
    return found[: query.limit] if query.after is not None else found[-query.limit :]


async def _search(
    db: Connection, query: EntryQuery, words: Query, conditions: list[str], values: list[object]
) -> list[Entry]:
    """Read messages that contain all of these words, in the order of arrival."""
    if not words.runs:
        return []
    conditions = [*conditions, "kind = 0", f"words @@ ${len(values) + 1}::text::tsquery"]
    # The best plan depends on how often the words occur, so each search is planned with its words.
    async with db.transaction(readonly=True):
        await db.execute("SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_bitmapscan = on")
        short = [*conditions, f"flags & {LONG} = 0"]
        found = await _read(db, query, short, [*values, _phrases(words)], query.limit)
        found += await _search_long(db, query, words, conditions, [*values, _tokens(words)])
    found.sort(key=lambda entry: entry.number)
    return found[: query.limit] if query.after is not None else found[-query.limit :]


async def _search_long(
    db: Connection, query: EntryQuery, words: Query, conditions: list[str], values: list[object]
) -> list[Entry]:
    """Read messages whose tokens have no positions in the index; each is searched itself."""
    bound = f"number < ${len(values) + 1}::bigint" if query.after is None else f"number > ${len(values) + 1}::bigint"
    conditions = [*conditions, bound, f"(flags & 14 <> 0 OR batch = 0) AND flags & {LONG} <> 0"]
    found: list[Entry] = []
    last = _LAST if query.after is None else 0
    while len(found) < query.limit and (some := await _read(db, query, conditions, [*values, last], _LONG_READ)):
        found += [entry for entry in some if words.finds(tokens_of(entry.item.raw, entry.own_id))]
        last = some[0].number if query.after is None else some[-1].number
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
