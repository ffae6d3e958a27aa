"""
Open a journal by its URL: the one place above the storage engines that knows which there are.

An engine is imported when its first journal is opened, so a program that stores nothing does not load a database.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote

from webwx.errors import InvalidSettings
from webwx.storage.base import RETENTION_DAYS

if TYPE_CHECKING:
    from webwx.storage.base import Journal


def open_journal(url: str | os.PathLike[str], *, retention_days: float = RETENTION_DAYS) -> Journal:
    """
    Return the journal that a URL names. Its file is made when it is first needed.

    Args:
        url: A path; or `sqlite:///` and a path (with a fourth slash if that is absolute); or `memory:`, for a new
            journal that ends with the process.
        retention_days: What arrived longer ago is deleted; 0 keeps everything.

    Raises:
        InvalidSettings: No engine has such a URL.
    """
    place = os.fspath(url)
    if place == "memory:":
        from webwx.storage.memory.journal import MemoryJournal

        return MemoryJournal(retention_days=retention_days)
    scheme, separator, rest = place.partition("://")
    if separator:
        if scheme != "sqlite" or not rest.startswith("/"):
            raise InvalidSettings(f"No journal can be opened at {place!r}; use a path, sqlite:///PATH or memory:.")
        place = unquote(rest[1:])
    from webwx.storage.sqlite.journal import SqliteJournal

    return SqliteJournal(place, retention_days=retention_days)
