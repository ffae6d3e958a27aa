"""
The events of an account that this process runs: the newest ones in memory, those in its journal, and its consumers.

The sync of the account passes each event on to here. Readers and consumers read here, and never call the sync.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import AlreadyRunning, InvalidRequest, NotLoggedIn
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.accounts.journal_lookup import named
from webwx.storage.entries import EntryQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from webwx.client.client import AsyncClient
    from webwx.client.reading.delivered import Delivered
    from webwx.client.reading.subscription import Subscription
    from webwx.gateway.process.open_files import OpenFiles
    from webwx.model.messages import Event

CONSUMER = "gateway"
"""Name of the consumer that keeps the account synced."""

_RECENT = 500
"""Number of the newest events that are kept in memory."""


class OwnedEvents:
    """
    The events of an account that runs in this process.

    Args:
        number: Number of the account in the gateway.
        client: Returns the account's client.
        consumers: Returns the names of the consumers that begin with the sync of the account.
        open_files: Counts the files of consumers; None: they need none.
    """

    def __init__(
        self,
        number: int,
        client: Callable[[], AsyncClient],
        consumers: Callable[[], Collection[str]],
        open_files: OpenFiles | None,
    ) -> None:
        self.newest = 0
        """Number of the newest stored event that this process knows."""
        self._number = number
        self._client = client
        self._consumers = consumers
        self._open_files = open_files
        self._recent: deque[AccountEvent] = deque(maxlen=_RECENT)
        """The newest events without a gap between them, so that not every reader has to read the journal."""
        self._have_consumers_begun = False
        self._beginning = asyncio.Lock()
        """Held while the positions of new consumers are stored."""

    def __repr__(self) -> str:
        return f"OwnedEvents({self._number})"

    @property
    def client(self) -> AsyncClient:
        """The client, which reads the journal."""
        return self._client()

    # -- for the sync ------------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Look for new consumers again, because the work of the account begins."""
        self._have_consumers_begun = False

    async def begin(self) -> None:
        """
        Begin with what is in the journal, before anything is read that a new consumer would miss.

        Raises:
            NotLoggedIn: No login is saved.
            StorageError: The journal cannot be read, or the positions of new consumers cannot be stored.
        """
        await self.begin_consumers()
        newest = await self.client.subscribe(CONSUMER).part.find(EntryQuery(limit=1))
        self.newest = max(self.newest, newest[0].number if newest else 0)

    async def begin_consumers(self) -> None:
        """
        Store the positions of new consumers, unless that was done.

        The account's own consumer is the first, because the first consumer of a journal begins with its first entry.

        Raises:
            NotLoggedIn: No login is saved.
            StorageError: The positions cannot be stored.
        """
        async with self._beginning:
            if self._have_consumers_begun:
                return
            part, names = self.client.subscribe(CONSUMER).part, self._consumers()
            existing = await part.consumer_names() if names else set()
            if not existing.issuperset(names):
                for name in (CONSUMER, *sorted(names)):
                    if name not in existing:
                        with contextlib.suppress(AlreadyRunning):  # another process has just opened it
                            await (await part.consumer(name)).close()
            self._have_consumers_begun = True

    def add(self, batch: Sequence[Delivered]) -> None:
        """Keep events that the sync has just read, for their readers."""
        for delivered in batch:
            self._remember(delivered.event)
        self.newest = max(self.newest, batch[-1].entry.number)

    def _remember(self, event: Event) -> None:
        if event.redelivered:  # true for the consumer of the gateway, but not for its readers
            event = msgspec.structs.replace(event, redelivered=False)
        if self._recent and self._recent[-1].event.number != event.number - 1:
            self._recent.clear()
        self._recent.append(self.named(event))

    # -- for readers -------------------------------------------------------------------------------------------------

    async def read_events(
        self, after: int, *, limit: int, since: float = 0, until: float = 0
    ) -> list[AccountEvent]:  # fmt: skip
        """Return the events after a number, in the order of arrival; none before the first login."""
        is_recent = self._recent and self._recent[0].event.number <= after + 1
        if is_recent and not since and not until:
            return [account_event for account_event in self._recent if account_event.event.number > after][:limit]
        try:
            events = await self.client.read_events(after, since=since, until=until, limit=limit)
        except NotLoggedIn:
            return []
        # Not the events that are stored already and arrive here later: their readers would be ahead of `newest`.
        return [self.named(event) for event in events if event.number <= self.newest]

    async def list_events(self, after: int, *, since: float, until: float, limit: int) -> list[AccountEvent]:
        """Return stored events in the order of arrival."""
        return [
            self.named(each) for each in await self.client.read_events(after, since=since, until=until, limit=limit)
        ]

    def named(self, event: Event) -> AccountEvent:
        """Return an event with the names to show."""
        return named(self._number, event, self.client.contacts)

    @contextlib.asynccontextmanager
    async def consume(self, name: str, *, follow: bool = True) -> AsyncIterator[OwnedConsumer]:
        """Open a consumer: a reader with a stored position."""
        with contextlib.nullcontext() if self._open_files is None else self._open_files.consumer():
            await self.begin_consumers()
            async with self.client.subscribe(name, follow=follow) as subscription:
                yield OwnedConsumer(self, subscription)


class OwnedConsumer:
    """
    An open consumer.

    Args:
        events: The events of the account.
        subscription: The open subscription.
    """

    def __init__(self, events: OwnedEvents, subscription: Subscription) -> None:
        self._events = events
        self._subscription = subscription
        self._newest = events.newest
        """Number of the newest event, as far as this consumer knows; a later one cannot be acknowledged."""

    async def take(self, limit: int = 100) -> list[AccountEvent]:
        """Return the next events; wait until an event has arrived."""
        taken = await self._subscription.take(limit)
        self._newest = max([self._newest, *(delivered.entry.number for delivered in taken)])
        return [
            msgspec.structs.replace(self._events.named(delivered.event), attempt=delivered.entry.attempt)
            for delivered in taken
        ]

    def ack(self, number: int) -> None:
        """Acknowledge an event by its number; ignore the number of a later event."""
        if number <= self._newest:
            self._subscription.ack(number)

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        await self._subscription.flush()

    async def failed(self, number: int, error: str) -> int:
        """Store a failed attempt at an event, and return the number of failed attempts."""
        self._require(number)
        return await self._subscription.failed(number, error)

    async def give_up(self, number: int, error: str) -> None:
        """Make an event a dead letter."""
        self._require(number)
        await self._subscription.give_up(number, error)

    async def close(self, *, unseen_from: int = 0) -> None:
        """Store every acknowledgement and close the consumer."""
        await self._subscription.close(unseen_from=unseen_from)

    def _require(self, number: int) -> None:
        if not 0 < number <= self._newest:
            raise InvalidRequest(f"There is no event {number}.")
