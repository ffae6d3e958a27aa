"""
An account's entries in memory, the cursors of its consumers, and how entries are deleted.

All objects here are changed and read under the lock of their journal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

from webwx.model.contacts import ContactId
from webwx.model.events import ContinuityLost, Item
from webwx.protocol.codec import clean_text
from webwx.storage.base import ARCHIVE_CONSUMER, ConversationRow, Entry
from webwx.storage.tokenizer import Query, tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from webwx.model.events import Arrived
    from webwx.storage.base import EntryQuery

_NUMBER = attrgetter("number")


class StoredEntry(NamedTuple):
    """An entry with its digest, batch and flags."""

    number: int
    entry: Entry
    digest: int = 0
    batch: int = 0
    """Number of the batch's first entry; 0 for a gap that a purge has left."""
    arrived_at: float = 0.0
    size: int = 0
    is_quarantined: bool = False
    is_notice: bool = False

    def tokens(self) -> list[str]:
        """Return the tokens of the entry for a search."""
        return tokens_of(self.entry.item.raw, self.entry.own_id)


class Failure(NamedTuple):
    """The failed attempts of a consumer at one entry."""

    state: Literal["trying", "dead", "revived"]
    attempts: int
    error: str
    time: float


class OpenConsumer(Protocol):
    """An open consumer."""

    read_to: int
    """All entries up to this number were taken, or are skipped."""

    def notify(self) -> None:
        """Announce, from any thread, an entry to take although no batch has arrived."""
        ...


class Cursor:
    """The position of a consumer, which remains when the consumer is closed."""

    def __init__(self, acked: int) -> None:
        self.acked = acked
        """All entries up to this number are acknowledged."""
        self.ahead: set[int] = set()
        """Later entries that are acknowledged."""
        self.delivered: set[int] = set()
        """Entries that were delivered and are not acknowledged."""
        self.failures: dict[int, Failure] = {}
        self.conversations: dict[str, ConversationRow] = {}
        """The conversations by their keys."""
        self.consumer: OpenConsumer | None = None
        """The open consumer; None if it is closed."""

    def forget(self, number: int) -> None:
        """Remove the state of a deleted entry."""
        self.delivered.discard(number)
        self.failures.pop(number, None)

    def forget_conversations(self, before: float, chats: Collection[str] = ()) -> None:
        """Delete conversations last changed and due before a time (0: any time), of these chats (none: all chats)."""
        self.conversations = {
            key: row
            for key, row in self.conversations.items()
            if (before and max(row.changed_at, row.deadline or 0) >= before) or (chats and row.chat not in chats)
        }


