"""Accounts of a PostgreSQL database as rows that every engine reads and writes."""

# ruff: noqa: S608 - only constants are put together here, never a value

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.override import override
from webwx.storage.bodies import unpack
from webwx.storage.database_url import check_database_url, describe_database
from webwx.storage.engine.dialect import to_postgres
from webwx.storage.engine.rows import insert_copied, of_account, select_copied
from webwx.storage.postgres.archive import PIECE
from webwx.storage.postgres.database import SETTINGS, TIMEOUT, disconnect, explained, new_lock, open_connection
from webwx.storage.postgres.entries import BACKLOG, KINDS, NOTICE, QUARANTINED, vector_of
from webwx.storage.postgres.schema import require_tables
from webwx.storage.postgres.tables import PostgresStatements
from webwx.storage.tables.consumers import CONSUMERS
from webwx.storage.tables.engine_tables import CONTACTS, ENTRIES, LOGINS, NAMES
from webwx.storage.tables.identities.links import IDENTITIES
from webwx.storage.tables.media import MEDIA
from webwx.storage.tables.registry import OF_ACCOUNTS
from webwx.storage.tokenizer import cut, words_of
from webwx.storage.transfer import CHUNK, Counters, JournalTransfer, Ordinals, StoredAccountWriter, numbered, placed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from types import TracebackType

    from webwx.storage.engine.port import StoredTable
    from webwx.storage.postgres.database import Connection
    from webwx.storage.transfer import Row

_READ = {
    ENTRIES.name: f"SELECT number, login, batch, kind, (flags & {BACKLOG} <> 0)::int,"
    f" (flags & {QUARANTINED} <> 0)::int, (flags & {NOTICE} <> 0)::int, start, length, digest, time, message_id,"
    " chat, raw FROM entries WHERE account = $0 ORDER BY number",
    CONTACTS.name: f"SELECT login, id, contact FROM contacts WHERE {of_account(CONTACTS)} ORDER BY login, place",
    NAMES.name: f"SELECT login, text, id FROM names WHERE {of_account(NAMES)}"
    ' ORDER BY login, text COLLATE "C", id COLLATE "C"',
}
"""Queries for the tables that a database has in another form than copied rows."""

_WRITE = {
    NAMES.name: "INSERT INTO names (login, name, id, text) VALUES ($1, webwx_key($2::varchar), $3, $2)",
    ENTRIES.name: "INSERT INTO entries (account, number, login, batch, kind, start, length, digest, time, message_id,"
    " chat, raw, flags, words) VALUES ($0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::varchar::tsvector)",
}
"""Statements for such tables."""

_NUMBERED = tuple(table.name for table in OF_ACCOUNTS if table.is_numbered)
"""Tables whose numbers are from a sequence, which all accounts share."""


