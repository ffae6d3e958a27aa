"""
The setup of every goal: a server, friends who write, a fault proxy, and processes of the SDK behind it.

The server and the proxy run in the harness's own process and the SDK in another one, so that all requests use real
connections. All random choices come from one seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from tests.soak.bot import ANSWER, LOGIN
from tests.soak.checker import ANSWERED, SAID, Answered, Notebook, Progress, Said, Verdict, check, mark

from webwx.client.client import AsyncClient
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.faults import FaultInjector
from webwx.sandbox.options import Options
from webwx.sandbox.proxy import FaultProxy
from webwx.sandbox.serve import serve
from webwx.sandbox.world import World, default_world
from webwx.storage.login import LoginFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from webwx.model.login import QrCode

ROOT = Path(__file__).parents[2]
BACKLOG = 2_000
"""Messages that a bot may have waiting before its friends pause."""

CHATS = (("ahua", "me"), ("zhangsan", "me"), ("lilei", "me"), ("lilei", "hiking"), ("ahua", "hiking"))


class Figures(NamedTuple):
    """The result of a goal."""

    text: str
    """The figures on one line."""
    problems: tuple[str, ...] = ()


class Run(NamedTuple):
    """One run of a goal."""

    seed: int
    is_release: bool
    folder: Path

    def scaled(self, pr: int, release: int) -> int:
        """Return the number for the scale of this run."""
        return release if self.is_release else pr


class Processes:
    """The process from which others are forked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def order(self, **order: Any) -> dict[str, int]:
        """Send a command and wait for its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(order).encode() + b"\n")
        answer: dict[str, int] = json.loads(await stdout.readline())
        return answer


@contextlib.asynccontextmanager
async def processes() -> AsyncIterator[Processes]:
    """Start the process from which others are forked."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.soak.processes",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        yield Processes(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class Stage:
    """A server with its people, a proxy before it, and one process of the SDK at a time."""

    pid = 0
    """Process id of that process, while it runs."""

    def __init__(self, world: World, sandbox: SandboxCore, proxy: FaultProxy, run: Run, forks: Processes) -> None:
        self.world = world
        self.sandbox = sandbox
        self.proxy = proxy
        self.folder = run.folder
        self.rng = random.Random(run.seed)
        self.said = 0
        self._me = world.person("me")
        self._forks = forks
        self._notebook = Notebook(run.folder / SAID)
        self._progress = Progress(run.folder)

    # -- people ------------------------------------------------------------------------------------------------------

    def say(self, count: int = 1, *, ask: bool = False) -> None:
        """Send texts of friends; with `asking`, every third message is a question."""
        for _ in range(count):
            sender, chat = self.rng.choice(CHATS)
            message = self.world.say(sender, chat, f"Message {self.said}{'?' if ask and self.said % 3 == 0 else '.'}")
            self._notebook.note(Said(message_id=message.id, chat=message.chat_of(self._me)))
            self.said += 1

    def note_answers(self) -> None:
        """Record the answers that have arrived."""
        with Notebook(self.folder / ANSWERED) as notebook:
            for chat in self.world.inbox("me").values():
                for message in chat.messages:
                    if message.sender is self._me and message.text.startswith(ANSWER):
                        notebook.note(Answered(message_id=message.id, to=message.text.removeprefix(ANSWER)))

    def confirm(self, who: str) -> None:
        """Scan the newest login code and confirm it."""
        self.world.scan(who)
        self.world.confirm()

    # -- the process -------------------------------------------------------------------------------------------------

    async def start(self, kind: str = "bot", *, speed: float = 1.0, is_held: bool = False, **options: Any) -> int:
        """Fork a process; one that is held begins when the file `go` exists."""
        answer = await self._forks.order(
            start={
                "kind": kind, "server": self.proxy.url, "folder": str(self.folder), "speed": speed, "is_held": is_held,
                "options": options,
            }
        )  # fmt: skip
        self.pid = answer["pid"]
        return self.pid

    async def end(self, how: signal.Signals | None = signal.SIGTERM) -> int:
        """End the process by a signal, or wait until it ends; return its exit code, negative after a signal."""
        if how is not None:
            self._signal(how)
        answer = await self._forks.order(wait=self.pid)
        self.pid = 0
        return answer["code"]

    def kill(self) -> None:
        """Send the process a SIGKILL, without waiting for its end."""
        self._signal(signal.SIGKILL)

    def _signal(self, how: signal.Signals) -> None:
        if self.pid:  # Process id 0 would be every process of the group.
            os.kill(self.pid, how)

    def go(self) -> None:
        """Start a held process."""
        (self.folder / "go").touch()

    @contextlib.asynccontextmanager
    async def tampered(self, call: str, what: str) -> AsyncIterator[None]:
        """Have the kernel change a system call of the process in the block, as `strace --inject` defines it."""
        strace = await asyncio.create_subprocess_exec(
            "strace", "-f", "-p", str(self.pid), "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:{what}",
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert strace.stderr is not None
        line = await asyncio.wait_for(strace.stderr.readline(), 20)
        if b"attached" not in line:
            raise RuntimeError(f"strace says: {line.decode()}")
        rest = asyncio.create_task(strace.stderr.read())
        try:
            yield
        finally:
            if strace.returncode is None:
                with contextlib.suppress(ProcessLookupError):  # it ends with the traced process
                    os.kill(strace.pid, signal.SIGTERM)  # `terminate` would reap it first
            await strace.wait()
            await rest

    @contextlib.asynccontextmanager
    async def writing(self, pause: float = 0.01, *, ask: bool = True) -> AsyncIterator[None]:
        """Send texts of the friends continuously, except while the bot has too many messages waiting."""

        async def write() -> None:
            while True:
                while self.said - self.handled() >= BACKLOG:  # noqa: ASYNC110 - it is another process that makes it less
                    await asyncio.sleep(pause)
                self.say(self.rng.randrange(1, 4), ask=ask)
                await asyncio.sleep(self.rng.uniform(0, 2 * pause))

        work = asyncio.create_task(write())
        try:
            yield
        finally:
            work.cancel()

    async def until_it_listens(self) -> None:
        """Wait until a process that has just started handles SIGTERM."""
        status = Path(f"/proc/{self.pid}/status")

        def catches() -> bool:
            lines = status.read_text().splitlines()
            mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
            return bool(mask & 1 << (signal.SIGTERM - 1))

        await self.until(catches, 20)

    def handled(self) -> int:
        """Return the number of messages that the bot has handled."""
        return self._progress.handled()

    async def until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition is true; return whether it became true in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_so():  # noqa: ASYNC110 - it is another process that makes it so
                    await asyncio.sleep(0.01)
                return True
        return is_so()

    async def until_more_handled(self) -> None:
        """Wait for a limited time until the bot has handled more messages."""
        before = self.handled()
        await self.until(lambda: self.handled() > before, 20)

    async def until_all_handled(self, seconds: float = 60.0) -> bool:
        """Wait until the bot has handled all messages, as long as it handles some in this many seconds."""
        while True:
            before = self.handled()
            if await self.until(lambda: self.handled() >= self.said, seconds):
                return True
            if self.handled() == before:
                return False

    async def finish(self) -> Verdict:
        """Wait until the bot has caught up, end it normally, and check everything, including its end."""
        await self.until_all_handled()
        await self.until_it_listens()
        await self.until(self._progress.is_stored, 20)
        code = await self.end()
        mark(self.folder)
        self.note_answers()
        verdict = check(self.folder)
        if code:
            verdict = _with(verdict, f"the bot ended with code {code}")
        return verdict

    def faults_met(self) -> int:
        """Return the number of faults so far, of the proxy and of the server."""
        rules = (*self.world.faults.rules, *self.world.faults.script)
        return sum(self.proxy.counts.values()) + sum(rule.hits for rule in rules)


def _with(verdict: Verdict, problem: str) -> Verdict:
    return msgspec.structs.replace(verdict, problems=(*verdict.problems, problem))


@contextlib.asynccontextmanager
async def stage(
    run: Run, *, make_sandbox: Callable[[World], SandboxCore] = SandboxCore, **options: Any
) -> AsyncIterator[Stage]:
    """Start everything, and log in for the SDK's processes."""
    world = default_world(options=Options(**options), rng=random.Random(f"{run.seed}/world"))
    world.faults = FaultInjector(seed=run.seed)
    sandbox = make_sandbox(world)
    served = await serve(sandbox)

    def confirm(_: QrCode) -> None:
        world.scan()
        world.confirm()

    try:
        async with processes() as forks, FaultProxy(served.url, seed=run.seed) as proxy:
            async with AsyncClient(server=proxy.url, store=LoginFile(run.folder / LOGIN)) as client:
                await client.login(show_qr=confirm)
            made = Stage(world, sandbox, proxy, run, forks)
            try:
                yield made
            finally:
                if made.pid:
                    await made.end(signal.SIGKILL)
    finally:
        await served.close()
