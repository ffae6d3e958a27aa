"""Uploads, plain, announced and parallel, and a download for each kind of media; a refused download is empty."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from webwx.protocol.codec import Media, number
from webwx.protocol.codes import CHECK_ABOVE, Ret
from webwx.protocol.http import Response
from webwx.protocol.media import (
    CHECKUPLOAD,
    GETMEDIA,
    GETMSGIMG,
    GETPUBLICLINKIMG,
    GETVIDEO,
    GETVOICE,
    PARALLELUPLOAD,
    PREVIEW,
    UPLOAD,
    CheckUploadReply,
    CheckUploadRequest,
    FileDownloadRequest,
    ImageDownloadRequest,
    MapPictureRequest,
    ParallelUploadReply,
    ParallelUploadRequest,
    PreviewRequest,
    UploadReply,
    UploadRequest,
    UploadTicket,
    VideoDownloadRequest,
    VoiceDownloadRequest,
    image_type,
)
from webwx.sandbox.call import Call, handles, parallel_ticket, upload_ticket
from webwx.sandbox.errors import Refused
from webwx.sandbox.media import encrypted_name
from webwx.sandbox.pictures import STILL, as_jpeg, thumbnail

if TYPE_CHECKING:
    from webwx.sandbox.media import MediaFile
    from webwx.sandbox.people import WorldMessage

# -- uploads ---------------------------------------------------------------------------------------------------------


@handles(UPLOAD)
def upload(call: Call, request: UploadRequest) -> UploadReply:
    """
    Store a chunk; the answer to the last one contains the media id.

    `ClientMediaId` alone does not distinguish two files: one client derives it from whole seconds.
    """
    session = call.session
    ticket = upload_ticket(request)
    _check_signature(call, ticket)
    name = re.split(r"[/\\]", request.name or request.filename.name)[-1]
    key = (ticket.client_media_id, ticket.file_md5 or f"{ticket.total_len} {name}")
    chunks = session.uploads.setdefault(key, {})
    chunks[number(request.chunk, 0)] = bytes(request.filename.content)
    received = sum(len(chunk) for chunk in chunks.values())
    if len(chunks) < number(request.chunks, 1):
        return UploadReply(encry_file_name=encrypted_name(name))
    content = b"".join(chunk for _, chunk in sorted(session.uploads.pop(key).items()))
    _check_whole(content, ticket.total_len, ticket.file_md5)
    media_file = call.world.media.add(content, name)
    return UploadReply(
        media_id=_new_media_id(call, media_file),
        start_pos=received,
        cdn_thumb_img_height=media_file.thumbnail_height,
        cdn_thumb_img_width=media_file.thumbnail_width,
        encry_file_name=media_file.encrypted_name,
    )


@handles(CHECKUPLOAD)
def check_upload(call: Call, request: CheckUploadRequest) -> CheckUploadReply:
    """Return the keys of an announced file; also its media id if the same bytes were uploaded before."""
    session, rng = call.session, call.world.rng
    # Reversed, so that the same seed never creates this secret equal to a name, which is not secret.
    signature = session.announced.setdefault(request.file_md5.lower(), rng.randbytes(32)[::-1].hex())
    call.world.issued.add(signature)
    known = call.world.media.known(request.file_md5, request.file_size)
    return CheckUploadReply(
        media_id=_new_media_id(call, known) if known else "",
        aes_key=rng.randbytes(16).hex(),
        signature=signature,
        encry_file_name=encrypted_name(request.file_name),
    )


@handles(PARALLELUPLOAD)
def upload_parallel(call: Call, request: ParallelUploadRequest) -> ParallelUploadReply:
    """Store a chunk of an announced file: first chunk 0, then the others in any order."""
    session = call.session
    ticket = parallel_ticket(request)
    if session.announced.get(ticket.file_md5.lower(), "") != ticket.signature or not ticket.signature:
        raise Refused(Ret.PARAMETER_ERROR)
    upload_id = ticket.upload_id or ""
    if not upload_id and ticket.chunk == 0:
        upload_id = call.world.logins.new_media_id()
        session.parallel[upload_id] = {}
    chunks = session.parallel.get(upload_id)
    if chunks is None:
        raise Refused(Ret.SYSTEM_ERROR)
    chunks[ticket.chunk] = bytes(request.filename.content)
    if len(chunks) < ticket.chunks:
        return ParallelUploadReply(upload_id=upload_id)
    content = b"".join(chunk for _, chunk in sorted(session.parallel.pop(upload_id).items()))
    _check_whole(content, ticket.total_len, ticket.file_md5)
    return ParallelUploadReply(
        upload_id=upload_id, media_id=_new_media_id(call, call.world.media.add(content, ticket.name))
    )


def _new_media_id(call: Call, media_file: MediaFile) -> str:
    """Return an id of a media file that is valid in this session only."""
    media_id = call.world.logins.new_media_id()
    call.session.media[media_id] = media_file
    return media_id


def _check_signature(call: Call, ticket: UploadTicket) -> None:
    if call.world.options.large_files == "strict" and ticket.total_len > CHECK_ABOVE:
        expected = call.session.announced.get(ticket.file_md5.lower())
        if not expected or ticket.signature != expected:
            raise Refused(Ret.PARAMETER_ERROR)


def _check_whole(content: bytes, size: int, md5: str) -> None:
    has = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if (size and len(content) != size) or md5.lower() not in {"", has}:
        raise Refused(Ret.PARAMETER_ERROR)


# -- downloads -------------------------------------------------------------------------------------------------------


@handles(GETMSGIMG)
def download(call: Call, request: ImageDownloadRequest) -> Media:
    """
    Return a picture, its thumbnail, or a sticker; for other media with a thumbnail, a grey tile.

    A picture comes as JPEG. A sticker is never converted, because that would end its animation.
    """
    message = _message_with_media(call, request.message_id)
    if message.kind in {"image", "sticker"} and message.media_file:
        content = message.media_file.content
        if message.kind == "image" and request.type == "slave":
            content = thumbnail(content)
        elif message.kind == "image" and call.world.options.picture_format == "jpeg":
            content = as_jpeg(content)
        call.digest, call.modified = hashlib.md5(content, usedforsecurity=False).hexdigest(), message.time
        return Media(content_type=image_type(content) or message.media_file.content_type, content=content)
    if message.kind in {"video", "link", "location"} and request.type == "slave":
        return Media(content_type="image/jpeg", content=STILL)
    raise Refused(Ret.SYSTEM_ERROR)


@handles(GETVOICE)
def download_voice(call: Call, request: VoiceDownloadRequest) -> Media:
    """Return a voice message, or the requested range of it."""
    _, media_file = _of_kind(call, request.message_id, "voice")
    voice = _whole(media_file)
    return _range(call, voice, request.range) if request.range else voice


@handles(GETVIDEO)
def download_video(call: Call, request: VideoDownloadRequest) -> Media:
    """Return the requested range of a video; without `Range`, an empty body."""
    message, video = _of_kind(call, request.message_id, "video")
    part = _range(call, _whole(video), request.range)
    if part.content:
        call.digest, call.modified = video.md5, message.time
    return part


@handles(GETMEDIA)
def download_file(call: Call, request: FileDownloadRequest) -> Media:
    """Return a received file by its media id; by an option, web clients do not receive large ones."""
    media_file = call.session.media.get(request.mediaid)
    is_large = media_file is not None and len(media_file.content) > CHECK_ABOVE
    if media_file is None or (is_large and call.world.options.large_files == "strict"):
        raise Refused(Ret.SYSTEM_ERROR)
    file = Media(content_type="application/octet-stream", content=media_file.content)
    call.instead = Response(
        headers=(
            ("Content-Type", file.content_type),
            ("Content-Disposition", f'attachment; filename="{media_file.encrypted_name}"'),
        ),
        body=file.content,
    )
    return file


@handles(GETPUBLICLINKIMG)
def download_map(call: Call, request: MapPictureRequest) -> Media:
    """Return the map of a location: a grey tile."""
    if _message_with_media(call, request.msgid).kind != "location":
        raise Refused(Ret.SYSTEM_ERROR)
    return Media(content_type="image/jpeg", content=STILL)


@handles(PREVIEW)
def preview(call: Call, request: PreviewRequest) -> Media:
    """Return an upload of this session."""
    media_file = call.session.media.get(request.mediaid)
    if media_file is None:
        raise Refused(Ret.SYSTEM_ERROR)
    return _whole(media_file)


def _message_with_media(call: Call, message_id: str) -> WorldMessage:
    """
    Find a message whose media are still available.

    Raises:
        Refused: This person has no such message, or it was recalled.
    """
    message = call.world.delivery.message(message_id, call.session.person)
    if message.is_recalled and call.world.options.media_after_recall == "gone":
        raise Refused(Ret.SYSTEM_ERROR)
    return message


def _of_kind(call: Call, message_id: str, kind: str) -> tuple[WorldMessage, MediaFile]:
    message = _message_with_media(call, message_id)
    if message.kind != kind or message.media_file is None:
        raise Refused(Ret.SYSTEM_ERROR)
    return message, message.media_file


def _whole(media_file: MediaFile) -> Media:
    return Media(content_type=media_file.content_type, content=media_file.content)


_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


def _range(call: Call, media_file: Media, wanted: str) -> Media:
    """Return the requested part of a media file with status 206; without a range, an empty body."""
    found = _RANGE.fullmatch(wanted.strip())
    size = len(media_file.content)
    first = int(found[1]) if found else size
    last = min(int(found[2]), size - 1) if found and found[2] else size - 1
    if first > last:
        return Media(content_type=media_file.content_type)
    call.status = 206
    call.instead = Response(
        headers=(
            ("Content-Type", media_file.content_type),
            ("Content-Range", f"bytes {first}-{last}/{size}"),
            ("Accept-Ranges", "bytes"),
        ),
        body=media_file.content[first : last + 1],
    )
    return media_file
