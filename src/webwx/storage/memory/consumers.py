"""A consumer of an account's entries in memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.codec import clean_text
from webwx.storage.memory.entries import Failure

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection

    from webwx.storage.base import ConversationRow, Entry
    from webwx.storage.memory.entries import Cursor, Entries


class MemoryConsumer:
    """A consumer of an account's entries; `Consumer` states the guarantees."""

    def __init__(
        self, name: str, cursor: Cursor, entries: Entries, lock: threading.RLock, *, on_revived: Callable[[], object],
        shows: bool,
    ) -> None:  # fmt: skip
        self.name = name
        self.crash_grace: float = 0.0
        self.read_to: int = cursor.acked
        """All entries up to this number were taken, or are skipped."""
        self._cursor = cursor
        self._entries = entries
        self._lock = lock
        self._on_revived = on_revived
        self._shows = shows
        self._loop = asyncio.get_running_loop()
        self._delivered_before = frozenset(cursor.delivered)
        self._revivals: dict[int, float] = {}
        """Times of the revivals that this consumer has taken, by entry."""
        self._given: list[int] = []
        """Taken entries after `acked`, in order."""

    def __repr__(self) -> str:
        return f"MemoryConsumer({self.name!r})"

    # -- delivery ----------------------------------------------------------------------------------------------------

    async def take(self, limit: int = 100) -> list[Entry]:
        """Return the next entries in the order of arrival; an empty list if no entry is due now."""
        with self._lock:
            return self._take(limit)

    def _take(self, limit: int) -> list[Entry]:
        taken = self._take_revived(limit)
        for stored in self._entries.after(self.read_to):
            if len(taken) >= limit:
                break
            self.read_to = stored.number
            if stored.number not in self._cursor.ahead:
                taken.append(self._marked(stored.entry))
                self._given.append(stored.number)
        if not self._shows:
            self._cursor.delivered.update(entry.number for entry in taken)
        return taken

    def _take_revived(self, limit: int) -> list[Entry]:
        taken: list[Entry] = []
        for number, failure in self._cursor.failures.items():
            is_new = failure.state == "revived" and self._revivals.get(number) != failure.time
            stored = self._entries.get(number) if is_new and len(taken) < limit else None
            if stored is not None:
                self._revivals[number] = failure.time
                taken.append(
                    msgspec.structs.replace(
                        stored.entry, attempt=failure.attempts + 1, redelivered=number in self._delivered_before
                    )
                )
        return taken

    def _marked(self, entry: Entry) -> Entry:
        """Return an entry with the number of its attempts."""
        failure = self._cursor.failures.get(entry.number)
        is_again = entry.number in self._delivered_before
        if failure is None and not is_again:
            return entry
        # An interrupted attempt was not counted as failed.
        attempt = (failure.attempts if failure else 0) + is_again + 1
        return msgspec.structs.replace(entry, redelivered=is_again, attempt=attempt)

    def notify(self) -> None:
        """Call `on_revived` in the consumer's loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._on_revived)

    def show(self, number: int) -> None:
        """Record that an entry is passed to a handler now."""
        with self._lock:
            self._cursor.delivered.add(number)

    # -- acknowledgement ---------------------------------------------------------------------------------------------

    def ack(self, number: int) -> None:
        """Acknowledge an entry: it is not delivered to this consumer again."""
        with self._lock:
            cursor = self._cursor
            failure = cursor.failures.get(number)
            cursor.delivered.discard(number)
            if failure is not None and failure.state != "dead":
                del cursor.failures[number]
            if number > cursor.acked:
                cursor.ahead.add(number)
            passed = list(takewhile(cursor.ahead.__contains__, self._given))
            if passed:
                cursor.acked = passed[-1]
                del self._given[: len(passed)]
                cursor.ahead = {each for each in cursor.ahead if each > cursor.acked}

    def commit(self, numbers: Collection[int], changes: Collection[ConversationRow]) -> None:
        """Acknowledge entries and store changes of conversations."""
        with self._lock:
            for number in numbers:
                self.ack(number)
            for row in changes:
                key = clean_text(row.key)
                if row.is_empty:
                    self._cursor.conversations.pop(key, None)
                else:
                    self._cursor.conversations[key] = msgspec.structs.replace(row, key=key)

    async def flush(self) -> None:
        """Return at once: acknowledgements are stored immediately."""

    # -- conversations -----------------------------------------------------------------------------------------------

    async def conversation(self, key: str) -> ConversationRow | None:
        """Return a conversation as the last `commit` has left it; None for an unknown key."""
        with self._lock:
            return self._cursor.conversations.get(clean_text(key))

    async def conversations(self, limit: int = 100) -> list[ConversationRow]:
        """Return conversations in no particular order, up to a maximum number."""
        with self._lock:
            return list(islice(self._cursor.conversations.values(), limit))

    async def deadlines(self, limit: int = 100) -> list[ConversationRow]:
        """Return the conversations with a deadline, the earliest first."""
        with self._lock:
            due = [(row.deadline, key) for key, row in self._cursor.conversations.items() if row.deadline is not None]
            return [self._cursor.conversations[key] for _, key in sorted(due)[:limit]]

    # -- failures ----------------------------------------------------------------------------------------------------

    async def failed(self, number: int, error: str) -> int:
        """Store a failed attempt at an entry, and return the number of failed attempts."""
        with self._lock:
            before = self._cursor.failures.get(number)
            attempts = (before.attempts if before else 0) + 1
            is_revived = before is not None and before.state == "revived"
            failure = Failure("trying", attempts, error, time.time())
            if before is not None and is_revived:  # it stays revived, because the cursor has passed it already
                failure = before._replace(attempts=attempts, error=error)
            self._cursor.failures[number] = failure
        return attempts

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and acknowledge it."""
        with self._lock:
            before = self._cursor.failures.get(number)
            attempts = max(1, before.attempts if before else 0)
            self._cursor.failures[number] = Failure("dead", attempts, error, time.time())
            self.ack(number)

    async def add_poison_marker(self, number: int) -> None:
        """Do nothing: the journal ends with its process, so no crash is counted."""

    def remove_poison_marker(self, number: int) -> None:
        """Do nothing: no poison marker is stored."""

    async def recount_crashes(self, number: int) -> int:
        """Return 0: the journal ends with its process, so no crash is counted."""
        del number
        return 0

    async def close(self, *, unseen_from: int = 0) -> None:
        """Release the name; no handler has seen the entries from `unseen_from` on (0: handlers have seen all)."""
        with self._lock:
            if self._cursor.consumer is not self:
                return
            self._cursor.consumer = None
            if unseen_from:
                unseen = {each for each in self._cursor.delivered if each >= unseen_from}
                self._cursor.delivered -= unseen - self._delivered_before
