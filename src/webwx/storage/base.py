"""
The contract of a storage engine: what a journal stores of accounts, and what its callers may rely on.

A journal holds any number of accounts, each by its number at the platform (`uin`), which no login changes. It stores
items unchanged, as they arrive; events are decoded when they are read. `open.open_journal` opens an engine by its URL,
and no module above this package imports an engine. tests/storage_contract tests every engine against this contract.

**Transactions.** Every method that changes the journal is one transaction: when it returns, the whole change is stored;
when it raises, none of it is. `ingest` stores the body, the new entries, the contacts and the position together, so a
stored position never skips a lost entry. An engine may combine the transactions of several callers and may store
acknowledgements in a later transaction; it may not split a transaction. The exception is `purge`: it may delete in
several transactions, and a crash between two of them leaves the remaining rows.

**Order.** The numbers of an account's entries grow in the order of arrival, become visible in that order, and are never
used twice, even after a deletion; the same holds for its sends and its identities. Nothing is ordered across accounts:
two accounts may have the same numbers, and a cursor over several accounts is an opaque string that holds one number for
each (`cursors`).

**Cursors.** A consumer has one cursor in one account: it has acknowledged all entries up to a number, and some later
ones. A cursor only moves forward. Only one process at a time can open a consumer, so only one handles an entry.

**Several processes.** If an engine's journals outlive the process, several processes can open the same journal. A call
sees everything that other processes stored before the call began. When a process dies, its consumers count as closed
and its attempts to send as ended.

**Blocking.** A coroutine may wait for storage. It runs no query on the event loop's thread, and its work on that thread
does not grow with the size of the journal. A method that is not a coroutine returns at once: `ack`, `commit`, `show`
and `remove_poison_marker`. A lookup in a `Roster`, by id or by name, is the only read that may run on the event loop's
thread: it reads the contacts that it returns, on this machine and without waiting for a writer. An engine on another
machine holds the login's contacts in memory or in a local file. An iteration over a `Roster` runs in another thread.
All methods may be called from any event loop of the process.

**Text.** Any `str` is accepted, also with lone surrogates; an engine may replace those by U+FFFD. How text is split
into tokens for a search is part of the contract (`tokenizer`), and so are the names and limits below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

from webwx.model.contacts import Contact, ContactId
from webwx.model.identities import Identified
from webwx.model.roster import Roster
from webwx.storage.tables.body_checks import BodyCheck, check_bodies
from webwx.storage.tables.consumers import ConsumerList
from webwx.storage.tables.counts import count_rows
from webwx.storage.tables.dead_letters import StoredDeadLetters
from webwx.storage.tables.identities.links import ids_named
from webwx.storage.tables.identities.store import StoredIdentities
from webwx.storage.tables.media import ArchivedMedia
from webwx.storage.tables.outbox import StoredSends
from webwx.storage.tables.read_positions import ReadPositions
from webwx.storage.tables.states import NamedStates
from webwx.storage.tables.timers import StoredTimers

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from webwx.storage.account_folder import LoginName
    from webwx.storage.consumer import Consumer
    from webwx.storage.engine.port import Tables
    from webwx.storage.entries import Arrival, Entry, EntryQuery, UnreadEntries
    from webwx.storage.saved_login import LoginStore
    from webwx.storage.tables.body_checks import DamagedBatch
    from webwx.storage.tables.consumers import ConsumerPosition
    from webwx.storage.tables.dead_letters import DeadLetterRow
    from webwx.storage.tables.media import MediaBytes
    from webwx.storage.tables.outbox import AttemptStore, Outbox
    from webwx.storage.tables.records import RecordStore

RETENTION_DAYS = 90
"""Days that entries and sends are kept by default."""

QUARANTINE = 10_000
"""Number of unreadable entries that are kept, the newest ones."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one account's rows."""

    entries: int
    batches: int
    quarantined: int
    """Number of entries that could not be read."""
    conflicts: int
    """Number of messages that arrived with the id of another message; both are kept."""
    dead_letters: int
    """Number of dead letters of all consumers."""
    indexed: int
    """Number of the last indexed entry; a search scans the entries after it."""
    size: int
    """Size of the whole journal file, in bytes."""
    kept: int = 0
    """Number of messages with archived media."""
    kept_size: int = 0
    """Size of the archived media, in bytes."""


class JournalMeasures(NamedTuple):
    """The part of `Stats` that each engine counts in its own way."""

    quarantined: int
    indexed: int
    size: int


