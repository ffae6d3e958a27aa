"""
The journal in memory, which ends with its process.

One lock guards all accounts. A call that scans all entries does so in another thread, with a copy of their list.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import threading
import time
import weakref
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from webwx.errors import AlreadyRunning, StorageError
from webwx.model.contacts import Contact, ContactId
from webwx.protocol.codec import clean_text
from webwx.storage.archive_files import MediaFiles
from webwx.storage.base import (
    MATCHED_WITH_LOGIN,
    QUARANTINE,
    RETENTION_DAYS,
    Arrival,
    BodyCheck,
    ConsumerPosition,
    DeadLetterRow,
    Entry,
    OpenedLogin,
    Stats,
)
from webwx.storage.batches import digest_of_body, gap_between, new_items
from webwx.storage.memory.archive import MediaRecords, MemoryArchivedMedia
from webwx.storage.memory.consumers import MemoryConsumer
from webwx.storage.memory.entries import Cursor, Entries, Failure, condition_of
from webwx.storage.memory.identities import Identities, MemoryIdentityStore
from webwx.storage.memory.logins import MemoryLogin, MemoryLogins, MemoryRoster
from webwx.storage.memory.outbox import MemoryOutbox, Sends
from webwx.storage.memory.timers import MemoryTimerStore, ScheduledCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from types import TracebackType
    from typing import Self

    from webwx.storage.base import EntryQuery
    from webwx.storage.memory.entries import StoredEntry

_log = logging.getLogger("webwx.storage")


class _Data:
    """The state of one account."""

    def __init__(self) -> None:
        self.entries = Entries()
        self.logins = MemoryLogins()
        self.identities = Identities(self.logins)
        self.sends = Sends()
        self.calls = ScheduledCalls()
        self.states: dict[str, bytes] = {}


class MemoryJournal:
    """
    A journal in memory, which ends with `close` or with the process.

    It supports everything that a journal in a file does: consumers, history, search, the outbox, identities, recalled
    messages. Archived media are in a temporary folder. It is closed at the end of `with MemoryJournal() as journal:`,
    or of `async with` in a coroutine.

    Args:
        retention_days: Days after which entries and sends are deleted; 0 keeps everything, so memory grows with each
            message.
    """

    def __init__(self, *, retention_days: float = RETENTION_DAYS) -> None:
        self._seconds = retention_days * 86_400
        self._lock = threading.RLock()
        self._matching = threading.Lock()
        """Lock for matching contacts with identities, which takes long."""
        self._accounts: dict[int, _Data] = {}
        self._media = MediaRecords(self._files)
        self._folder: MediaFiles | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return "MemoryJournal()"

    def __enter__(self) -> Self:
        """Return the journal; the end of the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        self._close()

    async def __aenter__(self) -> Self:
        """Return the journal; the end of the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        self._close()

    def account(self, uin: int) -> MemoryAccount:
        """Return an account's part."""
        return MemoryAccount(
            uin, lambda: self._of(uin), self._media, lock=self._lock, matching=self._matching, seconds=self._seconds
        )

    def _of(self, uin: int) -> _Data:
        with self._lock:
            self._require_open()
            return self._accounts.setdefault(uin, _Data())

    def _require_open(self) -> None:
        if self._is_closed:
            raise StorageError("The journal in memory is closed, and its content is lost.")

    def _files(self) -> MediaFiles:
        self._require_open()
        if self._folder is None:
            folder = tempfile.mkdtemp(prefix="webwx-media-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._folder = MediaFiles(Path(folder))
        return self._folder

    def fingerprint(self, uin: int) -> None:
        """Return None: there is no other process."""

    async def accounts(self) -> list[int]:
        """Return the numbers of the accounts that have a part, the latest login first."""
        with self._lock:
            self._require_open()
            opened = {
                uin: max((login.opened_at for login in data.logins.by_row.values()), default=0.0)
                for uin, data in self._accounts.items()
            }
        return sorted(opened, key=opened.__getitem__, reverse=True)

    async def close(self) -> None:
        """Delete everything, and close the journal."""
        self._close()

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._accounts.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder.folder, ignore_errors=True)
                self._folder = None


