"""
News of appended entries and of changed sends for the readers in other processes.

A `NOTIFY` in the transaction of an append takes a lock on the queue of all notifications until the commit, so appends
would wait for each other. Instead, a session of its own announces what has been stored, at most every few milliseconds.
It does not wait for the disk: an announcement may be lost, and readers look at the numbers of all accounts once a
second. Changed sends have no such number, so their announcement is repeated until the database takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.leases import NEWS_DELAY, StorageNews
from webwx.storage.postgres.database import OF_DRIVER, disconnect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from webwx.storage.postgres.database import Connection, PostgresDatabase

_ANNOUNCE_DELAY = 0.02
"""Seconds between two announcements; what is stored meanwhile is announced together."""

_SENDS_DELAY = 0.1
"""Seconds from the change of a send to its announcement; all changes of this time are announced together."""

_LISTEN_FOR = 10.0
"""Seconds from the last call of `AnnouncedSends.fingerprint` to the end of its session."""

_ANNOUNCE_AGAIN = 1.0
"""Seconds from a failed announcement to the next one."""

_CLOSING = 2.0
"""Seconds that the end of a process waits for its last announcement."""

_LONGEST_PAYLOAD = 7_900
"""Bytes of an announcement; PostgreSQL takes fewer than 8,000."""

SENDS_CHANNEL = "'webwx-sends ' || left(current_schema(), 40)"
"""Expression for the channel of the accounts whose sends have changed."""

_CHANNELS = f"SELECT 'webwx ' || left(current_schema(), 40), {SENDS_CHANNEL}"
"""Returns the channel of the last numbers of accounts, and that of accounts whose sends have changed."""

_HEADS = """
SELECT s.horizon, a.account, a.last_number
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon) s LEFT JOIN accounts a
    ON $1 = '' OR age(a.xmin) <= age($1::text::xid8::xid)
"""
"""
Reads the accounts whose rows were changed by a transaction that was not before the horizon `$1`, or all accounts, and
the next horizon: all transactions before it have ended, and this query sees what they have committed.
"""

_UNREACHABLE = (StorageError, *OF_DRIVER, OSError, TimeoutError)


class Announcer:
    """
    Announces what this process has stored to all listeners; used in the thread of the connections.

    Args:
        database: The database.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._news = StorageNews({}, set())
        self._changed: set[int] = set()
        """Accounts whose changed sends are announced after a moment."""
        self._work: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._connection: Connection | None = None
        self._channels = ("", "")
        database.before_close.add(self.close)

    def note_entries(self, account: int, number: int) -> None:
        """Announce soon that an account has entries up to a number."""
        self._news.entries[account] = max(number, self._news.entries.get(account, 0))
        self._begin()

    async def note_sends(self, account: int) -> None:
        """Announce soon that sends of an account have changed."""
        self._news.sends.add(account)
        self._begin()

    def note_changed_send(self, account: int) -> None:
        """Announce in a moment that a send of an account has changed, together with what changes meanwhile."""
        if not self._changed:
            asyncio.get_running_loop().call_later(_SENDS_DELAY, self._announce_changed)
        self._changed.add(account)

    def _announce_changed(self) -> None:
        if self._changed:
            self._news.sends.update(self._changed)
            self._changed.clear()
            self._begin()

    def _begin(self) -> None:
        if (self._work is None or self._work.done()) and not self._closing.is_set():
            self._work = asyncio.get_running_loop().create_task(self._announce())

    async def close(self) -> None:
        """Announce what remains, and close the session; what is stored later is not announced."""
        self._announce_changed()
        self._closing.set()
        if self._work is not None:
            _, late = await asyncio.wait([self._work], timeout=_CLOSING)
            for work in late:
                work.cancel()
                await asyncio.wait([work])
        if self._connection is not None:
            await disconnect(self._connection)

    async def _announce(self) -> None:
        while any(self._news):
            news, self._news = self._news, StorageNews({}, set())
            try:
                connection = await self._connected()
                for channel, parts in zip(self._channels, written(news), strict=True):
                    for payload in payloads(parts):
                        await connection.execute("SELECT pg_notify($1, $2)", channel, payload)
            except _UNREACHABLE:  # readers look for entries themselves
                if self._connection is not None:
                    self._connection.terminate()
                if not self._closing.is_set():
                    self._news.sends.update(news.sends)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_ANNOUNCE_AGAIN):
                            await self._closing.wait()
            await asyncio.sleep(_ANNOUNCE_DELAY)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.connect()
            self._channels = tuple(await self._connection.fetchrow(_CHANNELS))
            await self._connection.execute("SET synchronous_commit = off")
        return self._connection


