"""The file: how it is opened, and which files are refused."""

from __future__ import annotations

import contextlib
import gzip
import json
import runpy
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.storage_contract.shared_tables import SAMPLES

from webwx.errors import StorageError
from webwx.storage.locks import make_private
from webwx.storage.sqlite import schema
from webwx.storage.sqlite.schema import (
    FIRST,
    FORMER,
    MIGRATIONS,
    VERSION,
    connect,
    large_cache,
    log_of,
)
from webwx.storage.tables import registry
from webwx.storage.tables.registry import OF_ACCOUNTS

FORMER_FILE = Path(__file__).parents[1] / "former" / "version-10.journal.gz"
"""A file of the last version before 100, which has something of everything."""

NEXT = VERSION + 1

ADDED = msgspec.structs.replace(SAMPLES, since=NEXT)

*_, NEXT_MIGRATION = schema.migrations(
    [*OF_ACCOUNTS, ADDED], {NEXT: "ALTER TABLE accounts ADD COLUMN region TEXT NOT NULL DEFAULT '';\n"}
)
"""Changes of the kind that a migration may make: a new table, and a new column."""

KILLED = """
import os, signal, sys
from pathlib import Path
from webwx.storage.sqlite import schema

split = schema._statements

def statements(script):
    yield from split(script)
    yield "CREATE TABLE last (a)"
    os.kill(os.getpid(), signal.SIGKILL)

schema._statements = statements
schema.connect(Path(sys.argv[1]))
"""
"""A program that is killed at the end of a migration, before it is committed."""


def ask(db: sqlite3.Connection, question: str) -> object:
    return db.execute(question).fetchone()[0]


def test_a_commit_survives_a_loss_of_power(path: Path) -> None:
    for _ in range(2):  # A new file, and an existing one.
        with contextlib.closing(connect(path)) as db:
            assert ask(db, "PRAGMA journal_mode") == "wal"
            assert ask(db, "PRAGMA synchronous") == 2, "FULL"
            assert ask(db, "PRAGMA secure_delete") == 1
            assert ask(db, "PRAGMA busy_timeout") == 10_000
            assert ask(db, "PRAGMA user_version") == VERSION


def test_the_memory_for_large_changes_is_freed_after_them(path: Path) -> None:
    with contextlib.closing(connect(path)) as db:
        usual = ask(db, "PRAGMA cache_size")
        with large_cache(db):
            assert ask(db, "PRAGMA cache_size") != usual
        assert ask(db, "PRAGMA cache_size") == usual


def test_a_file_system_without_wal_support_is_refused(path: Path) -> None:
    class Stubborn(sqlite3.Connection):
        """Answers as SQLite does on a file system without shared memory."""

        def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
            return super().execute(sql.replace("journal_mode = WAL", "journal_mode"), values)

    with (
        contextlib.closing(sqlite3.connect(":memory:", factory=Stubborn)) as db,
        pytest.raises(StorageError, match="safely"),
    ):
        schema.set_up(db, path)


def test_all_files_are_created_as_private(path: Path) -> None:
    with contextlib.closing(connect(path)) as db:
        db.execute("INSERT INTO accounts (uin) VALUES ('7')")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert modes == {"me.journal": 0o600, "me.journal-wal": 0o600, "me.journal-shm": 0o600}


