"""An account of a journal's file as rows that every engine reads and writes."""

# ruff: noqa: S608 - only constants are put together here, never a value

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.archive_files import MediaFiles, finish
from webwx.storage.locks import flush_folder
from webwx.storage.sqlite.schema import connect, explain, log_of
from webwx.storage.transfer import CHUNK, COLUMNS, Counters, Ordinals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from types import TracebackType

    from webwx.storage.transfer import Row

_PIECE = 512 * 1024

_OF_LOGINS = "login IN (SELECT login FROM logins WHERE account = ?)"
_OF_CONSUMERS = "consumer IN (SELECT consumer FROM consumers WHERE account = ?)"

_READ = {
    "logins": "SELECT own_id, position, opened_at, last_at, last_body, complete_digest FROM logins WHERE account = ?"
    " ORDER BY login",
    "batches": "SELECT batch, time, body FROM batches WHERE account = ? ORDER BY batch",
    # NULL: the first version did not look whether it is a notice, so queries take it for one
    "entries": "SELECT number, login, batch, kind, is_backlog, is_quarantined, is_notice IS NOT 0, start, length,"
    " digest, time, message_id, chat, raw FROM entries WHERE account = ? ORDER BY number",
    "contacts": f"SELECT login, id, CAST(contact AS BLOB) FROM contacts WHERE {_OF_LOGINS} ORDER BY login, rowid",
    "names": f"SELECT login, name, id FROM names WHERE {_OF_LOGINS} ORDER BY login, name, id",
    "consumers": "SELECT name, acked, started, isolated_to, is_open FROM consumers WHERE account = ? ORDER BY consumer",
    "acked_ahead": f"SELECT consumer, number FROM acked_ahead WHERE {_OF_CONSUMERS} ORDER BY consumer, number",
    "failures": "SELECT consumer, number, state, attempts, error, time FROM failures"
    f" WHERE {_OF_CONSUMERS} ORDER BY consumer, number",
    "crashes": f"SELECT consumer, number, crashes FROM crashes WHERE {_OF_CONSUMERS} ORDER BY consumer, number",
    "conversations": "SELECT consumer, key, step, content, chat, deadline, changed_at FROM conversations"
    f" WHERE {_OF_CONSUMERS} ORDER BY consumer, key",
    "outbox": "SELECT number, client_id, key, chat, kind, text, addressed, content_id,"
    " iif(state = 'sending', 'unknown', state), receipt, ret, created_at, changed_at"
    " FROM outbox WHERE account = ? ORDER BY number",
    "timers": "SELECT number, bot, handler, key, name, chat, payload, due_at, state, failures,"
    " created_at, changed_at FROM timers WHERE account = ? ORDER BY number",
    # without the tokens of consumers, which belong to their marks
    "states": "SELECT name, state FROM states WHERE account = ? AND name NOT LIKE 'opening of consumer %'"
    " ORDER BY name",
    "media": "SELECT number, message_id, state, digest, size, time FROM media WHERE account = ? ORDER BY number",
    "identities": "SELECT number, kind, first_seen, merged_into, login FROM identities WHERE account = ?"
    " ORDER BY number",
    "links": "SELECT l.login, l.id, l.number, l.name, l.digest, CAST(f.content AS BLOB), CAST(g.content AS BLOB),"
    " l.seen_at FROM links l JOIN evidence f USING (evidence) JOIN origins g USING (origin) WHERE l.account = ?"
    " ORDER BY l.rowid",
    "never_matched": "SELECT number, other FROM never_matched"
    " WHERE number IN (SELECT number FROM identities WHERE account = ?) ORDER BY number, other",
    "real_ids": "SELECT login, id, real_id FROM real_ids WHERE account = ? ORDER BY login, id",
}

_ACCOUNT = 1
"""Row of the only account of a new file."""

