"""
The journal's tables, the opening of its file, and its migration.

An entry is a row that points into the stored body of its batch, so its content is stored once. Storing a batch appends
to `batches` and `entries` and updates the row of its login; `by_id`, `by_chat`, `words` and `entry_blocks` are filled
later, up to the number in `indexed`.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.engine.dialect import sqlite_ddl
from webwx.storage.locks import make_private
from webwx.storage.tables.media import MEDIA
from webwx.storage.tables.registry import OF_ACCOUNTS, added_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from webwx.storage.engine.port import StoredTable

MIN_SQLITE = (3, 35)
"""The oldest version of SQLite that is supported: the first one with `RETURNING`."""

APPLICATION = 0x77786A6C
"""SQLite's application id of a journal: `wxjl`."""

BUSY = 10.0
"""Seconds to wait for another process that is writing."""

_AGAIN = 0.005
"""Seconds until a retry where SQLite does not wait by itself."""

_LOG = 4_000
"""Number of pages in the log at which a checkpoint starts; a large number saves copies of pages that change often."""

_INCREMENTAL = 2
"""SQLite's number for the incremental mode of `auto_vacuum`."""

_SHRUNK = 100
"""Number of free pages that a step of `shrink` removes."""

CACHE = 384
"""
Size of a connection's page cache in KiB.

The system caches the file as well, and 2 MiB were not faster with a million rows.
"""

_LARGE_CACHE = 16 * 1024
"""
Size of a connection's page cache in KiB while many pages change.

A transaction that changes more pages than the cache holds writes some of them to the log in between, and reads others
again.
"""

_CACHE_OF_READERS = 192
"""Size of the page cache of a read-only connection in KiB."""

FORMER = 10
"""The last version before 100; its files are migrated, older ones are refused."""

FIRST = 100
"""The version of `_TABLES`."""

_MEDIA_TRIGGERS = """
CREATE TRIGGER media_added AFTER INSERT ON media WHEN new.size <> 0 BEGIN
    UPDATE accounts SET media_size = media_size + new.size WHERE account = new.account; END;
CREATE TRIGGER media_changed AFTER UPDATE OF size ON media WHEN new.size <> old.size BEGIN
    UPDATE accounts SET media_size = media_size + new.size - old.size WHERE account = new.account; END;
CREATE TRIGGER media_deleted AFTER DELETE ON media WHEN old.size <> 0 BEGIN
    UPDATE accounts SET media_size = media_size - old.size WHERE account = old.account; END;
"""

