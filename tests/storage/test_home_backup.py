"""A copy of a whole folder of accounts: what is in it, and where it may not be made."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.storage.home_backup import back_up
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """A folder with a login, a media file, a lock, an unfinished file and records that another process uses."""
    home = tmp_path / "home"
    for name in ("logins/web.json", "logins/web.journal.kept/ab12", "gateway.lock", "logins/.web.json.lock", "x/.y/z"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(name.encode())
    return home


async def test_a_copy_has_everything_but_locks_and_unfinished_files(home: Path, tmp_path: Path) -> None:
    records = open_records(home / "gateway.db")
    await records.put("key", "1", b"one", version=0, time=0)
    reported: list[tuple[str, int, int]] = []
    assert await back_up(home, tmp_path / "copy", lambda *step: reported.append(step)) == 3
    assert [(number, count) for _path, number, count in reported] == [(1, 3), (2, 3), (3, 3)]
    await records.put("key", "2", b"two", version=0, time=0)
    await records.close()

    copied = {path.relative_to(tmp_path / "copy").as_posix(): path for path in (tmp_path / "copy").rglob("*")}
    files = {name for name, path in copied.items() if path.is_file()}
    assert files == {"logins/web.json", "logins/web.journal.kept/ab12", "gateway.db"}
    assert copied["logins/web.json"].read_bytes() == b"logins/web.json"
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (tmp_path / "copy", *copied.values())} == {0}
    restored = open_records(copied["gateway.db"])
    assert [record.id for record in await restored.find("key")] == ["1"]
    await restored.close()


async def test_a_copy_replaces_nothing_and_is_not_made_inside_of_the_folder(home: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not an empty folder"):
        await back_up(home, home.parent)
    with pytest.raises(StorageError, match="inside"):
        await back_up(home, home / "copy")
    with pytest.raises(StorageError, match="nothing to back up"):
        await back_up(tmp_path / "absent", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_folder_that_cannot_be_written_is_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"file/copy|file"):
        await back_up(home, tmp_path / "file" / "copy")
