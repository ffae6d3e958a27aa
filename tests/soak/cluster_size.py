"""
G-R20: one worker runs all accounts of a large installation, is stopped for one and a half leases, and is killed.

Friends write to the accounts at a steady rate all the time, and the bot of each account answers. The sandbox is in this
process, the worker in one of its own, and after the kill a second worker takes the accounts. All accounts have to be
back within a minute of each failure: everything that was written before the end of the failure is handled, and every
account polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.processes import cpu_seconds
from tests.cluster.witness import call_witness, problems
from tests.postgres import is_installed, new_schema
from tests.soak.stage import Figures

from webwx.client.client import AsyncClient
from webwx.protocol.http import Park
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.sandbox.world import World
from webwx.storage.account_folder import login_name
from webwx.storage.open import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema
    from tests.soak.stage import Run

    from webwx.model.login import QrCode
    from webwx.protocol.http import Request, Response

WEBWX = Path(sys.executable).with_name("webwx")

PASSPHRASE = "three words long"

PATIENCE = 600.0
"""Seconds in which everything has to come to an end."""

LOGINS = 8
"""Number of accounts that log in at the same time."""

BOT = """
import json, os, time
from webwx import Bot, TextMessage

bot = Bot(replies_per_minute=0)
diary = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@bot.on(TextMessage)
async def answer(ctx, message):
    if not message.is_self:
        os.write(diary, json.dumps([message.text, time.time()]).encode() + b"\\n")
        await ctx.reply(f"re: {message.text}")
"""
"""A bot that notes each text with the time, and answers it."""


class Size(NamedTuple):
    """The numbers of a run."""

    accounts: int
    rate: float = 23.0
    """Texts a second, to all accounts together."""
    lease: float = 15.0
    """Seconds of a lease."""
    quiet: float = 10.0
    """Seconds of writing before the first failure, and after each one."""
    back: float = 60.0
    """Seconds in which all accounts have to be back after a failure."""


class Text(NamedTuple):
    """A text of the friend."""

    message_id: str
    at: float
    """Seconds since 1970."""


class WatchedSandbox(SandboxCore):
    """A sandbox that notes when each account has polled."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.polled: dict[str, float] = {}
        """Monotonic time of the last poll that was held, by the person's id."""

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        answer = super().answer(request, parked)
        if isinstance(answer, Park):
            self.polled[answer.account] = time.monotonic()
        return answer


