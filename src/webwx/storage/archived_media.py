"""The archive of media: files of messages that were downloaded while the platform still served them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from webwx.storage.entries import Entry

ARCHIVE_CONSUMER = "keep"
"""Name of the media archive's consumer. No handler reads its entries, so a purge stores no gap for it."""


class StoredMedium(msgspec.Struct, frozen=True, kw_only=True):
    """The archive's record of a message's media."""

    number: int
    """Number of the message's entry."""
    message_id: str
    state: Literal["kept", "dropped", "too_large", "unavailable"]
    """
    `kept`: the bytes are archived. `dropped`: they were archived and have been deleted to free space. `too_large`: they
    exceed the size limit. `unavailable`: the platform did not serve them.
    """
    path: str = ""
    """Path of the archived file; empty if no file was archived."""
    size: int = 0
    """Size in bytes."""

    def __repr__(self) -> str:
        return f"StoredMedium({self.number}, {self.state})"


class ArchivedMedia(Protocol):
    """
    The archived media of an account's messages: files that were downloaded while the platform still served them.

    | State                      | Change                                            | Next state                 |
    |----------------------------|---------------------------------------------------|----------------------------|
    | no record                  | `add`, after a download                           | `kept`                     |
    |                            | `pass_over`                                       | `too_large`, `unavailable` |
    | `too_large`, `unavailable` | `add`, after another download                     | `kept`                     |
    | `kept`                     | `drop`, or `add` of others that need its space    | `dropped`                  |
    | any                        | the message is deleted                            | no record                  |

    Only the owner can read the files, and equal files are stored once. An engine without files of its own uses a
    temporary folder. When a message is deleted, its media are deleted too; a recall deletes nothing.
    """

    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        """
        Open a private file to download into, with its path; it is deleted on exit unless `add` has stored it.

        Raises:
            StorageError: The folder is not writable.
        """
        ...

    async def add(self, entry: Entry, part: Path, *, time: float, max_total: int) -> bool:
        """
        Store a downloaded file as the media of an entry, and return whether the entry still exists.

        Args:
            entry: The entry of the message.
            part: The path from `begin`, completely written.
            time: Time of the download, in seconds since 1970.
            max_total: Limit in bytes for this account; the oldest files are deleted to stay below it.

        Raises:
            StorageError: The file cannot be stored.
        """
        ...

    async def pass_over(self, entry: Entry, state: Literal["too_large", "unavailable"], *, time: float) -> None:
        """Record that the media of an entry are not archived, and why."""
        ...

    async def find(self, message_id: str) -> StoredMedium | None:
        """Return the record of a message's media; None if the archive has no record of them."""
        ...

    async def drop(self, *, before: float = 0) -> int:
        """Delete files archived before a time (0: all), keep their messages, and return the number of messages."""
        ...
