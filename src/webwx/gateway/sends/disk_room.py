"""Room for files that wait to be sent: how much may be taken, and the removal of what a killed process has left."""

from __future__ import annotations

import shutil
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from webwx.errors import StorageError
from webwx.gateway.problems import GatewayProblem
from webwx.storage.locks import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from webwx.gateway.config import LimitsTable


class TakenRoom(NamedTuple):
    """The room that an upload takes."""

    owner: str
    """Id of the key that uploads it."""
    size: int
    """Size in bytes of the whole file, if it is known; otherwise of what has arrived."""
    is_here: bool
    """Whether the file is on the disk of this machine."""


class UploadRoom:
    """
    Counts the bytes of all uploads, including those that arrive now.

    Args:
        limits: Returns the limits, which may change.
    """

    def __init__(self, limits: Callable[[], LimitsTable]) -> None:
        self._limits = limits
        self._stored: dict[str, TakenRoom] = {}
        self._arriving: dict[str, TakenRoom] = {}

    def __repr__(self) -> str:
        return f"UploadRoom({len(self._stored)} stored, {len(self._arriving)} arriving)"

    @property
    def keep_free(self) -> int:
        """Bytes that stay free on the disk."""
        return self._limits().uploads_free

    @property
    def arriving(self) -> Collection[str]:
        """Ids of the uploads that have no record yet."""
        return self._arriving.keys()

    def note_stored(self, stored: Iterable[tuple[str, TakenRoom]]) -> None:
        """Replace the uploads that have records, by their ids."""
        self._stored = dict(stored)

    def take(self, upload_id: str, owner: str, size: int) -> None:
        """
        Note the size of an upload that arrives now.

        Raises:
            GatewayProblem: The uploads of its key, or all uploads, would be too large.
        """
        others = [
            each for taken in (self._stored, self._arriving) for other, each in taken.items() if other != upload_id
        ]  # fmt: skip
        limits = self._limits()
        if size + sum(each.size for each in others if each.owner == owner) > limits.uploads_per_key:
            raise GatewayProblem(
                "no-room",
                f"The uploads of a key have at most {limits.uploads_per_key} bytes together; delete some, or wait until"
                " they expire.",
            )
        if size + sum(each.size for each in others if each.is_here) > limits.uploads:
            raise GatewayProblem(
                "no-room", f"All uploads have at most {limits.uploads} bytes together; some expire each hour."
            )
        self._arriving[upload_id] = TakenRoom(owner, size, is_here=True)

    def give_up(self, upload_id: str) -> None:
        """Note that an upload does not arrive any more, because it has a record or has ended."""
        taken = self._arriving.pop(upload_id, None)
        if taken is not None:
            self._stored.setdefault(upload_id, taken)

    def release(self, upload_id: str) -> None:
        """Note that an upload was deleted."""
        self._arriving.pop(upload_id, None)
        self._stored.pop(upload_id, None)


def require_room(folder: Path, size: int, keep_free: int) -> None:
    """
    Check that a file fits on the disk of a folder, which is created if it is missing.

    Raises:
        StorageError: Less room than `keep_free` would stay free.
        OSError: The folder cannot be created.
    """
    make_private_folder(folder)
    if shutil.disk_usage(folder).free - size < keep_free:
        raise StorageError("The disk of the gateway has too little free space; 'uploads_free' says how much stays.")


def delete_left(
    folder: Path, names: Collection[str], *, only: Collection[str] | None = None, min_age: float = 0.0
) -> None:
    """
    Delete the files of a folder, except those with the given names.

    Args:
        folder: The folder; folders in it are not touched.
        names: Names of the files that are in use.
        only: Names of the files that were there before it was read which ones are in use; None: all.
        min_age: Seconds for which a file must be unchanged; another process may be writing a younger one.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name in names or (only is not None and path.name not in only):
            continue
        try:
            found = path.stat()
        except FileNotFoundError:  # another process has deleted it meanwhile
            continue
        if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime >= min_age:
            path.unlink(missing_ok=True)
