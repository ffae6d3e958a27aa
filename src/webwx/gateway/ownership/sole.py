"""The port with clients in this process: the accounts of one storage, the same as those of the command line."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from webwx.client.sending.rate_limit import RateLimit
from webwx.errors import StorageError, TooManyOpenFiles, WxError
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.event_pages import EventPages
from webwx.gateway.accounts.local_account import LocalAccount
from webwx.gateway.accounts.media_cache import MediaCache
from webwx.gateway.accounts.numbers import AccountNumbers, NumberedAccount
from webwx.gateway.accounts.send_changes import SendChanges
from webwx.gateway.bots.bots import HostedBots
from webwx.gateway.config import LimitsTable
from webwx.gateway.ownership.opened_accounts import OpenedAccounts
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.process.open_files import OpenFiles, raise_limit
from webwx.gateway.sends.other_processes import OtherProcesses
from webwx.gateway.sends.send_files import FolderSendFiles
from webwx.override import override
from webwx.representations.accounts import AccountSettings
from webwx.storage.account_folder import check_account_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection
    from pathlib import Path

    from webwx.client.accounts import Accounts
    from webwx.client.state import StateChange
    from webwx.gateway.accounts.account import AccountStatus, SendChange
    from webwx.storage.tables.records import RecordStore

_log = logging.getLogger("webwx.gateway")

_LOOK_EVERY = 2.0
"""Seconds between two checks for logins that other processes have saved."""


class LocalGateway(GatewayAccounts):
    """
    The accounts of one storage, with clients in this process.

    Args:
        make_accounts: Creates the accounts; its argument is called with each change of a client's state.
        home: Folder for the files of the gateway.
        records: Stores the numbers of the accounts.
        limits: Returns the limits of downloaded media, which may change.
        bots: Bots that run on the accounts; default: none.
        rate_limit: Rate limit of the accounts whose settings turn it on.
        clock: Returns seconds since 1970.
        open_files: Counts the files that accounts and consumers need.
    """

    def __init__(
        self,
        make_accounts: Callable[[Callable[[str, StateChange], object]], Accounts],
        home: Path,
        records: RecordStore,
        *,
        limits: Callable[[], LimitsTable] = LimitsTable,
        bots: HostedBots | None = None,
        rate_limit: RateLimit = RateLimit(),  # noqa: B008 - a frozen value
        clock: Callable[[], float] = time.time,
        open_files: OpenFiles | None = None,
    ) -> None:
        self._accounts = make_accounts(self._note_state)
        self._accounts.on_send = self._note_send
        self._home = home
        self._records = records
        self._numbers = AccountNumbers(records, clock)
        self._bots = bots or HostedBots()
        self._open_files = open_files or OpenFiles(bots=len(self._bots.names))
        self._opened = OpenedAccounts(self._accounts, self._bots, rate_limit, keeps_trying=True)
        self.followers = self._opened.followers
        self._running: dict[int, AsyncExitStack] = {}
        """Ends the work of each account whose work has begun, by its number."""
        self._configuring = asyncio.Lock()
        """Held while the client of an account is replaced."""
        self._adding = asyncio.Lock()
        """Held while saved logins add accounts, and while an account is removed, which its login must not add again."""
        self._clock = clock
        self._media = MediaCache(home / "gateway-media", limits, clock)
        self._tasks: list[asyncio.Future[NoReturn]] = []
        self._changes: dict[str, int] = {}
        """A number for each saved login, which differs after each change of it."""
        self._fingerprints: dict[int, object] = {}
        """What `Accounts.fingerprint` returned when the background sends of each account were last read."""
        self.events = EventPages(lambda number: self.account(number).events)
        self._send_changes = SendChanges(self.account)
        self._other_processes = OtherProcesses(
            self._send_changes, self._opened.by_number.values, self._accounts.fingerprint, clock
        )
        self._watchers: set[asyncio.Queue[LocalAccount]] = set()

    def __repr__(self) -> str:
        return f"LocalGateway({len(self._opened.by_number)} accounts)"

    @property
    def is_shared(self) -> bool:
        """Whether other gateways use the storage: at most one runs on a folder."""
        return False

    # -- life --------------------------------------------------------------------------------------------------------

    @override
    async def start(self) -> None:
        raise_limit()
        for numbered in await self._numbers.find():
            await self._open(numbered)
        await self.open_new_logins()
        self._tasks = [asyncio.ensure_future(self._media.run()), asyncio.ensure_future(self._keep_opening_logins())]

    async def open_new_logins(self) -> None:
        """Open the accounts whose logins another process, such as `webwx login`, has saved since the last call."""
        async with self._adding:
            before, self._changes = self._changes, await self._accounts.list_changes()
            for name, changes in self._changes.items():
                if before.get(name) != changes:
                    try:
                        account = await self.add_account(name)
                    except TooManyOpenFiles as error:  # the others are opened, and this one at a later start
                        _log.warning("A saved login cannot be opened: %s", error)
                    else:
                        account.renew()

    async def _keep_opening_logins(self) -> NoReturn:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await self.open_new_logins()
            except WxError as error:
                _log.warning("a saved login cannot be opened: %s", error)
            self.look_for_sends()

    def look_for_sends(self) -> None:
        """Make the background sends that another process, such as a program, has stored since the last call."""
        for account in self._opened.by_number.values():
            with contextlib.suppress(StorageError):  # it was closed, or cannot be read now
                present = self._accounts.fingerprint(account.name)
                if present is not None and present != self._fingerprints.get(account.number):
                    self._fingerprints[account.number] = present
                    account.sends.look_at_all()

    def begin_closing(self) -> None:
        """Do nothing: no other gateway could continue."""

    def stop_waiting(self) -> None:
        """Close without waiting for sends in progress."""
        self._opened.patience = 0.0

    @override
    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._other_processes.end()
        await self._bots.close()
        await asyncio.gather(*(running.aclose() for running in self._running.values()))
        await self._accounts.close()

    async def _open(self, numbered: NumberedAccount) -> LocalAccount:
        account = LocalAccount(
            numbered.number, numbered.name, self._accounts, self._records, self._media,
            FolderSendFiles(self._home / "gateway-sends" / f"{numbered.number}"), self._clock,
            partial(self.events.wake, (numbered.number,)),
            self._notify_watchers, self._apply_settings, consumers=self._opened.consumers_of,
            open_files=self._open_files,
        )  # fmt: skip
        account.label, account.settings = numbered.label, numbered.settings
        try:
            self._open_files.add_account(account.number)
        except TooManyOpenFiles as error:  # it can be removed, and others can be removed for it
            self._opened.add(account)
            account.fail(error)
            return account
        async with AsyncExitStack() as closing:
            closing.callback(self._open_files.remove_account, account.number)
            await closing.enter_async_context(self._opened.running(account))
            self._running[account.number] = closing.pop_all()
        return account

    def _note_state(self, name: str, change: StateChange) -> None:
        account = self._opened.by_name.get(name)
        if account is not None:
            account.note_state(change)

    def _note_send(self, name: str, number: int) -> None:
        account = self._opened.by_name.get(name)
        if account is not None:
            account.sends.note_change()
            self._send_changes.note(account.number, number)

    def _notify_watchers(self, account: LocalAccount) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(account)

    # -- accounts ----------------------------------------------------------------------------------------------------

    @override
    async def list_accounts(self) -> list[AccountStatus]:
        return [await account.status() for _, account in sorted(self._opened.by_number.items())]

    @override
    async def list_numbers(self) -> list[int]:
        return sorted(self._opened.by_number)

    @override
    def require_consumers(self, count: int) -> None:
        self._open_files.require(consumers=count)

    async def list_owned(self) -> list[int]:
        """Return the numbers of the accounts that run here: all of them."""
        return await self.list_numbers()

    @override
    async def add_account(self, name: str, settings: AccountSettings = AccountSettings()) -> LocalAccount:  # noqa: B008 - a frozen value
        check_account_name(name)
        found = self._opened.by_name.get(name)
        if found is not None:
            return found
        if settings.host is not None:
            self._accounts.check_host(settings.host)
        self._open_files.require(accounts=1)
        return await self._open(await self._numbers.add(name, settings))

    @override
    async def label_account(self, number: int, label: str) -> None:
        account = self.account(number)
        await self._numbers.change(NumberedAccount(number, account.name, label, account.settings))
        account.label = label
        self._notify_watchers(account)

    async def configure_account(self, number: int, settings: AccountSettings) -> None:
        """Store the settings of an account, and apply them at once unless it is logged in or logging in."""
        account = self.account(number)
        if settings.host != account.settings.host:
            if await self._accounts.has_logged_in(account.name):
                raise GatewayProblem(
                    "conflict",
                    "The account has messages of its present host; add another account for another host.",
                    field="settings.host",
                )
            if settings.host is not None:
                self._accounts.check_host(settings.host)
        await self._numbers.change(NumberedAccount(number, account.name, account.label, settings))
        account.settings = settings
        await self._apply_settings(account)
        self._notify_watchers(account)

    async def _apply_settings(self, account: LocalAccount) -> None:
        """Replace the client of an account that has pending settings, unless the account is in use."""
        async with self._configuring:
            is_running = account.number in self._running and self._opened.by_number.get(account.number) is account
            if is_running and account.has_pending_settings and not account.is_in_use:
                await self._opened.restart(account)

    async def remove_account(self, number: int) -> bool:
        """Remove an account from the gateway; its journal stays."""
        async with self._adding:
            account = self._opened.by_number.get(number)
            if account is None:
                return False
            self._opened.remove(account)
            async with self._configuring:
                running = self._running.pop(number, None)
                if running is not None:
                    await running.aclose()
            await account.sends.end_background()
            await self._numbers.remove(account.name)
            await self._accounts.configure(account.name)  # a new account of this name may have another host
            found = await self._accounts.list_changes()
            self._changes[account.name] = found.get(account.name, 0)  # so that its saved login does not add it again
        return True

    @override
    def find_account(self, which: str) -> int | None:
        if which.isascii() and which.isdecimal() and len(which) < 10 and int(which) in self._opened.by_number:
            return int(which)
        account = self._opened.by_name.get(which)
        return None if account is None else account.number

    @override
    def account(self, number: int) -> LocalAccount:
        try:
            return self._opened.by_number[number]
        except KeyError:
            raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.") from None

    # -- events ------------------------------------------------------------------------------------------------------

    @override
    def watch_sends(self, accounts: Collection[int] | None = None) -> AsyncGenerator[SendChange, None]:
        changes = self._send_changes.watch(accounts)
        self._other_processes.begin()
        return changes

    @override
    async def watch_states(self, *, owned: bool = False) -> AsyncGenerator[AccountStatus, None]:
        del owned  # all accounts run here
        queue: asyncio.Queue[LocalAccount] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while True:
                yield await (await queue.get()).status()
        finally:
            self._watchers.discard(queue)
