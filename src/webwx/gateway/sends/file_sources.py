"""Where the file of a send comes from: an upload, the request itself, or a URL."""

from __future__ import annotations

import base64
import binascii
from contextlib import aclosing, asynccontextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from webwx.errors import TransportError
from webwx.gateway.problems import GatewayProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from webwx.gateway.config import LimitsTable
    from webwx.gateway.outgoing.outgoing import OutgoingClient
    from webwx.gateway.sends.uploads import StoredUpload, UploadStore


class FileSources:
    """
    Finds files of sends. A file from the request or a URL is stored as an upload until the context of its send ends.

    Args:
        uploads: The uploads.
        connect: Returns the client that fetches URLs.
        limits: Returns the present limits of sizes.
        fetch_upload: Returns the content of an upload that another node of a cluster stores.
    """

    def __init__(
        self,
        uploads: UploadStore,
        connect: Callable[[], OutgoingClient],
        limits: Callable[[], LimitsTable],
        fetch_upload: Callable[[StoredUpload], AsyncIterator[bytes]] | None = None,
    ) -> None:
        self.uploads = uploads
        self._fetch_upload = fetch_upload
        self._connect = connect
        self._limits = limits

    def __repr__(self) -> str:
        return "FileSources()"

    @asynccontextmanager
    async def uploaded(self, upload_id: str, owner: str) -> AsyncIterator[StoredUpload]:
        """
        Return a complete upload of a caller; if another node stores it, a copy.

        Raises:
            GatewayProblem: There is no such upload, it is not complete, or its node cannot be reached.
        """
        upload = await self.uploads.find(upload_id, owner)
        if upload is None:
            raise GatewayProblem("not-found", "There is no such upload of this key, or it has expired.")
        if not upload.is_complete:
            raise GatewayProblem("conflict", "This upload is not complete.")
        if self._fetch_upload is None or not self.uploads.is_elsewhere(upload):
            yield upload
            return
        async with self._stored(self._fetch_upload(upload), upload.name, owner, upload.size) as copy:
            yield copy

    @asynccontextmanager
    async def inline(self, data: str, owner: str) -> AsyncIterator[StoredUpload]:
        """
        Store content that the request has in base64.

        Raises:
            GatewayProblem: The content is not base64, or empty.
        """
        try:
            content = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise GatewayProblem("bad-request", "The content of the file is not base64.") from None

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        async with self._stored(pieces(), "", owner, len(content)) as upload:
            yield upload

    @asynccontextmanager
    async def fetched(self, url: str, owner: str) -> AsyncIterator[StoredUpload]:
        """
        Fetch a URL.

        Raises:
            GatewayProblem: The gateway fetches no URLs, the file is too large, or it cannot be fetched.
            AddressRefused: The gateway does not connect to this address.
        """
        limit = self._limits().fetched_file
        if not limit:
            raise GatewayProblem("url-not-fetched", "Set 'fetched_file' in the gateway's configuration to allow URLs.")
        async with self._stored(self._fetch(url), _name_in(url), owner, limit) as upload:
            yield upload

    async def _fetch(self, url: str) -> AsyncIterator[bytes]:
        try:
            async with aclosing(self._connect().fetch(url)) as pieces:
                async for piece in pieces:
                    yield piece
        except TransportError as error:
            raise GatewayProblem("url-not-fetched", str(error)) from None

    @asynccontextmanager
    async def _stored(
        self, stream: AsyncIterator[bytes], name: str, owner: str, limit: int
    ) -> AsyncIterator[StoredUpload]:
        upload = await self.uploads.add(stream, name=name, owner=owner, limit=limit)
        try:
            yield upload
        finally:
            await self.uploads.delete(upload.id)


def _name_in(url: str) -> str:
    """Return the name of the file at the end of a URL's path."""
    try:
        return PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError:  # the URL is refused when it is fetched
        return ""