_TABLES = {
    "accounts": """
CREATE TABLE accounts (
    account INTEGER PRIMARY KEY,
    uin TEXT NOT NULL UNIQUE,
    conflicts INTEGER NOT NULL DEFAULT 0,       -- messages that arrived with the id of another message
    media_size INTEGER NOT NULL DEFAULT 0,      -- bytes of its archived media, summed by the triggers of `media`
    last_identity INTEGER NOT NULL DEFAULT 0    -- the last number that an identity had
);
""",
    "logins": """
CREATE TABLE logins (
    login INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    own_id TEXT NOT NULL,
    position BLOB NOT NULL,
    opened_at REAL NOT NULL,
    last_at REAL NOT NULL,                      -- time of its last batch
    last_body BLOB,                             -- digest of the last batch that had items without an id
    complete_digest BLOB,                                -- digest of the last complete list of contacts
    is_compacted INTEGER NOT NULL DEFAULT 0,      -- of its links only those are left that nothing else tells of
    UNIQUE (account, own_id)
);
""",
    "batches": """
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY,                  -- number of its first entry
    account INTEGER NOT NULL,
    time REAL NOT NULL,
    body BLOB NOT NULL                          -- zlib, with a dictionary or without one
);
""",
    "entries": """
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    login INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    digest INTEGER NOT NULL,
    chat TEXT NOT NULL,
    time INTEGER NOT NULL,
    is_backlog INTEGER NOT NULL,
    is_quarantined INTEGER NOT NULL,
    batch INTEGER NOT NULL,                     -- 0 for a gap in place of deleted entries
    start INTEGER NOT NULL,                     -- in the body
    length INTEGER NOT NULL,
    raw BLOB,                                   -- if it is not in the body
    is_notice INTEGER                           -- whether it is a grey line, as recalls are; NULL: unknown
);
CREATE INDEX quarantine ON entries (number) WHERE is_quarantined;
CREATE INDEX gaps ON entries (number) WHERE batch = 0;
CREATE INDEX notices ON entries (number) WHERE is_notice IS NOT 0;
""",
    "indexed": """
CREATE TABLE indexed (number INTEGER NOT NULL     -- by_id, by_chat and words have the entries up to this one
);
INSERT INTO indexed VALUES (0);
""",
    "by_id": """
CREATE TABLE by_id (
    account INTEGER NOT NULL,
    key INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (account, key, digest, number)
) WITHOUT ROWID;
""",
    "by_chat": """
CREATE TABLE by_chat (
    account INTEGER NOT NULL,
    key INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (account, key, number)
) WITHOUT ROWID;
""",
    "entry_blocks": """
CREATE TABLE entry_blocks (                     -- once all numbers of a block are indexed
    block INTEGER NOT NULL,                     -- the numbers from block * 512 on
    account INTEGER NOT NULL,
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    entries INTEGER NOT NULL,                   -- that are not deleted
    PRIMARY KEY (block, account)
) WITHOUT ROWID;
CREATE TRIGGER entries_deleted AFTER DELETE ON entries BEGIN
    UPDATE entry_blocks SET entries = entries - 1 WHERE block = old.number / 512 AND account = old.account; END;
""",
    "words": """
CREATE VIRTUAL TABLE words USING fts5 (text, columnsize = 0, tokenize = 'ascii');
""",
    "contacts": """
CREATE TABLE contacts (
    login INTEGER NOT NULL,
    id TEXT NOT NULL,
    contact TEXT NOT NULL,                      -- JSON
    PRIMARY KEY (login, id)
);
""",
    "names": """
CREATE TABLE names (
    login INTEGER NOT NULL,
    name TEXT NOT NULL,                         -- a nickname or a remark
    id TEXT NOT NULL,
    PRIMARY KEY (login, name, id)
) WITHOUT ROWID;
""",
    "consumers": """
CREATE TABLE consumers (
    consumer INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    acked INTEGER NOT NULL,                     -- all entries up to here are acknowledged
    started INTEGER NOT NULL,                   -- all entries up to here may have been delivered
    is_open INTEGER NOT NULL DEFAULT 0,         -- a process has taken entries and has not closed it
    isolated_to INTEGER NOT NULL DEFAULT 0,        -- in flight when a process before the last one crashed
    UNIQUE (account, name)
);
""",
    **{table.name: sqlite_ddl(table) for table in added_in(FIRST, OF_ACCOUNTS)},
    MEDIA.name: sqlite_ddl(MEDIA) + _MEDIA_TRIGGERS,
}
"""The statements that create each table of version 100."""

_NAMES = frozenset(
    re.findall(
        r"^CREATE (?:UNIQUE |VIRTUAL )?(?:TABLE|INDEX|TRIGGER) (\w+)", "".join(_TABLES.values()), flags=re.MULTILINE
    )
)
"""Names of the tables, indexes and triggers of version 100."""


def _rebuilt(table: str, indexes: str, columns: str, **others: str) -> str:
    """
    Return the statements that rebuild a table with numbers, with its former rows.

    Args:
        table: Name of the table.
        indexes: Its former indexes.
        columns: The columns of the former rows that have the same names.
        others: Expressions for the values of other columns.
    """
    dropped = "".join(f"DROP INDEX {index};\n" for index in indexes.split())
    names, values = ", ".join([columns, *others]), ", ".join([columns, *others.values()])
    return f"""
{dropped}ALTER TABLE {table} RENAME TO former_{table};
{_TABLES[table]}
INSERT INTO {table} ({names}) SELECT {values} FROM former_{table};
DELETE FROM sqlite_sequence WHERE name = '{table}';
UPDATE sqlite_sequence SET name = '{table}' WHERE name = 'former_{table}';
DROP TABLE former_{table};
"""  # noqa: S608 - constants


_RENAMED = """
ALTER TABLE consumers RENAME COLUMN suspects TO isolated_to;
ALTER TABLE deaths RENAME TO crashes;
ALTER TABLE crashes RENAME COLUMN deaths TO crashes;
ALTER TABLE logins RENAME COLUMN listed TO complete_digest;
ALTER TABLE logins RENAME COLUMN is_thinned TO is_compacted;
ALTER TABLE ahead RENAME TO acked_ahead;
DROP INDEX revived;
CREATE INDEX failures_revived ON failures (consumer, number) WHERE state = 'revived';
CREATE INDEX failures_held ON failures (consumer, number) WHERE state = 'held';
"""
"""New names of tables, columns and indexes."""

