"""The port of the shared tables on each engine, with a table of the tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.postgres import new_schema

from webwx.storage.engine.dialect import postgres_ddl, sqlite_ddl
from webwx.storage.engine.port import Select, StoredTable
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.tables import PostgresTables
from webwx.storage.sqlite.schema import connect
from webwx.storage.sqlite.tables import SqliteTables
from webwx.storage.sqlite.threads import Reader, Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from webwx.storage.engine.port import Tables

    TablesOf = Callable[[int], Tables]
    """Returns the tables of an account."""

SAMPLES = StoredTable(
    name="samples",
    columns=("number", "key", "time", "later", "is_done", "content"),
    ddl="""
CREATE TABLE samples (
    account bigint NOT NULL,
    number NUMBERED,
    key text NOT NULL,
    time float8 NOT NULL DEFAULT 0,
    later float8,
    is_done boolean NOT NULL DEFAULT false,
    content bytea
);
CREATE UNIQUE INDEX samples_key ON samples (account, webwx_key(key));
""",
)

NAMES = StoredTable(
    name="sample_names",
    columns=("id", "version"),
    of="",
    ddl="""
CREATE TABLE sample_names (
    id text NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (id)
);
""",
)

NOTES = StoredTable(
    name="sample_notes",
    columns=("key",),
    of="consumer",
    order="key",
    ddl="""
CREATE TABLE sample_notes (
    consumer bigint NOT NULL,
    key text NOT NULL,
    PRIMARY KEY (consumer, webwx_key(key))
);
""",
)


class Sample(NamedTuple):
    number: int
    key: str
    time: float
    later: float | None
    is_done: bool


class Named(NamedTuple):
    key: str


class WithBytes(NamedTuple):
    key: str
    is_done: bool
    content: bytes | None


class Total(NamedTuple):
    total: int


ADD = "INSERT INTO samples (account, key, time) VALUES ($0, $1, $2) ON CONFLICT DO NOTHING"
KEYS = Select(Named, "SELECT key FROM samples WHERE account = $0 ORDER BY number")
OF_KEY = Select(
    Sample,
    "SELECT number, key, time, later, is_done FROM samples WHERE account = $0 AND webwx_key(key) = webwx_key($1)",
)
BYTES = Select(WithBytes, "SELECT key, is_done, content FROM samples WHERE account = $0 ORDER BY number")
TOTAL = Select(Total, "SELECT count(*) AS total FROM samples WHERE account = $0")


class _NoJobs:
    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        del db, is_idle
        return None

    def forget(self) -> None: ...


@asynccontextmanager
async def tables_in_file(path: Path) -> AsyncIterator[TablesOf]:
    writer = Writer(partial(connect, path, is_shared=True), "test writer", _NoJobs())
    reader = Reader(partial(connect, path, is_reader=True, is_shared=True), "test reader")

    def create(db: sqlite3.Connection) -> None:
        for statement in f"{sqlite_ddl(SAMPLES)}{sqlite_ddl(NAMES)}".split(";\n")[:-1]:
            db.execute(statement)

    def of(account: int) -> SqliteTables:
        async def row() -> int:
            return account

        return SqliteTables(writer, reader, row if account else None)

    await writer.do(create)
    try:
        yield of
    finally:
        await writer.close()
        await reader.close()


@asynccontextmanager
async def tables_in_database(url: str = "") -> AsyncIterator[TablesOf]:
    database = PostgresDatabase(url or new_schema().url)
    await database.run(lambda: database.changing(lambda db: db.execute(postgres_ddl(SAMPLES) + postgres_ddl(NAMES))))
    try:
        yield lambda account: PostgresTables(database, account or None)
    finally:
        await database.close()
