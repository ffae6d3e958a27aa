"""A subscription in memory that records every call."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from webwx.client.reading.delivered import Deferred, Delivered
from webwx.client.reading.subscription import Subscription
from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.events import Item, event_from_item
from webwx.storage.entries import Entry

if TYPE_CHECKING:
    from webwx.bot.chat_queues import ChatQueues
    from webwx.storage.base import AccountJournal
    from webwx.storage.consumer import Consumer

ME = ContactId("@me")


def delivered(
    number: int, chat: str = "@friend", *, attempt: int = 1, redelivered: bool = False, crashes: int = 0
) -> Delivered:
    """Return the text `number` of a chat."""
    fields = {"MsgId": str(number), "FromUserName": chat, "ToUserName": ME, "MsgType": 1, "Content": str(number)}
    item = Item(kind="message", raw=msgspec.Raw(msgspec.json.encode(fields)))
    entry = Entry(
        number=number, item=item, own_id=ME, message_id=str(number), chat=ContactId(chat), time=0, attempt=attempt,
        redelivered=redelivered, crashes=crashes,
    )  # fmt: skip
    event = msgspec.structs.replace(event_from_item(item, ME), number=number, redelivered=redelivered)
    return Delivered(entry=entry, event=event)


class RecordedSubscription(Subscription):
    """Delivers entries from memory, and records the calls for them."""

    crash_grace = 0.0
    crashes: Mapping[int, int] = MappingProxyType({})
    """Crashes of entries, without those that were revoked."""

    def __init__(self, *entries: Delivered) -> None:
        super().__init__("bot", is_synced_here=True)
        self.shown: list[int] = []
        self.acked: list[int] = []
        self.failures: dict[int, list[str]] = {}
        self.dead: dict[int, str] = {}
        self.reads: list[list[int]] = []
        """The numbers of each call of `read_again`."""
        self.asked: list[int] = []
        """The limit of each call of `take`."""
        self.deleted: set[int] = set()
        self.poisoned: set[int] = set()
        """Entries with a poison marker."""
        self.unstored: set[int] = set()
        """Entries that were acknowledged since the last write that was awaited."""
        self.is_stopped = False
        self.storage_errors = 0
        """Number of calls that raise an error, beginning with the next one."""
        self.end: Exception | None = None
        """Error that is raised once no entry is left."""
        self.count = len(entries)
        """Number of entries that will have been delivered in the end."""
        self._all = {each.entry.number: each for each in entries}
        self._waiting = list(entries)
        self._news = asyncio.Event()

    @property
    def read_numbers(self) -> list[int]:
        """The numbers of all entries that were read again."""
        return [number for read in self.reads for number in read]

    def put(self, *entries: Delivered) -> None:
        """Deliver more entries."""
        self._all |= {each.entry.number: each for each in entries}
        self._waiting += entries
        self.count = max(self.count, len(self._all))
        self._news.set()

    @property
    def part(self) -> AccountJournal:
        raise StorageError("There is no journal.")

    @property
    def consumer(self) -> Consumer:
        return cast("Consumer", self)  # it has those of its methods that are called

    async def check_storage(self) -> None:
        self._store()

    async def open(self) -> None:
        pass

    async def close(self, *, unseen_from: int = 0) -> None:
        pass

    async def recount_crashes(self, number: int) -> int:
        return self.crashes[number]

    async def take(self, limit: int = 100) -> list[Delivered]:
        self._store()
        self.asked.append(limit)
        while not self._waiting:
            if self.end is not None:
                raise self.end
            self._news.clear()
            await self._news.wait()
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        return taken

    async def read_again(self, entries: Collection[Deferred]) -> dict[int, Delivered]:
        self._store()
        self.reads.append([each.number for each in entries])
        return {
            number: delivered(
                number, self._all[number].entry.chat, attempt=attempt, redelivered=redelivered, crashes=crashes
            )
            for number, attempt, redelivered, crashes in entries
            if number not in self.deleted
        }

    def show(self, number: int) -> None:
        self.shown.append(number)

    def ack(self, number: int) -> None:
        self.acked.append(number)
        self.unstored.add(number)

    async def add_poison_marker(self, number: int) -> None:
        self._store()
        self.poisoned -= self.unstored
        self.unstored.clear()
        self.poisoned.add(number)

    def remove_poison_marker(self, number: int) -> None:
        self.poisoned.discard(number)

    async def flush(self) -> None:
        self._store()
        self.poisoned -= self.unstored
        self.unstored.clear()

    async def failed(self, number: int, error: str) -> int:
        self._store()
        self.failures.setdefault(number, []).append(error)
        return len(self.failures[number])

    async def give_up(self, number: int, error: str) -> None:
        self._store()
        self.dead[number] = error

    async def stop(self) -> None:
        self.is_stopped = True

    def _store(self) -> None:
        if self.storage_errors:
            self.storage_errors -= 1
            raise StorageError("The disk is full.")


async def run_until_done(queues: ChatQueues, subscription: RecordedSubscription) -> None:
    """Run queues until every entry of a subscription is acknowledged or a dead letter."""
    running = asyncio.ensure_future(queues.run())
    while not running.done() and len(set(subscription.acked)) + len(subscription.dead) < subscription.count:  # noqa: ASYNC110 - as in `until`
        await asyncio.sleep(0.2)  # Mostly of the virtual clock.
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
