"""
What a sync can tell, and how an undelivered rest of it is kept.

A batch is taken over raw, item by item; each becomes an event when it is looked at. One that cannot be read becomes a
`QuarantinedMessage`, so that it never costs the others.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

from webwx.errors import ProtocolError
from webwx.model.contacts import Contact, ContactId, contact_from_wire
from webwx.model.delivery import message_from_wire, parties, read_item, read_wire, text_from_wire
from webwx.model.messages import (
    AnyMessage,
    ChatroomDissolved,
    ChatroomOwnerChanged,
    ChatroomRejoined,
    ChatroomRenamed,
    Event,
    FriendAdded,
    FriendConfirmationRequired,
    FriendRequest,
    MemberJoined,
    MemberRemoved,
    MessageRecalled,
    MessageRejected,
    Pat,
    PhoneActivity,
    PossibleFriend,
    TextMessage,
)
from webwx.model.serialization import to_json
from webwx.protocol.codes import MessageType
from webwx.protocol.contacts import WireContact
from webwx.protocol.messages import WireMessage, WireText
from webwx.protocol.sync import DeletedContact


class ContactChanged(Event, frozen=True, kw_only=True, tag="contact_changed"):
    """Somebody was added, or changed their name, or a chatroom its members."""

    contact: Contact


class ContactDeleted(Event, frozen=True, kw_only=True, tag="contact_deleted"):
    """A friend was deleted, a chatroom left, or a chat removed on the phone."""

    id: ContactId


class QuarantinedMessage(Event, frozen=True, kw_only=True, tag="quarantined_message"):
    """Something the server delivered that could not be read."""

    raw: str
    """As it came."""
    reason: str


class ContinuityLost(Event, frozen=True, kw_only=True, tag="continuity_lost"):
    """Something may have been missed between two moments, and nobody can say what."""

    since: float
    """Seconds since 1970."""
    until: float
    reason: Literal["new_login", "key_refused", "answer_too_large", "purged"]
    """
    Another login came in place of the one before; the server did not know our position; what came was too large to be
    read; it was deleted unread.
    """


class LoopDetected(Event, frozen=True, kw_only=True, tag="loop_detected"):
    """
    A bot has answered so often in one chat that another bot may be answering it, and is silent there for a while.

    Bots are told of it; no journal holds it.
    """

    chat: ContactId
    replies: int
    """How many it has sent there."""
    seconds: float
    """Within how many seconds."""


class IdentityAmbiguous(Event, frozen=True, kw_only=True, tag="identity_ambiguous"):
    """
    Somebody may be one of those whom an earlier login knew, and nobody can say which, so they count as somebody new.

    `merge_identities` puts that right.
    """

    identity: int
    """The number that was given."""
    contact: Contact
    candidates: tuple[int, ...]
    """The numbers of whom it may be, the likeliest first."""


QUIET = (PhoneActivity, ContactChanged, ContactDeleted, IdentityAmbiguous)
"""Events that are no messages, and that most programs leave out."""

CONTACT_EVENTS = (
    ContactChanged, ContactDeleted, IdentityAmbiguous, FriendRequest, PossibleFriend, FriendAdded,
    FriendConfirmationRequired, MessageRejected, MemberJoined, MemberRemoved, ChatroomRenamed, ChatroomOwnerChanged,
    ChatroomDissolved, ChatroomRejoined, Pat,
)  # fmt: skip
"""Events of contacts and chatrooms, which File Transfer Helper web does not have."""

_QUIET = frozenset(QUIET)


def is_quiet(event: Event) -> bool:
    """Say whether an event is one of those; to ask `isinstance` four times takes as long as to make a text."""
    return type(event) in _QUIET


AnyEvent = (
    AnyMessage
    | MessageRecalled
    | PhoneActivity
    | ContactChanged
    | ContactDeleted
    | QuarantinedMessage
    | ContinuityLost
    | LoopDetected
    | IdentityAmbiguous
)


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # no circle leads through it: see decision 21
    """One thing in a batch, not yet looked at."""

    kind: Literal["message", "contact", "deleted", "gap"]
    raw: msgspec.Raw = msgspec.Raw(b"null")
    """As delivered; a `gap` is our own note: a `ContinuityLost`, or an `IdentityAmbiguous`."""
    text: WireText | None = None
    """In place of that: a text, which was read with its whole batch."""


class Arrived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing of a batch, with what tells it from others and where it belongs."""

    item: Item
    raw: msgspec.Raw
    """As delivered; it may be a view of all that was."""
    read: msgspec.Struct | None = None
    """
    What it was read as for all this, so that nobody reads it once more; it is not stored. A message that is no text is
    left as it came: its event is made when somebody wants it.
    """
    message_id: str = ""
    """The platform's; for a message that has none, or "0", the digest of all that came; empty: it is no message."""
    chat: ContactId = ContactId("")
    """Where it was said; empty for what belongs to no chat."""
    sender: ContactId | None = None
    """Who wrote it, where that is a person."""
    time: int = 0
    """Seconds since 1970, by the server's clock; 0 when it does not say."""
    is_self: bool = False
    is_backlog: bool = False
    """It was written before this process began to sync."""
    is_quarantined: bool = False
    """It could not be read."""
    is_notice: bool = False
    """It is a grey line, as recalls are."""

    @property
    def digest(self) -> int:
        """Of type, sender, time and content, made when it is asked for: ids have met. Of what is no message it is 0."""
        if self.item.kind != "message":
            return 0
        if self.is_quarantined:
            return _digest(bytes(self.raw))
        wire = self.item.text or (self.read if isinstance(self.read, WireMessage) else read_wire(self.raw))
        return _digest(f"{wire.msg_type}\n{wire.from_user_name}\n{wire.create_time}\n{wire.content}".encode())

    def __repr__(self) -> str:
        return f"Arrived({self.message_id})"