class MemoryAccount:
    """One account's part of a journal in memory; `AccountJournal` states the guarantees."""

    def __init__(
        self, uin: int, data: Callable[[], _Data], media: MediaRecords, *, lock: threading.RLock,
        matching: threading.Lock, seconds: float,
    ) -> None:  # fmt: skip
        self._uin = uin
        self._data = data
        self._media = media
        self._lock = lock
        self._seconds = seconds
        self._login: MemoryLogin | None = None
        """The current login."""
        self.outbox: MemoryOutbox = MemoryOutbox(lambda: data().sends, lock)
        self.timers: MemoryTimerStore = MemoryTimerStore(lambda: data().calls, lock)
        self.media: MemoryArchivedMedia = MemoryArchivedMedia(uin, media, lambda: data().entries, lock)
        self.identities: MemoryIdentityStore = MemoryIdentityStore(
            lambda: data().identities, lambda: self._login.row if self._login else 0, matching
        )

    def __repr__(self) -> str:
        return "MemoryAccount(***)"

    # -- batches -----------------------------------------------------------------------------------------------------

    async def open_login(
        self, own_id: ContactId, position: bytes, time: float, contacts: Iterable[Contact], *, complete: bool = False
    ) -> OpenedLogin:
        """Begin a new login, and return its contacts; if the account had an earlier one, store a gap."""
        known = await asyncio.to_thread(tuple, contacts)  # decoding thousands takes long
        with self._lock:
            data = self._data()
            before = max(
                data.logins.by_row.values(),
                key=lambda each: (each.last_at if each.last_at <= time else each.opened_at, each.row),
                default=None,
            )
            login = data.logins.open(own_id, position, time)
            login.keep(known)
            if before is not None and before is not login:
                gap = gap_between(before.opened_at, before.last_at, time)
                self._store(login, Arrival(body=b"", items=(gap,), position=login.position, time=time))
            self._login = login
            opened = OpenedLogin(login.position, MemoryRoster(login.contacts), None)
        if len(known) > MATCHED_WITH_LOGIN:
            return opened
        identified = await self.identities.identify(own_id, known, complete=complete, time=time)
        return opened._replace(identified=identified)

    async def position(self, own_id: ContactId) -> bytes | None:
        """Return the position of the next fetch, and make this the current login; None if the login is unknown."""
        with self._lock:
            login = self._data().logins.by_id.get(own_id)
            if login is None:
                return None
            self._login = login
            return login.position

    async def ingest(self, arrival: Arrival) -> int:
        """
        Store a batch, and return the number of new items.

        Raises:
            StorageError: There is no current login, or the journal does not know the login.
        """
        with self._lock:
            logins = self._data().logins
            login = logins.known(arrival.own_id) if arrival.own_id else self._login
            if login is None:
                raise StorageError("There is no current login; call open_login or position first.")
            return self._store(login, arrival)

    def _store(self, login: MemoryLogin, arrival: Arrival) -> int:
        """Store a batch, under the lock; the steps that can fail come first."""
        entries = self._data().entries
        items = arrival.items
        known = {each.message_id: entries.digests(each.message_id) for each in items if each.message_id}
        digest = digest_of_body(arrival)
        new, conflicts = new_items(items, known, is_repeated=digest is not None and digest == login.last_body)
        if digest is not None:
            login.last_body = digest
        if conflicts:
            entries.conflicts += conflicts
            _log.warning("%d messages arrived with the id of another message; both are stored.", conflicts)
        if arrival.position is not None:
            login.position = arrival.position
            login.last_at = max(login.last_at, arrival.time)
        login.keep(arrival.contacts, arrival.deleted)
        entries.add(login.own_id, new, arrival.time)
        if new:
            self._expire(arrival.time)
        return len(new)

    # -- consumers ---------------------------------------------------------------------------------------------------

    async def consumer(
        self, name: str, *, since: Literal["beginning", "now"] = "now", on_revived: Callable[[], object] = lambda: None,
        stays: bool = False, shows: bool = False,
    ) -> MemoryConsumer:  # fmt: skip
        """
        Open a consumer; each name can be open only once at a time.

        Raises:
            AlreadyRunning: The consumer is open.
        """
        del stays  # commits in memory cannot be made faster
        name = clean_text(name)
        with self._lock:
            entries = self._data().entries
            is_first = not entries.cursors
            begin = 0 if is_first or since == "beginning" else entries.last
            cursor = entries.cursors.setdefault(name, Cursor(begin))
            _require_closed(name, cursor)
            opened = MemoryConsumer(name, cursor, entries, self._lock, on_revived=on_revived, shows=shows)
            cursor.consumer = opened
            return opened

    async def consumers(self) -> list[ConsumerPosition]:
        """Return the account's consumers in the order of their names."""
        with self._lock:
            entries = self._data().entries
            return [
                ConsumerPosition(
                    name=name, acked=cursor.acked,
                    waiting=sum(each.number not in cursor.ahead for each in entries.after(cursor.acked)),
                    dead_letters=sum(failure.state == "dead" for failure in cursor.failures.values()),
                )
                for name, cursor in sorted(entries.cursors.items())
            ]  # fmt: skip

    async def forget_consumer(self, name: str) -> bool:
        """Delete a consumer with all that belongs to it, and return whether it existed."""
        name = clean_text(name)
        with self._lock:
            cursors = self._data().entries.cursors
            if name not in cursors:
                return False
            _require_closed(name, cursors[name])
            del cursors[name]
            return True

    async def dead_letters(self, consumer: str, *, limit: int = 100, before: int | None = None) -> list[DeadLetterRow]:
        """Return a consumer's dead letters, the newest first."""
        with self._lock:
            entries = self._data().entries
            failures = self._failures(consumer)
            dead = sorted(
                (
                    number
                    for number, each in failures.items()
                    if each.state == "dead" and (before is None or number < before)
                ),
                reverse=True,
            )
            return [
                DeadLetterRow(entry=stored.entry, attempts=failure.attempts, error=failure.error, time=failure.time)
                for stored, failure in ((entries.get(number), failures[number]) for number in dead[:limit])
                if stored is not None
            ]

    async def revive(self, consumer: str, number: int) -> bool:
        """Deliver a dead letter again, as a new attempt, and return whether it existed."""
        with self._lock:
            failures = self._failures(consumer)
            failure = failures.get(number)
            if failure is None or failure.state != "dead":
                return False
            failures[number] = failure._replace(state="revived", time=time.time())
            opened = self._data().entries.cursors[clean_text(consumer)].consumer
            if opened is not None:
                opened.notify()
            return True

    def _failures(self, consumer: str) -> dict[int, Failure]:
        cursor = self._data().entries.cursors.get(clean_text(consumer))
        return {} if cursor is None else cursor.failures

    # -- queries -----------------------------------------------------------------------------------------------------

    async def find(self, query: EntryQuery) -> list[Entry]:
        """Return the entries that match a query, the newest first or with `after` the oldest, in another thread."""
        with self._lock:
            entries = self._data().entries
            if query.number is not None:
                stored = entries.get(query.number)
                candidates = [] if stored is None else [stored]
            elif query.message_id is not None:
                candidates = entries.find(clean_text(query.message_id))
            elif query.message_ids:
                ids = dict.fromkeys(map(clean_text, query.message_ids))
                found = [stored for each in ids for stored in entries.find(each)]
                candidates = sorted(found, key=lambda stored: stored.number)
            else:
                candidates = entries.copy(query.after or 0)
        in_order = reversed(candidates) if query.after is None else candidates
        is_wanted = condition_of(query)
        wanted = islice(filter(is_wanted, in_order), query.limit)
        return await asyncio.to_thread(lambda: [each.entry for each in wanted])

    async def stats(self) -> Stats:
        """Return the counts of this account's rows."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> Stats:
        with self._lock:
            entries, media = self._data().entries, list(self._media.of(self._uin).values())
            stored, batches, conflicts, last = entries.copy(), len(entries.batches), entries.conflicts, entries.last
            failures = [each for cursor in entries.cursors.values() for each in cursor.failures.values()]
        return Stats(
            entries=len(stored), batches=batches, conflicts=conflicts,
            quarantined=sum(each.is_quarantined for each in stored),
            dead_letters=sum(each.state == "dead" for each in failures), indexed=last,
            size=sum(each.size for each in stored),
            kept=sum(bool(each.digest) for each in media), kept_size=sum(each.size for each in media),
        )  # fmt: skip

    async def check_bodies(self) -> BodyCheck:
        """Return the number of batches; nothing that is in memory only is checked."""
        with self._lock:
            return BodyCheck(batches=len(self._data().entries.batches))

    # -- contacts ----------------------------------------------------------------------------------------------------

    async def roster(self, own_id: ContactId) -> MemoryRoster:
        """Return the contacts of a login that are not deleted."""
        with self._lock:
            login = self._data().logins.by_id.get(own_id)
            return MemoryRoster({} if login is None else login.contacts)

    async def people(self, ids: Collection[ContactId]) -> list[Contact]:
        """Return the contacts that had these ids, in any login."""
        wanted = {ContactId(clean_text(each)) for each in ids}
        with self._lock:
            found = [
                login.contacts[each]
                for login in self._data().logins.by_row.values()
                for each in wanted & login.contacts.keys()
            ]
        unknown = wanted - {each.id for each in found}
        return [*await self.identities.contacts(unknown), *found] if unknown else found

    async def save_contacts(
        self, own_id: ContactId, contacts: Collection[Contact], deleted: Collection[ContactId] = ()
    ) -> None:
        """Store contacts, and delete contacts by their ids; other contacts stay unchanged."""
        with self._lock:
            self._data().logins.known(own_id).keep(contacts, deleted)

    async def chats_named(self, name: str) -> list[ContactId]:
        """Return every id that had this remark or nickname, in any login, the newest first."""
        name = clean_text(name)
        with self._lock:
            logins = list(self._data().logins.by_row.values())
            named = [(login.row, each) for login in logins for each in login.names.get(name, ())]
        named += await self.identities.chats_named(name)
        return list(dict.fromkeys(each for _, each in sorted(named, reverse=True)))

    async def state(self, name: str) -> bytes:
        """Return a small value by its name; empty if the name is unknown."""
        with self._lock:
            return self._data().states.get(name, b"")

    async def change_state(self, name: str, change: Callable[[bytes], bytes]) -> bytes:
        """Replace a small value by the result of a function of it, and return the new value."""
        with self._lock:
            states = self._data().states
            states[name] = changed = change(states.get(name, b""))
            return changed

    # -- deletion ----------------------------------------------------------------------------------------------------

    async def purge(self, *, before: float = 0, chats: Collection[ContactId] = ()) -> int:
        """Delete entries, sends and timers that are older than a time, or of these chats, or both; return how many."""
        return await asyncio.to_thread(self._purge, before, {clean_text(each) for each in chats})

    def _purge(self, before: float, chats: Collection[str]) -> int:
        if not before and not chats:
            return 0
        with self._lock:
            count = self._delete(
                lambda each: (not before or each.entry.time < before) and (not chats or each.entry.chat in chats)
            )
            count += self._data().sends.remove(
                lambda row: (not before or row.created_at < before) and (not chats or row.chat in chats)
            )
            self._forget_conversations(before, chats)
            count += self._data().calls.remove(before, chats)
            if not chats:
                self._forget_logins(before)
        return count

    def _forget_conversations(self, before: float, chats: Collection[str] = ()) -> None:
        for cursor in self._data().entries.cursors.values():
            cursor.forget_conversations(before, chats)

    def _delete(self, should_delete: Callable[[StoredEntry], bool]) -> int:
        gone = self._data().entries.delete(should_delete)
        self._media.forget(self._uin, [each.number for each in gone])
        return len(gone)

    def _expire(self, newest: float) -> None:
        """Delete old entries and sends, and unreadable entries above the limit; cheap if nothing has to be deleted."""
        data = self._data()
        unreadable = data.entries.quarantine
        if len(unreadable) > QUARANTINE:
            oldest = unreadable[-QUARANTINE]
            self._delete(lambda each: each.is_quarantined and each.number < oldest)
        if not self._seconds:
            return
        limit = min(time.time(), newest) - self._seconds
        first = next((each for each in data.entries if each.batch), None)
        if first is not None and first.arrived_at < limit:
            self._delete(lambda each: each.arrived_at < limit)
        data.entries.delete_passed_gaps()
        data.sends.expire(limit)
        self._forget_conversations(limit)
        data.calls.expire(limit)
        self._forget_logins(limit)

    def _forget_logins(self, before: float) -> None:
        """Delete the contacts of logins that ended before a time."""
        data = self._data()
        ended = data.logins.ended_before(before)
        for login in ended:
            login.contacts.clear()
            login.names.clear()
        data.identities.forget_soon({login.row for login in ended})


def _require_closed(name: str, cursor: Cursor) -> None:
    if cursor.consumer is not None:
        raise AlreadyRunning(f"The consumer {name!r} is open already, in this process or another one.")
