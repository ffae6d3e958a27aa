"""A gateway in this process, with a sandbox instead of the platform: requests use the real application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

import httpx
import pytest
from tests.carriers import Counted
from tests.gateway.webhook_receiver import webhook_receiver

from webwx.client.accounts import Accounts
from webwx.gateway.adapters.registry import ADAPTERS
from webwx.gateway.app import Gateway
from webwx.gateway.config import GatewayConfig
from webwx.gateway.ownership.sole import LocalGateway
from webwx.model.messages import TextMessage
from webwx.protocol.http import Park
from webwx.sandbox.long_polls import LongPolls
from webwx.storage.open import open_records
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from tests.gateway.cluster_nodes import Node
    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.client.state import StateChange
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.adapters.registry import AdapterEntry
    from webwx.gateway.bots.bots import HostedBots
    from webwx.gateway.process.open_files import OpenFiles
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.serve import TlsAccess
    from webwx.sandbox.world import World
    from webwx.storage.tables.outbox import Outgoing
    from webwx.storage.tables.records import RecordStore

SERVER = "http://sandbox.test"

BASE = "http://127.0.0.1:8791"

PATIENCE = 60.0
"""Seconds that an account which uses the network waits for an answer; a busy machine needs a few."""


@pytest.fixture(autouse=True, scope="session")
def _quiet_parser() -> None:
    """Keep the Markdown parser from writing ten lines of debugging for each line that it reads."""
    logging.getLogger("markdown_it").setLevel(logging.INFO)


class HoldingLoopback:
    """
    Carries requests to a sandbox in this process, and holds long polls until there is a change.

    The sandbox's clock stands still meanwhile, so messages do not become too old for a recall on a busy machine.
    """

    def __init__(self, sandbox: SandboxCore) -> None:
        self._sandbox = sandbox
        self._polls: LongPolls | None = None

    async def send(self, request: Request) -> Response:
        if self._polls is None:
            self._polls = LongPolls(self._sandbox.world.clock)
            self._sandbox.world.subscribe(self._polls.wake)
        answer = self._sandbox.answer(request)
        while isinstance(answer, Park):
            await self._polls.wait(answer)
            answer = self._sandbox.answer(request, answer)
        return answer

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def counted(sandbox: SandboxCore) -> Counted:
    """Carries and counts the requests of all accounts."""
    return Counted(HoldingLoopback(sandbox))


class Running:
    """A running gateway, and clients of it."""

    def __init__(self, gateway: Gateway, port: LocalGateway, world: World, folder: Path) -> None:
        self.folder = folder
        self.gateway = gateway
        self.port = port
        self.world = world

    async def key(self, *scopes: str, accounts: tuple[int, ...] | None = None) -> str:
        """Return a new key."""
        return (await self.gateway.keys.create("test", scopes or ("admin",), accounts=accounts)).text

    @contextlib.asynccontextmanager
    async def client(self, *scopes: str, accounts: tuple[int, ...] | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """Return an HTTP client with a new key."""
        headers = {"Authorization": f"Bearer {await self.key(*scopes, accounts=accounts)}"}
        async with self.anonymous(headers=headers) as client:
            yield client

    def anonymous(self, *, headers: dict[str, str] | None = None, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """Return an HTTP client without a key."""
        transport = httpx.ASGITransport(self.gateway.app, client=(address, 50_000))  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)

    async def log_in(self, name: str = "default", who: str = "me") -> int:
        """Log an account in with its phone, and return its number."""
        account = await self.port.add_account(name)
        await account.logins.begin("qr")
        async for status in account.logins.watch():
            match status.state:
                case "code":
                    self.world.scan(who)
                case "scanned":
                    self.world.confirm()
                case "failed":
                    raise AssertionError(status.error)
        await self.until_online(name)
        return account.number

    async def until_text(self, text: str, account: int = 1) -> AccountEvent:
        """Wait until a text has arrived, and return it."""
        cursor = ""
        async with asyncio.timeout(20):
            while True:
                await self.port.events.wait([account], cursor, wait=20)
                page = await self.port.events.read([account], cursor, limit=500)
                cursor = page.cursor
                for account_event in page.events:
                    if isinstance(account_event.event, TextMessage) and account_event.event.text == text:
                        return account_event

    async def settled(self, account: int = 1) -> list[Outgoing]:
        """Wait until each send of an account has an outcome, and return them, the latest first."""
        async with asyncio.timeout(100):
            rows = await self.port.account(account).client.list_sends()
            while any(row.state in {"queued", "sending"} for row in rows):
                await asyncio.sleep(0)  # no event marks the end of the last send
                rows = await self.port.account(account).client.list_sends()
        return rows

    async def until_online(self, name: str) -> None:
        """Wait until an account reads its events."""
        account = await self.port.add_account(name)
        async with asyncio.timeout(20):
            await account.syncing.wait()


class StartGateway(Protocol):
    def __call__(
        self,
        config: GatewayConfig = ...,
        *,
        bots: HostedBots = ...,
        sleep: Callable[[float], Awaitable[object]] = ...,
        open_files: OpenFiles = ...,
        adapters: Mapping[str, AdapterEntry] = ...,
        server: str = ...,
        tls: TlsAccess | None = ...,
        patience: float = ...,
    ) -> contextlib.AbstractAsyncContextManager[Running]: ...


@pytest.fixture
def start_gateway(world: World, counted: Counted, tmp_path: Path) -> StartGateway:
    """
    Start a gateway in the test's folder; the next one continues where an earlier one was closed.

    With `server`, the address of a served sandbox, its accounts use the network; with `tls`, over TLS.
    """

    @contextlib.asynccontextmanager
    async def start(
        config: GatewayConfig = GatewayConfig(),  # noqa: B008 - a frozen value
        *,
        bots: HostedBots | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        open_files: OpenFiles | None = None,
        adapters: Mapping[str, AdapterEntry] = ADAPTERS,
        server: str = "",
        tls: TlsAccess | None = None,
        patience: float = PATIENCE,
    ) -> AsyncIterator[Running]:
        limits = Timeouts(connect=PATIENCE, call=patience, bulk=patience, retry=0)
        records = open_records(tmp_path / "gateway.db")
        transport, timeouts = (None, limits) if server else (counted, Timeouts(retry=0))

        def accounts(on_state: Callable[[str, StateChange], object]) -> Accounts:
            if tls is not None:
                return Accounts(
                    tmp_path, host="wx.qq.com", proxy=tls.proxy, ca_file=tls.ca, clock=world.clock.now,
                    timeouts=limits, on_state=on_state,
                )  # fmt: skip
            return Accounts(
                tmp_path, server=server or SERVER, transport=transport, clock=world.clock.now, timeouts=timeouts,
                on_state=on_state,
            )  # fmt: skip

        port = LocalGateway(
            accounts,
            tmp_path, records, bots=bots, clock=world.clock.now, open_files=open_files,
        )  # fmt: skip
        gateway = Gateway(
            config,
            records,
            port,
            tmp_path / "gateway-files",
            bots=bots,
            clock=world.clock.now,
            sleep=sleep,
            adapters=adapters,
        )
        await gateway.start()
        yield Running(gateway, port, world, tmp_path)
        await gateway.close()

    return start


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    """Another program, which receives webhooks."""
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
async def running(start_gateway: StartGateway) -> AsyncIterator[Running]:
    """A gateway without accounts."""
    async with start_gateway() as running:
        yield running


@pytest.fixture
async def online(running: Running) -> Running:
    """A gateway with one account, number 1 and named `default`, that is logged in."""
    await running.log_in()
    return running


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[RecordStore]:
    """The records of a gateway, in a file."""
    records = open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


async def texts(running: Running | Node) -> list[str]:
    """Return the texts in the outbox of account 1, the oldest first."""
    return [row.text for row in reversed(await running.port.account(1).client.list_sends())]


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
