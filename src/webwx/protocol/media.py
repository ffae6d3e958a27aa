"""Media: upload of a picture, download of one."""

from __future__ import annotations

from typing import Annotated

import msgspec

from webwx.protocol.codec import MEDIA, MULTIPART, FilePart, Media, Wire
from webwx.protocol.endpoint import Endpoint, Host, In, InQuery, Where
from webwx.protocol.http import Patience
from webwx.protocol.login import Credentials, Reply

IMAGE_TYPES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}
"""How the pictures begin that the platform shows."""


def image_type(start: bytes) -> str:
    """Tell a picture's media type by its first bytes; empty when it is none."""
    return next((kind for magic, kind in IMAGE_TYPES.items() if start.startswith(magic)), "")


class UploadTicket(Wire, frozen=True, kw_only=True):
    """`uploadmediarequest`: JSON inside a form field."""

    upload_type: int = 2
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    client_media_id: int = 0
    """Milliseconds since 1970; the same for all chunks of a file."""
    total_len: int = 0
    start_pos: int = 0
    data_len: int = 0
    """The whole file's length, whatever the chunk."""
    media_type: int = 4
    from_user_name: str = ""
    to_user_name: str = ""
    file_md5: str = ""

    def __repr__(self) -> str:
        return "UploadTicket(***)"


class UploadRequest(Wire, frozen=True, kw_only=True, rename=None):
    """One chunk of a file."""

    f: InQuery[str] = "json"
    id: str = "WU_FILE_0"
    name: str = ""
    """The file's true name."""
    type: str = ""
    """Its media type."""
    last_modified_date: str = msgspec.field(name="lastModifiedDate", default="")
    size: int = 0
    chunks: str = ""
    """Number of chunks, when there are several."""
    chunk: str = ""
    """Which one this is, from 0, when there are several."""
    mediatype: str = "doc"
    """`pic`, `video` or `doc`."""
    uploadmediarequest: str
    """An `UploadTicket` as JSON."""
    webwx_data_ticket: str = ""
    pass_ticket: str = ""
    """Decoded once."""
    filename: FilePart

    def __repr__(self) -> str:
        return "UploadRequest(***)"


class UploadReply(Reply, frozen=True, kw_only=True):
    """The server took the chunk; the last answer names the media."""

    media_id: str = ""
    """Empty until the last chunk; empty then means failure."""
    start_pos: int = 0
    cdn_thumb_img_height: int = msgspec.field(name="CDNThumbImgHeight", default=0)
    cdn_thumb_img_width: int = msgspec.field(name="CDNThumbImgWidth", default=0)
    encry_file_name: str = ""


UPLOAD = Endpoint(
    name="webwxuploadmedia", method="POST", host=Host.FILE, path="/cgi-bin/mmwebwx-bin/webwxuploadmedia",
    request=UploadRequest, reply=UploadReply, body=MULTIPART, repeatable=False, patience=Patience.BULK,
    purpose="upload, in chunks of 512 KiB",
)  # fmt: skip


class ImageDownloadRequest(Wire, frozen=True, kw_only=True):
    """Download a picture by its message."""

    message_id: Annotated[str, In(Where.QUERY, "MsgID")] = ""
    skey: InQuery[str] = ""
    type: InQuery[str] = ""
    """Empty: the full picture; `slave`: a thumbnail; `big`: a sticker."""

    def __repr__(self) -> str:
        return "ImageDownloadRequest(***)"


GETMSGIMG = Endpoint(
    name="webwxgetmsgimg", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgetmsgimg",
    request=ImageDownloadRequest, reply=Media, reply_shape=MEDIA, patience=Patience.BULK,
    purpose="download a picture",
)  # fmt: skip
