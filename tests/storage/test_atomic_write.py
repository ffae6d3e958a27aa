"""Files that only their owner may read, replaced atomically."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.storage.atomic_write import write_private
from webwx.storage.locks import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_and_every_new_folder_above_it_are_private_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "c" / "file"
    write_private(file, b"one")

    assert mode(file) == 0o600
    assert [mode(folder) for folder in list(file.parents)[:3]] == [0o700] * 3


def test_an_existing_folder_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    make_private_folder(tmp_path / "shared")

    assert mode(tmp_path / "shared") == 0o755


def test_a_file_is_replaced_and_no_other_file_is_left(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"one")
    write_private(tmp_path / "file", b"two")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"two")]


def test_a_file_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(mode=0o666)
    write_private(file, b"two")

    assert mode(file) == 0o600


def test_a_reader_during_a_write_sees_the_complete_old_file(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"one")
    with (tmp_path / "file").open("rb") as reader:
        write_private(tmp_path / "file", b"two")

        assert reader.read() == b"one"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"outside")
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    write_private(tmp_path / "file", b"two")

    assert (tmp_path / "elsewhere").read_bytes() == b"outside"
    assert not (tmp_path / "file").is_symlink()


@pytest.mark.parametrize("name", ["taken", "blocked/file"])
def test_a_failed_write_leaves_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "blocked").write_bytes(b"")

    with pytest.raises(StorageError, match=f"{name} cannot be written: "):
        write_private(tmp_path / name, b"one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked", "taken"]