_REBUILT_MEDIA = f"""
ALTER TABLE accounts ADD COLUMN media_size INTEGER NOT NULL DEFAULT 0;
{_TABLES["media"]}
INSERT INTO media (account, number, message_id, state, digest, size, time)
    SELECT account, number, message_id, state, digest, size, time FROM kept;
DROP TABLE kept;
"""  # noqa: S608 - a constant
"""The changes of the rows of media, which also sum their sizes."""

_REBUILT_IDENTITIES = f"""
ALTER TABLE identities RENAME TO former_identities;
ALTER TABLE links RENAME TO former_links;
ALTER TABLE real_ids RENAME TO former_real_ids;
DROP INDEX identities_account;
DROP INDEX links_number;
DROP INDEX faces_number;
DROP INDEX real_ids_wxid;
{"".join(_TABLES[each] for each in ("identities", "links", "evidence", "origins", "never_matched", "real_ids"))}
ALTER TABLE accounts ADD COLUMN last_identity INTEGER NOT NULL DEFAULT 0;
UPDATE accounts SET last_identity = (
    SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'former_identities'
);
INSERT INTO identities (account, number, kind, first_seen, merged_into, login)
    SELECT account, number, kind, first_seen, became, login FROM former_identities;
INSERT INTO links (account, login, id, number, name, digest, evidence, origin, seen_at)
    SELECT account, login, id, number, name, digest, face, finding, seen_at FROM former_links;
CREATE INDEX former_links_face ON former_links (face);
INSERT INTO evidence (account, evidence, number, login, content, nickname, remark)
    SELECT i.account, f.face, f.number, f.login, f.evidence, coalesce(
            json_extract(f.evidence, '$.nickname'),
            CASE WHEN json_extract(f.evidence, '$.remark') IS NULL
                THEN (SELECT l.name FROM former_links l WHERE l.face = f.face ORDER BY l.seen_at DESC) END,
            ''
        ), coalesce(json_extract(f.evidence, '$.remark'), '')
    FROM faces f JOIN former_identities i USING (number);
INSERT INTO origins (account, origin, content)
    SELECT DISTINCT l.account, f.finding, f.found FROM former_links l JOIN findings f USING (finding);
INSERT INTO never_matched (account, number, other)
    SELECT i.account, a.number, a.other FROM apart a JOIN former_identities i USING (number);
INSERT INTO real_ids (account, login, id, real_id) SELECT account, login, id, wxid FROM former_real_ids;
DROP TABLE former_identities;
DROP TABLE former_links;
DROP TABLE former_real_ids;
DROP TABLE faces;
DROP TABLE findings;
DROP TABLE apart;
"""  # noqa: S608 - constants
"""The changes of the tables of identities: all have the account, and numbers of their own in each."""

_MADE_OF_FORMER = {
    "accounts", "acked_ahead", "batches", "by_chat", "by_id", "consumers", "contacts", "conversations", "crashes",
    "entries", "evidence", "failures", "identities", "indexed", "links", "logins", "media", "names",
    "never_matched", "origins", "outbox", "real_ids", "states", "timers", "words",
}  # fmt: skip
"""The tables of version 100 that are tables of the former version, or are made of them below."""

_FROM_FORMER = (
    _rebuilt(
        "timers",
        "timers_due",
        "account, number, bot, handler, key, name, chat, payload, due_at, state, failures, created_at, changed_at",
    )
    + _rebuilt(
        "outbox",
        "outbox_key outbox_state outbox_chat",
        "account, number, client_id, key, chat, kind, text, addressed, content_id, state, receipt, ret, created_at,"
        " changed_at",
        sender="owner",
        message_id="coalesce(json_extract(receipt, '$.message_id'), '')",
    )
    + _RENAMED
    + _REBUILT_MEDIA
    + _REBUILT_IDENTITIES
    + "".join(text for name, text in _TABLES.items() if name not in _MADE_OF_FORMER)
)
"""The changes from the last version before 100, which lead to the same tables as a new file has."""

