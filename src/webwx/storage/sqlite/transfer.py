"""An account of a journal's file as rows that every engine reads and writes."""

# ruff: noqa: S608 - only constants are put together here, never a value

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.override import override
from webwx.storage.archive_files import MediaFiles, finish
from webwx.storage.engine.dialect import to_sqlite
from webwx.storage.engine.rows import insert_copied, select_copied
from webwx.storage.file_opening import open_file
from webwx.storage.locks import flush_folder
from webwx.storage.sqlite.schema import connect, explain, log_of
from webwx.storage.tables.consumers import CONSUMERS
from webwx.storage.tables.engine_tables import CONTACTS, ENTRIES, LOGINS
from webwx.storage.tables.identities.links import IDENTITIES
from webwx.storage.tables.registry import OF_ACCOUNTS
from webwx.storage.transfer import CHUNK, Counters, JournalTransfer, Ordinals, StoredAccountWriter, numbered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from types import TracebackType

    from webwx.storage.engine.port import StoredTable
    from webwx.storage.transfer import Row

_PIECE = 512 * 1024

_READ = {
    # NULL: the first version did not look whether it is a notice, so queries take it for one
    ENTRIES.name: select_copied(ENTRIES).replace("is_notice", "is_notice IS NOT 0"),
    CONTACTS.name: "SELECT login, id, CAST(contact AS BLOB) FROM contacts"
    " WHERE login IN (SELECT login FROM logins WHERE account = $0) ORDER BY login, rowid",
}
"""Queries for the tables that a file has in another form than copied rows."""

_WRITE = {
    CONTACTS.name: "INSERT INTO contacts (login, id, contact) VALUES ($1, $2, CAST($3 AS TEXT))",
}
"""Statements for such tables."""

_ACCOUNT = 1
"""Row of the only account of a new file."""

_COUNTED = (ENTRIES.name, *(table.name for table in OF_ACCOUNTS if table.is_numbered))
"""Tables whose numbers SQLite counts."""


class SqliteAccountRows(StoredAccountWriter):
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
        self._ordinals = {
            table: Ordinals(
                [row for (row,) in db.execute(f"SELECT {key} FROM {table} WHERE account = ? ORDER BY 1", (account,))]
            )
            for key, table in (("login", LOGINS.name), ("consumer", CONSUMERS.name))
        }

    def __repr__(self) -> str:
        return "SqliteAccountRows(***)"

    async def read_counters(self) -> Counters:
        """Return the counters; the numbers are those of the whole file."""
        conflicts, last_identity = self._db.execute(
            "SELECT conflicts, last_identity FROM accounts WHERE account = ?", (self._account,)
        ).fetchone()
        of_file = dict(self._db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        numbers = {each: of_file.get(each, 0) for each in _COUNTED}
        return Counters(conflicts=conflicts, numbers={**numbers, IDENTITIES.name: last_identity})

    @override
    async def read(self, table: StoredTable) -> AsyncIterator[list[Row]]:
        query = to_sqlite(_READ.get(table.name) or select_copied(table)).text
        cursor = await asyncio.to_thread(self._db.execute, query, (self._account,))
        while rows := await asyncio.to_thread(cursor.fetchmany, CHUNK):
            yield numbered(table, rows, self._ordinals)

    @override
    async def read_medium(self, digest: str) -> AsyncIterator[bytes]:
        path = self._files.find(digest)
        if path is None:
            raise StorageError(
                "An archived file is missing beside the journal; 'webwx journal purge --media' removes its entry."
            )
        with await open_file(path, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece

    async def write_counters(self, counters: Counters) -> None:
        """Begin the account, whose row the file has already."""
        self._db.execute(
            "UPDATE accounts SET conflicts = ?, last_identity = ? WHERE account = ?",
            (counters.conflicts, counters.numbers[IDENTITIES.name], self._account),
        )
        self._db.executemany(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
            [(each, counters.numbers[each]) for each in _COUNTED],
        )

    async def write(self, table: StoredTable, rows: list[Row]) -> None:
        """Append rows to a table; a new file numbers logins and consumers from 1, as copied rows do."""
        statement = to_sqlite(_WRITE.get(table.name) or insert_copied(table))
        values = [[(self._account, *row)[number] for number in statement.values] for row in rows]
        await asyncio.to_thread(self._db.executemany, statement.text, values)
        if table.name in self._ordinals:
            for _ in rows:
                self._ordinals[table.name].add(len(self._ordinals[table.name]) + 1)

    @override
    async def write_medium(self, digest: str, pieces: AsyncIterator[bytes]) -> None:
        with self._files.begin() as (file, part):
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(finish, part)
            self._files.take(part, digest)


class SqliteTransfer(JournalTransfer):
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

    @override
    async def rows(self, uin: int) -> SqliteAccountRows:
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
