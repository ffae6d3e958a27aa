"""
Upload in chunks, and download with checks.

An upload is split where its caller may wait and retry: one flow announces a file, one sends a chunk. A failed download
is answered with status 200 and JSON, HTML or nothing, so the length, the first bytes and the digest are checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import msgspec

from webwx.errors import InvalidLogin, LocalStateError, MediaUnavailable
from webwx.flows.call import Flow, call, exchange, judge
from webwx.model.messages import FileMessage, LocationMessage, Message, StickerMessage, VideoMessage, VoiceMessage
from webwx.protocol.codec import FilePart, percent_decode, percent_encode, write_json
from webwx.protocol.codes import CHECK_ABOVE, CHUNK_SIZE, Ret
from webwx.protocol.http import Read, Sink
from webwx.protocol.media import (
    CHECKUPLOAD,
    GETMEDIA,
    GETMSGIMG,
    GETPUBLICLINKIMG,
    GETVIDEO,
    GETVOICE,
    PARALLELUPLOAD,
    UPLOAD,
    CheckUploadRequest,
    FileDownloadRequest,
    ImageDownloadRequest,
    MapPictureRequest,
    ParallelTicket,
    ParallelUploadRequest,
    UploadRequest,
    UploadTicket,
    VideoDownloadRequest,
    VoiceDownloadRequest,
    image_type,
    is_video,
    is_voice,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.model.login import Login
    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.http import Buffer, Response

# -- upload ----------------------------------------------------------------------------------------------------------

LONGEST_TRANSPORT_NAME = 120
"""Maximum length in characters of an encoded name in a part's header; the platform has refused longer ones."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file to upload."""

    source: str | bytes | BinaryIO
    """Path of the file, its bytes, or an open file."""
    name: str
    size: int
    md5: str
    """Hex MD5 of the whole file."""
    content_type: str
    kind: str
    """`pic`, `video` or `doc`: how the platform treats it."""
    modified: str = ""
    """Time of the last change, in a browser's format."""
    stamp: tuple[int, int, int, int, int] | None = None
    """Stat of the file when its digest was computed, if every later change is visible in it; None otherwise."""

    def __repr__(self) -> str:
        return f"Upload({self.size} bytes)"

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self.size // CHUNK_SIZE)

    @property
    def must_be_announced(self) -> bool:
        """Whether the server requires an announcement."""
        return self.size > CHECK_ABOVE


class UploadState(msgspec.Struct, frozen=True, kw_only=True):
    """State of one upload, shared by all its chunks."""

    to: str
    """Id of the receiver; the upload can be sent to others as well."""
    client_media_id: int
    data_ticket: str
    """Value of the file host's cookie."""
    boundary: str
    """Separator of the parts of a chunk's request; see `FilePart`."""
    random: str = ""
    """Four characters that File Transfer Helper's page adds to the query."""
    aes_key: str = ""
    signature: str = ""
    upload_id: str = ""
    """Id of a parallel upload, from the answer to its first chunk."""
    media_id: str = ""
    """Id of the upload; empty until it is complete."""

    def __repr__(self) -> str:
        return "UploadState(***)"


def announce_upload(login: Login, file: Upload, state: UploadState) -> Flow[UploadState]:
    """
    Announce a file above 25 MiB; return the state with its keys, or complete if the server has the file already.

    Raises:
        InvalidLogin: The login has no cookie of the file host; nothing was sent.

    Wire: webwxcheckupload
    """
    _require(state.data_ticket)
    request = CheckUploadRequest(
        credentials=login.credentials, from_user_name=login.user_id, to_user_name=state.to, file_name=file.name,
        file_size=file.size, file_md5=file.md5,
    )  # fmt: skip
    reply = yield from call(CHECKUPLOAD, request, login.hosts)
    return msgspec.structs.replace(state, aes_key=reply.aes_key, signature=reply.signature, media_id=reply.media_id)


def upload_chunk(login: Login, file: Upload, state: UploadState, chunk: int) -> Flow[UploadState]:
    """
    Upload one chunk, counted from 0; with the last one the upload is complete.

    Raises:
        ApiError: The server refused it; after Ret -1 it may be sent again.
        SendOutcomeUnknown: The answer was lost. Any chunk except the last may be sent again.
        LocalStateError: The file has become shorter meanwhile.
        InvalidLogin: The login has no cookie of the file host; nothing was sent.

    Wire: webwxuploadmedia
    """
    _require(state.data_ticket)
    several = file.chunks > 1
    ticket = UploadTicket(
        credentials=login.credentials, client_media_id=state.client_media_id, total_len=file.size,
        data_len=file.size, from_user_name=login.user_id, to_user_name=state.to, file_md5=file.md5,
        aes_key=state.aes_key or msgspec.UNSET, signature=state.signature or msgspec.UNSET,
    )  # fmt: skip
    request = UploadRequest(
        random=state.random, id="" if login.profile.mmweb_appid else "WU_FILE_0",
        name=file.name, type=file.content_type, last_modified_date=file.modified,
        size=file.size, chunks=str(file.chunks) if several else "", chunk=str(chunk) if several else "",
        mediatype=file.kind, uploadmediarequest=write_json(ticket).decode(), webwx_data_ticket=state.data_ticket,
        pass_ticket=percent_decode(login.pass_ticket),
        filename=FilePart(
            name=transport_name(file.name), content_type=file.content_type, content=(yield from _read(file, chunk)),
            boundary=state.boundary,
        ),
    )  # fmt: skip
    reply = yield from call(UPLOAD, request, login.hosts)
    return msgspec.structs.replace(state, media_id=reply.media_id)


