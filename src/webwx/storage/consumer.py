"""
A consumer: a named reader of an account's entries, with a cursor and the state of its conversations.

What every engine does alike is here: attempts, dead letters, conversations, and what waits to be stored. An engine
reads entries and stores the cursor, because the speed of what arrives depends on that.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from webwx.protocol.codec import clean_text
from webwx.storage.deliveries import Acknowledgements, EarlierAttempts, Revivals, cleaned
from webwx.storage.tables.conversations import StoredConversations
from webwx.storage.tables.dead_letters import StoredFailures

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from webwx.storage.deliveries import ConsumerState
    from webwx.storage.engine.port import Tables
    from webwx.storage.entries import Entry
    from webwx.storage.tables.conversations import ConversationRow

LOOK_EVERY = 2.0
"""Seconds between two checks for dead letters that another process has revived."""


class Consumer(ABC):
    """
    A named reader of an account's entries: it receives each entry in order, at least once.

    The states of an entry for one consumer:

    | State        | Taken | Change                                      | Next state                   |
    |--------------|-------|---------------------------------------------|------------------------------|
    | not taken    | yes   | `take`                                      | in flight                    |
    | in flight    | no    | `ack`, `commit`                             | acknowledged                 |
    |              |       | `failed`, which counts the attempt          | in flight                    |
    |              |       | `give_up`                                   | dead letter                  |
    |              |       | the consumer is closed, or its process dies | not taken, but `redelivered` |
    | dead letter  | no    | `AccountJournal.revive`                     | revived                      |
    | revived      | yes   | `take`                                      | in flight, as a new attempt  |
    | held         | no    | `RestoredStorage.release`                   | revived                      |
    |              |       | `RestoredStorage.drop`                      | acknowledged                 |
    | acknowledged | no    |                                             |                              |

    An entry is `redelivered` only if a handler may have seen it. Entries may be acknowledged in any order, also before
    they are taken. Failed attempts are counted across processes. Only a database that was restored to an earlier moment
    has held entries.

    A poison message, which crashes its process, must not crash every process that takes it: an entry that was in flight
    in two crashes has `Entry.crashes` of two, and its reader handles it in isolation, after `add_poison_marker`, so
    that a third crash counts against this entry only.

    Acknowledgements are cheap: they are stored with the next transaction, at most milliseconds later. Where the engine
    can, they survive a crash of the process at once; a power failure may still lose them.

    A consumer also stores the state of its conversations. A change of a conversation and the acknowledgement of the
    entries that caused it are one transaction, so a crash neither loses nor repeats a step.

    Args:
        name: Name of the consumer.
        row: Its row.
        tables: The account's tables.
        state: The stored state when it was opened.
        may_have_begun: Returns whether an earlier process may have passed an entry to a handler.
        on_revived: Called when a dead letter was revived.
    """

    crash_grace: float = 0.0
    """
    Seconds in which a process that seemed to have crashed, but lived on without its connection, takes its crashes back;
    0: the end of a process is certain.
    """

    def __init__(
        self, name: str, row: int, tables: Tables, state: ConsumerState, *, may_have_begun: Callable[[int], bool],
        on_revived: Callable[[], object],
    ) -> None:  # fmt: skip
        self.name = name
        self.row = row
        self.read_to: int = state.acked
        """All entries up to this number were put into the buffer, or are skipped."""
        self._known = state
        self._on_revived = on_revived
        self._loop = asyncio.get_running_loop()
        self._attempts = EarlierAttempts(state, may_have_begun)
        self._revivals = Revivals()
        self._failures = StoredFailures(tables, row)
        self._conversations = StoredConversations(tables, row)
        # The attributes below are shared with the thread that stores them.
        self._guard = threading.Lock()
        self._position = Acknowledgements(state.acked, state.ahead)
        self._acks: list[int] = []
        """Acknowledgements since the last transaction."""
        self._acks_storing: list[int] = []
        """Acknowledgements in the current transaction."""
        self._changes: dict[str, ConversationRow] = {}
        """Conversations that changed since the last transaction, by their keys."""
        self._changes_storing: dict[str, ConversationRow] = {}
        """Changed conversations in the current transaction."""
        self._is_dirty = False
        """Whether something is to be stored."""

    @abstractmethod
    async def take(self, limit: int = 100) -> list[Entry]:
        """
        Return the next entries in the order of arrival; an empty list if no entry is due now.

        One consumer object returns an entry only once, acknowledged or not.
        """
        ...

    def show(self, number: int) -> None:  # noqa: B027 - an engine need not record it
        """
        Record that an entry that was taken is passed to a handler now; for a consumer opened with `shows`.

        An engine that does not record it counts every entry that was taken as passed.
        """

    def ack(self, number: int) -> None:
        """Acknowledge an entry, taken or not: it is not delivered to this consumer again."""
        self.commit((number,), ())

    def commit(self, numbers: Collection[int], changes: Collection[ConversationRow]) -> None:
        """
        Acknowledge entries and store changes of conversations, all in one transaction.

        It is stored like an acknowledgement, at most milliseconds later, but a crash before that loses all of it: the
        entries are delivered again, and the conversations are as before. Transactions are stored in the order of the
        calls. A reader that has used the state of a conversation calls this instead of `ack`, even without a change,
        because the state that it has seen may not be stored yet.

        Args:
            numbers: The entries; none for a change that no entry has caused, such as a time-out.
            changes: The new rows; an empty row deletes a conversation.
        """
        rows = {row.key: row for row in map(cleaned, changes)}
        with self._guard:  # a transaction takes the acknowledgements and the changes together
            self._acks += numbers
            self._changes |= rows
            if self._attempts.poison_markers or self._attempts.crashes:
                for number in numbers:
                    self._attempts.forget_crashes(number)
        self._store_soon()

    @abstractmethod
    def _store_soon(self) -> None:
        """Store what has changed with the next transaction, at most milliseconds later; set `_is_dirty`."""
        ...

    @abstractmethod
    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        ...

    async def conversation(self, key: str) -> ConversationRow | None:
        """Return a conversation as of the last `commit`, stored or not; None for an unknown key."""
        key = clean_text(key)
        with self._guard:
            row = self._changes.get(key) or self._changes_storing.get(key)
        if row is not None:
            return None if row.is_empty else row
        return await self._conversations.get(key)

    async def conversations(self, limit: int = 100) -> list[ConversationRow]:
        """Return conversations in no particular order, up to a limit, after all calls of `commit` until now."""
        await self.flush()
        return await self._conversations.some(limit)

    async def deadlines(self, limit: int = 100) -> list[ConversationRow]:
        """Return the conversations with a deadline, the earliest first, after all calls of `commit` until now."""
        await self.flush()
        return await self._conversations.by_deadline(limit)

    async def failed(self, number: int, error: str) -> int:
        """Store a failed attempt at an entry, and return the number of failed attempts."""
        attempts = self._attempts.failed.get(number, 0) + 1
        state, at = self._revivals.state_after_failure(number, time.time())
        await self._failures.put(number, state, attempts, error, at)
        self._attempts.failed[number] = attempts
        return attempts

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and acknowledge it; both are done even if the wait for it is cancelled."""
        attempts = self._attempts.count_at_end(number)

        async def store() -> None:
            await self._failures.put(number, "dead", attempts, error, time.time())
            self._attempts.failed.pop(number, None)  # so that the acknowledgement does not delete the row
            self.ack(number)

        await asyncio.shield(asyncio.ensure_future(store()))

    async def _look_for_revived(self) -> None:
        """Read which dead letters were revived, if that is due."""
        self._revivals.is_look_due = False
        try:
            await self.flush()  # the acknowledgement of a dead letter is not that of the revived entry
            found = await self._failures.revived()
        except BaseException:
            self._revivals.is_look_due = True
            raise
        with self._guard:
            unstored = {*self._acks, *self._acks_storing}
        self._revivals.add(found, unstored, self._attempts)

    async def add_poison_marker(self, number: int) -> None:
        """Store a poison marker: a crash from now on counts against this entry."""
        with self._guard:
            self._attempts.add_poison_marker(number)
            self._is_dirty = True
        await self.flush()

    def remove_poison_marker(self, number: int) -> None:
        """Remove the poison marker; this is stored a few milliseconds later."""
        if number in self._attempts.poison_markers:
            with self._guard:
                self._attempts.remove_poison_marker(number)
            self._store_soon()

    async def recount_crashes(self, number: int) -> int:
        """
        Return the number of crashes of an entry again, without those that living processes have revoked.

        None is revoked where the end of a process is certain.
        """
        with self._guard:
            return self._attempts.recount(number, self._attempts.crashes.get(number), has_lived_on=False)

    @abstractmethod
    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Store every acknowledgement and release the name, so that the consumer can be opened again.

        Args:
            unseen_from: No handler has seen the entries from this number on, so they are not marked `redelivered` when
                they are delivered again; 0: handlers have seen all entries.
        """
        ...
