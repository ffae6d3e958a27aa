"""
The journal's tables, the opening of its file, and its migrations.

An entry is a row that points into the stored body of its batch, so its content is stored once. Storing a batch appends
to `batches` and `entries` and updates the row of its login; `by_id`, `by_chat` and `words` are filled later, up to the
number in `indexed`.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.locks import make_private
from webwx.storage.sqlite.unfolding import unfold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

APPLICATION = 0x77786A6C
"""SQLite's application id of a journal: `wxjl`."""

BUSY = 10.0
"""Seconds to wait for another process that is writing."""

_AGAIN = 0.005
"""Seconds until a retry where SQLite does not wait by itself."""

_LOG = 4_000
"""Number of pages in the log at which a checkpoint starts; a large number saves copies of pages that change often."""

ROOM = 8 * 1024 * 1024
"""Bytes of the log that are allocated in advance for a consumer that stays open."""

PLENTY = 32
"""Multiple of `ROOM` that must be free on the disk for the log to be allocated in advance."""

_INCREMENTAL = 2
"""SQLite's number for the incremental mode of `auto_vacuum`."""

_SHRUNK = 100
"""Number of free pages that a step of `shrink` removes."""

_CACHE = 384
"""
Size of a connection's page cache in KiB.

The system caches the file as well, and 2 MiB were not faster with a million rows.
"""

_CACHE_OF_READERS = 192
"""Size of the page cache of a read-only connection in KiB."""

_VERSION_1 = """
CREATE TABLE accounts (
    account INTEGER PRIMARY KEY,
    uin TEXT NOT NULL UNIQUE,
    conflicts INTEGER NOT NULL DEFAULT 0        -- messages that came with the id of another one
);
CREATE TABLE logins (
    login INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    own_id TEXT NOT NULL,
    position BLOB NOT NULL,
    opened_at REAL NOT NULL,
    last_at REAL NOT NULL,                      -- when its last batch came
    last_body BLOB,                             -- digest of that batch, when it held more than messages
    UNIQUE (account, own_id)
);
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY,                  -- the number of its first entry
    account INTEGER NOT NULL,
    time REAL NOT NULL,
    body BLOB NOT NULL                          -- zlib; since version 9 with a dictionary
);
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
    batch INTEGER NOT NULL,                     -- 0 for a gap in place of what was deleted
    start INTEGER NOT NULL,                     -- in the body
    length INTEGER NOT NULL,
    raw BLOB                                    -- where it does not stand in the body
);
CREATE INDEX quarantine ON entries (number) WHERE is_quarantined;
CREATE INDEX gaps ON entries (number) WHERE batch = 0;
CREATE TABLE indexed (number INTEGER NOT NULL);
INSERT INTO indexed VALUES (0);
CREATE TABLE by_id (
    account INTEGER NOT NULL,
    key INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (account, key, digest, number)
) WITHOUT ROWID;
CREATE TABLE by_chat (
    account INTEGER NOT NULL,
    key INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (account, key, number)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (text, columnsize = 0, tokenize = 'ascii');
CREATE TABLE contacts (
    login INTEGER NOT NULL,
    id TEXT NOT NULL,
    contact TEXT NOT NULL,                      -- JSON
    PRIMARY KEY (login, id)
);
CREATE TABLE names (
    login INTEGER NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (login, name, id)
) WITHOUT ROWID;
CREATE TABLE consumers (
    consumer INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    acked INTEGER NOT NULL,                     -- done with all up to here
    started INTEGER NOT NULL,                   -- may have been given all up to here
    UNIQUE (account, name)
);
CREATE TABLE ahead (
    consumer INTEGER NOT NULL,
    number INTEGER NOT NULL,                    -- done with this one too
    PRIMARY KEY (consumer, number)
) WITHOUT ROWID;
CREATE TABLE failures (
    consumer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,                        -- trying, dead or revived
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (consumer, number)
) WITHOUT ROWID;
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    key TEXT NOT NULL,
    chat TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,                        -- the process that is sending it
    receipt TEXT,                               -- JSON
    ret INTEGER NOT NULL,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    UNIQUE (account, client_id)
);
CREATE UNIQUE INDEX outbox_key ON outbox (account, key) WHERE key <> '';
CREATE INDEX outbox_state ON outbox (account, state, number);
CREATE INDEX outbox_chat ON outbox (account, chat, number);
"""

