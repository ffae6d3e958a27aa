"""
The port of a gateway whose accounts run on several machines, which share one database.

This process runs the accounts that it owns under its lease, like the accounts of a gateway of its own. Every other
account is read from the database. Which account has which number is stored in the shared records.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from contextlib import AsyncExitStack
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import msgspec

from webwx.client.cancellation import cancel_until_done
from webwx.client.sending.rate_limit import RateLimit
from webwx.cluster.reachable import until_reachable
from webwx.cluster.staggered_starts import StaggeredStarts
from webwx.cluster.worker import ClusterWorker
from webwx.errors import StorageError
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.database_account import DatabaseAccount
from webwx.gateway.accounts.event_pages import EventPages
from webwx.gateway.accounts.local_account import LocalAccount
from webwx.gateway.accounts.login_places import LoginPlace
from webwx.gateway.accounts.media_cache import MediaCache
from webwx.gateway.accounts.numbers import AccountNumbers, NumberedAccount
from webwx.gateway.accounts.send_changes import SendChanges
from webwx.gateway.bots.bots import HostedBots
from webwx.gateway.config import LimitsTable
from webwx.gateway.forwarding.forwarding import Elsewhere
from webwx.gateway.ownership.directory import ClusterDirectory
from webwx.gateway.ownership.opened_accounts import OpenedAccounts
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.process.full_collections import FULL_COLLECTIONS
from webwx.gateway.sends.send_files import FolderSendFiles, SharedSendFiles
from webwx.override import override
from webwx.representations.accounts import AccountSettings
from webwx.storage.account_folder import check_account_name
from webwx.storage.refusals import NotOwner
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from webwx.client.accounts import Accounts, LoginProgress
    from webwx.client.client import AsyncClient
    from webwx.client.state import StateChange
    from webwx.cluster.ownership import Ownership
    from webwx.gateway.accounts.account import AccountStatus, SendChange
    from webwx.model.login import Account
    from webwx.storage.account_folder import LoginName
    from webwx.storage.base import Storage
    from webwx.storage.leases import Leases, SharedStorage
    from webwx.storage.saved_login import LoginStore
    from webwx.storage.tables.records import RecordStore

_log = logging.getLogger("webwx.gateway")

_LOOK_EVERY = 0.5
"""Seconds between two looks at the accounts and states that other gateways have stored."""

_REST = 3.0
"""Pause between two such looks, in durations of the last one: the accounts of a large installation take some time."""

_LOOK_FOR_SENDS = 1.0
"""Seconds between two looks at sends that other gateways have changed, in case an announcement was lost."""

_PUBLISH_EVERY = 600.0
"""Seconds after which the states of the accounts that run here are published again, for the times of their polls."""

_PUBLISHED_AT_ONCE = 100
"""Maximum number of states that are published in one transaction."""

_ALL = 1_000_000
"""Number of sends that is never reached."""

_RETRY = 1.0
"""Seconds until the sync of an account is tried again after a failure."""

_STARTS = 50
"""Number of accounts that start at the same time: thousands would keep the event loop from everything else."""

_LONGEST_START = 10.0
"""Seconds after which an account that has not begun to poll does not count as starting any more."""

_LAST_STEP = 10.0
"""Seconds that a login has to end after a worker has taken its account."""


class NodeAddress(NamedTuple):
    """A process among those that share the database."""

    worker: str
    """Its id among the workers."""
    address: str
    """Address of its listener, for the other gateways."""
    capacity: int
    """Number of accounts that it runs at most; 0: it only answers requests."""


class ClusterStorage(NamedTuple):
    """The shared database, as the different parts of a gateway open it."""

    owned: SharedStorage
    """Writes to the accounts that this process owns."""
    shared: Storage
    """Reads all accounts."""
    open_for_login: Callable[[], Storage]
    """Opens the database for one login of an account without an owner."""


def owned_login(storage: SharedStorage, uins: Mapping[str, int], name: LoginName) -> LoginStore:
    """
    Return the store of the login of an account that runs here, written under the fence of the account.

    Args:
        storage: The storage.
        uins: The platform's numbers of the accounts that run here, by their names.
        name: Name of the login.

    Raises:
        NotOwner: This process does not run the account.
    """
    uin = uins.get(name.account)
    if uin is None:
        raise NotOwner("This process does not run the account any more.")
    return storage.owned_login(name, uin)


class ClusterGateway(GatewayAccounts):
    """
    The accounts of a database that several machines share.

    Args:
        storage: The database.
        node: This process.
        ownership: The accounts that this process owns.
        leases: Which process owns which account.
        make_accounts: Creates accounts of a storage; its second argument is called with each change of a client's
            state.
        login_name: Returns the name of the login of an account by its name and the host in its settings.
        home: Folder for the files of this gateway.
        records: Stores what all gateways share.
        limits: Returns the limits of downloaded media, which may change.
        bots: Bots that run on the accounts; default: none.
        rate_limit: Rate limit of the accounts whose settings turn it on.
        on_open: Called with an account and the number of its bots when this process begins to run it.
        look_for_sends: Seconds between two looks at sends that other gateways have changed, in case an announcement was
            lost.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self,
        storage: ClusterStorage,
        node: NodeAddress,
        ownership: Ownership,
        leases: Leases,
        make_accounts: Callable[[Storage, Callable[[str, StateChange], object]], Accounts],
        login_name: Callable[[str, str | None], LoginName],
        home: Path,
        records: RecordStore,
        *,
        limits: Callable[[], LimitsTable] = LimitsTable,
        bots: HostedBots | None = None,
        rate_limit: RateLimit = RateLimit(),  # noqa: B008 - a frozen value
        on_open: Callable[[Account, int], object] = lambda account, bots: None,  # noqa: ARG005
        look_for_sends: float = _LOOK_FOR_SENDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.node = node
        self.directory: ClusterDirectory = ClusterDirectory(
            storage.owned, AccountNumbers(records, clock), records, leases, login_name, clock
        )
        """What all gateways know of all accounts."""
        self._storage = storage
        self._ownership = ownership
        self._leases = leases
        self._make_accounts = make_accounts
        self._copies = home / "gateway-copies"
        """Folder with copies of the files of sends, in a folder for each process."""
        self._records = records
        self._on_open = on_open
        self._look_for_sends = look_for_sends
        self._clock = clock
        self._media = MediaCache(home / "gateway-media", limits, clock)
        self._worker = ClusterWorker(ownership, self)
        self._uins: dict[str, int] = {}
        """The platform's numbers of the accounts that run here by their names."""
        self._accounts = make_accounts(storage.owned, self._note_state)
        self._accounts.login_of = partial(owned_login, storage.owned, self._uins)
        self._accounts.on_send = self._note_send
        self._readers = make_accounts(storage.shared, lambda name, change: None)  # noqa: ARG005
        self._opened = OpenedAccounts(self._accounts, bots or HostedBots(), rate_limit, keeps_trying=False)
        self.followers = self._opened.followers
        self._owned = self._opened.by_number
        """The accounts that run here by their numbers."""
        self._starts = StaggeredStarts(_STARTS)
        self._stored: dict[int, DatabaseAccount] = {}
        self.events = EventPages(lambda number: self.account(number).events)
        self._send_changes = SendChanges(self.account)
        self._watchers: dict[asyncio.Queue[AccountStatus], bool] = {}
        """The readers of states; True: of the accounts that run here only."""
        self._unpublished: dict[int, AccountStatus] = {}
        self._has_unpublished = asyncio.Event()
        self._tasks: list[asyncio.Future[NoReturn]] = []
        self._leaving: asyncio.Task[None] | None = None
        """The handover of all accounts at the end."""

    def __repr__(self) -> str:
        return f"ClusterGateway({len(self._owned)} accounts run here)"

    @property
    def is_shared(self) -> bool:
        """Whether other gateways use the database: they may at any time."""
        return True

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the other gateways, and begin to run accounts."""
        await until_reachable(self.directory.load)
        live = await until_reachable(self.directory.live_workers)
        await asyncio.to_thread(_delete_copies_of_dead, self._copies, live)
        works = (
            self._media.run(), self._follow_news(), self._keep_current(), self._keep_looking_for_sends(),
            self._keep_publishing(), self._refresh_states(),
        )  # fmt: skip
        self._tasks = [asyncio.ensure_future(work) for work in works]
        await self._worker.start(self.node.address, capacity=self.node.capacity)

    def begin_closing(self) -> None:
        """Begin to hand all accounts over; requests for them are then answered as for accounts that run elsewhere."""
        self._leave()

    def stop_waiting(self) -> None:
        """Hand the accounts over without waiting for running handlers and sends in progress."""
        self._leave().cancel()

    def _leave(self) -> asyncio.Task[None]:
        """Return the task that hands all accounts over; its cancellation ends the wait for handlers and sends."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._worker.stop())
        return self._leaving

    async def close(self) -> None:
        """Hand all accounts over, and close everything."""
        async with AsyncExitStack() as closing:
            closing.callback(shutil.rmtree, self._copies / self.node.worker, ignore_errors=True)
            closing.push_async_callback(self._accounts.close)
            closing.push_async_callback(self._readers.close)
            for account in self._stored.values():
                closing.push_async_callback(account.close)
            closing.push_async_callback(self._end_tasks)
            await self._leave()
            await self._publish()

    async def _end_tasks(self) -> None:
        await cancel_until_done(self._tasks)

    async def _follow_news(self) -> NoReturn:
        """Wake the readers of events that any process has stored, and what depends on changed sends."""
        while True:
            async for news in self._storage.owned.moved():
                if news.entries:
                    self._note_heads(news.entries)
                for number in self.directory.numbers_of(news.sends):
                    self._note_changed_sends(number)

    def _note_heads(self, heads: Mapping[int, int]) -> None:
        self.directory.note_heads(heads)
        numbers = self.directory.numbers_of(heads)
        for number in numbers:
            if number in self._stored:
                stored = self._stored[number]
                stored.events.newest = max(stored.events.newest, self.directory.newest(number))
        self.events.wake(numbers)

    def _note_changed_sends(self, number: int) -> None:
        if number in self._owned:
            self._owned[number].sends.look()
            self._owned[number].sends.note_change()
        if number in self._stored:
            self._stored[number].sends.note_change()
        self._send_changes.note(number)

    def _note_send(self, name: str, number: int) -> None:
        """Note a changed send of an account that runs here, for the readers of this process."""
        account = self._opened.by_name.get(name)
        if account is not None:
            account.sends.note_change()
            self._send_changes.note(account.number, number)

    async def announce_sends(self, number: int) -> None:
        """Announce to all gateways at once that sends of an account have changed, because one of them waits for it."""
        uin = self.directory.uin_of(number)
        if uin is not None:
            await self._storage.owned.announce_sends(uin)

    async def _keep_current(self) -> NoReturn:
        """Read what other gateways have stored; a read that takes long is followed by a longer pause."""
        loop, pause = asyncio.get_running_loop(), _LOOK_EVERY
        while True:
            await asyncio.sleep(pause)
            began = loop.time()
            try:
                await self._refresh()
                await self._pass_states_on()
            except StorageError as error:
                _log.debug("What other gateways have stored cannot be read now: %s", error)
            pause = max(_LOOK_EVERY, _REST * (loop.time() - began))

    async def _refresh(self) -> None:
        """Read the accounts again if they have changed, and apply the changes to what runs here."""
        if await self.directory.refresh():
            self._apply_changes()
            self.events.wake(self.directory.by_number)  # events may have come before their accounts were known

    def _apply_changes(self) -> None:
        """Note the labels and settings that other gateways have stored for accounts that run here."""
        for number, account in self._owned.items():
            stored = self.directory.by_number.get(number)
            if stored is not None and (stored.label, stored.settings) != (account.label, account.settings):
                account.label, account.settings = stored.label, stored.settings
                self._note_change(account)

    async def _keep_looking_for_sends(self) -> NoReturn:
        """Find the sends that were stored for accounts that run here, and whose announcement was lost."""
        while True:
            await asyncio.sleep(self._look_for_sends)
            try:
                if self._owned:
                    counts = await self._storage.owned.background_sends()
                    for account in self._owned.values():
                        account.sends.look(counts.get(self._uins[account.name], 0))
            except StorageError as error:
                _log.debug("The sends that other processes have stored cannot be read now: %s", error)

    async def _pass_states_on(self) -> None:
        """Pass the changed states of accounts that run elsewhere to the readers of states."""
        if not all(self._watchers.values()):
            for status in await self.directory.changed_statuses():
                if status.number not in self._owned:
                    self._pass_on(status, runs_here=False)

    # -- accounts that run here --------------------------------------------------------------------------------------

    async def run(self, account: int) -> None:
        """
        Run an account until its login ends, or until this is cancelled.

        Raises:
            StorageError: The database cannot be reached, or this process does not own the account any more.
            InvalidLogin: The saved login cannot be read.
        """
        async with AsyncExitStack() as closing:
            with FULL_COLLECTIONS.put_off():
                async with self._starts.turn():
                    opened = await self._start(account, closing)
            if opened is None:
                return
            await opened.wait_for_logout()
        if opened.is_ended:
            with contextlib.suppress(NotOwner):  # the next owner finds the sends of an account that was removed
                await self._storage.owned.send_files(account).delete_all_but(())

    async def _start(self, uin: int, closing: AsyncExitStack) -> LocalAccount | None:
        """Open an account, and return it once it polls, or cannot do that yet; None if it is not to be run."""
        name = await self._storage.owned.name_of(uin)
        if name is None:
            return None
        saved = await self._storage.owned.owned_login(name, uin).load()
        if saved is None or saved.ended is not None:
            return None
        numbered = await self.directory.number_login(name, uin, profile=saved.login.profile_name)
        if numbered is None:
            _log.warning("An account is not run, because its name belongs to an account of another host.")
            return None
        opened = await self._open(numbered, uin, closing)
        with contextlib.suppress(TimeoutError):  # a server that does not answer must not delay the other accounts
            async with asyncio.timeout(_LONGEST_START):
                await opened.has_begun.wait()
        return opened

    async def _open(
        self, numbered: NumberedAccount, uin: int, closing: AsyncExitStack
    ) -> LocalAccount:  # fmt: skip
        number, name = numbered.number, numbered.name
        has_logged_in = await self._end_login(number)
        self._uins[name] = uin
        closing.callback(self._uins.pop, name, None)
        closing.push_async_callback(self._close_client, name)
        copies = self._copies / self.node.worker / f"{number}"
        closing.push_async_callback(FolderSendFiles(copies).delete_all_but, ())
        account = LocalAccount(
            number, name, self._accounts, self._records, self._media,
            SharedSendFiles(copies, self._storage.owned.send_files(uin)), self._clock,
            partial(self.events.wake, (number,)),
            self._note_change, _do_nothing, announce_sends=partial(self.announce_sends, number),
            consumers=self._opened.consumers_of, retry=_RETRY,
        )  # fmt: skip
        account.label, account.settings = numbered.label, numbered.settings
        if has_logged_in:
            account.logins.note_confirmed()
        closing.callback(account.hand_over)
        bots = await closing.enter_async_context(self._opened.running(account))
        self._on_open(account.client.account, bots)
        self._note_change(account)
        return account

    async def _end_login(self, number: int) -> bool:
        """Wait for the end of a login that has begun before the account had an owner; return whether there was one."""
        stored = self._stored.get(number)
        if stored is not None:
            await stored.logins.wait(_LAST_STEP)
        return await self.directory.logins.forget(number)

    async def _close_client(self, name: str) -> None:
        with contextlib.suppress(StorageError):  # another process owns the account, which has its own login
            await self._accounts.configure(name)

    def _note_state(self, name: str, change: StateChange) -> None:
        account = self._opened.by_name.get(name)
        if account is not None:
            account.note_state(change)

    def _note_change(self, account: LocalAccount) -> None:
        self._pass_on(account.present_status(), runs_here=True)
        self._publish_soon(account)

    def _publish_soon(self, account: LocalAccount) -> None:
        """Publish the state of an account with the settings of its present client."""
        self._unpublished[account.number] = msgspec.structs.replace(
            account.present_status(), settings=account.settings_in_use
        )
        self._has_unpublished.set()

    def _pass_on(self, status: AccountStatus, *, runs_here: bool) -> None:
        for watcher, is_for_owner in self._watchers.items():
            if runs_here or not is_for_owner:
                watcher.put_nowait(status)

    async def _keep_publishing(self) -> NoReturn:
        while True:
            await self._has_unpublished.wait()
            self._has_unpublished.clear()
            try:
                await self._publish()
            except StorageError:
                await asyncio.sleep(_RETRY)
                self._has_unpublished.set()

    async def _publish(self) -> None:
        while some := dict(islice(self._unpublished.items(), _PUBLISHED_AT_ONCE)):
            await self.directory.states.put(*some.values())
            for number, status in some.items():
                if self._unpublished.get(number) is status:
                    del self._unpublished[number]

    async def _refresh_states(self) -> NoReturn:
        while True:
            await asyncio.sleep(_PUBLISH_EVERY)
            for account in self._owned.values():
                self._publish_soon(account)

    # -- accounts ----------------------------------------------------------------------------------------------------

    @override
    async def list_accounts(self) -> list[AccountStatus]:
        statuses = await self.directory.list_statuses(
            {number for number, account in self._stored.items() if account.logins.is_active}
        )
        return [
            status if (account := self._owned.get(status.number)) is None else await account.status()
            for status in statuses
        ]

    @override
    async def list_numbers(self) -> list[int]:
        return sorted(self.directory.by_number)

    def require_consumers(self, count: int) -> None:
        """Do nothing: consumers are rows of a database, and need no files."""

    async def list_owned(self) -> list[int]:
        """Return the numbers of the accounts that run here, in their order."""
        return sorted(self._owned)

    async def add_account(
        self,
        name: str,
        settings: AccountSettings = AccountSettings(),  # noqa: B008 - a frozen value
    ) -> LocalAccount | DatabaseAccount:
        """Add an account; return the existing one with that name."""
        check_account_name(name)
        if settings.host is not None:
            self._accounts.check_host(settings.host)
        numbered = await self.directory.add(name, settings)
        return self.account(numbered.number)

    async def label_account(self, number: int, label: str) -> None:
        """Store the name that the user wants to see for an account."""
        numbered = self._numbered(number)
        await self.directory.change(NumberedAccount(number, numbered.name, label, numbered.settings))
        account = self._owned.get(number)
        if account is not None:
            account.label = label
            self._note_change(account)

    async def configure_account(self, number: int, settings: AccountSettings) -> None:
        """Store the settings of an account; they apply when its login has ended, or another process runs it."""
        numbered = self._numbered(number)
        if settings.host != numbered.settings.host:
            if self.directory.uin_of(number) is not None:
                raise GatewayProblem(
                    "conflict",
                    "The account has messages of its present host; add another account for another host.",
                    field="settings.host",
                )
            if settings.host is not None:
                self._accounts.check_host(settings.host)
        await self.directory.change(NumberedAccount(number, numbered.name, numbered.label, settings))
        account = self._owned.get(number)
        if account is not None:
            account.settings = settings
            self._note_change(account)
        stored = self._stored.pop(number, None)
        if stored is not None:
            await stored.close()
            await self._readers.configure(numbered.name, host=settings.host)

    async def remove_account(self, number: int) -> bool:
        """Remove an account from the gateway; its login and its journal stay, and no process runs it."""
        numbered = self.directory.by_number.get(number)
        if numbered is None:
            return False
        account = self._owned.get(number)
        if account is not None:
            account.end()
        stored = self._stored.pop(number, None)
        if stored is not None:
            await stored.close()
        await self._end_background(numbered)
        await self.directory.remove(numbered)
        return True

    async def _end_background(self, numbered: NumberedAccount) -> None:
        """Leave the background sends of an account `queued`, because it is removed; it may have no owner."""
        uin = self.directory.uin_of(numbered.number)
        if uin is not None:
            outbox = self._storage.owned.journal(self.directory.login_name(numbered)).account(uin).outbox
            sends = await outbox.find(SendQuery(background=True, limit=_ALL))
            await outbox.end_background()
            files = self._storage.owned.send_files(uin)
            for send in sends:
                if send.file:
                    await files.delete(send.number)

    def find_account(self, which: str) -> int | None:
        """Return the number of an account by its number or name."""
        return self.directory.find(which)

    async def look_up_account(self, which: str) -> int | None:
        """Return the number of an account by its number or name, even if another gateway has just added it."""
        number = self.find_account(which)
        if number is None:
            await self._refresh()
            number = self.find_account(which)
        return number

    @override
    def account(self, number: int) -> LocalAccount | DatabaseAccount:
        owned = self._owned.get(number)
        if owned is not None:
            return owned
        stored = self._stored.get(number)
        if stored is None:
            numbered = self._numbered(number)
            stored = self._stored[number] = DatabaseAccount(
                numbered, _DatabaseAccess(self, numbered), look_every=self._look_for_sends
            )
        stored.events.newest = max(stored.events.newest, self.directory.newest(number))
        return stored

    def _numbered(self, number: int) -> NumberedAccount:
        try:
            return self.directory.by_number[number]
        except KeyError:
            raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.") from None

    # -- owners, for forwarded requests ------------------------------------------------------------------------------

    async def elsewhere(self, number: int, *, is_fresh: bool = False) -> Elsewhere | None:
        """
        Return the process that answers requests for an account; None if this one does.

        Args:
            number: Number of the account.
            is_fresh: Look the owner up again, because the process that was found before is not the owner.
        """
        if number in self._owned:
            return None
        owner = await self.directory.owner_of(number, is_fresh=is_fresh)
        if owner is not None and owner.worker is not None:
            if owner.worker == self.node.worker or owner.address is None:
                return None
            return Elsewhere(address=owner.address, epoch=owner.epoch)
        place = await self.directory.logins.get(number)
        if place is None or place.worker == self.node.worker or place.worker not in await self.directory.live_workers():
            return None
        return Elsewhere(address=place.address, epoch=0)

    def owns(self, number: int, epoch: int) -> bool:
        """
        Return whether this process answers forwarded requests for an account.

        While its work begins or ends here, they are answered as for an account that runs elsewhere.

        Args:
            number: Number of the account.
            epoch: Epoch of the owner to which the request was forwarded; 0: the login is made here.
        """
        if not epoch:
            stored = self._stored.get(number)
            return stored is not None and stored.logins.present is not None
        uin = self.directory.uin_of(number)
        try:
            return uin is not None and self._ownership.fence(uin).epoch == epoch
        except NotOwner:
            return False

    async def other_nodes(self) -> list[str]:
        """Return the addresses of the other processes that run accounts."""
        live = (await self.directory.live_workers()).values()
        return [each.address for each in live if each.accounts and each.worker != self.node.worker]

    # -- events ------------------------------------------------------------------------------------------------------

    @override
    def watch_sends(self, accounts: Collection[int] | None = None) -> AsyncGenerator[SendChange, None]:
        return self._send_changes.watch(accounts)

    @override
    async def watch_states(self, *, owned: bool = False) -> AsyncGenerator[AccountStatus, None]:
        queue: asyncio.Queue[AccountStatus] = asyncio.Queue()
        is_first = not owned and all(self._watchers.values())  # the states of other nodes were not looked at
        self._watchers[queue] = owned
        try:
            if is_first:
                with contextlib.suppress(StorageError):  # the first look reads them instead
                    await self.directory.begin_changes()
            while True:
                yield await queue.get()
        finally:
            del self._watchers[queue]

    # -- accounts that run elsewhere ---------------------------------------------------------------------------------

    def reader(self, name: str) -> AsyncClient:
        """Return a client without a login, which reads the journal of an account."""
        return self._readers.client(name)

    @contextlib.asynccontextmanager
    async def resumed(self, numbered: NumberedAccount) -> AsyncIterator[AsyncClient]:
        """Return a client with the saved login of an account, for as long as the context lasts."""
        accounts = self._make_accounts(self._storage.shared, lambda name, change: None)  # noqa: ARG005
        accounts.closes_journals = False  # others of this process read the same accounts
        try:
            await accounts.configure(numbered.name, host=numbered.settings.host)
            yield await accounts.open(numbered.name)
        finally:
            await accounts.close()

    async def log_in(self, numbered: NumberedAccount, *, asks_phone: bool) -> AsyncIterator[LoginProgress]:
        """Log an account in that has no owner, and yield each step; a worker takes the account afterwards."""
        storage = self._storage.open_for_login()
        accounts = self._make_accounts(storage, lambda name, change: None)  # noqa: ARG005
        try:
            await accounts.configure(numbered.name, host=numbered.settings.host)
            async for step in accounts.log_in(numbered.name, asks_phone=asks_phone):
                if step.account is not None:
                    await self._leases.want(step.account.uin)
                    await self.directory.number_login(
                        self.directory.login_name(numbered), step.account.uin, profile=step.account.host
                    )
                yield step
        finally:
            with contextlib.suppress(StorageError):  # a worker has taken the account already
                await accounts.close()
            await storage.close()


