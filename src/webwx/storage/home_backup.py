"""
Copies of a whole folder of accounts while other processes use it.

Databases are copied as snapshots; all other files are only ever replaced atomically, so each can be copied as it is.
The order makes the copy consistent. A login is copied before its journal, so everything that the login counts as
fetched is in the journal. The gateway's records are copied before the journals: a held message may then be in an outbox
as well, and the outbox recognizes its key. A journal is copied before its archived media.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.storage.locks import explain, make_private
from webwx.storage.open import open_journal_file, open_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_RECORDS, _JOURNAL = ".db", ".journal"
"""Suffixes of databases."""

_OF_A_DATABASE = ("-wal", "-shm")
"""Suffixes of the files beside an open database."""


async def back_up(home: Path, target: Path, progress: Callable[[str, int, int], object] = lambda *_: None) -> int:
    """
    Copy the logins, journals, archived media, and everything of the gateway into a new folder.

    Args:
        home: The folder of the accounts.
        target: The folder for the copy, which must not exist, or be empty.
        progress: Called before each file, with its path in the folder, its number from 1, and the number of files.

    Returns: The number of files.

    Raises:
        StorageError: There is nothing to copy, the target holds files, or a file cannot be read or written.
    """
    count = 0
    files = await asyncio.to_thread(_checked_files, home, target)
    for number, path in enumerate(files, 1):
        progress(str(path.relative_to(home)), number, len(files))
        count += await _copy(path, target / path.relative_to(home))
    return count


def _checked_files(home: Path, target: Path) -> list[Path]:
    if not home.is_dir():
        raise StorageError(f"There is no folder {home}, so there is nothing to back up.")
    if target.resolve().is_relative_to(home.resolve()):
        raise StorageError(f"The backup {target} cannot be inside of {home}; choose another folder.")
    if target.exists() and not (target.is_dir() and next(target.iterdir(), None) is None):
        raise StorageError(f"{target} exists and is not an empty folder; a backup never replaces a file.")
    return list(_files(home))


def _files(home: Path) -> Iterator[Path]:
    """Yield the files in the order of copying, without hidden files, which are locks and unfinished files."""
    found = [
        path
        for path in sorted(home.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(home).parts)
        and not path.name.endswith((*_OF_A_DATABASE, ".lock"))
    ]
    yield from sorted(found, key=_rank)


def _rank(path: Path) -> int:
    return {".json": 0, _RECORDS: 1, _JOURNAL: 2}.get(path.suffix, 3)


async def _copy(source: Path, target: Path) -> int:
    """Copy a file, and return 1, or 0 if it was deleted meanwhile."""
    if source.suffix in {_RECORDS, _JOURNAL}:
        opened = open_records(source) if source.suffix == _RECORDS else open_journal_file(source)
        try:
            await opened.backup(target)
        finally:
            await opened.close()
        return 1
    return await asyncio.to_thread(_copy_file, source, target)


def _copy_file(source: Path, target: Path) -> int:
    make_private(target)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        target.unlink(missing_ok=True)
        return 0
    except OSError as error:
        raise StorageError(f"{source} cannot be copied to {target}: {explain(error)}") from None
    return 1
