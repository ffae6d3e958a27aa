"""What can be read of an account in its journal, whichever process runs the account."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from webwx.errors import NotLoggedIn

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient

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


def own_key() -> str:
    """Return a key for a send for which the caller gave none."""
    return f"{OWN_KEY}{secrets.token_hex(12)}"