class OpenedLogin(NamedTuple):
    """Result of `open_login`."""

    position: bytes
    """The position of the next fetch; the stored one if the journal knew the login already."""
    roster: Roster
    """The stored contacts of the login."""
    identified: Sequence[Identified] | None
    """Result of matching the contacts, as of `identify`; None if they were too many."""


class AccountParts(NamedTuple):
    """What an engine gives for those parts of an account that are the same on every engine."""

    tables: Tables
    """The account's tables."""
    attempts: AttemptStore
    """The attempts at its sends."""
    media: MediaBytes
    """The bytes of its archived media."""
    entries_of: Callable[[Collection[int]], Awaitable[list[Entry]]]
    """Returns the entries with these numbers, without those that were deleted."""
    stored_block: str
    """The query for the last stored block of entries (`entry_blocks`)."""
    on_revived: Callable[[], None]
    """Called when a dead letter was revived, so that the consumers of this process look for it."""
    on_complete_list: Callable[[], None] = lambda: None
    """Called when all contacts of a login were matched with identities."""
    sends: Tables | None = None
    """The tables for its sends, if their changes are announced to other processes; None: `tables`."""


class AccountJournal(ABC):
    """
    One account's part of a journal; an engine makes a subclass.

    An object has one current login: the last one passed to `open_login` or found by `position`. Several objects of one
    account may have different current logins, in one process or in several.

    Args:
        parts: What the engine gives for the parts that are the same on every engine.
    """

    identities: StoredIdentities
    """The account's identities."""

    media: ArchivedMedia
    """The archived media of the account's messages."""

    outbox: Outbox
    """The account's sends."""

    read_positions: ReadPositions
    """The positions up to which the account's chats were read."""

    timers: StoredTimers
    """The calls that the account's bots have scheduled."""

    def __init__(self, parts: AccountParts) -> None:
        tables = parts.tables
        self._tables = tables
        self._on_revived = parts.on_revived
        self._states = NamedStates(tables)
        self._consumer_list = ConsumerList(tables, parts.stored_block)
        self._dead_letters = StoredDeadLetters(tables, parts.entries_of)
        self._login: tuple[int, ContactId] | None = None
        """The row and the own id of the current login."""
        self.identities = StoredIdentities(
            tables, lambda: self._login[0] if self._login else 0, on_complete=parts.on_complete_list
        )
        self.media = ArchivedMedia(tables, parts.media)
        self.outbox = StoredSends(parts.sends or tables, parts.attempts)
        self.read_positions = ReadPositions(tables)
        self.timers = StoredTimers(tables)

    @abstractmethod
    async def open_login(
        self, own_id: ContactId, position: bytes, time: float, contacts: Iterable[Contact], *, complete: bool = False
    ) -> OpenedLogin:
        """
        Begin a new login in one transaction, and return its stored contacts; a known login keeps its position.

        If the account had an earlier login, store a gap from the last batch of that login until now, because messages
        may have been missed in between. Up to `MATCHED_WITH_LOGIN` contacts are matched with identities in the same
        transaction; the caller passes more of them to `identify`.

        Args:
            own_id: The account's id in the login.
            position: The position of the next fetch.
            time: The current time, in seconds since 1970.
            contacts: The contacts; iterated once, in any thread.
            complete: These are all contacts of the login.
        """
        ...

    @abstractmethod
    async def position(self, own_id: ContactId) -> bytes | None:
        """Return the position of the next fetch, and make this the current login; None if the login is unknown."""
        ...

    @abstractmethod
    async def ingest(self, arrival: Arrival) -> int:
        """
        Store a batch in one transaction: the body, the new items, the contacts, the position and the read chats.

        A message is new unless a message with the same id and digest is stored. A message with a stored id and another
        digest is stored as well, and counted as a conflict. An item without an id, such as a change of a contact, is
        new unless its batch repeats the last batch of the login.

        Returns:
            The number of new items.

        Raises:
            StorageError: The batch was not stored, or may not have been: call `position` and fetch again from there.
                Or the journal does not know the login.
        """
        ...

    @abstractmethod
    async def consumer(
        self, name: str, *, since: Literal["beginning", "now"] = "now", on_revived: Callable[[], object] = lambda: None,
        stays: bool = False, shows: bool = False,
    ) -> Consumer:  # fmt: skip
        """
        Open a consumer; each name can be open only once at a time.

        Args:
            name: Name of the consumer, which identifies its cursor.
            since: Where a new name begins. The first consumer of a journal always begins with the first entry.
            on_revived: Called when a dead letter was revived: the reader takes it although no batch has arrived.
            stays: The consumer stays open for long, so a slower opening is worth faster commits.
            shows: The reader calls `show` for each entry that it passes to a handler; otherwise every entry that was
                taken counts as passed.
        """
        ...

    async def consumers(self) -> list[ConsumerPosition]:
        """Return the account's consumers in the order of their names; they may be open in any process."""
        return await self._consumer_list.positions()

    async def consumer_names(self) -> set[str]:
        """Return the names of the account's consumers; unlike `consumers`, this does not count what waits for them."""
        return await self._consumer_list.names()

    @abstractmethod
    async def forget_consumer(self, name: str) -> bool:
        """
        Delete a consumer with its cursor, dead letters and conversations, and return whether it existed.

        A consumer that is opened under this name later is a new one.

        Raises:
            AlreadyRunning: The consumer is open, in this process or another one.
        """
        ...

    async def dead_letters(self, consumer: str, *, limit: int = 100, before: int | None = None) -> list[DeadLetterRow]:
        """
        Return a consumer's dead letters, the newest first; the consumer may be open in any process.

        Args:
            consumer: Name of the consumer.
            limit: Maximum number of results.
            before: Only entries with a lower number; None: all.
        """
        return await self._dead_letters.find(consumer, limit=limit, before=before)

    async def revive(self, consumer: str, number: int) -> bool:
        """
        Deliver a dead letter again, as a new attempt, and return whether it existed.

        An open consumer receives it within seconds, in any process; a closed consumer when it is opened.
        """
        is_one = await self._dead_letters.revive(consumer, number)
        self._on_revived()
        return is_one

    @abstractmethod
    async def find(self, query: EntryQuery) -> list[Entry]:
        """Return the entries that match a query, the newest first; with `after`, in the order of arrival."""
        ...

    @abstractmethod
    async def unread(self, chats: Collection[ContactId], after: int) -> UnreadEntries:
        """
        Return what a chat has after the position up to which it was read.

        Args:
            chats: The ids of the chat, in all logins.
            after: The position: the number of an entry.
        """
        ...

    @abstractmethod
    async def roster(self, own_id: ContactId) -> Roster:
        """Return the contacts of a login that are not deleted; each is read when it is looked up."""
        ...

    @abstractmethod
    async def people(self, ids: Collection[ContactId]) -> list[Contact]:
        """Return the contacts that had these ids, in any login."""
        ...

    @abstractmethod
    async def save_contacts(
        self, own_id: ContactId, contacts: Collection[Contact], deleted: Collection[ContactId] = ()
    ) -> None:
        """Store contacts, and delete contacts by their ids; other contacts stay unchanged."""
        ...

    async def chats_named(self, name: str) -> list[ContactId]:
        """Return every id that had this remark or nickname, in any login."""
        return await self._tables.read(lambda db: ids_named(db, name))

    async def state(self, name: str) -> bytes:
        """Return a small value by its name, stored by any process; empty if the name is unknown."""
        return await self._states.get(name)

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """
        Replace a small value by the result of a function that gets the value, atomically; return the new value.

        The function may be called in another thread; if it raises, nothing changes.

        Raises:
            StorageError: The new value was not stored.
        """
        return await self._states.change(name, change)

    @abstractmethod
    async def purge(self, *, before: float = 0, chats: Collection[ContactId] = ()) -> int:
        """
        Delete entries, sends and timers that are older than a time, or of these chats, or both; return how many.

        A consumer that has not taken a deleted entry finds a gap in place of the last one that it misses; consecutive
        gaps are combined. With a time alone, the contacts of logins that ended before it are deleted too. A send in
        state `sending` stays. Timers count by their last change; one that waits is deleted only with its chat. A
        conversation counts by its last change and the chat of that change, and is not part of the number; a reader that
        has loaded a conversation may store it again. The position up to which a chat was read counts by the time of its
        last change, and is not part of the number either.
        """
        ...

    async def stats(self) -> Stats:
        """Return the counts of this account's rows."""
        counts = await self._tables.read(count_rows)
        measures = await self._measure()
        return Stats(**counts._asdict(), **measures._asdict())

    @abstractmethod
    async def _measure(self) -> JournalMeasures:
        """Return what only the engine can count."""
        ...

    async def check_bodies(self) -> BodyCheck:
        """Read all stored bodies, and return those that are damaged."""
        count, after = 0, 0
        damaged: list[DamagedBatch] = []
        while piece := await self._tables.read(partial(check_bodies, after=after)):
            after = piece.last
            count += piece.batches
            damaged += piece.damaged
        return BodyCheck(batches=count, damaged=tuple(damaged))


