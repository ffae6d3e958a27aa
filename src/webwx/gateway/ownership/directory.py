"""
What the gateways of one database know of all its accounts: numbers, logins, owners, states and newest events.

The accounts and the logins of their names are held in memory, and read again when their revision has changed. Owners
and states are read when they are needed, at most once a second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.accounts.account import AccountStatus
from webwx.gateway.accounts.login_places import LoginPlaces
from webwx.gateway.accounts.published_states import PublishedStates
from webwx.representations.accounts import AccountSettings, HostProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from webwx.gateway.accounts.numbers import AccountNumbers, NumberedAccount
    from webwx.storage.account_folder import LoginName
    from webwx.storage.leases import Leases, OwnedAccount, SharedStorage, WorkerRow
    from webwx.storage.tables.records import RecordStore

_FRESH = 1.0
"""Seconds for which what was read of owners, workers and states is used again."""

_RUNNING = frozenset(("online", "degraded", "logging_in"))
"""States of an account that a worker runs."""


class ClusterDirectory:
    """
    All accounts of the gateways of one database.

    Args:
        storage: The database.
        numbers: The numbers of the accounts.
        records: Stores what all gateways share.
        leases: Which process owns which account.
        login_name: Returns the name of the login of an account by its name and the host in its settings.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self,
        storage: SharedStorage,
        numbers: AccountNumbers,
        records: RecordStore,
        leases: Leases,
        login_name: Callable[[str, str | None], LoginName],
        clock: Callable[[], float],
    ) -> None:
        self.by_number: dict[int, NumberedAccount] = {}
        """The accounts by their numbers."""
        self.states: PublishedStates = PublishedStates(records, clock)
        """The states that the owners have published."""
        self.logins: LoginPlaces = LoginPlaces(records, clock)
        """Where the logins of accounts without an owner are made."""
        self._storage = storage
        self._numbers = numbers
        self._records = records
        self._leases = leases
        self._login_name = login_name
        self._clock = clock
        self._revision = -1
        self._by_name: dict[str, int] = {}
        """Numbers of the accounts by their names."""
        self._uins: dict[int, int] = {}
        """The platform's number of the account that has last logged in as each of the accounts."""
        self._by_uin: dict[int, list[int]] = {}
        """The accounts by the platform's numbers."""
        self._heads: dict[int, int] = {}
        """Number of the newest event of each account, by the platform's number."""
        self._unknown: set[int] = set()
        """Platform's numbers of accounts with events that belong to none of the accounts."""
        self._new: set[int] = set()
        """Platform's numbers of accounts with events that have appeared since the accounts were read."""
        self._owners: dict[int, tuple[float, OwnedAccount | None]] = {}
        self._live: tuple[float, dict[str, WorkerRow]] = (0.0, {})
        self._statuses: dict[int, AccountStatus] = {}
        self._statuses_at = 0.0

    def __repr__(self) -> str:
        return f"ClusterDirectory({len(self.by_number)} accounts)"

    # -- accounts ----------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read the accounts, and which logins belong to them."""
        self._revision = await self._numbers.revision()
        self.by_number = {each.number: each for each in await self._numbers.find()}
        self._by_name = {each.name: each.number for each in self.by_number.values()}
        uins = await self._storage.accounts_by_name()
        names = {self.login_name(each): each.number for each in self.by_number.values()}
        self._uins, self._by_uin = {}, {}
        for name, uin in uins.items():
            if name in names:
                self._note_login(names[name], uin)
        self._unknown = {uin for uin in self._heads if uin not in self._by_uin}
        self._new.clear()

    def _note_login(self, number: int, uin: int) -> None:
        self._uins[number] = uin
        self._by_uin.setdefault(uin, []).append(number)
        self._new.discard(uin)

    async def refresh(self) -> bool:
        """
        Read the accounts again if they have changed, or if there are events of an unknown account.

        Returns:
            Whether they were read.
        """
        is_due = await self._numbers.revision() != self._revision or bool(self._new)
        if is_due:
            await self.load()
        return is_due

    def find(self, which: str) -> int | None:
        """Return the number of an account by its number or name."""
        if which.isascii() and which.isdecimal() and len(which) < 10 and int(which) in self.by_number:
            return int(which)
        return self._by_name.get(which)

    def uin_of(self, number: int) -> int | None:
        """Return the platform's number of an account; None before its first login."""
        return self._uins.get(number)

    def numbers_of(self, uins: Collection[int]) -> list[int]:
        """Return the numbers of the accounts that have these numbers at the platform."""
        return [number for uin in uins for number in self._by_uin.get(uin, ())]

    def login_name(self, numbered: NumberedAccount) -> LoginName:
        """Return the name of the login of an account."""
        return self._login_name(numbered.name, numbered.settings.host)

    async def add(self, name: str, settings: AccountSettings) -> NumberedAccount:
        """Return the account with a name; a new one gets these settings."""
        numbered = await self._numbers.add(name, settings)
        await self.refresh()
        self.by_number.setdefault(numbered.number, numbered)
        self._by_name.setdefault(name, numbered.number)
        return numbered

    async def change(self, numbered: NumberedAccount) -> None:
        """Store an account that has changed."""
        await self._numbers.change(numbered)
        await self.load()

    async def remove(self, numbered: NumberedAccount) -> None:
        """Remove an account with its published state."""
        await self._numbers.remove(numbered.name)
        await self.states.forget(numbered.number)
        await self.logins.forget(numbered.number)
        await self.load()

    async def number_login(self, name: LoginName, uin: int, *, profile: str) -> NumberedAccount | None:
        """
        Return the account to which a login belongs, a new one if necessary.

        Args:
            name: Name of the login.
            uin: The platform's number of its account.
            profile: Profile of the login.

        Returns:
            None if the account with this name is of another host or server.
        """
        numbered = self.by_number.get(next(iter(self._by_uin.get(uin, ())), 0))
        if numbered is None:
            settings = AccountSettings()
            if self._login_name(name.account, None) != name:
                settings = AccountSettings(host=msgspec.convert(profile, HostProfile))
            numbered = await self._numbers.add(name.account, settings)
            await self._numbers.touch()  # all gateways learn of the login: this one also reads the accounts again
            self.by_number[numbered.number] = numbered
            self._by_name[numbered.name] = numbered.number
            if self.login_name(numbered) == name:
                self._note_login(numbered.number, uin)
        return numbered if self.login_name(numbered) == name else None

    # -- events ------------------------------------------------------------------------------------------------------

    def note_heads(self, heads: Mapping[int, int]) -> None:
        """Note the numbers of the newest events, by the platform's numbers of the accounts."""
        self._heads |= heads
        self._new.update(uin for uin in heads if uin not in self._by_uin and uin not in self._unknown)

    def newest(self, number: int) -> int:
        """Return the number of the newest event of an account that is known here."""
        uin = self._uins.get(number)
        return 0 if uin is None else self._heads.get(uin, 0)

    # -- owners ------------------------------------------------------------------------------------------------------

    async def owner_of(self, number: int, *, is_fresh: bool = False) -> OwnedAccount | None:
        """
        Return the owner of an account; None before its first login.

        Args:
            number: Number of the account.
            is_fresh: Read it now, even if it was read a moment ago.
        """
        uin = self._uins.get(number)
        if uin is None:
            return None
        read_at, owner = self._owners.get(number, (-_FRESH, None))
        now = asyncio.get_running_loop().time()
        if is_fresh or now - read_at >= _FRESH:
            owner = await self._leases.owner_of(uin)
            self._owners[number] = (now, owner)
        return owner

    async def live_workers(self) -> Mapping[str, WorkerRow]:
        """Return the workers whose leases have not expired, by their ids."""
        read_at, live = self._live
        now = asyncio.get_running_loop().time()
        if now - read_at >= _FRESH or not live:
            live = {each.worker: each for each in await self._leases.workers() if each.expires_in > 0}
            self._live = (now, live)
        return live

    # -- states ------------------------------------------------------------------------------------------------------

    async def status(self, number: int, *, is_logging_in: bool) -> AccountStatus:
        """Return the state of an account as its owner has published it, unless the owner has died."""
        return _status(
            self.by_number[number], await self.states.get(number), await self.owner_of(number),
            await self.live_workers(), is_logging_in=is_logging_in, now=self._clock(),
        )  # fmt: skip

    async def list_statuses(self, logging_in: Collection[int] = ()) -> list[AccountStatus]:
        """
        Return the published states of all accounts, in the order of their numbers.

        Args:
            logging_in: Numbers of the accounts whose logins are made in this process.
        """
        published, live = await self.states.find(), await self.live_workers()
        owners = {each.account: each for each in await self._leases.accounts()}
        return [
            _status(
                numbered, published.get(number), owners.get(self._uins.get(number, 0)), live,
                is_logging_in=number in logging_in, now=self._clock(),
            )
            for number, numbered in sorted(self.by_number.items())
        ]  # fmt: skip

    async def begin_changes(self) -> None:
        """Read the states of now, so that `changed_statuses` returns each change from now on, and no earlier one."""
        statuses = await self.list_statuses()
        self._statuses = {status.number: status for status in statuses}
        self._statuses_at = asyncio.get_running_loop().time()

    async def changed_statuses(self) -> list[AccountStatus]:
        """Return the states that have changed since the last look at them; none if that was less than a second ago."""
        now = asyncio.get_running_loop().time()
        if now - self._statuses_at < _FRESH:
            return []
        before, is_first = self._statuses, not self._statuses_at
        self._statuses = {status.number: status for status in await self.list_statuses()}
        self._statuses_at = now
        return [
            status
            for number, status in self._statuses.items()
            if not is_first and _shown(before.get(number)) != _shown(status)
        ]


