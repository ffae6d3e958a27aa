"""Upload by chunks, download with suspicion: failures come as JSON, HTML or nothing, with status 200."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import ApiError, MediaUnavailable, ProtocolError
from webwx.flows.call import Flow, call, judge
from webwx.protocol.codec import FilePart, percent_decode, read_json, write_json
from webwx.protocol.codes import CHUNK_SIZE, Ret
from webwx.protocol.http import Read
from webwx.protocol.login import BaseResponse, Reply
from webwx.protocol.media import (
    GETMSGIMG,
    UPLOAD,
    ImageDownloadRequest,
    UploadRequest,
    UploadTicket,
    image_type,
)

if TYPE_CHECKING:
    from webwx.model.login import Login


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file on its way to the server."""

    source: str | bytes
    """Its path, or its bytes."""
    name: str
    size: int
    md5: str
    """Of the whole file, in hex."""
    content_type: str
    kind: str
    """`pic`, `video` or `doc`."""
    modified: str = ""
    """When it was changed last, as a browser writes it."""

    def __repr__(self) -> str:
        return f"Upload({self.size} bytes)"


def upload(login: Login, file: Upload, to: str, client_media_id: int, data_ticket: str) -> Flow[str]:
    """
    Upload a file in chunks, in order; gives its media id.

    Raises:
        ApiError: The server refused a chunk, or named no media at the end.

    Wire: webwxuploadmedia

    """
    ticket = UploadTicket(
        credentials=login.credentials, client_media_id=client_media_id, total_len=file.size, data_len=file.size,
        from_user_name=login.user_id, to_user_name=to, file_md5=file.md5,
    )  # fmt: skip
    chunks = -(-file.size // CHUNK_SIZE)
    media_id = ""
    for chunk in range(chunks):
        content: bytes = yield Read(source=file.source, start=chunk * CHUNK_SIZE, size=CHUNK_SIZE)
        request = UploadRequest(
            name=file.name, type=file.content_type, last_modified_date=file.modified, size=file.size,
            chunks=str(chunks) if chunks > 1 else "", chunk=str(chunk) if chunks > 1 else "", mediatype=file.kind,
            uploadmediarequest=write_json(ticket).decode(), webwx_data_ticket=data_ticket,
            pass_ticket=percent_decode(login.pass_ticket),
            filename=FilePart(name=file.name, content_type=file.content_type, content=content),
        )  # fmt: skip
        media_id = (yield from call(UPLOAD, request, login.hosts)).media_id
    if not media_id:
        raise ApiError("webwxuploadmedia: the server took the file but named no media.", endpoint=UPLOAD.name)
    return media_id


def download_image(login: Login, message_id: str) -> Flow[bytes]:
    """
    Download the picture of a message.

    Raises:
        MediaUnavailable: Recalled, expired, or not there yet.
        LoggedOut: The login ended.

    Wire: webwxgetmsgimg

    """
    request = ImageDownloadRequest(message_id=message_id, skey=login.credentials.skey)
    media = yield from call(GETMSGIMG, request, login.hosts)
    if image_type(media.content[:16]):
        return media.content
    try:
        said = read_json(media.content, Reply).base_response
    except ProtocolError:
        said = BaseResponse()  # a page, or nothing at all
    if said.ret != Ret.SYSTEM_ERROR:
        judge(GETMSGIMG.name, said.ret, said.err_msg)
    raise MediaUnavailable(
        "The server has no picture for this message: it was recalled, has expired, or is not there yet."
    )
