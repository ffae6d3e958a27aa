"""Several processes that share a PostgreSQL database: events for another process, idle workers, and busy accounts."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import database
from benchmarks.answers import own_id
from benchmarks.case import OURS, Case, Figures, Run, World
from benchmarks.cases.stages import arrival_of, bodies
from benchmarks.disk_probe import DiskProbe, waits_figures, waits_of
from benchmarks.machine import use_all_cores
from benchmarks.processes import cpu_seconds, resident_mb
from benchmarks.trees import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.database import Database

PASSPHRASE = "three words long"

_LOOK = 0.1
"""Seconds between two looks at what the workers have begun."""


_WARM = 20
"""Sends before the clock runs."""


class Cost(NamedTuple):
    """What processes cost while nothing happens."""

    mb: float
    cpu: float
    """CPU seconds."""


def events(run: Run) -> Figures:
    """Store messages at a steady rate, as a worker does, and read them in another process, as a front end does."""
    from webwx import ContactId
    from webwx.storage.leases import ClusterMember
    from webwx.storage.postgres.journal import PostgresJournal
    from webwx.storage.refusals import Fence

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
            with DiskProbe(db.folder) as probe, run.meter() as meter:
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
        latencies = [
            each for account, times in arrived.items() for each in zip(begun[int(account)], times, strict=True)
        ]
        waits = waits_of(latencies)
        return (
            meter.figures
            | waits_figures(waits)
            | probe.figures(run, latencies)
            | {
                "postgres_us": server / len(waits) * 1e6,
            }
        )

    with database.running() as db:
        return asyncio.run(main(db))


def accounts(run: Run) -> Figures:
    """Measure one worker with all accounts, two workers that share them, and one without accounts."""
    with database.running() as db:
        asyncio.run(_log_in(run, db, run.case.count))
        costs = {}
        with run.meter() as meter:
            for name, place, count in (("one", db, 1), ("two", db, 2), ("idle", db.another(), 1)):
                with _workers(run, place, count) as pids:
                    if name != "idle":
                        _wait_for_accounts(run, place, run.case.count, workers=count)
                    time.sleep(run.world.hold * 0.2)  # until what follows a start is done
                    before = sum(map(cpu_seconds, pids))
                    time.sleep(run.world.hold * 1.2)
                    costs[name] = Cost(sum(map(resident_mb, pids)), sum(map(cpu_seconds, pids)) - before)
    one, two, idle = costs["one"], costs["two"], costs["idle"]
    return meter.figures | {
        "mb": one.mb,
        "mb_of_two": two.mb,
        "mb_ratio": max(0.0, two.mb - idle.mb) / one.mb,
        "cpu_ratio": max(0.0, two.cpu - idle.cpu) / max(one.cpu, 0.01),
    }


def streams(run: Run) -> Figures:
    """Stream texts that a worker stores to readers of a front end; the time of each begins at its commit."""
    with database.running() as db:
        db.record_commit_times()
        asyncio.run(_log_in(run, db, 1))
        with ExitStack() as stack:
            stack.enter_context(_workers(run, db, 1))
            _wait_for_accounts(run, db, 1, workers=1)
            port, key = stack.enter_context(_front_end(run, db, "read"))
            given = {"port": port, "key": key, "readers": run.case.count, "texts": run.world.texts}
            readers = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.gateway_clients", "read", json.dumps(given)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
                )
            )  # fmt: skip
            assert readers.stdout is not None
            readers.stdout.readline()
            with DiskProbe(db.folder) as probe, run.meter() as meter:
                arrived = json.loads(readers.stdout.readline())["arrived"]
            since_1970 = time.time() - time.monotonic()
        committed = db.execute("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM entries ORDER BY number")
        times = [float(each) - since_1970 for each in committed.split()]
        latencies = [(begun, at) for each in arrived for at, begun in zip(each, times, strict=True)]
        return meter.figures | waits_figures(waits_of(latencies)) | probe.figures(run, latencies)


def sends(run: Run) -> Figures:
    """Send texts through a front end, one after another; the time of each is that from its row to its outcome."""
    with database.running() as db:
        asyncio.run(_log_in(run, db, 1))
        with ExitStack() as stack:
            stack.enter_context(_workers(run, db, 1))
            _wait_for_accounts(run, db, 1, workers=1)
            port, key = stack.enter_context(_front_end(run, db, "send:filehelper"))
            given = {"port": port, "key": key, "account": "", "count": run.case.count, "in_flight": 1, "warm": _WARM}
            sender = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.gateway_clients", "send", json.dumps(given)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
                )
            )  # fmt: skip
            assert sender.stdin is not None
            assert sender.stdout is not None
            sender.stdout.readline()
            server = db.cpu()
            with DiskProbe(db.folder) as probe, run.meter() as meter:
                sender.stdin.write(b"\n")
                sender.stdin.flush()
                answers = waits_of(json.loads(sender.stdout.readline())["latencies"])
            server = db.cpu() - server
            since_1970 = time.time() - time.monotonic()
        made = db.execute(f"SELECT created_at, changed_at FROM outbox ORDER BY number OFFSET {_WARM}")
        rows = [row.split("|") for row in made.split()]
        latencies = [(float(begun) - since_1970, float(at) - since_1970) for begun, at in rows]
        waits = waits_of(latencies)
        return (
            meter.figures
            | waits_figures(waits)
            | probe.figures(run, latencies)
            | {
                "answer_p50_ms": statistics.median(answers) * 1000,
                "postgres_ms": server / len(waits) * 1000,
            }
        )


def capacity(run: Run) -> Figures:
    """Run accounts on one worker while texts come to them, and measure the worker, the database and the disk."""
    use_all_cores()
    world = run.world
    lasts = world.texts / world.rate
    with database.running() as db:
        asyncio.run(_log_in(run, db, run.case.count))
        with _workers(run, db, 1) as (worker,):
            _wait_for_accounts(run, db, run.case.count, workers=1)
            time.sleep(world.hold * 0.2)  # until what follows a start is done
            worker_cpu, server_cpu, size = cpu_seconds(worker), db.cpu(), db.size("entries", "batches")
            with run.meter() as meter:
                time.sleep(lasts)
                while _stored(db) < world.texts:
                    time.sleep(_LOOK)
            worker_cpu, server_cpu = cpu_seconds(worker) - worker_cpu, db.cpu() - server_cpu
            size, mb = db.size("entries", "batches") - size, resident_mb(worker)
    return meter.figures | {
        "worker_cores": worker_cpu / lasts,
        "postgres_cores": server_cpu / lasts,
        "mb": mb,
        "bytes_each": size / world.texts,
        "late_seconds": meter.figures["seconds"] - lasts,
    }


def _stored(db: Database) -> int:
    """Return the number of stored texts that the workers have handled."""
    return int(db.execute("SELECT coalesce(sum(acked), 0) FROM consumers"))


@contextmanager
def _front_end(run: Run, db: Database, scope: str) -> Iterator[tuple[int, str]]:
    """Run a front end that does not limit the requests of a key, and return its port and a key with a scope."""
    config = run.folder / "front.toml"
    config.write_text("[limits]\nrequests_per_minute = 0\n")
    command, environment = [sys.executable, "-m", "webwx", "serve"], _environment(run, db, "front")
    with subprocess.Popen(
        [*command, "--config", str(config), "--port", "0", "--capacity", "0", "--json"], env=environment,
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            made = subprocess.run(
                [*command, "key", "create", "--name", "bench", "--scopes", scope, "--json"], env=environment,
                check=True, stdout=subprocess.PIPE,
            )  # fmt: skip
            yield int(url.rpartition(":")[2]), json.loads(made.stdout)["key"]
        finally:
            process.terminate()


async def _log_in(run: Run, db: Database, count: int) -> None:
    """Log accounts in, each under a name of its own."""
    from benchmarks import ours
    from webwx.storage.account_folder import login_name
    from webwx.storage.open import open_storage

    storage = open_storage(db.url, passphrase=PASSPHRASE)
    for number in range(count):
        name = login_name(f"account{number}", host=None, server=run.url)
        async with ours.logged_in(run, store=storage.login(name), journal=storage.journal(name)):
            pass
    await storage.close()


@contextmanager
def _workers(run: Run, db: Database, count: int) -> Iterator[list[int]]:
    """Run workers, and return their process ids."""
    run.ask_server("forget")
    with ExitStack() as stack:
        processes = []
        for number in range(count):
            environment = _environment(run, db, f"worker-{number}")
            command = [sys.executable, "-m", "webwx", "worker"]
            process = stack.enter_context(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
            stack.callback(process.terminate)
            processes.append(process)
        yield [process.pid for process in processes]


def _environment(run: Run, db: Database, folder: str) -> dict[str, str]:
    """Return the environment of a process that shares the database."""
    return os.environ | {
        "WEBWX_STORAGE": db.url, "WEBWX_PASSPHRASE": PASSPHRASE, "WEBWX_SERVER": run.url, "SSL_CERT_FILE": run.ca_file,
        "WEBWX_HOME": str(run.folder / folder),
    }  # fmt: skip


def _wait_for_accounts(run: Run, db: Database, count: int, *, workers: int) -> None:
    """Return once each worker owns its share of the accounts, and all of them have polled."""
    shares = f"SELECT count(*) FROM accounts GROUP BY worker HAVING count(*) >= {count // workers}"
    while len(db.execute(shares).split()) < workers or run.ask_server("tell")["pollers"] < count:
        time.sleep(_LOOK)


def _capacity(name: str, accounts: int, rate: float, seconds: float) -> Case:
    return Case(
        name=name, about=f"{accounts:,} accounts with 100 friends in one worker, {rate:g} texts a second in all",
        count=accounts, variants={OURS: capacity},
        world=World(friends=100, texts=round(rate * seconds), rate=rate, shares=accounts),
    )  # fmt: skip


CASES = (
    Case(
        name="cluster-events", about="texts of 64 accounts until another process has read them, from before the commit",
        count=64, world=World(texts=2_001, batch=1, rate=100.0), variants={OURS: events},
    ),
    Case(
        name="cluster-streams", about="texts of a worker to readers of a front end, from the commit",
        count=4, world=World(texts=2_000, rate=50.0), variants={OURS: streams},
    ),
    Case(
        name="cluster-sends", about="texts that a front end accepts and a worker sends, one after another",
        count=2_000, variants={OURS: sends},
    ),
    Case(
        name="cluster-accounts", about="accounts with 100 friends in one worker, and in two that share them",
        count=1_000, world=World(friends=100), variants={OURS: accounts},
    ),
    _capacity("cluster-capacity-1k-23", 1_000, 23, 90),
    _capacity("cluster-capacity-1k-116", 1_000, 116, 60),
    _capacity("cluster-capacity-5k-580", 5_000, 580, 60),
)  # fmt: skip