_VERSION_2 = """
CREATE TABLE states (
    account INTEGER NOT NULL,
    name TEXT NOT NULL,                         -- owner: the rate limiter, a timer, ...
    state BLOB NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
-- a process has it, or has died with it
ALTER TABLE consumers ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
-- what it is not done with up to here was in flight when a process died
ALTER TABLE consumers ADD COLUMN suspects INTEGER NOT NULL DEFAULT 0;
CREATE TABLE deaths (
    consumer INTEGER NOT NULL,
    number INTEGER NOT NULL,
    deaths INTEGER NOT NULL,                    -- of processes, that of the one which tries it now included
    PRIMARY KEY (consumer, number)
) WITHOUT ROWID;
-- whether it is a grey line, as recalls are; NULL where version 1 did not look
ALTER TABLE entries ADD COLUMN is_notice INTEGER;
CREATE INDEX notices ON entries (number) WHERE is_notice IS NOT 0;
CREATE TABLE kept (
    number INTEGER PRIMARY KEY,                 -- of the entry that shows it
    account INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    state TEXT NOT NULL,
    digest TEXT NOT NULL,                       -- SHA-256 of its bytes, which names the file; empty: there is none
    size INTEGER NOT NULL,
    time REAL NOT NULL                          -- when it was fetched
);
CREATE INDEX kept_message ON kept (account, message_id);
CREATE INDEX kept_digest ON kept (digest) WHERE digest <> '';
-- digest of its contacts, when the list was last complete
ALTER TABLE logins ADD COLUMN listed BLOB;
CREATE TABLE identities (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    kind TEXT NOT NULL,
    first_seen REAL NOT NULL,
    became INTEGER NOT NULL DEFAULT 0           -- the number that it was merged into
);
CREATE TABLE links (
    account INTEGER NOT NULL,
    login INTEGER NOT NULL,                     -- 0 for an id that every login has
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest INTEGER NOT NULL,                    -- of the evidence and the name, as they came
    evidence TEXT NOT NULL,                     -- JSON, with what was known before
    found TEXT NOT NULL,                        -- JSON: how it was found, and why
    seen_at REAL NOT NULL,
    PRIMARY KEY (account, login, id)
);
CREATE INDEX links_number ON links (number, login);
CREATE INDEX links_id ON links (account, id);
CREATE TABLE apart (
    number INTEGER NOT NULL,
    other INTEGER NOT NULL,                     -- never the same, says the user; both ways round
    PRIMARY KEY (number, other)
) WITHOUT ROWID;
CREATE TABLE real_ids (
    account INTEGER NOT NULL,
    id TEXT NOT NULL,
    wxid TEXT NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE INDEX real_ids_wxid ON real_ids (account, wxid);
CREATE INDEX revived ON failures (consumer, number) WHERE state = 'revived';
"""

