"""Archived media: files in a temporary folder, and their records in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from webwx.protocol.codec import clean_text
from webwx.storage.archive_files import MediaFiles, finish
from webwx.storage.base import StoredMedium

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager
    from pathlib import Path

    from webwx.storage.base import Entry
    from webwx.storage.memory.entries import Entries


class Medium(msgspec.Struct, frozen=True):
    """The record of one message's media."""

    number: int
    message_id: str
    state: Literal["kept", "dropped", "too_large", "unavailable"]
    time: float = 0.0
    digest: str = ""
    size: int = 0


class MediaRecords:
    """
    The media of all accounts of a journal; changed and read under the journal's lock.

    Args:
        files: Returns the folder of the files, which is created when it is first needed.
    """

    def __init__(self, files: Callable[[], MediaFiles]) -> None:
        self.files = files
        self.of_accounts: dict[int, dict[int, Medium]] = {}
        """Records by account and number of the message."""

    def of(self, uin: int) -> dict[int, Medium]:
        """Return an account's records by number of the message."""
        return self.of_accounts.setdefault(uin, {})

    def forget(self, uin: int, numbers: Collection[int]) -> None:
        """Delete the media of deleted messages."""
        media = self.of(uin)
        self.remove_unnamed([gone.digest for number in numbers if (gone := media.pop(number, None))])

    def drop(self, uin: int, dropped: Collection[Medium]) -> None:
        """Delete the files of some media, and keep their records."""
        media = self.of(uin)
        for each in dropped:
            media[each.number] = Medium(each.number, each.message_id, "dropped", each.time)
        self.remove_unnamed([each.digest for each in dropped])

    def remove_unnamed(self, digests: Collection[str]) -> None:
        """Delete files without a record."""
        wanted = set(digests) - {""}
        if wanted:
            named = {medium.digest for media in self.of_accounts.values() for medium in media.values()}
            self.files().remove(wanted - named)


class MemoryArchivedMedia:
    """Archived media of one account; `ArchivedMedia` states the guarantees."""

    def __init__(self, uin: int, media: MediaRecords, entries: Callable[[], Entries], lock: threading.RLock) -> None:
        self._uin = uin
        self._media = media
        self._entries = entries
        self._lock = lock

    def __repr__(self) -> str:
        return "MemoryArchivedMedia(***)"

    def begin(self) -> AbstractContextManager[tuple[BinaryIO, Path]]:
        """Open a private file to download into, with its path."""
        return self._media.files().begin()

    async def add(self, entry: Entry, part: Path, *, time: float, max_total: int) -> bool:
        """Store a downloaded file as the media of an entry, and return whether the entry still exists."""
        digest, size = await asyncio.to_thread(finish, part)
        with self._lock:
            if not self._is_there(entry):
                return False
            self._media.files().take(part, digest)
            media = self._media.of(self._uin)
            media[entry.number] = Medium(entry.number, entry.message_id, "kept", time, digest, size)
            self._make_room(media, max_total)
            return True

    def _make_room(self, media: dict[int, Medium], max_total: int) -> None:
        """Drop the oldest media until the limit is met."""
        total = sum(medium.size for medium in media.values())
        dropped: list[Medium] = []
        for number in sorted(media) if total > max_total else ():
            if total <= max_total:
                break
            if media[number].digest:
                dropped.append(media[number])
                total -= media[number].size
        self._media.drop(self._uin, dropped)

    async def pass_over(self, entry: Entry, state: Literal["too_large", "unavailable"], *, time: float) -> None:
        """Record that the media of an entry are not archived, and why."""
        with self._lock:
            if self._is_there(entry):
                media = self._media.of(self._uin)
                media[entry.number] = Medium(entry.number, entry.message_id, state, time)

    def _is_there(self, entry: Entry) -> bool:
        stored = self._entries().get(entry.number)
        return stored is not None and stored.batch > 0

    async def find(self, message_id: str) -> StoredMedium | None:
        """Return the record of a message's media; None if the archive has no record of them."""
        message_id = clean_text(message_id)
        with self._lock:
            found = [each for each in self._media.of(self._uin).values() if each.message_id == message_id]
            if not found:
                return None
            medium = max(found, key=lambda each: (bool(each.digest), each.number))
            path = self._media.files().find(medium.digest) if medium.digest else None
        return StoredMedium(
            number=medium.number, message_id=medium.message_id, state=medium.state, path=str(path or ""),
            size=medium.size,
        )  # fmt: skip

    async def drop(self, *, before: float = 0) -> int:
        """Delete files archived before a time (0: all), and return the number of their messages."""
        with self._lock:
            media = self._media.of(self._uin).values()
            dropped = [each for each in media if each.digest and (not before or each.time < before)]
            self._media.drop(self._uin, dropped)
            return len(dropped)
