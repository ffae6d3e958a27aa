"""One consumer's way through a journal, as events. While a feed is open, its account is synced in the background."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.errors import RefusedLocally, StorageError
from webwx.store.journal import ARCHIVE_CONSUMER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from webwx.client.sync import SyncVerbs
    from webwx.model.messages import Event
    from webwx.store.journal import AccountJournal, Consumer, Entry

T = TypeVar("T")


class Given(msgspec.Struct, frozen=True, gc=False):
    """An entry and the event that it is."""

    entry: Entry
    event: Event


class Feed:
    """
    What `events` and handlers take from; it is open inside `async with`.

    Args:
        client: Whose account; it has a journal.
        name: The consumer's.
        follow: False: nothing is polled for, and `take` gives an empty list when nothing waits any more.
        shows: `show` says what is handed out; else that is all that is taken.
    """

    def __init__(self, client: SyncVerbs, name: str, *, follow: bool = True, shows: bool = False) -> None:
        self.name = name
        self._shows = shows
        self._client = client
        self._follows = follow
        self._consumer: Consumer | None = None
        self._is_synced = False

    def __repr__(self) -> str:
        return f"Feed({self.name!r})"

    @property
    def part(self) -> AccountJournal:
        """The account's part of the journal."""
        return self._client._part_of_account()

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
            LoggedOut: Nobody is logged in.
            NoJournal: The client has none.
            RefusedLocally: The name is that of what keeps media.
            AlreadyRunning: Another process is syncing this login, or this consumer is open already.
            StorageError: The journal cannot be read.
        """
        client = self._client
        if self.name == ARCHIVE_CONSUMER:
            raise RefusedLocally(f"What keeps media is called {ARCHIVE_CONSUMER!r}; give this reader another name.")
        async with client._course.joining:
            await client._join_sync()
            self._is_synced = True
            try:
                self._consumer = await client._part_of_account().consumer(
                    self.name, tell=client._course.tell, stays=self._follows, shows=self._shows
                )
                await client._begin_keeping()  # after that, for the first consumer of a journal is given everything
            except BaseException:
                await self._leave()
                consumer, self._consumer = self._consumer, None
                if consumer is not None:
                    await consumer.close()
                raise
            if self._follows:
                client._start_sync()

    async def take(self, limit: int = 100) -> list[Given]:
        """
        Give the next entries, in the order of arrival; waits until there is one.

        An empty list says that no more will come: the feed was stopped, the client closed, or nothing waits and this
        feed does not follow.

        Raises:
            LoggedOut: The login has ended, and nothing waits any more.
            StorageError: The journal cannot be read; a feed that follows waits until it can.
        """
        client, consumer = self._client, self._opened()
        while self._is_synced:
            work, news = client._course.work, client._course.news
            is_over = work is None or work.done()  # looked at first: what is stored meanwhile is found by the next turn
            entries = await self._patiently(lambda: consumer.take_waiting(limit))
            if entries:
                events = await self._patiently(partial(client._events_of, entries))
                return list(map(Given, entries, events))
            if not self._follows:
                if not await client._fetch_waiting():
                    await client.wait_for_kept()
                    break
            elif not is_over:
                await news.wait()
            else:
                if work is not None and not work.cancelled():
                    await work
                break
        return []

    async def again(self, number: int, *, attempt: int, redelivered: bool, deaths: int) -> Given | None:
        """Give one once more that was taken, because only its number was kept; None when it was deleted meanwhile."""
        entry = await self._client._part_of_account().entry(number)
        if entry is None:
            return None
        entry = msgspec.structs.replace(entry, attempt=attempt, redelivered=redelivered, deaths=deaths)
        return Given(entry, await self._client._event_of(entry))

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

    async def blame(self, number: int) -> None:
        """Store that this process, should it die from now on, has died of this entry."""
        await self._opened().blame(number)

    def absolve(self, number: int) -> None:
        """Take that back; it is stored a few milliseconds later."""
        self._opened().absolve(number)

    async def stop(self) -> None:
        """Take nothing any more, and poll for nothing; what was taken can still be acknowledged."""
        async with self._client._course.joining:
            await self._leave()

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Stop, store every acknowledgement, and let go of the consumer. A second time does nothing.

        Args:
            unseen_from: What was taken from this number on has been shown to nobody; 0: all of it was.
        """
        # Whoever opens this consumer next waits here until it is let go.
        async with self._client._course.joining:
            consumer, self._consumer = self._consumer, None
            try:
                await self._leave()
            finally:
                if consumer is not None:
                    await consumer.close(unseen_from=unseen_from)

    async def _leave(self) -> None:
        if self._is_synced:
            self._is_synced = False
            await self._client._leave_sync()

    def _opened(self) -> Consumer:
        if self._consumer is None:
            raise StorageError(f"The consumer {self.name!r} is not open.")
        return self._consumer

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read the journal, again and again when it cannot be read; a feed that does not follow has no patience."""
        failures = 0
        while True:
            try:
                return await read()
            except StorageError as error:
                if not self._follows:
                    raise
                failures += 1
                await self._client._bide(error, failures)