# A login appends to the ends of its tables and indexes, and evidence that has not changed is not stored again, so a
# login costs the same after hundreds of others (docs/decisions/0018).
_VERSION_3 = """
-- the newest login that it was in, 0 when it is in all of them
ALTER TABLE identities ADD COLUMN login INTEGER NOT NULL DEFAULT 0;
UPDATE identities SET login = coalesce((SELECT max(login) FROM links l WHERE l.number = identities.number), 0);
CREATE TABLE faces (
    face INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,                    -- of the identity, all of whose links may share it
    login INTEGER NOT NULL,                     -- the first that it was seen in
    evidence TEXT NOT NULL                      -- JSON, with what was known before
);
CREATE INDEX faces_number ON faces (number);
INSERT INTO faces (number, login, evidence) SELECT number, min(login), evidence FROM links GROUP BY number, evidence;
CREATE TABLE findings (
    finding INTEGER PRIMARY KEY,
    found TEXT NOT NULL UNIQUE                  -- JSON: how a link was found, and why
);
INSERT OR IGNORE INTO findings (found) SELECT found FROM links;
ALTER TABLE links RENAME TO links_2;
DROP INDEX links_number;
CREATE TABLE links (
    account INTEGER NOT NULL,
    login INTEGER NOT NULL,                     -- 0 for an id that every login has
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest INTEGER NOT NULL,                    -- of the evidence and the name, as they came
    face INTEGER NOT NULL,
    finding INTEGER NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (account, login, id)
);
INSERT INTO links SELECT l.account, l.login, l.id, l.number, l.name, l.digest, f.face, g.finding, l.seen_at
    FROM links_2 l CROSS JOIN faces f ON f.number = l.number AND f.evidence = l.evidence
    CROSS JOIN findings g ON g.found = l.found ORDER BY l.rowid;
DROP TABLE links_2;
CREATE INDEX links_number ON links (login, number);
CREATE INDEX faces_nickname ON faces (json_extract(evidence, '$.nickname'));
CREATE INDEX faces_remark ON faces (json_extract(evidence, '$.remark'));
ALTER TABLE real_ids RENAME TO real_ids_2;
DROP INDEX real_ids_wxid;
CREATE TABLE real_ids (
    account INTEGER NOT NULL,
    login INTEGER NOT NULL,
    id TEXT NOT NULL,
    wxid TEXT NOT NULL,
    PRIMARY KEY (account, login, id)
) WITHOUT ROWID;
INSERT INTO real_ids SELECT r.account, coalesce(
    (SELECT max(l.login) FROM logins g CROSS JOIN links l ON l.account = r.account AND l.login = g.login AND l.id = r.id
     WHERE g.account = r.account), (SELECT max(login) FROM logins g WHERE g.account = r.account), 0), r.id, r.wxid
    FROM real_ids_2 r;
DROP TABLE real_ids_2;
CREATE INDEX real_ids_wxid ON real_ids (account, wxid);
-- of who was in it only those are kept that nothing else tells of
ALTER TABLE logins ADD COLUMN is_thinned INTEGER NOT NULL DEFAULT 0;
"""

_VERSION_4 = """
CREATE TABLE folded (
    batch INTEGER PRIMARY KEY,                  -- whose entries have no rows yet
    login INTEGER NOT NULL,
    began INTEGER NOT NULL,                     -- what was written before is backlog
    count INTEGER NOT NULL                      -- how many entries, with numbers in a row
);
"""

_VERSION_6 = """
CREATE TABLE conversations (
    consumer INTEGER NOT NULL,
    key TEXT NOT NULL,
    step TEXT NOT NULL,
    content BLOB NOT NULL,                      -- the values, encoded by the consumer
    chat TEXT NOT NULL,                         -- of the last change, by its id in that login
    deadline REAL,                              -- NULL: it does not time out
    changed_at REAL NOT NULL,
    PRIMARY KEY (consumer, key)
) WITHOUT ROWID;
CREATE INDEX conversations_deadline ON conversations (consumer, deadline) WHERE deadline IS NOT NULL;
"""

_VERSION_7 = """
CREATE TABLE timers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    bot TEXT NOT NULL,
    handler TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    chat TEXT NOT NULL,
    payload TEXT NOT NULL,                      -- JSON
    due_at REAL NOT NULL,
    state TEXT NOT NULL,
    failures INTEGER NOT NULL,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    UNIQUE (account, key)
);
CREATE INDEX timers_due ON timers (account, bot, due_at) WHERE state = 'waiting';
"""

