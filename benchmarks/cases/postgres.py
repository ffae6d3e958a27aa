"""PostgreSQL as the storage: ingestion beside the bare driver, durable sends, and many accounts without events."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from benchmarks import database
from benchmarks.answers import own_id
from benchmarks.case import DRIVER, OURS, Case, Figures, Run, World
from benchmarks.cases.stages import arrival_of, bodies
from benchmarks.disk_probe import DiskProbe, waits_figures, waits_of

if TYPE_CHECKING:
    from benchmarks.database import Database
    from webwx.storage.entries import Arrival
    from webwx.storage.postgres.journal import PostgresJournal

WARM = 64
"""Sends before the clock runs."""

_IDENTITIES = ("identities", "links", "evidence", "origins")

WORKERS = 2
"""Workers that own the idle accounts."""


def _messages(run: Run) -> list[Arrival]:
    """Return the texts as batches of one message each."""
    return [arrival_of(body) for body in bodies(run.world)]


def ingest(run: Run) -> Figures:
    """Store messages that arrive one by one at many accounts at once."""
    from webwx import ContactId
    from webwx.storage.postgres.journal import PostgresJournal

    async def main(db: Database) -> Figures:
        messages = _messages(run)
        async with PostgresJournal(db.url, retention_days=0) as journal:
            accounts = [journal.account(uin) for uin in range(1, run.case.count + 1)]
            for account in accounts:
                await account.open_login(ContactId(own_id(1)), b"", time.time(), [])
            waiting = iter(messages)

            async def receive(place: int) -> None:
                for arrival in waiting:
                    await accounts[place].ingest(arrival)

            server = db.cpu()
            with run.meter() as meter:
                await asyncio.gather(*map(receive, range(len(accounts))))
            server = db.cpu() - server
            stored = sum([(await account.stats()).entries for account in accounts])
        assert stored == len(messages)
        return _figures(run, meter.figures, db, server)

    with database.running() as db:
        return asyncio.run(main(db))


def driver(run: Run) -> Figures:
    """Execute the statement that appends, with prepared values, for all accounts at a time."""
    import asyncpg

    from webwx import ContactId
    from webwx.storage.postgres.entries import APPEND_ALL, Append, columns_of
    from webwx.storage.postgres.journal import PostgresJournal
    from webwx.storage.refusals import Fence

    async def main(db: Database) -> Figures:
        own, count = ContactId(own_id(1)), run.case.count
        async with PostgresJournal(db.url) as journal:
            for uin in range(1, count + 1):
                await journal.account(uin).open_login(own, b"", time.time(), [])
        settings = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
        connection = await asyncpg.connect(db.url, server_settings=settings)
        rows = await connection.fetch("SELECT account, login FROM logins")
        logins = {row["account"]: row["login"] for row in rows}
        jobs = [
            Append(Fence(account=place % count + 1, epoch=1), logins[place % count + 1], own, arrival)
            for place, arrival in enumerate(_messages(run))
        ]
        values = [columns_of(jobs[start : start + count]) for start in range(0, len(jobs), count)]
        server = db.cpu()
        with run.meter() as meter:
            for each in values:
                await connection.fetch(APPEND_ALL, *each)
        server = db.cpu() - server
        stored = await connection.fetchval("SELECT count(*) FROM entries")
        await connection.close()
        assert stored == len(jobs)
        return _figures(run, meter.figures, db, server)

    with database.running() as db:
        return asyncio.run(main(db))


def _figures(run: Run, figures: Figures, db: Database, server: float) -> Figures:
    texts = run.world.texts
    return figures | {
        "per_second": texts / figures["seconds"],
        "cpu_us": figures["cpu"] / texts * 1e6,
        "postgres_us": server / texts * 1e6,
        "fdatasync_ms": db.fdatasync_ms(),
    }


def sends(run: Run) -> Figures:
    """Queue sends in one process, and begin and settle each in the account's own, one after another."""
    from webwx import ContactId
    from webwx.model.messages import Receipt
    from webwx.storage.postgres.journal import PostgresJournal

    chat = ContactId("filehelper")

    async def main(db: Database) -> Figures:
        async with PostgresJournal(db.url) as front, PostgresJournal(db.url) as owner:
            await owner.account(1).open_login(ContactId(own_id(1)), b"", time.time(), [])
            queue, outbox = front.account(1).outbox, owner.account(1).outbox
            latencies: list[tuple[float, float]] = []

            async def send(number: int) -> None:
                begun, client_id = time.monotonic(), f"{number}"
                queued = await queue.add(
                    client_id=client_id, chat=chat, kind="text", text="message", key=f"key-{number}", time=time.time()
                )
                assert await outbox.sending(queued.number, time.time(), chat)
                receipt = Receipt(message_id=client_id, client_id=client_id, chat=chat, time=int(time.time()))
                await outbox.settle(queued.number, "sent", time=time.time(), receipt=receipt)
                latencies.append((begun, time.monotonic()))

            for number in range(WARM):
                await send(number)
            latencies.clear()
            server = db.cpu()
            with DiskProbe(db.folder) as probe, run.meter() as meter:
                for number in range(WARM, WARM + run.case.count):
                    await send(number)
            server = db.cpu() - server
        waits = waits_of(latencies)
        return (
            meter.figures
            | waits_figures(waits)
            | probe.figures(run, latencies)
            | {
                "cpu_ms": meter.figures["cpu"] / len(waits) * 1000,
                "postgres_ms": server / len(waits) * 1000,
            }
        )

    with database.running() as db:
        return asyncio.run(main(db))


