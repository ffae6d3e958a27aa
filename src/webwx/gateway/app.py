"""The assembly of the gateway: its parts, its routes, and the checks before them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from contextlib import AsyncExitStack
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag
from litestar.params import FromPath
from litestar.types import Receive, Scope, Send

from webwx.client.client import AsyncClient
from webwx.cluster.reachable import until_reachable
from webwx.errors import StorageError
from webwx.gateway.access.auth import CONSOLE, Access, Caller, FailedKeys
from webwx.gateway.access.capability_links import CapabilityLinks
from webwx.gateway.access.keys import KeyRing
from webwx.gateway.access.sessions import ConsoleSessions
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.contact_order import ContactOrder
from webwx.gateway.accounts.opaque_users import OpaqueUsers
from webwx.gateway.adapters.adapter import AdapterParts
from webwx.gateway.adapters.confirmations import Confirmations
from webwx.gateway.adapters.listeners import AdapterListeners
from webwx.gateway.adapters.mount import AdapterMount
from webwx.gateway.adapters.peers import ProgramPeers
from webwx.gateway.adapters.programs import Programs
from webwx.gateway.adapters.pushes import ProgramPushes
from webwx.gateway.adapters.registry import ADAPTERS
from webwx.gateway.adapters.stored_ids import StoredIds
from webwx.gateway.api.accounts import accounts_router
from webwx.gateway.api.administration import administration_router
from webwx.gateway.api.audit_log import AuditLog, audited_change
from webwx.gateway.api.bots import bots_router, calls_router
from webwx.gateway.api.cluster import cluster_router
from webwx.gateway.api.consumer_owners import ConsumerOwners
from webwx.gateway.api.consumers import consumers_router
from webwx.gateway.api.contacts import contacts_router
from webwx.gateway.api.description import ABOUT, TAGS, operation_id
from webwx.gateway.api.documents import ReferencePage, documents_router
from webwx.gateway.api.events import events_router
from webwx.gateway.api.fallback import fallback_router
from webwx.gateway.api.health import health_router
from webwx.gateway.api.identities import identities_router
from webwx.gateway.api.incoming_files import incoming_files_router
from webwx.gateway.api.links import opened_links_router, shared_links_router
from webwx.gateway.api.logins import logins_router
from webwx.gateway.api.messages import messages_router
from webwx.gateway.api.monitoring import monitoring_router
from webwx.gateway.api.notify import notify_router
from webwx.gateway.api.parameters import AccountNumber
from webwx.gateway.api.programs import programs_router
from webwx.gateway.api.receivers import receivers_router
from webwx.gateway.api.request_body import ApiRequest
from webwx.gateway.api.sends import sends_router
from webwx.gateway.api.serve_route import mark_slashes
from webwx.gateway.api.uploads import uploads_router
from webwx.gateway.api.webhooks import webhooks_router
from webwx.gateway.bots.bots import HostedBots
from webwx.gateway.config import GatewayConfig
from webwx.gateway.console import console_router
from webwx.gateway.forwarding.forwarded_requests import Signatures, SignedRequests
from webwx.gateway.http.front import Front
from webwx.gateway.http.open_streams import OpenStream, OpenStreams
from webwx.gateway.http.refusals import answering_upgrades, note_refusal
from webwx.gateway.http.request_times import RequestTimes
from webwx.gateway.incoming_files.incoming_files import IncomingFiles
from webwx.gateway.incoming_files.rules import IncomingFileRules
from webwx.gateway.problems import HANDLERS, GatewayProblem
from webwx.gateway.process.loop_lag_meter import LoopLagMeter
from webwx.gateway.receivers.fallback import Fallback, channels_of
from webwx.gateway.receivers.hooks import Hooks, is_vendor_request
from webwx.gateway.receivers.notification_queue import NotificationQueue
from webwx.gateway.receivers.receivers import Receivers
from webwx.gateway.receivers.reception import Reception
from webwx.gateway.sends.disk_room import delete_left
from webwx.gateway.sends.file_sources import FileSources
from webwx.gateway.sends.uploads import UploadStore
from webwx.gateway.webhooks.delivery import WebhookDelivery
from webwx.gateway.webhooks.notices import WebhookNotices
from webwx.gateway.webhooks.webhooks import Webhooks
from webwx.representations.route import API
from webwx.storage.tables.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from litestar.handlers import BaseRouteHandler
    from litestar.types import ASGIApp

    from webwx.gateway.access.auth import Connection
    from webwx.gateway.adapters.registry import AdapterEntry
    from webwx.gateway.forwarding.bot_exchange import BotExchange
    from webwx.gateway.forwarding.forwarding import Owners, RequestForwarding
    from webwx.gateway.outgoing.outgoing import OutgoingClient
    from webwx.gateway.ownership.monitor import ClusterMonitor


_LOOK_EVERY = 1.0
"""Seconds between two looks at what other gateways have stored."""

_LOOK_EVERY_ALONE = 10.0
"""Seconds between two looks at what the command line has stored; in between, the file with the records is closed."""

_LOOK_FOR_FILES_EVERY = 600.0
"""Seconds between two looks at uploads that have expired."""

_YOUNG = 3600.0
"""Seconds after the last change of a file during which another process may still be writing it."""

_GATEWAY = "gateway"
"""Key of the gateway in the state of a request."""


class Gateway:
    """
    A gateway without a listener: `app` is an ASGI application.

    Args:
        config: The configuration.
        records: Stores keys, sessions and everything that changes at run time.
        port: The accounts.
        folder: Folder for files that wait to be sent.
        bots: The bots that run on the accounts; default: none.
        clock: Returns seconds since 1970.
        sleep: Waits for some seconds: until a webhook is called again, a file is saved again, or a client is too slow.
        rng: Adds a random time to the pauses between attempts at webhooks.
        outgoing: Fetches the files of sends that have a URL.
        owners: The owners of the accounts, if several machines share them; None: this gateway has all accounts.
        address: URL at which the other nodes of a cluster reach this one.
        secret: The secret with which the nodes of a cluster sign the requests that they forward to each other.
        answers_clients: Whether this gateway answers requests of clients, not only those that other nodes forward.
        cluster: Shows the workers and the owners of the accounts; None: no other machine shares them.
        adapters: The adapters that there are.
    """

    def __init__(
        self,
        config: GatewayConfig,
        records: RecordStore,
        port: GatewayAccounts,
        folder: Path,
        *,
        bots: HostedBots | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        rng: random.Random | None = None,
        outgoing: OutgoingClient | None = None,
        owners: Owners | None = None,
        address: str = "",
        secret: bytes = b"",
        answers_clients: bool = True,
        cluster: ClusterMonitor | None = None,
        adapters: Mapping[str, AdapterEntry] = ADAPTERS,
    ) -> None:
        self.config = config
        self.cluster = cluster
        self.records = records
        self.port = port
        self.bots = bots or HostedBots()
        self.keys = KeyRing(records, clock, lambda: self.streams.check_soon())
        self.consumer_owners = ConsumerOwners(records, self.keys, lambda: self.bots.names, clock)
        self.contact_order = ContactOrder()
        self.sessions = ConsoleSessions(records, clock, lambda: self.streams.check_soon())
        self.failed_keys = FailedKeys()
        self.access = Access(
            self.keys, self.sessions, port, lambda: self.config.limits.requests_per_minute, self.failed_keys
        )
        self.users = OpaqueUsers(records, clock)
        self.links = CapabilityLinks(records, self.keys, clock)
        self.streams = OpenStreams(self._is_current, sleep)
        self.programs = Programs(records, clock, adapters, lambda: self.streams.check_soon())
        self.peers = ProgramPeers(clock)
        self.pushes = ProgramPushes(port, self.programs.find, records, self.peers, clock, sleep)
        self.confirmations = Confirmations(records, port, self.pushes, clock)
        self.adapters = AdapterMount(
            self.programs, self._parts_of, self.peers, self.pushes, self.confirmations, self.streams, self.failed_keys
        )  # fmt: skip
        port.followers.append(self.adapters.sockets)
        self._clock, self._sleep = clock, sleep
        self._listens = asyncio.Event()
        self._owners = owners
        self.audit_log = AuditLog(records, port, clock)
        self._outgoing = outgoing
        self.routes = route_table(config.limits.body)
        """The table of routes."""
        self._answered_here = self.adapters.served(self.audit_log.recorded(self.routes))
        self.uploads = UploadStore(records, folder / "uploads", clock, address, lambda: self.config.limits)
        self.forwarding: RequestForwarding | None = None
        """Forwards requests to the owners of their accounts; None without a cluster."""
        self.bot_exchange: BotExchange | None = None
        """Lists the bots of all nodes; None without a cluster."""
        fetch_upload, signatures = None, None
        if owners is not None:
            from webwx.gateway.accounts.account_finders import RouteAccounts
            from webwx.gateway.forwarding.bot_exchange import BotExchange  # a gateway without a cluster starts sooner
            from webwx.gateway.forwarding.forwarding import RequestForwarding
            from webwx.gateway.forwarding.owner_client import OwnerClient
            from webwx.gateway.forwarding.upload_exchange import UploadExchange

            signatures, client = Signatures(secret, clock), OwnerClient()
            exchange = UploadExchange(self.uploads, signatures, client)
            fetch_upload = exchange.fetch
            self.bot_exchange = BotExchange(self.bots, owners, self.access.recognize, signatures, client)
            self.forwarding = RequestForwarding(
                self._answered_here, owners, signatures, client, exchange, self.bot_exchange,
                (RouteAccounts(owners.look_up_account), self.links, self.bot_exchange, self.adapters), self.adapters,
                self.adapters,
            )  # fmt: skip
        self.files = FileSources(self.uploads, self._connect, lambda: self.config.limits, fetch_upload)
        self.receivers = Receivers(records, clock)
        self.notifications = NotificationQueue(
            port, records, self.receivers, folder, clock, lambda: self.config.limits.uploads_free
        )  # fmt: skip
        self.webhooks = Webhooks(records, clock)
        self.notices = WebhookNotices()
        self.deliveries = WebhookDelivery(
            port, self.webhooks, records, self.notices, clock=clock, sleep=sleep,
            rng=rng or random.Random(),  # noqa: S311 - it only spreads calls
        )  # fmt: skip
        self.incoming_file_rules = IncomingFileRules(records, clock)
        self.incoming_files = IncomingFiles(
            config.incoming_files, port, self.incoming_file_rules, records, clock, sleep
        )  # fmt: skip
        self.fallback = Fallback(port, self.notifications, channels_of(config.fallback))
        self._background: list[asyncio.Future[NoReturn]] = []
        self._folder = folder
        self.reception = Reception(
            self.receivers, self.notifications, records, folder, clock, lambda: self.config.limits.uploads_free
        )  # fmt: skip
        self.loop_lag = LoopLagMeter()
        hooks = Hooks(self.answer, self.reception)
        self.times = RequestTimes(self.adapters.in_front_of(hooks, self.answer))
        self.app: ASGIApp = Front(self.times, config, is_vendor_request)
        """The application to serve."""
        if signatures is not None:
            self.app = SignedRequests(self.times, self.app if answers_clients else None, signatures)
        self.app = self.adapter_listeners = AdapterListeners(self.app)

    def __repr__(self) -> str:
        return "Gateway()"

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request as an ASGI application without the checks of hosts and origins."""
        scope.setdefault("state", {})[_GATEWAY] = self
        mark_slashes(scope)
        await (self.forwarding or self._answered_here)(scope, receive, answering_upgrades(scope, send))

    async def start(self) -> None:
        """Open the accounts as soon as their database answers, and begin to sync."""
        await until_reachable(self._delete_left_files)
        await self.port.start()
        await until_reachable(self.notifications.start)
        await self.deliveries.start()
        await self.incoming_files.start()
        works = [
            self.fallback.run(), self.streams.run(), self._delete_old_uploads(), self.loop_lag.run(),
            self._follow_changes(), self._run_adapters(),
        ]  # fmt: skip
        self._background = [asyncio.ensure_future(work) for work in works]

    async def _delete_left_files(self) -> None:
        """Delete the files of uploads and notifications that a killed process has left."""
        min_age = _YOUNG if self.port.is_shared else 0.0
        await self.uploads.delete_left(min_age=min_age)
        in_use = await self.notifications.file_names() | await self.reception.file_names()
        await asyncio.to_thread(delete_left, self._folder, in_use, min_age=min_age)

    async def _delete_old_uploads(self) -> NoReturn:
        """Delete uploads that have expired, or whose key another process has deleted."""
        while True:
            with contextlib.suppress(StorageError, OSError):  # the next look follows
                await self.uploads.delete_expired()
                await self.uploads.delete_of_others({CONSOLE, *(key.id for key in await self.keys.find())})
                await self.uploads.delete_left(min_age=_YOUNG)
            await asyncio.sleep(_LOOK_FOR_FILES_EVERY)

    def begin_serving(self) -> None:
        """Begin what programs of adapters need beside their requests: requests are answered from now on."""
        self._listens.set()

    async def _run_adapters(self) -> NoReturn:
        """
        Work with the programs of adapters as they are stored, once the gateway listens.

        The import of an adapter may take a second.
        """
        await self._listens.wait()
        while True:
            with contextlib.suppress(StorageError):  # the next look follows
                await self.adapters.refresh()
                if self._owners is not None:
                    await self.adapters.sockets.end_elsewhere(self._owners.elsewhere)
            await asyncio.sleep(self._look_every)

    async def _is_current(self, caller: Caller) -> bool:
        """Return whether a caller, also a program of an adapter, still has the rights that it had."""
        is_current = await self.adapters.is_current(caller)
        return await self.access.is_current(caller) if is_current is None else is_current

    def _parts_of(self, adapter: str) -> AdapterParts:
        return AdapterParts(
            accounts=self.port, records=self.records, ids=StoredIds(adapter, self.records, self._clock),
            pushes=self.pushes, confirmations=self.confirmations, peers=self.peers, connect=self._connect,
            limits=lambda: self.config.limits, clock=self._clock, sleep=self._sleep,
        )  # fmt: skip

    @property
    def _look_every(self) -> float:
        """Seconds between two looks at what other processes have stored."""
        return _LOOK_EVERY if self.port.is_shared else _LOOK_EVERY_ALONE

    async def _follow_changes(self) -> NoReturn:
        """Work with the webhooks and the rules for files as other gateways and the command line have stored them."""
        while True:
            await asyncio.sleep(self._look_every)
            with contextlib.suppress(StorageError):  # the next look follows
                await self.deliveries.refresh()
                await self.incoming_files.refresh()

    def begin_closing(self) -> None:
        """End all streams, stop the bots and hand the accounts over, because the server stops."""
        self.streams.end_all()
        if self.forwarding is not None:
            self.forwarding.begin_closing()
        self.bots.begin_closing()
        self.port.begin_closing()

    def stop_waiting(self) -> None:
        """End without waiting for running handlers and sends in progress, after `begin_closing`."""
        self.bots.stop_waiting()
        self.port.stop_waiting()

    async def close(self) -> None:
        """Finish sends in progress, store all positions, and close everything."""
        async with AsyncExitStack() as closing:  # if one part fails, the others are closed nevertheless
            closing.push_async_callback(self.records.close)
            if self._outgoing is not None:
                closing.push_async_callback(self._outgoing.close)
            if self.forwarding is not None:
                closing.push_async_callback(self.forwarding.close)
            closing.push_async_callback(self.audit_log.close)
            closing.push_async_callback(self.port.close)
            closing.push_async_callback(self.pushes.close)
            closing.push_async_callback(self.adapters.close)
            closing.push_async_callback(self.incoming_files.close)
            closing.push_async_callback(self.deliveries.close)
            closing.push_async_callback(self.notifications.close)
            for task in self._background:
                task.cancel()
            if self._background:
                await asyncio.wait(self._background)

    def _connect(self) -> OutgoingClient:
        """Return the client that fetches the files of sends."""
        if self._outgoing is None:
            from webwx.gateway.outgoing.outgoing import OutgoingClient  # a gateway that fetches no files starts sooner

            self._outgoing = OutgoingClient()
        return self._outgoing


