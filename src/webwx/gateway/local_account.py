"""
One account of the gateway, with a client in this process.

The account is synced as long as it is logged in, so that its events are in the journal when a reader asks for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from webwx.client.cancellation import cancel_until_done
from webwx.client.state import LoginState
from webwx.errors import (
    AlreadyRunning,
    InvalidRequest,
    LoggedOut,
    NotLoggedIn,
    StorageError,
    WxError,
)
from webwx.gateway.account_events import AccountEvent
from webwx.gateway.accounts import AccountStatus
from webwx.gateway.background_sends import AccountOutbox
from webwx.gateway.journal_lookup import named, required_event
from webwx.gateway.logins import AccountLogins
from webwx.gateway.owned_sends import OwnedSends
from webwx.gateway.problems import GatewayProblem
from webwx.model.messages import Message, MessageRecalled
from webwx.representations.accounts import AccountSettings
from webwx.storage.entries import EntryQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from webwx.client.accounts import Accounts
    from webwx.client.client import AsyncClient
    from webwx.client.state import StateChange
    from webwx.client.subscription import Subscription
    from webwx.gateway.accounts import DownloadedMedia
    from webwx.gateway.media_cache import MediaCache
    from webwx.gateway.open_files import OpenFiles
    from webwx.gateway.send_files import AccountSendFiles
    from webwx.model.messages import Event
    from webwx.storage.tables.records import RecordStore

T = TypeVar("T")

_log = logging.getLogger("webwx.gateway")

CONSUMER = "gateway"
"""Name of the consumer that keeps the account synced."""

SEND_PATIENCE = 8.0
"""Seconds that sends in progress have to end when the account is closed."""

_RETRY_AFTER = 2.0
"""Seconds after which another process may answer a request for an account that was handed over."""

_RETRY = 5.0
"""Seconds until the sync is tried again after a failure, such as a disk error or another process that syncs."""

_RECENT = 500
"""Number of the newest events that are kept in memory."""

_LOGGED_IN = frozenset((LoginState.ONLINE, LoginState.DEGRADED))


class LocalAccount:
    """
    An account with a client in this process.

    Args:
        number: Number of the account in the gateway.
        name: Name of the account.
        accounts: Has the account's client.
        records: Has the background sends of an earlier version.
        media: Downloaded media.
        files: Files of sends.
        clock: Returns seconds since 1970.
        arrived: Called after new events were stored.
        changed: Called after each change of the state.
        prepare_login: Called before each login.
        announce_sends: Called after a background send has an outcome; None: no other process waits for it.
        consumers: Returns the names of the consumers that begin with the sync of the account.
        open_files: Counts the files of consumers; None: they need none.
        retry: Seconds until the sync is tried again after a failure, on average.
    """

    def __init__(
        self,
        number: int,
        name: str,
        accounts: Accounts,
        records: RecordStore,
        media: MediaCache,
        files: AccountSendFiles,
        clock: Callable[[], float],
        arrived: Callable[[], object],
        changed: Callable[[LocalAccount], object],
        prepare_login: Callable[[LocalAccount], Awaitable[object]],
        *,
        announce_sends: Callable[[], Awaitable[object]] | None = None,
        consumers: Callable[[LocalAccount], Collection[str]] = lambda account: (),  # noqa: ARG005
        open_files: OpenFiles | None = None,
        retry: float = _RETRY,
    ) -> None:
        self._open_files = open_files
        self.number = number
        self.name = name
        self.label = ""
        """The name that the user wants to see; empty: `name`."""
        self.settings = AccountSettings()
        """The stored settings."""
        self.settings_in_use = AccountSettings()
        """The settings of the present client."""
        self._recent: deque[AccountEvent] = deque(maxlen=_RECENT)
        """The newest events without a gap between them, so that not every reader has to read the journal."""
        self.newest = 0
        """Number of the newest stored event that this process knows."""
        self.syncing = asyncio.Event()
        """Set as long as the account polls the platform."""
        self.has_begun = asyncio.Event()
        """Set once the account polls the platform, or cannot do that yet."""
        self._accounts = accounts
        self._media = media
        self._clock = clock
        self._arrived = arrived
        self._changed = changed
        self._consumers = consumers
        self._have_consumers_begun = False
        self._beginning = asyncio.Lock()
        """Held while the positions of new consumers are stored."""
        self._retry = retry
        self._is_ended = False
        self._has_left = False
        self._since = clock()
        self._error: str | None = None
        self._state_news = asyncio.Event()
        """Set, and replaced, when the client's state has changed."""
        self._is_renewed = asyncio.Event()
        """Set when a login has succeeded."""
        self.logins: AccountLogins = AccountLogins(
            lambda asks_phone: accounts.log_in(name, asks_phone=asks_phone), lambda: prepare_login(self),
            self._is_renewed.set,
        )  # fmt: skip
        """The logins of the account."""
        self.sends: OwnedSends = OwnedSends(
            number, lambda: self.client, lambda: AccountOutbox(*accounts.outbox(name)), records, files, clock,
            announce=announce_sends,
        )  # fmt: skip
        """The sends of the account."""
        self._tasks: list[asyncio.Task[Any]] = []

    def __repr__(self) -> str:
        return f"LocalAccount({self.number})"

    @property
    def client(self) -> AsyncClient:
        """
        The account's client, logged in or not.

        Raises:
            GatewayProblem: The account was handed over.
        """
        if self._has_left:
            raise GatewayProblem(
                "unavailable", "The account is handed over to another gateway; repeat the request.",
                retry_after=_RETRY_AFTER,
            )  # fmt: skip
        return self._accounts.client(self.name)

    async def owned(self) -> AsyncClient:
        """Return the client, because the account runs here."""
        return self.client

    @contextlib.asynccontextmanager
    async def saved(self) -> AsyncIterator[AsyncClient]:
        """Return the client, which has the login."""
        yield self.client

    @property
    def is_in_use(self) -> bool:
        """Whether the account is logged in, or logging in."""
        return self.logins.is_active or self.client.state in _LOGGED_IN

    @property
    def has_pending_settings(self) -> bool:
        """Whether the stored settings differ from those of the present client."""
        return self.settings != self.settings_in_use

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """
        Open the saved login and begin to sync.

        Raises:
            WxError: The login or its journal cannot be opened now. The account goes on trying, and its state shows why,
                if `is_started`.
        """
        self._tasks = []
        self._have_consumers_begun = False
        loop = asyncio.get_running_loop()
        opened = None
        try:
            opened = await self._open()
            await self.sends.load()
        finally:
            self._tasks = [loop.create_task(self._sync(opened))]
            self.sends.start()

    @property
    def is_started(self) -> bool:
        """Whether the work of the account has begun."""
        return bool(self._tasks)

    async def close(self, *, patience: float = SEND_PATIENCE) -> None:
        """
        Wait for sends in progress, and stop everything.

        Args:
            patience: Seconds after which a send in progress is given up; its outcome is unknown then.
        """
        await self.logins.cancel()
        try:
            await self.sends.finish(patience=patience)
        finally:  # a cancellation ends the patience
            await cancel_until_done(self._tasks)
            await self.sends.close()

    def fail(self, error: str) -> None:
        """Show why the account was not started."""
        self._set_error(error)

    def hand_over(self) -> None:
        """Refuse all calls from now on, because another process may run the account."""
        self._has_left = True

    def renew(self) -> None:
        """Read the saved login again once the present one has ended, because another process has replaced it."""
        self._is_renewed.set()

    def note_state(self, change: StateChange) -> None:
        """Store a change of the client's state."""
        self._since = self._clock()
        self._error = None if change.error is None else str(change.error)
        if change.state is LoginState.ONLINE:
            self.sends.wake()
        self._state_news.set()
        self._state_news = asyncio.Event()
        self._changed(self)

    async def wait_for_login(self) -> None:
        """
        Return once the account is logged in, and its new consumers have positions.

        Raises:
            StorageError: The positions cannot be stored.
        """
        while self.client.state not in _LOGGED_IN:
            await self._state_news.wait()
        await self._begin_consumers(self.client)

    async def wait_for_logout(self) -> None:
        """Return once the login has ended, or `end` was called."""
        while self.client.state is not LoginState.LOGGED_OUT and not self._is_ended:
            await self._state_news.wait()

    @property
    def is_ended(self) -> bool:
        """Whether `end` was called."""
        return self._is_ended

    def end(self) -> None:
        """End the wait for the end of the login, because the account is removed."""
        self._is_ended = True
        self._state_news.set()

    async def _open(self) -> AsyncClient:
        client = await self._accounts.open(self.name)
        await self._begin_consumers(client)
        newest = await client.subscribe(CONSUMER).part.find(EntryQuery(limit=1))
        self.newest = max(self.newest, newest[0].number if newest else 0)
        return client

    async def _begin_consumers(self, client: AsyncClient) -> None:
        """
        Store the positions of new consumers, before anything is read that they would miss.

        The account's own consumer is the first, because the first consumer of a journal begins with its first entry.
        """
        async with self._beginning:
            if self._have_consumers_begun:
                return
            part, names = client.subscribe(CONSUMER).part, self._consumers(self)
            existing = await part.consumer_names() if names else set()
            if not existing.issuperset(names):
                for name in (CONSUMER, *sorted(names)):
                    if name not in existing:
                        with contextlib.suppress(AlreadyRunning):  # another process has just opened it
                            await (await part.consumer(name)).close()
            self._have_consumers_begun = True

    async def _sync(self, opened: AsyncClient | None) -> None:
        """
        Keep the account synced, again after each new login, until this is cancelled.

        Args:
            opened: The client, if it has just been opened.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        while True:
            self._is_renewed.clear()
            failure: WxError | None = None
            try:
                client, opened = opened or await self._open(), None
                async with client.subscribe(CONSUMER) as subscription:
                    await self._take_all(subscription)
            except (LoggedOut, NotLoggedIn):
                pass
            except WxError as error:
                failure = error
            self.has_begun.set()
            if task.cancelling():  # an error of the end has replaced the cancellation
                return
            if failure is not None:
                self._set_error(str(failure))
            if isinstance(failure, (AlreadyRunning, StorageError)):
                await asyncio.sleep(self._retry * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the accounts
                continue
            await self._is_renewed.wait()  # also if the saved login cannot be read: a new one replaces it
            if self.client.state is LoginState.LOGGED_OUT:  # otherwise the new login was made by this client
                with contextlib.suppress(WxError):
                    await self.client.resume()

    async def _take_all(self, subscription: Subscription) -> None:
        self._set_error(None)
        self.syncing.set()
        self.has_begun.set()
        try:
            while batch := await subscription.take(500):
                for delivered in batch:
                    self._remember(delivered.event)
                    subscription.ack(delivered.entry.number)
                self.newest = max(self.newest, batch[-1].entry.number)
                self._arrived()
        finally:
            self.syncing.clear()

    def _remember(self, event: Event) -> None:
        if event.redelivered:  # true for the consumer of the gateway, but not for its readers
            event = msgspec.structs.replace(event, redelivered=False)
        if self._recent and self._recent[-1].event.number != event.number - 1:
            self._recent.clear()
        self._recent.append(self.named(event))

    def _set_error(self, error: str | None) -> None:
        if error != self._error:
            self._error = error
            self._changed(self)

    async def status(self) -> AccountStatus:
        """Return the account's state."""
        return self.present_status()

    def present_status(self) -> AccountStatus:
        """Return the account's state at this moment."""
        client = self.client
        try:
            account = client.account
        except NotLoggedIn:
            account = None
        return AccountStatus(
            number=self.number, name=self.name, label=self.label, state=client.state.value, since=self._since,
            nickname=None if account is None else account.nickname, host=None if account is None else account.host,
            last_sync_at=client.last_sync_at, error=self._error, queued=len(self.sends),
            settings=self.settings, pending_settings=self.has_pending_settings,
        )  # fmt: skip

    async def check(self) -> AccountStatus:
        """Ask the platform whether the login is valid, and return the account's state."""
        with contextlib.suppress(LoggedOut):  # the status says so
            await self.client.check()
        return self.present_status()

    # -- messages ----------------------------------------------------------------------------------------------------

    async def media(self, number: int) -> DownloadedMedia:
        """Return the file of a message's media, downloaded if necessary."""
        event = await required_event(self.client, number)
        message = event.original if isinstance(event, MessageRecalled) else event
        if not isinstance(message, Message):
            raise GatewayProblem("not-found", "This event has no media.")
        return await self._media.get(self.number, number, partial(self.client.download_to, message))

    # -- events ------------------------------------------------------------------------------------------------------

    async def read_events(
        self, after: int, *, limit: int, since: float = 0, until: float = 0
    ) -> list[AccountEvent]:  # fmt: skip
        """Return the events after a number, in the order of arrival; none before the first login."""
        is_recent = self._recent and self._recent[0].event.number <= after + 1
        if is_recent and not since and not until:
            return [account_event for account_event in self._recent if account_event.event.number > after][:limit]
        try:
            events = await self.client.read_events(after, since=since, until=until, limit=limit)
        except NotLoggedIn:
            return []
        # Not the events that are stored already and arrive here later: their readers would be ahead of `newest`.
        return [self.named(event) for event in events if event.number <= self.newest]

    async def list_events(self, after: int, *, since: float, until: float, limit: int) -> list[AccountEvent]:
        """Return stored events in the order of arrival."""
        return [
            self.named(each) for each in await self.client.read_events(after, since=since, until=until, limit=limit)
        ]

    def named(self, event: Event) -> AccountEvent:
        """Return an event with the names to show."""
        return named(self.number, event, self.client.contacts)

    @contextlib.asynccontextmanager
    async def consume(self, name: str, *, follow: bool = True) -> AsyncIterator[LocalConsumer]:
        """Open a consumer: a reader with a stored position."""
        with contextlib.nullcontext() if self._open_files is None else self._open_files.consumer():
            await self._begin_consumers(self.client)
            async with self.client.subscribe(name, follow=follow) as subscription:
                yield LocalConsumer(self, subscription)


