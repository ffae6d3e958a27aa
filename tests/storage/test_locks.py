"""Private files, and locks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.storage.locks import flush_folder, lock, make_private, open_lock, require_own_folder, take_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_file_and_its_folder_are_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "state" / "me.journal"
    before = os.umask(0)
    try:
        make_private(path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "me.journal"
    path.touch(0o644)

    with pytest.raises(StorageError, match="chmod 600"):
        make_private(path)


def test_a_file_that_cannot_be_created_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageError):
        make_private(tmp_path / "file" / "me.journal")
    with pytest.raises(StorageError):
        take_lock(tmp_path / "file" / "lock")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize("mode", [0o777, 0o773, 0o707])
def test_a_folder_where_every_user_can_replace_files_is_refused(tmp_path: Path, mode: int) -> None:
    (folder := tmp_path / "open").mkdir()
    folder.chmod(mode)

    with pytest.raises(StorageError, match=rf"mode {mode:04o}.*chmod 700 '.*open'"):
        require_own_folder(folder)


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775, 0o1777])
def test_a_folder_where_others_cannot_replace_files_is_accepted(tmp_path: Path, mode: int) -> None:
    (folder := tmp_path / "own").mkdir()
    folder.chmod(mode)

    require_own_folder(folder)
    require_own_folder(tmp_path / "not made yet")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such links for everybody")
@pytest.mark.parametrize("take", [open_lock, take_lock])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_lock_that_is_a_symbolic_link_is_refused_and_its_target_untouched(
    tmp_path: Path, take: Callable[[Path], object], is_there: bool
) -> None:
    target = tmp_path / "target"
    if is_there:
        target.write_text("precious")
    (tmp_path / "lock").symlink_to(target)

    with pytest.raises(StorageError, match=r"lock is a symbolic link; delete it\.$"):
        take(tmp_path / "lock")
    assert target.exists() == is_there
    assert not is_there or target.read_text() == "precious"


def test_the_content_of_a_file_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "me.journal"
    make_private(path)
    path.write_bytes(b"content")
    make_private(path)

    assert path.read_bytes() == b"content"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks that end with any close")
def test_an_existing_file_keeps_the_locks_of_this_process(tmp_path: Path) -> None:
    """
    Without SQLite's locks, another process that closes the journal would delete the log that this process writes to.
    """
    import fcntl

    path = tmp_path / "me.journal"
    make_private(path)
    with path.open("r+b") as locked:
        fcntl.lockf(locked, fcntl.LOCK_EX)
        make_private(path)
        take = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        other = subprocess.run([sys.executable, "-c", take, path], check=False, capture_output=True)

    assert b"BlockingIOError" in other.stderr


def test_a_lock_is_taken_once_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    handle = take_lock(path)
    assert handle is not None
    assert take_lock(path) is None
    os.close(handle)

    again = take_lock(path)
    assert again is not None
    other = os.open(path, os.O_RDWR)
    with pytest.raises(OSError, match="unavailable"):
        lock(other, wait=False)
    os.close(other)
    os.close(again)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete what is open")
def test_a_file_that_is_deleted_before_it_is_locked_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    path, flock = tmp_path / "lock", fcntl.flock

    def delete_first(handle: int, operation: int) -> None:
        monkeypatch.undo()
        path.unlink()
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", delete_first)
    handle = take_lock(path)
    assert handle is not None
    assert take_lock(path) is None
    os.close(handle)


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys; from pathlib import Path; from webwx.storage.locks import take_lock\n"
        "take_lock(Path(sys.argv[1])); print('taken', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert take_lock(path) is None
        other.kill()
    handle = take_lock(path)
    assert handle is not None
    os.close(handle)


def test_a_folder_can_be_flushed(tmp_path: Path) -> None:
    flush_folder(tmp_path)
