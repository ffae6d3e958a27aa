"""The storage engines as the contract suite uses them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import pytest
from tests.postgres import new_schema
from tests.storage.damage import damage, with_flipped_bit

from webwx.storage.base import Journal
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.sqlite.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from tests.postgres import TemporarySchema


class OpenJournal(Journal, Protocol):
    """A journal that the end of a block closes."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class StorageEngine(Protocol):
    """A storage engine and the place of one journal."""

    def open(self, *, retention_days: float = 0) -> OpenJournal:
        """Return a journal of this place; each call returns a new object, as in another process."""
        ...

    @property
    def url(self) -> str:
        """Return the URL with which another process opens the journal."""
        ...

    async def kill(self, journal: Journal) -> None:
        """Leave the present stored state at this place, as a killed process does."""
        ...

    def damage(self, batch: int) -> None:
        """Flip one bit of the stored body of a batch, as a failing disk does."""
        ...

    async def settle(self) -> None:
        """Return once nothing more is stored of what killed processes have begun; no journal of the place is open."""
        ...


class SqliteEngine:
    """A file in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state" / "me.journal"

    @property
    def url(self) -> str:
        return str(self.path)

    def open(self, *, retention_days: float = 0) -> SqliteJournal:
        return SqliteJournal(self.path, retention_days=retention_days)

    async def kill(self, journal: Journal) -> None:
        assert isinstance(journal, SqliteJournal)
        moment = self.path.with_suffix(".moment")
        await journal.backup(moment)
        await journal.close()
        moment.replace(self.path)

    def damage(self, batch: int) -> None:
        damage(self.path, batch)

    async def settle(self) -> None:
        pass


class PostgresEngine:
    """A schema of its own in a temporary cluster."""

    def __init__(self, schema: TemporarySchema) -> None:
        self.schema = schema

    @property
    def url(self) -> str:
        return self.schema.url

    def open(self, *, retention_days: float = 0) -> PostgresJournal:
        return PostgresJournal(self.url, retention_days=retention_days)

    async def kill(self, journal: Journal) -> None:
        await asyncio.to_thread(self.schema.end_sessions)
        await journal.close()
        await asyncio.to_thread(self.schema.allow_sessions)

    def damage(self, batch: int) -> None:
        body = bytes.fromhex(self.schema.execute(f"SELECT encode(body, 'hex') FROM batches WHERE batch = {batch}"))
        flipped = with_flipped_bit(body).hex()
        self.schema.execute(f"UPDATE batches SET body = decode('{flipped}', 'hex') WHERE batch = {batch}")

    async def settle(self) -> None:
        await asyncio.to_thread(self.schema.wait_for_sessions)


ENGINES = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


def make(name: str, folder: Path) -> StorageEngine:
    """Return an engine by its name, with a new place."""
    if name == "postgres":
        return PostgresEngine(new_schema())
    return SqliteEngine(folder)
