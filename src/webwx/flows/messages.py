"""Messages: send, mark as read, recall, forward."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from webwx.errors import ApiError, EmptyText, InvalidRequest, RecallRefused, SendOutcomeUnknown, TextTooLong
from webwx.flows.call import Flow, call
from webwx.protocol.appmsg import write_outgoing_file
from webwx.protocol.codes import MAX_TEXT, MessageType, Ret, StatusNotify
from webwx.protocol.messages import (
    APP,
    FORWARD_SCENE,
    IMAGE,
    RECALL,
    STATUSNOTIFY,
    STICKER,
    TEXT,
    VIDEO,
    AppRequest,
    ImageRequest,
    OutgoingApp,
    OutgoingImage,
    OutgoingSticker,
    OutgoingText,
    OutgoingVideo,
    RecallRequest,
    StatusNotifyRequest,
    StickerRequest,
    TextRequest,
    VideoRequest,
)

if TYPE_CHECKING:
    from webwx.flows.media import Upload, UploadState
    from webwx.model.login import Login
    from webwx.model.messages import FileMessage, Receipt
    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.login import Credentials
    from webwx.protocol.messages import SendReply

Q = TypeVar("Q", bound=msgspec.Struct)

_NO_ID = frozenset({"", "0"})
"""Values of `MsgID` in an answer without a message id, such as a refusal."""


def check_text(text: str) -> None:
    """
    Check that a text can be sent.

    Raises:
        InvalidRequest: It is no `str`.
        EmptyText: The text is empty.
        TextTooLong: The text has more than 16,000 characters.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"A text to send is a str, not {type(text).__name__}; convert it, as in str(value).")
    if not text:
        raise EmptyText("There is no text to send.")
    if len(text) > MAX_TEXT:
        raise TextTooLong(f"The text has {len(text):,} characters; one message takes at most {MAX_TEXT:,}.")


def send_text(login: Login, to: str, text: str, client_id: str, scene: int = 0) -> Flow[str]:
    """
    Send a text and return the server's message id.

    Raises:
        EmptyText: The text is empty; nothing was sent.
        TextTooLong: More than 16,000 characters; nothing was sent.
        SendOutcomeUnknown: The answer was lost; it may have been sent.

    Wire: webwxsendmsg
    """
    check_text(text)
    message = OutgoingText(
        content=text, from_user_name=login.user_id, to_user_name=to, local_id=client_id, client_msg_id=client_id
    )
    request = TextRequest(pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message, scene=scene)
    return _send(login, TEXT, request, client_id)


def forward_text(login: Login, to: str, text: str, client_id: str) -> Flow[str]:
    """
    Forward a received text and return the server's id of the new message.

    Wire: webwxsendmsg
    """
    return send_text(login, to, text, client_id, scene=FORWARD_SCENE)


def send_image(login: Login, to: str, media_id: str, client_id: str) -> Flow[str]:
    """
    Send an uploaded picture and return the server's message id.

    Raises:
        SendOutcomeUnknown: The answer was lost; it may have been sent.

    Wire: webwxsendmsgimg
    """
    return _send_image(login, to, client_id, media_id=media_id)


def forward_image(login: Login, to: str, content: str, client_id: str) -> Flow[str]:
    """
    Forward a picture by the keys in its XML, without an upload; it may have been recalled.

    Raises:
        SendOutcomeUnknown: The answer was lost; it may have been sent.
        ApiError: Ret -1: the picture's keys are not valid any more.

    Wire: webwxsendmsgimg
    """
    return _send_image(login, to, client_id, content=content, scene=FORWARD_SCENE)


def _send_image(
    login: Login, to: str, client_id: str, *, media_id: str = "", content: str = "", scene: int = 0
) -> Flow[str]:
    message = OutgoingImage(
        media_id=media_id, content=content, from_user_name=login.user_id, to_user_name=to,
        local_id=client_id, client_msg_id=client_id,
    )  # fmt: skip
    request = ImageRequest(pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message, scene=scene)
    return _send(login, IMAGE, request, client_id)


def forward_location(login: Login, to: str, xml: str, client_id: str) -> Flow[str]:
    """
    Forward a received location by its XML and return the server's id of the new message.

    Wire: webwxsendmsg
    """
    message = OutgoingText(
        type=MessageType.LOCATION, content=xml, from_user_name=login.user_id, to_user_name=to,
        local_id=client_id, client_msg_id=client_id,
    )  # fmt: skip
    request = TextRequest(
        pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message, scene=FORWARD_SCENE
    )
    return _send(login, TEXT, request, client_id)


def send_video(login: Login, to: str, media_id: str, client_id: str) -> Flow[str]:
    """
    Send an uploaded video and return the server's message id.

    Wire: webwxsendvideomsg
    """
    return _send_video(login, to, client_id, media_id=media_id)


def forward_video(login: Login, to: str, content: str, client_id: str) -> Flow[str]:
    """
    Forward a video by the keys in its XML, without an upload.

    Raises:
        ApiError: Ret -1: the video's keys are not valid any more.

    Wire: webwxsendvideomsg
    """
    return _send_video(login, to, client_id, content=content, scene=FORWARD_SCENE)


