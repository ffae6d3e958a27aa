"""
Messages: text, picture by reference, recall, and the notice that a chat was read.

The order and the types of the fields of `TEXT`, `RECALL`, `READ` and the forward of `IMAGE` follow recorded requests
(tests/recordings). Behaviour of the calls: docs/protocol/messages.md.
"""

from __future__ import annotations

import msgspec

from webwx.protocol.codec import MEDIA, Media, Wire
from webwx.protocol.codes import AppMessageType, MessageStatus, MessageType, StatusNotify
from webwx.protocol.endpoint import Endpoint, InQuery
from webwx.protocol.hosts import Host
from webwx.protocol.login import Credentials, Reply

# -- as received -----------------------------------------------------------------------------------------------------


class RecommendInfo(Wire, frozen=True, kw_only=True, gc=False):
    """The person in a card or a friend request."""

    user_name: str = ""
    nick_name: str = ""
    qq_num: int = msgspec.field(name="QQNum", default=0)
    province: str = ""
    city: str = ""
    content: str = ""
    signature: str = ""
    alias: str = ""
    scene: int = 0
    verify_flag: int = 0
    attr_status: int = 0
    sex: int = 0
    ticket: str = ""
    """Ticket that accepts a friend request."""
    op_code: int = 0

    def __repr__(self) -> str:
        return "RecommendInfo(***)"


class AppInfo(Wire, frozen=True, kw_only=True, gc=False):
    """The app that sent a message."""

    app_id: str = msgspec.field(name="AppID", default="")
    type: int = 0


class WireMessage(Wire, frozen=True, kw_only=True, gc=False):
    """A message as `webwxsync` delivers it. The server sends every field, for every type."""

    msg_id: str
    """Decimal, up to 20 digits; identifies the message."""
    from_user_name: str = ""
    """The sender; the chatroom for messages of others there; the account itself for its own messages."""
    to_user_name: str = ""
    msg_type: int = 0
    content: str = ""
    """Text or XML, escaped once, with `<br/>` for line breaks."""
    status: int = MessageStatus.NORMAL
    img_status: int = 1
    create_time: int = 0
    """Seconds since 1970."""
    voice_length: int = 0
    play_length: int = 0
    file_name: str = ""
    file_size: str = ""
    media_id: str = ""
    url: str = ""
    app_msg_type: int = 0
    status_notify_code: int = 0
    status_notify_user_name: str = ""
    recommend_info: RecommendInfo = RecommendInfo()
    forward_flag: int = 0
    app_info: AppInfo = AppInfo()
    has_product_id: int = 0
    ticket: str = ""
    img_height: int = 0
    img_width: int = 0
    sub_msg_type: int = 0
    new_msg_id: int = 0
    """Number with the value of `msg_id`; it loses digits in a double, so it is never compared."""
    ori_content: str = ""
    encry_file_name: str = ""

    def __repr__(self) -> str:
        return f"WireMessage(msg_type={self.msg_type}, msg_id={self.msg_id})"


class WireText(Wire, frozen=True, kw_only=True, gc=False):
    """
    The fields of a message that a text needs, and those that show whether it is one; see `WireMessage`.

    Nearly all messages are texts, and decoding the other fields takes as long as decoding these.
    """

    msg_id: str
    from_user_name: str = ""
    to_user_name: str = ""
    msg_type: int = 0
    content: str = ""
    create_time: int = 0
    app_msg_type: int = 0
    has_product_id: int = 0
    sub_msg_type: int = 0

    def __repr__(self) -> str:
        return f"WireText(msg_type={self.msg_type}, msg_id={self.msg_id})"


# -- sends -----------------------------------------------------------------------------------------------------------


class SendReply(Reply, frozen=True, kw_only=True):
    """The server accepted the message."""

    msg_id: str = msgspec.field(name="MsgID", default="")
    """Needed for a recall."""
    local_id: str = msgspec.field(name="LocalID", default="")
    """`LocalID` of the request, as a string."""


