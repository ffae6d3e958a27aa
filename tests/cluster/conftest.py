"""A schema of its own for each test, and workers as processes that share it with a sandbox as the platform."""

from __future__ import annotations

import contextlib
import json
import os
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.cli.account.test_login import read_until
from tests.cli.conftest import PATIENCE, Sandbox, Shell, running_sandbox
from tests.cluster.witness import call_witness, not_stored, problems
from tests.postgres import TemporarySchema

from webwx.storage.leases import LeaseTimes
from webwx.storage.postgres.leases import PostgresLeases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.cli.conftest import Finished, Started
    from tests.forks import Forks

LEASE = 3.0
"""Seconds of a lease in tests with processes."""

PEOPLE = {"one": "xiaoming", "two": "ahua"}
"""The people of the accounts."""

DIARY = """
import json, os
from webwx import Bot, TextMessage
from webwx.bot import chat_queues

chat_queues.DRAIN_TIMEOUT = float(os.environ.get("DRAIN_TIMEOUT", chat_queues.DRAIN_TIMEOUT))
bot = Bot()
diary = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what, ctx, message):
    line = {"what": what, "pid": os.getpid(), "text": message.text, "redelivered": ctx.redelivered}
    os.write(diary, json.dumps(line).encode() + b"\\n")


@bot.on(TextMessage)
async def answer(ctx, message):
    if message.is_self:
        return
    note("begin", ctx, message)
    while message.text.startswith("wait") and os.path.exists(os.environ["DIARY"] + ".wait"):
        import asyncio
        await asyncio.sleep(0.02)
    await ctx.reply(f"re: {message.text}")
    note("end", ctx, message)
"""
"""A bot that answers every text and writes a line before and after it."""


@pytest.fixture
async def leases(schema: TemporarySchema) -> AsyncIterator[PostgresLeases]:
    """The leases of the schema, whose tables exist."""
    opened = PostgresLeases(schema.url, LeaseTimes())
    await opened.workers()
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def sandbox(forks: Forks) -> Iterator[Sandbox]:
    """A sandbox for the tests of a module."""
    with running_sandbox(forks) as sandbox:
        yield sandbox


