"""
The numbers of the gateway's accounts, stored as records that all gateways of one storage share.

A number is never used twice: a new account may have the name of a removed one.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged
from webwx.representations.accounts import AccountSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore

_ACCOUNT, _NUMBERS = "account", "numbers"
"""Kinds of records: an account by its name, and the highest number of an account."""


_SKIPPED = 1_000_000
"""How many numbers `skip_assigned` skips."""


class NumberedAccount(msgspec.Struct, frozen=True):
    """An account and its number."""

    number: int
    name: str
    label: str = ""
    """The name that the user wants to see; empty: `name`."""
    settings: AccountSettings = AccountSettings()


class _HighestNumber(msgspec.Struct, frozen=True):
    """The body of the record of the highest number."""

    number: int


class _StoredAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of the record of an account."""

    number: int
    label: str = ""
    settings: AccountSettings = AccountSettings()


class AccountNumbers:
    """
    The accounts of the gateway by their numbers.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock
        self._raising = asyncio.Lock()
        """Held while the highest number is read and stored, so that the callers of one process never conflict."""

    def __repr__(self) -> str:
        return "AccountNumbers()"

    async def find(self) -> list[NumberedAccount]:
        """Return all accounts, in the order of their names."""
        return [_numbered(record.id, record.body) for record in await self._records.find(_ACCOUNT)]

    async def get(self, name: str) -> NumberedAccount | None:
        """Return an account by its name; None if no account has it."""
        record = await self._records.get(_ACCOUNT, name)
        return None if record is None else _numbered(name, record.body)

    async def add(self, name: str, settings: AccountSettings = AccountSettings()) -> NumberedAccount:  # noqa: B008 - a frozen value
        """Return the account with a name; a new one gets these settings and a number that no account had before."""
        while (found := await self.get(name)) is None:
            with contextlib.suppress(RecordChanged):  # another process has taken the number, or added the account
                number = await self._raise(1)
                stored = msgspec.json.encode(_StoredAccount(number, settings=settings))
                await self._records.put(_ACCOUNT, name, stored, version=0, time=self._clock())
                await self.touch()
        return found

    async def change(self, account: NumberedAccount) -> None:
        """
        Store an account that has changed.

        Raises:
            RecordChanged: Another caller is changing it.
        """
        record = await self._records.get(_ACCOUNT, account.name)
        version = 0 if record is None else record.version
        body = msgspec.json.encode(_StoredAccount(account.number, account.label, account.settings))
        await self._records.put(_ACCOUNT, account.name, body, version=version, time=self._clock())
        await self.touch()

    async def remove(self, name: str) -> None:
        """Remove an account; its number stays used."""
        await self._records.delete(_ACCOUNT, name)
        await self.touch()

    async def revision(self) -> int:
        """Return a number that grows with each change of an account, by any process."""
        record = await self._records.get(_NUMBERS, _ACCOUNT)
        return 0 if record is None else record.version

    async def touch(self) -> None:
        """Raise the revision."""
        while True:
            with contextlib.suppress(RecordChanged):
                await self._raise(0)
                return

    async def skip_assigned(self) -> None:
        """Skip the numbers that may have been assigned after the moment to which the records were restored."""
        while True:
            with contextlib.suppress(RecordChanged):
                await self._raise(_SKIPPED)
                return

    async def _raise(self, step: int) -> int:
        """
        Raise the highest number by a step, and return it.

        Raises:
            RecordChanged: Another process has raised it meanwhile.
        """
        async with self._raising:
            record = await self._records.get(_NUMBERS, _ACCOUNT)
            number = step if record is None else msgspec.json.decode(record.body, type=_HighestNumber).number + step
            body, version = msgspec.json.encode(_HighestNumber(number)), 0 if record is None else record.version
            await self._records.put(_NUMBERS, _ACCOUNT, body, version=version, time=self._clock())
        return number


def _numbered(name: str, body: bytes) -> NumberedAccount:
    stored = msgspec.json.decode(body, type=_StoredAccount)
    return NumberedAccount(number=stored.number, name=name, label=stored.label, settings=stored.settings)