class OutgoingText(Wire, frozen=True, kw_only=True):
    """`Msg` of a text."""

    type: int = MessageType.TEXT.value
    content: str = ""
    """Plain text in raw UTF-8; the server escapes it for receivers."""
    from_user_name: str = ""
    to_user_name: str
    local_id: str = msgspec.field(name="LocalID", default="")
    """Equal to `client_msg_id`."""
    client_msg_id: str = ""
    """17 digits, unique in the login."""


class TextRequest(Wire, frozen=True, kw_only=True):
    """Send a text."""

    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    msg: OutgoingText
    scene: int = 0

    def __repr__(self) -> str:
        return "TextRequest(***)"


TEXT = Endpoint(
    name="webwxsendmsg", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsendmsg",
    request=TextRequest, reply=SendReply, repeatable=False, purpose="send a text",
    limited=True,
)  # fmt: skip


class OutgoingImage(Wire, frozen=True, kw_only=True):
    """`Msg` of a picture: the `media_id` of an upload, or the XML of an existing picture."""

    type: int = MessageType.IMAGE.value
    media_id: str = ""
    """From an upload; empty in a forward."""
    content: str = ""
    """Empty with an upload; the image XML in a forward."""
    from_user_name: str = ""
    to_user_name: str
    local_id: str = msgspec.field(name="LocalID", default="")
    client_msg_id: str = ""


class ImageRequest(Wire, frozen=True, kw_only=True):
    """Send a picture."""

    fun: InQuery[str] = "async"
    f: InQuery[str] = "json"
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    msg: OutgoingImage
    scene: int = 0
    """2 in a forward."""

    def __repr__(self) -> str:
        return "ImageRequest(***)"


IMAGE = Endpoint(
    name="webwxsendmsgimg", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsendmsgimg",
    request=ImageRequest, reply=SendReply, repeatable=False, purpose="send a picture, or forward one by its keys",
    limited=True,
)  # fmt: skip

FORWARD_SCENE = 2
"""`Scene` of a forward."""


class OutgoingVideo(Wire, frozen=True, kw_only=True):
    """`Msg` of a video: the `media_id` of an upload, or the XML of an existing video."""

    type: int = MessageType.VIDEO.value
    media_id: str = ""
    content: str = ""
    from_user_name: str = ""
    to_user_name: str
    local_id: str = msgspec.field(name="LocalID", default="")
    client_msg_id: str = ""


class VideoRequest(Wire, frozen=True, kw_only=True):
    """Send a video."""

    fun: InQuery[str] = "async"
    f: InQuery[str] = "json"
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    msg: OutgoingVideo
    scene: int = 0

    def __repr__(self) -> str:
        return "VideoRequest(***)"


VIDEO = Endpoint(
    name="webwxsendvideomsg", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsendvideomsg",
    request=VideoRequest, reply=SendReply, repeatable=False, purpose="send a video, or forward one by its keys",
    limited=True,
)  # fmt: skip


class OutgoingSticker(Wire, frozen=True, kw_only=True):
    """`Msg` of a sticker or GIF: the `media_id` of an upload, or the md5 of a known sticker; never both."""

    type: int = MessageType.STICKER.value
    emoji_flag: int = 2
    """2: a GIF."""
    media_id: str | msgspec.UnsetType = msgspec.UNSET
    emoticon_md5: str | msgspec.UnsetType = msgspec.field(name="EMoticonMd5", default=msgspec.UNSET)
    """With the platform's unusual capitals."""
    from_user_name: str = ""
    to_user_name: str
    local_id: str = msgspec.field(name="LocalID", default="")
    client_msg_id: str = ""


class StickerRequest(Wire, frozen=True, kw_only=True):
    """Send a sticker or GIF."""

    fun: InQuery[str] = "sys"
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    msg: OutgoingSticker
    scene: int = 0

    def __repr__(self) -> str:
        return "StickerRequest(***)"


