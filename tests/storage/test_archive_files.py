"""The files of the media archive."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.storage.archive_files import LEFT_BEHIND, MediaFiles, finish

if TYPE_CHECKING:
    from pathlib import Path


def added(files: MediaFiles, content: bytes) -> str:
    with files.begin() as (file, part):
        file.write(content)
        digest, size = finish(part)
        files.take(part, digest)
    assert size == len(content)
    return digest


def test_a_file_is_found_by_the_digest_of_its_bytes_and_is_private(tmp_path: Path) -> None:
    files = MediaFiles(tmp_path / "kept")
    digest = added(files, b"shown")
    found = files.find(digest)

    assert found is not None
    assert found.read_bytes() == b"shown"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (files.folder, found)] == [0o700, 0o600]
    assert files.find("") is None
    assert files.find("0" * 64) is None


def test_an_unfinished_file_is_deleted(tmp_path: Path) -> None:
    files = MediaFiles(tmp_path / "kept")
    with files.begin() as (file, part):
        file.write(b"half")
        assert part.exists()
    assert list(files.folder.iterdir()) == []


def test_names_do_not_include_unfinished_files(tmp_path: Path) -> None:
    files = MediaFiles(tmp_path / "kept")
    assert files.names() == set()
    digest = added(files, b"shown")
    for name, age in ((".old.part", LEFT_BEHIND + 60), (".new.part", 0)):
        (files.folder / name).touch()
        os.utime(files.folder / name, (0, time.time() - age))

    assert files.names() == {digest, ".old.part"}
    files.remove([digest, "never there"])
    assert files.names() == {".old.part"}
    files.delete()
    files.delete()
    assert not files.folder.exists()


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(StorageError, match="No media can be stored"), MediaFiles(tmp_path / "kept").begin():
        pass
    with pytest.raises(StorageError, match="cannot be stored"):
        finish(tmp_path / "nothing")
