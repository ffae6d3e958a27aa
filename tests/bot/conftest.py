"""Clients with a journal, for a sandbox in this process with a virtual clock, or in another process."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

import pytest
from tests.carriers import Counted
from tests.client.conftest import SERVER

from webwx.bot.bot import Bot
from webwx.bot.delivery import deliver
from webwx.client.client import AsyncClient
from webwx.model.events import AnyEvent
from webwx.model.messages import Event
from webwx.sandbox.clock import SystemClock
from webwx.storage.login import LoginMemory
from webwx.storage.open import is_any_at_work
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.transport.loopback import Loopback
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from tests.forks import Forks

    from webwx.model.login import QrCode
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.saved_login import LoginStore
    from webwx.transport.runner import Transport


class OpenClient(Protocol):
    def __call__(
        self, *, store: LoginStore | None = None, transport: Transport | None = None, **choices: Any
    ) -> AbstractAsyncContextManager[AsyncClient]: ...


@pytest.fixture
def counted(sandbox: SandboxCore) -> Counted:
    """The transport of every client of a test that has no transport of its own; it counts requests."""
    return Counted(Loopback(sandbox, is_any_at_work))


@pytest.fixture
def open_client(world: World, counted: Counted, tmp_path: Path) -> OpenClient:
    """Log in, or continue with a saved login; the journal belongs to the test and is closed with the client."""

    @asynccontextmanager
    async def opened(
        *, store: LoginStore | None = None, transport: Transport | None = None, **choices: Any
    ) -> AsyncIterator[AsyncClient]:
        def phone(code: QrCode) -> None:
            world.scan("me")
            world.confirm()

        journal = SqliteJournal(
            tmp_path / "private" / "me.journal", retention_days=0
        )  # The world's time is in the past.
        try:
            async with AsyncClient(
                server=SERVER, store=store or LoginMemory(), transport=transport or counted, clock=world.clock.now,
                timeouts=Timeouts(retry=0), journal=journal, **choices,
            ) as client:  # fmt: skip
                await client.login(show_qr=phone)
                yield client
        finally:
            await journal.close()

    return opened


@pytest.fixture
def webwx_world(make_world: Callable[..., World]) -> World:
    """The world of the test kit, whose secrets the secret scanner knows."""
    return make_world(clock=SystemClock())


# -- running handlers --------------------------------------------------------------------------------------------------


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until a condition holds, for a minute at most, because the machine may be busy."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


@asynccontextmanager
async def running(bot: Bot, client: AsyncClient) -> AsyncIterator[asyncio.Task[None]]:
    """Run a bot in the background, and stop it at the end."""
    async with client.subscribe(bot.name, follow=False):
        pass  # The consumer must exist before the first message.
    task = asyncio.create_task(bot.start())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        await task


async def handing_out(way: str, client: AsyncClient, handler: Any, **choices: Any) -> None:
    """Deliver all events to one handler until the end: by `deliver`, or by a bot with only this handler."""
    if way == "deliver":
        await deliver(client, handler, **choices)
        return
    name, counts = choices.pop("consumer", "bot"), choices.pop("counts", None)
    kinds = [kind for kind in get_args(AnyEvent) if kind.is_quiet] if choices.pop("include_all", False) else []
    bot = Bot(client=client, name=name, relogin=False, replies_per_minute=0, **choices)
    bot.on(Event, *kinds, own=True)(handler)
    if counts is not None:
        bot.counts = counts
    await bot.start()


class Delivering(Protocol):
    def __call__(
        self, client: AsyncClient, handler: Any, **choices: Any
    ) -> AbstractAsyncContextManager[asyncio.Task[None]]: ...


@pytest.fixture(params=["deliver", "bot"])
def delivering(request: pytest.FixtureRequest) -> Delivering:
    """Deliver all events to one handler in the background, and stop at the end."""

    @asynccontextmanager
    async def delivering(client: AsyncClient, handler: Any, **choices: Any) -> AsyncIterator[asyncio.Task[None]]:
        async with client.subscribe(choices.get("consumer", "bot"), follow=False):
            pass  # The consumer must exist before the first message.
        task = asyncio.create_task(handing_out(request.param, client, handler, **choices))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            await task

    return delivering


# -- a server in another process -------------------------------------------------------------------------------------


class Server:
    """A sandbox in another process."""

    def __init__(self, first_line: dict[str, str]) -> None:
        self.url = first_line["url"]
        self._control = first_line["control"]

    def say(self, sender: str, text: str) -> None:
        body = json.dumps({"from": sender, "to": "me", "text": text}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self._control}/say", body)).close()

    def answers(self, who: str) -> list[str]:
        """Return the texts that `me` has sent to a friend."""
        with urllib.request.urlopen(f"{self._control}/inbox?who={who}") as answer:
            chats = json.load(answer)["chats"]
        return [
            message["text"]
            for chat in chats
            if chat["id"] == "xiaoming"
            for message in chat["messages"]
            if not message["is_self"]
        ]


@pytest.fixture
def server(forks: Forks) -> Iterator[Server]:
    arguments = ["sandbox", "--port", "0", "--auto-confirm", "--json"]
    with forks.running(arguments, dict(os.environ), 20) as printed:
        yield Server(json.loads(printed.readline()))
