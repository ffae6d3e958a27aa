"""
Files that programs upload before they send them.

A file is streamed to the disk in bounded memory, under a random name in a folder of its own; the name that the program
gave is only stored beside it. An upload belongs to its caller, and is deleted after a day.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from webwx.errors import StorageError
from webwx.gateway.port import MediaKind
from webwx.gateway.problems import GatewayProblem
from webwx.protocol.media import image_type, is_video
from webwx.storage.locks import explain, make_private, make_private_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from webwx.storage.base import RecordStore

KIND = "upload"
"""Kind of the records."""

LIFETIME = 24 * 3600.0
"""Seconds after which an upload is deleted."""

_START = 32
"""Bytes at the beginning of a file that show what it is."""


class StoredUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that is complete."""

    id: str
    owner: str
    """Id of the key that uploaded it."""
    name: str
    """Name that the program gave, for the receiver."""
    size: int
    """Size in bytes."""
    kind: MediaKind
    """How it is sent by default."""
    media_type: str
    expires_at: float
    """Seconds since 1970."""

    def __repr__(self) -> str:
        return f"StoredUpload({self.size} bytes)"


class UploadStore:
    """
    The uploads, stored as files and records.

    Args:
        records: The records.
        folder: The folder of the files.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, folder: Path, clock: Callable[[], float]) -> None:
        self._records = records
        self._folder = folder
        self._clock = clock

    def __repr__(self) -> str:
        return "UploadStore()"

    async def add(
        self, stream: AsyncIterator[bytes], *, name: str, owner: str, limit: int, sha256: bytes | None = None
    ) -> StoredUpload:
        """
        Write a stream to a file.

        Args:
            stream: Pieces of the content.
            name: Name for the receiver.
            owner: Id of the caller.
            limit: Bytes at most.
            sha256: The digest that the content must have; None: any.

        Raises:
            GatewayProblem: The content is empty, too large, or has another digest; nothing is stored.
            StorageError: The file cannot be written.
        """
        await self.delete_expired()
        upload_id = secrets.token_hex(16)
        path = self.path(upload_id)
        try:
            size, start = await self._write(path, stream, limit, sha256)
        except OSError as error:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise StorageError(f"The upload cannot be stored: {explain(error)}") from None
        except BaseException:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        media_type = image_type(start) or ("video/mp4" if is_video(start) else "application/octet-stream")
        kind: MediaKind = "image" if image_type(start) else "video" if is_video(start) else "file"
        upload = StoredUpload(
            id=upload_id, owner=owner, name=plain_name(name), size=size, kind=kind, media_type=media_type,
            expires_at=self._clock() + LIFETIME,
        )  # fmt: skip
        await self._records.put(KIND, upload_id, msgspec.json.encode(upload), version=0, time=self._clock())
        return upload

    async def _write(
        self, path: Path, stream: AsyncIterator[bytes], limit: int, sha256: bytes | None
    ) -> tuple[int, bytes]:
        """Write a stream, and return its size and its first bytes."""
        await asyncio.to_thread(make_private_folder, path.parent)
        await asyncio.to_thread(make_private, path)
        file: BinaryIO = await asyncio.to_thread(path.open, "wb")
        size, start, digest = 0, b"", hashlib.sha256()
        try:
            async for piece in stream:
                size += len(piece)
                if size > limit:
                    raise GatewayProblem("too-large", f"An upload has at most {limit} bytes.")
                start = start or piece[:_START]
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
        finally:
            await asyncio.to_thread(file.close)
        if not size:
            raise GatewayProblem("bad-request", "The upload is empty.")
        if sha256 is not None and digest.digest() != sha256:
            raise GatewayProblem("bad-request", "The content does not have the digest of 'Content-Digest'.")
        return size, start

    async def find(self, upload_id: str, owner: str) -> StoredUpload | None:
        """Return an upload of a caller; None if there is none, or it has expired."""
        record = await self._records.get(KIND, upload_id)
        upload = None if record is None else msgspec.json.decode(record.body, type=StoredUpload)
        if upload is None or upload.owner != owner or self._clock() >= upload.expires_at:
            return None
        return upload

    async def delete(self, upload_id: str) -> None:
        """Delete an upload."""
        await self._records.delete(KIND, upload_id)
        await asyncio.to_thread(self.path(upload_id).unlink, missing_ok=True)

    async def delete_expired(self) -> None:
        """Delete all uploads that have expired."""
        for record in await self._records.find(KIND):
            if self._clock() >= msgspec.json.decode(record.body, type=StoredUpload).expires_at:
                await self.delete(record.id)

    def path(self, upload_id: str) -> Path:
        """Return the path of an upload's file."""
        return self._folder / upload_id


def plain_name(name: str) -> str:
    """Return a file name without folders and control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(each for each in last if each.isprintable()).strip(". ")[:120]
    return plain or "file"
