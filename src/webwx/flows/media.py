"""
Upload by chunks, download with suspicion.

An upload is cut where its caller may wait and try again: one flow announces a file, one sends a chunk. A failed
download comes as JSON, HTML or nothing, with status 200: what came is judged by its length, first bytes and digest.
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
"""Characters of a name inside a part's header, encoded; longer ones have been refused."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file on its way to the server."""

    source: str | bytes | BinaryIO
    """Its path, its bytes, or an open file."""
    name: str
    size: int
    md5: str
    """Of the whole file, in hex."""
    content_type: str
    kind: str
    """`pic`, `video` or `doc`."""
    modified: str = ""
    """When it was changed last, as a browser writes it."""
    look: tuple[int, int, int, int, int] | None = None
    """How the file looked when its digest was made, if each change since then shows; for what reads it."""

    def __repr__(self) -> str:
        return f"Upload({self.size} bytes)"

    @property
    def chunks(self) -> int:
        """How many chunks it goes in."""
        return -(-self.size // CHUNK_SIZE)

    @property
    def must_be_announced(self) -> bool:
        """Whether the server wants to hear of it first."""
        return self.size > CHECK_ABOVE


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """What all chunks of one upload have in common, besides the file."""

    to: str
    """Who will get it; others may as well."""
    client_media_id: int
    data_ticket: str
    """The file host's cookie, which every upload shows."""
    boundary: str
    """What parts a chunk from the fields beside it; see `FilePart`."""
    random: str = ""
    """Four characters that File Transfer Helper's page puts into the address."""
    aes_key: str = ""
    signature: str = ""
    upload_id: str = ""
    """Of a parallel upload, once its first chunk was taken."""
    media_id: str = ""
    """The upload, once it is complete."""

    def __repr__(self) -> str:
        return "Passage(***)"


def announce_upload(login: Login, file: Upload, passage: Passage) -> Flow[Passage]:
    """
    Announce a file above 25 MiB; return the passage with its keys, or complete if the server has the file already.

    Raises:
        InvalidLogin: The login has no cookie of the file host; nothing was sent.

    Wire: webwxcheckupload
    """
    _require(passage.data_ticket)
    request = CheckUploadRequest(
        credentials=login.credentials, from_user_name=login.user_id, to_user_name=passage.to, file_name=file.name,
        file_size=file.size, file_md5=file.md5,
    )  # fmt: skip
    reply = yield from call(CHECKUPLOAD, request, login.hosts)
    return msgspec.structs.replace(passage, aes_key=reply.aes_key, signature=reply.signature, media_id=reply.media_id)


def upload_chunk(login: Login, file: Upload, passage: Passage, chunk: int) -> Flow[Passage]:
    """
    Upload one chunk, counted from 0; the passage is complete with the last one.

    Raises:
        ApiError: The server refused it; with Ret -1 it may be sent again.
        SendOutcomeUnknown: Its answer was lost. Any chunk but the last may be sent again.
        LocalStateError: The file has become shorter meanwhile.
        InvalidLogin: The login has no cookie of the file host; nothing was sent.

    Wire: webwxuploadmedia

    """
    _require(passage.data_ticket)
    several = file.chunks > 1
    ticket = UploadTicket(
        credentials=login.credentials, client_media_id=passage.client_media_id, total_len=file.size,
        data_len=file.size, from_user_name=login.user_id, to_user_name=passage.to, file_md5=file.md5,
        aes_key=passage.aes_key or msgspec.UNSET, signature=passage.signature or msgspec.UNSET,
    )  # fmt: skip
    request = UploadRequest(
        random=passage.random, name=file.name, type=file.content_type, last_modified_date=file.modified,
        size=file.size, chunks=str(file.chunks) if several else "", chunk=str(chunk) if several else "",
        mediatype=file.kind, uploadmediarequest=write_json(ticket).decode(), webwx_data_ticket=passage.data_ticket,
        pass_ticket=percent_decode(login.pass_ticket),
        filename=FilePart(
            name=transport_name(file.name), content_type=file.content_type, content=(yield from _read(file, chunk)),
            boundary=passage.boundary,
        ),
    )  # fmt: skip
    reply = yield from call(UPLOAD, request, login.hosts)
    return msgspec.structs.replace(passage, media_id=reply.media_id)


def upload_parallel_chunk(login: Login, file: Upload, passage: Passage, chunk: int) -> Flow[Passage]:
    """
    Upload one chunk of an announced file on File Transfer Helper; the first one's answer names the upload.

    Raises:
        ApiError: The server refused it; with Ret -1 it may be sent again.
        SendOutcomeUnknown: Its answer was lost. Any chunk but the last may be sent again.
        LocalStateError: The file has become shorter meanwhile.
        InvalidLogin: The login has no cookie of the file host; nothing was sent.

    Wire: webwxuploadmediaparallel

    """
    _require(passage.data_ticket)
    ticket = ParallelTicket(
        signature=passage.signature, aes_key=passage.aes_key, file_md5=file.md5, total_len=file.size,
        chunks=file.chunks, name=file.name, chunk=chunk, credentials=login.credentials,
        upload_id=passage.upload_id or msgspec.UNSET,
    )  # fmt: skip
    request = ParallelUploadRequest(
        random=passage.random, pass_ticket=percent_decode(login.pass_ticket),
        webwx_data_ticket=passage.data_ticket, ticket=write_json(ticket).decode(),
        filename=FilePart(name="blob", content=(yield from _read(file, chunk)), boundary=passage.boundary),
    )  # fmt: skip
    reply = yield from call(PARALLELUPLOAD, request, login.hosts)
    return msgspec.structs.replace(passage, upload_id=passage.upload_id or reply.upload_id, media_id=reply.media_id)


def _require(data_ticket: str) -> None:
    """Check the cookie that the file host requires."""
    if not data_ticket:
        raise InvalidLogin("The login has no cookie webwx_data_ticket for the file host; log out, and log in again.")


def _read(file: Upload, chunk: int) -> Flow[Buffer]:
    start = chunk * CHUNK_SIZE
    content: Buffer = yield Read(source=file.source, start=start, size=CHUNK_SIZE)
    if len(content) != min(CHUNK_SIZE, file.size - start):
        raise LocalStateError("The file was changed while it was uploaded; nothing was sent to anybody.")
    return content


def transport_name(name: str) -> str:
    """
    Return the file name for the part's header: shortened, without characters that could end the header.

    The receiver sees the real name, which is a form field of its own.
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
    """Where a download goes, and what is known of it afterwards."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def start(self) -> bytes:
        """The first bytes, at least 512 if the body has as many."""
        ...

    @property
    def md5(self) -> str:
        """Of all of it, in hex."""
        ...


class NotThereYet(MediaUnavailable):
    """Nothing came, or not all of it: worth another try."""


class BrokeOff(NotThereYet):
    """Less came than was announced: it is there, and the network is to blame."""


@dataclass(frozen=True, kw_only=True, repr=False)
class _Wanted:
    """One download: how it is asked for, and how it is known."""

    endpoint: Endpoint[Any, Any]
    request: msgspec.Struct
    what: str
    """For the error's text."""
    is_one: Callable[[bytes], object]
    """Checks by the first bytes whether the body is the requested kind of media."""
    size: int = 0
    md5: str = ""


def download(login: Login, message: Message | str, sink: DownloadTarget, data_ticket: str = "") -> Flow[None]:
    """
    Download what a message shows; of a bare id it is taken to be a picture.

    Args:
        login: Whose message it is.
        message: A picture, sticker, voice, video, file or location.
        sink: Where it goes.
        data_ticket: The file host's cookie, which a file is asked for with.

    Raises:
        MediaUnavailable: Recalled, expired, not there yet, or something else came; a sticker of the store before any
            request.
        InvalidLogin: The login has no cookie of the file host, and it is a file; nothing was asked for.
        LoggedOut: The login ended.

    Wire: webwxgetmsgimg, webwxgetvoice, webwxgetvideo, webwxgetmedia, webwxgetpubliclinkimg

    """
    yield from _fetch(login, _wanted(login, message, data_ticket), sink)


def download_thumbnail(login: Login, message_id: str, sink: DownloadTarget) -> Flow[None]:
    """
    Download the small picture of a picture, a video, a link or a location.

    Raises:
        MediaUnavailable: It has none, or not any more.
        LoggedOut: The login ended.

    Wire: webwxgetmsgimg

    """
    yield from _fetch(login, _picture(login, message_id, "slave"), sink)


def _wanted(login: Login, message: Message | str, data_ticket: str) -> _Wanted:
    skey = login.credentials.skey
    match message:
        case VoiceMessage():
            voice = VoiceDownloadRequest(message_id=message.message_id, skey=skey, range="bytes=0-")
            return _Wanted(endpoint=GETVOICE, request=voice, what="voice", is_one=is_voice)
        case VideoMessage():
            video = VideoDownloadRequest(message_id=message.message_id, skey=skey, range="bytes=0-")
            return _Wanted(endpoint=GETVIDEO, request=video, what="video", is_one=is_video)
        case FileMessage():
            return _file(login, message, data_ticket)
        case LocationMessage():
            place = MapPictureRequest(msgid=message.message_id)
            return _Wanted(endpoint=GETPUBLICLINKIMG, request=place, what="map", is_one=image_type)
        case StickerMessage(is_available=False):
            raise MediaUnavailable("The web is given no stickers of the store; a phone shows this one.")
        case StickerMessage():
            return _picture(login, message.message_id, "big")
        case Message():
            return _picture(login, message.message_id)
        case _:
            return _picture(login, message)


def _picture(login: Login, message_id: str, size: str = "") -> _Wanted:
    request = ImageDownloadRequest(message_id=message_id, skey=login.credentials.skey, type=size)
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


def judge_medium(name: str, start: bytes) -> None:
    """
    Raise what a refusal means that came in place of a medium; anything else means nothing.

    Raises:
        ApiError: As `judge`, but for Ret -1, which only says that there is no such medium.
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
            raise BrokeOff(f"{name}: the {wanted.what} broke off.")
        return
    judge_medium(name, sink.start)
    sentence = f"The server has no {wanted.what} for this message: it was recalled, has expired, or is not there yet."
    raise (MediaUnavailable if sink.size else NotThereYet)(sentence)


def _is_cut_off(response: Response, size: int) -> bool:
    """Return whether the answer announced more bytes than arrived."""
    announced = "" if response.header("Content-Encoding") else response.header("Content-Length")
    _, _, whole = response.header("Content-Range").partition("/")
    return any(number.isdecimal() and int(number) != size for number in (announced, whole))
