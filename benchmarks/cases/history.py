"""The history of one chat: pages of it by position and by time, a search in it, and the backlog of consumers."""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import database, ours
from benchmarks.case import OURS, Case, Figures, Run, World
from benchmarks.cases.receive import fill, filled
from benchmarks.cases.stages import arrivals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx import AsyncClient
    from webwx.storage.base import Journal

CALLS = 100
"""Calls of each kind; the median counts."""

CONSUMERS = 12
"""Consumers that have read nothing."""


def _fill(run: Run) -> None:
    fill(run, batch=100)


async def _pages(run: Run, journal: Journal, client: AsyncClient) -> Figures:
    """Read pages of the chat that has all messages of the journal, and list consumers that have read none of them."""
    from webwx import TextMessage

    async def p50(call: Callable[[], Awaitable[object]]) -> float:
        times = []
        for _ in range(CALLS):
            begun = time.perf_counter()
            await call()
            times.append(time.perf_counter() - begun)
        return statistics.median(times) * 1000

    messages = [each for each in await client.history(limit=2) if isinstance(each, TextMessage)]
    if not messages:  # a run that only warms up
        return {}
    chat, number = messages[-1].chat, messages[-1].number
    [middle] = await client.history(chat, limit=1, before=number // 2)
    assert isinstance(middle, TextMessage)
    for place in range(CONSUMERS):
        consumer = await journal.account(client.account.uin).consumer(f"slow-{place}", since="beginning")
        await consumer.close()
    with run.meter() as meter:
        figures = {
            "newest_ms": await p50(partial(client.history, chat, limit=50)),
            "middle_ms": await p50(partial(client.history, chat, limit=50, before=middle.number)),
            "until_ms": await p50(partial(client.history, chat, limit=50, until=middle.time)),
            "search_ms": await p50(partial(client.search, "报告", chat=chat, limit=50)),
            "backlog_ms": await p50(client.list_consumers),
        }
    return meter.figures | figures


def pages_of(run: Run) -> Figures:
    """Read pages from a file."""
    from webwx import SqliteJournal

    async def main() -> Figures:
        journal = SqliteJournal(filled(run))
        try:
            async with ours.logged_in(run, journal=journal) as client:
                return await _pages(run, journal, client)
        finally:
            await journal.close()

    return asyncio.run(main())


def pages_of_database(run: Run) -> Figures:
    """Read pages from a database, which is filled first."""
    from webwx.storage.postgres.journal import PostgresJournal

    async def main(url: str) -> Figures:
        async with PostgresJournal(url, retention_days=0) as journal, ours.logged_in(run, journal=journal) as client:
            account = journal.account(client.account.uin)
            await account.position(client.account.id)
            for arrival in arrivals(World(friends=run.world.friends, texts=run.case.rows)):
                await account.ingest(arrival)
            return await _pages(run, journal, client)

    with database.running() as db:
        return asyncio.run(main(db.url))


CASES = tuple(
    Case(
        name=f"{prefix}history-{short}", about=f"pages of 50 messages of a chat that has {rows:,}", rows=rows,
        world=World(friends=1), prepare=prepare, variants={OURS: measure},
    )
    for prefix, prepare, measure in (("", _fill, pages_of), ("postgres-", None, pages_of_database))
    for short, rows in (("10k", 10_000), ("million", 1_000_000))
)  # fmt: skip