class _NewsListener:
    """
    A session that receives announcements; its methods are called in the thread of the connections.

    Args:
        database: The database.
        on_news: Called with each announcement.
    """

    def __init__(self, database: PostgresDatabase, on_news: Callable[[StorageNews], object]) -> None:
        self._database = database
        self._on_news = on_news
        self._connection: Connection | None = None
        self._horizon = ""
        """The horizon of the last read in this session."""
        self._turn = asyncio.Lock()
        """Held during a read, which may open the session: it continues after its reader has ended."""

    async def read_heads(self) -> dict[int, int]:
        """
        Return the last numbers of accounts that have changed since the last call, or of all after an interruption.

        They are read by the session that listens, so that its loss is noticed.

        Raises:
            StorageError: The database cannot be read.
        """
        async with self._turn:
            try:
                with self._database.explained("read"):
                    heads, self._horizon = await changed_heads(await self._connected(), self._horizon)
            except StorageError:
                if self._connection is not None:
                    self._connection.terminate()
                raise
        return heads

    async def close(self) -> None:
        """Close the connection, after a read in progress."""
        async with self._turn:
            if self._connection is not None:
                await disconnect(self._connection)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection, self._horizon = await self._database.connect(), ""
            entries, sends = await self._connection.fetchrow(_CHANNELS)
            await self._connection.add_listener(entries, self._receive_entries)
            await self._connection.add_listener(sends, self._receive_sends)
        return self._connection

    def _receive_entries(self, connection: object, pid: int, channel: str, payload: object) -> None:
        del connection, pid, channel
        self._on_news(StorageNews(entries_of(str(payload)), set()))

    def _receive_sends(self, connection: object, pid: int, channel: str, payload: object) -> None:
        del connection, pid, channel
        self._on_news(StorageNews({}, sends_of(str(payload))))


class AnnouncedSends:
    """
    Counts the announcements of changed sends, by the accounts of the sends.

    Its session is opened by the first call of `fingerprint`, and closed some seconds after the last one.

    Args:
        database: The database.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._counts: Counter[int] = Counter()
        self._asked_at = 0.0
        """Time of the last call (monotonic)."""
        self._is_listening = False
        self._work: asyncio.Task[None] | None = None
        database.before_close.add(self.close)

    def fingerprint(self, account: int) -> object:
        """
        Return a value that differs after each announcement, and also when one may have been missed.

        It may be called in any thread.

        Raises:
            StorageError: The database was closed.
        """
        self._asked_at = time.monotonic()
        if not self._is_listening:
            self._is_listening = True
            self._database.spawn(self._begin)
        return self._counts[account]

    async def _begin(self) -> None:
        self._work = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        listener = _NewsListener(self._database, lambda news: self._note(news.sends))
        try:
            while time.monotonic() - self._asked_at < _LISTEN_FOR:
                with contextlib.suppress(StorageError):  # the next read is of all accounts
                    self._note(await listener.read_heads())
                await asyncio.sleep(NEWS_DELAY)
        finally:
            self._is_listening = False
            await listener.close()

    def _note(self, accounts: Iterable[int]) -> None:
        for account in accounts:
            self._counts[account] += 1

    async def close(self) -> None:
        """Close the session; called in the thread of the connections."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])


async def changed_heads(db: Connection, horizon: str) -> tuple[dict[int, int], str]:
    """
    Return the last numbers of accounts that may have changed since a horizon, and the next horizon.

    Args:
        db: The connection.
        horizon: The horizon that the last call has returned; empty for all accounts.
    """
    rows = await db.fetch(_HEADS, horizon)
    heads = {row["account"]: row["last_number"] for row in rows if row["account"] is not None}
    return heads, str(rows[0]["horizon"])


async def moved(database: PostgresDatabase) -> AsyncGenerator[StorageNews, None]:
    """Yield the last numbers of the accounts, and then what has changed; see `SharedStorage.moved`."""
    loop = asyncio.get_running_loop()
    known: dict[int, int] = {}
    received = StorageNews({}, set())
    has_news = asyncio.Event()

    def receive(news: StorageNews) -> None:
        received.entries.update(news.entries)
        received.sends.update(news.sends)
        has_news.set()

    listener = _NewsListener(database, lambda news: loop.call_soon_threadsafe(receive, news))
    due = loop.time()
    database.before_close.add(listener.close)
    try:
        while True:
            (heads, sends), received = received, StorageNews({}, set())
            has_news.clear()
            if loop.time() >= due:
                due = loop.time() + NEWS_DELAY
                with contextlib.suppress(StorageError):  # the next look finds what this one has missed
                    heads = await database.run(listener.read_heads)
            new = {account: number for account, number in heads.items() if number > known.get(account, 0)}
            known |= new
            if new or sends:
                yield StorageNews(new, sends)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await has_news.wait()
    finally:
        with contextlib.suppress(StorageError):  # the database was closed, and the listener with it
            await database.run(listener.close)
            database.before_close.discard(listener.close)


def written(news: StorageNews) -> tuple[list[str], list[str]]:
    """Return the parts of the announcements of entries, and of those of sends."""
    return [f"{account}:{number}" for account, number in news.entries.items()], [str(each) for each in news.sends]


def payloads(parts: Iterable[str]) -> Iterator[str]:
    """Join parts, and yield texts that are short enough for an announcement."""
    payload = ""
    for part in parts:
        if payload and len(payload) + len(part) >= _LONGEST_PAYLOAD:
            yield payload
            payload = ""
        payload += f",{part}" if payload else part
    if payload:
        yield payload


def entries_of(payload: str) -> dict[int, int]:
    """Return the last numbers of accounts in an announcement of entries."""
    pairs = (part.split(":") for part in payload.split(","))
    return {int(account): int(number) for account, number in pairs}


def sends_of(payload: str) -> set[int]:
    """Return the accounts in an announcement of sends."""
    return set(map(int, payload.split(",")))
