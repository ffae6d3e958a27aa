"""
One consumer's way through a journal, as events, with acknowledgements by number.

While a subscription is open, its account is synced in the background.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from webwx.client.retry import retry
from webwx.errors import InvalidRequest, StorageError
from webwx.model.messages import Event
from webwx.storage.base import ARCHIVE_CONSUMER, Entry
from webwx.storage.lookup import find_entry

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType
    from typing import Self

    from webwx.client.retry import Backoff
    from webwx.storage.base import AccountJournal, Consumer

T = TypeVar("T")


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """An entry of the journal and the event it stands for."""

    entry: Entry
    event: Event


class SyncedAccount(Protocol):
    """What a subscription needs of its account's client."""

    joining: asyncio.Lock
    """Held while a subscription opens or closes."""

    @property
    def part(self) -> AccountJournal:
        """The account's part of the journal."""
        ...

    @property
    def work(self) -> asyncio.Task[None] | None:
        """The task that polls in the background; None before the first one."""
        ...

    @property
    def news(self) -> asyncio.Event:
        """Set when something more is stored, and then replaced by another one."""
        ...

    def notify(self) -> None:
        """Wake every subscription that waits for news."""
        ...

    async def join(self) -> None:
        """Count one more reader of the account; the first one takes the account's sync lock."""
        ...

    async def leave(self) -> None:
        """Count one reader less; the last one ends the sync."""
        ...

    def start(self) -> None:
        """Poll in the background from now on."""
        ...

    async def begin_archiving(self) -> None:
        """Fetch media as they arrive, if the client was asked to."""
        ...

    async def fetch_waiting(self) -> bool:
        """Fetch what waits at the server without a poll; return whether there was anything."""
        ...

    async def wait_for_archive(self) -> None:
        """Return once the media that have arrived are archived or cannot be had."""
        ...

    async def events_of(self, entries: Iterable[Entry]) -> list[Event]:
        """Decode entries of the journal."""
        ...

    def backoff(self) -> Backoff:
        """Return the delays of one loop that retries."""
        ...

    def storage_failed(self, error: StorageError) -> None:
        """Report in the client's state that the journal has failed."""
        ...


class Subscription:
    """
    A consumer of one account's events; `AsyncClient.subscribe` makes it, and it is open inside `async with`.

    Every event that was taken has to be acknowledged by its number. An event that was not comes again, to this process
    or another one, with `redelivered` set if it may have been handled.

    Args:
        account: The account.
        name: The consumer's name.
        follow: False: do not poll; `take` returns an empty list once nothing waits any more.
        shows: `show` tells what is handed out to a handler; otherwise everything that is taken counts as handed out.
    """

    def __init__(self, account: SyncedAccount, name: str, *, follow: bool = True, shows: bool = False) -> None:
        self.name: str = name
        self._shows = shows
        self._account = account
        self._follows = follow
        self._consumer: Consumer | None = None
        self._is_synced = False

    def __repr__(self) -> str:
        return f"Subscription({self.name!r})"

    @property
    def part(self) -> AccountJournal:
        """The account's part of the journal."""
        return self._account.part

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
            NoJournal: The client has none.
            InvalidRequest: The name is that of what keeps media.
            AlreadyRunning: Another process is syncing this login, or this consumer is open already.
            StorageError: The journal cannot be read.
        """
        account = self._account
        if self.name == ARCHIVE_CONSUMER:
            raise InvalidRequest(f"What keeps media is called {ARCHIVE_CONSUMER!r}; give this reader another name.")
        async with account.joining:
            await account.join()
            self._is_synced = True
            try:
                self._consumer = await account.part.consumer(
                    self.name, tell=account.notify, stays=self._follows, shows=self._shows
                )
                await account.begin_archiving()  # after that, for the first consumer of a journal is given everything
            except BaseException:
                await self._leave()
                consumer, self._consumer = self._consumer, None
                if consumer is not None:
                    await consumer.close()
                raise
            if self._follows:
                account.start()

    async def take(self, limit: int = 100) -> list[Delivered]:
        """
        Return the next entries in the order of arrival; wait until there is one.

        An empty list means that no more will come: the subscription was stopped, the client closed, or nothing waits
        and this subscription does not follow.

        Raises:
            LoggedOut: The login has ended, and nothing waits any more.
            StorageError: The journal cannot be read; a subscription that follows waits until it can.
        """
        account, consumer = self._account, self._opened()
        while self._is_synced:
            work, news = account.work, account.news
            is_over = work is None or work.done()  # looked at first: what is stored meanwhile is found by the next turn
            entries = await self._patiently(lambda: consumer.take_waiting(limit))
            if entries:
                events = await self._patiently(partial(account.events_of, entries))
                return list(map(Delivered, entries, events))
            if not self._follows:
                if not await account.fetch_waiting():
                    await account.wait_for_archive()
                    break
            elif not is_over:
                await news.wait()
            else:
                if work is not None and not work.cancelled():
                    await work
                break
        return []

    async def again(self, number: int, *, attempt: int, redelivered: bool, crashes: int) -> Delivered | None:
        """Give one once more that was taken, because only its number was kept; None when it was deleted meanwhile."""
        entry = await find_entry(self._account.part, number)
        if entry is None:
            return None
        entry = msgspec.structs.replace(entry, attempt=attempt, redelivered=redelivered, crashes=crashes)
        (event,) = await self._account.events_of([entry])
        return Delivered(entry, event)

    def show(self, number: int) -> None:
        """Note that an entry which was taken is handed out now."""
        self._opened().show(number)

    def ack(self, number: int) -> None:
        """Note that an entry is done with, for good; it is stored a few milliseconds later."""
        self._opened().ack(number)

    async def failed(self, number: int, error: str) -> int:
        """Note that an attempt at an entry has failed; gives how many have."""
        return await self._opened().failed(number, error)

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and be done with it."""
        await self._opened().give_up(number, error)

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        await self._opened().flush()

    async def add_poison_marker(self, number: int) -> None:
        """Store a poison marker: a crash from now on counts against this entry."""
        await self._opened().add_poison_marker(number)

    def remove_poison_marker(self, number: int) -> None:
        """Remove the poison marker; this is stored a few milliseconds later."""
        self._opened().remove_poison_marker(number)

    async def stop(self) -> None:
        """Take nothing any more, and poll for nothing; what was taken can still be acknowledged."""
        async with self._account.joining:
            await self._leave()

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Stop, store every acknowledgement, and let go of the consumer. A second time does nothing.

        Args:
            unseen_from: What was taken from this number on has been shown to nobody; 0: all of it was.
        """
        # Whoever opens this consumer next waits here until it is let go.
        async with self._account.joining:
            consumer, self._consumer = self._consumer, None
            try:
                await self._leave()
            finally:
                if consumer is not None:
                    await consumer.close(unseen_from=unseen_from)

    async def _leave(self) -> None:
        if self._is_synced:
            self._is_synced = False
            await self._account.leave()

    def _opened(self) -> Consumer:
        if self._consumer is None:
            raise StorageError(f"The consumer {self.name!r} is not open.")
        return self._consumer

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read the journal, and retry if it cannot be read; a subscription that does not follow raises at once."""

        def is_worth_it(error: StorageError, _: int) -> bool:
            if self._follows:
                self._account.storage_failed(error)
            return self._follows

        return await retry(read, StorageError, is_worth_it=is_worth_it, backoff=self._account.backoff())