class RunningWorker:
    """A running `webwx worker`."""

    def __init__(self, process: Started) -> None:
        self.process = process
        self.pid = process.pid
        assert process.stdout is not None
        self.id: str = json.loads(process.stdout.readline())["worker"]

    def line(self) -> dict[str, Any]:
        """Return the next line that it prints, about an account."""
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def logged(self, words: str) -> float:
        """Return the time at which it logs some words, in seconds since 1970."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
        raise AssertionError(f"it ended without {words!r}")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class Process(Protocol):
    """A process that shares the database."""

    id: str


class Deployment:
    """A database with the logins of two people, and the workers that a test starts on it."""

    def __init__(
        self, shell: Shell, sandbox: Sandbox, schema: TemporarySchema, folder: Path, record: Callable[[str, str], None]
    ) -> None:
        self.record = record
        self.shell = shell
        self.sandbox = sandbox
        self.schema = schema
        self.bot = folder / "bot.py"
        self.bot.write_text(DIARY)
        self.diary_path = folder / "diary.jsonl"
        self.asked: dict[str, tuple[str, str]] = {}
        """The account that the friend has asked, and the id of the message, by the text."""
        self.shell.environment |= {
            "WEBWX_STORAGE": schema.url, "WEBWX_PASSPHRASE": "three words long", "DIARY": str(self.diary_path)
        }  # fmt: skip

    def log_in(self, who: str, account: str) -> None:
        """Log a person in, as another process does."""
        with self.shell.start("login", "--account", account) as process:
            read_until(process, "confirm there")
            self.sandbox.control("scan", who=who)
            self.sandbox.control("confirm", uuid="")
            process.communicate(timeout=PATIENCE)
            assert process.returncode == 0

    @contextmanager
    def worker(
        self, lease: float = LEASE, *, wrapper: Sequence[str] = (), **environment: str
    ) -> Iterator[RunningWorker]:
        """Start a worker with the bot, by another program if one is given; at the end of the block it is killed."""
        with self.starting_worker(lease, wrapper=wrapper, **environment) as process:
            yield RunningWorker(process)

    @contextmanager
    def starting_worker(
        self, lease: float = LEASE, *, wrapper: Sequence[str] = (), **environment: str
    ) -> Iterator[Started]:
        """Start a worker as `worker` does, without waiting until it runs."""
        arguments = ["worker", str(self.bot), "--json", "--lease", str(lease), "--heartbeat", str(LEASE / 3)]
        arguments += ["--log-format", "json"]
        variables: dict[str, Any] = {"PYTHONFAULTHANDLER": "1"} | environment
        # An interpreter of its own: a fork that opens connections to a database in a thread has crashed (SIGSEGV).
        with self.shell.start_process(*arguments, wrapper=wrapper, **variables) as process:
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):  # a test has killed it
                    process.kill()
                _, errors = process.communicate(timeout=PATIENCE)
                self.record("the stderr of a worker", errors)

    def account(self, name: str) -> int:
        """Return the number of the account that is logged in under a name."""
        return int(self.schema.execute(f"SELECT account FROM login_names WHERE name LIKE '{name}/%'"))

    def webwx(self, *arguments: str) -> Finished:
        """Run a command, and require its success."""
        done = self.shell.run(*arguments)
        assert done.code == 0, done
        return done

    def workers(self) -> list[dict[str, Any]]:
        """Return what `webwx cluster status` prints about each worker."""
        return [line for line in self.webwx("cluster", "status", "--json").lines if line["type"] == "worker"]

    def state_of(self, worker: RunningWorker) -> str:
        """Return the state of a worker; empty if it is gone."""
        return "".join(line["state"] for line in self.workers() if line["worker"] == worker.id)

    def states(self) -> list[str]:
        """Return the states of all sends."""
        return self.schema.execute("SELECT state FROM outbox ORDER BY account, number").split()

    @contextmanager
    def waiting_handlers(self) -> Iterator[None]:
        """Make handlers of texts that begin with `wait` wait until `release_handlers`."""
        self._waiting.touch()
        try:
            yield
        finally:
            self.release_handlers()

    def release_handlers(self) -> None:
        """Make waiting handlers continue."""
        self._waiting.unlink(missing_ok=True)

    @property
    def _waiting(self) -> Path:
        return self.diary_path.with_name("diary.jsonl.wait")

    @property
    def owners(self) -> dict[int, tuple[str | None, int]]:
        """The worker and the epoch of each account."""
        rows = self.schema.execute("SELECT account, coalesce(worker, '-'), epoch FROM accounts ORDER BY account")
        found = [line.split("|") for line in rows.splitlines()]
        return {int(account): (None if worker == "-" else worker, int(epoch)) for account, worker, epoch in found}

    def owned_by(self, worker: Process) -> int:
        """Return how many accounts a worker owns."""
        return sum(owner == worker.id for owner, _ in self.owners.values())

    @property
    def diary(self) -> list[dict[str, Any]]:
        """The complete lines of the bot."""
        if not self.diary_path.exists():
            return []
        whole, _, _ = self.diary_path.read_text("utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def noted(self, what: str, text: str) -> list[dict[str, Any]]:
        """Return the lines of the bot about a text."""
        return [line for line in self.diary if (line["what"], line["text"]) == (what, text)]

    @contextmanager
    def two_workers(
        self, environments: tuple[dict[str, str], dict[str, str]] = ({}, {}), lease: float = LEASE
    ) -> Iterator[tuple[RunningWorker, RunningWorker]]:
        """Start two workers, and return the owner of 小明's account first."""
        with self.worker(lease, **environments[0]) as one, self.worker(lease, **environments[1]) as two:
            yield self.in_order(one, two)

    def in_order(self, one: RunningWorker, two: RunningWorker) -> tuple[RunningWorker, RunningWorker]:
        """Wait until each of two workers runs an account with its bot; return the owner of 小明's account first."""
        wait_until(lambda: (self.owned_by(one), self.owned_by(two)) == (1, 1))
        self.wait_for_bots()
        owner, _ = self.owners[self.account("one")]
        return (one, two) if owner == one.id else (two, one)

    def wait_for_bots(self) -> None:
        """Wait until the bot has begun on both accounts; it gets no texts from before that."""
        begun = "SELECT count(*) FROM consumers WHERE name = 'bot'"
        wait_until(lambda: self.schema.execute(begun).strip() == "2")

    def ask(self, text: str, account: str = "one") -> None:
        """Send a text from a friend who has no bot."""
        self.asked[text] = account, self.sandbox.say("lilei", PEOPLE[account], text)

    def answers(self, text: str) -> int:
        """Return how often the friend's phone shows the answer to a text."""
        chat = self.sandbox.chat("lilei", PEOPLE[self.asked[text][0]])
        return sum(message["text"] == f"re: {text}" for message in chat["messages"])

    def lost(self, texts: Iterable[str]) -> set[str]:
        """Return the messages that no account has stored, of those that were asked with some texts."""
        asked = [self.asked[text] for text in texts]
        return {
            each for name in PEOPLE for each in
            not_stored(self.schema, self.account(name), [id_ for account, id_ in asked if account == name])
        }  # fmt: skip

    @property
    def epoch(self) -> int:
        """The epoch of 小明's account."""
        return self.owners[self.account("one")][1]

    def check(self) -> None:
        """Check what the witness has noted, that each message is stored, and that each was answered once."""
        assert problems(self.schema) == []
        assert self.lost(self.asked) == set()
        assert {text: self.answers(text) for text in self.asked} == dict.fromkeys(self.asked, 1)


def deploy(
    sandbox: Sandbox, schema: TemporarySchema, folder: Path, record: Callable[[str, str], None], forks: Forks
) -> Deployment:
    """Log 小明 and 阿华 in in one database, and call the witness."""
    shell = Shell(folder / "home", sandbox.url, record, forks)
    made = Deployment(shell, sandbox, schema, folder, record)
    made.log_in("me", "one")
    made.log_in("阿华", "two")
    call_witness(schema)
    return made


@pytest.fixture
def deployment(
    sandbox: Sandbox, schema: TemporarySchema, tmp_path: Path, secret_scanner: Any, forks: Forks
) -> Deployment:
    """小明 and 阿华, who are logged in in one database."""
    return deploy(sandbox, schema, tmp_path, secret_scanner.record, forks)


def wait_until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; the limit only ends a test that hangs."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
