"""
The examples at work: their handlers on clients of a sandbox in process, or the whole file in a process of its own.

In process a bot of the test's own includes the example's handlers, so that the client, its journal and its saved login
are the test's as well; another bot on the same is what a restart is.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.bot.conftest import running
from tests.carriers import Counted
from tests.client.conftest import SERVER

from webwx.bot.bot import Bot
from webwx.client.aio import AsyncClient
from webwx.sandbox.switches import Switches
from webwx.store.saved_login import LoginFile
from webwx.store.sqlite import SqliteJournal
from webwx.transport.loopback import Loopback
from webwx.transport.run import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import ModuleType

    from webwx.model.keeping import Keep
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import Sandbox
    from webwx.sandbox.people import Message
    from webwx.sandbox.world import World
    from webwx.transport.run import Transport

    OpenClient = Callable[..., AbstractAsyncContextManager[AsyncClient]]
    Start = Callable[..., AbstractContextManager["Process"]]

EXAMPLES = Path(__file__).parents[2] / "examples"
WEBWX = Path(sys.executable).with_name("webwx")


# -- in process ------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world in which little time passes while nothing happens, so that two minutes for a recall are many turns."""
    return make_world(switches=Switches(hold_seconds=0.01))


@pytest.fixture
def open_client(world: World, sandbox: Sandbox, tmp_path: Path) -> OpenClient:
    """Log somebody in, or go on with their login of before."""

    @asynccontextmanager
    async def opened(
        who: str = "me", *, keep: Keep | None = None, transport: Transport | None = None
    ) -> AsyncIterator[AsyncClient]:
        def phone(_: object) -> None:
            world.scan(who)
            world.confirm()

        journal = SqliteJournal(tmp_path / f"{who}.journal", retention_days=0)  # the world lives in the past
        try:
            async with AsyncClient(
                server=SERVER, store=LoginFile(tmp_path / f"{who}.json"), transport=transport or Loopback(sandbox),
                clock=world.clock.now, timeouts=Timeouts(retry=0), journal=journal, keep=keep,
            ) as client:  # fmt: skip
                await client.login(show_qr=phone)
                yield client
        finally:
            await journal.close()

    return opened


def load(name: str) -> ModuleType:
    """Load an example anew, with what the environment says now."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def at_work(example: ModuleType, client: AsyncClient, **choices: Any) -> AsyncIterator[None]:
    """Let an example's handlers work for a client, from now on, and end them well."""
    bot = Bot(client=client, name=example.bot.name, **choices)
    bot.include(example.bot)
    async with running(bot, client):
        yield


@asynccontextmanager
async def dying(example: ModuleType, client: AsyncClient) -> AsyncIterator[None]:
    """Let an example's handlers work, and end them as a kill does: what they are in the midst of is not done with."""
    bot = Bot(client=client, name=example.bot.name)
    bot.include(example.bot)
    task = asyncio.create_task(bot.start())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()  # which waits for nothing
        await asyncio.wait([task])


class Stuck(Counted):
    """Gets texts to the platform, or not even that, and never comes back from it."""

    def __init__(self, inner: Transport, *, arrives: bool) -> None:
        super().__init__(inner)
        self.is_stuck = asyncio.Event()
        self._arrives = arrives

    async def send(self, request: Request) -> Response:
        if request.endpoint != "webwxsendmsg":
            return await super().send(request)
        if self._arrives:
            await super().send(request)
        self.is_stuck.set()
        await asyncio.Event().wait()
        raise AssertionError


def chat(world: World, who: str, with_whom: str) -> list[Message]:
    """Give what stands in a chat on somebody's phone."""
    found = world.inbox(who).get(with_whom)
    return found.messages if found else []


def texts(world: World, who: str, with_whom: str) -> list[str]:
    """Give what was written in a chat."""
    return [message.text for message in chat(world, who, with_whom)]


# -- processes -------------------------------------------------------------------------------------------------------


class Platform:
    """A sandbox in a process of its own, and all the hands in it."""

    def __init__(self, first_line: dict[str, str]) -> None:
        self.url = first_line["url"]
        self._control = first_line["control"]

    def do(self, verb: str, **what: Any) -> Any:
        """Do something that a phone can do."""
        values = {key: b64encode(value).decode() if isinstance(value, bytes) else value for key, value in what.items()}
        request = urllib.request.Request(f"{self._control}/{verb}", json.dumps(values).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def chat(self, who: str, with_whom: str) -> list[dict[str, Any]]:
        """Give what stands in a chat on somebody's phone."""
        with urllib.request.urlopen(f"{self._control}/inbox?who={who}") as answer:
            chats = json.load(answer)["chats"]
        return [message for chat in chats if chat["id"] == with_whom for message in chat["messages"]]


def until_told(is_so: Callable[[], bool]) -> None:
    """Wait until other processes have made something so, for thirty seconds at most."""
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < 30
        time.sleep(0.02)


@pytest.fixture
def switches() -> list[str]:
    """What a test's sandbox is told, as options of the command line."""
    return []


@pytest.fixture
def platform(switches: list[str]) -> Iterator[Platform]:
    """A sandbox that confirms each login."""
    command = [WEBWX, "sandbox", "--port", "0", "--auto-confirm", "--json", *switches]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Platform(json.loads(process.stdout.readline()))
        finally:
            process.terminate()


class Process:
    """An example in a process of its own."""

    def __init__(self, popen: subprocess.Popen[str], errors: Path) -> None:
        self._popen = popen
        self._errors = errors

    def kill(self) -> None:
        """End it at once, with no chance to do anything more."""
        self._popen.kill()
        self._popen.wait()

    def end(self) -> int:
        """End it well, and give its exit code."""
        self._popen.send_signal(signal.SIGTERM)
        return self._popen.wait()

    @property
    def said(self) -> str:
        """What it has said to the terminal's error stream."""
        return self._errors.read_text(encoding="utf-8")


@pytest.fixture
def start(platform: Platform, tmp_path: Path) -> Start:
    """Start `webwx run` on an example, with settings of its own; the account and its journal are those of before."""

    @contextmanager
    def started(name: str, **settings: str) -> Iterator[Process]:
        own = {key: value for key, value in os.environ.items() if not key.startswith("WEBWX_")}
        environment = own | settings | {
            "WEBWX_SERVER": platform.url, "WEBWX_HOME": str(tmp_path / "home"),
            "WEBWX_CONFIG": str(tmp_path / "none.toml"), "PYTHONUTF8": "1",
        }  # fmt: skip
        errors = tmp_path / "errors.txt"
        with (
            errors.open("a", encoding="utf-8") as said,
            subprocess.Popen(
                [WEBWX, "run", EXAMPLES / f"{name}.py"], env=environment, cwd=tmp_path, stdout=said, stderr=said,
                text=True,
            ) as process,
        ):  # fmt: skip
            try:
                yield Process(process, errors)
            finally:
                process.kill()

    return started
