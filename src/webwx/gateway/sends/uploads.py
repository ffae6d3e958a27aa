"""
Files that programs upload before they send them.

A file is streamed to the disk in bounded memory, under a random name in a folder of its own; the name that the program
gave is only stored beside it. An upload belongs to its caller, and is deleted after a day. An upload whose
length was announced may arrive in several requests: it continues at the size of its file, also after a crash.

The uploads of a key, and all uploads, have a limit, and some room on the disk stays free. A file is deleted before its
record, because a full disk takes no change of a record.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO
from weakref import WeakValueDictionary

import msgspec

from webwx.errors import StorageError
from webwx.gateway.config import LimitsTable
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.disk_room import TakenRoom, UploadRoom, delete_left, require_room
from webwx.protocol.media import image_type, is_video
from webwx.representations.sends import MediaKind
from webwx.storage.file_opening import open_file
from webwx.storage.locks import explain, make_private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from pathlib import Path

    from webwx.storage.tables.records import RecordStore

KIND = "upload"
"""Kind of the records."""

LIFETIME = 24 * 3600.0
"""Seconds after which an upload is deleted."""

_START = 32
"""Number of bytes at the beginning of a file from which its type is detected."""


class StoredUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload."""

    id: str
    owner: str
    """Id of the key that uploaded it."""
    name: str
    """Name that the program gave, for the receiver."""
    size: int
    """Size in bytes of the whole file."""
    kind: MediaKind = "file"
    """Kind of message that the file becomes by default."""
    media_type: str = "application/octet-stream"
    is_complete: bool = True
    expires_at: float
    """Seconds since 1970."""
    node: str = ""
    """Address of the node of a cluster that stores the file; empty without a cluster."""

    def __repr__(self) -> str:
        return f"StoredUpload({self.size} bytes)"


