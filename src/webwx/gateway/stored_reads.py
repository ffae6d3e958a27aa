"""What can be read of an account in its journal, whichever process runs the account."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from webwx.errors import NotLoggedIn

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.client.dead_letters import DeadLetter
    from webwx.storage.tables.consumers import ConsumerPosition

OWN_KEY = "gateway-"
"""Prefix of the keys of sends for which the caller gave none; the API does not show these keys."""


class StoredReads:
    """The part of `AccountPort` that reads the journal."""

    number: int
    """Number of the account in the gateway."""

    @property
    def client(self) -> AsyncClient:
        """The client that reads the journal."""
        raise NotImplementedError  # each kind of account has a client of its own

    async def has_events_from(self, number: int) -> bool:
        """Return whether the journal has an event with this number or a higher one."""
        try:
            return bool(await self.client.read_events(number - 1, limit=1))
        except NotLoggedIn:
            return False

    async def list_consumers(self) -> list[ConsumerPosition]:
        """Return the account's consumers in the order of their names."""
        return await self.client.list_consumers()

    async def list_dead_letters(self, consumer: str, *, limit: int, before: int | None = None) -> list[DeadLetter]:
        """Return the dead letters of a consumer before a number, the newest first."""
        return await self.client.list_dead_letters(consumer=consumer, limit=limit, before=before)


def own_key() -> str:
    """Return a key for a send for which the caller gave none."""
    return f"{OWN_KEY}{secrets.token_hex(12)}"
