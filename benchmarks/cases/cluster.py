"""Several processes that share a PostgreSQL database: events until another process has them."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from benchmarks import database
from benchmarks.answers import own_id
from benchmarks.case import OURS, Case, Figures, Run, World
from benchmarks.cases.stages import arrival_of, bodies
from benchmarks.harness import ROOT

if TYPE_CHECKING:
    from benchmarks.database import Database


def events(run: Run) -> Figures:
    """Store messages at a steady rate, as a worker does, and read them in another process, as a front end does."""
    from webwx import ContactId
    from webwx.storage.base import Fence
    from webwx.storage.leases import ClusterMember
    from webwx.storage.postgres.journal import PostgresJournal

    member = ClusterMember(worker="bench", fence=lambda account: Fence(account=account, epoch=1), timeout=5.0)
    count, world = run.case.count, run.world

    async def main(db: Database) -> Figures:
        first, *arrivals = [arrival_of(body) for body in bodies(world)]
        async with PostgresJournal(db.url, member=member) as journal:
            accounts = [journal.account(uin) for uin in range(1, count + 1)]
            for account in accounts:
                await account.open_login(ContactId(own_id(1)), b"", time.time(), [])
                await account.ingest(first)
            given = {"url": db.url, "accounts": count, "texts": len(arrivals)}
            reader = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.cluster_clients", json.dumps(given), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, cwd=ROOT, limit=2**26,
            )  # fmt: skip
            assert reader.stdout is not None
            assert reader.stdin is not None
            await reader.stdout.readline()
            begun: defaultdict[int, list[float]] = defaultdict(list)
            server = db.cpu()
            with run.meter() as meter:
                start = time.monotonic()
                storing = []
                for number, arrival in enumerate(arrivals):
                    await asyncio.sleep(start + number / world.rate - time.monotonic())
                    begun[number % count + 1].append(time.monotonic())
                    storing.append(asyncio.create_task(accounts[number % count].ingest(arrival)))
                await asyncio.gather(*storing)
                arrived = json.loads(await reader.stdout.readline())
            server = db.cpu() - server
            reader.stdin.close()
            await reader.wait()
        waits = sorted(
            at - since
            for account, times in arrived.items()
            for since, at in zip(begun[int(account)], times, strict=True)
        )
        return meter.figures | {
            "p50_ms": statistics.median(waits) * 1000,
            "p99_ms": waits[len(waits) * 99 // 100] * 1000,
            "postgres_us": server / len(waits) * 1e6,
        }

    with database.running() as db:
        return asyncio.run(main(db))


CASES = (
    Case(
        name="cluster-events", about="texts of 64 accounts until another process has read them, from before the commit",
        count=64, world=World(texts=1_001, batch=1, rate=100.0), variants={OURS: events},
    ),
)  # fmt: skip
