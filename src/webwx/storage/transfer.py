"""
The copy of an account from a journal into another one, of the same engine or of another one.

Each engine reads and writes an account as rows that are the same for all engines, of the tables that are described once
(`storage.tables`): a login and a consumer are numbered in their order, and everything else is a plain value. A copy is
verified before it becomes visible: the target is read again, and the number and the digest of its rows must be those of
the source.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from webwx.errors import StorageError
from webwx.storage.engine.rows import copied_columns
from webwx.storage.tables.consumers import CONSUMERS
from webwx.storage.tables.engine_tables import LOGINS
from webwx.storage.tables.media import MEDIA
from webwx.storage.tables.registry import OF_ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType

    from webwx.storage.base import Journal
    from webwx.storage.engine.port import StoredTable

Row: TypeAlias = "tuple[str | bytes | int | float | None, ...]"

CHUNK = 500
"""Number of rows that are read and written at a time."""

_DIGEST_OF_MEDIA = MEDIA.columns.index("digest")

ORDINALS = {"login": LOGINS.name, "consumer": CONSUMERS.name}
"""Columns that name a row of another table; in a copied row they count the rows of that table from 1, 0 means none."""


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that an account has used up, so that a target never uses one again."""

    conflicts: int
    numbers: dict[str, int]
    """The last number of entries, of identities, and of each table whose rows have numbers; accounts may share one."""

    def go_on_from(self, other: Counters) -> bool:
        """Return whether the numbers of these counters follow those of others."""
        return self.conflicts == other.conflicts and all(
            self.numbers[table] >= number for table, number in other.numbers.items()
        )


class StoredAccountReader(Protocol):
    """An account as rows, all of one moment."""

    async def read_counters(self) -> Counters:
        """Return the counters."""
        ...

    def read(self, table: StoredTable) -> AsyncIterator[list[Row]]:
        """Yield the rows of a table that are copied, in the table's own order."""
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

    async def write(self, table: StoredTable, rows: list[Row]) -> None:
        """Append rows to a table; the tables come in the order of `OF_ACCOUNTS`."""
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
    for table in OF_ACCOUNTS:
        digest = copied[table.name] = _Digest()
        async for rows in source.read(table):
            digest.add(rows)
            await target.write(table, rows)
            if table is MEDIA:
                media |= {str(row[_DIGEST_OF_MEDIA]) for row in rows} - {""}
            on_rows(table.name, digest.count)
    for number, each in enumerate(sorted(media), 1):
        await target.write_medium(each, source.read_medium(each))
        on_rows("files", number)
    await _verify(target, counters, copied, media)
    return {table: digest.count for table, digest in copied.items()} | {"files": len(media)}


async def _verify(target: StoredAccountReader, counters: Counters, copied: dict[str, _Digest], media: set[str]) -> None:
    differing = [] if (await target.read_counters()).go_on_from(counters) else ["accounts"]
    for table in OF_ACCOUNTS:
        found = _Digest()
        async for rows in target.read(table):
            found.add(rows)
        if found != copied[table.name]:
            differing.append(table.name)
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


def numbered(table: StoredTable, rows: list[Row], ordinals: Mapping[str, Ordinals]) -> list[Row]:
    """Return rows of an engine as they are copied; `ordinals` are those of logins and of consumers, by these names."""
    return _replaced(table, rows, {column: ordinals[of].number for column, of in ORDINALS.items()})


def placed(table: StoredTable, rows: list[Row], ordinals: Mapping[str, Ordinals]) -> list[Row]:
    """Return copied rows as the engine stores them; `ordinals` as for `numbered`."""
    return _replaced(table, rows, {column: ordinals[of].row for column, of in ORDINALS.items()})


def _replaced(table: StoredTable, rows: list[Row], by: Mapping[str, Callable[[int], int]]) -> list[Row]:
    for place, column in enumerate(copied_columns(table)):
        if column in by:
            replace = by[column]
            rows = [(*row[:place], replace(row[place]), *row[place + 1 :]) for row in rows]  # type: ignore[arg-type]  # these are numbers
    return rows