class UploadStore:
    """
    The uploads, stored as files and records.

    Args:
        records: The records.
        folder: The folder of the files.
        clock: Returns seconds since 1970.
        node: Address of this node of a cluster; empty without a cluster.
        limits: Returns the limits, which may change.
    """

    def __init__(
        self,
        records: RecordStore,
        folder: Path,
        clock: Callable[[], float],
        node: str = "",
        limits: Callable[[], LimitsTable] = LimitsTable,
    ) -> None:
        self._records = records
        self._folder = folder
        self._clock = clock
        self._node = node
        self._room = UploadRoom(limits)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Locks of the uploads that a request continues now, by their ids."""

    def __repr__(self) -> str:
        return "UploadStore()"

    async def add(self, stream: AsyncIterator[bytes], *, name: str, owner: str, limit: int) -> StoredUpload:
        """
        Write a stream to a file.

        Args:
            stream: Pieces of the content. If the stream raises, nothing is stored.
            name: Name for the receiver.
            owner: Id of the caller.
            limit: Maximum number of bytes.

        Raises:
            GatewayProblem: The content is empty or too large, or there is no room for it; nothing is stored.
            StorageError: The file cannot be written.
        """
        upload = await self._begin(name, owner, 0)
        path = self.path(upload.id)
        try:
            size = await self._append(
                path, stream, limit, lambda arrived: self._room.take(upload.id, owner, arrived)
            )  # fmt: skip
            if not size:
                raise GatewayProblem("bad-request", "The upload is empty.")
            return await self._complete(msgspec.structs.replace(upload, size=size))
        except BaseException:
            self._room.release(upload.id)
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        finally:
            self._room.give_up(upload.id)

    async def begin(self, *, name: str, owner: str, length: int) -> StoredUpload:
        """
        Store an upload without content, whose length is known; `append` adds the content.

        Raises:
            GatewayProblem: There is no room for it.
            StorageError: The upload cannot be stored.
        """
        begun = await self._begin(name, owner, length)
        upload = msgspec.structs.replace(begun, size=length, is_complete=False)
        try:
            await self._put(upload)
        except BaseException:
            self._room.release(upload.id)
            await asyncio.to_thread(self.path(upload.id).unlink, missing_ok=True)
            raise
        finally:
            self._room.give_up(upload.id)
        return upload

    async def append(
        self, upload: StoredUpload, stream: AsyncIterator[bytes], *, offset: int, keeps_part: bool
    ) -> StoredUpload:
        """
        Add a stream to an upload, and return the upload, which may be complete then.

        Args:
            upload: An upload that is not complete.
            stream: Pieces of the content.
            offset: Number of bytes that the caller has uploaded before.
            keeps_part: Keep the bytes that have arrived if the stream raises before its end.

        Raises:
            GatewayProblem: The offset is wrong, another request is uploading, the content is too long, or the disk has
                no room for it.
            StorageError: The file cannot be written.
        """
        turn = self._turns.setdefault(upload.id, asyncio.Lock())
        if turn.locked():
            raise GatewayProblem("conflict", "Another request is continuing this upload.")
        async with turn:
            path, begin = self.path(upload.id), await self.offset(upload)
            if offset != begin:
                raise GatewayProblem("conflict", f"The upload continues at byte {begin}.")
            try:
                end = begin + await self._append(path, stream, upload.size - begin, lambda _: None)
            except BaseException as error:
                if not keeps_part or isinstance(error, GatewayProblem):
                    await asyncio.to_thread(os.truncate, path, begin)
                raise
            return await self._complete(upload) if end == upload.size else upload

    async def offset(self, upload: StoredUpload) -> int:
        """Return the number of bytes that have arrived."""
        return (await asyncio.to_thread(self.path(upload.id).stat)).st_size

    async def _begin(self, name: str, owner: str, length: int) -> StoredUpload:
        """Return a new upload with an empty file, without a record, that takes the room of its length."""
        await self.delete_expired()
        upload = StoredUpload(
            id=secrets.token_hex(16), owner=owner, name=plain_name(name), size=0, expires_at=self._clock() + LIFETIME,
            node=self._node,
        )  # fmt: skip
        self._room.take(upload.id, owner, length)
        path = self.path(upload.id)
        try:
            await asyncio.to_thread(_require_room, path.parent, length, self._room.keep_free)
            await asyncio.to_thread(make_private, path)
        except OSError as error:
            self._room.release(upload.id)
            raise StorageError(f"The upload cannot be stored: {explain(error)}") from None
        except BaseException:
            self._room.release(upload.id)
            raise
        return upload

    async def _append(
        self, path: Path, stream: AsyncIterator[bytes], room: int, arrived: Callable[[int], object]
    ) -> int:
        """
        Append a stream to a file, and return the number of bytes.

        Args:
            path: The file.
            stream: Pieces of the content.
            room: Maximum number of bytes.
            arrived: Called with the number of bytes before a piece is written.

        Raises:
            GatewayProblem: The stream is longer than the room, or the disk has no room for it.
            StorageError: The file cannot be written.
        """
        size = 0
        try:
            file = await open_file(path, "ab")
            try:
                async for piece in stream:
                    size += len(piece)
                    if size > room:
                        raise GatewayProblem(
                            "body-too-large", f"The content is too large; there is room for {room} bytes."
                        )
                    arrived(size)
                    await asyncio.to_thread(_write, file, piece, path.parent, self._room.keep_free)
            finally:
                await asyncio.to_thread(file.close)
        except OSError as error:
            raise StorageError(f"The upload cannot be stored: {explain(error)}") from None
        return size

    async def _complete(self, upload: StoredUpload) -> StoredUpload:
        """Store that all content of an upload has arrived, and its type."""
        start = await asyncio.to_thread(_beginning, self.path(upload.id))
        is_image, has_video = image_type(start), is_video(start)
        media_type = is_image or ("video/mp4" if has_video else "application/octet-stream")
        kind: MediaKind = "image" if is_image else "video" if has_video else "file"
        complete = msgspec.structs.replace(upload, kind=kind, media_type=media_type, is_complete=True)
        await self._put(complete)
        return complete

    async def _put(self, upload: StoredUpload) -> None:
        earlier = await self._records.get(KIND, upload.id)
        version = 0 if earlier is None else earlier.version
        await self._records.put(KIND, upload.id, msgspec.json.encode(upload), version=version, time=self._clock())

    async def find(self, upload_id: str, owner: str) -> StoredUpload | None:
        """Return an upload of a caller; None if it does not exist or has expired."""
        record = await self._records.get(KIND, upload_id)
        upload = None if record is None else msgspec.json.decode(record.body, type=StoredUpload)
        if upload is None or upload.owner != owner or self._clock() >= upload.expires_at:
            return None
        has_file = self.is_elsewhere(upload) or await asyncio.to_thread(self.path(upload.id).exists)
        return upload if has_file else None

    def is_elsewhere(self, upload: StoredUpload) -> bool:
        """Return whether another node stores the file of an upload."""
        return upload.node not in {"", self._node}

    async def other_node(self, upload_id: str) -> str | None:
        """Return the address of the node that stores an upload; None for this node, or if there is no such upload."""
        record = await self._records.get(KIND, upload_id)
        if record is None:
            return None
        upload = msgspec.json.decode(record.body, type=StoredUpload)
        return upload.node if self.is_elsewhere(upload) else None

    async def delete(self, upload_id: str) -> None:
        """Delete an upload."""
        await asyncio.to_thread(self.path(upload_id).unlink, missing_ok=True)
        await self._records.delete(KIND, upload_id)
        self._room.release(upload_id)

    async def delete_expired(self) -> None:
        """Delete the expired uploads of this node, and those of other nodes that have not deleted them for a day."""
        uploads, now = await self._all(), self._clock()
        self._room.note_stored(
            (each.id, TakenRoom(each.owner, each.size, is_here=not self.is_elsewhere(each))) for each in uploads
        )
        await self._delete_all(
            [
                each.id
                for each in uploads
                if now >= each.expires_at + (LIFETIME if self.is_elsewhere(each) else 0.0)
            ]
        )  # fmt: skip

    async def delete_of_others(self, owners: Collection[str]) -> None:
        """Delete the uploads of this node whose caller is not one of these, because its key was deleted."""
        uploads = await self._all()
        await self._delete_all(
            [each.id for each in uploads if each.owner not in owners and not self.is_elsewhere(each)]
        )

    async def delete_left(self, *, min_age: float) -> None:
        """
        Delete the files without a record, which a killed process has left.

        Args:
            min_age: Seconds for which a file must be unchanged; another process may be writing a younger one.
        """
        names = await asyncio.to_thread(_names_in, self._folder)
        in_use = {each.id for each in await self._all()} | set(self._room.arriving)
        await asyncio.to_thread(delete_left, self._folder, in_use, only=names, min_age=min_age)

    async def _all(self) -> list[StoredUpload]:
        return [msgspec.json.decode(record.body, type=StoredUpload) for record in await self._records.find(KIND)]

    async def _delete_all(self, upload_ids: Collection[str]) -> None:
        """Delete uploads, all files before the first record."""
        for upload_id in upload_ids:
            await asyncio.to_thread(self.path(upload_id).unlink, missing_ok=True)
        for upload_id in upload_ids:
            await self.delete(upload_id)

    def path(self, upload_id: str) -> Path:
        """Return the path of an upload's file."""
        return self._folder / upload_id


def _write(file: BinaryIO, piece: bytes, folder: Path, keep_free: int) -> None:
    _require_room(folder, len(piece), keep_free)
    file.write(piece)


def _require_room(folder: Path, size: int, keep_free: int) -> None:
    try:
        require_room(folder, size, keep_free)
    except StorageError as error:
        raise GatewayProblem("no-room", str(error)) from None


def _names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_START)


def plain_name(name: str) -> str:
    """Return a file name without folders and control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(each for each in last if each.isprintable()).strip(". ")[:120]
    return plain or "file"
