"""
`webwx demo --crash`: a bot that is killed again and again, while its friends go on writing.

The server lives in this process and the bot in one of its own, with a saved login and a journal on disk. Each kill is a
SIGKILL at a random moment. What everybody wrote down is compared by the offline checker (`checker`), and its verdict is
the command's.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click.exceptions
import msgspec

from webwx.cli import demo_bot
from webwx.cli.checker import ANSWERED, SAID, Answered, Notebook, Progress, Said, check, mark
from webwx.cli.demo_bot import ANSWER, LOGIN
from webwx.cli.exits import CommandFailed, Exit
from webwx.client.aio import AsyncClient
from webwx.sandbox.core import Sandbox
from webwx.sandbox.serve import serve
from webwx.sandbox.switches import Switches
from webwx.sandbox.world import default_world
from webwx.store.saved_login import LoginFile

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable, Iterator

    from webwx.cli.session import Session
    from webwx.model.login import QrCode
    from webwx.sandbox.world import World

KILLS = 20
"""SIGKILLs in one demonstration."""

PATIENCE = 20.0
"""Seconds in which a bot must begin, or catch up in the end."""

CHATS = (("ahua", "me"), ("zhangsan", "me"), ("lilei", "hiking"), ("ahua", "hiking"))
"""Who writes, and where."""


async def crash(session: Session, *, kills: int = KILLS, seed: int | None = None) -> None:
    """
    Kill a bot so often, and say what became of the messages.

    Raises:
        CommandFailed: The bot did not begin, or ended by itself.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="webwx-crash-"))
    session.output.remark(
        f"A bot with a journal is killed {kills} times (SIGKILL) while its friends write. The seed is {seed}.\n"
    )
    begun = time.monotonic()
    async with _opened(folder, seed) as stage:
        with _shown(stage):
            for kill in range(1, kills + 1):
                moment = await stage.run_and_kill()
                said, handled = stage.said, stage.handled()
                session.output.result(
                    f"kill {kill:>2}  {moment}: {said:,} messages written so far, {handled:,} handled",
                    kill=kill, moment=moment, said=said, handled=handled,
                )  # fmt: skip
            await stage.run_to_the_end()
    session.output.remark("")
    conclude(session, folder, kills=kills, seed=seed, seconds=time.monotonic() - begun)


def conclude(session: Session, folder: Path, *, kills: int, seed: int, seconds: float) -> None:
    """
    Say what the checker finds, and delete the folder unless it found something that must not be.

    Raises:
        Exit: It did; the command fails.
    """
    verdict = check(folder)
    session.output.result(
        f"{kills} kills: {verdict} (seed {seed}, {seconds:.0f} s)",
        ok=verdict.is_good, kills=kills, seed=seed, seconds=round(seconds, 1), **msgspec.structs.asdict(verdict),
    )  # fmt: skip
    if not verdict.is_good:
        session.output.tell(f"What everybody wrote down is kept in {folder}.")
        raise click.exceptions.Exit(Exit.FAILED)
    shutil.rmtree(folder)


