"""
Which key may read through which consumer over the API.

A consumer has the position of one program; another program that opens it can acknowledge events that the first has not
seen. So a consumer belongs to the key that opened it first. No key opens the consumers of the gateway's own parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged
from webwx.gateway.adapters import program
from webwx.gateway.incoming_files import rules as incoming_file_rules
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.webhooks import webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from webwx.gateway.access.auth import Caller
    from webwx.gateway.access.keys import KeyRing
    from webwx.gateway.accounts.account import GatewayAccount
    from webwx.storage.tables.records import RecordStore

_KIND = "consumer"
"""Kind of the records."""

_OWN_NAMES = ("gateway",)
_OWN_PREFIXES = (webhooks.CONSUMER_PREFIX, incoming_file_rules.CONSUMER_PREFIX, program.CONSUMER_PREFIX)
"""Names of the consumers of the gateway, its webhooks, its rules for files, and the programs of adapters."""


class ConsumerOwner(msgspec.Struct, frozen=True, kw_only=True):
    """The key that a consumer belongs to: the body of a record."""

    key: str


class ConsumerOwners:
    """
    The keys that have opened consumers.

    Args:
        records: The records.
        keys: The keys.
        bots: Returns the names of the bots that run inside the gateway; each has a consumer of that name.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self,
        records: RecordStore,
        keys: KeyRing,
        bots: Callable[[], Collection[str]],
        clock: Callable[[], float],
    ) -> None:
        self._records = records
        self._keys = keys
        self._bots = bots
        self._clock = clock

    def __repr__(self) -> str:
        return "ConsumerOwners()"

    async def require(self, caller: Caller, account: GatewayAccount, name: str) -> None:
        """
        Check that a caller may open a consumer; a new one belongs to the caller from now on.

        Raises:
            GatewayProblem: The consumer belongs to the gateway, to one of its bots, or to another key.
        """
        if name in _OWN_NAMES or name.startswith(_OWN_PREFIXES) or name in self._bots():
            raise GatewayProblem("forbidden", "This consumer belongs to the gateway itself; use another name.")
        if caller.allows("manage"):
            return
        record_id = f"{account.number}/{name}"
        record = await self._records.get(_KIND, record_id)
        if record is not None:
            owner = msgspec.json.decode(record.body, type=ConsumerOwner).key
            if owner == caller.id:
                return
            is_free = await self._keys.get(owner) is None
        else:
            is_free = False
        if not is_free and name in {each.name for each in await account.client.list_consumers()}:
            raise GatewayProblem(
                "forbidden",
                "This consumer belongs to another program; use another name, or a key with the scope 'manage'.",
            )
        version = 0 if record is None else record.version
        body = msgspec.json.encode(ConsumerOwner(key=caller.id))
        try:
            await self._records.put(_KIND, record_id, body, version=version, time=self._clock())
        except RecordChanged:
            raise GatewayProblem("conflict", "Another program opens this consumer now; try again.") from None

    async def forget(self, account: int, name: str) -> None:
        """Forget the key of a consumer that was deleted."""
        await self._records.delete(_KIND, f"{account}/{name}")
