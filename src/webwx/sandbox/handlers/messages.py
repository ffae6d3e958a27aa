"""
Sends of every kind, recall, and the notice that a chat was read.

The path decides what is sent; `Scene` is ignored. Only a location has the same path as a text and differs in `Type`.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.appmsg import read_app
from webwx.protocol.codec import Media, number, tag_text, write_json
from webwx.protocol.codes import CHECK_ABOVE, AppMessageType, MessageType, Ret, StatusNotify
from webwx.protocol.content import read_attributes, read_image, read_xml
from webwx.protocol.http import Response
from webwx.protocol.messages import (
    APP,
    CHECKURL,
    IMAGE,
    RECALL,
    STATUSNOTIFY,
    STICKER,
    TEXT,
    VIDEO,
    AppRequest,
    CheckUrlRequest,
    ImageRequest,
    OutgoingApp,
    OutgoingImage,
    OutgoingSticker,
    OutgoingText,
    OutgoingVideo,
    RecallReply,
    RecallRequest,
    SendReply,
    StatusNotifyReply,
    StatusNotifyRequest,
    StickerRequest,
    TextRequest,
    VideoRequest,
)
from webwx.sandbox import contents
from webwx.sandbox.call import Call, handles
from webwx.sandbox.errors import Refused

if TYPE_CHECKING:
    from webwx.sandbox.media import MediaFile
    from webwx.sandbox.people import MessageContent

_LINK = re.compile(r"https?://[!-~]+")

_INTRODUCTION = "你可以撤回2分钟内发送的消息（部分旧版本微信不支持这个功能）。"


@handles(TEXT)
def send_text(call: Call, request: TextRequest) -> SendReply:
    """Deliver a text, or a forwarded location."""
    content = request.msg.content
    if request.msg.type == MessageType.LOCATION:
        return _send(call, request.msg, _location(content))
    return _send(call, request.msg, contents.text(content))


def _location(xml: str) -> MessageContent:
    place = read_attributes(xml, "location")
    try:
        return contents.location(float(place["x"]), float(place["y"]), place.get("label", ""), place.get("poiname", ""))
    except (KeyError, ValueError):
        raise Refused(Ret.PARAMETER_ERROR) from None


@handles(IMAGE)
def send_image(call: Call, request: ImageRequest) -> SendReply:
    """Deliver a picture: an upload of this session, or one that its content names, recalled or not."""
    reply = _send(call, request.msg, contents.image(_picture(call, request.msg)))
    if call.world.options.silent_changes:
        call.session.stream.add_silent()
        call.world.wake(call.session.person.id)
    return reply


@handles(VIDEO)
def send_video(call: Call, request: VideoRequest) -> SendReply:
    """Deliver a video: an upload of this session, or one that its content names."""
    outgoing = request.msg
    if outgoing.media_id:
        media_file, seconds = call.session.media.get(outgoing.media_id), 0
    else:
        keys = read_attributes(outgoing.content.replace("<br/>", "\n"), "videomsg")
        media_file, seconds = call.world.media.find(keys), number(keys.get("playlength"), 0)
    return _send(call, outgoing, contents.video(call.session.person, _found(media_file), seconds))


@handles(STICKER)
def send_sticker(call: Call, request: StickerRequest) -> SendReply:
    """Deliver a sticker: an upload of this session, or any sticker that was sent before, by its md5."""
    outgoing = request.msg
    if outgoing.media_id:
        media_file = call.session.media.get(outgoing.media_id)
    else:
        media_file = call.world.media.find({"md5": outgoing.emoticon_md5 or ""})
    return _send(call, outgoing, contents.sticker(call.session.person, _found(media_file)))


@handles(APP)
def send_file(call: Call, request: AppRequest) -> SendReply:
    """Deliver a file: an upload of this session, or a received one. Other app messages are mostly refused today."""
    title, media_id = _file_in(request.msg.content)
    media_file = _found(call.session.media.get(media_id))
    if call.world.options.large_files == "strict" and len(media_file.content) > CHECK_ABOVE:
        signature = call.session.announced.get(media_file.md5)
        if not signature or request.msg.signature != signature:
            raise Refused(Ret.SYSTEM_ERROR)
    named = msgspec.structs.replace(media_file, name=title)
    return _send(call, request.msg, contents.file(call.session.person, named))


def _file_in(xml: str) -> tuple[str, str]:
    """Return the name and the media id of a file. Clients do not escape the name, so `a <b>.txt` is not valid XML."""
    content = read_app(xml) if read_xml(xml) is not None else None
    if content and content.type == AppMessageType.FILE and content.attachment and content.attachment.id:
        return content.title, content.attachment.id
    media_id = tag_text(xml, "attachid")
    if media_id is None or tag_text(xml, "type") != str(int(AppMessageType.FILE)):
        raise Refused(Ret.PARAMETER_ERROR)
    return unescape(tag_text(xml, "title") or ""), media_id


@handles(RECALL)
def recall(call: Call, request: RecallRequest) -> RecallReply:
    """Recall a message by `SvrMsgId`; clients send any value as `ClientMsgId`."""
    call.world.delivery.recall(call.session.person, request.svr_msg_id)
    return RecallReply(introduction=_INTRODUCTION, sys_wording="已撤回")


@handles(CHECKURL)
def check_url(call: Call, request: CheckUrlRequest) -> Media:
    """Redirect a clicked link."""
    if not _LINK.fullmatch(request.requrl):
        raise Refused(Ret.PARAMETER_ERROR)
    call.status = 302
    call.instead = Response(headers=(("Location", request.requrl),))
    return Media(content_type="text/html")


@handles(STATUSNOTIFY)
def notify(call: Call, request: StatusNotifyRequest) -> StatusNotifyReply:
    """Clear a chat's unread count on the phone, or send a new client the recent chats; other codes do nothing."""
    session = call.session
    match request.code:
        case StatusNotify.READ:
            call.world.mark_read(session.person, session.known(request.to_user_name))
        case StatusNotify.INITED:
            return StatusNotifyReply(msg_id=call.world.delivery.send_recent_chats(session.person))
    return StatusNotifyReply(msg_id=call.world.delivery.new_id())


_Outgoing = OutgoingText | OutgoingImage | OutgoingVideo | OutgoingSticker | OutgoingApp


def _send(call: Call, outgoing: _Outgoing, content: MessageContent) -> SendReply:
    session, world = call.session, call.world
    key = write_json(outgoing) if world.options.fold_repeats else b""
    earlier = session.earlier(key, world.now) if key else ""
    if earlier:
        return SendReply(msg_id=earlier, local_id=outgoing.local_id)
    to = session.known(outgoing.to_user_name)
    message = world.delivery.send(session.person, to, content, by=session)
    if key:
        session.accepted[key] = (world.now, message.id)
    return SendReply(msg_id=message.id, local_id=outgoing.local_id)


def _picture(call: Call, outgoing: OutgoingImage) -> MediaFile:
    if outgoing.media_id:
        picture = call.session.media.get(outgoing.media_id)
    else:
        # Pages forward the `<br/>` they were delivered, also where XML has no room for one: before the root.
        attributes = read_image(outgoing.content.replace("<br/>", "\n"))
        picture = call.world.media.find(attributes) if attributes else None
    return _found(picture)


def _found(media_file: MediaFile | None) -> MediaFile:
    if media_file is None:
        raise Refused(Ret.SYSTEM_ERROR)
    return media_file
