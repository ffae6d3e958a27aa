"""The file of records: private, and refused when it has another format."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.storage.sqlite.records import VERSION, SqliteRecordStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
async def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    records = SqliteRecordStore(tmp_path / "state" / "gateway.db")
    await records.put("key", "a", b"1", version=0, time=1.0)
    await records.close()

    assert (tmp_path / "state" / "gateway.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("pragma", ["application_id = 7; PRAGMA user_version = 1", f"user_version = {VERSION + 1}"])
async def test_a_file_of_another_program_or_version_is_refused(tmp_path: Path, pragma: str) -> None:
    path = tmp_path / "gateway.db"
    path.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(f"PRAGMA {pragma}")

    records = SqliteRecordStore(path)
    with pytest.raises(StorageError, match="newer version"):
        await records.find("key")
    await records.close()


async def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"text" * 500)
    path.chmod(0o600)

    records = SqliteRecordStore(path)
    with pytest.raises(StorageError):
        await records.find("key")
    await records.close()
