"""Subscriptions: the events of an account for one consumer, with acknowledgements by number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType
    from typing import Self

    from webwx.client.reading.delivered import Deferred, Delivered
    from webwx.storage.base import AccountJournal
    from webwx.storage.consumer import Consumer


class Subscription(ABC):
    """
    A consumer of one account's events; `AsyncClient.subscribe` returns it, and it is open inside `async with`.

    Every event that was taken has to be acknowledged by its number. An unacknowledged event is delivered again, to this
    process or another one, with `redelivered` set if it may have been handled. While a subscription is open, its
    account is synced in the background.

    Args:
        name: The consumer's name.
        is_synced_here: Whether this process syncs the account; False for an account of a gateway.
    """

    def __init__(self, name: str, *, is_synced_here: bool) -> None:
        self.name: str = name
        self.is_synced_here: bool = is_synced_here
        """Whether this process syncs the account; False for an account of a gateway."""

    def __repr__(self) -> str:
        return f"Subscription({self.name!r})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    @abstractmethod
    def part(self) -> AccountJournal:
        """
        The account's part of the journal.

        Raises:
            NotThroughGateway: It is the journal of a gateway.
        """
        ...

    @property
    @abstractmethod
    def consumer(self) -> Consumer:
        """
        The open consumer in the journal, with the conversations and the poison markers of a bot.

        Raises:
            NotThroughGateway: It is a consumer of a gateway.
            StorageError: The subscription is not open.
        """
        ...

    @abstractmethod
    async def check_storage(self) -> None:
        """
        Check that the account's part of the journal can be written.

        Raises:
            StorageError: It cannot.
            TransportError: The gateway cannot be reached.
        """
        ...

    @abstractmethod
    async def open(self) -> None:
        """
        Open the consumer and begin to sync.

        Raises:
            NotLoggedIn: There is no login.
            NoJournal: The client has no journal.
            InvalidRequest: The name is reserved for the media archive.
            AlreadyRunning: Another process is syncing this login, or this consumer is open already.
            StorageError: The journal cannot be read.
        """
        ...

    @abstractmethod
    async def take(self, limit: int = 100) -> list[Delivered]:
        """
        Return the next entries in the order of arrival; wait until an entry has arrived.

        An empty list means that no further entry will come: the subscription was stopped, the client was closed, or no
        entry waits and this subscription does not follow.

        Raises:
            LoggedOut: The login has ended, and no entry waits.
            StorageError: The journal cannot be read; a subscription that follows waits until it can.
        """
        ...

    @abstractmethod
    async def read_again(self, entries: Collection[Deferred]) -> dict[int, Delivered]:
        """
        Read entries again, all at once, and return them by their numbers, without those that were deleted meanwhile.

        Raises:
            NotThroughGateway: They are entries of a gateway.
        """
        ...

    @abstractmethod
    def show(self, number: int) -> None:
        """Note that a handler gets a taken entry now."""
        ...

    @abstractmethod
    def ack(self, number: int) -> None:
        """Acknowledge an entry; the acknowledgement is stored a few milliseconds later."""
        ...

    @abstractmethod
    async def failed(self, number: int, error: str) -> int:
        """Store that an attempt at an entry has failed; return the number of failed attempts."""
        ...

    @abstractmethod
    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, which acknowledges it."""
        ...

    @abstractmethod
    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        ...

    @abstractmethod
    async def stop(self) -> None:
        """Stop taking entries and polling; taken entries can still be acknowledged."""
        ...

    @abstractmethod
    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Stop, store all acknowledgements, and close the consumer. A second call does nothing.

        Args:
            unseen_from: Number of the first taken entry that no handler has seen; 0: handlers have seen all entries.
        """
        ...
