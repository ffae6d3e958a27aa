"""The events of an account that another process runs, or none: they are read from the database."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from webwx.errors import NotLoggedIn
from webwx.gateway.accounts.journal_lookup import named_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import NoReturn

    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account import EventConsumer
    from webwx.gateway.accounts.account_events import AccountEvent

_RECENT = 500
"""Number of the newest events that are kept in memory for several readers."""


class StoredEvents:
    """
    The events of an account that does not run in this process.

    Args:
        number: Number of the account in the gateway.
        client: Returns the client that reads the journal.
        refuse: Refuses what only the owner of the account can do.
    """

    def __init__(
        self, number: int, client: Callable[[], AsyncClient], refuse: Callable[[], Awaitable[NoReturn]]
    ) -> None:  # fmt: skip
        self.newest = 0
        """Number of the newest stored event that this process knows."""
        self._number = number
        self._client = client
        self._refuse = refuse
        self._recent: deque[AccountEvent] = deque(maxlen=_RECENT)
        """The newest events without a gap between them, so that not every reader has to read the journal."""
        self._reading = asyncio.Lock()

    def __repr__(self) -> str:
        return f"StoredEvents({self._number})"

    @property
    def client(self) -> AsyncClient:
        """The client that reads the journal; it has no login."""
        return self._client()

    async def read_events(
        self, after: int, *, limit: int, since: float = 0, until: float = 0
    ) -> list[AccountEvent]:  # fmt: skip
        """Return the events after a number, in the order of arrival; none before the first login."""
        try:
            if since or until:
                return await self.list_events(after, since=since, until=until, limit=limit)
            async with self._reading:  # readers that wait for the same events read them once
                if not self._has_recent(after):
                    found = await self.list_events(after, since=0, until=0, limit=limit)
                    if found and found[-1].event.number >= self.newest:
                        self.newest = found[-1].event.number
                        self._recent = deque(found, maxlen=_RECENT)
                    return found
        except NotLoggedIn:
            return []
        return [each for each in self._recent if each.event.number > after][:limit]

    def _has_recent(self, after: int) -> bool:
        return bool(
            self._recent
            and self._recent[0].event.number <= after + 1
            and self._recent[-1].event.number >= self.newest
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def consume(self, name: str, *, follow: bool = True) -> AsyncIterator[EventConsumer]:  # noqa: ARG002 - it is refused
        """Refuse, because the owner opens consumers."""
        yield await self._refuse()

    async def list_events(self, after: int, *, since: float, until: float, limit: int) -> list[AccountEvent]:
        """Return stored events in the order of arrival."""
        events = await self.client.read_events(after, since=since, until=until, limit=limit)
        return await named_events(self._number, self.client, events)