class Stage:
    """The server with its people, and the bot's process."""

    def __init__(self, world: World, url: str, folder: Path, seed: int) -> None:
        self.said = 0
        """How much the friends have written."""
        self._world = world
        self._me = world.person("me")
        self._url = url
        self._folder = folder
        self._dice = random.Random(f"{seed}/kills")  # noqa: S311 - no secret
        self._seed = seed
        self._progress = Progress(folder)
        self._writing = asyncio.create_task(self._write())

    async def run_and_kill(self) -> str:
        """
        Start the bot, kill it at some moment, and say at which.

        Raises:
            CommandFailed: It did not live that long.
        """
        async with self._bot() as bot:
            match self._dice.choice(("start", "start of its work", "work", "work", "work")):
                case "start":
                    pause, since = self._dice.uniform(0.05, 0.5), "its start"
                case "start of its work":
                    await _wait_for_ready(bot)
                    pause, since = self._dice.uniform(0.0, 0.3), "it was ready"
                case _:
                    await _wait_for_ready(bot)
                    before = self.handled()
                    await _wait_until(lambda: self.handled() > before)
                    pause, since = self._dice.uniform(0.0, 0.3), "its first message"
            await asyncio.sleep(pause)
            if bot.returncode is not None:
                raise CommandFailed(f"The bot ended by itself, with code {bot.returncode}.")
            bot.kill()
            await bot.wait()
        mark(self._folder)
        return f"{pause:.2f} s after {since}"

    async def run_to_the_end(self) -> None:
        """
        Let the bot catch up and end it well, and write down which answers have arrived.

        Raises:
            CommandFailed: It did not end well.
        """
        self.hush()
        async with self._bot() as bot:
            await _wait_for_ready(bot)
            await _wait_until(lambda: self.handled() >= self.said and self._progress.is_stored())
            bot.terminate()
            if await bot.wait():
                raise CommandFailed(f"The bot did not end well on SIGTERM, but with code {bot.returncode}.")
        mark(self._folder)
        with Notebook(self._folder / ANSWERED) as notebook:
            for chat in self._world.inbox(self._me.id).values():
                for message in chat.messages:
                    if message.sender is self._me:
                        notebook.note(Answered(message_id=message.id, to=message.text.removeprefix(ANSWER)))

    def handled(self) -> int:
        """Count the messages whose handler has come to its end so far."""
        return self._progress.handled()

    def hush(self) -> None:
        """Let the friends write no more."""
        self._writing.cancel()

    async def _write(self) -> None:
        """Be the friends, who write for ever; every third message is a question."""
        dice = random.Random(f"{self._seed}/friends")  # noqa: S311 - no secret
        with Notebook(self._folder / SAID) as notebook:
            while True:
                sender, chat = dice.choice(CHATS)
                text = f"Message {self.said}{'?' if self.said % 3 == 0 else '.'}"
                message = self._world.say(sender, chat, text)
                notebook.note(Said(message_id=message.id, chat=message.chat_of(self._me)))
                self.said += 1
                await asyncio.sleep(dice.uniform(0, 0.02))

    @contextlib.asynccontextmanager
    async def _bot(self) -> AsyncIterator[Process]:
        command = (sys.executable, "-m", demo_bot.__name__, self._url, self._folder)
        bot = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            yield bot
        finally:
            if bot.returncode is None:
                bot.kill()
                await bot.wait()


@contextlib.asynccontextmanager
async def _opened(folder: Path, seed: int) -> AsyncIterator[Stage]:
    """Start the server, and log in for the bot."""
    world = default_world(switches=Switches(echo="on"))
    served = await serve(Sandbox(world))

    def confirm(_: QrCode) -> None:
        world.scan()
        world.confirm()

    try:
        async with AsyncClient(server=served.url, store=LoginFile(folder / LOGIN)) as client:
            await client.login(show_qr=confirm)
        stage = Stage(world, served.url, folder, seed)
        try:
            yield stage
        finally:
            stage.hush()
    finally:
        await served.close()


async def _wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what another process does; not for ever, for what is missing then the checker will say."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not is_so():  # noqa: ASYNC110 - its files tell, and nothing else
                await asyncio.sleep(0.02)


async def _wait_for_ready(bot: Process) -> None:
    if bot.stdout is None or await asyncio.wait_for(bot.stdout.readline(), PATIENCE) != b"ready\n":
        raise CommandFailed("The bot did not begin.")


@contextlib.contextmanager
def _shown(stage: Stage) -> Iterator[None]:
    """Show on a terminal how things stand, in a line on stderr that is gone afterwards."""
    if not sys.stderr.isatty():
        yield
        return

    async def show() -> None:
        while True:
            sys.stderr.write(f"\r\x1b[K{stage.said:,} messages written, {stage.handled():,} handled\r")
            sys.stderr.flush()
            await asyncio.sleep(0.1)

    showing = asyncio.create_task(show())
    try:
        yield
    finally:
        showing.cancel()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