class LocalConsumer:
    """
    An open consumer.

    Args:
        account: The account.
        subscription: The open subscription.
    """

    def __init__(self, account: LocalAccount, subscription: Subscription) -> None:
        self._account = account
        self._subscription = subscription
        self._newest = account.newest
        """Number of the newest event, as far as this consumer knows; a later one cannot be acknowledged."""

    async def take(self, limit: int = 100) -> list[AccountEvent]:
        """Return the next events; wait until an event has arrived."""
        taken = await self._subscription.take(limit)
        self._newest = max([self._newest, *(delivered.entry.number for delivered in taken)])
        return [
            msgspec.structs.replace(self._account.named(delivered.event), attempt=delivered.entry.attempt)
            for delivered in taken
        ]

    def ack(self, number: int) -> None:
        """Acknowledge an event by its number; ignore the number of a later event."""
        if number <= self._newest:
            self._subscription.ack(number)

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        await self._subscription.flush()

    async def failed(self, number: int, error: str) -> int:
        """Store a failed attempt at an event, and return the number of failed attempts."""
        self._require(number)
        return await self._subscription.failed(number, error)

    async def give_up(self, number: int, error: str) -> None:
        """Make an event a dead letter."""
        self._require(number)
        await self._subscription.give_up(number, error)

    async def close(self, *, unseen_from: int = 0) -> None:
        """Store every acknowledgement and close the consumer."""
        await self._subscription.close(unseen_from=unseen_from)

    def _require(self, number: int) -> None:
        if not 0 < number <= self._newest:
            raise InvalidRequest(f"There is no event {number}.")
