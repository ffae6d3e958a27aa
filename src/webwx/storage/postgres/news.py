"""
News of appended entries for the readers in other processes.

A `NOTIFY` in the transaction of an append takes a lock on the queue of all notifications until the commit, so appends
would wait for each other. Instead, a session of its own announces every few milliseconds what has been appended. It
does not wait for the disk: an announcement may be lost, and readers look at the numbers of all accounts once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import asyncpg

from webwx.errors import StorageError
from webwx.storage.leases import NEWS_DELAY
from webwx.storage.postgres.database import disconnect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from webwx.storage.postgres.database import Connection, PostgresDatabase

_ANNOUNCE_DELAY = 0.02
"""Seconds that an append waits for others to be announced together."""

_LONGEST_PAYLOAD = 7_900
"""Bytes of an announcement; PostgreSQL takes fewer than 8,000."""

_CHANNEL = "SELECT 'webwx ' || left(current_schema(), 40)"

_UNREACHABLE = (StorageError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class Announcer:
    """
    Announces the last numbers of accounts to all listeners; used in the thread of the connections.

    Args:
        database: The database.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._heads: dict[int, int] = {}
        self._work: asyncio.Task[None] | None = None
        self._is_closed = False
        self._connection: Connection | None = None
        self._channel = ""

    def note(self, account: int, number: int) -> None:
        """Announce soon that an account has entries up to a number."""
        self._heads[account] = max(number, self._heads.get(account, 0))
        if (self._work is None or self._work.done()) and not self._is_closed:
            self._work = asyncio.get_running_loop().create_task(self._announce())

    async def close(self) -> None:
        """Announce the remaining entries, and close the session; entries that are stored later are not announced."""
        self._is_closed = True
        if self._work is not None:
            await asyncio.wait([self._work])
        if self._connection is not None:
            await disconnect(self._connection)

    async def _announce(self) -> None:
        while self._heads:
            await asyncio.sleep(_ANNOUNCE_DELAY)
            heads, self._heads = self._heads, {}
            try:
                connection = await self._connected()
                for payload in payloads(heads):
                    await connection.execute("SELECT pg_notify($1, $2)", self._channel, payload)
            except _UNREACHABLE:  # readers look for themselves once a second
                if self._connection is not None:
                    self._connection.terminate()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            self._channel = await self._connection.fetchval(_CHANNEL)
            await self._connection.execute("SET synchronous_commit = off")
        return self._connection


class _NewsListener:
    """
    A session that receives announcements; its methods are called in the thread of the connections.

    Args:
        database: The database.
        on_news: Called with the last numbers of accounts.
    """

    def __init__(self, database: PostgresDatabase, on_news: Callable[[dict[int, int]], object]) -> None:
        self._database = database
        self._on_news = on_news
        self._connection: Connection | None = None

    async def read_heads(self) -> dict[int, int]:
        """
        Return the last numbers of all accounts, read by the session that listens, so that its loss is noticed.

        Raises:
            StorageError: The database cannot be read.
        """
        try:
            with self._database.explained("read"):
                connection = await self._connected()
                rows = await connection.fetch("SELECT account, last_number FROM accounts")
        except StorageError:
            if self._connection is not None:
                self._connection.terminate()
            raise
        return {row["account"]: row["last_number"] for row in rows}

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await disconnect(self._connection)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            await self._connection.add_listener(await self._connection.fetchval(_CHANNEL), self._receive)
        return self._connection

    def _receive(self, connection: object, pid: int, channel: str, payload: object) -> None:
        del connection, pid, channel
        self._on_news(heads_of(str(payload)))


async def moved(database: PostgresDatabase) -> AsyncIterator[dict[int, int]]:
    """Yield the last numbers of the accounts, and then those of accounts with news; see `SharedStorage.moved`."""
    loop = asyncio.get_running_loop()
    known: dict[int, int] = {}
    received: dict[int, int] = {}
    has_news = asyncio.Event()

    def receive(heads: dict[int, int]) -> None:
        received.update(heads)
        has_news.set()

    listener = _NewsListener(database, lambda heads: loop.call_soon_threadsafe(receive, heads))
    due = loop.time()
    database.before_close.add(listener.close)
    try:
        while True:
            heads, received = received, {}
            has_news.clear()
            if loop.time() >= due:
                due = loop.time() + NEWS_DELAY
                with contextlib.suppress(StorageError):  # the next look finds what this one has missed
                    heads = await database.run(listener.read_heads)
            new = {account: number for account, number in heads.items() if number > known.get(account, 0)}
            known |= new
            if new:
                yield new
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await has_news.wait()
    finally:
        with contextlib.suppress(StorageError):  # the database was closed, and the listener with it
            await database.run(listener.close)
            database.before_close.discard(listener.close)


def payloads(heads: Mapping[int, int]) -> Iterator[str]:
    """Return the last numbers of accounts as texts, each short enough for an announcement."""
    payload = ""
    for account, number in heads.items():
        part = f"{account}:{number}"
        if payload and len(payload) + len(part) >= _LONGEST_PAYLOAD:
            yield payload
            payload = ""
        payload += f",{part}" if payload else part
    if payload:
        yield payload


def heads_of(payload: str) -> dict[int, int]:
    """Return the last numbers of accounts in a text of `payloads`."""
    pairs = (part.split(":") for part in payload.split(","))
    return {int(account): int(number) for account, number in pairs}