def upload_parallel_chunk(login: Login, file: Upload, state: UploadState, chunk: int) -> Flow[UploadState]:
    """
    Upload one chunk of an announced file on File Transfer Helper; the first answer contains the id of the upload.

    Raises:
        ApiError: The server refused it; after Ret -1 it may be sent again.
        SendOutcomeUnknown: The answer was lost. Any chunk except the last may be sent again.
        LocalStateError: The file has become shorter meanwhile.
        InvalidLogin: The login has no cookie of the file host; nothing was sent.

    Wire: webwxuploadmediaparallel
    """
    _require(state.data_ticket)
    ticket = ParallelTicket(
        signature=state.signature, aes_key=state.aes_key, file_md5=file.md5, total_len=file.size,
        chunks=file.chunks, name=file.name, chunk=chunk, credentials=login.credentials,
        upload_id=state.upload_id or msgspec.UNSET,
    )  # fmt: skip
    request = ParallelUploadRequest(
        random=state.random, pass_ticket=percent_decode(login.pass_ticket),
        webwx_data_ticket=state.data_ticket, ticket=write_json(ticket).decode(),
        filename=FilePart(name="blob", content=(yield from _read(file, chunk)), boundary=state.boundary),
    )  # fmt: skip
    reply = yield from call(PARALLELUPLOAD, request, login.hosts)
    return msgspec.structs.replace(state, upload_id=state.upload_id or reply.upload_id, media_id=reply.media_id)


def _require(data_ticket: str) -> None:
    """Check that there is a cookie of the file host."""
    if not data_ticket:
        raise InvalidLogin("The login has no cookie webwx_data_ticket for the file host; log out and log in again.")


def _read(file: Upload, chunk: int) -> Flow[Buffer]:
    start = chunk * CHUNK_SIZE
    content: Buffer = yield Read(source=file.source, start=start, size=CHUNK_SIZE)
    if len(content) != min(CHUNK_SIZE, file.size - start):
        raise LocalStateError("The file was changed during the upload; no message was sent.")
    return content


def transport_name(name: str) -> str:
    """
    Return the file name for the part's header: shortened, without characters that could end the header.

    The receiver sees the real name, which is sent in another field.
    """
    plain = re.sub(r"[\x00-\x1f\x7f\"\\/]", "", name)
    stem, dot, extension = plain.rpartition(".")
    if not dot or len(percent_encode(extension)) > LONGEST_TRANSPORT_NAME // 2:
        stem, dot, extension = plain, "", ""
    while len(percent_encode(stem + dot + extension)) > LONGEST_TRANSPORT_NAME:
        stem = stem[:-1]
    return stem + dot + extension


# -- download --------------------------------------------------------------------------------------------------------


class DownloadTarget(Sink, Protocol):
    """Receives a download, and knows its size, its first bytes and its digest."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    @property
    def start(self) -> bytes:
        """The first bytes, at least 512 if the body has as many."""
        ...

    @property
    def md5(self) -> str:
        """Hex MD5 of all bytes."""
        ...


class NotThereYet(MediaUnavailable):
    """The body is empty or incomplete; a retry may succeed."""


class BrokeOff(NotThereYet):
    """Fewer bytes arrived than were announced; the connection failed."""


@dataclass(frozen=True, kw_only=True, repr=False)
class _Wanted:
    """One download: its request, and how to check its body."""

    endpoint: Endpoint[Any, Any]
    request: msgspec.Struct
    what: str
    """Kind of media, for the error's text."""
    is_one: Callable[[bytes], object]
    """Checks by the first bytes whether the body is media of the requested kind."""
    size: int = 0
    md5: str = ""


def download(login: Login, message: Message | str, sink: DownloadTarget, data_ticket: str = "") -> Flow[None]:
    """
    Download the media of a message; a bare id means a picture.

    Args:
        login: The login.
        message: A picture, sticker, voice, video, file or location.
        sink: Receives the body.
        data_ticket: The file host's cookie, needed for a file.

    Raises:
        MediaUnavailable: The media are recalled, expired or not available yet, or the body is something else; for a
            sticker of the store, before any request.
        InvalidLogin: The message is a file, and the login has no cookie of the file host; nothing was requested.
        LoggedOut: The login ended.

    Wire: webwxgetmsgimg, webwxgetvoice, webwxgetvideo, webwxgetmedia, webwxgetpubliclinkimg
    """
    yield from _fetch(login, _wanted(login, message, data_ticket), sink)


