"""Text, picture by reference, recall, and the notice that a chat was read. `Type` and `Scene` decide nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.protocol.codes import Ret, StatusNotify
from webwx.protocol.content import read_image
from webwx.protocol.messages import (
    IMAGE,
    RECALL,
    STATUSNOTIFY,
    TEXT,
    ImageRequest,
    OutgoingImage,
    OutgoingText,
    RecallReply,
    RecallRequest,
    SendReply,
    StatusNotifyReply,
    StatusNotifyRequest,
    TextRequest,
)
from webwx.sandbox.refusals import Refused
from webwx.sandbox.visit import Visit, answers

if TYPE_CHECKING:
    from webwx.sandbox.pictures import Picture

_INTRODUCTION = "你可以撤回2分钟内发送的消息（部分旧版本微信不支持这个功能）。"


@answers(TEXT)
def send_text(visit: Visit, request: TextRequest) -> SendReply:
    """Deliver a text."""
    return _send(visit, request.msg, text=request.msg.content)


@answers(IMAGE)
def send_image(visit: Visit, request: ImageRequest) -> SendReply:
    """Deliver a picture: an upload of this session, or one that its content names, recalled or not."""
    picture = _picture(visit, request.msg)
    reply = _send(visit, request.msg, picture=picture)
    if visit.world.switches.silent_changes:
        visit.session.stream.add_silent()
        visit.world.wake(visit.session.person.id)
    return reply


@answers(RECALL)
def recall(visit: Visit, request: RecallRequest) -> RecallReply:
    """Take a message back. Only `SvrMsgId` counts: clients send anything as `ClientMsgId`."""
    visit.world.post.take_back(visit.session.person, request.svr_msg_id)
    return RecallReply(introduction=_INTRODUCTION, sys_wording="已撤回")


@answers(STATUSNOTIFY)
def notify(visit: Visit, request: StatusNotifyRequest) -> StatusNotifyReply:
    """Clear a chat's unread count on the phone, or let the phone greet a new client; other codes do nothing."""
    session = visit.session
    match request.code:
        case StatusNotify.READ:
            session.person.mark_read(session.known(request.to_user_name))
        case StatusNotify.INITED:
            return StatusNotifyReply(msg_id=visit.world.post.greet(session.person))
    return StatusNotifyReply(msg_id=visit.world.post.new_id())


def _send(
    visit: Visit, outgoing: OutgoingText | OutgoingImage, *, text: str = "", picture: Picture | None = None
) -> SendReply:
    session, world = visit.session, visit.world
    earlier = session.earlier(outgoing, world.now) if world.switches.fold_repeats else ""
    if earlier:
        return SendReply(msg_id=earlier, local_id=outgoing.local_id)
    to = session.known(outgoing.to_user_name)
    message = world.post.send(session.person, to, text=text, picture=picture, by=session)
    if world.switches.fold_repeats:
        session.accepted[outgoing] = (world.now, message.id)
    return SendReply(msg_id=message.id, local_id=outgoing.local_id)


def _picture(visit: Visit, outgoing: OutgoingImage) -> Picture:
    if outgoing.media_id:
        picture = visit.session.media.get(outgoing.media_id)
    else:
        # Pages forward the `<br/>` they were delivered, also where XML has no room for one: before the root.
        attributes = read_image(outgoing.content.replace("<br/>", "\n"))
        picture = visit.world.pictures.find(attributes) if attributes else None
    if picture is None:
        raise Refused(Ret.SYSTEM_ERROR)
    return picture
