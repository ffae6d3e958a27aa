"""A process among those that share a database: the options of its commands, and its parts."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import click
import msgspec
from click.core import ParameterSource

from webwx.cli.exits import BadInput
from webwx.cli.language import _
from webwx.errors import InvalidSettings
from webwx.storage.passphrase import REQUIRED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from webwx.client.accounts import Accounts
    from webwx.client.sending.rate_limit import RateLimit
    from webwx.client.state import StateChange
    from webwx.cluster.leased import LeasedOwnership
    from webwx.gateway.app import Gateway
    from webwx.gateway.bots.bots import HostedBots
    from webwx.gateway.config import GatewayConfig, LimitsTable
    from webwx.gateway.ownership.leased import ClusterGateway
    from webwx.model.login import Account
    from webwx.settings import Settings
    from webwx.storage.base import Storage
    from webwx.storage.leases import Leases, LeaseTimes

F = TypeVar("F", bound="Callable[..., Any]")

CAPACITY = 5_000
"""Number of accounts that a process takes at most, by default."""

_PATIENCE = 300.0
"""Seconds that a send may wait for the rate limit before it is answered with 429."""


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a process that shares a database with others."""

    capacity: int
    address: str | None
    lease: float
    heartbeat: float

    @property
    def times(self) -> LeaseTimes:
        """Times of the lease."""
        from webwx.storage.leases import LeaseTimes

        return LeaseTimes(lease=self.lease, heartbeat=self.heartbeat)

    def address_of(self, url: str) -> str:
        """
        Return the address at which the other processes reach a listener.

        Args:
            url: Address of the listener for programs of this machine.
        """
        if self.address is None or "://" in self.address:
            return self.address or url
        parts = urlsplit(url)
        return f"{parts.scheme}://{self.address}" + (f":{parts.port}" if ":" not in self.address else "")


