"""Upload of a file in chunks, download of a picture."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from webwx.protocol.codec import Media, number
from webwx.protocol.codes import Ret
from webwx.protocol.media import (
    GETMSGIMG,
    UPLOAD,
    ImageDownloadRequest,
    UploadReply,
    UploadRequest,
    UploadTicket,
)
from webwx.sandbox.refusals import Refused
from webwx.sandbox.visit import Visit, answers, upload_ticket


@answers(UPLOAD)
def upload(visit: Visit, request: UploadRequest) -> UploadReply:
    """
    Take a chunk; the answer to the last one names the media.

    `ClientMediaId` alone does not tell two files apart: one client makes it from whole seconds.
    """
    session = visit.session
    ticket = upload_ticket(request)
    name = re.split(r"[/\\]", request.name or request.filename.name)[-1]
    key = (ticket.client_media_id, ticket.file_md5 or f"{ticket.total_len} {name}")
    chunks = session.uploads.setdefault(key, {})
    chunks[number(request.chunk, 0)] = request.filename.content
    received = sum(len(chunk) for chunk in chunks.values())
    if len(chunks) < number(request.chunks, 1):
        return UploadReply(start_pos=received)
    content = b"".join(chunk for _, chunk in sorted(session.uploads.pop(key).items()))
    _check_whole(content, ticket)
    picture = visit.world.pictures.add(content)
    media_id = visit.world.logins.new_media_id()
    session.media[media_id] = picture
    return UploadReply(
        media_id=media_id,
        start_pos=received,
        cdn_thumb_img_height=picture.thumbnail_height,
        cdn_thumb_img_width=picture.thumbnail_width,
        encry_file_name=quote(name, safe="").replace(".", "%2E"),
    )


@answers(GETMSGIMG)
def download(visit: Visit, request: ImageDownloadRequest) -> Media:
    """Give a picture by the message that shows it, whole whatever size was asked for; nothing once it is recalled."""
    message = visit.world.post.message(request.message_id, visit.session.person)
    is_gone = message.is_recalled and visit.world.switches.media_after_recall == "gone"
    if message.picture is None or is_gone:
        raise Refused(Ret.SYSTEM_ERROR)
    return Media(content_type=message.picture.content_type, content=message.picture.content)


def _check_whole(content: bytes, ticket: UploadTicket) -> None:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if (ticket.total_len and len(content) != ticket.total_len) or ticket.file_md5.lower() not in {"", md5}:
        raise Refused(Ret.PARAMETER_ERROR)
