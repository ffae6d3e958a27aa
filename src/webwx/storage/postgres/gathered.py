"""
Reads of single rows that share statements.

A worker that takes thousands of accounts reads the same few things of each. The reads that are asked for while one runs
are made together by the next statement, so a read that has no company waits for nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

    from webwx.storage.postgres.database import PostgresDatabase

_MOST = 200
"""Maximum number of reads that share a statement."""


class GatheredReads:
    """
    The reads of one kind.

    Args:
        database: The connections.
        query: Reads for several at once: each of its parameters is an array with a value of each read, and its column
            `place` is the number of the read, from 1, as `WITH ORDINALITY` counts.
    """

    def __init__(self, database: PostgresDatabase, query: str) -> None:
        self._database = database
        self._query = query
        self._waiting: list[tuple[tuple[object, ...], asyncio.Future[list[asyncpg.Record]]]] = []
        self._is_reading = False

    def __repr__(self) -> str:
        return f"GatheredReads({len(self._waiting)} waiting)"

    async def rows(self, *values: object) -> list[asyncpg.Record]:
        """
        Return the rows for some values, as they are after this call began.

        Raises:
            StorageError: The database cannot be read.
        """
        return await self._database.run(lambda: self.reading(*values))

    async def reading(self, *values: object) -> list[asyncpg.Record]:
        """Do the work of `rows`, called in the thread of the connections."""
        answer: asyncio.Future[list[asyncpg.Record]] = asyncio.get_running_loop().create_future()
        self._waiting.append((values, answer))
        if not self._is_reading:
            self._is_reading = True
            self._database.start(self._read_all())
        return await answer

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                try:
                    await self._read(asked)
                except Exception as error:  # noqa: BLE001 - passed on as the outcome of each read
                    for _, answer in asked:
                        if not answer.done():
                            answer.set_exception(_copied(error))  # each caller adds its own traceback
        finally:
            self._is_reading = False

    async def _read(self, asked: list[tuple[tuple[object, ...], asyncio.Future[list[asyncpg.Record]]]]) -> None:
        columns: list[Any] = [list(column) for column in zip(*(values for values, _ in asked), strict=True)]
        found: list[list[asyncpg.Record]] = [[] for _ in asked]
        for row in await self._database.reading(lambda db: db.fetch(self._query, *columns)):
            found[row["place"] - 1].append(row)
        for (_, answer), rows in zip(asked, found, strict=True):
            if not answer.done():
                answer.set_result(rows)


def _copied(error: Exception) -> Exception:
    """Return an error of the same class with the same text, whatever the class makes its text from."""
    copied = type(error).__new__(type(error), *error.args)
    copied.__dict__.update(vars(error))
    return copied
