"""
Media: uploads in chunks, announced and parallel ones, and a download for each kind.

Limits and the signs of a failed download: docs/protocol/media.md.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from webwx.protocol.codec import MEDIA, MULTIPART, FilePart, Media, Wire
from webwx.protocol.endpoint import Endpoint, In, InQuery, Where
from webwx.protocol.hosts import Host
from webwx.protocol.http import TimeLimit
from webwx.protocol.login import Credentials, Reply

IMAGE_TYPES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}
"""First bytes of the pictures that the platform shows."""


def image_type(start: bytes) -> str:
    """Return a picture's media type by its first bytes; empty if it is not a picture."""
    return next((kind for magic, kind in IMAGE_TYPES.items() if start.startswith(magic)), "")


def picture_type(start: bytes) -> str:
    """Return the media type of a picture that browsers show: also WebP, which the platform sends as a file."""
    return "image/webp" if start[:4] == b"RIFF" and start[8:12] == b"WEBP" else image_type(start)


def is_video(start: bytes) -> bool:
    """Return whether a file starts like a video of the MPEG-4 family: mp4, mov, 3gp."""
    return start[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free"}


def is_voice(start: bytes) -> bool:
    """Return whether a file starts like a voice message: mp3, with or without a tag, or the phone's AMR."""
    is_mp3_frame = len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0
    return is_mp3_frame or start.startswith((b"ID3", b"#!AMR"))


class UploadTicket(Wire, frozen=True, kw_only=True):
    """`uploadmediarequest`: JSON inside a form field."""

    upload_type: int = 2
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    client_media_id: int = 0
    """Milliseconds since 1970; equal for all chunks of a file."""
    total_len: int = 0
    start_pos: int = 0
    data_len: int = 0
    """Length of the whole file, in every chunk."""
    media_type: int = 4
    from_user_name: str = ""
    to_user_name: str = ""
    file_md5: str = ""
    aes_key: str | msgspec.UnsetType = msgspec.field(name="AESKey", default=msgspec.UNSET)
    """AES key from `webwxcheckupload`, for files above 25 MiB."""
    signature: str | msgspec.UnsetType = msgspec.UNSET
    """Signature from `webwxcheckupload`, for files above 25 MiB."""

    def __repr__(self) -> str:
        return "UploadTicket(***)"


class UploadRequest(Wire, frozen=True, kw_only=True, rename=None):
    """One chunk of a file."""

    f: InQuery[str] = "json"
    random: InQuery[str] = ""
    """Four characters, File Transfer Helper only."""
    id: str = "WU_FILE_0"
    """Number of the file on the page; File Transfer Helper sends none."""
    name: str = ""
    """Name of the file that the receiver sees."""
    type: str = ""
    """Media type of the file."""
    last_modified_date: str = msgspec.field(name="lastModifiedDate", default="")
    size: int = 0
    chunks: str = ""
    """Number of chunks, if there are several."""
    chunk: str = ""
    """Index of this chunk from 0, if there are several."""
    mediatype: str = "doc"
    """`pic`, `video` or `doc`."""
    uploadmediarequest: str
    """An `UploadTicket` as JSON."""
    webwx_data_ticket: str = ""
    pass_ticket: str = ""
    """Decoded once from its form in the XML."""
    filename: FilePart

    def __repr__(self) -> str:
        return "UploadRequest(***)"


class UploadReply(Reply, frozen=True, kw_only=True):
    """Result of a chunk; the last one contains the media id."""

    media_id: str = ""
    """Empty until the last chunk; if empty then, the upload failed."""
    start_pos: int = 0
    """Size of the file in the last answer, 0 in those before."""
    cdn_thumb_img_height: int = msgspec.field(name="CDNThumbImgHeight", default=0)
    cdn_thumb_img_width: int = msgspec.field(name="CDNThumbImgWidth", default=0)
    encry_file_name: str | msgspec.UnsetType = ""
    """Name of the file, percent-encoded; absent in the answer to OPTIONS."""


UPLOAD = Endpoint(
    name="webwxuploadmedia", method="POST", host=Host.FILE, path="/cgi-bin/mmwebwx-bin/webwxuploadmedia",
    request=UploadRequest, reply=UploadReply, body=MULTIPART, repeatable=False, time_limit=TimeLimit.BULK,
    purpose="upload, in chunks of 512 KiB",
)  # fmt: skip


class ImageDownloadRequest(Wire, frozen=True, kw_only=True):
    """Download a picture by its message."""

    message_id: Annotated[str, In(Where.QUERY, "MsgID")] = ""
    skey: InQuery[str] = ""
    mmweb_appid: InQuery[str] = ""
    """Sent by File Transfer Helper only."""
    type: InQuery[str] = ""
    """Empty for the full picture, `slave` for a thumbnail, `big` for a sticker."""

    def __repr__(self) -> str:
        return "ImageDownloadRequest(***)"


GETMSGIMG = Endpoint(
    name="webwxgetmsgimg", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgetmsgimg",
    request=ImageDownloadRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK,
    purpose="download a picture",
)  # fmt: skip


# -- announced and parallel uploads ----------------------------------------------------------------------------------

LARGE_FILE = 7
"""`FileType` of a large file."""


class CheckUploadRequest(Wire, frozen=True, kw_only=True):
    """Announce a file above 25 MiB, which the server may already have."""

    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    from_user_name: str = ""
    to_user_name: str = ""
    file_name: str = ""
    file_size: int = 0
    file_md5: str = ""
    file_type: int = LARGE_FILE

    def __repr__(self) -> str:
        return f"CheckUploadRequest({self.file_size} bytes)"


class CheckUploadReply(Reply, frozen=True, kw_only=True):
    """Keys for the upload, or the id of a file that the server has."""

    media_id: str = ""
    """If not empty, the server has the file: send it with this id."""
    aes_key: str = msgspec.field(name="AESKey", default="")
    signature: str = ""
    encry_file_name: str = ""

    def __repr__(self) -> str:
        return f"CheckUploadReply(ret={self.base_response.ret})"


CHECKUPLOAD = Endpoint(
    name="webwxcheckupload", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxcheckupload",
    request=CheckUploadRequest, reply=CheckUploadReply, purpose="announce a file above 25 MiB",
)  # fmt: skip


class ParallelTicket(Wire, frozen=True, kw_only=True):
    """`UploadMediaParallelRequest`: JSON inside a form field."""

    signature: str = ""
    aes_key: str = msgspec.field(name="AESKey", default="")
    file_md5: str = msgspec.field(name="FileMD5", default="")
    """With the platform's capitals, which differ from every other call."""
    total_len: int = 0
    chunks: int = 0
    name: str = ""
    chunk: int = 0
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    upload_id: str | msgspec.UnsetType = msgspec.field(name="UploadID", default=msgspec.UNSET)
    """From the first chunk's answer; absent in the first chunk."""

    def __repr__(self) -> str:
        return f"ParallelTicket(chunk={self.chunk})"


class ParallelUploadRequest(Wire, frozen=True, kw_only=True, rename=None):
    """One chunk of a large file, on File Transfer Helper."""

    f: InQuery[str] = "json"
    random: InQuery[str] = ""
    """Four characters."""
    pass_ticket: str = ""
    webwx_data_ticket: str = ""
    ticket: str = msgspec.field(name="UploadMediaParallelRequest")
    """A `ParallelTicket` as JSON."""
    filename: FilePart

    def __repr__(self) -> str:
        return "ParallelUploadRequest(***)"


class ParallelUploadReply(Reply, frozen=True, kw_only=True):
    """Result of a chunk; the answer that completes the file contains the media id."""

    upload_id: str = msgspec.field(name="UploadID", default="")
    media_id: str = ""


PARALLELUPLOAD = Endpoint(
    name="webwxuploadmediaparallel", method="POST", host=Host.FILE,
    path="/cgi-bin/mmwebwx-bin/webwxuploadmediaparallel", request=ParallelUploadRequest, reply=ParallelUploadReply,
    body=MULTIPART, repeatable=False, time_limit=TimeLimit.BULK, purpose="upload a large file on File Transfer Helper",
)  # fmt: skip


# -- downloads -------------------------------------------------------------------------------------------------------


class VoiceDownloadRequest(Wire, frozen=True, kw_only=True):
    """Download a voice message: mp3."""

    message_id: Annotated[str, In(Where.QUERY, "msgid")] = ""
    skey: InQuery[str] = ""
    mmweb_appid: InQuery[str] = ""
    """Sent by File Transfer Helper only."""
    range: Annotated[str, In(Where.HEADER, "Range")] = ""
    """`bytes=0-` for the whole file; without this header a video is empty."""

    def __repr__(self) -> str:
        return "VoiceDownloadRequest(***)"


GETVOICE = Endpoint(
    name="webwxgetvoice", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgetvoice",
    request=VoiceDownloadRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK,
    purpose="download a voice message",
)  # fmt: skip


class VideoDownloadRequest(Wire, frozen=True, kw_only=True):
    """Download a video. Without `Range` the body is empty."""

    message_id: Annotated[str, In(Where.QUERY, "msgid")] = ""
    skey: InQuery[str] = ""
    mmweb_appid: InQuery[str] = ""
    """Sent by File Transfer Helper only."""
    range: Annotated[str, In(Where.HEADER, "Range")] = ""
    """`bytes=0-` for the whole file; without this header a video is empty."""

    def __repr__(self) -> str:
        return "VideoDownloadRequest(***)"


GETVIDEO = Endpoint(
    name="webwxgetvideo", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgetvideo",
    request=VideoDownloadRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK, purpose="download a video",
)  # fmt: skip


class FileDownloadRequest(Wire, frozen=True, kw_only=True):
    """Download a received file."""

    sender: InQuery[str] = ""
    """`FromUserName` of the message; in a chatroom the chatroom."""
    mediaid: InQuery[str] = ""
    encryfilename: InQuery[str] = ""
    """`EncryFileName` of the message, unchanged."""
    filename: InQuery[str] = ""
    """`FileName` of the message, if it has no `EncryFileName`."""
    fromuser: InQuery[str] = ""
    """`uin` of the account."""
    pass_ticket: InQuery[str] = ""
    webwx_data_ticket: InQuery[str] = ""
    sid: InQuery[str] = ""
    """Sent by File Transfer Helper only."""
    mmweb_appid: InQuery[str] = ""

    def __repr__(self) -> str:
        return "FileDownloadRequest(***)"


GETMEDIA = Endpoint(
    name="webwxgetmedia", method="GET", host=Host.FILE, path="/cgi-bin/mmwebwx-bin/webwxgetmedia",
    request=FileDownloadRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK, purpose="download a file",
)  # fmt: skip


class MapPictureRequest(Wire, frozen=True, kw_only=True):
    """Download the map of a location message; its content has the address."""

    url: InQuery[str] = "xxx"
    """Always this text."""
    msgid: InQuery[str] = ""
    pictype: InQuery[str] = "location"

    def __repr__(self) -> str:
        return "MapPictureRequest(***)"


GETPUBLICLINKIMG = Endpoint(
    name="webwxgetpubliclinkimg", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgetpubliclinkimg",
    request=MapPictureRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK,
    purpose="map picture of a location message",
)  # fmt: skip


class PreviewRequest(Wire, frozen=True, kw_only=True):
    """Download an upload of this session."""

    fun: InQuery[str] = "preview"
    mediaid: InQuery[str] = ""

    def __repr__(self) -> str:
        return "PreviewRequest(***)"


PREVIEW = Endpoint(
    name="webwxpreview", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxpreview", also=("POST",),
    request=PreviewRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK,
    purpose="download an upload of this session",
)  # fmt: skip
