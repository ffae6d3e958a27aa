"""A consumer: a named reader of an account's entries, with a cursor and the state of its conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.storage.entries import Entry
    from webwx.storage.tables.conversations import ConversationRow

LOOK_EVERY = 2.0
"""Seconds between two checks for dead letters that another process has revived."""


class Consumer(Protocol):
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
    """

    name: str

    crash_grace: float
    """
    Seconds in which a process that seemed to have crashed, but lived on without its connection, takes its crashes back;
    0: the end of a process is certain.
    """

    async def take(self, limit: int = 100) -> list[Entry]:
        """
        Return the next entries in the order of arrival; an empty list if no entry is due now.

        One consumer object returns an entry only once, acknowledged or not.
        """
        ...

    def show(self, number: int) -> None:
        """Record that an entry that was taken is passed to a handler now; for a consumer opened with `shows`."""
        ...

    def ack(self, number: int) -> None:
        """Acknowledge an entry, taken or not: it is not delivered to this consumer again."""
        ...

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
        ...

    async def conversation(self, key: str) -> ConversationRow | None:
        """Return a conversation as of the last `commit`, stored or not; None for an unknown key."""
        ...

    async def conversations(self, limit: int = 100) -> list[ConversationRow]:
        """Return conversations in no particular order, up to a limit, after all calls of `commit` until now."""
        ...

    async def deadlines(self, limit: int = 100) -> list[ConversationRow]:
        """Return the conversations with a deadline, the earliest first, after all calls of `commit` until now."""
        ...

    async def failed(self, number: int, error: str) -> int:
        """Store a failed attempt at an entry, and return the number of failed attempts."""
        ...

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and acknowledge it; both are done even if the wait for it is cancelled."""
        ...

    async def flush(self) -> None:
        """Return once every acknowledgement is stored."""
        ...

    async def add_poison_marker(self, number: int) -> None:
        """Store a poison marker: a crash from now on counts against this entry."""
        ...

    def remove_poison_marker(self, number: int) -> None:
        """Remove the poison marker; this is stored a few milliseconds later."""
        ...

    async def recount_crashes(self, number: int) -> int:
        """Return the number of crashes of an entry again, without those that living processes have revoked."""
        ...

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Store every acknowledgement and release the name, so that the consumer can be opened again.

        Args:
            unseen_from: No handler has seen the entries from this number on, so they are not marked `redelivered` when
                they are delivered again; 0: handlers have seen all entries.
        """
        ...
