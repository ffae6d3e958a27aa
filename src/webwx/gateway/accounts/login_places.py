"""Where the login of an account without an owner is made: one process, which all gateways ask about its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore

_KIND = "login.place"
"""Kind of the records."""


class LoginPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The process that makes the login of an account."""

    worker: str
    """Id of the process among the workers."""
    address: str
    """Address at which it can be reached."""


class LoginPlaces:
    """
    The processes that make logins, stored as records.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock

    def __repr__(self) -> str:
        return "LoginPlaces()"

    async def take(self, number: int, place: LoginPlace) -> None:
        """
        Store that a process makes the login of an account.

        Raises:
            GatewayProblem: Another process has begun it at the same time.
        """
        record = await self._records.get(_KIND, f"{number}")
        version = 0 if record is None else record.version
        try:
            await self._records.put(
                _KIND, f"{number}", msgspec.json.encode(place), version=version, time=self._clock()
            )  # fmt: skip
        except RecordChanged:
            raise GatewayProblem(
                "conflict", "Another gateway begins the login of this account at this moment; repeat the request.",
                retry_after=1,
            ) from None  # fmt: skip

    async def get(self, number: int) -> LoginPlace | None:
        """Return the process that makes the login of an account; None if no process does."""
        record = await self._records.get(_KIND, f"{number}")
        return None if record is None else msgspec.json.decode(record.body, type=LoginPlace)

    async def forget(self, number: int) -> bool:
        """Delete the place of a login, because the account has an owner now; return whether there was one."""
        return await self._records.delete(_KIND, f"{number}")