def _gateway_of(scope: Scope) -> Gateway:
    """Return the gateway that a request is for."""
    gateway: Gateway = scope["state"][_GATEWAY]
    return gateway


@cache
def route_table(max_body: int) -> Litestar:
    """
    Return the application with the table of routes.

    It serves every gateway of the process, because building it takes most of the time in which a gateway starts.

    Args:
        max_body: Maximum number of bytes of a request's body, unless its handler has another limit.
    """
    return Litestar(
        route_handlers=[
            Router(
                API,
                route_handlers=[
                    accounts_router,
                    administration_router,
                    bots_router,
                    cluster_router,
                    consumers_router,
                    contacts_router,
                    events_router,
                    fallback_router,
                    health_router,
                    identities_router,
                    incoming_files_router,
                    logins_router,
                    shared_links_router,
                    messages_router,
                    programs_router,
                    receivers_router,
                    sends_router,
                    uploads_router,
                    webhooks_router,
                    notify_router,
                ],
            ),
            calls_router,
            documents_router,
            monitoring_router,
            opened_links_router,
            console_router,
        ],
        guards=[_check_access],
        dependencies={
            "audited": Provide(audited_change, sync_to_thread=False),
            "bots": _provide(lambda gateway: gateway.bots),
            "bot_exchange": _provide(lambda gateway: gateway.bot_exchange),
            "cluster": _provide(lambda gateway: gateway.cluster),
            "caller": Provide(_caller, sync_to_thread=False),
            "failed_keys": _provide(lambda gateway: gateway.failed_keys),
            "stream": Provide(_stream, sync_to_thread=False),
            "contact_order": _provide(lambda gateway: gateway.contact_order),
            "consumer_owners": _provide(lambda gateway: gateway.consumer_owners),
            "config": _provide(lambda gateway: gateway.config),
            "files": _provide(lambda gateway: gateway.files),
            "users": _provide(lambda gateway: gateway.users),
            "uploads": _provide(lambda gateway: gateway.uploads),
            "links": _provide(lambda gateway: gateway.links),
            "keys": _provide(lambda gateway: gateway.keys),
            "number": Provide(_number, sync_to_thread=False),
            "find_owned": Provide(_find_owned, sync_to_thread=False),
            "port": _provide(lambda gateway: gateway.port),
            "programs": _provide(lambda gateway: gateway.programs),
            "peers": _provide(lambda gateway: gateway.peers),
            "mount": _provide(lambda gateway: gateway.adapters),
            "adapter_listeners": _provide(lambda gateway: gateway.adapter_listeners),
            "confirmations": _provide(lambda gateway: gateway.confirmations),
            "queue": _provide(lambda gateway: gateway.notifications),
            "relay": _provide(lambda gateway: gateway.forwarding),
            "receivers": _provide(lambda gateway: gateway.receivers),
            "reception": _provide(lambda gateway: gateway.reception),
            "stored": Provide(_stored, sync_to_thread=False),
            "sessions": _provide(lambda gateway: gateway.sessions),
            "records": _provide(lambda gateway: gateway.records),
            "webhooks": _provide(lambda gateway: gateway.webhooks),
            "deliveries": _provide(lambda gateway: gateway.deliveries),
            "notices": _provide(lambda gateway: gateway.notices),
            "fallback": _provide(lambda gateway: gateway.fallback),
            "incoming_files": _provide(lambda gateway: gateway.incoming_files),
            "times": _provide(lambda gateway: gateway.times),
            "loop_lag": _provide(lambda gateway: gateway.loop_lag),
            "rules": _provide(lambda gateway: gateway.incoming_file_rules),
        },
        after_exception=[note_refusal],
        exception_handlers=HANDLERS,
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="webwx gateway",
            version=version("webwx"),
            description=ABOUT,
            contact=Contact(name="The webwx contributors"),
            license=License(name="MIT", identifier="MIT"),
            tags=[Tag(name=name, description=text) for name, text in TAGS.items()],
            operation_id_creator=operation_id,
            use_handler_docstrings=True,
            components=Components(
                security_schemes={
                    "key": SecurityScheme(type="http", scheme="bearer", bearer_format="wxk_<id>_<secret>")
                }
            ),
            security=[{"key": []}],
            render_plugins=[ReferencePage(path="/")],
            openapi_router=Router("/docs", route_handlers=[], opt={"is_public": True}, include_in_schema=False),
        ),
        request_class=ApiRequest,
        request_max_body_size=max_body,
        debug=False,
    )


