"""Uploads of files to a gateway, which sends them, and downloads of media from it."""

from __future__ import annotations

import asyncio
import io
import re
from typing import TYPE_CHECKING, NoReturn

from webwx.client.remote.missing import not_offered
from webwx.client.sending import files
from webwx.errors import NotThroughGateway
from webwx.protocol.codes import CHUNK_SIZE, MAX_FILE
from webwx.protocol.http import Read
from webwx.representations.messages import DOWNLOAD_MEDIA, SHOW_THUMBNAIL
from webwx.representations.sends import DELETE_UPLOAD, UPLOAD_FILE, FileToSend, UploadQuery, UploadView
from webwx.transport.download_sink import DownloadSink
from webwx.transport.file_chunks import FileChunks

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from webwx.client.people.identities import To
    from webwx.client.remote.calls import GatewayCalls
    from webwx.client.remote.history import RemoteHistory
    from webwx.client.remote.messages import RemoteMessages
    from webwx.client.sending.files import OpenedSource, Source
    from webwx.client.sending.media import Progress
    from webwx.flows.media import Upload
    from webwx.model.messages import Message, Receipt
    from webwx.representations.sends import MediaKind

_MD5 = re.compile(r"[0-9a-f]{32}")

_IN_MEMORY = 64 * 1024 * 1024
"""Maximum size of a download that is returned as bytes."""


class RemoteMedia:
    """
    Uploads to a gateway, and downloads from it.

    Args:
        calls: Calls of the gateway.
        messages: Sends the uploads.
        history: Finds messages.
    """

    def __init__(self, calls: GatewayCalls, messages: RemoteMessages, history: RemoteHistory) -> None:
        self._calls = calls
        self._messages = messages
        self._history = history

    async def send_image(
        self, to: To, image: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a picture; a GIF is sent as a sticker."""
        return await self._send(to, "image", image, files.prepare_image, name, progress, key)

    async def send_video(
        self, to: To, video: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a video."""
        return await self._send(to, "video", video, files.prepare_video, name, progress, key)

    async def send_sticker(
        self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a GIF as a sticker."""
        if isinstance(sticker, str) and _MD5.fullmatch(sticker):
            raise NotThroughGateway("A client of a gateway sends a sticker as a GIF, not by its md5.")
        return await self._send(to, "sticker", sticker, files.prepare_sticker, name, progress, key)

    async def send_file(
        self, to: To, file: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        """Send a file of any kind."""
        return await self._send(to, "file", file, files.prepare_file, name, progress, key)

    async def queue_file(self, to: To, name: str, *, kind: str, key: str, sha256: str) -> NoReturn:  # noqa: ARG002 - it is refused
        """Refuse."""
        raise not_offered("queue_file")

    async def _send(
        self,
        to: To,
        kind: MediaKind,
        source: Source,
        prepare: Callable[[OpenedSource, str], Upload],
        name: str,
        progress: Progress | None,
        key: str,
    ) -> Receipt:
        with files.opened_source(source) as readable:
            file = await asyncio.to_thread(prepare, readable, name)
            upload = await self._upload(file, progress)
        try:
            wanted = FileToSend(upload_id=upload.upload_id, name=file.name, kind=kind)
            return await self._messages.send_upload(to, wanted, key=key)
        finally:
            await self._calls.call(DELETE_UPLOAD, upload.upload_id)

    async def _upload(self, file: Upload, progress: Progress | None) -> UploadView:
        """Stream a file to the gateway, with one piece at a time in memory."""
        return await self._calls.upload(
            UPLOAD_FILE, query=UploadQuery(name=file.name), pieces=lambda: _pieces(file, progress), size=file.size
        )

    # -- downloads ---------------------------------------------------------------------------------------------------

    async def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        """Return the media of a message."""
        content = io.BytesIO()
        number = await self._history.number_of(message)
        await self._download(number, DownloadSink(content, _IN_MEMORY, _counting(message, progress)))
        return content.getvalue()

    async def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        """Save the media of a message into a file, and return its path."""
        place = await asyncio.to_thread(files.Place, to)
        with place.begin() as file:
            sink = DownloadSink(file, MAX_FILE, _counting(message, progress))
            number = await self._history.number_of(message)
            await self._download(number, sink)
            await asyncio.sleep(0)  # a cancelled call ends here and leaves no file
            named = getattr(message, "name", "") or f"{number}{files.extension_of(sink.start)}"
            return place.keep(file, named)

    async def _download(self, number: int, sink: DownloadSink) -> None:
        await self._calls.download(DOWNLOAD_MEDIA, number, sink=sink)

    async def download_thumbnail(self, message: Message | Receipt | str) -> bytes:
        """Return the thumbnail of a message."""
        content = io.BytesIO()
        number = await self._history.number_of(message)
        await self._calls.download(SHOW_THUMBNAIL, number, sink=DownloadSink(content, _IN_MEMORY))
        return content.getvalue()


def _counting(message: object, progress: Progress | None) -> Callable[[int], object] | None:
    size = getattr(message, "size", 0)
    return None if progress is None else lambda done: progress(done, size)


async def _pieces(file: Upload, progress: Progress | None) -> AsyncIterator[bytes]:
    """Yield a file in pieces, and refuse to yield the last one if the file was changed meanwhile."""
    md5 = file.md5 if isinstance(file.source, str) else ""
    async with FileChunks(file.size, md5, file.stamp) as chunks:
        for start in range(0, file.size, CHUNK_SIZE):
            yield bytes(await chunks.read(Read(source=file.source, start=start, size=CHUNK_SIZE)))
            if progress is not None:
                progress(min(start + CHUNK_SIZE, file.size), file.size)
