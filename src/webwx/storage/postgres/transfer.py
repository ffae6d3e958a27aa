"""Accounts of a PostgreSQL database as rows that every engine reads and writes."""

# ruff: noqa: S608 - only constants are put together here, never a value

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.storage.bodies import unpack
from webwx.storage.database_url import check_database_url, describe_database
from webwx.storage.postgres.archive import PIECE
from webwx.storage.postgres.database import SETTINGS, TIMEOUT, explained, new_lock, open_connection
from webwx.storage.postgres.entries import BACKLOG, KINDS, NOTICE, QUARANTINED, vector_of
from webwx.storage.postgres.links import (
    EVIDENCE,
    EvidenceRow,
    PostgresLinkRow,
    encoded_origin_rows,
    evidence_row,
    write_evidence,
    write_links,
)
from webwx.storage.postgres.schema import require_tables
from webwx.storage.tokenizer import cut, words_of
from webwx.storage.transfer import CHUNK, COLUMNS, Counters, Ordinals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from webwx.storage.postgres.database import Connection
    from webwx.storage.transfer import Row

_OF_LOGINS = "login IN (SELECT login FROM logins WHERE account = $1)"
_OF_CONSUMERS = "consumer IN (SELECT consumer FROM consumers WHERE account = $1)"

_READ = {
    "logins": "SELECT own_id, position, opened_at, last_at, last_body, complete_digest FROM logins WHERE account = $1"
    " ORDER BY login",
    "batches": "SELECT batch, time, body FROM batches WHERE account = $1 ORDER BY batch",
    "entries": f"SELECT number, login, batch, kind, (flags & {BACKLOG} <> 0)::int, (flags & {QUARANTINED} <> 0)::int,"
    f" (flags & {NOTICE} <> 0)::int, start, length, digest, time, message_id, chat, raw"
    " FROM entries WHERE account = $1 ORDER BY number",
    "contacts": f"SELECT login, id, contact FROM contacts WHERE {_OF_LOGINS} ORDER BY login, place",
    "names": f'SELECT login, text, id FROM names WHERE {_OF_LOGINS} ORDER BY login, text COLLATE "C", id COLLATE "C"',
    "consumers": "SELECT name, acked, started, isolated_to, is_open::int FROM consumers WHERE account = $1"
    " ORDER BY consumer",
    "acked_ahead": f"SELECT consumer, number FROM acked_ahead WHERE {_OF_CONSUMERS} ORDER BY consumer, number",
    "failures": "SELECT consumer, number, CASE state WHEN 'held' THEN 'dead' ELSE state END, attempts, error, time"
    " FROM failures"
    f" WHERE {_OF_CONSUMERS} ORDER BY consumer, number",
    "crashes": f"SELECT consumer, number, crashes FROM crashes WHERE {_OF_CONSUMERS} ORDER BY consumer, number",
    "conversations": "SELECT consumer, key, step, content, chat, deadline, changed_at FROM conversations"
    f' WHERE {_OF_CONSUMERS} ORDER BY consumer, key COLLATE "C"',
    "outbox": "SELECT number, client_id, key, chat, kind, text, addressed, content_id,"
    " CASE state WHEN 'sending' THEN 'unknown' ELSE state END, receipt, ret, created_at, changed_at"
    " FROM outbox WHERE account = $1 ORDER BY number",
    "timers": "SELECT number, bot, handler, key, name, chat, payload, due_at,"
    " CASE state WHEN 'held' THEN 'waiting' ELSE state END, failures, created_at, changed_at"
    " FROM timers WHERE account = $1 ORDER BY number",
    "states": 'SELECT name, state FROM states WHERE account = $1 ORDER BY name COLLATE "C"',
    "media": "SELECT number, message_id, state, digest, size, time FROM media WHERE account = $1 ORDER BY number",
    "identities": "SELECT number, kind, first_seen, merged_into, login FROM identities WHERE account = $1"
    " ORDER BY number",
    "links": "SELECT l.login, l.id, l.number, l.name, l.digest, e.content, o.content, l.seen_at FROM links l"
    " JOIN evidence e ON e.account = l.account AND e.evidence = l.evidence"
    " JOIN origins o ON o.account = l.account AND o.origin = l.origin WHERE l.account = $1 ORDER BY l.link",
    "never_matched": "SELECT number, other FROM never_matched WHERE account = $1 ORDER BY number, other",
    "real_ids": 'SELECT login, id, real_id FROM real_ids WHERE account = $1 ORDER BY login, id COLLATE "C"',
}

