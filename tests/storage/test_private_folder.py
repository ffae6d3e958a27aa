"""Folders of one process: private, deleted at its end, and those of dead processes by another one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.client.forked import in_fork

from webwx.errors import StorageError
from webwx.storage.private_folder import PrivateFolder, delete_left, memory_folder

LEAVE = """
from pathlib import Path
from webwx.storage.private_folder import PrivateFolder
folder = PrivateFolder()
folder.make()
Path(folder.path, "file").write_bytes(b"x")
print(folder.path)
"""


def made() -> PrivateFolder:
    folder = PrivateFolder()
    folder.make()
    Path(folder.path, "file").write_bytes(b"x")
    return folder


def traces_of(folder: Path) -> list[Path]:
    """Return a folder and its lock file, as far as they exist."""
    return sorted(folder.parent.glob(f"{folder.name}*"))


def test_a_folder_exists_from_make_to_delete_and_is_private() -> None:
    folder = PrivateFolder()
    assert traces_of(folder.path) == []
    folder.make()
    folder.make()
    assert folder.path.parent == memory_folder()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    Path(folder.path, "file").write_bytes(b"x")
    folder.delete()
    folder.delete()
    assert traces_of(folder.path) == []


def test_a_deleted_folder_is_not_made_again() -> None:
    folder = made()
    folder.delete()
    with pytest.raises(StorageError, match="closed"):
        folder.make()
    assert traces_of(folder.path) == []


def test_the_folder_of_a_process_that_was_killed_is_deleted_by_another_one() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, bytes(made().path))
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        left = Path(os.fsdecode(pipe.read()))
    own = made()
    assert len(traces_of(left)) == 2
    delete_left(left.parent)
    assert traces_of(left) == []
    assert len(traces_of(own.path)) == 2, "a living process has this one"
    own.delete()


def test_the_folder_of_a_process_that_ends_is_deleted() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVE], capture_output=True, text=True, check=True)
    assert traces_of(Path(done.stdout.strip())) == []


def test_a_fork_leaves_the_folder_of_its_parent() -> None:
    folder = made()

    def delete() -> str:
        folder.delete()
        delete_left(folder.path.parent)
        return "done"

    assert in_fork(delete) == "done"
    assert len(traces_of(folder.path)) == 2
    folder.delete()
    assert traces_of(folder.path) == []


def test_the_folder_is_among_the_temporary_files_where_memory_has_no_room() -> None:
    assert memory_folder(room=1 << 62) == Path(tempfile.gettempdir())
    assert memory_folder(room=0) in {Path("/dev/shm"), Path(tempfile.gettempdir())}