class Journal(Protocol):
    """
    The stored entries, sends and contacts of all accounts.

    Entries, sends, timers and conversations older than the engine's retention are deleted automatically, as by `purge`;
    a conversation with a deadline stays until its deadline is as old. The age of entries counts from the arrival, by
    the platform's clock; a clock that ran ahead deletes nothing. Of the unreadable entries only the newest `QUARANTINE`
    are kept.
    """

    def account(self, uin: int) -> AccountJournal:
        """Return an account's part; it is created on first use."""
        ...

    async def accounts(self) -> list[int]:
        """Return the numbers of the accounts that have a part, the latest login first."""
        ...

    def fingerprint(self, uin: int) -> object:
        """
        Return a value that differs soon after another process has changed sends of an account, and at other times too.

        None: no other process makes sends of the account.

        Raises:
            StorageError: The journal was closed.
        """
        ...

    async def close(self) -> None:
        """Close all consumers, store pending changes, and close the journal; later calls raise `StorageError`."""
        ...


class JournalFile(Journal, Protocol):
    """A journal in a file of this machine, which can be copied and deleted."""

    async def backup(self, path: str | os.PathLike[str], report: Callable[[int, int], object] | None = None) -> None:
        """
        Copy a snapshot of the journal into a new file; other writers continue meanwhile.

        Args:
            path: The new file.
            report: Called in another thread with the number of copied bytes and the total.

        Raises:
            StorageError: The file exists or cannot be written.
        """
        ...

    async def compact(self) -> int:
        """
        Return the free space of the file to the disk, close the journal, and return how many bytes these are.

        This is done in small steps beside other writers. While another process reads the file for a long time, such as
        for a backup, the file stays as long as it is, and becomes shorter later. A file that was created by an earlier
        version is copied and replaced once, which needs the file for itself and room for the copy.

        Raises:
            AlreadyRunning: The file of an earlier version is open in another process, or in another journal object.
            StorageError: The file cannot be written, or the disk has no room for a copy of it.
        """
        ...

    async def delete(self) -> None:
        """
        Delete the journal with all accounts in it, and close it.

        Raises:
            AlreadyRunning: Another process, or a consumer of another journal object, uses it.
            StorageError: The files cannot be deleted.
        """
        ...