def _provide(find: Callable[[Gateway], object]) -> Provide:
    """Provide handlers with a part of the gateway that a request is for."""

    def provided(scope: Scope) -> object:
        return find(_gateway_of(scope))

    return Provide(provided, sync_to_thread=False)


async def _check_access(connection: Connection, handler: BaseRouteHandler) -> None:
    await _gateway_of(connection.scope).access.check(connection, handler)


def _stream(scope: Scope) -> OpenStream:
    return _gateway_of(scope).streams.open(scope["user"])


def _number(scope: Scope, account: FromPath[str]) -> int:
    """Return the number of the account in the path, which `Access` has checked."""
    number = _gateway_of(scope).port.find_account(account)
    if number is None:
        raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.")
    return number


def _stored(scope: Scope, number: AccountNumber) -> AsyncClient:
    """Return the client that reads the journal of the account in the path."""
    return _gateway_of(scope).port.account(number).client


def _find_owned(scope: Scope, number: AccountNumber) -> Callable[[], Awaitable[AsyncClient]]:
    """Return what finds the client that acts for the account in the path."""
    return _gateway_of(scope).port.account(number).owned


def _caller(scope: Scope) -> Caller:
    """Return the caller of a request, whom `Access` has identified."""
    caller: Caller = scope["user"]
    return caller
