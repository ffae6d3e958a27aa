"""The gateway: sends through its API beside the client's own, webhooks, and readers of server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import ours
from benchmarks.case import OURS, SDK, Case, Figures, Run, World
from benchmarks.disk_probe import DiskProbe, waits_figures, waits_of
from benchmarks.memory import resident
from benchmarks.trees import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from webwx.gateway.app import Gateway
    from webwx.gateway.ownership.sole import LocalGateway

WARM = 64
"""Sends before the clock runs."""

READERS = 200
"""Readers of server-sent events where there are many."""

ACCOUNTS = 100
"""Accounts beside the idle readers."""

WEBHOOKS = 10
"""Webhooks that each get every event."""


class Started(NamedTuple):
    """A gateway that serves on a port of this machine."""

    gateway: Gateway
    port: LocalGateway
    number: int
    key: str


class Served(NamedTuple):
    """A gateway that listens in this process."""

    gateway: Gateway
    port: LocalGateway
    url: str


@contextlib.asynccontextmanager
async def served(home: Path, server: str, ca_file: str | None = None) -> AsyncIterator[Served]:
    """Serve a gateway without accounts in this process, whose accounts log in at a server of the protocol."""
    from webwx.client.accounts import Accounts
    from webwx.gateway.app import Gateway
    from webwx.gateway.config import GatewayConfig, LimitsTable, ListenTable
    from webwx.gateway.ownership.sole import LocalGateway
    from webwx.gateway.serve import listen, serve
    from webwx.storage.open import open_records

    records = open_records(home / "gateway.db")
    port = LocalGateway(
        lambda on_state: Accounts(home, server=server, ca_file=ca_file, on_state=on_state, rate_limit=None),
        home, records,
    )  # fmt: skip
    config = GatewayConfig(listen=ListenTable(port=0), limits=LimitsTable(requests_per_minute=0))
    gateway = Gateway(config, records, port, home / "gateway-files")
    listener, ready = listen(config), asyncio.Event()
    serving = asyncio.ensure_future(serve(gateway, listener, ready.set))
    await asyncio.wait([serving, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield Served(gateway, port, listener.url)
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@contextlib.asynccontextmanager
async def started(run: Run, accounts: int = 1) -> AsyncIterator[Started]:
    """Serve a gateway in this process, with accounts that are logged in."""
    async with served(run.folder / "home", run.url, run.ca_file) as (gateway, port, url):
        for number in range(accounts):
            account = await port.add_account(f"account{number}")
            await account.logins.begin("qr")
            await account.syncing.wait()
        key = (await gateway.keys.create("bench", ("admin",), accounts=None)).text
        yield Started(gateway, port, int(url.rpartition(":")[2]), key)


class Client:
    """A client program in a separate process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def read_line(self) -> dict[str, Any]:
        """Return the next line of the program."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise AssertionError("A program at the gateway has ended; what it wrote is above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def go(self) -> None:
        """Send a line to the program, which then continues."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")


@contextlib.asynccontextmanager
async def client(what: str, **given: Any) -> AsyncIterator[Client]:
    """Start a client program."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.gateway_clients", what, json.dumps(given), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, cwd=ROOT, limit=2**26,
    )  # fmt: skip
    try:
        yield Client(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def _figures(run: Run, figures: Figures, latencies: list[tuple[float, float]], probe: DiskProbe, count: int) -> Figures:
    return (
        figures
        | waits_figures(waits_of(latencies))
        | probe.figures(run, latencies)
        | {
            "per_second": count / figures["seconds"],
            "cpu_ms": figures["cpu"] / count * 1000,
        }
    )


def through_the_api(run: Run) -> Figures:
    """Send texts with keys through `notify`."""
    return _through_the_api(run, "")


def through_messages(run: Run) -> Figures:
    """Send texts with keys through the account's route of messages."""
    return _through_the_api(run, "account0")