class Storage(Protocol):
    """
    Everything that an installation stores: saved logins, their journals, and the records of its gateway.

    A journal of a storage holds the accounts that logged in under one name, the latest first. Journals and records are
    closed by `close`, so a caller need not close them.
    """

    @property
    def place(self) -> str:
        """Place of the storage, without a user name and a password: a path, or a description of the database."""
        ...

    def login(self, name: LoginName) -> LoginStore:
        """
        Return the store of a login, which need not exist yet.

        Raises:
            InvalidSettings: The storage encrypts logins, and there is no passphrase.
            StorageError: A package for the encryption is missing, or the system has no keyring.
        """
        ...

    def journal(self, name: LoginName) -> Journal:
        """Return the journal of a login; it is created when it is first needed."""
        ...

    async def has_journal(self, name: LoginName) -> bool:
        """Return whether there is a journal of a login."""
        ...

    async def delete_journal(self, name: LoginName) -> None:
        """
        Delete the journal of a login with all its accounts; the saved login stays.

        Raises:
            AlreadyRunning: A process uses the journal.
            NotOwner: A worker owns an account of it.
            StorageError: The journal was not deleted, or not completely; it can be deleted again.
        """
        ...

    def records(self) -> RecordStore:
        """Return the records of the gateway; they are created when they are first needed."""
        ...

    async def list_logins(self) -> dict[LoginName, bytes | None]:
        """Return the stored form of each saved login, perhaps encrypted; None for one that cannot be read."""
        ...

    async def list_changes(self) -> dict[LoginName, int]:
        """Return a number for each saved login, which differs after each change of it."""
        ...

    async def close(self) -> None:
        """Close everything that was opened here."""
        ...