class Installation:
    """The accounts, their friend who writes to them, and their worker."""

    def __init__(self, run: Run, schema: TemporarySchema, size: Size) -> None:
        self.size = size
        self.problems: list[str] = []
        self.said: dict[str, Text] = {}
        self._rng = random.Random(run.seed)
        self._schema = schema
        self._folder = run.folder
        self._diary = run.folder / "diary.jsonl"
        self._read_to = 0
        self._handled: dict[str, float] = {}
        self.world = World(options=Options(auto_confirm=True), rng=random.Random(f"{run.seed}/world"))
        self._people = [self.world.add_person(f"Account {number}") for number in range(size.accounts)]
        self.sandbox = WatchedSandbox(self.world)
        self._friend = self.world.add_person("Friend")
        for person in self._people:
            self.world.befriend(person.id, self._friend.id)
        self._process: asyncio.subprocess.Process | None = None
        (run.folder / "bot.py").write_text(BOT)

    async def log_in(self, server: str) -> None:
        """Log all accounts in, and store their logins in the database."""
        storage, waiting = open_storage(self._schema.url, passphrase=PASSPHRASE), iter(range(self.size.accounts))

        def show(code: QrCode) -> None:
            del code  # the sandbox confirms by itself

        async def log_in_some() -> None:
            for number in waiting:
                name = login_name(f"a{number}", host=None, server=server)
                async with AsyncClient(server=server, store=storage.login(name), journal=storage.journal(name)) as one:
                    await one.login(show_qr=show)

        await asyncio.gather(*(log_in_some() for _ in range(LOGINS)))
        await storage.close()

    async def start(self, server: str) -> None:
        """Start a worker."""
        environment = {
            **os.environ, "WEBWX_HOME": str(self._folder), "WEBWX_PASSPHRASE": PASSPHRASE,
            "WEBWX_STORAGE": self._schema.url, "WEBWX_RATE_LIMIT": "off", "WEBWX_SERVER": server,
            "DIARY": str(self._diary), "PYTHONFAULTHANDLER": "1",
        }  # fmt: skip
        arguments = ["worker", str(self._folder / "bot.py"), "--json", "--lease", str(self.size.lease)]
        arguments += ["--heartbeat", str(self.size.lease / 3)]
        with (self._folder / "workers.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                WEBWX, *arguments, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=log
            )

    def signal(self, number: signal.Signals) -> None:
        """Send the worker a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, how: Signals) -> float:
        """End the worker by a signal, and return the seconds that this took."""
        assert self._process is not None
        began = time.monotonic()
        if self._process.returncode is None:
            self._process.send_signal(how)
        await self._process.wait()
        return time.monotonic() - began

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write texts to accounts at random, at the rate."""

        async def write() -> None:
            began, count = time.monotonic(), 0
            while True:
                person, text = self._rng.choice(self._people), f"question {len(self.said)}"
                sent = self.world.say(self._friend.id, person.id, text)
                self.said[text] = Text(sent.id, time.time())
                count += 1
                await asyncio.sleep(max(0.0, began + count / self.size.rate - time.monotonic()))

        work = asyncio.create_task(write())
        try:
            yield
        finally:
            work.cancel()

    async def figure(self, what: str, since: float) -> str:
        """Wait until all accounts are back, and return the figure about it and about the worker's CPU time."""
        cpu = self._cpu()
        took = await self.until_back(what, since)
        if took > self.size.back:
            self.problems.append(f"the accounts were back {took:.0f} s after {what}")
        return f"back {took:.0f} s after {what}, with {self._cpu() - cpu:.0f} s of CPU"

    async def until_back(self, what: str, since: float) -> float:
        """
        Wait until everything that was said before now is handled, and all accounts have polled; return the seconds.

        Args:
            what: What has failed.
            since: Monotonic time from which the accounts have to poll, and from which the seconds count.
        """
        texts = set(self.said)
        while not (texts <= self.handled().keys() and self._have_polled(since)):
            if time.monotonic() - since > PATIENCE:
                self.problems.append(f"the accounts were not back after {what}")
                break
            await asyncio.sleep(0.2)
        return time.monotonic() - since

    def _cpu(self) -> float:
        """Return the CPU seconds of the present worker."""
        assert self._process is not None
        return cpu_seconds(self._process.pid)

    def _have_polled(self, since: float) -> bool:
        return all(self.sandbox.polled.get(person.id, 0.0) >= since for person in self._people)

    def handled(self) -> dict[str, float]:
        """Return the time at which the bot was first called with each text."""
        if self._diary.exists():
            with self._diary.open("rb") as diary:
                diary.seek(self._read_to)
                whole, _, _ = diary.read().rpartition(b"\n")
            self._read_to += len(whole) + bool(whole)
            for line in whole.splitlines():
                text, at = json.loads(line)
                self._handled.setdefault(text, at)
        return self._handled

    def waits(self) -> list[float]:
        """Return the seconds from each text to its handler, in order."""
        handled = self.handled()
        return sorted(handled[text] - said.at for text, said in self.said.items() if text in handled)

    async def epochs(self) -> int:
        """Return the number of takeovers."""
        return int(await self._query("SELECT coalesce(sum(epoch - 1), 0) FROM accounts"))

    async def finish(self) -> None:
        """Compare what was said with what is stored, handled and answered."""
        self.problems += await asyncio.to_thread(problems, self._schema)
        stored = set((await self._query("SELECT message_id FROM entries WHERE message_id <> ''")).split())
        lost = {text.message_id for text in self.said.values()} - stored
        unhandled = set(self.said) - set(self.handled())
        answers = [
            message.text
            for chat in self.world.inbox(self._friend.id).values()
            for message in chat.messages
            if message.text.startswith("re: ")
        ]
        for count, what in (
            (len(lost), "messages are not stored"),
            (len(unhandled), "messages were not handled"),
            (len(answers) - len(set(answers)), "answers were sent twice"),
        ):
            if count:
                self.problems.append(f"{count} {what}")

    async def _query(self, query: str) -> str:
        return await asyncio.to_thread(self._schema.execute, query)

    def kill(self) -> None:
        """Kill the worker if it runs, also a stopped one."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


async def play(run: Run, size: Size) -> Figures:
    """Make the worker of all accounts fail in each way, and compare everything afterwards."""
    schema = await asyncio.to_thread(new_schema)
    allow_files()
    place = Installation(run, schema, size)
    served = await serve(place.sandbox)
    figures: list[str] = []
    try:
        await place.log_in(served.url)
        await asyncio.to_thread(call_witness, schema)
        began = time.monotonic()
        await place.start(served.url)
        figures.append(f"started in {await place.until_back('the start', began):.0f} s")
        async with place.writing():
            await asyncio.sleep(size.quiet)
            before = await place.epochs()
            place.signal(signal.SIGSTOP)
            await asyncio.sleep(1.5 * size.lease)
            place.signal(signal.SIGCONT)
            figures.append(await place.figure("a pause of 1.5 leases", time.monotonic()))
            if await place.epochs() != before:
                place.problems.append("accounts that no other worker had taken were taken over")
            await asyncio.sleep(size.quiet)
            began = time.monotonic()
            await place.end(signal.SIGKILL)
            await place.start(served.url)
            figures.append(await place.figure("a kill", began))
            await asyncio.sleep(size.quiet)
        await place.until_back("the end", time.monotonic())
        figures.append(f"handed over in {await place.end(signal.SIGTERM):.1f} s")
        waits = place.waits()
        await place.finish()
    finally:
        place.kill()
        await served.close()
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    return Figures(
        f"{size.accounts:,} accounts on one worker, {len(place.said):,} texts at {size.rate:g} a second; "
        f"{', '.join(figures)}; from a text to its handler {p50 * 1000:.0f} ms (median), {p99:.1f} s (p99), "
        f"{waits[-1]:.1f} s at most; {len(place.problems)} problems",
        tuple(place.problems),
    )


async def run(run: Run) -> Figures:
    """Run the goal."""
    if not is_installed():
        return Figures("", ("PostgreSQL is not installed",))
    if run.is_release:
        return await play(run, Size(5_000))
    return await play(run, Size(30, lease=5.0, quiet=2.0, back=PATIENCE))


def allow_files() -> None:
    """Raise the limit of open files, for this process and for the worker."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
