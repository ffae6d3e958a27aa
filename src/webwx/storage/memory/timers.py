"""The calls that an account's bots have scheduled, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.model.contacts import ContactId
from webwx.protocol.codec import clean_text
from webwx.storage.base import StoredTimer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection

    from webwx.storage.base import TimerOutcome, TimerQuery


class ScheduledCalls:
    """All timers of an account; changed and read under the lock of its journal."""

    def __init__(self) -> None:
        self.last = 0
        """The last number that was used."""
        self.rows: dict[int, StoredTimer] = {}
        self.by_key: dict[str, int] = {}
        self.settled: dict[int, float] = {}
        """Times at which timers were settled, the earliest first."""

    def settle(self, number: int, outcome: TimerOutcome, time: float) -> bool:
        """Store the outcome of a timer that waits, and return whether it waited."""
        row = self.rows.get(number)
        if row is None or row.state != "waiting":
            return False
        self.rows[number] = msgspec.structs.replace(row, state=outcome, changed_at=time)
        self.settled[number] = time
        return True

    def expire(self, before: float) -> None:
        """Delete timers that were settled before a time; cheap if there are no such timers."""
        if next(iter(self.settled.values()), before) < before:
            self.remove(before)

    def remove(self, before: float, chats: Collection[str] = ()) -> int:
        """Delete timers of some chats, or those that were settled before a time, and return how many."""
        deleted = [
            row
            for row in self.rows.values()
            if (row.chat in chats if chats else row.state != "waiting") and (not before or row.changed_at < before)
        ]
        for row in deleted:
            del self.rows[row.number]
            del self.by_key[row.key]
            self.settled.pop(row.number, None)
        return len(deleted)


class MemoryTimerStore:
    """The calls that an account's bots have scheduled; `TimerStore` states the guarantees."""

    def __init__(self, calls: Callable[[], ScheduledCalls], lock: threading.RLock) -> None:
        self._calls = calls
        self._lock = lock

    async def add(
        self, *, bot: str, handler: str, key: str, name: str, chat: ContactId, payload: bytes, due_at: float,
        time: float,
    ) -> StoredTimer:  # fmt: skip
        """Store a timer, or return the existing timer with the same key."""
        bot, handler, key, name, text = map(clean_text, (bot, handler, key, name, payload.decode()))
        with self._lock:
            calls = self._calls()
            if key not in calls.by_key:
                calls.last += 1
                calls.by_key[key] = calls.last
                calls.rows[calls.last] = StoredTimer(
                    number=calls.last, bot=bot, handler=handler, key=key, name=name, chat=ContactId(clean_text(chat)),
                    payload=text.encode(), due_at=due_at, created_at=time, changed_at=time,
                )  # fmt: skip
            return calls.rows[calls.by_key[key]]

    async def find(self, query: TimerQuery) -> list[StoredTimer]:
        """Return the timers that wait and match a query, in the order of their times."""
        bot, name = clean_text(query.bot), None if query.name is None else clean_text(query.name)
        with self._lock:
            found = [
                row
                for row in self._calls().rows.values()
                if row.state == "waiting"
                and row.bot == bot
                and query.number in {None, row.number}
                and name in {None, row.name}
                and (query.due_until is None or row.due_at <= query.due_until)
            ]
        return sorted(found, key=lambda row: (row.due_at, row.number))[: query.limit]

    async def settle(self, number: int, outcome: TimerOutcome, *, time: float) -> bool:
        """Store the outcome of a timer that waits, and return whether it waited."""
        with self._lock:
            return self._calls().settle(number, outcome, time)

    async def postpone(self, number: int, due_at: float, *, failures: int, time: float) -> None:
        """Store when the next attempt at a call is due, and how many have failed, if the timer waits."""
        with self._lock:
            row = self._calls().rows.get(number)
            if row is not None and row.state == "waiting":
                self._calls().rows[number] = msgspec.structs.replace(
                    row, due_at=due_at, failures=failures, changed_at=time
                )
