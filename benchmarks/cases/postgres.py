"""Storing in PostgreSQL, beside the same statement through the bare driver."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.answers import own_id
from benchmarks.case import DRIVER, OURS, Case, Figures, Run, World
from benchmarks.cases.stages import arrival_of, bodies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.storage.base import Arrival


def _messages(run: Run) -> list[Arrival]:
    """Return the texts as batches of one message each."""
    return [arrival_of(body) for body in bodies(run.world)]


@contextmanager
def _server() -> Iterator[str]:
    """Run a temporary server, and return the URL of an empty schema."""
    from tests.postgres import end_cluster, new_schema

    try:
        yield new_schema().url
    finally:
        end_cluster()


def ingest(run: Run) -> Figures:
    """Store messages that arrive one by one at many accounts at once."""
    from webwx import ContactId
    from webwx.storage.postgres.journal import PostgresJournal

    async def main(url: str) -> Figures:
        messages = _messages(run)
        async with PostgresJournal(url, retention_days=0) as journal:
            accounts = [journal.account(uin) for uin in range(1, run.case.count + 1)]
            for account in accounts:
                await account.open_login(ContactId(own_id(1)), b"", time.time(), [])
            waiting = iter(messages)

            async def receive(place: int) -> None:
                for arrival in waiting:
                    await accounts[place].ingest(arrival)

            with run.meter() as meter:
                await asyncio.gather(*map(receive, range(len(accounts))))
            stored = sum([(await account.stats()).entries for account in accounts])
        assert stored == len(messages)
        return _figures(run, meter.figures)

    with _server() as url:
        return asyncio.run(main(url))


def driver(run: Run) -> Figures:
    """Execute the statement that appends, with prepared values, for all accounts at a time."""
    import asyncpg

    from webwx import ContactId
    from webwx.storage.base import Fence
    from webwx.storage.postgres.entries import APPEND_ALL, Append, columns_of
    from webwx.storage.postgres.journal import PostgresJournal

    async def main(url: str) -> Figures:
        own, count = ContactId(own_id(1)), run.case.count
        async with PostgresJournal(url) as journal:
            for uin in range(1, count + 1):
                await journal.account(uin).open_login(own, b"", time.time(), [])
        settings = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
        connection = await asyncpg.connect(url, server_settings=settings)
        rows = await connection.fetch("SELECT account, login FROM logins")
        logins = {row["account"]: row["login"] for row in rows}
        jobs = [
            Append(Fence(account=place % count + 1, epoch=1), logins[place % count + 1], own, arrival)
            for place, arrival in enumerate(_messages(run))
        ]
        values = [columns_of(jobs[start : start + count]) for start in range(0, len(jobs), count)]
        with run.meter() as meter:
            for each in values:
                await connection.fetch(APPEND_ALL, *each)
        stored = await connection.fetchval("SELECT count(*) FROM entries")
        await connection.close()
        assert stored == len(jobs)
        return _figures(run, meter.figures)

    with _server() as url:
        return asyncio.run(main(url))


def _figures(run: Run, figures: Figures) -> Figures:
    texts = run.world.texts
    return figures | {
        "per_second": texts / figures["seconds"],
        "cpu_us": figures["cpu"] / texts * 1e6,
    }


CASES = (
    Case(
        name="postgres-ingest", about="single messages of 64 accounts into PostgreSQL, without a network",
        world=World(texts=20_000, batch=1), count=64, journal=True, variants={OURS: ingest, DRIVER: driver},
    ),
)  # fmt: skip