def _shown(status: AccountStatus | None) -> tuple[object, ...]:
    return () if status is None else (status.state, status.error, status.label, status.pending_settings)


def _status(
    numbered: NumberedAccount, published: AccountStatus | None, owner: OwnedAccount | None, live: Collection[str], *,
    is_logging_in: bool, now: float,
) -> AccountStatus:  # fmt: skip
    status = published or AccountStatus(number=numbered.number, name=numbered.name, state="new", since=now)
    is_run = owner is not None and owner.is_wanted and owner.worker in live
    status = msgspec.structs.replace(
        status, label=numbered.label, settings=numbered.settings,
        pending_settings=is_run and status.state in _RUNNING and status.settings != numbered.settings,
    )  # fmt: skip
    if is_logging_in:
        return msgspec.structs.replace(status, state="logging_in", error=None, error_code="")
    if owner is not None and owner.is_wanted:
        if owner.worker is None:
            return msgspec.structs.replace(
                status, state="degraded", error="No worker runs this account at this moment.", error_code="no-owner"
            )
        if owner.worker not in live:
            return msgspec.structs.replace(
                status,
                state="degraded",
                error="The worker of this account has died; another one takes the account.",
                error_code="no-owner",
            )
    elif status.state in _RUNNING:
        return msgspec.structs.replace(status, state="logged_out")
    return status
