"""
The copy of an account from a journal into another one, of the same engine or of another one.

Each engine reads and writes an account as rows that are the same for all engines: a login and a consumer are numbered
in their order, and everything else is a plain value. A copy is verified before it becomes visible: the target is read
again, and the number and the digest of its rows must be those of the source.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from webwx.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from webwx.storage.base import Journal

Row: TypeAlias = "tuple[str | bytes | int | float | None, ...]"

COLUMNS: dict[str, tuple[str, ...]] = {
    "logins": ("own_id", "position", "opened_at", "last_at", "last_body", "complete_digest"),
    "batches": ("batch", "time", "body"),
    "entries": (
        "number", "login", "batch", "kind", "is_backlog", "is_quarantined", "is_notice", "start", "length", "digest",
        "time", "message_id", "chat", "raw",
    ),
    "contacts": ("login", "id", "contact"),
    "names": ("login", "name", "id"),
    "consumers": ("name", "acked", "started", "isolated_to", "is_open"),
    "acked_ahead": ("consumer", "number"),
    "failures": ("consumer", "number", "state", "attempts", "error", "time"),
    "crashes": ("consumer", "number", "crashes"),
    "conversations": ("consumer", "key", "step", "content", "chat", "deadline", "changed_at"),
    "outbox": (
        "number", "client_id", "key", "chat", "kind", "text", "addressed", "content_id", "state", "receipt", "ret",
        "created_at", "changed_at",
    ),
    "timers": (
        "number", "bot", "handler", "key", "name", "chat", "payload", "due_at", "state", "failures", "created_at",
        "changed_at",
    ),
    "states": ("name", "state"),
    "media": ("number", "message_id", "state", "digest", "size", "time"),
    "identities": ("number", "kind", "first_seen", "merged_into", "login"),
    "links": ("login", "id", "number", "name", "digest", "evidence", "found", "seen_at"),
    "never_matched": ("number", "other"),
    "real_ids": ("login", "id", "real_id"),
}  # fmt: skip
"""The tables in the order of copying, with their columns; `login` and `consumer` count from 1, 0 means no row."""

CHUNK = 500
"""Number of rows that are read and written at a time."""


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that an account has used up, so that a target never uses one again."""

    conflicts: int
    entries: int
    outbox: int
    timers: int
    identities: int

    def go_on_from(self, other: Counters) -> bool:
        """Return whether the numbers of these counters follow those of others; accounts may share a counter."""
        of_these, of_others = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return self.conflicts == other.conflicts and all(of_these[each] >= of_others[each] for each in of_these)


class StoredAccountReader(Protocol):
    """An account as rows, all of one moment."""

    async def read_counters(self) -> Counters:
        """Return the counters."""
        ...

    def read(self, table: str) -> AsyncIterator[list[Row]]:
        """Yield the rows of a table of `COLUMNS`, in the table's own order."""
        ...

    def read_medium(self, digest: str) -> AsyncIterator[bytes]:
        """
        Yield the bytes of an archived file.

        Raises:
            StorageError: The file is missing.
        """
        ...


class StoredAccountWriter(StoredAccountReader, Protocol):
    """A new account, whose rows become visible together."""

    async def write_counters(self, counters: Counters) -> None:
        """
        Begin the account.

        Raises:
            StorageError: The journal has this account already.
        """
        ...

    async def write(self, table: str, rows: list[Row]) -> None:
        """Append rows to a table; the tables come in the order of `COLUMNS`."""
        ...

    async def write_medium(self, digest: str, pieces: AsyncIterator[bytes]) -> None:
        """Store an archived file."""
        ...