_CHANGES: Mapping[int, str] = MappingProxyType(
    {
        101: """
INSERT INTO read_positions (account, chat, number, time)
    SELECT account, '', (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'),
        CAST(strftime('%s', 'now') AS REAL) FROM accounts;
"""
    }
)
"""
The statements that add columns and indexes to tables, and rows to new tables, by the version that they lead to.

Each is ended by `;` and a new line.
"""


def migrations(tables: Sequence[StoredTable], changes: Mapping[int, str]) -> tuple[str, ...]:
    """Return what leads from version 100 to 101, and from each later version to the next: new tables, and changes."""
    last = max(FIRST, *changes, *(table.since for table in tables))
    return tuple(
        "".join([*map(sqlite_ddl, added_in(version, tables)), changes.get(version, "")])
        for version in range(FIRST + 1, last + 1)
    )


MIGRATIONS = migrations(OF_ACCOUNTS, _CHANGES)
"""
The statements from version 100 to 101, and from each later version to the next.

A new file gets them as well, so `_TABLES` stays that of version 100. They only add tables, columns and indexes, because
a process of the version before may have the file open.
"""

VERSION = FIRST + len(MIGRATIONS)

_REMEDIES = {
    sqlite3.SQLITE_CORRUPT: "The file is damaged: put a backup in its place, or move it away to start a new journal",
    sqlite3.SQLITE_NOTADB: "The file is damaged: put a backup in its place, or move it away to start a new journal",
    sqlite3.SQLITE_FULL: "Make room on its disk",
    sqlite3.SQLITE_IOERR: "Make sure that its disk is neither full nor failing",
    sqlite3.SQLITE_READONLY: "Make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "Make its folder writable, and make sure that its disk is not full",
}


def explain(error: sqlite3.Error) -> str:
    """Return the message of SQLite, and a remedy if one is known."""
    remedy = _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return f"{error}." if remedy is None else f"{error}. {remedy}."


def check_sqlite() -> None:
    """
    Check the version of SQLite that Python uses, before a file is opened or created.

    Raises:
        StorageError: SQLite is too old.
    """
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise StorageError(
            f"SQLite {sqlite3.sqlite_version} is too old, webwx needs {MIN_SQLITE[0]}.{MIN_SQLITE[1]} or newer: use a "
            "Python that comes with a newer one, as those that uv installs do."
        )


def connect(path: Path, *, is_reader: bool = False, is_shared: bool = False) -> sqlite3.Connection:
    """
    Open a journal; create a missing one, and migrate one of the former version.

    Args:
        path: The file.
        is_reader: Whether the connection is read-only.
        is_shared: Whether any thread may use the connection, one at a time.

    Raises:
        StorageError: SQLite is too old, the file is not a journal, is of a newer or a too old version, or others can
            read it.
        sqlite3.Error: The file cannot be written, or is damaged.
    """
    check_sqlite()
    make_private(path)
    db = sqlite3.connect(
        path, timeout=BUSY, isolation_level=None, cached_statements=256, check_same_thread=not is_shared
    )
    try:
        set_up(db, path)
        db.execute(f"PRAGMA cache_size = -{_CACHE_OF_READERS if is_reader else CACHE}")
        if is_reader:
            db.execute("PRAGMA query_only = ON")
    except BaseException:
        db.close()
        raise
    return db


def set_up(db: sqlite3.Connection, path: Path) -> None:
    """
    Set a connection to durable commits, and migrate its file to this version.

    Raises:
        StorageError: Durable commits are not possible, or the file is not a journal or is of another version.
    """
    version = _version_of(db, path)
    if version >= FIRST:
        _require_names(db, path)
    if version == 0:  # only then, because this begins a write transaction
        allow_shrinking(db)
    _make_durable(db, path)
    if version < VERSION:
        _migrate(db, path)


def _make_durable(db: sqlite3.Connection, path: Path) -> None:
    # A commit has to survive a power failure: with a WAL, only FULL guarantees that.
    db.execute("PRAGMA synchronous = FULL")
    kept = (
        _to_wal(db),
        _ask(db, "PRAGMA synchronous"),
        _ask(db, "PRAGMA secure_delete = ON"),
    )
    if kept != ("wal", 2, 1):
        raise StorageError(f"{path} cannot be stored safely here: this disk or this SQLite does not support WAL.")
    db.execute(f"PRAGMA wal_autocheckpoint = {_LOG}")