def _through_the_api(run: Run, account: str) -> Figures:

    async def main() -> Figures:
        case = run.case
        async with started(run) as gateway:
            given = {
                "port": gateway.number, "key": gateway.key, "account": account, "count": case.count,
                "in_flight": case.in_flight,
            }  # fmt: skip
            async with client("send", warm=-(-WARM // case.in_flight) * case.in_flight, **given) as sender:
                await sender.read_line()
                with DiskProbe(run.folder) as probe, run.meter() as meter:
                    sender.go()
                    measured = await sender.read_line()
        latencies = [(begin, end) for begin, end in measured["latencies"]]
        return _figures(run, meter.figures | {"seconds": measured["seconds"]}, latencies, probe, case.count)

    return asyncio.run(main())


def by_the_client(run: Run) -> Figures:
    """Send texts with keys by the client itself, which has a journal and listens, as in a gateway."""

    async def main() -> Figures:
        from webwx import SqliteJournal

        journal = SqliteJournal(run.folder / "sends.journal")
        async with ours.logged_in(run, journal=journal, rate_limit=None) as sdk, sdk.subscribe("bench"):
            latencies: list[tuple[float, float]] = []

            async def turns(begin: int, end: int) -> None:
                for number in range(begin, end, run.case.in_flight):
                    begun = time.monotonic()
                    each = (
                        sdk.send_text("filehelper", f"message {n}", key=f"key-{n}")
                        for n in range(number, number + run.case.in_flight)
                    )
                    await asyncio.gather(*each)
                    latencies.append((begun, time.monotonic()))

            await turns(0, WARM)
            latencies.clear()
            with DiskProbe(run.folder) as probe, run.meter() as meter:
                await turns(WARM, WARM + run.case.count)
        await journal.close()
        return _figures(run, meter.figures, latencies, probe, run.case.count)

    return asyncio.run(main())


def to_webhooks(run: Run) -> Figures:
    """Send every text to several webhooks."""

    async def main() -> Figures:
        from webwx.gateway.webhooks.webhooks import StoredWebhook

        requests = run.world.texts * WEBHOOKS
        async with started(run) as gateway, client("receive", requests=requests) as receiver:
            url = f"http://127.0.0.1:{(await receiver.read_line())['port']}/"
            for number in range(WEBHOOKS):
                webhook = StoredWebhook(
                    id="", secret="", created_at=0, name=str(number), url=url, types=("message.text",),
                    allow_private=True,
                )  # fmt: skip
                made = await gateway.gateway.webhooks.create(webhook)
                await gateway.gateway.deliveries.apply(made.webhook.id)
            with run.meter() as meter:
                begun = time.monotonic()
                seconds = (await receiver.read_line())["at"] - begun
        return meter.figures | {
            "seconds": seconds,
            "per_second": requests / seconds,
            "cpu_ms": meter.figures["cpu"] / requests * 1000,
        }

    return asyncio.run(main())


def to_readers(run: Run) -> Figures:
    """Stream texts to readers; the time of each begins before it is stored, so it includes a commit."""

    async def main() -> Figures:
        from webwx.storage.sqlite.journal import SqliteAccount

        stored: list[float] = []
        ingest = SqliteAccount.ingest

        async def timed(self: SqliteAccount, arrival: Any) -> int:
            begun = time.monotonic()
            count = await ingest(self, arrival)
            stored.extend([begun] * count)
            return count

        SqliteAccount.ingest = timed  # type: ignore[method-assign]  # nothing else tells of a commit
        async with started(run) as gateway:
            given = {"port": gateway.number, "key": gateway.key, "readers": run.case.count, "texts": run.world.texts}
            async with client("read", **given) as readers:
                await readers.read_line()
                del stored[:]
                with DiskProbe(run.folder) as probe, run.meter() as meter:
                    arrived = (await readers.read_line())["arrived"]
        latencies = [(begun, at) for each in arrived for at, begun in zip(each, stored, strict=True)]
        waits = waits_of(latencies)
        return (
            meter.figures
            | waits_figures(waits)
            | probe.figures(run, latencies)
            | {
                "cpu_ms": meter.figures["cpu"] / len(waits) * 1000,
                "event_ms": meter.figures["cpu"] / run.world.texts * 1000,
            }
        )

    return asyncio.run(main())


def to_an_agent(run: Run) -> Figures:
    """
    Pass texts to an agent that waits over MCP; the time of each begins after its commit.

    The memory is what the adapter and its library add, between the start and the first answer of a tool.
    """

    async def main() -> Figures:
        from webwx.gateway.adapters.permissions import EVERY_CHAT, ChatPermissions
        from webwx.gateway.adapters.program import StoredProgram
        from webwx.storage.sqlite.journal import SqliteAccount

        stored: list[float] = []
        ingest = SqliteAccount.ingest

        async def timed(self: SqliteAccount, arrival: Any) -> int:
            count = await ingest(self, arrival)
            stored.extend([time.monotonic()] * count)
            return count

        SqliteAccount.ingest = timed  # type: ignore[method-assign]  # nothing else tells of a commit
        async with started(run) as gateway:
            before = resident()
            [account] = await gateway.port.list_owned()
            program = StoredProgram(
                id="", name="agent", adapter="mcp", account=account, digest="", created_at=0,
                permissions=ChatPermissions(see=(EVERY_CHAT,), write=()),
            )  # fmt: skip
            token = (await gateway.gateway.programs.create(program)).token
            async with client("wait", port=gateway.number, token=token, texts=run.world.texts) as agent:
                await agent.read_line()
                added = resident() - before
                del stored[:]
                with DiskProbe(run.folder) as probe, run.meter() as meter:
                    arrived = (await agent.read_line())["arrived"]
        latencies = list(zip(stored, arrived, strict=True))
        return _figures(run, meter.figures, latencies, probe, run.world.texts) | {"added_mb": added}

    return asyncio.run(main())


def idle(run: Run) -> Figures:
    """Measure accounts and readers without any event."""

    async def main() -> Figures:
        async with started(run, accounts=run.case.count) as gateway:
            given = {"port": gateway.number, "key": gateway.key, "readers": READERS, "texts": 0}
            async with client("read", **given) as readers:
                await readers.read_line()
                await asyncio.sleep(run.world.hold * 0.2)  # until what follows a login is done
                with run.meter() as meter:
                    await asyncio.sleep(run.world.hold * 1.2)
                mb = resident()
        return meter.figures | {"cpu_percent": meter.figures["cpu"] / meter.figures["seconds"] * 100, "mb": mb}

    return asyncio.run(main())


SENDS = {SDK: by_the_client, OURS: through_the_api}

CASES = (
    Case(name="gateway-send", about="keyed texts through `notify`, one after another", count=10_000, variants=SENDS),
    Case(
        name="gateway-message", about="keyed texts as JSON through the route of messages, one after another",
        count=10_000, variants={SDK: by_the_client, OURS: through_messages},
    ),
    Case(
        name="gateway-sends", about="keyed texts through `notify`, 16 in flight", count=4_000, in_flight=16,
        variants=SENDS,
    ),
    Case(
        name="gateway-webhooks", about=f"texts to {WEBHOOKS} webhooks", world=World(texts=1_000),
        variants={OURS: to_webhooks},
    ),
    Case(
        name="gateway-streams", about="texts to readers of server-sent events", count=20,
        world=World(texts=2_000, rate=50.0), variants={OURS: to_readers},
    ),
    Case(
        name="gateway-broadcast", about="texts to many readers of server-sent events", count=READERS,
        world=World(texts=300, rate=10.0), variants={OURS: to_readers},
    ),
    Case(
        name="gateway-agent", about="texts to an agent that waits over MCP", world=World(texts=500, rate=20.0),
        variants={OURS: to_an_agent},
    ),
    Case(
        name="gateway-idle", about=f"accounts and {READERS} readers to which nothing happens", count=ACCOUNTS,
        variants={OURS: idle},
    ),
)  # fmt: skip
