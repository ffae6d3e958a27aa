"""Gateways in this process that share a database, with a sandbox instead of the platform."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tests.gateway.conftest import SERVER, HoldingLoopback

from webwx.client.accounts import Accounts
from webwx.cluster.leased import LeasedOwnership
from webwx.gateway.accounts.local_account import LocalAccount
from webwx.gateway.adapters.registry import ADAPTERS
from webwx.gateway.app import Gateway
from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.ownership.leased import ClusterGateway, ClusterStorage, NodeAddress
from webwx.gateway.serve import listen, serve_started
from webwx.model.messages import TextMessage
from webwx.storage.account_folder import login_name
from webwx.storage.leases import LeaseTimes
from webwx.storage.open import open_leases, open_shared_storage, open_storage
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from tests.postgres import TemporarySchema

    from webwx.client.state import StateChange
    from webwx.gateway.accounts.account import AccountStatus
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.adapters.registry import AdapterEntry
    from webwx.gateway.bots.bots import HostedBots
    from webwx.gateway.serve import Listener
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.base import Storage
    from webwx.transport.runner import Transport

PASSPHRASE = "three words long"

TIMES = LeaseTimes(lease=60, heartbeat=0.5)
"""A lease that a busy machine cannot exceed."""


SECRET = b"a secret of the whole cluster"


class Node:
    """A running gateway of a cluster."""

    def __init__(self, gateway: Gateway, port: ClusterGateway, ownership: LeasedOwnership, world: World) -> None:
        self.gateway = gateway
        self.port = port
        self.ownership = ownership
        self.world = world

    async def log_in(self, name: str = "default", who: str = "me") -> int:
        """Log an account in with its phone at this gateway, and return its number."""
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
        return account.number

    async def until_owned(self, number: int) -> LocalAccount:
        """Wait until this gateway runs an account and polls for its events, and return it."""
        async with asyncio.timeout(20):
            assert await self.port.look_up_account(f"{number}") == number
            while not isinstance(account := self.port.account(number), LocalAccount):  # noqa: ASYNC110 - it depends on other processes
                await asyncio.sleep(0.02)
            await account.syncing.wait()
        return account

    async def until_elsewhere(self, number: int) -> None:
        """Wait until this gateway knows that another one owns an account, which it may learn a second later."""
        async with asyncio.timeout(20):
            while await self.port.elsewhere(number) is None:  # noqa: ASYNC110 - it depends on other processes
                await asyncio.sleep(0.02)

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

    async def until_state(self, number: int, state: str) -> AccountStatus:
        """Wait until an account has a state, and return it."""
        return await self.until_status(number, lambda status: status.state == state)

    async def until_error(self, number: int, error: str) -> AccountStatus:
        """Wait until the state of an account has an error, and return it."""
        return await self.until_status(number, lambda status: status.error == error)

    async def until_status(self, number: int, is_so: Callable[[AccountStatus], bool]) -> AccountStatus:
        """Wait until a condition holds for the state of an account, and return it."""
        async with asyncio.timeout(20):
            while True:
                if await self.port.look_up_account(f"{number}"):  # the account may be new, and added at another node
                    status = await self.port.account(number).status()
                    if is_so(status):
                        return status
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def node(
    schema: TemporarySchema, sandbox: SandboxCore, folder: Path, *, capacity: int = 10, bots: HostedBots | None = None,
    look_for_sends: float = 1.0, transport: Transport | None = None,
    adapters: Mapping[str, AdapterEntry] = ADAPTERS, is_served: bool = False,
) -> AsyncIterator[Node]:  # fmt: skip
    """Start a gateway on the database; a served one listens, and forwards requests to other nodes."""
    world, carrier = sandbox.world, transport or HoldingLoopback(sandbox)

    def make_accounts(storage: Storage, on_state: Callable[[str, StateChange], object]) -> Accounts:
        return Accounts(
            storage, server=SERVER, transport=carrier, clock=world.clock.now, timeouts=Timeouts(retry=0),
            on_state=on_state,
        )  # fmt: skip

    def open_plain() -> Storage:
        return open_storage(schema.url, passphrase=PASSPHRASE)

    async with contextlib.AsyncExitStack() as opened:
        leases = open_leases(schema.url, TIMES)
        opened.push_async_callback(leases.close)
        ownership = LeasedOwnership(leases, TIMES)
        owned = open_shared_storage(schema.url, ownership.member, passphrase=PASSPHRASE)
        opened.push_async_callback(owned.close)
        shared = open_plain()
        opened.push_async_callback(shared.close)
        records = shared.records()
        listener = listen(GatewayConfig(listen=ListenTable(port=0))) if is_served else None
        address = f"http://{folder.name}"
        if listener is not None:
            opened.enter_context(listener.socket)
            address = listener.url
        port = ClusterGateway(
            ClusterStorage(owned, shared, open_plain), NodeAddress(ownership.worker, address, capacity),
            ownership, leases, make_accounts, lambda account, host: login_name(account, host=host, server=SERVER),
            folder, records, bots=bots, look_for_sends=look_for_sends, clock=world.clock.now,
        )  # fmt: skip
        gateway = Gateway(
            GatewayConfig(), records, port, folder / "gateway-files", bots=bots, clock=world.clock.now,
            owners=port if is_served else None, address=address, secret=SECRET, adapters=adapters,
        )  # fmt: skip
        await gateway.start()
        opened.push_async_callback(gateway.close)
        if listener is not None:
            await opened.enter_async_context(_serving(gateway, listener))
        yield Node(gateway, port, ownership, world)


@contextlib.asynccontextmanager
async def _serving(gateway: Gateway, listener: Listener) -> AsyncIterator[None]:
    """Serve a gateway that has been started."""
    ready = asyncio.Event()
    server = asyncio.ensure_future(serve_started(gateway, listener, ready.set))
    try:
        await ready.wait()
        yield
    finally:
        server.cancel()
        await asyncio.wait([server])