def download_thumbnail(login: Login, message_id: str, sink: DownloadTarget) -> Flow[None]:
    """
    Download the thumbnail of a picture, a video, a link or a location.

    Raises:
        MediaUnavailable: There is no thumbnail, or it is not available any more.
        LoggedOut: The login ended.

    Wire: webwxgetmsgimg
    """
    yield from _fetch(login, _picture(login, message_id, "slave"), sink)


def _wanted(login: Login, message: Message | str, data_ticket: str) -> _Wanted:
    skey, helper = login.credentials.skey, login.profile.mmweb_appid
    match message:
        case VoiceMessage():
            voice = VoiceDownloadRequest(
                message_id=message.message_id, skey=skey, mmweb_appid=helper, range="bytes=0-"
            )  # fmt: skip
            return _Wanted(endpoint=GETVOICE, request=voice, what="voice", is_one=is_voice)
        case VideoMessage():
            video = VideoDownloadRequest(
                message_id=message.message_id, skey=skey, mmweb_appid=helper, range="bytes=0-"
            )  # fmt: skip
            return _Wanted(endpoint=GETVIDEO, request=video, what="video", is_one=is_video)
        case FileMessage():
            return _file(login, message, data_ticket)
        case LocationMessage():
            place = MapPictureRequest(msgid=message.message_id)
            return _Wanted(endpoint=GETPUBLICLINKIMG, request=place, what="map", is_one=image_type)
        case StickerMessage(is_available=False):
            raise MediaUnavailable(
                "Stickers of the sticker store are not available on the web; open this one on the phone."
            )
        case StickerMessage():
            return _picture(login, message.message_id, "big")
        case Message():
            return _picture(login, message.message_id)
        case _:
            return _picture(login, message)


def _picture(login: Login, message_id: str, size: str = "") -> _Wanted:
    request = ImageDownloadRequest(
        message_id=message_id, skey=login.credentials.skey, mmweb_appid=login.profile.mmweb_appid, type=size
    )
    return _Wanted(endpoint=GETMSGIMG, request=request, what="picture", is_one=image_type)


def _file(login: Login, message: FileMessage, data_ticket: str) -> _Wanted:
    _require(data_ticket)
    helper = login.profile.mmweb_appid
    request = FileDownloadRequest(
        # The chat is `FromUserName` in messages of others; in one's own messages that is the account itself.
        sender=login.user_id if message.is_self else message.chat,
        mediaid=message.media_id,
        encryfilename=message.encrypted_name,
        filename="" if message.encrypted_name else message.name,
        fromuser=str(login.credentials.uin),
        pass_ticket=login.pass_ticket,
        webwx_data_ticket=data_ticket,
        sid=str(login.credentials.sid) if helper else "",
        mmweb_appid=helper,
    )
    return _Wanted(
        endpoint=GETMEDIA, request=request, what="file", is_one=_is_no_refusal, size=message.size, md5=message.md5
    )


_RET = re.compile(rb'"Ret"\s*:\s*(-?\d{1,9})')


def _is_no_refusal(start: bytes) -> bool:
    return not (start.lstrip().startswith(b"{") and b'"BaseResponse"' in start)


def check_media(name: str, start: bytes) -> None:
    """
    Raise the exception of a refusal that came instead of media; do nothing for other bytes.

    Raises:
        ApiError: As `judge`, except for Ret -1, which only means that these media do not exist.
    """
    refused = _RET.search(start) if not _is_no_refusal(start) else None
    if refused and int(refused[1]) != Ret.SYSTEM_ERROR:
        judge(name, int(refused[1]))


def _fetch(login: Login, wanted: _Wanted, sink: DownloadTarget) -> Flow[None]:
    name = wanted.endpoint.name
    response = yield from exchange(wanted.endpoint, wanted.request, login.hosts, sink=sink)
    is_whole = wanted.size in {0, sink.size} and wanted.md5.lower() in {"", sink.md5}
    if sink.size and response.status < HTTPStatus.MULTIPLE_CHOICES and wanted.is_one(sink.start) and is_whole:
        if _is_cut_off(response, sink.size):
            raise BrokeOff(f"{name}: the {wanted.what} is incomplete.")
        return
    check_media(name, sink.start)
    sentence = f"The server has no {wanted.what} for this message: it was recalled, has expired, or is not there yet."
    raise (MediaUnavailable if sink.size else NotThereYet)(sentence)


def _is_cut_off(response: Response, size: int) -> bool:
    """Return whether the answer announced more bytes than arrived."""
    announced = "" if response.header("Content-Encoding") else response.header("Content-Length")
    _, _, whole = response.header("Content-Range").partition("/")
    return any(number.isdecimal() and int(number) != size for number in (announced, whole))
