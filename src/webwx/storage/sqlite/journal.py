"""
The journal in one SQLite file.

One thread writes and one reads; the classes here pass them jobs. `_store` stores a batch, and its speed decides how
fast an account receives; the indexes are filled later (`index`).
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
import secrets
import sqlite3
import time
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from webwx.errors import AlreadyRunning, StorageError
from webwx.model.contacts import Contact, ContactId, is_chatroom
from webwx.override import override
from webwx.protocol.codec import clean_text
from webwx.storage.archive_files import MediaFiles
from webwx.storage.base import RETENTION_DAYS, AccountJournal, AccountParts, JournalFile, JournalMeasures, OpenedLogin
from webwx.storage.batches import digest_of_body, gap_between, new_items, read_positions
from webwx.storage.bodies import blank, locate, pack
from webwx.storage.engine.port import drive
from webwx.storage.entries import Arrival, Entry
from webwx.storage.identity_matching import encode_contacts
from webwx.storage.locks import explain, flush_folder, make_private, take_lock
from webwx.storage.sqlite.archive import SqliteMediaBytes, delete_unnamed
from webwx.storage.sqlite.bulk import as_list, select
from webwx.storage.sqlite.consumers import (
    KnownConsumer,
    LiveConsumers,
    SqliteConsumer,
    StoredBatch,
    delete_consumer,
    find_consumer,
    read_known,
)
from webwx.storage.sqlite.contacts import (
    RosterCompaction,
    RowLookups,
    StoredRoster,
    keep_contacts,
    read_roster,
    write_contacts,
)
from webwx.storage.sqlite.entries import last_number, read_entries, write_entries
from webwx.storage.sqlite.index import Index
from webwx.storage.sqlite.log_room import LogRoom
from webwx.storage.sqlite.lookup import find_entries, find_unread
from webwx.storage.sqlite.retention import (
    MAX_STEP,
    Retention,
    checkpoint,
    delete_some,
    do_step,
    expunge,
    forget_people,
    old_entries,
)
from webwx.storage.sqlite.schema import allow_shrinking, can_shrink, connect, log_of, set_up, shrink
from webwx.storage.sqlite.schema import explain as explain_sqlite
from webwx.storage.sqlite.senders import Senders, SqliteAttempts
from webwx.storage.sqlite.tables import SqliteStatements, SqliteTables
from webwx.storage.sqlite.threads import Reader, Writer
from webwx.storage.tables.dead_letters import consumers_with_revivals
from webwx.storage.tables.identities.evidence import identify, login_of
from webwx.storage.tables.identities.store import MATCHED_WITH_LOGIN
from webwx.storage.tables.read_positions import keep_read_positions
from webwx.storage.tables.retention import delete_old

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from types import TracebackType
    from typing import Self

    from webwx.model.identities import Identified
    from webwx.storage.entries import EntryQuery, UnreadEntries

T = TypeVar("T")

_PAGES_AT_ONCE = 1024
"""Pages of a file that are copied between two reports of the progress: 4 MiB."""

_IN_USE = 1.0
"""Seconds after which a file that another connection uses cannot be compacted."""

_COMMIT = 5.0
"""Seconds that a commit of a slow disk takes."""

_log = logging.getLogger("webwx.storage")


class SqliteJournal(JournalFile):
    """
    A journal in a file, readable by its owner only.

    It is closed at the end of `with SqliteJournal(path) as journal:`, or of `async with` in a coroutine.

    Args:
        path: The file; it and its folder are created when they are needed.
        retention_days: Days after which entries and sends are deleted; 0 keeps everything.
        is_durable: Whether what is stored survives a power failure; without that, the disk is not waited for.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, retention_days: float = RETENTION_DAYS, is_durable: bool = True
    ) -> None:
        self._path = Path(path)
        self._is_durable = is_durable
        self._index = Index()
        self._media_files = MediaFiles(self._path.with_name(f"{self._path.name}.kept"))
        self._compaction = RosterCompaction()
        self._log_room = LogRoom(self._path)
        retention = Retention(
            self._index,
            retention_days * 86_400,
            self._reached,
            self._media_files,
            compaction=self._compaction,
            log_room=self._log_room,
        )
        title = f"The journal {self._path}"
        self._writer = Writer(self._connect, "webwx journal", retention, self._watch, title=title)
        self._reader = Reader(lambda: self._open(is_reader=True), "webwx journal reader", title=title)
        self._lookups = RowLookups(self._path)
        self._senders = Senders(self._path)
        self._writer.join(self._senders.pending, before_jobs=True)
        self._streams: dict[int, LiveConsumers] = {}
        self._was_open = False
        """Whether the file was open before: if it is missing now, it is not created again."""

    def __repr__(self) -> str:
        return f"SqliteJournal({str(self._path)!r})"

    def __enter__(self) -> Self:
        """
        Return the journal; the end of the block closes it.

        Raises:
            RuntimeError: An event loop runs in this thread; use `async with`.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self
        raise RuntimeError("An event loop is running; open the journal with `async with` instead.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        asyncio.run(self.close())

    async def __aenter__(self) -> Self:
        """Return the journal; the end of the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the journal."""
        await self.close()

    def _connect(self) -> sqlite3.Connection:
        db = self._open()
        try:
            self._senders.remove_dead(db)
        except BaseException:
            db.close()
            raise
        return db

    def _open(self, *, is_reader: bool = False) -> sqlite3.Connection:
        if self._was_open and not self._path.exists():
            raise StorageError(f"The journal {self._path} does not exist any more.")
        db = connect(self._path, is_reader=is_reader, is_shared=True)
        self._was_open = True
        if not self._is_durable:
            db.execute("PRAGMA synchronous = OFF")
        return db

    @override
    def account(self, uin: int) -> SqliteAccount:
        stream = self._streams.setdefault(uin, LiveConsumers())
        return SqliteAccount(
            uin, self._path, stream, self._index, self._senders, writer=self._writer, reader=self._reader,
            reached=self._reached, overtaken=self._overtaken, media_files=self._media_files, lookups=self._lookups,
            compaction=self._compaction, log_room=self._log_room if self._is_durable else None,
        )  # fmt: skip

    def _overtaken(self) -> None:
        """Record, in the writer thread, that another process has stored entries."""
        for stream in tuple(self._streams.values()):
            stream.has_others = True

    def _reached(self) -> dict[int, int]:
        """Return the number up to which each consumer has read, by its row; called in the writer thread."""
        streams = tuple(self._streams.values())
        return {each.row: each.reached() for stream in streams for each in tuple(stream.consumers)}

    def _watch(self, db: sqlite3.Connection) -> None:
        """
        Check the file every few seconds, in the writer thread.

        Consumers are notified of dead letters that were revived, also by other processes.
        """
        self._lookups.release()
        rows = drive(consumers_with_revivals(SqliteStatements(db, 0)))
        for stream in tuple(self._streams.values()) if rows else ():
            for consumer in tuple(stream.consumers):
                if consumer.row in rows:
                    consumer.look_soon_threadsafe()

    def fingerprint(self, uin: int) -> object:
        """
        Return a value that differs after each change of the file by any process, to any account.

        For some seconds after a change every value differs: the next change may have the same time, and a commit
        becomes visible only when the disk has stored it.
        """
        del uin
        found = []
        for path in (self._path, log_of(self._path)):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                found.append((state.st_ino, state.st_size, state.st_mtime_ns))
        changed_at = max((each[2] for each in found), default=0) / 1e9
        return object() if abs(time.time() - changed_at) < _COMMIT else tuple(found)

    @override
    async def accounts(self) -> list[int]:
        rows = await self._reader.do(
            lambda db: select(
                db,
                ("a.uin",),
                "FROM accounts a LEFT JOIN logins l USING (account) GROUP BY account ORDER BY max(l.opened_at) DESC",
                (),
            )
        )
        return [int(uin) for (uin,) in rows]

    @override
    async def backup(self, path: str | os.PathLike[str], report: Callable[[int, int], object] | None = None) -> None:
        await asyncio.to_thread(self._copy, Path(path), report)

    def _copy(self, target: Path, report: Callable[[int, int], object] | None) -> None:
        if target.exists():
            raise StorageError(f"{target} already exists; a backup never replaces a file.")
        new = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        make_private(new)
        try:
            with contextlib.closing(self._open_to_copy()) as source, contextlib.closing(sqlite3.connect(new)) as copy:
                _copy_pages(source, copy, report)
            handle = os.open(new, os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            new.rename(target)
            flush_folder(target.parent)
        except (OSError, sqlite3.Error) as error:
            reason = explain(error) if isinstance(error, OSError) else explain_sqlite(error)
            raise StorageError(f"{target} cannot be written: {reason}") from None
        finally:
            new.unlink(missing_ok=True)

    def _open_to_copy(self) -> sqlite3.Connection:
        try:
            return connect(self._path, is_reader=True)
        except sqlite3.Error as error:
            raise StorageError(f"The journal {self._path} cannot be read: {explain_sqlite(error)}") from None

    async def delete(self) -> None:
        """
        Delete the journal with all accounts in it, and close it.

        Raises:
            AlreadyRunning: A consumer or a sender uses it.
            StorageError: The files cannot be deleted.
        """
        await self.close()
        await asyncio.to_thread(self._delete)

    def _delete(self) -> None:
        folder, name = self._path.parent, self._path.name
        locks = [*folder.glob(f".{glob.escape(name)}.consumer-*"), *folder.glob(f".{glob.escape(name)}.sender-*")]
        with contextlib.ExitStack() as held:
            for lock in locks:
                handle = take_lock(lock)
                if handle is None:
                    raise AlreadyRunning(f"Another process is using {self._path}.")
                held.callback(os.close, handle)
            try:
                for each in (self._path, log_of(self._path), folder / f"{name}-shm", *locks):
                    each.unlink(missing_ok=True)
                self._media_files.delete()
                flush_folder(folder)
            except OSError as error:
                raise StorageError(f"{self._path} cannot be deleted: {explain(error)}") from None

    @override
    async def compact(self) -> int:
        before = self._path.stat().st_size
        if await self._reader.do(can_shrink):
            while await do_step(self._writer, shrink):
                pass
            await checkpoint(self._writer)
            await self.close()
        else:
            await self.close()
            await asyncio.to_thread(self._vacuum)
        return max(0, before - self._path.stat().st_size)

    def _vacuum(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=_IN_USE, isolation_level=None)) as db:
                # No other process may have the file open: others remember numbers of rows, which this may change.
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
                set_up(db, self._path)
                allow_shrinking(db)
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise AlreadyRunning(f"Another process is using {self._path}.") from None
            raise StorageError(f"{self._path} cannot be compacted: {explain_sqlite(error)}") from None

    @override
    async def close(self) -> None:
        try:
            for stream in self._streams.values():
                for consumer in tuple(stream.consumers):
                    with contextlib.suppress(StorageError):  # entries whose acknowledgement was not stored come again
                        await consumer.close()
        finally:
            await self._writer.close()
            await self._reader.close()
            self._lookups.close()
            self._senders.close()


class SqliteAccount(AccountJournal):
    """One account's part of a journal."""

    def __init__(
        self, uin: int, path: Path, stream: LiveConsumers, index: Index, senders: Senders, *, writer: Writer,
        reader: Reader, reached: Callable[[], dict[int, int]], overtaken: Callable[[], None], media_files: MediaFiles,
        lookups: RowLookups, compaction: RosterCompaction, log_room: LogRoom | None,
    ) -> None:  # fmt: skip
        super().__init__(
            AccountParts(
                SqliteTables(writer, reader, self._account),
                SqliteAttempts(self._account, senders, writer, reader),
                SqliteMediaBytes(media_files, writer),
                entries_of=lambda numbers: reader.do(lambda db: read_entries(db, numbers)),
                stored_block="SELECT max(block) FROM entry_blocks",  # all accounts share the numbers
                on_revived=self._look_soon,
                on_complete_list=lambda: compaction.look_soon(self._row),
            )
        )
        self._uin = str(uin)
        self._path = path
        self._stream = stream
        self._index = index
        self._writer = writer
        self._reader = reader
        self._reached = reached
        self._overtaken = overtaken
        self._lookups = lookups
        self._compaction = compaction
        self._log_room = log_room
        self._row: int | None = None
        self._media_files = media_files

    def __repr__(self) -> str:
        return "SqliteAccount(***)"

    async def _account(self) -> int:
        """Return the account's row; create it when it is needed."""
        if self._row is None:
            found = await self._reader.do(self._find_account)
            self._row = await self._writer.do(self._make_account) if found is None else found
        return self._row

    def _find_account(self, db: sqlite3.Connection) -> int | None:
        found = db.execute("SELECT account FROM accounts WHERE uin = ?", (self._uin,)).fetchone()
        return None if found is None else int(found[0])

    def _make_account(self, db: sqlite3.Connection) -> int:
        """Return the account's row; create it if it does not exist."""
        found = self._find_account(db)
        if found is None:
            found = int(db.execute("INSERT INTO accounts (uin) VALUES (?)", (self._uin,)).lastrowid or 0)
        return found

    # -- batches -----------------------------------------------------------------------------------------------------

    @override
    async def open_login(
        self, own_id: ContactId, position: bytes, time: float, contacts: Iterable[Contact], *, complete: bool = False
    ) -> OpenedLogin:
        def store(db: sqlite3.Connection) -> tuple[int, int, OpenedLogin, StoredBatch]:
            account = self._make_account(db)
            before = db.execute(
                "SELECT own_id, opened_at, last_at FROM logins WHERE account = ?"
                " ORDER BY iif(last_at <= ?, last_at, opened_at) DESC, login DESC LIMIT 1",
                (account, time),
            ).fetchone()
            known = db.execute(
                "SELECT login, position FROM logins WHERE account = ? AND own_id = ?", (account, own_id)
            ).fetchone()
            if known is None:
                begun = db.execute(
                    "INSERT INTO logins (account, own_id, position, opened_at, last_at) VALUES (?, ?, ?, ?, ?)",
                    (account, own_id, position, time, time),
                )
                login, stored_position = int(begun.lastrowid or 0), position
            else:
                login, stored_position = known
                db.execute("UPDATE logins SET is_compacted = 0 WHERE login = ?", (login,))
            few, identified = self._store_contacts(db, account, login, own_id, contacts, complete=complete, time=time)
            stored = StoredBatch([], is_after_others=False)
            if before is not None and before[0] != own_id:
                arrival = Arrival(
                    body=b"", items=(gap_between(before[1], before[2], time),), position=stored_position, time=time
                )
                stored = self._store(db, account, login, own_id, arrival)
            if known is None and few is not None:
                roster = StoredRoster(self._lookups, login, few, is_chatroom)
            else:
                roster = read_roster(db, self._lookups, login, is_chatroom)
            return account, login, OpenedLogin(stored_position, roster, identified), stored

        result = await self._writer.do(store, then=lambda result: self._stream.publish(result[-1]))
        self._row, login, opened, _ = result
        self._login = (login, own_id)
        return opened

    def _store_contacts(
        self, db: sqlite3.Connection, account: int, login: int, own_id: ContactId, contacts: Iterable[Contact], *,
        complete: bool, time: float,
    ) -> tuple[Collection[ContactId] | None, list[Identified] | None]:  # fmt: skip
        """
        Store the contacts of a new login, and match them with identities.

        Return their ids, and the result of the match; None for both if the contacts are too many, and not matched.
        """
        listed = iter(contacts)
        few = list(islice(listed, MATCHED_WITH_LOGIN))
        encoded = encode_contacts(few)
        write_contacts(db, login, few, encoded)
        another = next(listed, None)
        if another is not None:
            del few, encoded  # thousands of decoded contacts need much memory
            keep_contacts(db, login, chain((another,), listed))
            return None, None
        statements = SqliteStatements(db, account)
        identified = drive(identify(statements, own_id, few, is_complete=complete, time=time, encoded=encoded))
        if complete:
            self._compaction.look_soon(account)
        return encoded.keys(), identified

    @override
    async def position(self, own_id: ContactId) -> bytes | None:
        found = await self._reader.do(
            lambda db: db.execute(
                "SELECT account, login, position FROM accounts JOIN logins USING (account)"
                " WHERE uin = ? AND own_id = ?",
                (self._uin, own_id),
            ).fetchone()
        )
        if found is None:
            return None
        self._row, login, position = found
        self._login = (login, own_id)
        stored: bytes = position
        return stored

    async def ingest(self, arrival: Arrival) -> int:
        """
        Store a batch in one transaction, and return the number of new items.

        Raises:
            StorageError: The batch was not stored, or may not have been; or the journal does not know the login.
        """
        account = await self._account()
        if self._login is None and not arrival.own_id:
            raise StorageError("There is no current login; call open_login or position first.")
        login = None if arrival.own_id else self._login

        def store(db: sqlite3.Connection) -> StoredBatch:
            own_id = arrival.own_id
            row, own_id = login or (drive(login_of(SqliteStatements(db, account), own_id)).login, own_id)
            return self._store(db, account, row, own_id, arrival)

        stored = await self._writer.do(store, then=self._stream.publish)
        return len(stored.entries)

    def _store(
        self, db: sqlite3.Connection, account: int, login: int, own_id: ContactId, arrival: Arrival
    ) -> StoredBatch:
        """Store a batch in the writer thread, with a number of statements that does not grow with the batch."""
        if arrival.position is not None:
            db.execute(
                "UPDATE logins SET position = ?, last_at = max(last_at, ?) WHERE login = ?",
                (arrival.position, arrival.time, login),
            )
        known = self._index.digests(db, account, [each.message_id for each in arrival.items])
        keep_contacts(db, login, arrival.contacts, arrival.deleted)
        batch = last_number(db) + 1
        if self._index.is_overtaken(batch - 1):
            self._overtaken()
        is_after_others, self._stream.has_others = self._stream.has_others, False
        entries = self._store_rows(db, account, login, own_id, arrival, batch, known)
        if not entries:
            return StoredBatch([], is_after_others)
        self._index.appended(entries[-1].number)
        for consumer in tuple(self._stream.consumers):
            if consumer.is_live():
                consumer.start(entries[-1].number)
        return StoredBatch(entries, is_after_others)

    def _store_rows(
        self, db: sqlite3.Connection, account: int, login: int, own_id: ContactId, arrival: Arrival, batch: int,
        known: dict[str, tuple[int, ...]],
    ) -> list[Entry]:  # fmt: skip
        """Store the new items of a batch, a row for each."""
        items = arrival.items
        new, conflicts = new_items(items, known, is_repeated=self._is_repeated(db, login, arrival))
        if conflicts:
            db.execute("UPDATE accounts SET conflicts = conflicts + ? WHERE account = ?", (conflicts, account))
            _log.warning("%d messages arrived with the id of another message; both are stored.", conflicts)
        if not new:
            return []
        places = locate(arrival.body, [each.raw for each, _ in new])
        body = arrival.body
        if len(new) < len(items):  # a purge could not delete bytes to which no entry points
            body = blank(body, [place for place in places if place is not None])
        db.execute("INSERT INTO batches VALUES (?, ?, ?, ?)", (batch, account, arrival.time, pack(body)))
        rows = [(*each, place) for each, place in zip(new, places, strict=True)]
        write_entries(db, account, login, batch, arrival.time, rows)
        self._index.added(account, batch, new)
        if read := read_positions(arrival, new, batch):
            drive(keep_read_positions(SqliteStatements(db, account), read, arrival.time))
        return [
            Entry(
                number=number, item=each.item, own_id=own_id, message_id=each.message_id, chat=each.chat,
                time=each.time or int(arrival.time), is_backlog=each.is_backlog, read=each.read,
            )
            for number, (each, _) in enumerate(new, batch)
        ]  # fmt: skip

    def _is_repeated(self, db: sqlite3.Connection, login: int, arrival: Arrival) -> bool:
        """Return whether a batch repeats the last one; only checked if it has items without an id."""
        digest = digest_of_body(arrival)
        if digest is None:
            return False
        (last,) = db.execute("SELECT last_body FROM logins WHERE login = ?", (login,)).fetchone()
        db.execute("UPDATE logins SET last_body = ? WHERE login = ?", (digest, login))
        is_repeated: bool = last == digest
        return is_repeated

    # -- consumers ---------------------------------------------------------------------------------------------------

    async def consumer(
        self, name: str, *, since: Literal["beginning", "now"] = "now", on_revived: Callable[[], object] = lambda: None,
        stays: bool = False, shows: bool = False,
    ) -> SqliteConsumer:  # fmt: skip
        """
        Open a consumer; each name can be open only once at a time.

        Raises:
            AlreadyRunning: The consumer is open, in this process or another one.
        """
        account = await self._account()
        name = clean_text(name)

        def make(db: sqlite3.Connection) -> int:
            found = find_consumer(db, account, name)
            if found is None:
                is_first = db.execute("SELECT 1 FROM consumers WHERE account = ?", (account,)).fetchone() is None
                begin = 0 if is_first or since == "beginning" else last_number(db)
                db.execute(
                    "INSERT INTO consumers (account, name, acked, started) VALUES (?, ?, ?, ?)",
                    (account, name, begin, begin),
                )
                found = find_consumer(db, account, name)
            assert found is not None  # noqa: S101 - it was just inserted
            return found

        def read(db: sqlite3.Connection, row: int) -> KnownConsumer | None:
            return read_known(db, row) if find_consumer(db, account, name) == row else None

        if stays and self._log_room is not None:
            self._log_room.ask()
        while True:
            consumer = await self._writer.do(make)
            lock = self._lock_consumer(name, consumer)
            try:
                known = await self._reader.do(partial(read, row=consumer))
            except BaseException:
                os.close(lock)
                raise
            if known is not None:
                break
            os.close(lock)  # it was deleted before this process held its lock
        opened = SqliteConsumer(
            name, consumer=consumer, account=account, known=known, stream=self._stream, writer=self._writer,
            reader=self._reader, lock=lock, lock_path=self._lock_of(consumer), on_revived=on_revived, shows=shows,
        )  # fmt: skip
        self._stream.consumers.append(opened)
        self._writer.join(opened)
        return opened

    def _lock_consumer(self, name: str, consumer: int) -> int:
        lock = take_lock(self._lock_of(consumer))
        if lock is None:
            raise AlreadyRunning(f"The consumer {name!r} is open already, in this process or another one.")
        return lock

    def _lock_of(self, consumer: int) -> Path:
        """Return the path of a consumer's lock file, which also has its marks."""
        return self._path.with_name(f".{self._path.name}.consumer-{consumer}")

    async def forget_consumer(self, name: str) -> bool:
        """
        Delete a consumer with all that belongs to it, and return whether it existed.

        Raises:
            AlreadyRunning: The consumer is open, in this process or another one.
        """
        account, name = await self._account(), clean_text(name)
        consumer = await self._reader.do(lambda db: find_consumer(db, account, name))
        if consumer is None:
            return False
        lock = self._lock_consumer(name, consumer)

        def forget(db: sqlite3.Connection) -> bool:
            if find_consumer(db, account, name) != consumer:  # another process was faster
                return False
            delete_consumer(db, account, consumer)
            return True

        try:
            is_forgotten = await self._writer.do(forget)
            if is_forgotten:
                with contextlib.suppress(OSError):  # a file without a row does no harm
                    self._lock_of(consumer).unlink()
            return is_forgotten
        finally:
            os.close(lock)

    def _look_soon(self) -> None:
        for opened in self._stream.consumers:
            opened.look_soon()

    # -- queries -----------------------------------------------------------------------------------------------------

    @override
    async def find(self, query: EntryQuery) -> list[Entry]:
        account = await self._account()
        return await self._reader.do(lambda db: find_entries(db, account, query))

    @override
    async def unread(self, chats: Collection[ContactId], after: int) -> UnreadEntries:
        account = await self._account()
        return await self._reader.do(lambda db: find_unread(db, account, chats, after))

    async def _measure(self) -> JournalMeasures:
        """Return what only a file can count."""
        account = await self._account()

        def read(db: sqlite3.Connection) -> JournalMeasures:
            (quarantined,) = db.execute(
                "SELECT count(*) FROM entries WHERE account = ? AND is_quarantined", (account,)
            ).fetchone()
            (indexed,) = db.execute("SELECT number FROM indexed").fetchone()
            (pages,), (page,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
            return JournalMeasures(quarantined, indexed, size=pages * page)

        return await self._reader.do(read)

    # -- contacts ----------------------------------------------------------------------------------------------------

    @override
    async def roster(self, own_id: ContactId) -> StoredRoster:
        account = await self._account()

        def read(db: sqlite3.Connection) -> StoredRoster:
            found = db.execute(
                "SELECT login FROM logins WHERE account = ? AND own_id = ? AND NOT is_compacted", (account, own_id)
            ).fetchone()
            return read_roster(db, self._lookups, 0 if found is None else found[0], is_chatroom)

        return await self._reader.do(read)

    @override
    async def people(self, ids: Collection[ContactId]) -> list[Contact]:
        account = await self._account()
        wanted = {clean_text(each) for each in ids}

        def read(db: sqlite3.Connection) -> str:
            (listed,) = db.execute(
                "SELECT '[' || coalesce(group_concat(contact), '') || ']' FROM ("
                " SELECT c.contact FROM logins l CROSS JOIN contacts c USING (login)"
                " WHERE l.account = ? AND c.id IN (SELECT value FROM json_each(?)) ORDER BY l.login)",
                (account, as_list(wanted)),
            ).fetchone()
            return str(listed)

        found = msgspec.json.decode(await self._reader.do(read), type=list[Contact])
        unknown = wanted - {each.id for each in found}
        return [*await self.identities.contacts(unknown), *found] if unknown else found

    @override
    async def save_contacts(
        self, own_id: ContactId, contacts: Collection[Contact], deleted: Collection[ContactId] = ()
    ) -> None:
        account = await self._account()

        def store(db: sqlite3.Connection) -> None:
            found = db.execute(
                "SELECT login FROM logins WHERE account = ? AND own_id = ?", (account, own_id)
            ).fetchone()
            if found is None:
                raise StorageError("The journal does not know this login.")
            keep_contacts(db, found[0], contacts, deleted)
            db.execute("UPDATE logins SET is_compacted = 0 WHERE login = ? AND is_compacted", found)

        await self._writer.do(store)

    # -- deletion ----------------------------------------------------------------------------------------------------

    async def purge(self, *, before: float = 0, chats: Collection[ContactId] = ()) -> int:
        """
        Delete entries, sends and timers that are older than a time, or of these chats, or both; return how many.

        A consumer that has not taken a deleted entry finds a gap. The file does not shrink: its free space is reused.
        """
        if not before and not chats:
            return 0
        account = await self._account()
        ids = [clean_text(each) for each in chats]
        numbers = await self._reader.do(lambda db: old_entries(db, account, before, ids))
        count, done = 0, 0
        while done < len(numbers):
            piece = numbers[done : done + MAX_STEP]
            delete_piece = partial(delete_some, index=self._index, numbers=piece, reached=self._reached())
            step = await do_step(self._writer, delete_piece)
            count += step.deleted
            done += step.done
        has_more = True
        while has_more:
            rows = await do_step(self._writer, lambda db: drive(delete_old(SqliteStatements(db, account), before, ids)))
            count, has_more = count + rows.counted, rows.has_more
        if not chats:
            await self._writer.do(lambda db: forget_people(db, before))
        await self._writer.do(lambda db: drive(delete_unnamed(SqliteStatements(db, 0), self._media_files)))
        has_more = await do_step(self._writer, partial(expunge, is_first=True))
        while has_more:
            has_more = await do_step(self._writer, partial(expunge, is_first=False))
        await checkpoint(self._writer)
        return count


def _copy_pages(
    source: sqlite3.Connection, copy: sqlite3.Connection, report: Callable[[int, int], object] | None
) -> None:
    """Copy a file in parts. They are of one snapshot, without which each commit of a writer would restart the copy."""
    page = source.execute("PRAGMA page_size").fetchone()[0]

    def tell(_status: int, remaining: int, total: int) -> None:
        if report is not None:
            report((total - remaining) * page, total * page)

    source.execute("BEGIN")
    source.execute("SELECT 1 FROM sqlite_master").fetchone()
    source.backup(copy, pages=_PAGES_AT_ONCE, progress=tell)
