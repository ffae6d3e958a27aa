"""
The contract of a storage engine: what a journal stores of accounts, and what its callers may rely on.

A journal holds any number of accounts, each by its number at the platform (`uin`), which no login changes. It stores
what arrived, as it arrived; events are decoded when they are read. `open.open_journal` opens an engine by its URL, and
no module above this package imports an engine. tests/storage_contract tests every engine against this contract.

**Transactions.** Every method that changes something is one transaction: when it returns all of it is stored, and when
it raises none of it is. `ingest` is the largest: the body, the new entries, the contacts and the position go in
together, so a position never leads past an entry that was lost. An engine may put transactions of several callers
together, and writes acknowledgements with a later one; it may not split one. `purge` is the exception: it may
delete in pieces, and a crash leaves the rest of what was to be deleted.

**Order.** The numbers of an account's entries grow in the order of arrival, become visible in that order, and are never
used twice, even after a deletion; the same holds for its sends and its identities. Nothing is ordered across accounts:
two accounts may have the same numbers, and a cursor over several accounts is an opaque string that holds one number for
each (`cursors`).

**Cursors.** A consumer has one cursor in one account: it has acknowledged all entries up to a number, and some of those
that follow. A cursor only moves forward. One process at a time handles an entry, because a consumer is open once.

**Several processes.** An engine whose journals outlive their process lets several of them open one, and sees in each
what the others have stored by the time a call begins. What a process leaves open when it dies counts as ended.

**Blocking.** A coroutine may wait for storage. It runs no query on the event loop's thread, and leaves that thread work
that does not grow with what is stored. A method that is no coroutine returns at once: `ack`, `show`,
`remove_poison_marker`, and a look at a `Roster`, which may read one row. All methods may be called from any event loop
of the process.

**Text.** Any `str` is taken, lone surrogates included; they may be replaced by U+FFFD. How text is cut for a search is
part of the contract (`tokenizer`), and so are the names and limits below.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from webwx.model.contacts import Contact, ContactId
from webwx.model.events import Arrived, Item
from webwx.model.identities import Identified, Identity, Link
from webwx.model.login import Login
from webwx.model.messages import Receipt
from webwx.model.roster import Roster

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

RETENTION_DAYS = 90
"""Days that entries and sends are kept by default."""

QUARANTINE = 10_000
"""Entries that could not be read and are kept nevertheless: the newest so many."""

ARCHIVE_CONSUMER = "keep"
"""The consumer of the media archive. No handler reads what it reads, so a purge leaves no gap for it."""

LOGIN_VERSION = 1
"""Version of the layout of a saved login."""

LOOK_EVERY = 2.0
"""Seconds between two looks for what another process has revived."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A batch to be stored in one piece."""

    body: bytes
    """The answer as it came, without a key that may stand in it."""
    items: tuple[Arrived, ...] = ()
    position: bytes | None
    """Where the next fetch begins; opaque here. None for items that no fetch has brought: the position stays."""
    time: float
    """When it came, seconds since 1970."""
    own_id: ContactId = ContactId("")
    """The account's id in the login of these items; empty for the login that this part of the journal is at."""
    contacts: tuple[Contact, ...] = ()
    """Who was added or has changed."""
    deleted: tuple[ContactId, ...] = ()
    """Who is gone; what they said stays."""

    def __repr__(self) -> str:
        return f"Arrival({len(self.items)} items)"


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something stored."""

    number: int
    """Grows in the order of arrival; never given twice."""
    item: Item
    own_id: ContactId
    """Who the account was in the login that it came with."""
    message_id: str
    chat: ContactId
    time: int
    is_backlog: bool = False
    redelivered: bool = False
    """This consumer may have been given it before, by a process that has died since."""
    attempt: int = 1
    """How often it has been given to this consumer, as far as is known."""
    crashes: int = 0
    """
    Number of processes that have crashed while it was in flight, as far as is known. From two on it may be a poison
    message: its reader handles it in isolation, with a poison marker. From three on a process has crashed that did so.
    """
    read: msgspec.Struct | None = None
    """
    What it was read as, where it comes straight from the network and was looked at already. It may be changed by its
    reader, so no entry that is handed out a second time has it.
    """

    def __repr__(self) -> str:
        return f"Entry({self.number})"


class EntryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries to find: those that meet all conditions given here, the newest of them."""

    number: int | None = None
    """The entry's number."""
    message_id: str | None = None
    """The platform's id of a message, whatever its age; two messages may have met in one id."""
    words: str | None = None
    """Words that a message holds, all of them, as `tokenizer` cuts texts; without any word nothing is found."""
    is_notice: bool = False
    """Only notices, the grey lines between messages; recalls are among them."""
    chats: tuple[ContactId, ...] = ()
    """Only these chats; empty for all."""
    before: int | None = None
    """Only entries with a lower number."""
    since: float = 0
    """Not written before this time, in seconds since 1970."""
    until: float = 0
    """Not written after this time; 0 for no limit."""
    limit: int = 50
    """Number of entries at most."""

    def __repr__(self) -> str:
        return "EntryQuery(***)"


class IdentityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which identities to find: those that meet all conditions given here; all of them without any."""

    number: int | None = None
    """The identity's number, or one that was merged into it."""
    contact_id: ContactId | None = None
    """An id that the identity has, or had in any login; of two identities that had it the later one counts."""
    name: str = ""
    """The name last shown, the last nickname or the last remark."""

    def __repr__(self) -> str:
        return "IdentityQuery(***)"


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: an entry that a consumer has given up."""

    entry: Entry
    attempts: int
    error: str
    """The kind of error and where it was raised; never its text, which may hold anything."""
    time: float


State = Literal["queued", "sending", "sent", "failed", "unknown", "recalled"]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="outgoing"):
    """A send, from before its first attempt on."""

    number: int
    client_id: str
    """Given once, for all attempts."""
    key: str = ""
    """What the caller calls it: a second send of the same key is the same send."""
    chat: ContactId
    kind: str
    """What is sent: `text`, `image`, `file`, ..."""
    text: str = ""
    """The text, or the file's name."""
    state: State
    """
    `queued`: nothing has left yet. `sending`: it may have. `sent`: the platform has it. `failed`: it refused.
    `unknown`: nobody can say, so it is never repeated blindly and never called a success. `recalled`: it was sent, and
    taken back from here.
    """
    receipt: Receipt | None = None
    """Once it is sent."""
    ret: int = 0
    """Why it failed."""
    created_at: float
    changed_at: float

    def __repr__(self) -> str:
        return f"Outgoing({self.number}, {self.kind}, {self.state})"


class SendQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sends to find: those that meet all conditions given here, the newest of them."""

    number: int | None = None
    """The send's number."""
    key: str | None = None
    """The caller's name of the send."""
    client_id: str | None = None
    """The id that the send has for all attempts."""
    message_id: str | None = None
    """The platform's id, from the receipt."""
    states: tuple[State, ...] = ()
    """Only sends in one of these states; empty for all."""
    chats: tuple[ContactId, ...] = ()
    """Only sends to these chats; empty for all."""
    since: float = 0
    """Not stored before this time, in seconds since 1970."""
    until: float = 0
    """Not stored after this time; 0 for no limit."""
    limit: int = 100
    """Number of sends at most."""

    def __repr__(self) -> str:
        return "SendQuery(***)"


