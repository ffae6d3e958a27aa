"""
Room in the log (WAL) of a journal, which is allocated before it is needed.

A commit that extends a file also waits until the new length is stored; a commit inside of the file does not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from webwx.storage.sqlite.schema import CACHE, log_of

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

ROOM = 8 * 1024 * 1024
"""Bytes of the log that are allocated in advance for a consumer that stays open."""

PLENTY = 32
"""Multiple of `ROOM` that must be free on the disk for the log to be allocated in advance."""

QUIET = 0.1
"""Seconds without a transaction after which the log is extended, so that the start of a bot does not wait for it."""

BUSY = 8
"""Number of transactions after which it is extended in any case."""


class LogRoom:
    """
    A background job that extends the log once, after it was asked for.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: int | None = None
        """Number of transactions until the log is extended in any case; None if that is not asked for."""
        self._quiet_at = 0.0
        """Time at which the writer was idle for long enough; a transaction puts it off."""

    def ask(self) -> None:
        """Ask for room before a transaction; called in any thread."""
        self._left, self._quiet_at = BUSY, time.monotonic() + QUIET

    def work(self, db: sqlite3.Connection, *, is_idle: bool) -> float | None:
        """
        Extend the log if that is due; return the seconds until it is due, None if nothing is to be done.

        Raises:
            sqlite3.Error: The log cannot be written; it is not tried again.
        """
        if self._left is None:
            return None
        now = time.monotonic()
        if not is_idle:
            self._left -= 1
            self._quiet_at = now + QUIET
        if self._left > 0 and now < self._quiet_at:
            return self._quiet_at - now
        self._left = None
        make_room(db, self._path)
        return None


def make_room(db: sqlite3.Connection, path: Path) -> None:
    """
    Extend the log in advance, unless it is long enough or the disk has little free space.

    A transaction writes more than the cache can hold and is rolled back: its pages in the log belong to no commit, and
    the next commits overwrite them.

    Raises:
        sqlite3.Error: The log cannot be written.
    """
    if not _lacks_room(path):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("CREATE TABLE room (zeros BLOB)")
        db.execute("INSERT INTO room VALUES (zeroblob(?))", (ROOM + CACHE * 1024,))
    finally:
        if db.in_transaction:  # SQLite may have rolled it back by itself
            db.execute("ROLLBACK")


def _lacks_room(path: Path) -> bool:
    import shutil  # with its six modules, which a start would load before it is needed

    try:
        return log_of(path).stat().st_size < ROOM and shutil.disk_usage(path.parent).free >= PLENTY * ROOM
    except OSError:  # then the log is not extended
        return False
