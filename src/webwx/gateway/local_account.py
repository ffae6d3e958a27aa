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
from weakref import WeakValueDictionary

import msgspec

from webwx.client.cancellation import cancel_until_done
from webwx.client.files import sha256_of
from webwx.client.state import LoginState
from webwx.errors import (
    AlreadyRunning,
    ConnectFailed,
    InvalidRequest,
    LoggedOut,
    NoSuchFile,
    NotLoggedIn,
    StorageError,
    TlsError,
    TransportError,
    WxError,
)
from webwx.gateway.account_events import AccountEvent
from webwx.gateway.accounts import AccountStatus, LoginStatus, MediaContent, Sent, TextContent
from webwx.gateway.background_sends import FILES, BackgroundSends, Promise, own_key
from webwx.gateway.journal_lookup import named, required_event, required_send
from webwx.gateway.logins import LoginWatch
from webwx.gateway.problems import GatewayProblem
from webwx.model.messages import Message, MessageRecalled, Receipt
from webwx.representations.accounts import AccountSettings
from webwx.storage.entries import EntryQuery

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable

    from webwx.client.accounts import Accounts
    from webwx.client.client import AsyncClient
    from webwx.client.state import StateChange
    from webwx.client.subscription import Subscription
    from webwx.gateway.accounts import Content, DownloadedMedia
    from webwx.gateway.media_cache import MediaCache
    from webwx.gateway.open_files import OpenFiles
    from webwx.gateway.send_files import AccountSendFiles
    from webwx.model.messages import Event
    from webwx.representations.logins import LoginMethod
    from webwx.storage.tables.outbox import Outgoing
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

_QUEUED = (ConnectFailed, TlsError)
"""Errors after which a send stays queued in the outbox, and may be made later."""