class StoredMedium(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the wish to keep what a message shows."""

    number: int
    """The message's."""
    message_id: str
    state: Literal["kept", "dropped", "too_large", "unavailable"]
    """
    `kept`: its bytes are here. `dropped`: they were, and have made room. `too_large`: more than was wanted.
    `unavailable`: the platform did not give it.
    """
    path: str = ""
    """Where its bytes are; empty when they are not, or not any more."""
    size: int = 0

    def __repr__(self) -> str:
        return f"StoredMedium({self.number}, {self.state})"


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one account, counted."""

    entries: int
    batches: int
    quarantined: int
    """Entries that could not be read."""
    conflicts: int
    """Messages that came with the id of another one; both were kept."""
    dead_letters: int
    """Entries that a consumer has given up, each counted for each consumer."""
    indexed: int
    """All up to this number are in the indexes; those behind it are found by a scan."""
    size: int
    """Of the whole file, in bytes."""
    kept: int = 0
    """Messages whose media are kept beside it."""
    kept_size: int = 0
    """Bytes of those media."""


class Consumer(Protocol):
    """
    One reader's way through an account's entries: each entry comes in order, at least once.

    What is taken and not acknowledged comes again when the consumer is opened the next time, marked `redelivered` if it
    may have been handed out; what is acknowledged does not. Entries may be acknowledged in any order. A failed attempt
    is counted over all processes. Of a dead letter nothing comes until it is revived.

    A poison message, which crashes its process, must not crash every process that takes it: what was in flight at two
    crashes has `Entry.crashes` of two, and its reader handles it in isolation, after `add_poison_marker`, so that a
    third crash counts against this entry only.

    Acknowledgements are cheap: they are stored with the next transaction, milliseconds later at most, and where that is
    possible they hold at once, except after a loss of power.
    """

    name: str

    async def take(self, limit: int = 100) -> list[Entry]:
        """
        Return the next entries in the order of arrival; an empty list when there are none now.

        This object returns an entry once, acknowledged or not.
        """
        ...

    def show(self, number: int) -> None:
        """Note that an entry which was taken is handed out now; for a consumer that was opened to say so."""
        ...

    def ack(self, number: int) -> None:
        """Note that an entry is done with, for good."""
        ...

    async def failed(self, number: int, error: str) -> int:
        """Note that an attempt at an entry has failed; gives how many have."""
        ...

    async def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and be done with it."""
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

    async def close(self, *, unseen_from: int = 0) -> None:
        """
        Store every acknowledgement and let go of the name, so that it may be opened again.

        Args:
            unseen_from: What was given from this number on has been shown to nobody, so it does not come again as
                `redelivered`; 0: all of it was shown.
        """
        ...


class Outbox(Protocol):
    """
    An account's sends, each stored before its first byte may leave.

    `queued` becomes `sending`, and that `sent`, `failed`, `unknown` or `queued` again; `sent` becomes `recalled`. Only
    a send that is `queued` or `failed` may be sent, and by one caller at a time. One that was `sending` when its
    process died, or closed the journal, is `unknown`: it is never repeated blindly.

    A key and a client id each name one send of its account, as long as that send exists.
    """

    async def add(
        self, *, client_id: str, chat: ContactId, kind: str, text: str, key: str, time: float,
        state: Literal["queued", "sending"] = "queued",
    ) -> Outgoing:  # fmt: skip
        """
        Store a send, or return the one that has its key already, as it is.

        Args:
            client_id: Its id for all attempts. A row that was found under its key and is `sending` has another one.
            chat: Where to.
            kind: What is sent.
            text: The text, or the file's name.
            key: The caller's name for it; empty for none.
            time: Now, seconds since 1970.
            state: `sending` when its first byte may leave as soon as this returns.

        Raises:
            StorageError: It was not stored, such as when another send has its client id.
        """
        ...

    async def sending(self, number: int, time: float, chat: ContactId) -> bool:
        """
        Note that the first byte may leave for a chat from now on; in another login that has another id.

        False when it may not: the send is neither `queued` nor `failed` any more, because somebody else is at it.
        """
        ...

    async def settle(
        self, number: int, state: Literal["queued", "sent", "failed", "unknown", "recalled"], *, time: float,
        receipt: Receipt | None = None, ret: int = 0,
    ) -> None:  # fmt: skip
        """
        Store how an attempt ended; `queued` when it provably never left, or came too soon.

        `sent` may be stored by a later transaction, a few milliseconds after this returns. Every method of this journal
        knows it at once; a process that dies in between leaves the send `unknown`.
        """
        ...

    async def flush(self) -> None:
        """Return once it is stored how every attempt ended that was given to `settle`."""
        ...

    async def find(self, query: SendQuery) -> list[Outgoing]:
        """Return the sends that a query asks for, the newest first; one that a dead process left is `unknown`."""
        ...

    async def remove(self, number: int) -> bool:
        """Delete one for good, and free its key; says whether there was one. What is being sent stays."""
        ...


class ArchivedMedia(Protocol):
    """
    What an account's messages showed: bytes that were fetched while the platform had them, as files.

    The files are private to their owner, and the same bytes are stored once. An engine without files of its own takes a
    temporary folder. They go with their messages, whatever deletes those; a recall deletes nothing.
    """

    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        """
        Give a private file to fetch into, and its path; it is gone afterwards unless `add` has taken it.

        Raises:
            StorageError: Nothing can be written there.
        """
        ...

    async def add(self, entry: Entry, part: Path, *, time: float, max_total: int) -> bool:
        """
        Keep a fetched file as what an entry shows; says whether that entry was still there.

        Args:
            entry: Whose it is.
            part: What `begin` gave, written to its end.
            time: When it was fetched, seconds since 1970.
            max_total: Bytes of this account that may be kept; what was kept first makes room.

        Raises:
            StorageError: The disk does not take it.
        """
        ...

    async def pass_over(self, entry: Entry, state: Literal["too_large", "unavailable"], *, time: float) -> None:
        """Note that what an entry shows is not kept, and why."""
        ...

    async def find(self, message_id: str) -> StoredMedium | None:
        """Say what became of a message's media; None when nobody wanted them kept."""
        ...

    async def drop(self, *, before: float = 0) -> int:
        """Delete bytes that were kept before a time, or all of them, and leave the messages; gives of how many."""
        ...


class IdentityStore(Protocol):
    """
    Identities of one account: a number for each person and chatroom that no login changes.

    An engine stores links from contacts to identities; `identity_matching` compares them.

    What the user decides by `merge` and `split` is never changed by evidence. A number that was merged into another one
    leads to that identity.
    """

    async def identify(
        self, own_id: ContactId, contacts: Iterable[Contact], *, complete: bool, time: float,
        real_ids: Mapping[ContactId, str] = MappingProxyType({}),
    ) -> list[Identified]:  # fmt: skip
        """
        Match the contacts of a login with identities, in one transaction.

        A contact that has an identity in this login keeps it, whatever its name is by now. Strangers are skipped.

        Args:
            own_id: The account's id in this login.
            contacts: All that is known of them; iterated several times, in another thread.
            complete: These are all contacts of the login. Until a complete list has come once, a contact that
                resembles a known identity without being surely the same is `waiting`; afterwards it is a new identity.
            time: Now, in seconds since 1970.
            real_ids: Lasting ids that a notice told of contacts, also of those that are not listed here.

        Returns:
            The contacts that had no identity in this login or wait for one, then those whose lasting id shows that
            they have another identity.

        Raises:
            StorageError: The journal does not know this login, or it was not stored.
        """
        ...

    async def find(self, query: IdentityQuery) -> list[Identity]:
        """Return the identities that a query asks for, in the order of their numbers."""
        ...

    async def links(self, number: int) -> list[Link]:
        """Return the contacts of all logins that belong to an identity, the newest first, each with the reasons."""
        ...

    async def merge(self, number: int, other: int) -> Identity:
        """
        Make two identities one, which keeps the first number; the second names it as well from now on.

        Raises:
            UnknownContact: There is no such identity.
            InvalidRequest: They differ in kind, or both are in this login.
        """
        ...

    async def split(self, number: int, contact_id: ContactId) -> Identity:
        """
        Make a contact somebody else, with a new number, and give that; they are never taken for the same again.

        Raises:
            UnknownContact: There is no such identity, it never had this id, or it had no other.
        """
        ...


class AccountJournal(Protocol):
    """
    One account's part of a journal.

    It is at one login: the one that was opened by it, or whose position was asked for last. Several parts of one
    account may be at different logins, in one process or in several.
    """

    @property
    def identities(self) -> IdentityStore:
        """Who is who in it."""
        ...

    @property
    def media(self) -> ArchivedMedia:
        """What its messages showed."""
        ...

    @property
    def outbox(self) -> Outbox:
        """Its sends."""
        ...

    async def open_login(self, own_id: ContactId, position: bytes, time: float, contacts: Iterable[Contact]) -> None:
        """
        Begin with a new login; its contacts are read as they are kept, and in any thread.

        Where there was another before, a gap from its last batch until now is stored, since nobody can say what it
        missed.
        """
        ...

    async def position(self, own_id: ContactId) -> bytes | None:
        """Return where the next fetch begins, and be at this login; None when the journal does not know it."""
        ...

    async def ingest(self, arrival: Arrival) -> int:
        """
        Store a batch in one transaction: the body, what is new of its items, the contacts and the position.

        A message is new unless one of its id and digest is stored; one that has the id of another one, and not its
        digest, is stored as well, and counted as a conflict. What has no id, such as the change of a contact, is new
        unless its batch is the last one of the login once more.

        Returns how many items were new.

        Raises:
            StorageError: It was not stored, or that is not known: ask `position`, and fetch from there again. Or the
                journal does not know the login.
        """
        ...

    async def consumer(
        self, name: str, *, since: Literal["beginning", "now"] = "now", tell: Callable[[], object] = lambda: None,
        stays: bool = False, shows: bool = False,
    ) -> Consumer:  # fmt: skip
        """
        Open a consumer: one at a time of each name.

        Args:
            name: Whose cursor it is.
            since: Where a name that is not known yet begins. The first consumer of a journal always gets everything.
            tell: Called when something waits though nothing came: a dead letter was revived.
            stays: It is open for as long as messages come, so what makes many commits quicker is worth its price.
            shows: It says by `show` what it hands out; else that is all that it takes.
        """
        ...

    async def dead_letters(self, consumer: str, *, limit: int = 100) -> list[DeadLetterRow]:
        """Return a consumer's dead letters, the newest first; it may be open, here or in another process."""
        ...

    async def revive(self, consumer: str, number: int) -> bool:
        """
        Have a dead letter handed out once more, as a new attempt; says whether there was one.

        A consumer that is open gets it within seconds, whichever process has it; one that is not, when it is opened.
        """
        ...

    async def find(self, query: EntryQuery) -> list[Entry]:
        """Return the entries that a query asks for, the newest first."""
        ...

    async def read(self, *, after: int = 0, limit: int = 500) -> list[Entry]:
        """
        Return the entries that follow a number, in the order of arrival.

        This is how a cursor moves on: an empty list means that nothing has arrived after it yet.
        """
        ...

    async def roster(self, own_id: ContactId) -> Roster:
        """Return the contacts of a login that are not deleted, each to be read when it is looked up."""
        ...

    async def people(self, ids: Collection[ContactId]) -> list[Contact]:
        """Return the contacts that had these ids, in any login."""
        ...

    async def save_contacts(
        self, own_id: ContactId, contacts: Collection[Contact], deleted: Collection[ContactId] = ()
    ) -> None:
        """Store contacts, and delete those with these ids; others stay as they are."""
        ...

    async def chats_named(self, name: str) -> list[ContactId]:
        """Return every id that had this remark or nickname, in any login."""
        ...

    async def state(self, name: str) -> bytes:
        """Return a small value by its name, whichever process stored it; empty if none did."""
        ...

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """
        Keep something small as what a function makes of what it was, and return that.

        Nothing comes between the two, from this process or another. The function may be called in another thread; when
        it raises, nothing changes.

        Raises:
            StorageError: It was not kept.
        """
        ...

    async def purge(self, *, before: float = 0, chats: Collection[ContactId] = ()) -> int:
        """
        Delete entries and sends for good: older than a time, or of these chats, or both; returns how many.

        A consumer that has not taken them all finds a gap in place of the last one that it misses; consecutive gaps
        become one. With a time alone, the contacts of logins that ended before it are deleted too. A send in state
        `sending` stays.
        """
        ...

    async def stats(self) -> Stats:
        """Count what there is."""
        ...


class Journal(Protocol):
    """
    What is kept of all accounts.

    What arrived longer ago than the engine's retention is deleted by itself, as by `purge`. The days count from the
    arrival by the platform's clock; a clock that ran ahead deletes nothing. Of what could not be read the newest
    `QUARANTINE` entries are kept.
    """

    def account(self, uin: int) -> AccountJournal:
        """Return an account's part; it is made when it is first used."""
        ...

    async def accounts(self) -> list[int]:
        """Give the numbers of the accounts that have a part, the one that logged in last first."""
        ...

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """
        Copy the journal as it is now into a new file, while others write on.

        Raises:
            StorageError: There is a file already, the disk does not take it, or a journal of this engine is no file.
        """
        ...

    async def delete(self) -> None:
        """
        Delete everything, with every account in it, and close the journal.

        Raises:
            AlreadyRunning: Another process, or a consumer of another journal object, uses it.
            StorageError: The disk does not let go of it.
        """
        ...

    async def close(self) -> None:
        """Close all consumers, store what is left, and close the journal; every later call raises `StorageError`."""
        ...


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a login ended."""

    reason: str
    """As in `LoggedOut`."""
    text: str
    """The sentence that a user is shown."""


class SavedLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A login as it is stored."""

    login: Login
    pending: tuple[Item, ...] = ()
    """Items that were fetched and saved with the keys, but not handed out yet."""
    ended: Ended | None = None
    """How the platform ended the login, if it has; what is pending can still be read."""
    version: int = LOGIN_VERSION


class LoginStore(Protocol):
    """
    The place where one login outlives its process; `login` has the engines.

    A change is one transaction, on what is stored at that moment: two processes that change different parts of a login
    lose nothing. A reader sees a login before a change or after it, never half of it. The login and its contacts are
    stored apart, because contacts can be fetched again.
    """

    def load(self) -> SavedLogin | None:
        """
        Return the saved login, or None.

        Raises:
            InvalidLogin: There is one that cannot be read. One that never can be is set aside first.
        """
        ...

    def prepare(self) -> None:
        """
        Check that `save` will succeed, before a user confirms a login that would be lost.

        Raises:
            StorageError: Nothing can be saved here.
        """
        ...

    def save(self, saved: SavedLogin) -> None:
        """Store a new login in place of an earlier one."""
        ...

    def update(self, change: Callable[[SavedLogin], SavedLogin]) -> None:
        """Replace the saved login by what a function makes of it; do nothing if there is none."""
        ...

    def reserve_id(self, at_least: int) -> int:
        """Return an id that no process was given before: the lowest from a number on."""
        ...

    def clear(self) -> None:
        """Delete the login and its contacts."""
        ...

    def syncing(self) -> AbstractContextManager[None]:
        """
        Hold the right to sync this login: two that sync would split its messages between them.

        It ends with its process, however that ends.

        Raises:
            AlreadyRunning: Another one holds it.
        """
        ...

    def load_contacts(self) -> list[Contact]:
        """Return the contacts that are stored beside the login; none if they cannot be read."""
        ...

    def save_contacts(self, contacts: list[Contact]) -> None:
        """Store the contacts beside the login, in place of earlier ones."""
        ...