def test_a_reader_cannot_write(path: Path) -> None:
    with (
        contextlib.closing(connect(path, is_reader=True)) as db,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        db.execute("DELETE FROM entries")


@pytest.mark.parametrize("is_reader", [True, False])
def test_a_file_is_opened_while_another_connection_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, is_reader: bool
) -> None:
    monkeypatch.setattr(schema, "BUSY", 0.0)
    with contextlib.closing(connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with contextlib.closing(connect(path, is_reader=is_reader)) as db:
            assert ask(db, "SELECT count(*) FROM entries") == 0


def test_a_newer_file_is_refused_and_not_changed(path: Path) -> None:
    with contextlib.closing(connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    content = path.read_bytes()

    with pytest.raises(StorageError, match="newer webwx"):
        connect(path)
    assert content == path.read_bytes()


def test_an_old_sqlite_is_refused_in_a_sentence_before_a_file_is_created(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StorageError, match=r"SQLite 3\.34\.1 is too old, webwx needs 3\.35 or newer"):
        connect(path)
    assert not path.parent.exists()


def test_another_program_s_database_is_refused_and_not_changed(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (text)")
    content = path.read_bytes()

    with pytest.raises(StorageError, match="not a journal"):
        connect(path)
    assert content == path.read_bytes()


def test_a_file_that_is_not_a_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    path.write_bytes(b"{}" * 4096)

    with pytest.raises(sqlite3.DatabaseError):
        connect(path)


def put_former(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Put a file of the former version at a path, and return the rows of its tables."""
    make_private(path)
    path.write_bytes(gzip.decompress(FORMER_FILE.read_bytes()))
    with contextlib.closing(sqlite3.connect(path)) as db:
        return rows_of(db)


def rows_of(db: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables, without their order."""
    rows = {}
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        cursor = db.execute(f"SELECT * FROM {table}")
        columns = sorted((name, place) for place, (name, *_) in enumerate(cursor.description))
        found = [{name: row[place] for name, place in columns} for row in cursor]
        rows[table] = sorted(found, key=repr)
    return rows


RENAMED_TABLES: dict[str, str] = {
    "deaths": "crashes",
    "kept": "media",
    "apart": "never_matched",
    "ahead": "acked_ahead",
    "findings": "origins",
    "faces": "evidence",
}
"""Names of tables of version 100 by those of the former version."""

RENAMED_COLUMNS: dict[str, str] = {
    "consumers.suspects": "isolated_to",
    "deaths.deaths": "crashes",
    "identities.became": "merged_into",
    "real_ids.wxid": "real_id",
    "logins.listed": "complete_digest",
    "logins.is_thinned": "is_compacted",
    "findings.finding": "origin",
    "findings.found": "content",
    "links.finding": "origin",
    "faces.evidence": "content",
    "faces.face": "evidence",
    "links.face": "evidence",
}
"""Names of columns of version 100 by those of the former version."""


def as_version_100(former: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows of the former version as version 100 stores them."""
    for row in former["outbox"]:
        receipt = json.loads(row["receipt"] or "{}")
        row.update(sender=row.pop("owner"), message_id=receipt.get("message_id", ""), epoch=0, background=0, file="")
    for row in former["accounts"]:
        row["media_size"] = sum(each["size"] for each in former["kept"] if each["account"] == row["account"])
    last_identity = next(row["seq"] for row in former["sqlite_sequence"] if row["name"] == "identities")
    former["sqlite_sequence"] = [row for row in former["sqlite_sequence"] if row["name"] != "identities"]
    account_of = {row["number"]: row["account"] for row in former["identities"]}
    for row in former["accounts"]:
        row["last_identity"] = last_identity
    for row in former["faces"]:
        content = json.loads(row["evidence"])
        names = {each: content.get(each, "") for each in ("nickname", "remark")}
        row.update(account=account_of[row["number"]], **names)
    for row in former["apart"]:
        row["account"] = account_of[row["number"]]
    found = {row["finding"]: row["found"] for row in former["findings"]}
    used = {(row["account"], row["finding"]) for row in former["links"]}
    former["findings"] = [{"account": each, "finding": finding, "found": found[finding]} for each, finding in used]
    renamed = {}
    for table, rows in former.items():
        new = [{RENAMED_COLUMNS.get(f"{table}.{name}", name): value for name, value in row.items()} for row in rows]
        renamed[RENAMED_TABLES.get(table, table)] = sorted(
            ({name: row[name] for name in sorted(row)} for row in new), key=repr
        )
    return renamed


def layout_of(db: sqlite3.Connection) -> object:
    """Return the triggers, and the columns, indexes and kinds of all tables without the text of their statements."""
    tables = db.execute("SELECT name, type, ncol, wr, strict FROM pragma_table_list WHERE schema = 'main'").fetchall()
    tables.sort()
    texts = {name: str(sql) for name, sql in db.execute("SELECT name, sql FROM sqlite_master")}
    triggers = db.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    layout: list[object] = triggers.fetchall()
    for name, *kind in tables:
        indexes = []
        for _, index, *about in db.execute(f"PRAGMA index_list({name})").fetchall():
            columns = db.execute(f"PRAGMA index_xinfo({index})").fetchall()
            indexes.append((index, about, columns, texts.get(index)))
        indexes.sort(key=repr)
        columns = db.execute(f"PRAGMA table_xinfo({name})").fetchall()
        layout.append((name, kind, columns, indexes, "AUTOINCREMENT" in texts.get(name, "")))
    return layout


def test_a_migrated_file_has_the_layout_of_a_new_one_and_all_rows(path: Path) -> None:
    before = as_version_100(put_former(path))
    with contextlib.closing(connect(path.with_name("new.journal"))) as db:
        new = layout_of(db)

    for _ in range(2):
        with contextlib.closing(connect(path)) as db:
            assert ask(db, "PRAGMA user_version") == VERSION
            assert layout_of(db) == new
            after = rows_of(db)
            [last] = [row["seq"] for row in after["sqlite_sequence"] if row["name"] == "entries"]
            positions = [(row["account"], row["chat"], row["number"]) for row in after.pop("read_positions")]
            assert positions == [(row["account"], "", last) for row in after["accounts"]]  # all chats count as read
            assert after == {**{table: [] for table in after}, **before}  # tables of later times are empty
            assert ask(db, "PRAGMA integrity_check") == "ok"


def migrate_from_now_on(monkeypatch: pytest.MonkeyPatch, migration: str = NEXT_MIGRATION) -> None:
    """Make this program one version newer."""
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, migration))
    monkeypatch.setattr(schema, "VERSION", NEXT)


@pytest.mark.parametrize("before", [FORMER, VERSION])
def test_a_file_of_any_version_gets_the_layout_of_a_new_one_by_the_next_migration(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    put_former(path)
    if before == VERSION:
        connect(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert ask(db, "PRAGMA user_version") == before
        accounts = db.execute("SELECT account, uin FROM accounts").fetchall()
    migrate_from_now_on(monkeypatch)
    with contextlib.closing(connect(path.with_name("new.journal"))) as db:
        new = layout_of(db)

    for _ in range(2):
        with contextlib.closing(connect(path)) as db:
            assert ask(db, "PRAGMA user_version") == NEXT
            assert layout_of(db) == new
            assert db.execute("SELECT account, uin FROM accounts WHERE region = ''").fetchall() == accounts != []
            assert ask(db, "SELECT count(*) FROM samples") == 0


def test_an_interrupted_migration_to_the_next_version_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(connect(path)) as db:
        before = layout_of(db)
    migrate_from_now_on(monkeypatch, f"{NEXT_MIGRATION}CREATE TABLE entries (b);\n")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        connect(path)
    monkeypatch.undo()
    with contextlib.closing(connect(path)) as db:
        assert ask(db, "PRAGMA user_version") == VERSION
        assert layout_of(db) == before


def test_a_connection_of_the_version_before_continues_after_a_migration(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(connect(path)) as older:
        migrate_from_now_on(monkeypatch)
        with contextlib.closing(connect(path)) as newer:
            older.execute("INSERT INTO accounts (uin) VALUES ('7')")
            assert ask(newer, "SELECT uin FROM accounts WHERE region = ''") == "7"


def test_a_new_file_has_all_tables_of_accounts(path: Path) -> None:
    with contextlib.closing(connect(path)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {table.name for table in OF_ACCOUNTS} <= tables


@pytest.mark.parametrize("since", [FIRST, NEXT, NEXT + 1])
@pytest.mark.parametrize("before", [0, FORMER])
def test_a_table_in_the_list_of_all_tables_is_created_in_new_and_former_files(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: int, since: int
) -> None:
    if before:
        put_former(path)
    monkeypatch.setattr(registry, "OF_ACCOUNTS", (*OF_ACCOUNTS, msgspec.structs.replace(SAMPLES, since=since)))
    newer = runpy.run_path(str(schema.__file__))

    with contextlib.closing(newer["connect"](path)) as db:
        assert ask(db, "PRAGMA user_version") == max(VERSION, since)
        assert ask(db, "SELECT count(*) FROM samples") == 0


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_interrupted_migration_leaves_the_former_version(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, is_killed: bool
) -> None:
    before = put_former(path)
    if is_killed:
        subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    else:
        monkeypatch.setattr(schema, "_FROM_FORMER", "CREATE TABLE new (a);\nCREATE TABLE entries (b);\n")
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            connect(path)
        monkeypatch.undo()

    with contextlib.closing(sqlite3.connect(path)) as db:
        assert ask(db, "PRAGMA user_version") == schema.FORMER
        assert rows_of(db) == before
    with contextlib.closing(connect(path)) as db:
        assert ask(db, "PRAGMA user_version") == VERSION


@pytest.mark.parametrize("version", [1, schema.FORMER - 1, schema.FORMER + 1])
def test_an_older_file_is_refused_in_a_sentence_and_not_changed(path: Path, version: int) -> None:
    put_former(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    content = path.read_bytes()

    with pytest.raises(
        StorageError, match=rf"older webwx \(version {version}, this one migrates version 10\); open it "
    ):
        connect(path)
    assert content == path.read_bytes()


@pytest.mark.parametrize("lacking", ["INDEX identities_merged", "TRIGGER media_added", "TABLE origins"])
def test_a_file_from_before_the_version_was_complete_is_refused_and_not_changed(path: Path, lacking: str) -> None:
    with contextlib.closing(connect(path)) as db:
        db.execute(f"DROP {lacking}")
    content = path.read_bytes()

    with pytest.raises(StorageError, match="from before version 100 was complete"):
        connect(path)
    assert content == path.read_bytes()


def test_processes_that_open_at_the_same_time_create_one_file(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from webwx.storage.sqlite.schema import connect\n"
        "sys.stdin.read(1); connect(Path(sys.argv[1])).execute('INSERT INTO accounts (uin) VALUES (?)', sys.argv[2:])"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", program, str(path), str(number)], stdin=subprocess.PIPE)
        for number in range(4)
    ]
    for other in others:
        assert other.stdin is not None
        other.stdin.write(b"g")
        other.stdin.flush()
    for other in others:
        other.communicate()

    assert [other.returncode for other in others] == [0] * 4
    with contextlib.closing(connect(path)) as db:
        assert ask(db, "SELECT count(*) FROM accounts") == 4


def test_opening_waits_while_another_process_creates_the_file(path: Path) -> None:
    make_private(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        soon = threading.Timer(0.1, other.execute, ["COMMIT"])
        soon.start()
        with contextlib.closing(connect(path)) as db:
            assert ask(db, "PRAGMA user_version") == VERSION
        soon.join()


def test_opening_fails_if_another_process_never_unlocks_the_new_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY", 0.05)
    make_private(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connect(path)


def test_opening_a_file_again_releases_no_lock_of_an_open_connection(path: Path) -> None:
    stranger = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM accounts').fetchall()"
    with contextlib.closing(connect(path)) as db:
        db.execute("INSERT INTO accounts (uin) VALUES ('7')")
        with contextlib.closing(connect(path)):
            pass
        # Closing the last connection of a file deletes its log.
        subprocess.run([sys.executable, "-c", stranger, str(path)], check=True)
        db.execute("INSERT INTO accounts (uin) VALUES ('8')")

        assert log_of(path).exists()
    with contextlib.closing(connect(path)) as db:
        assert ask(db, "SELECT count(*) FROM accounts") == 2


def test_a_migration_reads_the_links_of_evidence_without_a_name_by_an_index(path: Path) -> None:
    put_former(path)
    plans = {}
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in schema._statements(schema._FROM_FORMER):
            plans[statement.strip()[:20]] = db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            db.execute(statement)
    assert "former_links_face" in str(plans["INSERT INTO evidence"])
