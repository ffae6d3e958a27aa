"""
G-R19: workers of a shared database are killed, stopped and cut off from it while friends write to all accounts.

The workers are `webwx worker` in processes of their own, each behind a relay to the database. The sandbox is in this
process, so that what the accounts have stored and answered is compared with what its phones show. The witness in the
database notes which process wrote each row.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, Literal

from tests.cluster.witness import call_witness, not_stored, problems
from tests.postgres import TemporarySchema, is_installed, new_schema
from tests.relay import Relay
from tests.soak.stage import Figures

from webwx.client.client import AsyncClient
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve
from webwx.sandbox.world import World
from webwx.storage.account_folder import login_name
from webwx.storage.open import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.soak.stage import Run

    from webwx.model.login import QrCode

WEBWX = Path(sys.executable).with_name("webwx")

PASSPHRASE = "three words long"

LOG = "workers.log"

DIARY = "diary.jsonl"

LEASE, SLACK = 5.0, 1.0
"""Seconds of a lease, and after its end until the last account must be taken over."""

WORKERS = 3

PATIENCE = 120.0
"""Seconds in which the workers have to share the accounts again, or to answer everything that is left."""

_GIVEN_UP = """
SELECT e.message_id FROM failures f JOIN consumers c USING (consumer)
JOIN entries e ON e.account = c.account AND e.number = f.number WHERE f.state = 'dead'
"""

KINDS: tuple[Literal["kill", "stop", "cut"], ...] = ("kill", "stop", "cut")

HANDLED = LEASE + 10.0
"""Seconds from a text to its handler that 99 of 100 may take."""

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


class Worker:
    """A place for a worker: the process that runs there, and its relay to the database."""

    def __init__(self, folder: Path, schema: TemporarySchema) -> None:
        self.relay = Relay(schema.server.socket)
        self.id = ""
        self.server = ""
        """The URL of the sandbox."""
        self._folder = folder
        self._schema = schema
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[bytes] | None = None

    async def start(self) -> None:
        """Start a worker, and wait until it has an id."""
        environment = {
            **os.environ, "WEBWX_HOME": str(self._folder), "WEBWX_PASSPHRASE": PASSPHRASE,
            "WEBWX_STORAGE": self._schema.url_through(self.relay), "WEBWX_RATE_LIMIT": "off",
            "WEBWX_SERVER": self.server, "PYTHONFAULTHANDLER": "1", "DIARY": str(self._folder / DIARY),
        }  # fmt: skip
        arguments = ["worker", str(self._folder / "bot.py"), "--lease", str(LEASE), "--heartbeat", str(LEASE / 3)]
        with (self._folder / LOG).open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                WEBWX, *arguments, "--json", env=environment, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"A worker did not start; see workers.log in {self._folder}.")
        self.id = json.loads(line)["worker"]
        self._reading = asyncio.create_task(self._process.stdout.read())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process if it runs, also a stopped one."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def end(self, how: Signals) -> int:
        """End the process by a signal, and return its exit code."""
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        await self._reading
        return await self._process.wait()


class Play:
    """The accounts, their friend who writes to them, and the workers."""

    def __init__(self, run: Run, schema: TemporarySchema, accounts: int) -> None:
        self.rng = random.Random(run.seed)
        self.problems: list[str] = []
        self.failures: Counter[str] = Counter()
        self.in_doubt = 0
        """Number of answers whose outcome is not known."""
        self.given_up = 0
        """Number of messages that are dead letters, although the bot's handler has no failure of its own."""
        self.takeovers: list[float] = []
        """Seconds until the last account of a worker was taken over, of each failure."""
        self.asked: dict[str, tuple[int, str]] = {}
        """Account and message id of each text."""
        self._schema = schema
        self._log = run.folder / LOG
        self._diary = run.folder / DIARY
        self._is_release = run.is_release
        self._asked_at: dict[str, float] = {}
        self.slow = 0.0
        """Seconds from a text to its handler that 99 of 100 have not exceeded."""
        self.world = World(options=Options(auto_confirm=True), rng=random.Random(f"{run.seed}/world"))
        self._people = [self.world.add_person(f"Account {number}") for number in range(accounts)]
        self._friend = self.world.add_person("Friend")
        for person in self._people:
            self.world.befriend(person.id, self._friend.id)
        self.workers = [Worker(run.folder, schema) for _ in range(WORKERS)]

    async def log_in(self, server: str) -> None:
        """Log all accounts in, and store their logins in the database."""
        storage = open_storage(self._schema.url, passphrase=PASSPHRASE)

        def show(code: QrCode) -> None:
            del code  # the sandbox confirms by itself

        for number in range(len(self._people)):
            name = login_name(f"a{number}", host=None, server=server)
            async with AsyncClient(server=server, store=storage.login(name), journal=storage.journal(name)) as client:
                await client.login(show_qr=show)
        await storage.close()

    @contextlib.asynccontextmanager
    async def writing(self, pause: float) -> AsyncIterator[None]:
        """Send texts of the friend to accounts at random."""

        async def write() -> None:
            while True:
                self.ask()
                await asyncio.sleep(self.rng.uniform(0, 2 * pause))

        work = asyncio.create_task(write())
        try:
            yield
        finally:
            work.cancel()

    def ask(self) -> None:
        """Send a text to an account."""
        person, text = self.rng.choice(self._people), f"question {len(self.asked)}"
        self._asked_at[text] = time.time()
        self.asked[text] = person.uin, self.world.say(self._friend.id, person.id, text).id

    async def fail(self) -> None:
        """Make a worker fail in one way, wait until its accounts are taken over, and let it continue."""
        kind, victim = self.rng.choice(KINDS), self.rng.choice(self.workers)
        await asyncio.sleep(self.rng.uniform(0, 1))
        self.failures[kind] += 1
        match kind:
            case "kill":
                await victim.end(signal.SIGKILL)
            case "stop":
                victim.signal(signal.SIGSTOP)
            case "cut":
                victim.relay.cut()
        began, earlier = time.time(), victim.id
        if not await self._until(lambda owners: earlier not in owners):
            self.problems.append(f"accounts were not taken over after a {kind}")
        took = float(await self._query("SELECT extract(epoch FROM max(taken_at)) FROM accounts")) - began
        self.takeovers.append(took)
        if took > LEASE + SLACK:
            self.problems.append(f"accounts were taken over {took:.1f} s after a {kind}")
        match kind:
            case "kill":
                await victim.start()
            case "stop":
                victim.signal(signal.SIGCONT)
            case "cut":
                victim.relay.mend()
        if not await self.until_shared():
            self.problems.append(f"the accounts were not shared again after a {kind}")

    async def until_shared(self) -> bool:
        """Wait until all accounts are owned and each worker owns some, and return whether it came to that."""
        share = len(self._people) // (2 * WORKERS)
        return await self._until(
            lambda owners: "" not in owners and all(owners.get(worker.id, 0) >= share for worker in self.workers)
        )

    async def finish(self) -> None:
        """Wait until everything is answered, end the workers, and compare all sides."""
        rows = "SELECT account || ' ' || text || '|' || state FROM outbox"
        deadline = time.monotonic() + PATIENCE
        while len((await self._query(rows)).splitlines()) < len(self.asked) and time.monotonic() < deadline:  # noqa: ASYNC110 - other processes make it so
            await asyncio.sleep(0.1)
        for worker in self.workers:
            if code := await worker.end(signal.SIGTERM):
                self.problems.append(f"a worker ended with code {code}")
        if unhandled := self._log.read_text("utf-8").count(" ERROR asyncio: "):
            self.problems.append(f"{unhandled} errors of tasks were not handled; see {LOG}")
        self.problems += problems(self._schema)
        lost = sum(
            len(not_stored(self._schema, person.uin, [id_ for uin, id_ in self.asked.values() if uin == person.uin]))
            for person in self._people
        )
        if lost:
            self.problems.append(f"{lost} messages are not stored")
        self._measure_waits()
        given_up = set((await self._query(_GIVEN_UP)).split())
        self._compare_answers(dict(row.split("|") for row in (await self._query(rows)).splitlines()), given_up)

    def _measure_waits(self) -> None:
        """Measure the time from each text to the first call of its handler."""
        handled: dict[str, float] = {}
        for line in self._diary.read_text("utf-8").splitlines():
            text, at = json.loads(line)
            handled.setdefault(text, at)
        waits = sorted(handled[text] - at for text, at in self._asked_at.items() if text in handled)
        self.slow = waits[len(waits) * 99 // 100]
        if self._is_release and self.slow > HANDLED:
            self.problems.append(f"99 of 100 texts reached their handler within {self.slow:.1f} s only")

    def _compare_answers(self, states: dict[str, str], given_up: set[str]) -> None:
        """Compare the sends with what the friend has received; a message that was given up has no answer."""
        answers = Counter(
            f"{message.sender.uin} {message.text}"
            for chat in self.world.inbox(self._friend.id).values()
            for message in chat.messages
            if message.text.startswith("re: ")
        )
        wanted = {f"{uin} re: {text}" for text, (uin, id_) in self.asked.items() if id_ not in given_up}
        self.given_up = len(self.asked) - len(wanted)
        self.in_doubt = sum(state != "sent" for state in states.values())
        for count, what in (
            (self.given_up, "messages became dead letters"),
            (sum(times > 1 for times in answers.values()), "answers were sent twice"),
            (len(wanted - {*states}), "messages were not handled"),
            (sum(answers[each] == 0 for each, state in states.items() if state == "sent"), "answers are falsely sent"),
        ):
            if count:
                self.problems.append(f"{count} {what}")

    async def _until(self, is_so: Callable[[dict[str, int]], bool]) -> bool:
        """Wait until a condition of the numbers of accounts of each owner holds, and return whether it does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            rows = await self._query("SELECT coalesce(worker, ''), count(*) FROM accounts GROUP BY 1")
            if is_so({worker: int(count) for worker, count in (row.split("|") for row in rows.splitlines())}):
                return True
            await asyncio.sleep(0.05)
        return False

    async def _query(self, query: str) -> str:
        return await asyncio.to_thread(self._schema.execute, query)


async def run(run: Run) -> Figures:
    """Make workers fail repeatedly, and compare everything afterwards."""
    if not is_installed():
        return Figures("", ("PostgreSQL is not installed",))
    failures, accounts = run.scaled(6, 200), run.scaled(20, 200)
    schema = await asyncio.to_thread(new_schema)
    (run.folder / "bot.py").write_text(BOT)
    play = Play(run, schema, accounts)
    served = await serve(SandboxCore(play.world))
    try:
        await play.log_in(served.url)
        await asyncio.to_thread(call_witness, schema)
        with contextlib.ExitStack() as relays:
            for worker in play.workers:
                relays.enter_context(worker.relay)
                worker.server = served.url
                await worker.start()
            if not await play.until_shared():
                play.problems.append("the accounts were not shared at the beginning")
            async with play.writing(0.05):
                for _ in range(failures):
                    await play.fail()
            await play.finish()
    finally:
        for worker in play.workers:
            worker.kill()
        await served.close()
    kinds = ", ".join(f"{play.failures[kind]} {kind}s" for kind in KINDS)
    return Figures(
        f"{accounts} accounts on {WORKERS} workers; {kinds}; takeovers took "
        f"{statistics.median(play.takeovers):.1f} s (median) and at most {max(play.takeovers):.1f} s; "
        f"99 of 100 texts reached their handler within {play.slow:.1f} s; "
        f"{len(play.asked):,} messages, {play.in_doubt} answers in doubt and not repeated, {play.given_up} given up; "
        f"{len(play.problems)} problems",
        tuple(play.problems),
    )
