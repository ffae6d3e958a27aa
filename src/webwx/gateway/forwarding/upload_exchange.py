"""
Uploads that other nodes of a cluster store.

An upload stays at the node that took it, in a file; its record, which all nodes share, names the node. The node that
sends the file fetches it from there, by a request that only nodes can make.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from webwx.errors import TransportError
from webwx.gateway.forwarding.forwarded_requests import HEADER
from webwx.gateway.http.refusals import refuse
from webwx.gateway.problems import GatewayProblem, answer_of
from webwx.representations.route import API
from webwx.storage.file_opening import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar.types import Scope, Send

    from webwx.gateway.forwarding.forwarded_requests import Signatures
    from webwx.gateway.forwarding.owner_client import OwnerClient
    from webwx.gateway.sends.uploads import StoredUpload, UploadStore

_ID = re.compile(r"[0-9a-f]{32}")

_CONTENT_PATH = re.compile(rf"{API}/uploads/([0-9a-f]{{32}})/content")
"""A path for nodes only: a request of a client for it is never forwarded, because nodes need no key."""

_PIECE = 256 * 1024
"""Bytes of a file that are read at a time."""


class UploadExchange:
    """
    Fetches uploads from the nodes that store them, and sends those of this node.

    Args:
        uploads: The uploads.
        signatures: Signs requests to other nodes.
        client: Sends requests to other nodes.
    """

    def __init__(self, uploads: UploadStore, signatures: Signatures, client: OwnerClient) -> None:
        self._uploads = uploads
        self._signatures = signatures
        self._client = client

    def __repr__(self) -> str:
        return "UploadExchange()"

    async def node_of(self, upload_id: str) -> str | None:
        """
        Return the address of the node that stores an upload; None if it is this node, or there is no such upload.

        Raises:
            StorageError: The records cannot be read.
        """
        return await self._uploads.other_node(upload_id) if _ID.fullmatch(upload_id) else None

    async def fetch(self, upload: StoredUpload) -> AsyncGenerator[bytes, None]:
        """
        Yield the content of an upload that another node stores.

        Raises:
            GatewayProblem: The node does not have it, or cannot be reached.
        """
        target = f"{API}/uploads/{upload.id}/content"
        headers = [(HEADER, self._signatures.sign("GET", target))]
        try:
            async with self._client.request(
                "GET", f"{upload.node.rstrip('/')}{target}", headers, None, is_safe=True
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    raise GatewayProblem(
                        "not-found", "The node that took this upload does not have it; upload it again."
                    )
                async for piece in answer.pieces():
                    yield piece
        except TransportError:
            raise GatewayProblem(
                "unavailable", "The node that took this upload cannot be reached; nothing was sent. Upload it again."
            ) from None

    async def send_content(self, scope: Scope, send: Send) -> bool:
        """Answer a request of another node for the content of an upload; return False if it is for something else."""
        found = _CONTENT_PATH.fullmatch(scope["path"])
        if found is None:
            return False
        path = self._uploads.path(found[1])
        try:
            file = await open_file(path, "rb")
        except OSError:
            await refuse(scope, send, answer_of(GatewayProblem("not-found")))
            return True
        try:
            size = (await asyncio.to_thread(path.stat)).st_size
            headers = [(b"content-length", str(size).encode()), (b"content-type", b"application/octet-stream")]
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
            while piece := await asyncio.to_thread(file.read, _PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await asyncio.to_thread(file.close)
        return True