class _DatabaseAccess:
    """What is stored of one account that this process does not run."""

    def __init__(self, gateway: ClusterGateway, numbered: NumberedAccount) -> None:
        self._gateway = gateway
        self._numbered = numbered

    def reader(self) -> AsyncClient:
        return self._gateway.reader(self._numbered.name)

    def resumed(self) -> AbstractAsyncContextManager[AsyncClient]:
        return self._gateway.resumed(self._numbered)

    async def status(self, *, is_logging_in: bool) -> AccountStatus:
        return await self._gateway.directory.status(self._numbered.number, is_logging_in=is_logging_in)

    def log_in(self, asks_phone: bool) -> AsyncIterator[LoginProgress]:
        return self._gateway.log_in(self._numbered, asks_phone=asks_phone)

    async def begin_login(self) -> None:
        node = self._gateway.node
        await self._gateway.directory.logins.take(
            self._numbered.number, LoginPlace(worker=node.worker, address=node.address)
        )


def _delete_copies_of_dead(folder: Path, live: Collection[str]) -> None:
    """Delete the copies of processes that were killed."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name not in live:
                shutil.rmtree(path, ignore_errors=True)


async def _do_nothing(account: LocalAccount) -> None:
    """Do nothing before a login: the settings of an account apply when a process begins to run it."""