_WRITE = {
    "batches": "INSERT INTO batches VALUES ($1, $2, $3, $4)",
    "entries": "INSERT INTO entries (account, number, login, batch, kind, start, length, digest, time, message_id,"
    " chat, raw, flags, words) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::varchar::tsvector)",
    "contacts": "INSERT INTO contacts (login, id, contact) VALUES ($1, $2, $3)",
    "names": "INSERT INTO names (login, name, id, text) VALUES ($1, webwx_key($2::varchar), $3, $2)",
    "acked_ahead": "INSERT INTO acked_ahead VALUES ($1, $2)",
    "failures": "INSERT INTO failures VALUES ($1, $2, $3, $4, $5, $6)",
    "crashes": "INSERT INTO crashes VALUES ($1, $2, $3)",
    "conversations": "INSERT INTO conversations VALUES ($1, $2, $3, $4, $5, $6, $7)",
    "outbox": "INSERT INTO outbox (account, epoch, number, client_id, key, chat, kind, text, addressed, content_id,"
    " state, receipt, ret, created_at, changed_at, message_id)"
    " VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    "timers": "INSERT INTO timers (account, number, bot, handler, key, name, chat, payload, due_at, state, failures,"
    " created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    "states": "INSERT INTO states VALUES ($1, $2, $3)",
    "media": "INSERT INTO media VALUES ($1, $2, $3, $4, $5, $6, $7)",
    "identities": "INSERT INTO identities (account, number, kind, first_seen, merged_into, login)"
    " VALUES ($1, $2, $3, $4, $5, $6)",
    "never_matched": "INSERT INTO never_matched VALUES ($1, $2, $3)",
    "real_ids": "INSERT INTO real_ids VALUES ($1, $2, $3, $4)",
}

_NUMBERED = ("outbox", "timers")
"""Tables whose numbers are from a sequence, which all accounts share."""

_WITHOUT_ACCOUNT = {"contacts", "names", "acked_ahead", "failures", "crashes", "conversations"}
"""Tables whose rows belong to a login or a consumer."""


class _CopiedLink(NamedTuple):
    """A link as it is copied between engines."""

    login: int
    id: str
    number: int
    name: str
    digest: int
    evidence: bytes
    found: bytes
    seen_at: float


class PostgresAccountRows:
    """
    One account of a database.

    Args:
        db: A connection in a transaction.
        account: The account's number at the platform.
        logins: The rows of its logins.
        consumers: The rows of its consumers.
    """

    def __init__(self, db: Connection, account: int, *, logins: list[int], consumers: list[int]) -> None:
        self._db = db
        self._account = account
        self._ordinals = {"logins": Ordinals(logins), "consumers": Ordinals(consumers)}
        self._evidence: dict[tuple[int, bytes], int] = {}
        """Written evidence, by the number of the identity and the content."""
        self._written = 0
        """The highest number of it."""
        self._own_ids: dict[int, ContactId] = {}
        """The own ids of the written logins, by their numbers."""
        self.raised: dict[str, int] = {}
        """Numbers that the sequences of these tables must have passed before the rows are committed."""

    def __repr__(self) -> str:
        return "PostgresAccountRows(***)"

    async def read_counters(self) -> Counters:
        """Return the counters; those of numbers from a sequence are those of all accounts."""
        row = await self._db.fetchrow("SELECT * FROM accounts WHERE account = $1", self._account)
        used = {table: max(await _last_number(self._db, table), self.raised.get(table, 0)) for table in _NUMBERED}
        return Counters(conflicts=row["conflicts"], entries=row["last_number"], identities=row["last_identity"], **used)

    async def read(self, table: str) -> AsyncIterator[list[Row]]:
        """Yield the rows of a table."""
        cursor = await self._db.cursor(_READ[table], self._account)
        while rows := await cursor.fetch(CHUNK):
            yield [self._numbered(table, tuple(row)) for row in rows]

    def _numbered(self, table: str, row: Row) -> Row:
        """Return a stored row with the numbers of its login and its consumer."""
        if table == "links":  # JSON is copied as bytes
            row = (*row[:5], *(str(each).encode() for each in row[5:7]), *row[7:])
        return tuple(
            self._ordinals[f"{column}s"].number(value) if column in {"login", "consumer"} else value  # type: ignore[arg-type]  # these are numbers
            for column, value in zip(COLUMNS[table], row, strict=True)
        )

    async def read_medium(self, digest: str) -> AsyncIterator[bytes]:
        """Yield the bytes of an archived file."""
        cursor = await self._db.cursor(
            "SELECT bytes FROM media_pieces WHERE account = $1 AND digest = $2 ORDER BY piece", self._account, digest
        )
        while row := await cursor.fetchrow():
            yield row["bytes"]

    async def write_counters(self, counters: Counters) -> None:
        """Begin the account; the sequences are raised at the end."""
        self.raised = {table: getattr(counters, table) for table in _NUMBERED}
        is_new = await self._db.fetchval(
            "INSERT INTO accounts (account, epoch, last_number, last_identity, conflicts) VALUES ($1, 1, $2, $3, $4)"
            # The row of an account that was deleted is still there.
            " ON CONFLICT (account) DO UPDATE SET last_number = excluded.last_number,"
            " last_identity = excluded.last_identity, conflicts = excluded.conflicts, wanted = true"
            " WHERE accounts.worker IS NULL AND NOT EXISTS (SELECT FROM logins l WHERE l.account = accounts.account)"
            " RETURNING true",
            self._account, counters.entries, counters.identities, counters.conflicts,
        )  # fmt: skip
        if not is_new:
            raise StorageError(
                "The database has a journal of this account already, so nothing was stored; copy it before the account "
                "is used there."
            )

    async def write(self, table: str, rows: list[Row]) -> None:
        """Append rows to a table."""
        match table:
            case "logins":
                await self._write_logins(rows)
            case "consumers":
                await self._write_consumers(rows)
            case "links":
                await self._write_links([self._placed("links", row) for row in rows])
            case _:
                stored = [self._placed(table, row) for row in rows]
                if table == "entries":
                    stored = await self._with_words(stored, rows)
                first = () if table in _WITHOUT_ACCOUNT else (self._account,)
                await self._db.executemany(_WRITE[table], [(*first, *row) for row in stored])

    def _placed(self, table: str, row: Row) -> Row:
        """Return a row as it is stored, with the rows of its login and its consumer."""
        stored = tuple(
            self._ordinals[f"{column}s"].row(value) if column in {"login", "consumer"} else value  # type: ignore[arg-type]  # these are numbers
            for column, value in zip(COLUMNS[table], row, strict=True)
        )
        match table:
            case "outbox":
                receipt = stored[COLUMNS["outbox"].index("receipt")]
                message_id = Receipt.from_json(receipt).message_id if isinstance(receipt, str) else ""
                return (*stored, message_id)
        return stored

    async def _write_logins(self, rows: list[Row]) -> None:
        for row in rows:
            login = await self._db.fetchval(
                "INSERT INTO logins (account, own_id, position, opened_at, last_at, last_body, complete_digest)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING login",
                self._account, *row,
            )  # fmt: skip
            self._ordinals["logins"].add(login)
            self._own_ids[len(self._ordinals["logins"])] = ContactId(str(row[0]))

    async def _write_consumers(self, rows: list[Row]) -> None:
        for name, acked, started, isolated_to, is_open in rows:
            consumer = await self._db.fetchval(
                "INSERT INTO consumers (account, name, acked, started, isolated_to, is_open, lock)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING consumer",
                self._account, name, acked, started, isolated_to, bool(is_open), new_lock(),
            )  # fmt: skip
            self._ordinals["consumers"].add(consumer)

    async def _write_links(self, rows: list[Row]) -> None:
        """Write links; those of one identity share their evidence while it is the same."""
        links: list[PostgresLinkRow] = []
        new: dict[int, EvidenceRow] = {}
        copied = [msgspec.convert(row, _CopiedLink) for row in rows]
        origins = await encoded_origin_rows(self._db, self._account, {each.found.decode() for each in copied})
        for login, contact_id, number, name, digest, content, found, seen_at in copied:
            evidence = self._evidence.setdefault((number, content), len(self._evidence) + 1)
            if evidence > self._written:
                self._written = evidence
                new[evidence] = evidence_row(evidence, number, login, EVIDENCE.decode(content), content.decode())
            origin = origins[found.decode()]
            links.append(PostgresLinkRow(login, ContactId(contact_id), number, name, digest, evidence, origin, seen_at))
        await write_evidence(self._db, self._account, list(new.values()))
        await write_links(self._db, self._account, links)

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

    async def write_medium(self, digest: str, pieces: AsyncIterator[bytes]) -> None:
        """Store an archived file."""
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


class PostgresTransfer:
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
        self._new: list[PostgresAccountRows] = []

    def __repr__(self) -> str:
        return f"PostgresTransfer({describe_database(self._url)!r})"

    async def __aenter__(self) -> PostgresTransfer:
        place = describe_database(self._url)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(explained(place, "copied"))
            self._db = await open_connection(self._url, SETTINGS | {"application_name": "webwx journal copy"}, TIMEOUT)
            stack.push_async_callback(self._db.close)
            await require_tables(self._db, place)
            await stack.enter_async_context(self._db.transaction(isolation="repeatable_read"))
            stack.push_async_exit(self._raise_sequences)
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

    async def rows(self, uin: int) -> PostgresAccountRows:
        """Return a stored account."""
        logins = await self._db.fetch("SELECT login FROM logins WHERE account = $1 ORDER BY 1", uin)
        consumers = await self._db.fetch("SELECT consumer FROM consumers WHERE account = $1 ORDER BY 1", uin)
        return PostgresAccountRows(
            self._db, uin, logins=[row["login"] for row in logins], consumers=[row["consumer"] for row in consumers]
        )

    async def new_rows(self, uin: int) -> PostgresAccountRows:
        """Return an account that is to be stored."""
        self._new.append(PostgresAccountRows(self._db, uin, logins=[], consumers=[]))
        return self._new[-1]

    async def finish(self, uin: int) -> None:
        """Store that a new account logged in under the name."""
        await self._db.execute(
            "INSERT INTO login_names SELECT $1, $2, coalesce(max(opened_at), 0) FROM logins WHERE account = $2",
            self._login, uin,
        )  # fmt: skip

    async def _raise_sequences(self, kind: type[BaseException] | None, *_: object) -> None:
        """
        Raise the sequences beyond the copied numbers, unless the copy has failed.

        The lock stops inserts, so no number that is assigned meanwhile is assigned again. Nothing follows but the
        commit, so they wait for a moment only.
        """
        for table in _NUMBERED if kind is None and self._new else ():
            await self._db.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            number = max(each.raised.get(table, 0) for each in self._new)
            if number > await _last_number(self._db, table):
                await self._db.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'number'), $1)", number)


async def _last_number(db: Connection, table: str) -> int:
    """Return the last number of a sequence; 0 if it has assigned none."""
    last: int = await db.fetchval(
        f"SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('{table}', 'number')::regclass), 0)"
    )
    return last