def log_of(path: Path) -> Path:
    """Return the path of SQLite's log (WAL) of a journal."""
    return path.with_name(f"{path.name}-wal")


def allow_shrinking(db: sqlite3.Connection) -> None:
    """Prepare a file for `shrink`: a new one before its first page, one of an earlier version before a VACUUM."""
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")


def can_shrink(db: sqlite3.Connection) -> bool:
    """Return whether `shrink` can make a file smaller; those of earlier versions need VACUUM once."""
    return _ask(db, "PRAGMA auto_vacuum") == _INCREMENTAL


def shrink(db: sqlite3.Connection) -> bool:
    """Move some pages from the end of a file to free places, and return whether free pages are left."""
    for _ in range(_SHRUNK):  # it does a page at each step of its statement, and `execute` makes one step
        db.execute("PRAGMA incremental_vacuum(1)")
    return _ask(db, "PRAGMA freelist_count") != 0


def _version_of(db: sqlite3.Connection, path: Path) -> int:
    # In this order: another process may create all of it in one transaction between two of these reads.
    is_empty = _ask(db, "SELECT count(*) FROM sqlite_master") == 0
    application = _ask(db, "PRAGMA application_id")
    version = int(_ask(db, "PRAGMA user_version"))
    if application != APPLICATION and not is_empty:
        raise StorageError(f"{path} is not a journal of webwx; move it away to start a new journal.")
    if version > VERSION:
        raise StorageError(
            f"{path} was written by a newer webwx (version {version}, this one reads {VERSION}); "
            "update webwx, or move the file away to start a new journal."
        )
    if 0 < version < FIRST and version != FORMER:
        raise StorageError(
            f"{path} was written by an older webwx (version {version}, this one migrates version {FORMER}); open it "
            "once with webwx 0.1.0 as of November 2026, which migrates it to that version."
        )
    return version


def _require_names(db: sqlite3.Connection, path: Path) -> None:
    """
    Refuse a file of version 100 from before its layout was complete, whose statements would fail one by one.

    Raises:
        StorageError: A table, an index or a trigger is missing.
    """
    known = str(_ask(db, "SELECT group_concat(name) FROM sqlite_master"))  # in one step, because each takes long
    missing = _NAMES.difference(known.split(","))
    if missing:
        raise StorageError(
            f"{path} was written by a webwx from before version {FIRST} was complete ({min(missing)} is missing in "
            "it); move the file away to start a new journal."
        )


def _to_wal(db: sqlite3.Connection) -> str | int:
    """
    Set a file to write-ahead logging, and return its journal mode.

    If several processes open a new file at the same time, SQLite refuses all but one here, and does not wait as it does
    elsewhere, because each has the file open for reading and would wait for the others. So this retries.
    """
    deadline = time.monotonic() + BUSY
    while True:
        try:
            return _ask(db, "PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """
    Migrate the file of a connection in one transaction; another process may have done it already.

    A second connection does it, because a connection keeps the statements that it has executed: 300 KB here.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY, isolation_level=None)) as second:
        _make_durable(second, path)
        with transaction(second):
            for script in _scripts_from(_version_of(second, path)):
                for statement in _statements(script):
                    second.execute(statement)
            second.execute(f"PRAGMA application_id = {APPLICATION}")
            second.execute(f"PRAGMA user_version = {VERSION}")
        _version_of(db, path)  # opens the log, which SQLite would delete otherwise when `second` is closed


def _scripts_from(version: int) -> list[str]:
    """Return what leads from a version to this one; 0 is an empty file."""
    if version >= FIRST:
        return list(MIGRATIONS[version - FIRST :])
    return [*((_FROM_FORMER,) if version else _TABLES.values()), *MIGRATIONS]


@contextlib.contextmanager
def large_cache(db: sqlite3.Connection) -> Iterator[None]:
    """Keep more pages of a connection with write access in memory in the block, and free them afterwards."""
    db.execute(f"PRAGMA cache_size = -{_LARGE_CACHE}")
    try:
        yield
    finally:
        db.execute(f"PRAGMA cache_size = -{CACHE}")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit the block as one transaction, or roll it back if it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """Split a script into statements; `executescript` would commit first."""
    return [statement for statement in script.split(";\n") if statement.strip()]


def _ask(db: sqlite3.Connection, question: str) -> str | int:
    """Return the single value of a query."""
    answer: str | int = db.execute(question).fetchone()[0]
    return answer