def node_options(function: F) -> F:
    """Add the options of a process that shares a database with others."""
    for option in (
        click.option(
            "--heartbeat", type=float, default=5.0, show_default=True, metavar="SECONDS",
            help="Time between two renewals of the lease; at most a third of it.",
        ),
        click.option(
            "--lease", type=float, default=15.0, show_default=True, metavar="SECONDS",
            help="Time after which the accounts of a dead process are taken; the same for all processes.",
        ),
        click.option(
            "--address", metavar="HOST|URL",
            help="Host name or URL under which the others reach this process; default: where it listens.",
        ),
        click.option(
            "--capacity", type=click.IntRange(0), default=CAPACITY, show_default=True,
            help="Number of accounts that it runs at most; the processes of a database share the accounts in this "
            "proportion. 0: it only answers requests.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def refuse_node_options(context: click.Context) -> None:
    """
    Check that no option of a process that shares a database was given, because there is no such database.

    Raises:
        BadInput: An option was given.
    """
    for name in NodeOptions.__struct_fields__:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise BadInput(
                _("--{name} is for a shared database; give --storage postgresql://HOST/DATABASE as well.").format(
                    name=name
                )
            )


class Node(NamedTuple):
    """The parts of a process that shares a database with others."""

    port: ClusterGateway
    ownership: LeasedOwnership
    storage: Storage
    """Reads all accounts."""
    leases: Leases
    secret: bytes
    """The secret that all processes share."""


@asynccontextmanager
async def open_node(
    settings: Settings, url: str, options: NodeOptions, *, address: str, bots: HostedBots,
    limits: Callable[[], LimitsTable], on_open: Callable[[Account, int], object],
) -> AsyncIterator[Node]:  # fmt: skip
    """
    Open the parts of a process, once the database answers and its tables are migrated.

    The gateway that gets the port starts and closes it.

    Args:
        settings: The settings.
        url: The URL of the database.
        options: The options of the command.
        address: Address at which the other processes reach this one.
        bots: The bots of the accounts.
        limits: Returns the limits of downloaded media.
        on_open: Called with an account and the number of its bots when this process begins to run it.

    Raises:
        InvalidSettings: There is no passphrase, or the times of the lease do not fit together.
        StorageError: The database refuses it.
    """
    from webwx.cluster.leased import LeasedOwnership
    from webwx.cluster.reachable import until_reachable
    from webwx.gateway.ownership.leased import ClusterGateway, ClusterStorage, NodeAddress
    from webwx.storage.account_folder import login_name
    from webwx.storage.open import open_leases, open_shared_storage, wait_for_tables

    secret = _shared_secret(settings.passphrase)
    await until_reachable(lambda: wait_for_tables(url))
    async with contextlib.AsyncExitStack() as opened:
        leases = open_leases(url, options.times)
        opened.push_async_callback(leases.close)
        ownership = LeasedOwnership(leases, options.times, failed_bots=lambda: bots.failed)
        owned = open_shared_storage(
            url, ownership.member, passphrase=settings.passphrase, retention_days=settings.retention_days
        )
        opened.push_async_callback(owned.close)
        shared = settings.open_storage()
        opened.push_async_callback(shared.close)
        port = ClusterGateway(
            ClusterStorage(owned, shared, settings.open_storage),
            NodeAddress(ownership.worker, address, options.capacity),
            ownership,
            leases,
            lambda storage, on_state: accounts_of(settings, storage, on_state, clock=ownership.clock),
            lambda account, host: login_name(account, host=host or settings.host, server=settings.server),
            settings.home,
            shared.records(),
            limits=limits, bots=bots, rate_limit=rate_limit_of(settings), on_open=on_open, clock=ownership.clock,
        )  # fmt: skip
        yield Node(port, ownership, shared, leases, secret)


def gateway_of(
    node: Node, settings: Settings, config: GatewayConfig, *, bots: HostedBots, answers_clients: bool
) -> Gateway:  # fmt: skip
    """
    Return the gateway of a process.

    Args:
        node: The parts of the process.
        settings: The settings.
        config: The configuration.
        bots: The bots of the accounts.
        answers_clients: Whether it answers clients, and not only other gateways.
    """
    from webwx.gateway.app import Gateway
    from webwx.gateway.ownership.monitor import ClusterMonitor

    return Gateway(
        config, node.storage.records(), node.port, settings.home / "gateway-files", bots=bots,
        clock=node.ownership.clock, owners=node.port, address=node.port.node.address,
        secret=node.secret, answers_clients=answers_clients,
        cluster=ClusterMonitor(
            node.leases, node.port, node.port.directory.uin_of, node.ownership.worker, lambda: node.ownership.lease_age
        ),
    )  # fmt: skip


def _shared_secret(passphrase: str | None) -> bytes:
    """
    Return the secret that all processes with one passphrase share; it is as hard to guess as the logins' key.

    Raises:
        InvalidSettings: There is no passphrase.
    """
    if not passphrase:
        raise InvalidSettings(REQUIRED)
    return hashlib.scrypt(passphrase.encode(), salt=b"webwx forwarded requests", n=2**14, r=8, p=1, dklen=32)


def accounts_of(
    settings: Settings, storage: Storage, on_state: Callable[[str, StateChange], object], *,
    clock: Callable[[], float] = time.time,
) -> Accounts:  # fmt: skip
    """Return the accounts of a storage, as the command line opens them."""
    from webwx.client.accounts import Accounts

    limit = None if settings.effective_rate_limit is None else rate_limit_of(settings)
    return Accounts(
        storage, **settings.for_client(), keep=settings.keep, rate_limit=limit, clock=clock, on_state=on_state
    )


def rate_limit_of(settings: Settings) -> RateLimit:
    """Return the numbers of the rate limit; no request to the gateway waits for it without an end."""
    limits = settings.limits
    return limits if limits.patience is not None else msgspec.structs.replace(limits, patience=_PATIENCE)


async def until_drained(serving: Awaitable[None], ownership: LeasedOwnership) -> None:
    """Serve until a cancellation, or until an administrator asks this process to hand all its accounts over."""
    work = asyncio.ensure_future(serving)
    draining = asyncio.ensure_future(ownership.is_draining.wait())
    try:
        await asyncio.wait([work, draining], return_when=asyncio.FIRST_COMPLETED)
    finally:
        draining.cancel()
        is_ending = work.cancel()
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:  # a second one does not wait for running handlers
                work.cancel()
        if not is_ending or not work.cancelled():
            work.result()