# A login of one account costs the same beside thousands of other accounts: it reads its own identities, and its names
# are appended. Before, the index by name placed each name among those of all accounts.
_VERSION_8 = """
CREATE INDEX identities_account ON identities (account);
DROP INDEX faces_nickname;
DROP INDEX faces_remark;
"""

_VERSION_9 = """
-- nothing: a new body is compressed with a dictionary, which earlier versions do not have
"""

_VERSION_10 = """
-- the recipient as the caller has named it, as JSON
ALTER TABLE outbox ADD COLUMN addressed TEXT NOT NULL DEFAULT '';
-- SHA-256 of a file, md5 of a sticker, or id of a forwarded message
ALTER TABLE outbox ADD COLUMN content_id TEXT NOT NULL DEFAULT '';
"""

MIGRATIONS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    _VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, unfold, _VERSION_6, _VERSION_7, _VERSION_8,
    _VERSION_9, _VERSION_10,
)  # fmt: skip
"""The migration from each version to the next, beginning with an empty file: SQL, or a function."""

VERSION = len(MIGRATIONS)


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


def connect(path: Path, *, is_reader: bool = False, is_shared: bool = False) -> sqlite3.Connection:
    """
    Open a journal; create a missing one, and migrate an older one.

    Args:
        path: The file.
        is_reader: Whether the connection is read-only.
        is_shared: Whether any thread may use the connection, one at a time.

    Raises:
        StorageError: The file is not a journal, is of a newer version, or others can read it.
        sqlite3.Error: The file cannot be written, or is damaged.
    """
    make_private(path)
    db = sqlite3.connect(
        path, timeout=BUSY, isolation_level=None, cached_statements=256, check_same_thread=not is_shared
    )
    try:
        set_up(db, path)
        db.execute(f"PRAGMA cache_size = -{_CACHE_OF_READERS if is_reader else _CACHE}")
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
        StorageError: Durable commits are not possible, or the file is not a journal or is of a newer version.
    """
    version = _version_of(db, path)
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


def make_room(db: sqlite3.Connection, path: Path) -> None:
    """
    Extend the log in advance, unless it is long enough or the disk has little free space.

    A commit that extends a file also waits until the new length is stored; a commit inside of the file does not. So a
    transaction writes more than the cache can hold and is rolled back: its pages in the log belong to no commit, and
    the next commits overwrite them.

    Raises:
        sqlite3.Error: The log cannot be written.
    """
    if not _lacks_room(path):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("CREATE TABLE room (zeros BLOB)")
        db.execute("INSERT INTO room VALUES (zeroblob(?))", (ROOM + _CACHE * 1024,))
    finally:
        if db.in_transaction:  # SQLite may have rolled it back by itself
            db.execute("ROLLBACK")


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


def _lacks_room(path: Path) -> bool:
    try:
        return log_of(path).stat().st_size < ROOM and shutil.disk_usage(path.parent).free >= PLENTY * ROOM
    except OSError:  # then the log is not extended
        return False


def _version_of(db: sqlite3.Connection, path: Path) -> int:
    version = int(_ask(db, "PRAGMA user_version"))
    application = _ask(db, "PRAGMA application_id")
    is_empty = _ask(db, "SELECT count(*) FROM sqlite_master") == 0
    if application != APPLICATION and not is_empty:
        raise StorageError(f"{path} is not a journal of webwx; move it away to start a new journal.")
    if version > VERSION:
        raise StorageError(
            f"{path} was written by a newer webwx (version {version}, this one reads {VERSION}); "
            "update webwx, or move the file away to start a new journal."
        )
    return version


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
            for step in MIGRATIONS[_version_of(second, path) :]:
                if isinstance(step, str):
                    for statement in _statements(step):
                        second.execute(statement)
                else:
                    step(second)
            second.execute(f"PRAGMA application_id = {APPLICATION}")
            second.execute(f"PRAGMA user_version = {VERSION}")
        _version_of(db, path)  # opens the log, which SQLite would delete otherwise when `second` is closed


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
