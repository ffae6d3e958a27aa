"""A subscription that takes its events from the journal."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.client.cancellation import complete
from webwx.client.reading.delivered import Delivered
from webwx.client.reading.subscription import Subscription
from webwx.client.retry import retry
from webwx.errors import InvalidRequest, StorageError
from webwx.override import override
from webwx.storage.entries import EntryQuery
from webwx.storage.tables.media import ARCHIVE_CONSUMER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.reading.delivered import Deferred
    from webwx.client.reading.history import MessageHistory
    from webwx.client.sync.sync_loop import SyncLoop
    from webwx.storage.base import AccountJournal
    from webwx.storage.consumer import Consumer
    from webwx.storage.entries import Entry

T = TypeVar("T")

_CHECKED = "storage check"
"""Name of the value that is written to check that the journal can be written."""


class JournalReader(Subscription):
    """
    A consumer of the journal; `Subscription` states the guarantees.

    Args:
        sync: The account's sync loop.
        storage: The account's storage; it has a journal.
        history: Returns the events of entries.
        name: The consumer's name.
        follow: False: do not poll; `take` returns an empty list once no entry waits.
        shows: Whether the caller calls `show` for each entry that a handler gets; otherwise every taken entry counts as
            shown.
    """

    def __init__(
        self,
        sync: SyncLoop,
        storage: AccountStorage,
        history: MessageHistory,
        name: str,
        *,
        follow: bool = True,
        shows: bool = False,
    ) -> None:
        super().__init__(name, is_synced_here=True)
        self._shows = shows
        self._sync = sync
        self._storage = storage
        self._history = history
        self._follows = follow
        self._consumer: Consumer | None = None
        self._is_synced = False
        self._is_all_fetched = False
        """Whether no more is expected from the server; `take` then returns only what is stored."""

    @property
    @override
    def part(self) -> AccountJournal:
        return self._storage.part()

    @property
    @override
    def consumer(self) -> Consumer:
        if self._consumer is None:
            raise StorageError(f"The consumer {self.name!r} is not open.")
        return self._consumer

    @override
    async def check_storage(self) -> None:
        await self.part.change_state(_CHECKED, lambda before: b"2" if before == b"1" else b"1")

    @override
    async def open(self) -> None:
        sync = self._sync
        if self.name == ARCHIVE_CONSUMER:
            raise InvalidRequest(f"The name {ARCHIVE_CONSUMER!r} is reserved for the media archive; choose another.")
        async with sync.joining:
            await sync.join()
            self._is_synced = True
            try:
                self._consumer = await self._storage.part().consumer(
                    self.name, on_revived=self._storage.notify, stays=self._follows, shows=self._shows
                )
                await sync.begin_archiving()  # later than this consumer: the first one of a journal gets all entries
            except BaseException:
                await self._leave()
                consumer, self._consumer = self._consumer, None
                if consumer is not None:
                    await consumer.close()
                raise
            if self._follows:
                sync.start()

    @override
    async def take(self, limit: int = 100) -> list[Delivered]:
        sync, storage, consumer = self._sync, self._storage, self.consumer
        while self._is_synced:
            work, news = sync.work, storage.news
            is_over = work is None or work.done()  # read first: the next round finds what is stored meanwhile
            entries = await self._retried(lambda: consumer.take(limit))
            if entries:
                events = await self._retried(partial(self._history.events_of, entries))
                return list(map(Delivered, entries, events))
            if not self._follows:
                if self._is_all_fetched:
                    await sync.wait_for_archive()
                    break
                # The last entries may have been stored after this looked, also by another subscription: look again.
                self._is_all_fetched = not await sync.fetch_waiting()
            elif not is_over:
                await news.wait()
            else:
                if work is not None and not work.cancelled():
                    await work
                break
        return []

    @override
    async def read_again(self, entries: Collection[Deferred]) -> dict[int, Delivered]:
        earlier = {each.number: each for each in entries}
        found = await self._storage.part().find(EntryQuery(numbers=tuple(earlier), limit=len(earlier)))
        again = [_as_before(entry, earlier[entry.number]) for entry in found]
        events = await self._history.events_of(again)
        return {entry.number: Delivered(entry, event) for entry, event in zip(again, events, strict=True)}

    @override
    def show(self, number: int) -> None:
        (self._consumer or self.consumer).show(number)  # this and `ack` are called for each event

    @override
    def ack(self, number: int) -> None:
        (self._consumer or self.consumer).ack(number)

    @override
    async def failed(self, number: int, error: str) -> int:
        return await self.consumer.failed(number, error)

    @override
    async def give_up(self, number: int, error: str) -> None:
        await self.consumer.give_up(number, error)

    @override
    async def flush(self) -> None:
        await self.consumer.flush()

    @override
    async def stop(self) -> None:
        async with self._sync.joining:
            await self._leave()

    @override
    async def close(self, *, unseen_from: int = 0) -> None:
        try:
            await self._close(unseen_from)
        except asyncio.CancelledError:
            if self._is_synced:  # it has only waited: a consumer that stays open cannot be opened again
                await complete(self._close(unseen_from))
            raise

    async def _close(self, unseen_from: int) -> None:
        # Another subscription of this consumer waits here until it is closed.
        async with self._sync.joining:
            consumer, self._consumer = self._consumer, None
            try:
                await self._leave()
            finally:
                if consumer is not None:
                    await consumer.close(unseen_from=unseen_from)

    async def _leave(self) -> None:
        if self._is_synced:
            self._is_synced = False
            await self._sync.leave()

    async def _retried(self, read: Callable[[], Awaitable[T]]) -> T:
        """Read the journal, and retry if it cannot be read; a subscription that does not follow raises at once."""

        def is_worth_it(error: StorageError, _: int) -> bool:
            if self._follows:
                self._sync.storage_failed(error)
            return self._follows

        return await retry(read, StorageError, is_worth_it=is_worth_it, backoff=self._sync.backoff())


def _as_before(entry: Entry, earlier: Deferred) -> Entry:
    """Return an entry that was read again as it was delivered."""
    return msgspec.structs.replace(
        entry, attempt=earlier.attempt, redelivered=earlier.redelivered, crashes=earlier.crashes
    )
