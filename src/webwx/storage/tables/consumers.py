"""The list of an account's consumers, and what belongs to their cursors, which each engine moves."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.storage.engine.port import Select, StoredTable

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


_POSITIONS = Select(
    _PositionRow,
    """
    WITH positions AS (
        SELECT DISTINCT acked FROM consumers WHERE account = $0
    ), pieces AS MATERIALIZED (
        SELECT p.acked, (
            SELECT count(*) FROM entries e WHERE e.account = $0 AND e.number > p.acked AND e.number <= coalesce(
                (SELECT min(n.acked) FROM positions n WHERE n.acked > p.acked), 9223372036854775807)
        ) AS entries FROM positions p
    )
    SELECT c.name, c.acked,
        (SELECT sum(p.entries) FROM pieces p WHERE p.acked >= c.acked)::bigint
        - (SELECT count(*) FROM acked_ahead a JOIN entries e ON e.account = c.account AND e.number = a.number
            WHERE a.consumer = c.consumer AND a.number > c.acked) AS waiting,
        (SELECT count(*) FROM failures f WHERE f.consumer = c.consumer AND f.state = 'dead') AS dead_letters
    FROM consumers c WHERE c.account = $0
    """,
)
"""
The positions of all consumers.

The entries between two positions are counted once for all consumers that have not read them: each consumer would count
the whole backlog otherwise, which takes 0.3 s for three million entries.
"""


class _NameRow(NamedTuple):
    name: str


_NAMES = Select(_NameRow, "SELECT name FROM consumers WHERE account = $0")


class ConsumerList:
    """
    The consumers of an account, open or not.

    Args:
        tables: The account's tables.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __repr__(self) -> str:
        return "ConsumerList(***)"

    async def names(self) -> set[str]:
        """Return the names of the consumers."""
        return {row.name for row in await self._tables.read(lambda db: db.all(_NAMES))}

    async def positions(self) -> list[ConsumerPosition]:
        """Return the consumers in the order of their names."""
        rows = await self._tables.read(lambda db: db.all(_POSITIONS))
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
