"""Send, mark as read, recall, forward: the customer's four, exactly as that document shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import ApiError, EmptyText, RecallRefused, TextTooLong
from webwx.flows.call import Flow, call
from webwx.protocol.codes import MAX_TEXT, Ret, StatusNotify
from webwx.protocol.messages import (
    FORWARD_SCENE,
    IMAGE,
    RECALL,
    STATUSNOTIFY,
    TEXT,
    ImageRequest,
    OutgoingImage,
    OutgoingText,
    RecallRequest,
    StatusNotifyRequest,
    TextRequest,
)

if TYPE_CHECKING:
    from webwx.model.login import Login
    from webwx.model.messages import Receipt
    from webwx.protocol.login import Credentials


def check_text(text: str) -> None:
    """
    Refuse what cannot be sent as one text.

    Raises:
        EmptyText: No character.
        TextTooLong: More than 16,000 characters.
    """
    if not text:
        raise EmptyText("There is no text to send.")
    if len(text) > MAX_TEXT:
        raise TextTooLong(f"The text has {len(text):,} characters; one message takes at most {MAX_TEXT:,}.")


def send_text(login: Login, to: str, text: str, client_id: str, *, scene: int = 0) -> Flow[str]:
    """
    Send a text; gives the server's id of the message.

    Raises:
        EmptyText: No character; nothing was sent.
        TextTooLong: More than 16,000 characters; nothing was sent.
        SendUnknown: The answer was lost; it may have been sent.

    Wire: webwxsendmsg

    """
    check_text(text)
    message = OutgoingText(
        content=text, from_user_name=login.user_id, to_user_name=to, local_id=client_id, client_msg_id=client_id
    )
    request = TextRequest(pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message, scene=scene)
    reply = yield from call(TEXT, request, login.hosts)
    return reply.msg_id


def forward_text(login: Login, to: str, text: str, client_id: str) -> Flow[str]:
    """
    Send a received text on; gives the server's id of the new message.

    Wire: webwxsendmsg

    """
    return (yield from send_text(login, to, text, client_id, scene=FORWARD_SCENE))


def send_image(login: Login, to: str, media_id: str, client_id: str) -> Flow[str]:
    """
    Send an uploaded picture; gives the server's id of the message.

    Raises:
        SendUnknown: The answer was lost; it may have been sent.

    Wire: webwxsendmsgimg

    """
    return (yield from _send_image(login, to, client_id, media_id=media_id))


def forward_image(login: Login, to: str, content: str, client_id: str) -> Flow[str]:
    """
    Send a picture that exists by the keys in its XML: no upload, and recalled or not.

    Raises:
        SendUnknown: The answer was lost; it may have been sent.
        ApiError: Ret -1: the picture's keys are not valid any more.

    Wire: webwxsendmsgimg

    """
    return (yield from _send_image(login, to, client_id, content=content, scene=FORWARD_SCENE))


def _send_image(
    login: Login, to: str, client_id: str, *, media_id: str = "", content: str = "", scene: int = 0
) -> Flow[str]:
    message = OutgoingImage(
        media_id=media_id, content=content, from_user_name=login.user_id, to_user_name=to,
        local_id=client_id, client_msg_id=client_id,
    )  # fmt: skip
    request = ImageRequest(pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message, scene=scene)
    reply = yield from call(IMAGE, request, login.hosts)
    return reply.msg_id


def recall(login: Login, receipt: Receipt) -> Flow[None]:
    """
    Take a message back.

    Raises:
        RecallRefused: Not ours, unknown, or too late: the platform does not say which.
        SendUnknown: The answer was lost.

    Wire: webwxrevokemsg

    """
    request = RecallRequest(
        credentials=login.credentials,
        svr_msg_id=receipt.message_id,
        to_user_name=receipt.chat,
        client_msg_id=receipt.client_id or receipt.message_id,
    )
    try:
        yield from call(RECALL, request, login.hosts)
    except ApiError as error:
        if error.ret != Ret.SYSTEM_ERROR:
            raise
        raise RecallRefused(
            "The platform did not recall it: the message is not yours, or nobody knows it; it stays.",
            endpoint=error.endpoint, ret=error.ret, message=error.message,
        ) from None  # fmt: skip


def mark_read(login: Login, chat: str, now: float) -> Flow[None]:
    """
    Clear a chat's unread badge on the account's other devices. The other side learns nothing.

    Wire: webwxstatusnotify (code 1)

    """
    # The document shows Uin as a string in this call alone (protocol notes, send, 14.1).
    credentials = msgspec.structs.replace(login.credentials, uin=str(login.credentials.uin))
    yield from _notify(login, StatusNotify.READ, chat, now, credentials=credentials)


def announce(login: Login, now: float) -> Flow[None]:
    """
    Tell the phone that this client is ready.

    Wire: webwxstatusnotify (code 3)

    """
    yield from _notify(login, StatusNotify.INITED, login.user_id, now, credentials=login.credentials)


def _notify(login: Login, code: StatusNotify, to: str, now: float, *, credentials: Credentials) -> Flow[None]:
    request = StatusNotifyRequest(
        pass_ticket=login.pass_ticket, credentials=credentials, code=code, from_user_name=login.user_id,
        to_user_name=to, client_msg_id=int(now * 1000),
    )  # fmt: skip
    yield from call(STATUSNOTIFY, request, login.hosts)