_LATEST = 2**40
"""A time beyond this is none, and no database need hold it."""


def identify(item: Item, own_id: str, began: int = 0, raw: msgspec.Raw | None = None) -> Arrived:
    """
    Say what an item is; whatever it holds, something comes out.

    Args:
        item: Of whatever kind.
        own_id: Who the account is in the login that it came with.
        began: What was written before that is backlog.
        raw: The item as delivered, where it does not say so itself.
    """
    raw = item.raw if raw is None else raw
    if item.kind != "message":
        event = event_from_item(item, own_id)
        return Arrived(item=item, raw=raw, read=event, is_quarantined=isinstance(event, QuarantinedMessage))
    try:
        wire = item.text or read_wire(raw)
    except ProtocolError as error:
        return Arrived(
            item=item, raw=raw, read=_quarantined(item, error), message_id=_name(bytes(raw)), is_quarantined=True
        )
    read: TextMessage | WireMessage
    if isinstance(wire, WireText):  # as nearly always; making the event takes little, whatever it holds
        read = text_from_wire(wire, own_id)
        chat, sender, is_self = read.chat, read.sender, read.is_self
    else:
        read = wire
        chat, sender, is_self, _ = parties(wire, own_id)
    kind, time = wire.msg_type, wire.create_time
    if kind == _STATUS_NOTIFY:
        chat, sender = ContactId(""), None
    return Arrived(
        item=item,
        raw=raw,
        read=read,
        message_id=wire.msg_id if wire.msg_id not in _NO_ID else _name(bytes(raw)),
        chat=chat,
        sender=sender,
        time=sound_time(time),
        is_self=is_self,
        is_backlog=0 < time < began,
        is_notice=kind in _NOTICES,
    )


def sound_time(time: int) -> int:
    """Give a time that a message tells, or 0 where it can be none."""
    return time if 0 <= time < _LATEST else 0


_NO_ID = frozenset({"", "0"})
_STATUS_NOTIFY = int(MessageType.STATUS_NOTIFY)
_NOTICES = frozenset(map(int, (MessageType.SYSTEM_NOTICE, MessageType.SYSTEM, MessageType.RECALL)))


_BLANK = blake2b(digest_size=8)


def _digest(told: bytes) -> int:
    digest = _BLANK.copy()  # in half the time of a new one
    digest.update(told)
    return int.from_bytes(digest.digest(), signed=True)


def _name(raw: bytes) -> str:
    return blake2b(raw, digest_size=16).hexdigest()


def event_from_item(item: Item, own_id: str, read: msgspec.Struct | None = None) -> Event:
    """
    Look at an item: the event it is.

    Args:
        item: Of whatever kind.
        own_id: Who the account is in the login that it came with.
        read: What `identify` has read it as, where it was asked.
    """
    if isinstance(read, Event):
        return read
    if item.text is not None:
        return text_from_wire(item.text, own_id)
    raw = item.raw
    try:
        match item.kind:
            case "message":
                wire = read if isinstance(read, WireMessage) else read_wire(raw)
                return message_from_wire(wire, own_id, raw)
            case "contact":
                return ContactChanged(contact=contact_from_wire(read_item(raw, WireContact), own_id))
            case "deleted":
                return ContactDeleted(id=ContactId(read_item(raw, DeletedContact).user_name))
            case "gap":
                return msgspec.json.decode(raw, type=ContinuityLost | IdentityAmbiguous)
    except ProtocolError as error:
        return _quarantined(item, error)


def _quarantined(item: Item, error: ProtocolError) -> QuarantinedMessage:
    return QuarantinedMessage(raw=bytes(item.raw).decode("utf-8", "replace"), reason=str(error))


def event_to_json(event: Event) -> str:
    """Write an event as one line of JSON; `event` names its kind."""
    return to_json(event)


def event_from_json(text: str | bytes) -> AnyEvent:
    """
    Read an event that `event_to_json` wrote.

    Raises:
        ValueError: It is none.
    """
    try:
        event: AnyEvent = msgspec.json.decode(text, type=AnyEvent)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"This is no event: {error}.") from None
    return event
