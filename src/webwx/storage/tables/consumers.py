"""The list of an account's consumers, and what belongs to their cursors, which each engine moves."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.storage.engine.port import Select, StoredTable
from webwx.storage.entry_blocks import BLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webwx.storage.engine.port import Statements, Tables


CONSUMERS = StoredTable(
    name="consumers",
    columns=("name", "acked", "started", "isolated_to", "is_open"),
    order="consumer",
    copied_as={"is_open": "is_open::integer"},
)

ACKED_AHEAD = StoredTable(
    name="acked_ahead",
    of="consumer",
    columns=("number",),
    ddl="""
CREATE TABLE acked_ahead (
    consumer bigint NOT NULL,
    number bigint NOT NULL,                     -- of an entry that is acknowledged, but after `acked`
    PRIMARY KEY (consumer, number)
);
""",
)

CRASHES = StoredTable(
    name="crashes",
    of="consumer",
    columns=("number", "crashes"),
    is_of_entries=True,
    ddl="""
CREATE TABLE crashes (
    consumer bigint NOT NULL,
    number bigint NOT NULL,                     -- of the entry
    crashes integer NOT NULL,                   -- of processes, that of the current attempt included
    PRIMARY KEY (consumer, number)
);
""",
)


_LAST = 2**63 - 2
"""A number that no entry has, nor the next one."""


class ConsumerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The position of a consumer."""

    name: str
    acked: int
    """All entries up to this number are acknowledged."""
    waiting: int
    """Number of entries after `acked` that are not acknowledged."""
    dead_letters: int
    """Number of entries that the consumer has given up."""


class _PositionRow(NamedTuple):
    name: str
    acked: int
    waiting: int
    dead_letters: int


_POSITIONS = f"""
    WITH positions AS (
        SELECT DISTINCT acked FROM consumers WHERE account = $0
    ), spans AS (
        SELECT p.acked, coalesce((SELECT min(n.acked) FROM positions n WHERE n.acked > p.acked), {_LAST}) AS upto
        FROM positions p
    ), whole AS (
        SELECT s.acked, s.upto, s.acked / {BLOCK} + 1 AS first,
            least((s.upto + 1) / {BLOCK}, coalesce((STORED), -1) + 1) AS behind
        FROM spans s
    ), pieces AS MATERIALIZED (
        SELECT w.acked, CASE WHEN w.first < w.behind THEN
                (SELECT count(*) FROM entries e
                    WHERE e.account = $0 AND e.number > w.acked AND e.number < w.first * {BLOCK})
                + (SELECT coalesce(sum(b.entries), 0) FROM entry_blocks b
                    WHERE b.account = $0 AND b.block >= w.first AND b.block < w.behind)::bigint
                + (SELECT count(*) FROM entries e
                    WHERE e.account = $0 AND e.number >= w.behind * {BLOCK} AND e.number <= w.upto)
            ELSE (SELECT count(*) FROM entries e WHERE e.account = $0 AND e.number > w.acked AND e.number <= w.upto)
            END AS entries
        FROM whole w
    )
    SELECT c.name, c.acked,
        (SELECT sum(p.entries) FROM pieces p WHERE p.acked >= c.acked)::bigint
        - (SELECT count(*) FROM acked_ahead a JOIN entries e ON e.account = c.account AND e.number = a.number
            WHERE a.consumer = c.consumer AND a.number > c.acked) AS waiting,
        (SELECT count(*) FROM failures f WHERE f.consumer = c.consumer AND f.state = 'dead') AS dead_letters
    FROM consumers c WHERE c.account = $0
"""  # noqa: S608 - constants
"""
The positions of all consumers; `STORED` is the last stored block.

The entries between two positions are counted once for all consumers that have not read them, and by whole blocks.
"""


@cache
def _positions(stored_block: str) -> Select[_PositionRow]:
    """Return the query of an engine, one for all accounts; its text takes 1.7 KB."""
    return Select(_PositionRow, _POSITIONS.replace("STORED", stored_block))


class _NameRow(NamedTuple):
    name: str


_NAMES = Select(_NameRow, "SELECT name FROM consumers WHERE account = $0")


class ConsumerList:
    """
    The consumers of an account, open or not.

    Args:
        tables: The account's tables.
        stored_block: The query for the last stored block whose numbers, and all before it, are counted by blocks.
    """

    def __init__(self, tables: Tables, stored_block: str) -> None:
        self._tables = tables
        self._positions = _positions(stored_block)

    def __repr__(self) -> str:
        return "ConsumerList(***)"

    async def names(self) -> set[str]:
        """Return the names of the consumers."""
        return {row.name for row in await self._tables.read(lambda db: db.all(_NAMES))}

    async def positions(self) -> list[ConsumerPosition]:
        """Return the consumers in the order of their names."""
        rows = await self._tables.read(lambda db: db.all(self._positions))
        return [
            ConsumerPosition(name=row.name, acked=row.acked, waiting=row.waiting, dead_letters=row.dead_letters)
            for row in sorted(rows, key=attrgetter("name"))
        ]


class _AheadRow(NamedTuple):
    number: int


class _CrashRow(NamedTuple):
    number: int
    crashes: int


_AHEAD = Select(_AheadRow, "SELECT number FROM acked_ahead WHERE consumer = $1")

_CRASHES = Select(_CrashRow, "SELECT number, crashes FROM crashes WHERE consumer = $1")

_FORGET_CRASHES = "DELETE FROM crashes WHERE consumer = $1 AND number = ANY ($2::bigint[])"


async def read_ahead(db: Statements, consumer: int) -> list[int]:
    """Return the acknowledged entries after the position of a consumer."""
    return [row.number for row in await db.all(_AHEAD, consumer)]


async def read_crashes(db: Statements, consumer: int) -> dict[int, int]:
    """Return the numbers of crashes of a consumer's entries."""
    return dict(await db.all(_CRASHES, consumer))


async def write_crashes(db: Statements, consumer: int, crashes: Mapping[int, int]) -> None:
    """Store the numbers of crashes of a consumer's entries; 0 deletes one."""
    await db.change(_FORGET_CRASHES, consumer, list(crashes))
    await db.insert_all(CRASHES, [(number, count) for number, count in crashes.items() if count], owner=consumer)
