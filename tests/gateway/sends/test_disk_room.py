"""Room on the disk, and files that a killed process has left."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.gateway.sends.disk_room import delete_left, require_room

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_needs_room_on_its_disk(tmp_path: Path) -> None:
    require_room(tmp_path / "new", 1, 0)
    for size, keep_free in ((2**62, 0), (1, 2**62)):
        with pytest.raises(StorageError, match="too little free space"):
            require_room(tmp_path / "new", size, keep_free)


def test_files_that_are_not_in_use_and_old_enough_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("used", "old", "later", "young"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, time.time() if name == "young" else 0))
    delete_left(tmp_path, {"used"}, only={"old", "young", "folder"}, min_age=3600)
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "used", "later", "young"}
    delete_left(tmp_path / "absent", set())


def test_a_file_that_another_process_deletes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time() + 1

    def delete_all() -> float:
        for path in tmp_path.iterdir():
            path.unlink()
        return now

    class OtherProcess(frozenset[str]):
        def __contains__(self, name: object) -> bool:
            delete_all()
            return False

    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"")
    delete_left(tmp_path, OtherProcess())

    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(time, "time", delete_all)  # the age of a file is computed after the first look at it
    delete_left(tmp_path, set())
    assert list(tmp_path.iterdir()) == []