class Entries:
    """All entries of an account, in the order of their numbers."""

    def __init__(self) -> None:
        self.last = 0
        """The last number that was used."""
        self.conflicts = 0
        self.batches: Counter[int] = Counter()
        """Number of remaining entries of each batch."""
        self.quarantine: list[int] = []
        """Numbers of unreadable entries."""
        self.gaps: list[int] = []
        """Numbers of gaps that purges have left."""
        self.cursors: dict[str, Cursor] = {}
        self._all: list[StoredEntry] = []
        self._by_id: dict[str, list[StoredEntry]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[StoredEntry]:
        return iter(self._all)

    def copy(self, after: int = 0) -> list[StoredEntry]:
        """Return a list of the entries after a number, for use in another thread."""
        return self._all[bisect_right(self._all, after, key=_NUMBER) :]

    def digests(self, message_id: str) -> tuple[int, ...]:
        """Return the digests of all messages with an id."""
        return tuple(stored.digest for stored in self._by_id.get(message_id, ()))

    def find(self, message_id: str) -> list[StoredEntry]:
        """Return all messages with an id, in the order of arrival."""
        return self._by_id.get(message_id, []).copy()

    def get(self, number: int) -> StoredEntry | None:
        """Return an entry by its number."""
        place = bisect_left(self._all, number, key=_NUMBER)
        return self._all[place] if place < len(self._all) and self._all[place].number == number else None

    def after(self, number: int) -> Iterator[StoredEntry]:
        """Yield the entries after a number."""
        for place in range(bisect_right(self._all, number, key=_NUMBER), len(self._all)):
            yield self._all[place]

    def add(self, own_id: ContactId, items: Collection[tuple[Arrived, int]], at: float) -> None:
        """Add the new items of a batch, each with its digest."""
        batch = self.last + 1
        for self.last, (each, digest) in enumerate(items, batch):
            raw = bytes(each.raw)  # a view would keep the whole answer in memory
            entry = Entry(
                number=self.last, item=Item(kind=each.item.kind, raw=msgspec.Raw(raw)), own_id=own_id,
                message_id=each.message_id, chat=ContactId(each.chat), time=each.time or int(at),
                is_backlog=each.is_backlog,
            )  # fmt: skip
            stored = StoredEntry(
                self.last, entry, digest, batch, at, len(raw),
                is_quarantined=each.is_quarantined, is_notice=each.is_notice,
            )  # fmt: skip
            self._all.append(stored)
            if each.is_quarantined:
                self.quarantine.append(self.last)
            if each.message_id:
                self._by_id.setdefault(each.message_id, []).append(stored)
        if items:
            self.batches[batch] = len(items)

    # -- deletion ----------------------------------------------------------------------------------------------------

    def delete(self, should_delete: Callable[[StoredEntry], bool]) -> list[StoredEntry]:
        """Delete entries except gaps, store gaps for consumers that miss some, and return the deleted entries."""
        deleted = [stored for stored in self._all if stored.batch and should_delete(stored)]
        if not deleted:
            return []
        gaps = self._gaps(deleted)
        gone = {stored.number for stored in deleted}
        left: list[StoredEntry] = []
        for stored in self._all:
            if stored.number not in gone:
                left.append(stored)
            elif stored.number in gaps:
                gap = gaps[stored.number]
                if left and not left[-1].batch:  # combine consecutive gaps
                    before = msgspec.json.decode(left.pop().entry.item.raw, type=ContinuityLost)
                    gap = msgspec.structs.replace(gap, since=min(before.since, gap.since))
                left.append(_stored_gap(stored, gap))
        self._all = left
        self.gaps = [stored.number for stored in left if not stored.batch]
        self.quarantine = [number for number in self.quarantine if number not in gone]
        for stored in deleted:
            self._forget(stored)
        return deleted

    def _gaps(self, deleted: list[StoredEntry]) -> dict[int, ContinuityLost]:
        """Return the gaps for entries that consumers have not read, by the number of the last such entry."""
        gaps: dict[int, ContinuityLost] = {}
        for name, cursor in self.cursors.items():
            seen = max(cursor.acked, cursor.consumer.read_to if cursor.consumer else 0)
            missed = [each for each in deleted if each.number > seen and each.number not in cursor.ahead]
            if missed and name != ARCHIVE_CONSUMER:
                times = [float(each.entry.time) for each in missed]
                gap = ContinuityLost(since=min(times), until=max(times), reason="purged")
                gaps.setdefault(missed[-1].number, gap)
        return gaps

    def _forget(self, stored: StoredEntry) -> None:
        for cursor in self.cursors.values():
            cursor.forget(stored.number)
        same = self._by_id.get(stored.entry.message_id)
        if same is not None:
            same.remove(stored)
            if not same:
                del self._by_id[stored.entry.message_id]
        self.batches[stored.batch] -= 1
        if not self.batches[stored.batch]:
            del self.batches[stored.batch]

    def delete_passed_gaps(self) -> None:
        """Delete gaps that all consumers have passed."""
        passed = min((each.acked for name, each in self.cursors.items() if name != ARCHIVE_CONSUMER), default=0)
        if self.gaps and self.gaps[0] <= passed:
            self._all = [stored for stored in self._all if stored.batch or stored.number > passed]
            self.gaps = [number for number in self.gaps if number > passed]


def condition_of(query: EntryQuery) -> Callable[[StoredEntry], bool]:
    """Return a function that checks whether an entry matches a query."""
    chats = {clean_text(each) for each in query.chats}
    message_id = None if query.message_id is None else clean_text(query.message_id)
    message_ids = {clean_text(each) for each in query.message_ids}
    words = None if query.words is None else Query.of(query.words)

    def is_wanted(stored: StoredEntry) -> bool:
        entry = stored.entry
        return (
            (query.number is None or entry.number == query.number)
            and (message_id is None or entry.message_id == message_id)
            and (not message_ids or entry.message_id in message_ids)
            and (query.before is None or entry.number < query.before)
            and (query.after is None or entry.number > query.after)
            and (not chats or entry.chat in chats)
            and (not query.since or entry.time >= query.since)
            and (not query.until or entry.time <= query.until)
            and (not query.is_notice or stored.is_notice)
            and (words is None or (entry.item.kind == "message" and words.finds(stored.tokens())))
        )

    return is_wanted


def _stored_gap(stored: StoredEntry, gap: ContinuityLost) -> StoredEntry:
    """Return a gap in place of an entry."""
    item = Item(kind="gap", raw=msgspec.Raw(msgspec.json.encode(gap)))
    entry = Entry(
        number=stored.number, item=item, own_id=stored.entry.own_id, message_id="", chat=ContactId(""),
        time=stored.entry.time,
    )  # fmt: skip
    return StoredEntry(stored.number, entry)
