"""A read-only check of a journal's file, which does not even migrate it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from webwx.errors import StorageError
from webwx.storage.engine.port import drive
from webwx.storage.locks import make_private
from webwx.storage.private_folder import memory_folder
from webwx.storage.sqlite.schema import APPLICATION, VERSION, log_of
from webwx.storage.sqlite.tables import SqliteStatements
from webwx.storage.tables.body_checks import check_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLES = ("batches", "entries", "consumers", "outbox", "contacts", "logins")
"""Tables that are checked; the others are indexes, which can be rebuilt."""


class Checkup(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a check, without any content of the journal."""

    version: int
    accounts: int
    entries: int
    sends: int
    consumers: int
    unreadable: int
    """Number of entries whose stored bytes are damaged."""
    is_sound: bool
    """Whether SQLite finds no damage."""


def check_up(path: Path) -> Checkup:
    """
    Check a journal, also while other processes write to it.

    Raises:
        StorageError: The file cannot be opened, is not a journal, or is of another version.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
            return _check_up(db)
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be read as a journal ({type(error).__name__}).") from None


@contextlib.contextmanager
def copied(path: Path) -> Iterator[Path]:
    """
    Copy a journal that cannot be opened in place, as on a full or read-only disk, and delete the copy on exit.

    This process must not have the journal open: closing the file after the copy releases all of SQLite's locks on it.

    Raises:
        StorageError: The file cannot be read, or there is no space for a copy.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="webwx-", dir=memory_folder()))
            copy = Path(folder, path.name)
            make_private(copy)
            _copy(path, copy)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StorageError(f"{path} cannot be copied for reading: {reason}.") from None
        yield copy


def _copy(path: Path, copy: Path) -> None:
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.OperationalError:  # no process has it open, and this one cannot create the shared memory file
        shutil.copyfile(path, copy)
        if log_of(path).exists():
            make_private(log_of(copy))
            shutil.copyfile(log_of(path), log_of(copy))


def _check_up(db: sqlite3.Connection) -> Checkup:
    if _count(db, "PRAGMA application_id") != APPLICATION:
        raise StorageError("The file is not a journal of webwx.")
    version = _count(db, "PRAGMA user_version")
    if version != VERSION:
        raise StorageError(f"The file is a journal of version {version}; this webwx reads version {VERSION}.")
    db.execute("BEGIN")  # all counts are from one snapshot
    return Checkup(
        version=version,
        accounts=_count(db, "SELECT count(*) FROM accounts"),
        entries=_count(db, "SELECT count(*) FROM entries"),
        sends=_count(db, "SELECT count(*) FROM outbox"),
        consumers=_count(db, "SELECT count(*) FROM consumers"),
        unreadable=_unreadable(db),
        is_sound=all(db.execute(f"PRAGMA quick_check({table})").fetchall() == [("ok",)] for table in _TABLES),
    )


def _unreadable(db: sqlite3.Connection) -> int:
    count = 0
    for (account,) in db.execute("SELECT account FROM accounts").fetchall():
        after = 0
        while piece := drive(check_bodies(SqliteStatements(db, account), after)):
            after = piece.last
            count += sum(each.entries for each in piece.damaged)
    return count


def _count(db: sqlite3.Connection, question: str) -> int:
    return int(db.execute(question).fetchone()[0])
