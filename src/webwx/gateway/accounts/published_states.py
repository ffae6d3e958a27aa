"""
The states of accounts, as their owners publish them for the other gateways.

The settings in a published state are those of the present client; every gateway compares them with the stored ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.accounts.account import AccountStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore

_KIND = "account.state"
"""Kind of the records."""


class PublishedStates:
    """
    The last published state of each account, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock

    def __repr__(self) -> str:
        return "PublishedStates()"

    async def put(self, *statuses: AccountStatus) -> None:
        """Publish the states of accounts that this process runs, in one transaction."""
        bodies = {f"{status.number}": msgspec.json.encode(status) for status in statuses}
        await self._records.overwrite(_KIND, bodies, time=self._clock())

    async def get(self, number: int) -> AccountStatus | None:
        """Return the published state of an account; None if it was never run."""
        record = await self._records.get(_KIND, f"{number}")
        return None if record is None else msgspec.json.decode(record.body, type=AccountStatus)

    async def find(self) -> dict[int, AccountStatus]:
        """Return the published states of all accounts, by the number of the account."""
        found = [msgspec.json.decode(record.body, type=AccountStatus) for record in await self._records.find(_KIND)]
        return {status.number: status for status in found}

    async def forget(self, number: int) -> None:
        """Delete the state of a removed account."""
        await self._records.delete(_KIND, f"{number}")
