"""Files of sends: they are kept after the given file is deleted, until they are deleted themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.gateway.kept_files import KeptFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"content")
    path.chmod(0o600)
    return path


async def test_a_kept_file_survives_the_given_one_and_takes_no_space(given: Path, tmp_path: Path) -> None:
    files = KeptFiles(tmp_path / "sends" / "1")
    name = await files.keep(given)
    assert files.path(name).samefile(given)
    given.unlink()
    assert files.path(name).read_bytes() == b"content"
    assert (tmp_path / "sends").stat().st_mode & 0o077 == 0
    await files.delete(name)
    await files.delete(name)
    assert not files.path(name).exists()


async def test_files_of_a_killed_process_are_deleted(given: Path, tmp_path: Path) -> None:
    files = KeptFiles(tmp_path / "sends")
    await files.delete_all_but([])
    promised, left = await files.keep(given), await files.keep(given)
    await files.delete_all_but([promised])
    assert files.path(promised).exists()
    assert not files.path(left).exists()


async def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be kept"):
        await KeptFiles(tmp_path / "sends").keep(tmp_path / "gone")
