"""
Make the journals of the last versions before 100, on which the migrations are tested.

    python -m tests.storage.former.make

It was run with the last commit whose versions are 10 in SQLite and 6 in PostgreSQL. A later version writes later
tables, so it refuses to run there.
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
from pathlib import Path

from tests.postgres import TemporarySchema, new_schema
from tests.storage import filled
from tests.storage.arrivals import UIN

from webwx.storage.open import open_storage
from webwx.storage.postgres import schema
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.schema import VERSION

FOLDER = Path(__file__).parent

NAME = "SCHEMA_NAME"
"""Stands for the name of the schema in the dump."""


async def make_file() -> bytes:
    """Return a file of the former version, which was not closed in order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "me.journal"
        journal = SqliteJournal(path, retention_days=0)
        await filled.fill(journal)
        await journal.backup(path.with_name("copy.journal"))
        await journal.close()
        return path.with_name("copy.journal").read_bytes()


async def make_dump(temporary: TemporarySchema) -> str:
    """Return a dump of a schema of the former version, with the tables of a whole installation."""
    journal = PostgresJournal(temporary.url, retention_days=0)
    await filled.fill(journal)
    await journal.close()
    storage = open_storage(temporary.url, passphrase="three words long")
    records = storage.records()
    await records.put("key", "1", b"{}", version=0, time=1.25)
    await records.append_audit("someone", "key.create", target="1", time=1.75)
    await storage.close()
    temporary.execute("INSERT INTO saved_logins VALUES ('me/wx.qq.com', '{}', '[]', 3, 77, 2)")
    temporary.execute(f"INSERT INTO login_names VALUES ('me/wx.qq.com', {UIN}, 2.5)")
    temporary.execute("INSERT INTO workers VALUES ('gone', '127.0.0.1:1', 5, '2001-01-01', false)")
    temporary.execute("INSERT INTO crashes VALUES (1, 5, 2)")
    temporary.execute(f"INSERT INTO send_pieces VALUES ({UIN}, 4, 0, 'piece')")
    return temporary.dump().replace(temporary.name, NAME)


if __name__ == "__main__":
    if (VERSION, schema.VERSION) != (10, 6):
        raise SystemExit("This is not the former version.")
    filled.PICTURE = bytes(range(256))
    (FOLDER / "version-10.journal.gz").write_bytes(gzip.compress(asyncio.run(make_file()), mtime=0))
    (FOLDER / "version-6.sql").write_text(asyncio.run(make_dump(new_schema())))