class JournalTransfer(Protocol):
    """One end of a copy; written rows become visible at the end of `async with`, unless it raises."""

    holds_one: bool
    """Whether a new journal holds one account only."""

    async def __aenter__(self) -> JournalTransfer:
        """
        Open the journal.

        Raises:
            StorageError: The journal cannot be opened.
        """
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Commit what was written, or roll it back after an error."""
        ...

    async def accounts(self) -> list[int]:
        """Return the numbers of the accounts of this login, the latest login first."""
        ...

    async def rows(self, uin: int) -> StoredAccountReader:
        """Return a stored account."""
        ...

    async def new_rows(self, uin: int) -> StoredAccountWriter:
        """Return an account that is to be stored."""
        ...

    async def finish(self, uin: int) -> None:
        """Store that a new account, which is complete, belongs to the login."""
        ...


async def release(journal: Journal) -> None:
    """
    Make sure that no process uses a journal, so that its rows hold everything.

    Raises:
        AlreadyRunning: A consumer is open in another process.
        StorageError: A send is in progress.
    """
    for uin in await journal.accounts():
        part = journal.account(uin)
        for each in await part.consumers():
            await (await part.consumer(each.name)).close()
        if (await part.outbox.count()).get("sending"):
            raise StorageError("A send of this account is in progress; try again when it has ended.")


async def copy_journal(
    source: JournalTransfer, target: JournalTransfer, on_rows: Callable[[str, int], object] = lambda *_: None
) -> list[dict[str, int]]:
    """
    Copy the accounts of a login, and return the number of rows of each table of each account.

    A target that holds one account takes the one that logged in last.

    Args:
        source: The journal to copy.
        target: The journal that does not have these accounts yet.
        on_rows: As for `copy_account`.

    Raises:
        StorageError: As `copy_account`, or the source has no account; nothing was stored.
    """
    async with source, target:
        accounts = await source.accounts()
        if not accounts:
            raise StorageError("There is no journal to copy.")
        copied = []
        for uin in accounts[:1] if target.holds_one else accounts:
            copied.append(await copy_account(await source.rows(uin), await target.new_rows(uin), on_rows))
            await target.finish(uin)
    return copied


async def copy_account(
    source: StoredAccountReader, target: StoredAccountWriter, on_rows: Callable[[str, int], object] = lambda *_: None
) -> dict[str, int]:
    """
    Copy an account, read it again, and return the number of rows of each table.

    Args:
        source: The account to copy.
        target: Place for the copy, without an account; the caller commits it afterwards.
        on_rows: Called with a table and the number of its rows that were copied so far.

    Raises:
        StorageError: The target has this account already, or holds other rows than the source.
    """
    counters = await source.read_counters()
    await target.write_counters(counters)
    copied: dict[str, _Digest] = {}
    media: set[str] = set()
    for table in COLUMNS:
        digest = copied[table] = _Digest()
        async for rows in source.read(table):
            digest.add(rows)
            await target.write(table, rows)
            if table == "media":
                media |= {str(row[3]) for row in rows} - {""}
            on_rows(table, digest.count)
    for number, each in enumerate(sorted(media), 1):
        await target.write_medium(each, source.read_medium(each))
        on_rows("files", number)
    await _verify(target, counters, copied, media)
    return {table: digest.count for table, digest in copied.items()} | {"files": len(media)}


async def _verify(target: StoredAccountReader, counters: Counters, copied: dict[str, _Digest], media: set[str]) -> None:
    differing = [] if (await target.read_counters()).go_on_from(counters) else ["accounts"]
    for table, expected in copied.items():
        found = _Digest()
        async for rows in target.read(table):
            found.add(rows)
        if found != expected:
            differing.append(table)
    for each in media:
        content = hashlib.sha256()
        async for piece in target.read_medium(each):
            content.update(piece)
        if content.hexdigest() != each:
            differing.append("files")
            break
    if differing:
        raise StorageError(f"The copy differs from its source in {', '.join(differing)}; nothing was stored.")


class _Digest:
    """Number and digest of rows."""

    def __init__(self) -> None:
        self.count = 0
        self._content = hashlib.sha256()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Digest):
            return NotImplemented
        return (self.count, self._content.digest()) == (other.count, other._content.digest())

    __hash__ = None  # type: ignore[assignment]  # it changes

    def add(self, rows: list[Row]) -> None:
        """Add rows."""
        self.count += len(rows)
        for row in rows:
            self._content.update(msgspec.msgpack.encode(row))


class Ordinals:
    """The rows of logins or consumers of one engine, numbered from 1 in their order; 0 stands for no row."""

    def __init__(self, rows: list[int]) -> None:
        self._rows = [0, *rows]
        self._numbers = {row: number for number, row in enumerate(self._rows)}

    def __len__(self) -> int:
        return len(self._rows) - 1

    def add(self, row: int) -> None:
        """Add a later row."""
        self._numbers[row] = len(self._rows)
        self._rows.append(row)

    def number(self, row: int) -> int:
        """Return the number of a row."""
        return self._numbers[row]

    def row(self, number: int) -> int:
        """Return the row with a number."""
        return self._rows[number]