class LocalAccount:
    """
    An account with a client in this process.

    Args:
        number: Number of the account in the gateway.
        name: Name of the account.
        accounts: Has the account's client.
        records: Stores promised sends.
        media: Downloaded media.
        kept: Files of sends in the background.
        clock: Returns seconds since 1970.
        arrived: Called after new events were stored.
        changed: Called after each change of the state.
        prepare_login: Called before each login.
        settled: Called after a text that was sent in the background has an outcome.
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
        kept: AccountSendFiles,
        clock: Callable[[], float],
        arrived: Callable[[], object],
        changed: Callable[[LocalAccount], object],
        prepare_login: Callable[[LocalAccount], Awaitable[object]],
        *,
        settled: Callable[[Promise], Awaitable[object]] | None = None,
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
        self._kept = kept
        self._clock = clock
        self._arrived = arrived
        self._changed = changed
        self._prepare_login = prepare_login
        self._retry = retry
        self._is_ended = False
        self._has_left = False
        self._since = clock()
        self._error: str | None = None
        self._state_news = asyncio.Event()
        """Set, and replaced, when the client's state has changed."""
        self._is_renewed = asyncio.Event()
        """Set when a login has succeeded."""
        self._logins = LoginWatch(lambda asks_phone: accounts.log_in(name, asks_phone=asks_phone), self._is_renewed.set)
        self._promised = BackgroundSends(number, records, self._keep_promise, clock, settled=settled)
        self._promised_files = BackgroundSends(
            number, records, self._keep_promise, clock, kind=FILES, settled=kept.delete
        )
        self._tasks: list[asyncio.Task[Any]] = []
        self._sending: set[asyncio.Task[Any]] = set()
        self._sending_files: WeakValueDictionary[str, asyncio.Task[Receipt]] = WeakValueDictionary()
        """Sends of files in progress by their keys."""
        self._keeping_promises: WeakValueDictionary[int, asyncio.Task[None]] = WeakValueDictionary()
        """Attempts at promised sends by their numbers."""
        self._promising: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        """Locks of the sends whose files are being stored now, by their numbers."""

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
        return self._logins.is_active or self.client.state in _LOGGED_IN

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
                if `is_started`; otherwise its promised sends cannot be read, and it does nothing.
        """
        self._tasks = []
        await self._promised.load()
        await self._promised_files.load()
        await self._kept.delete_all_but(self._promised_files.promises)
        loop = asyncio.get_running_loop()
        opened = None
        try:
            opened = await self._open()
        finally:
            works = (self._sync(opened), self._promised.run(), self._promised_files.run())
            self._tasks = [loop.create_task(work) for work in works]

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
        await self._logins.cancel()
        try:
            if self._sending:
                await asyncio.wait(self._sending, timeout=patience)
        finally:  # a cancellation ends the patience
            await cancel_until_done([*self._tasks, *self._sending])

    def fail(self, error: str) -> None:
        """Show why the account was not started."""
        self._set_error(error)

    def hand_over(self) -> None:
        """Refuse all calls from now on, because another process may run the account."""
        self._has_left = True

    def renew(self) -> None:
        """Read the saved login again once the present one has ended, because another process has replaced it."""
        self._is_renewed.set()

    async def delete_promises(self) -> None:
        """Delete the promises of background sends, after `close`, because the account is removed from the gateway."""
        for promised in (self._promised, self._promised_files):
            await promised.delete_all()
        await self._kept.delete_all_but(())

    def note_state(self, change: StateChange) -> None:
        """Store a change of the client's state."""
        self._since = self._clock()
        self._error = None if change.error is None else str(change.error)
        if change.state is LoginState.ONLINE:
            self._promised.wake()
            self._promised_files.wake()
        self._state_news.set()
        self._state_news = asyncio.Event()
        self._changed(self)

    async def wait_for_login(self) -> None:
        """Return once the account is logged in."""
        while self.client.state not in _LOGGED_IN:
            await self._state_news.wait()

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

    def take_promises(self, promises: Iterable[Promise]) -> None:
        """Make the sends that another process has stored."""
        for promise in promises:
            self._promised.take(promise)

    def load_promises_soon(self) -> None:
        """Read the sends that another process has just stored, and make them."""
        self._promised.load_soon()

    def note_confirmed_login(self) -> None:
        """Show that the latest login has succeeded, in another process."""
        self._logins.status = LoginStatus(state="confirmed")

    async def _open(self) -> AsyncClient:
        client = await self._accounts.open(self.name)
        newest = await client.subscribe(CONSUMER).part.find(EntryQuery(limit=1))
        self.newest = max(self.newest, newest[0].number if newest else 0)
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
            last_sync_at=client.last_sync_at, error=self._error, queued=len(self._promised) + len(self._promised_files),
            settings=self.settings, pending_settings=self.has_pending_settings,
        )  # fmt: skip

    # -- login -------------------------------------------------------------------------------------------------------

    async def begin_login(self, method: LoginMethod) -> LoginStatus:
        """Begin a login, or return the one in progress."""
        await self._prepare_login(self)
        return self._logins.begin(asks_phone=method == "push")

    def login(self) -> LoginStatus | None:
        """Return the latest login."""
        return self._logins.status

    def watch_login(self) -> AsyncGenerator[LoginStatus, None]:
        """Yield the present step of the login and each further one."""
        return self._logins.watch()

    async def cancel_login(self) -> bool:
        """Stop a login in progress."""
        return await self._logins.cancel()

    async def check(self) -> AccountStatus:
        """Ask the platform whether the login is valid."""
        with contextlib.suppress(LoggedOut):  # the status says so
            await self.client.check()
        return await self.status()

    # -- sends -------------------------------------------------------------------------------------------------------

    async def send(self, to: str | int, content: Content, *, key: str = "", wait: float = 25.0) -> Sent:
        """Send a message, and wait for its outcome."""
        key = key or own_key()
        if isinstance(content, TextContent):
            return await self._send_text(to, content, key, wait)
        return await self._send_file(to, content, key, wait)

    async def _send_text(self, to: str | int, content: TextContent, key: str, wait: float) -> Sent:
        task = self._track(self.client.send_text(to, content.text, key=key))
        if await self._is_decided(task, wait):
            return _sent(task.result())
        row = await self.client.find_send(key=key)
        if row is None:
            task.cancel()
            raise GatewayProblem("unavailable", "The send could not be stored in time; nothing was sent.")
        if task.done():
            await self._promised.add(Promise(row.number))
        return Sent(client_id=row.client_id, state=row.state, receipt=row.receipt)

    async def _send_file(self, to: str | int, content: MediaContent, key: str, wait: float) -> Sent:
        kept = await self._kept.keep(content.path)
        task = self._sending_files[key] = self._track(self._upload(to, content.kind, kept, content.name, key))
        try:
            if await self._is_decided(task, wait):
                receipt = task.result()
                await self._kept.discard(kept)
                return _sent(receipt)
            row = await self._queue_file(to, content, kept, key)
        except WxError:
            task.cancel()
            await self._kept.discard(kept)
            raise
        return await self._promise_file(row, kept)

    async def _is_decided(self, task: asyncio.Task[Receipt], wait: float) -> bool:
        """Return whether a send has an outcome after some seconds; False if it is queued and may be sent later."""
        done, _ = await asyncio.wait([task], timeout=wait)
        return bool(done) and not isinstance(task.exception(), _QUEUED)

    async def _promise_file(self, row: Outgoing, kept: str) -> Sent:
        """Promise to send a file in the background, unless it was sent or promised already."""
        async with self._promising.setdefault(row.number, asyncio.Lock()):
            if row.state in {"queued", "sending"} and self._promised_files.find(row.number) is None:
                promise = Promise(row.number, kept)
                async with self._kept.stored(promise):
                    await self._promised_files.add(promise)
            else:
                await self._kept.discard(kept)
        return Sent(client_id=row.client_id, state=row.state, receipt=row.receipt)

    async def _queue_file(self, to: str | int, content: MediaContent, kept: str, key: str) -> Outgoing:
        """Store the send of a kept file in the outbox, or return the existing send with the key."""
        sha256 = await asyncio.to_thread(sha256_of, str(self._kept.path(kept)))
        return await self.client.queue_file(to, content.name, kind=content.kind, key=key, sha256=sha256)

    def _upload(
        self, to: str | int, kind: str, kept: str, name: str, key: str
    ) -> Coroutine[Any, Any, Receipt]:  # fmt: skip
        """Return a coroutine that sends a kept file."""
        client, path = self.client, self._kept.path(kept)
        match kind:
            case "image":
                return client.send_image(to, path, name=name, key=key)
            case "video":
                return client.send_video(to, path, name=name, key=key)
            case "sticker":
                return client.send_sticker(to, path, name=name, key=key)
            case _:
                return client.send_file(to, path, name=name, key=key)

    def _track(self, sending: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(sending)
        self._sending.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone; the outbox has the outcome

    async def enqueue(self, to: str | int, text: str, *, key: str = "") -> Sent:
        """Store a text in the outbox, and send it in the background."""
        row = await self.client.queue_text(to, text, key=key or own_key())
        if row.state == "queued":
            await self._promised.add(Promise(row.number))
        return Sent(client_id=row.client_id, state=row.state, receipt=row.receipt)

    async def enqueue_file(self, to: str | int, content: MediaContent, *, key: str = "") -> Sent:
        """Store the send of a file in the outbox, and send it in the background."""
        kept = await self._kept.keep(content.path)
        try:
            row = await self._queue_file(to, content, kept, key or own_key())
        except WxError:
            await self._kept.discard(kept)
            raise
        return await self._promise_file(row, kept)

    def _keep_promise(self, promise: Promise) -> asyncio.Task[None]:
        """Return the task that makes an attempt at a promised send; there is one at a time."""
        task = self._keeping_promises.get(promise.number)
        if task is None or task.done():
            attempt = self._send_promised_file(promise) if promise.file else self._send_promised_text(promise)
            task = self._keeping_promises[promise.number] = self._track(attempt)
        return task

    async def _send_promised_text(self, promise: Promise) -> None:
        self._require_begun()
        await self.client.retry_send(promise.number)

    async def _send_promised_file(self, promise: Promise) -> None:
        """
        Send a promised file, or continue with the send of it that is in progress.

        Raises:
            ConnectFailed: The file could not be uploaded, and the send is still queued.
            NoSuchFile: The file is gone, and the send has failed.
            StorageError: The file cannot be read now, and the send is still queued.
        """
        self._require_begun()
        row = await self.client.find_send(number=promise.number)
        if row is not None and (running := self._sending_files.get(row.key)) is not None:
            await asyncio.wait([running])
            row = await self.client.find_send(number=promise.number)
        if row is None or row.state != "queued":  # it was deleted, or has an outcome
            return
        await self._kept.fetch(promise)
        try:
            await self._track(self._upload(row.chat, row.kind, promise.file, row.text, row.key))
        except NoSuchFile:
            raise NoSuchFile("The file of this send is not stored any more; send it again with the same key.") from None
        except TransportError as error:
            row = await self.client.find_send(number=promise.number)
            if row is not None and row.state == "queued":
                raise ConnectFailed("The file could not be uploaded.") from error
            raise

    def _require_begun(self) -> None:
        if self.client.state in {LoginState.NEW, LoginState.LOGGING_IN}:
            raise NotLoggedIn("The account is not logged in yet.")

    async def retry_send(self, client_id: str, *, wait: float = 25.0) -> Sent:
        """Send a queued or refused text again, or a queued file that is kept here, under its id."""
        row = await required_send(self.client, client_id)
        for promises in (self._promised, self._promised_files):
            promise = promises.find(row.number)
            if promise is not None:
                task = self._keep_promise(promise)
                done, _ = await asyncio.wait([task], timeout=wait)
                if not done:
                    row = await required_send(self.client, client_id)
                    return Sent(client_id=client_id, state=row.state, receipt=row.receipt)
                task.result()
                promises.wake()
        return _sent(await self._track(self.client.retry_send(row.number)))

    # -- messages ----------------------------------------------------------------------------------------------------

    async def forward(self, number: int, to: str | int, *, key: str = "") -> Sent:
        """Forward an event by its number, recalled or not."""
        event = await required_event(self.client, number)
        receipt = await self._track(self.client.forward(event, to, key=key))
        return Sent(client_id=receipt.client_id, state="sent", receipt=receipt)

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


def _sent(receipt: Receipt) -> Sent:
    return Sent(client_id=receipt.client_id, state="sent", receipt=receipt)