_WRITE = {
    "logins": "INSERT INTO logins (account, own_id, position, opened_at, last_at, last_body, complete_digest)"
    " VALUES (1, ?, ?, ?, ?, ?, ?)",
    "batches": "INSERT INTO batches (account, batch, time, body) VALUES (1, ?, ?, ?)",
    "entries": "INSERT INTO entries (account, number, login, batch, kind, is_backlog, is_quarantined, is_notice, start,"
    " length, digest, time, message_id, chat, raw) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "contacts": "INSERT INTO contacts VALUES (?, ?, CAST(? AS TEXT))",
    "names": "INSERT INTO names VALUES (?, ?, ?)",
    "consumers": "INSERT INTO consumers (account, name, acked, started, isolated_to, is_open)"
    " VALUES (1, ?, ?, ?, ?, ?)",
    "acked_ahead": "INSERT INTO acked_ahead VALUES (?, ?)",
    "failures": "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?)",
    "crashes": "INSERT INTO crashes VALUES (?, ?, ?)",
    "conversations": "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?)",
    "outbox": "INSERT INTO outbox (account, number, client_id, key, chat, kind, text, addressed, content_id, state,"
    " receipt, ret, created_at, changed_at, message_id)"
    " SELECT 1, *, coalesce(json_extract(column10, '$.message_id'), '')"
    " FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))",
    "timers": "INSERT INTO timers (account, number, bot, handler, key, name, chat, payload, due_at, state, failures,"
    " created_at, changed_at) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "states": "INSERT INTO states VALUES (1, ?, ?)",
    "media": "INSERT INTO media (account, number, message_id, state, digest, size, time) VALUES (1, ?, ?, ?, ?, ?, ?)",
    "identities": "INSERT INTO identities (account, number, kind, first_seen, merged_into, login)"
    " VALUES (1, ?, ?, ?, ?, ?)",
    "never_matched": "INSERT INTO never_matched VALUES (?, ?)",
    "real_ids": "INSERT INTO real_ids VALUES (1, ?, ?, ?)",
}

_SEQUENCES = ("entries", "outbox", "timers", "identities")
"""Tables whose numbers SQLite counts."""


