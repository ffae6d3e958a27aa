"""The accounts that the bots of one process serve, so that a handler of one can act with another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import InvalidRequest

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient


class RunningAccounts:
    """Clients, by the names that the user chose for their accounts."""

    def __init__(self) -> None:
        self._clients: dict[str, AsyncClient] = {}

    def add(self, name: str, client: AsyncClient) -> None:
        """Add the client of an account."""
        self._clients[name] = client

    def remove(self, name: str) -> None:
        """Remove an account; do nothing if the name is unknown."""
        self._clients.pop(name, None)

    def client_of(self, name: str) -> AsyncClient:
        """
        Return the client of an account.

        Raises:
            InvalidRequest: No bot here serves an account of this name.
        """
        if name not in self._clients:
            known = ", ".join(map(repr, sorted(self._clients))) or "none has a name"
            raise InvalidRequest(
                f"No bot that runs here serves an account {name!r} (known accounts: {known}). "
                "Pass a bot with this account= to the same run() or start()."
            )
        return self._clients[name]
