"""Subscriptions: the events of an account for one consumer, with acknowledgements by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType
    from typing import Self

    from webwx.client.reading.delivered import Delivered
    from webwx.client.reading.journal_reader import JournalReader
    from webwx.client.remote.gateway_reader import GatewayReader
    from webwx.storage.base import AccountJournal
    from webwx.storage.tables.conversations import ConversationRow


class Subscription:
    """
    A consumer of one account's events; `AsyncClient.subscribe` returns it, and it is open inside `async with`.

    Every event that was taken has to be acknowledged by its number. An unacknowledged event is delivered again, to this
    process or another one, with `redelivered` set if it may have been handled. While a subscription is open, its
    account is synced in the background.

    Args:
        reader: Reads the events.
    """

    def __init__(self, reader: JournalReader | GatewayReader) -> None:
        self.name: str = reader.name
        self._reader = reader

    def __repr__(self) -> str:
        return f"Subscription({self.name!r})"

    @property
    def part(self) -> AccountJournal:
        """The account's part of the journal."""
        return self._reader.part

    @property
    def is_synced_here(self) -> bool:
        """Whether this process syncs the account; False for an account of a gateway."""
        return self._reader.is_synced_here

    async def check_storage(self) -> None:
        """
        Check that the account's part of the journal can be written.

        Raises:
            StorageError: It cannot.
            TransportError: The gateway cannot be reached.
        """
        await self._reader.check_storage()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

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
        await self._reader.open()

    async def take(self, limit: int = 100) -> list[Delivered]:
        """
        Return the next entries in the order of arrival; wait until an entry has arrived.

        An empty list means that no further entry will come: the subscription was stopped, the client was closed, or no
        entry waits and this subscription does not follow.

        Raises:
            LoggedOut: The login has ended, and no entry waits.
            StorageError: The journal cannot be read; a subscription that follows waits until it can.
        """
        return await self._reader.take(limit)

    async def read_again(self, number: int, *, attempt: int, redelivered: bool, crashes: int) -> Delivered | None:
        """Read an entry again by its number; None if it was deleted meanwhile."""
        return await self._reader.read_again(number, attempt=attempt, redelivered=redelivered, crashes=crashes)

    def show(self, number: int) -> None:
        """Note that a handler gets a taken entry now."""
        self._reader.show(number)

    def ack(self, number: int) -> None:
        """Acknowledge an entry; the acknowledgement is stored a few milliseconds later."""
        self._reader.ack(number)

    def commit(self, numbers: Collection[int], changes: Collection[ConversationRow]) -> None:
        """Acknowledge entries and store changes of conversations, in one transaction, a few milliseconds later."""
        self._reader.commit(numbers, changes)

    async def conversation(self, key: str) -> ConversationRow | None:
        """Return a conversation as of the last `commit`; None for an unknown key."""
        return await self._reader.conversation(key)

    async def conversations(self, limit: int = 100) -> list[ConversationRow]:
        """Return conversations in no particular order, up to a maximum number."""
        return await self._reader.conversations(limit)

    async def deadlines(self, limit: int = 100) -> list[ConversationRow]:
        """Return the conversations with a deadline, the earliest first."""
        return await self._reader.deadlines(limit)

    async def failed(self, number: int, error: str) -> int:
        """Store that an attempt at an entry has failed; return the number of failed attempts."""
        return await self._reader.failed(number, error)

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, which acknowledges it."""
        await self._reader.give_up(number, error)

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        await self._reader.flush()

    async def add_poison_marker(self, number: int) -> None:
        """Store a poison marker: a crash from now on counts against this entry."""
        await self._reader.add_poison_marker(number)

    @property
    def crash_grace(self) -> float:
        """Seconds in which a process that seemed to have crashed, but lived on, takes its crashes back; 0: none."""
        return self._reader.crash_grace

    async def recount_crashes(self, number: int) -> int:
        """Return the number of crashes of an entry again, without those that living processes have revoked."""
        return await self._reader.recount_crashes(number)

    def remove_poison_marker(self, number: int) -> None:
        """Remove the poison marker; this is stored a few milliseconds later."""
        self._reader.remove_poison_marker(number)

    async def stop(self) -> None:
        """Stop taking entries and polling; taken entries can still be acknowledged."""
        await self._reader.stop()

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Stop, store all acknowledgements, and close the consumer. A second call does nothing.

        Args:
            unseen_from: Number of the first taken entry that no handler has seen; 0: handlers have seen all entries.
        """
        await self._reader.close(unseen_from=unseen_from)
