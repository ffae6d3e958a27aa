"""
One account of the gateway, with a client in this process: its life, its sync and its state.

The account is synced as long as it is logged in, so that its events are in the journal when a reader asks for them. It
calls its three parts: `sends` when the account comes online and closes, `logins` when it closes, and `events` with what
the sync has read. Handlers and background work call the parts directly; the parts do not know the account.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from webwx.client.cancellation import cancel_until_done
from webwx.client.state import LoginState
from webwx.errors import (
    AlreadyRunning,
    LoggedOut,
    NotLoggedIn,
    StorageError,
    WxError,
)
from webwx.gateway.accounts.account import AccountStatus
from webwx.gateway.accounts.journal_lookup import required_event
from webwx.gateway.accounts.logins import AccountLogins
from webwx.gateway.accounts.owned_events import CONSUMER, OwnedEvents
from webwx.gateway.accounts.owned_sends import OwnedSends
from webwx.gateway.problems import GatewayProblem, code_of_error
from webwx.gateway.sends.background_sends import AccountOutbox
from webwx.model.messages import Message, MessageRecalled
from webwx.representations.accounts import AccountSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from webwx.client.accounts import Accounts
    from webwx.client.client import AsyncClient
    from webwx.client.reading.subscription import Subscription
    from webwx.client.state import StateChange
    from webwx.gateway.accounts.account import DownloadedMedia
    from webwx.gateway.accounts.media_cache import MediaCache
    from webwx.gateway.process.open_files import OpenFiles
    from webwx.gateway.sends.send_files import AccountSendFiles
    from webwx.storage.tables.records import RecordStore

T = TypeVar("T")

_log = logging.getLogger("webwx.gateway")

SEND_PATIENCE = 8.0
"""Seconds that sends in progress have to end when the account is closed."""

_RETRY_AFTER = 2.0
"""Seconds after which another process may answer a request for an account that was handed over."""

_RETRY = 5.0
"""Seconds until the sync is tried again after a failure, such as a disk error or another process that syncs."""

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
        self.number = number
        self.name = name
        self.label = ""
        """The name that the user wants to see; empty: `name`."""
        self.settings = AccountSettings()
        """The stored settings."""
        self.settings_in_use = AccountSettings()
        """The settings of the present client."""
        self.syncing = asyncio.Event()
        """Set as long as the account polls the platform."""
        self.has_begun = asyncio.Event()
        """Set once the account polls the platform, or cannot do that yet."""
        self._accounts = accounts
        self._media = media
        self._clock = clock
        self._arrived = arrived
        self._changed = changed
        self._retry = retry
        self._is_ended = False
        self._has_left = False
        self._since = clock()
        self._error: WxError | None = None
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
        self.events: OwnedEvents = OwnedEvents(number, lambda: self.client, lambda: consumers(self), open_files)
        """The events of the account."""
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
        self.events.restart()
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
        async with contextlib.AsyncExitStack() as closing:  # a cancellation ends one of the waits, and no more
            closing.push_async_callback(self.sends.close)
            closing.push_async_callback(cancel_until_done, self._tasks)
            closing.push_async_callback(self.sends.finish, patience=patience)
            await self.logins.cancel()

    def fail(self, error: WxError) -> None:
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
        self._error = change.error
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
        await self.events.begin_consumers()

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
        await self.events.begin()
        return client

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
                self._set_error(failure)
            if isinstance(failure, (AlreadyRunning, StorageError)):
                await asyncio.sleep(self._retry * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the accounts
                continue
            await self._is_renewed.wait()  # also if the saved login cannot be read: a new one replaces it
            if self.client.state is LoginState.LOGGED_OUT:  # otherwise the new login was made by this client
                with contextlib.suppress(WxError):
                    await self.client.resume()

    async def _take_all(self, subscription: Subscription) -> None:
        if self.client.state in _LOGGED_IN:  # else the error says why the login has ended
            self._set_error(None)
        self.syncing.set()
        self.has_begun.set()
        try:
            while batch := await subscription.take(500):
                self.events.add(batch)
                for delivered in batch:
                    subscription.ack(delivered.entry.number)
                self._arrived()
        finally:
            self.syncing.clear()

    def _set_error(self, error: WxError | None) -> None:
        before, self._error = self._error, error
        if (before is None) != (error is None) or str(before) != str(error):
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
            last_sync_at=client.last_sync_at, error=None if self._error is None else str(self._error),
            error_code="" if self._error is None else code_of_error(self._error), queued=len(self.sends),
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