class AssignedNumbers:
    """
    The last numbers that tables with sequences have assigned, to rows of all accounts.

    They are read and raised in short transactions of other connections. Who has taken or read a number locks its
    sequence until the end of the transaction, and a copy would keep others from raising it for long.

    Args:
        connect: Returns a new connection.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect

    def __repr__(self) -> str:
        return "AssignedNumbers(***)"

    async def read(self) -> dict[str, int]:
        """Return the last number of each table; 0 if it has assigned none."""
        connection = await self._connect()
        try:
            return {table: await _last_number(connection, await _sequence_of(connection, table)) for table in _NUMBERED}
        finally:
            await disconnect(connection)

    async def go_on_after(self, numbers: Mapping[str, int]) -> None:
        """
        Raise the sequences of tables beyond numbers, never downwards.

        This is done before the rows are copied. The lock waits for transactions that have taken a number, and keeps
        others from taking one meanwhile, so none is assigned twice. Copied rows take none, so two copies at once do not
        wait for each other.
        """
        connection = await self._connect()
        try:
            for table, number in numbers.items():
                sequence = await _sequence_of(connection, table)
                async with connection.transaction():
                    await connection.execute(f"ALTER SEQUENCE {sequence} SET LOGGED")  # it is so; this takes the lock
                    if number > await _last_number(connection, sequence):
                        await connection.execute("SELECT setval($1::varchar::regclass, $2)", sequence, number)
        finally:
            await disconnect(connection)


async def _last_number(db: Connection, sequence: str) -> int:
    last: int = await db.fetchval(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")
    return last


async def _sequence_of(db: Connection, table: str) -> str:
    name: str = await db.fetchval("SELECT pg_get_serial_sequence($1::varchar, 'number')", table)
    return name


class PostgresAccountRows(StoredAccountWriter):
    """
    One account of a database.

    Args:
        db: A connection in a transaction.
        account: The account's number at the platform.
        logins: The rows of its logins.
        consumers: The rows of its consumers.
        numbers: The numbers that tables assign to the rows of all accounts.
    """

    def __init__(
        self, db: Connection, account: int, *, logins: list[int], consumers: list[int],
        numbers: AssignedNumbers,
    ) -> None:  # fmt: skip
        self._db = db
        self._account = account
        self._ordinals = {LOGINS.name: Ordinals(logins), CONSUMERS.name: Ordinals(consumers)}
        self._numbers = numbers
        self._own_ids: dict[int, ContactId] = {}
        """The own ids of the written logins, by their numbers."""

    def __repr__(self) -> str:
        return "PostgresAccountRows(***)"

    async def read_counters(self) -> Counters:
        """Return the counters; those of numbers from a sequence are those of all accounts."""
        row = await self._db.fetchrow("SELECT * FROM accounts WHERE account = $1", self._account)
        used = {ENTRIES.name: row["last_number"], IDENTITIES.name: row["last_identity"]}
        used |= await self._numbers.read()
        return Counters(conflicts=row["conflicts"], numbers=used)

    @override
    async def read(self, table: StoredTable) -> AsyncIterator[list[Row]]:
        query = to_postgres(_READ.get(table.name) or select_copied(table), 0).text
        cursor = await self._db.cursor(query, self._account)
        while found := await cursor.fetch(CHUNK):
            yield numbered(table, [tuple(row) for row in found], self._ordinals)

    @override
    async def read_medium(self, digest: str) -> AsyncIterator[bytes]:
        cursor = await self._db.cursor(
            "SELECT bytes FROM media_pieces WHERE account = $1 AND digest = $2 ORDER BY piece", self._account, digest
        )
        while row := await cursor.fetchrow():
            yield row["bytes"]

    async def write_counters(self, counters: Counters) -> None:
        """Begin the account, and raise the sequences beyond the numbers that are copied."""
        is_new = await self._db.fetchval(
            "INSERT INTO accounts (account, epoch, last_number, last_identity, conflicts) VALUES ($1, 1, $2, $3, $4)"
            # The row of an account that was deleted is still there.
            " ON CONFLICT (account) DO UPDATE SET last_number = excluded.last_number,"
            " last_identity = excluded.last_identity, conflicts = excluded.conflicts, wanted = true"
            " WHERE accounts.worker IS NULL AND NOT EXISTS (SELECT FROM logins l WHERE l.account = accounts.account)"
            " RETURNING true",
            self._account, counters.numbers[ENTRIES.name], counters.numbers[IDENTITIES.name], counters.conflicts,
        )  # fmt: skip
        if not is_new:
            raise StorageError(
                "The database has a journal of this account already, so nothing was stored; copy it before the account "
                "is used there."
            )
        await self._numbers.go_on_after({table: counters.numbers[table] for table in _NUMBERED})

    async def write(self, table: StoredTable, rows: list[Row]) -> None:
        """Append rows to a table."""
        stored = placed(table, rows, self._ordinals)
        if table is LOGINS:
            await self._write_logins(stored)
        elif table is CONSUMERS:
            await self._write_consumers(stored)
        elif table is MEDIA:
            # Each statement updates the sum of their sizes, and in one transaction each update of a row takes longer
            # than the one before.
            await PostgresStatements(self._db, self._account).insert_all(MEDIA, stored)
        else:
            if table is ENTRIES:
                stored = await self._with_words(stored, rows)
            text = _WRITE.get(table.name) or insert_copied(table)
            statement = to_postgres(text, len(stored[0]))
            of = (self._account,) if statement.has_account else ()
            await self._db.executemany(statement.text, [(*row, *of) for row in stored])

    async def _write_logins(self, rows: list[Row]) -> None:
        for row in rows:
            login = await self._db.fetchval(
                "INSERT INTO logins (account, own_id, position, opened_at, last_at, last_body, complete_digest)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING login",
                self._account, *row,
            )  # fmt: skip
            self._ordinals[LOGINS.name].add(login)
            self._own_ids[len(self._ordinals[LOGINS.name])] = ContactId(str(row[0]))

    async def _write_consumers(self, rows: list[Row]) -> None:
        for name, acked, started, isolated_to, is_open in rows:
            consumer = await self._db.fetchval(
                "INSERT INTO consumers (account, name, acked, started, isolated_to, is_open, lock)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING consumer",
                self._account, name, acked, started, isolated_to, bool(is_open), new_lock(),
            )  # fmt: skip
            self._ordinals[CONSUMERS.name].add(consumer)

    async def _with_words(self, stored: list[Row], rows: list[Row]) -> list[Row]:
        """Return the rows of entries with their flags and their words, which are read from the stored bodies."""
        found = await self._db.fetch(
            "SELECT batch, body FROM batches WHERE account = $1 AND batch = ANY ($2::bigint[])",
            self._account, list({row[2] for row in rows}),
        )  # fmt: skip
        bodies = {row["batch"]: unpack(row["body"]) for row in found}
        complete: list[Row] = []
        for (number, login, batch, kind, is_backlog, is_quarantined, is_notice, start, length, *rest), given in zip(
            stored, rows, strict=True
        ):
            raw = rest[-1]
            words, flags = None, 0
            if KINDS[kind] == "message":  # type: ignore[index]  # a number
                body = bodies.get(batch) or b""
                item = raw if isinstance(raw, bytes) else body[start : start + length]  # type: ignore[index, operator]  # numbers
                words, flags = vector_of(cut(words_of(msgspec.Raw(item), self._own_ids[given[1]])))  # type: ignore[index]  # a number
            flags |= BACKLOG * bool(is_backlog) | QUARANTINED * bool(is_quarantined) | NOTICE * bool(is_notice)
            complete.append((number, login, batch, kind, start, length, *rest, flags, words))
        return complete

    @override
    async def write_medium(self, digest: str, pieces: AsyncIterator[bytes]) -> None:
        number, left = 0, b""
        async for each in pieces:
            left += each
            while len(left) >= PIECE:
                await self._write_piece(digest, number, left[:PIECE])
                number, left = number + 1, left[PIECE:]
        if left or not number:
            await self._write_piece(digest, number, left)

    async def _write_piece(self, digest: str, number: int, piece: bytes) -> None:
        await self._db.execute("INSERT INTO media_pieces VALUES ($1, $2, $3, $4)", self._account, digest, number, piece)


class PostgresTransfer(JournalTransfer):
    """
    A transaction that reads accounts of a database, or stores new ones under the name of a login.

    It is committed at the end of `async with`, or rolled back after an error.

    Args:
        url: The URL of the database.
        login: Name of the login.
    """

    holds_one = False

    def __init__(self, url: str, login: str) -> None:
        check_database_url(url)
        self._url = url
        self._login = login
        self._stack = contextlib.AsyncExitStack()

    def __repr__(self) -> str:
        return f"PostgresTransfer({describe_database(self._url)!r})"

    async def __aenter__(self) -> PostgresTransfer:
        place = describe_database(self._url)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(explained(place, "copied"))
            self._db = await self._connect()
            stack.push_async_callback(self._db.close)
            await require_tables(self._db, place)
            await stack.enter_async_context(self._db.transaction(isolation="repeatable_read"))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def accounts(self) -> list[int]:
        """Return the numbers of the accounts that logged in under the name, the latest login first."""
        rows = await self._db.fetch(
            "SELECT account FROM login_names WHERE name = $1 ORDER BY opened_at DESC", self._login
        )
        return [row["account"] for row in rows]

    @override
    async def rows(self, uin: int) -> PostgresAccountRows:
        logins = await self._db.fetch("SELECT login FROM logins WHERE account = $1 ORDER BY 1", uin)
        consumers = await self._db.fetch("SELECT consumer FROM consumers WHERE account = $1 ORDER BY 1", uin)
        return PostgresAccountRows(
            self._db, uin, logins=[row["login"] for row in logins], consumers=[row["consumer"] for row in consumers],
            numbers=AssignedNumbers(self._connect),
        )  # fmt: skip

    @override
    async def new_rows(self, uin: int) -> PostgresAccountRows:
        return PostgresAccountRows(self._db, uin, logins=[], consumers=[], numbers=AssignedNumbers(self._connect))

    async def finish(self, uin: int) -> None:
        """Store that a new account logged in under the name."""
        await self._db.execute(
            "INSERT INTO login_names SELECT $1, $2, coalesce(max(opened_at), 0) FROM logins WHERE account = $2",
            self._login, uin,
        )  # fmt: skip

    async def _connect(self) -> Connection:
        return await open_connection(self._url, SETTINGS | {"application_name": "webwx journal copy"}, TIMEOUT)