def idle(run: Run) -> Figures:
    """Measure the server while workers own accounts with an open consumer, and a reader waits for news."""
    from webwx.cluster.leased import LeasedOwnership
    from webwx.storage.leases import DEFAULT_TIMES
    from webwx.storage.postgres.journal import PostgresJournal
    from webwx.storage.postgres.leases import PostgresLeases

    async def main(db: Database) -> Figures:
        async with AsyncExitStack() as stack:
            reader = await stack.enter_async_context(PostgresJournal(db.url))
            await reader.accounts()  # creates the tables
            db.execute(
                "INSERT INTO accounts (account, epoch, last_number)"
                f" SELECT n, 1, 1 FROM generate_series(1, {run.case.count}) n; ANALYZE accounts"
            )
            reading = asyncio.create_task(_read_news(reader))
            leases = PostgresLeases(db.url, DEFAULT_TIMES)
            stack.push_async_callback(leases.close)
            workers = [LeasedOwnership(leases, DEFAULT_TIMES) for _ in range(WORKERS)]
            for worker in workers:
                await worker.join("", capacity=run.case.count)
            while sum([len(await leases.held(each.worker)) for each in workers]) < run.case.count:  # noqa: ASYNC110 - it is a query
                await asyncio.sleep(0.1)
            for worker in workers:
                journal = await stack.enter_async_context(PostgresJournal(db.url, member=worker.member))
                owned = await leases.held(worker.worker)
                await asyncio.gather(*(journal.account(account).consumer("idle") for account in owned))
            server = db.cpu()
            with run.meter() as meter:
                await asyncio.sleep(run.world.hold * 1.2)
            server = db.cpu() - server
            reading.cancel()
        return meter.figures | {"postgres_percent": server / meter.figures["seconds"] * 100}

    with database.running() as db:
        return asyncio.run(main(db))


async def _read_news(journal: PostgresJournal) -> None:
    from webwx.storage.postgres.news import moved

    async for _ in moved(journal.database):
        pass


def logins(run: Run) -> Figures:
    """Log in several times with new ids of the same contacts, and measure the matching of the last list of contacts."""
    from webwx import Contact, ContactId
    from webwx.storage.postgres.journal import PostgresJournal

    def contacts(login: int) -> list[Contact]:
        return [
            Contact(
                id=ContactId(f"@{login}-{place}"), nickname=f"name {place}", remark=f"remark {place}", avatar=place,
                alias=f"alias_{place}",
            )
            for place in range(run.world.friends)
        ]  # fmt: skip

    async def main(db: Database) -> Figures:
        async with PostgresJournal(db.url) as journal:
            account = journal.account(1)
            for login in range(1, run.case.count + 1):
                own = ContactId(own_id(login))
                await account.open_login(own, b"", time.time(), [])
                listed = contacts(login)
                server = db.cpu()
                with run.meter() as meter:
                    found = await account.identities.identify(own, listed, complete=True, time=time.time())
                server = db.cpu() - server
        assert len({each.number for each in found}) == run.world.friends
        db.execute("CHECKPOINT")
        return meter.figures | {"postgres_cpu": server, "identities_mb": db.size(*_IDENTITIES) / 1e6}

    with database.running() as db:
        return asyncio.run(main(db))


CASES = (
    Case(
        name="postgres-logins", about="contacts of the fifth login, all with new ids, that are matched with identities",
        world=World(friends=10_000), count=5, variants={OURS: logins},
    ),
    Case(
        name="postgres-ingest", about="single messages of 64 accounts into PostgreSQL, without a network",
        world=World(texts=20_000, batch=1), count=64, variants={OURS: ingest, DRIVER: driver},
    ),
    Case(
        name="postgres-send", about="texts that one process queues and another one sends, one after another",
        count=10_000, variants={OURS: sends},
    ),
    Case(
        name="postgres-idle", about=f"accounts of {WORKERS} workers to which nothing happens", count=5_000,
        variants={OURS: idle},
    ),
)  # fmt: skip