STICKER = Endpoint(
    name="webwxsendemoticon", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsendemoticon",
    request=StickerRequest, reply=SendReply, repeatable=False, purpose="send a sticker or GIF",
    limited=True,
)  # fmt: skip


class OutgoingApp(Wire, frozen=True, kw_only=True):
    """`Msg` of an app message: `type` is the AppMsgType, and the upload's id is inside the content."""

    type: int = AppMessageType.FILE.value
    content: str = ""
    """`<appmsg …>` without the `<msg>` around it that receivers get."""
    from_user_name: str = ""
    to_user_name: str
    local_id: str = msgspec.field(name="LocalID", default="")
    client_msg_id: str = ""
    signature: str | msgspec.UnsetType = msgspec.UNSET
    """From `webwxcheckupload`, for files above 25 MiB."""
    aes_key: str | msgspec.UnsetType = msgspec.field(name="AESKey", default=msgspec.UNSET)
    """File Transfer Helper's page sends it with the signature."""


class AppRequest(Wire, frozen=True, kw_only=True):
    """Send a file or another app message."""

    fun: InQuery[str] = "async"
    f: InQuery[str] = "json"
    mod: InQuery[str] = ""
    """`desktop` in the profile of that name."""
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    msg: OutgoingApp
    scene: int = 0

    def __repr__(self) -> str:
        return "AppRequest(***)"


APP = Endpoint(
    name="webwxsendappmsg", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsendappmsg",
    request=AppRequest, reply=SendReply, repeatable=False, purpose="send a file",
    limited=True,
)  # fmt: skip


class CheckUrlRequest(Wire, frozen=True, kw_only=True):
    """Redirect of the page for links in system texts; for display only, never part of a message."""

    requrl: InQuery[str]
    skey: InQuery[str] = ""
    deviceid: InQuery[str] = ""
    pass_ticket: InQuery[str] = ""
    opcode: InQuery[int] = 2
    scene: InQuery[int] = 1
    username: InQuery[str] = ""

    def __repr__(self) -> str:
        return "CheckUrlRequest(***)"


CHECKURL = Endpoint(
    name="webwxcheckurl", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxcheckurl",
    request=CheckUrlRequest, reply=Media, reply_shape=MEDIA, purpose="the page's redirect for links in messages",
)  # fmt: skip


# -- recall ----------------------------------------------------------------------------------------------------------


class RecallRequest(Wire, frozen=True, kw_only=True):
    """Recall a message. It has no query: neither the written description nor any recorded client sends one."""

    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    svr_msg_id: str
    """`MsgID` of the send, by which the server finds the message."""
    to_user_name: str = ""
    client_msg_id: str = ""
    """`ClientMsgId` of the send."""

    def __repr__(self) -> str:
        return "RecallRequest(***)"


class RecallReply(Reply, frozen=True, kw_only=True):
    """Texts for display."""

    introduction: str = ""
    sys_wording: str = ""


RECALL = Endpoint(
    name="webwxrevokemsg", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxrevokemsg",
    request=RecallRequest, reply=RecallReply, repeatable=False, purpose="recall within two minutes",
)  # fmt: skip


# -- status notify ---------------------------------------------------------------------------------------------------


class StatusNotifyRequest(Wire, frozen=True, kw_only=True):
    """Notify the phone: a chat was read (code 1), or this client is ready (code 3)."""

    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    code: int = StatusNotify.READ
    from_user_name: str = ""
    to_user_name: str = ""
    client_msg_id: int = 0
    """Milliseconds since 1970, as a number."""

    def __repr__(self) -> str:
        return f"StatusNotifyRequest(code={self.code})"


class StatusNotifyReply(Reply, frozen=True, kw_only=True):
    """Result of the notice."""

    msg_id: str = msgspec.field(name="MsgID", default="")


STATUSNOTIFY = Endpoint(
    name="webwxstatusnotify", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxstatusnotify",
    request=StatusNotifyRequest, reply=StatusNotifyReply, purpose="mark a chat as read; announce this client",
)  # fmt: skip
