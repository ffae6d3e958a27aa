"""
Messages and receipts.

An event is a frozen value without a client: it can be printed, compared, stored and given to another process. What was
delivered stays in `content`, word for word: after a recall nothing could bring it back.
"""

from __future__ import annotations

import msgspec

from webwx.errors import NotForwardable
from webwx.model.contacts import ContactId, is_chatroom
from webwx.model.text import notice_text, plain_text, xml_text
from webwx.protocol.codec import read_json
from webwx.protocol.codes import RECALL_WINDOW, MessageType, StatusNotify
from webwx.protocol.content import forward_image, read_recall_notice, split_sender
from webwx.protocol.messages import WireMessage


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a send returns, and all that a recall needs.

    Store it as JSON and recall the message later from another process.
    """

    message_id: str
    """The server's id."""
    client_id: str
    """The id this client gave it: 17 digits."""
    chat: ContactId
    """Where it was sent."""
    time: float
    """When the server took it: seconds since 1970, by the server's clock where it tells it."""

    def can_recall(self, now: float) -> bool:
        """Say whether the two minutes for a recall are still running at a time, in seconds since 1970."""
        return bool(self.message_id) and now - self.time <= RECALL_WINDOW

    def to_json(self) -> str:
        """Write the receipt as one line of JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Receipt:
        """
        Read a receipt; further keys are passed over.

        Raises:
            ValueError: It is none.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise ValueError(f"This is no receipt: {error}.") from None


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something a sync can tell."""


class Message(Event, frozen=True, kw_only=True):
    """What all messages have."""

    message_id: str
    chat: ContactId
    """The conversation: a person, a chatroom or `filehelper`."""
    sender: ContactId | None
    """Who wrote it; None for a notice of the platform."""
    is_self: bool
    """Written by this account, here or on another device."""
    time: int
    """Seconds since 1970, by the server's clock."""
    content: str
    """As delivered: escaped, with the chatroom's prefix."""

    @property
    def payload(self) -> str:
        """The delivered content without a chatroom's prefix, still escaped."""
        return split_sender(self.content)[1] if is_chatroom(self.chat) and not self.is_self else self.content


class TextMessage(Message, frozen=True, kw_only=True, tag="text_message"):
    """A text."""

    text: str
    """As it was written."""


class ImageMessage(Message, frozen=True, kw_only=True, tag="image_message"):
    """A picture."""

    @property
    def forward_content(self) -> str:
        """
        The XML that forwards this picture, recalled or not.

        Raises:
            NotForwardable: It came without keys; the text names the way round.
        """
        return forward_image(xml_text(self.payload))

    @property
    def can_forward(self) -> bool:
        """Whether it came with the keys that a forward needs."""
        try:
            return bool(self.forward_content)
        except NotForwardable:
            return False


class SystemMessage(Message, frozen=True, kw_only=True, tag="system_message"):
    """A grey line of the platform: somebody joined, is no friend any more, sent a red packet."""

    text: str
    """In the account's language; links are replaced by their words."""


class UnknownMessage(Message, frozen=True, kw_only=True, tag="unknown_message"):
    """A message of a kind that has no class here yet."""

    message_type: int
    """The platform's `MsgType`."""
    raw: msgspec.Raw = msgspec.Raw(b"{}")
    """All its fields, as JSON on one line."""


class MessageRecalled(Event, frozen=True, kw_only=True, tag="message_recalled"):
    """Somebody took a message back."""

    message_id: str
    """Of the message that is gone; `0` when the platform does not say."""
    chat: ContactId
    is_self: bool
    """This account took it back, here or on another device."""
    time: int
    text: str
    """What the platform shows instead."""
    content: str
    """The notice as delivered."""
    original: TextMessage | ImageMessage | SystemMessage | UnknownMessage | None = None
    """The message, when this client still has it."""


class PhoneActivity(Event, frozen=True, kw_only=True, tag="phone_activity"):
    """The phone opened or left a chat, or told which chats are recent."""

    code: int
    """The platform's `StatusNotifyCode`."""
    chat: ContactId
    recent: tuple[ContactId, ...] = ()
    """The recent chats, newest first, when that is what it told."""


def message_from_wire(wire: WireMessage, own_id: str, raw: bytes) -> Event:
    """Build the event of a delivered message; `raw` are its fields as they came."""
    is_self = wire.from_user_name in {own_id, ""}
    chat = ContactId(wire.to_user_name if is_self else wire.from_user_name)
    sender: str | None = own_id if is_self else wire.from_user_name
    payload = wire.content
    if not is_self and is_chatroom(chat):
        sender, payload = split_sender(wire.content)

    if wire.msg_type == MessageType.STATUS_NOTIFY:
        recent = wire.status_notify_user_name if wire.status_notify_code == StatusNotify.RECENT_CHATS else ""
        return PhoneActivity(
            code=wire.status_notify_code,
            chat=ContactId(wire.to_user_name),
            recent=tuple(ContactId(each) for each in recent.split(",") if each),
        )
    notice = read_recall_notice(plain_text(payload)) if wire.msg_type == MessageType.RECALL else None
    if notice is not None:
        return MessageRecalled(
            message_id=notice.new_message_id or notice.message_id,
            chat=chat,
            is_self=notice.text.startswith(("你", "You")),
            time=wire.create_time,
            text=plain_text(notice.text),
            content=wire.content,
        )

    author = ContactId(sender) if sender else None
    match wire.msg_type:
        case MessageType.TEXT if wire.sub_msg_type == 0:
            return TextMessage(
                message_id=wire.msg_id, chat=chat, sender=author, is_self=is_self, time=wire.create_time,
                content=wire.content, text=plain_text(payload),
            )  # fmt: skip
        case MessageType.IMAGE:
            return ImageMessage(
                message_id=wire.msg_id, chat=chat, sender=author, is_self=is_self, time=wire.create_time,
                content=wire.content,
            )  # fmt: skip
        case MessageType.SYSTEM:
            return SystemMessage(
                message_id=wire.msg_id, chat=chat, sender=None, is_self=is_self, time=wire.create_time,
                content=wire.content, text=notice_text(payload),
            )  # fmt: skip
        case _:
            return UnknownMessage(
                message_id=wire.msg_id, chat=chat, sender=author, is_self=is_self, time=wire.create_time,
                content=wire.content, message_type=wire.msg_type, raw=_one_line(raw),
            )  # fmt: skip


def _one_line(raw: bytes) -> msgspec.Raw:
    """Write delivered JSON on one line, in clean UTF-8: the platform breaks lines, and events are kept by the line."""
    (item,) = read_json(b"[" + raw + b"]", list[msgspec.Raw])
    return msgspec.Raw(msgspec.json.format(bytes(item).decode("utf-8", "replace"), indent=-1))