class SqliteAccountRows:
    """
    One account of an open file, of one moment.

    Args:
        db: A connection for any thread, in a transaction.
        account: Row of the account.
        files: The archived files.
    """

    def __init__(self, db: sqlite3.Connection, account: int, files: MediaFiles) -> None:
        self._db = db
        self._account = account
        self._files = files
        self._faces: dict[tuple[object, object], int] = {}
        """Written rows of evidence, by the number of the identity and the content."""
        self._ordinals = {
            table: Ordinals(
                [row for (row,) in db.execute(f"SELECT {key} FROM {table} WHERE account = ? ORDER BY 1", (account,))]
            )
            for key, table in (("login", "logins"), ("consumer", "consumers"))
        }

    def __repr__(self) -> str:
        return "SqliteAccountRows(***)"

    async def read_counters(self) -> Counters:
        """Return the counters; the numbers are those of the whole file."""
        (conflicts,) = self._db.execute("SELECT conflicts FROM accounts WHERE account = ?", (self._account,)).fetchone()
        numbers = dict(self._db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        return Counters(conflicts=conflicts, **{each: numbers.get(each, 0) for each in _SEQUENCES})

    async def read(self, table: str) -> AsyncIterator[list[Row]]:
        """Yield the rows of a table."""
        cursor = await asyncio.to_thread(self._db.execute, _READ[table], (self._account,))
        columns = COLUMNS[table]
        while rows := await asyncio.to_thread(cursor.fetchmany, CHUNK):
            for place, column in enumerate(columns):
                if column in {"login", "consumer"}:
                    number = self._ordinals[f"{column}s"].number
                    rows = [(*row[:place], number(row[place]), *row[place + 1 :]) for row in rows]
            yield rows

    async def read_medium(self, digest: str) -> AsyncIterator[bytes]:
        """Yield the bytes of an archived file."""
        path = self._files.find(digest)
        if path is None:
            raise StorageError(
                "An archived file is missing beside the journal; 'webwx journal purge --media' removes its entry."
            )
        with await asyncio.to_thread(path.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece

    async def write_counters(self, counters: Counters) -> None:
        """Begin the account, whose row the file has already."""
        self._db.execute("UPDATE accounts SET conflicts = ? WHERE account = ?", (counters.conflicts, self._account))
        self._db.executemany(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
            [(each, getattr(counters, each)) for each in _SEQUENCES],
        )

    async def write(self, table: str, rows: list[Row]) -> None:
        """Append rows to a table; a new file numbers logins and consumers from 1."""
        if table == "links":
            await asyncio.to_thread(self._write_links, rows)
        else:
            await asyncio.to_thread(self._db.executemany, _WRITE[table], rows)
        if table in self._ordinals:
            for _ in rows:
                self._ordinals[table].add(len(self._ordinals[table]) + 1)

    def _write_links(self, rows: list[Row]) -> None:
        """Write links; those of one identity share their evidence while it is the same."""
        for login, contact_id, number, name, digest, evidence, found, seen_at in rows:
            face = self._faces.get((number, evidence))
            if face is None:
                face = self._faces[number, evidence] = self._db.execute(
                    "INSERT INTO evidence (number, login, content) VALUES (?, ?, CAST(? AS TEXT)) RETURNING evidence",
                    (number, login, evidence),
                ).fetchone()[0]
            self._db.execute("INSERT OR IGNORE INTO origins (content) VALUES (CAST(? AS TEXT))", (found,))
            self._db.execute(
                "INSERT INTO links VALUES (1, ?, ?, ?, ?, ?, ?,"
                " (SELECT origin FROM origins WHERE content = CAST(? AS TEXT)), ?)",
                (login, contact_id, number, name, digest, face, found, seen_at),
            )

    async def write_medium(self, digest: str, pieces: AsyncIterator[bytes]) -> None:
        """Store an archived file."""
        with self._files.begin() as (file, part):
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(finish, part)
            self._files.take(part, digest)


class SqliteTransfer:
    """
    A file from which accounts are read, or a new file for one account.

    A new file appears at its path at the end of `async with`, unless there was an error.

    Args:
        path: The file.
    """

    holds_one = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = contextlib.ExitStack()
        self._db: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"SqliteTransfer({str(self._path)!r})"

    async def __aenter__(self) -> SqliteTransfer:
        self._stack.enter_context(_explained(self._path))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    async def accounts(self) -> list[int]:
        """Return the numbers of the accounts, the latest login first."""
        rows = self._opened().execute(
            "SELECT uin FROM accounts JOIN logins USING (account) GROUP BY account ORDER BY max(opened_at) DESC"
        )
        return [int(uin) for (uin,) in rows]

    async def rows(self, uin: int) -> SqliteAccountRows:
        """Return a stored account."""
        db = self._opened()
        (account,) = db.execute("SELECT account FROM accounts WHERE uin = ?", (str(uin),)).fetchone()
        return SqliteAccountRows(db, account, self._files())

    def _opened(self) -> sqlite3.Connection:
        """Return a connection that sees the file as it was at the first call."""
        if self._db is None:
            if not self._path.is_file():  # it would be created
                raise StorageError(f"There is no journal {self._path}.")
            self._db = self._stack.enter_context(
                contextlib.closing(connect(self._path, is_reader=True, is_shared=True))
            )
            self._db.execute("BEGIN")
        return self._db

    async def new_rows(self, uin: int) -> SqliteAccountRows:
        """
        Return the account of the new file.

        Raises:
            StorageError: The path exists already.
        """
        return SqliteAccountRows(self._stack.enter_context(_new_file(self._path, uin)), _ACCOUNT, self._files())

    async def finish(self, uin: int) -> None:
        """Do nothing: the file belongs to its login."""

    def _files(self) -> MediaFiles:
        return MediaFiles(self._path.with_name(f"{self._path.name}.kept"))


@contextlib.contextmanager
def _new_file(path: Path, uin: int) -> Iterator[sqlite3.Connection]:
    """Open a new file with one account; it is committed and appears at its path unless the block raises."""
    part = path.with_name(f".{path.name}.part")
    if path.exists():
        raise StorageError(f"{path} exists already; move it away, or copy to another file.")
    part.unlink(missing_ok=True)
    try:
        with contextlib.closing(connect(part, is_shared=True)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO accounts (account, uin) VALUES (?, ?)", (_ACCOUNT, str(uin)))
            yield db
            db.execute("COMMIT")
        part.rename(path)
        flush_folder(path.parent)
    finally:
        for each in (part, log_of(part), part.with_name(f"{part.name}-shm")):
            each.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"The journal {path} cannot be copied: {explain(error)}") from None