def _send_video(
    login: Login, to: str, client_id: str, *, media_id: str = "", content: str = "", scene: int = 0
) -> Flow[str]:
    message = OutgoingVideo(
        media_id=media_id, content=content, from_user_name=login.user_id, to_user_name=to,
        local_id=client_id, client_msg_id=client_id,
    )  # fmt: skip
    request = VideoRequest(pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message, scene=scene)
    return _send(login, VIDEO, request, client_id)


def send_sticker(login: Login, to: str, media_id: str, client_id: str) -> Flow[str]:
    """
    Send an uploaded GIF as a sticker and return the server's message id.

    Wire: webwxsendemoticon
    """
    return _send_sticker(login, OutgoingSticker(
        media_id=media_id, from_user_name=login.user_id, to_user_name=to, local_id=client_id, client_msg_id=client_id
    ))  # fmt: skip


def send_known_sticker(login: Login, to: str, md5: str, client_id: str) -> Flow[str]:
    """
    Send a sticker that the platform knows, without an upload.

    Raises:
        ApiError: Ret -1: the platform knows no sticker with this md5.

    Wire: webwxsendemoticon
    """
    return _send_sticker(login, OutgoingSticker(
        emoticon_md5=md5, from_user_name=login.user_id, to_user_name=to, local_id=client_id, client_msg_id=client_id
    ))  # fmt: skip


def _send_sticker(login: Login, message: OutgoingSticker) -> Flow[str]:
    request = StickerRequest(pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message)
    return _send(login, STICKER, request, message.client_msg_id)


def send_file(login: Login, to: str, file: Upload, upload: UploadState, client_id: str) -> Flow[str]:
    """
    Send an uploaded file and return the server's message id.

    Wire: webwxsendappmsg
    """
    profile = login.profile
    message = OutgoingApp(
        content=write_outgoing_file(file.name, file.size, upload.media_id, app_id=profile.file_app),
        from_user_name=login.user_id, to_user_name=to, local_id=client_id, client_msg_id=client_id,
        signature=upload.signature or msgspec.UNSET,
        aes_key=(upload.aes_key if profile.mmweb_appid else "") or msgspec.UNSET,
    )  # fmt: skip
    return _send_app(login, message, scene=0)


def forward_file(login: Login, to: str, file: FileMessage, client_id: str) -> Flow[str]:
    """
    Forward a received file by its media id, without an upload.

    Raises:
        ApiError: Ret -1: the id is not valid any more.

    Wire: webwxsendappmsg
    """
    message = OutgoingApp(
        content=write_outgoing_file(file.name, file.size, file.media_id, app_id=login.profile.file_app),
        from_user_name=login.user_id, to_user_name=to, local_id=client_id, client_msg_id=client_id,
    )  # fmt: skip
    return _send_app(login, message, scene=FORWARD_SCENE)


def _send_app(login: Login, message: OutgoingApp, *, scene: int) -> Flow[str]:
    request = AppRequest(
        mod=login.profile.mod, pass_ticket=login.pass_ticket, credentials=login.credentials, msg=message, scene=scene
    )
    return _send(login, APP, request, message.client_msg_id)


def _send(login: Login, endpoint: Endpoint[Q, SendReply], request: Q, client_id: str) -> Flow[str]:
    reply = yield from call(endpoint, request, login.hosts)
    # An answer that comes twice on a connection is read as that of the next request too. What is no id of our making
    # is not checked, because servers may echo it in another form.
    if reply.local_id != client_id and len(reply.local_id) == len(client_id) and reply.local_id.isdecimal():
        raise SendOutcomeUnknown(
            f"{endpoint.name}: the answer belongs to another send, so this one may or may not have been carried out; "
            "check before you repeat it."
        )
    if reply.msg_id in _NO_ID:
        raise SendOutcomeUnknown(
            f"{endpoint.name}: the answer has no message id, so this may or may not have been sent; "
            "check before you repeat it."
        )
    return reply.msg_id


def recall(login: Login, receipt: Receipt) -> Flow[None]:
    """
    Recall a message.

    Raises:
        RecallRefused: The message is not ours, unknown, or too old: the platform does not say which.
        SendOutcomeUnknown: The answer was lost.

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
            "The platform refused the recall: the message is not yours, or unknown.",
            endpoint=error.endpoint, ret=error.ret, message=error.message,
        ) from None  # fmt: skip


def mark_read(login: Login, chat: str, now: float) -> Flow[None]:
    """
    Clear a chat's unread mark on the account's other devices. The other person is not informed.

    Wire: webwxstatusnotify (code 1)
    """
    # The platform's page sends Uin as a string in this call alone.
    credentials = msgspec.structs.replace(login.credentials, uin=str(login.credentials.uin))
    yield from _notify(login, StatusNotify.READ, chat, now, credentials=credentials)


def announce(login: Login, now: float) -> Flow[None]:
    """
    Notify the phone that this client is ready.

    Wire: webwxstatusnotify (code 3)
    """
    yield from _notify(login, StatusNotify.INITED, login.user_id, now, credentials=login.credentials)


def _notify(login: Login, code: StatusNotify, to: str, now: float, *, credentials: Credentials) -> Flow[None]:
    request = StatusNotifyRequest(
        pass_ticket=login.pass_ticket, credentials=credentials, code=code, from_user_name=login.user_id,
        to_user_name=to, client_msg_id=int(now * 1000),
    )  # fmt: skip
    yield from call(STATUSNOTIFY, request, login.hosts)
