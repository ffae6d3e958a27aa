"""Uploads and downloads of pictures, videos, stickers and files."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from webwx.client.people.identities import To
from webwx.client.retry import Backoff, retry
from webwx.client.sending import files
from webwx.client.sending.files import OpenedSource, Source
from webwx.client.sending.sender import Make, SendWay, StepKey, WantedSend
from webwx.errors import (
    ApiError,
    ProtocolError,
    SendOutcomeUnknown,
    StorageError,
    TransportError,
    UnknownContact,
    WxError,
)
from webwx.flows import media as media_flows
from webwx.flows import messages as message_flows
from webwx.model.contacts import ContactId
from webwx.model.messages import FileMessage, Message, Receipt
from webwx.protocol.codes import CHUNK_SIZE, MAX_FILE, Ret
from webwx.transport.download_sink import DownloadSink
from webwx.transport.file_chunks import FileChunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.identities import AccountIdentities, To
    from webwx.client.sending.rate_limiter import Limiter
    from webwx.client.sending.sender import Sender
    from webwx.flows.call import Flow
    from webwx.flows.media import Upload, UploadState
    from webwx.storage.tables.outbox import Outgoing

Progress = Callable[[int, int], object]
"""Called with the number of transferred bytes and the total; a total of 0: the size is unknown."""

MAX_IN_MEMORY = 64 * 1024 * 1024
"""Maximum bytes of a download into memory."""

_CHUNK_REPEATS = 5
_DOWNLOAD_TRIES = 3


class MediaTransfers:
    """
    Uploads and downloads of one account.

    Args:
        session: The account's session.
        storage: The account's storage.
        identities: Finds the contact that a caller means.
        sender: Sends uploaded media.
        limiter: Delays uploads.
    """

    def __init__(
        self,
        session: ClientSession,
        storage: AccountStorage,
        identities: AccountIdentities,
        sender: Sender,
        limiter: Limiter,
    ) -> None:
        self._session = session
        self._storage = storage
        self._identities = identities
        self._sender = sender
        self._limiter = limiter

    # -- uploads -----------------------------------------------------------------------------------------------------

    async def send_image(
        self, to: To, image: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        return await self._send_file(to, "image", files.prepare_image, image, name, progress, key)

    async def send_video(
        self, to: To, video: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        return await self._send_file(to, "video", files.prepare_video, video, name, progress, key)

    async def send_sticker(
        self, to: To, sticker: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        if isinstance(sticker, str) and re.fullmatch(r"[0-9a-fA-F]{32}", sticker):
            md5 = sticker.lower()
            wanted = WantedSend(to, "sticker", name, key, md5, is_named=bool(name))
            if key and (sent := await self._sender.sent_as(wanted)):
                return sent
            chat = await self._identities.target(to)
            way = SendWay(lambda client_id: message_flows.send_known_sticker(self._session.login, chat, md5, client_id))
            return await self._sender.send(wanted, chat, (way,))
        return await self._send_file(to, "sticker", files.prepare_sticker, sticker, name, progress, key)

    async def send_file(
        self, to: To, file: Source, *, name: str = "", progress: Progress | None = None, key: str = ""
    ) -> Receipt:
        return await self._send_file(to, "file", files.prepare_file, file, name, progress, key)

    async def queue_file(self, to: To, name: str, *, kind: str, key: str, sha256: str = "") -> Outgoing:
        """Store the send of a file in the outbox without sending it."""
        wanted = WantedSend(to, kind, name, key, sha256)
        try:
            contact = await self._identities.contact(to)
        except UnknownContact:
            if (row := await self._sender.stored_as(wanted)) is not None:
                return row
            raise
        return await self._sender.queue(wanted, contact.id)

    async def _send_file(
        self,
        to: To,
        kind: str,
        prepare: Callable[[OpenedSource, str], Upload],
        source: Source,
        name: str,
        progress: Progress | None,
        key: str,
    ) -> Receipt:
        """Check a file and send it; upload it again if the platform does not know the first upload any more."""
        wanted = WantedSend(to, kind, name, key, is_named=bool(name))
        try:
            chat = await self._identities.target(to)
        except WxError:
            if key and (sent := await self._sender.sent_as(wanted)):  # its receiver may not exist any more
                return sent
            raise
        with files.opened_source(source) as readable:
            try:
                file = await asyncio.to_thread(prepare, readable, name)
            except WxError as error:
                if key and (sent := await self._sender.sent_as(wanted)):  # a send that is done needs no file
                    return sent
                if key:
                    await self._sender.note_refusal(key, error)
                raise
            is_compared = key and not isinstance(key, StepKey)
            wanted = msgspec.structs.replace(
                wanted,
                text=file.name,
                content_id=await asyncio.to_thread(files.sha256_of, file.source) if is_compared else "",
            )
            way = SendWay(ready=lambda: self.uploaded(chat, kind, file, progress))
            return await self._sender.send(wanted, chat, (way, way))

    async def uploaded(self, chat: ContactId, kind: str, file: Upload, progress: Progress | None = None) -> Make:
        """Upload a file, from the start after a refusal, and return a function that makes the flow to send it."""
        upload = await self._limiter.run("uploads", lambda: self._upload(file, chat, progress))
        return lambda client_id: self._uploaded_flow(chat, kind, file, upload, client_id)

    def _uploaded_flow(
        self, chat: ContactId, kind: str, file: Upload, upload: UploadState, client_id: str
    ) -> Flow[str]:
        if kind == "file":
            return message_flows.send_file(self._session.login, chat, file, upload, client_id)
        if kind == "video":
            return message_flows.send_video(self._session.login, chat, upload.media_id, client_id)
        # The picture call would show the first frame of a GIF only.
        send = message_flows.send_sticker if file.content_type == files.GIF else message_flows.send_image
        return send(self._session.login, chat, upload.media_id, client_id)

    async def _upload(self, file: Upload, chat: ContactId, progress: Progress | None) -> UploadState:
        helper = self._session.login.profile.mmweb_appid
        state = media_flows.UploadState(
            to=chat,
            client_media_id=await self._session.next_media_id(),
            data_ticket=self._session.data_ticket(),
            random=secrets.token_hex(2) if helper else "",
            boundary=f"----webwxFormBoundary{secrets.token_hex(16)}",
        )
        if file.must_be_announced:
            state = await self._session.run(media_flows.announce_upload(self._session.login, file, state))
        if not state.media_id:
            is_parallel = file.must_be_announced and helper
            send_chunk = media_flows.upload_parallel_chunk if is_parallel else media_flows.upload_chunk
            # No other program can change bytes, or the file to which a stream was copied.
            md5 = file.md5 if isinstance(file.source, str) else ""
            async with FileChunks(file.size, md5, file.stamp) as windows:
                for chunk in range(file.chunks):
                    state = await self._persist(send_chunk, file, state, chunk, windows)
                    if progress is not None and chunk + 1 < file.chunks:
                        progress((chunk + 1) * CHUNK_SIZE, file.size)
            if not state.media_id:
                raise ProtocolError("The server accepted the file but returned no media id; no message was sent.")
        if progress is not None:
            progress(file.size, file.size)
        return state

    async def _persist(
        self,
        send_chunk: Callable[..., Flow[UploadState]],
        file: Upload,
        state: UploadState,
        chunk: int,
        windows: FileChunks,
    ) -> UploadState:
        """Upload one chunk, and retry where that is harmless, so that the upload need not start over."""
        is_last = chunk + 1 == file.chunks

        def is_worth_it(error: WxError, failures: int) -> bool:
            is_harmless = (
                error.ret == Ret.SYSTEM_ERROR
                if isinstance(error, ApiError)
                else not (is_last and isinstance(error, SendOutcomeUnknown))
            )
            return is_harmless and failures <= _CHUNK_REPEATS

        return await retry(
            lambda: self._session.run(send_chunk(self._session.login, file, state, chunk), windows.read),
            (ApiError, TransportError),
            is_worth_it=is_worth_it,
            backoff=Backoff(self._session.timeouts.retry, factor=1, jitter=0),
        )

    # -- downloads ---------------------------------------------------------------------------------------------------

    async def download(self, message: Message | Receipt | str, *, progress: Progress | None = None) -> bytes:
        taken = io.BytesIO()
        await self._take_media(message, taken, MAX_IN_MEMORY, progress)
        return taken.getvalue()

    async def download_to(
        self, message: Message | Receipt | str, to: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Path:
        await self._session.require_login()
        place = await asyncio.to_thread(files.Place, to)
        with place.begin() as file:
            sink = await self._take_media(message, file, MAX_FILE, progress)
            await asyncio.sleep(0)  # a cancelled call ends here and leaves no file
            return place.keep(file, _name(message, sink.start))

    async def download_thumbnail(self, message: Message | Receipt | str) -> bytes:
        message_id = message if isinstance(message, str) else message.message_id
        taken = io.BytesIO()
        await self.fetch(
            lambda sink: media_flows.download_thumbnail(self._session.login, message_id, sink), taken, MAX_IN_MEMORY
        )
        return taken.getvalue()

    async def _take_media(
        self, message: Message | Receipt | str, file: BinaryIO, limit: int, progress: Progress | None
    ) -> DownloadSink:
        """Write the media of a message to a file: archived ones, else downloaded ones."""
        size = _size(message)
        path = await self.archived_path(message)
        if path is not None:
            sink = DownloadSink(file, limit)
            if await _write_window(path, sink, size, progress):
                return sink
        return await self.fetch(self.download_flow(message), file, limit, size, progress)

    async def archived_path(self, message: Message | Receipt | str) -> Path | None:
        """Return the archived file of a message; None if no file was archived."""
        if not self._storage.has_journal or not self._session.login.user_id:
            return None
        message_id = message if isinstance(message, str) else message.message_id
        with contextlib.suppress(StorageError):  # without a readable archive the media are downloaded
            kept = await self._storage.part().media.find(message_id)
            return Path(kept.path) if kept is not None and kept.path else None
        return None

    def download_flow(self, message: Message | Receipt | str) -> Callable[[DownloadSink], Flow[None]]:
        """Return a function that makes the flow to download the media of a message."""
        wanted = message.message_id if isinstance(message, Receipt) else message
        return lambda sink: media_flows.download(self._session.login, wanted, sink, self._session.data_ticket())

    async def fetch(
        self,
        flow: Callable[[DownloadSink], Flow[None]],
        file: BinaryIO,
        limit: int,
        size: int = 0,
        progress: Progress | None = None,
        *,
        tries: int = _DOWNLOAD_TRIES,
    ) -> DownloadSink:
        """Download into a file, and retry if the media are not available yet or the connection is lost."""

        async def attempt() -> DownloadSink:
            file.seek(0)
            file.truncate()
            sink = DownloadSink(file, limit, None if progress is None else lambda done: progress(done, size))
            await self._session.run(flow(sink))
            return sink

        return await retry(
            attempt,
            (media_flows.NotThereYet, TransportError),
            is_worth_it=lambda _, failures: failures < tries,
            backoff=Backoff(self._session.timeouts.retry, jitter=0),
        )


async def _write_window(path: Path, sink: DownloadSink, size: int, progress: Progress | None) -> bool:
    """Copy an archived file to a download; return False if it is missing or was changed."""
    digest, windows = hashlib.sha256(), _windows(path)

    def write_window() -> bool:
        window = next(windows, b"")
        digest.update(window)
        sink.write(window)
        return bool(window)

    while await asyncio.to_thread(write_window):
        if progress is not None:
            progress(sink.size, size)  # here and not in the thread, as for a download
    return digest.hexdigest() == path.name


def _windows(path: Path) -> Iterator[bytes]:
    """Read a file in pieces, and stop silently at an error."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        while window := file.read(CHUNK_SIZE):
            yield window


def _size(message: Message | Receipt | str) -> int:
    return getattr(message, "size", 0)


def _name(message: Message | Receipt | str, start: bytes) -> str:
    if isinstance(message, FileMessage):
        return message.name
    message_id = message if isinstance(message, str) else message.message_id
    return f"{message_id}{files.extension_of(start)}"
