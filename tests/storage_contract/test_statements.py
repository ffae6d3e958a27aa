"""Every statement of the shared tables can be prepared by both engines, and has the columns of its rows."""

from __future__ import annotations

import importlib
import pkgutil
import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.postgres import new_schema

from webwx.storage import tables
from webwx.storage.engine.dialect import to_postgres, to_sqlite
from webwx.storage.engine.port import Select
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.sqlite.records import SqliteRecordStore
from webwx.storage.sqlite.schema import connect

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.postgres.database import Connection

VERBS = ("INSERT ", "UPDATE ", "DELETE ")


def statements() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the constant statements of all tables by their names, each with the fields of its rows."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for module in pkgutil.walk_packages(tables.__path__, f"{tables.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Select):
                found[f"{module.name}.{name}"] = value.text, value.row._fields
            elif isinstance(value, str) and value.lstrip().startswith(VERBS):
                found[f"{module.name}.{name}"] = value, ()
    return found


def test_statements_are_found() -> None:
    assert {"webwx.storage.tables.timers._ADD", "webwx.storage.tables.timers._OF_KEY"} <= statements().keys()


async def test_sqlite_prepares_every_statement(tmp_path: Path) -> None:
    records = SqliteRecordStore(tmp_path / "records.db")
    await records.get("key", "a")
    await records.close()
    db = connect(tmp_path / "me.journal")
    db.execute("ATTACH ? AS records", (str(tmp_path / "records.db"),))
    for name, (text, fields) in statements().items():
        converted = to_sqlite(text)
        try:
            db.execute(f"EXPLAIN {converted.text}", [0] * len(converted.values))
            if fields:
                cursor = db.execute(converted.text, [0] * len(converted.values))
                assert tuple(column for column, *_ in cursor.description) == fields, name
        except sqlite3.Error as error:
            pytest.fail(f"{name}: {error}")
    db.close()


@pytest.mark.verify
async def test_postgresql_prepares_every_statement() -> None:
    database = PostgresDatabase(new_schema().url)

    async def prepare(db: Connection) -> None:
        for name, (text, fields) in statements().items():
            count = max(to_sqlite(text).values, default=0)
            prepared = await db.prepare(to_postgres(text, count).text)
            assert tuple(column.name for column in prepared.get_attributes()) == fields, name

    await database.read(prepare)
    await database.close()
