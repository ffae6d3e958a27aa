"""
Items of a sync batch, and their stored form until they are delivered.

A batch is stored raw, item by item; each item becomes an event when it is read. An undecodable item becomes a
`QuarantinedMessage`, so that it does not affect the others.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal, get_args

import msgspec

from webwx.errors import ProtocolError
from webwx.model.contacts import Contact, ContactId, contact_from_wire
from webwx.model.delivery import message_from_wire, parties, read_item, read_wire, sound_time, text_from_wire
from webwx.model.messages import AnyDelivered, DeliveredEvent, Event, TextMessage, keep_raw
from webwx.model.serialization import to_json
from webwx.model.shown import Shown
from webwx.protocol.codes import MessageType
from webwx.protocol.contacts import WireContact
from webwx.protocol.messages import WireMessage, WireText
from webwx.protocol.sync import DeletedContact


class ContactChanged(DeliveredEvent, frozen=True, kw_only=True, tag="contact.changed"):
    """A contact was added, or changed its name, or a chatroom its members."""

    is_quiet = True
    needs_contacts = True

    contact: Shown[Contact]


class ContactDeleted(DeliveredEvent, frozen=True, kw_only=True, tag="contact.deleted"):
    """A friend was deleted, a chatroom left, or a chat removed on the phone."""

    is_quiet = True
    needs_contacts = True

    id: Shown[ContactId]


class QuarantinedMessage(Event, frozen=True, kw_only=True, tag="message.quarantined"):
    """A delivered item that could not be decoded."""

    raw: str
    """The item as delivered."""
    reason: Shown[str]


class ContinuityLost(Event, frozen=True, kw_only=True, tag="continuity.lost"):
    """Events may be missing between two times."""

    since: Shown[float]
    """Start of the gap: seconds since 1970."""
    until: Shown[float]
    reason: Shown[Literal["new_login", "key_refused", "answer_too_large", "messages_missing", "purged"]]
    """
    `new_login`: another login replaced this one. `key_refused`: the server refused the sync position.
    `answer_too_large`: the answer exceeded the size limit. `messages_missing`: the answer held fewer messages than it
    announced. `purged`: events were deleted before they were read.
    """


class LoopDetected(Event, frozen=True, kw_only=True, tag="loop.detected"):
    """
    The bot replied so often in one chat that it may be talking to another bot, and pauses there.

    It is delivered to bots only, and never stored in a journal.
    """

    chat: Shown[ContactId]
    replies: Shown[int]
    """Number of the bot's replies in that chat."""
    seconds: Shown[float]
    """Period of these replies, in seconds."""


class StateTimedOut(Event, frozen=True, kw_only=True, tag="state.timed_out"):
    """
    The state of a conversation has timed out: its step was not set again in time.

    Delivered to bots only, never stored in a journal.
    """

    chat: Shown[ContactId]
    """The chat in which the step was set."""
    step: Shown[str]
    """Name of the step at which the conversation is, as in `Survey.age`."""


class IdentityAmbiguous(Event, frozen=True, kw_only=True, tag="identity.ambiguous"):
    """
    A new contact may be one of an earlier login, but it is not certain which, so it has a new identity.

    `merge_identities` joins two identities.
    """

    is_quiet = True
    needs_contacts = True

    identity: Shown[int]
    """Identity number of the new contact."""
    contact: Shown[Contact]
    candidates: Shown[tuple[int, ...]]
    """Identity numbers of the candidates, likeliest first."""


AnyEvent = (
    AnyDelivered
    | ContactChanged
    | ContactDeleted
    | QuarantinedMessage
    | ContinuityLost
    | LoopDetected
    | StateTimedOut
    | IdentityAmbiguous
)


EVENT_TYPES: tuple[str, ...] = tuple(sorted(kind.__struct_config__.tag for kind in get_args(AnyEvent)))
"""Types of all events, such as `message.text`."""


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # no circle leads through it: see decision 21
    """One item of a batch, not decoded yet."""

    kind: Literal["message", "contact", "deleted", "gap", "damaged"]
    """The kind `damaged` stands for an item of any other kind whose stored bytes cannot be read."""
    raw: msgspec.Raw = msgspec.Raw(b"null")
    """The item as delivered; for the kind `gap`, our own record of a `ContinuityLost` or an `IdentityAmbiguous`."""
    text: WireText | None = None
    """A text that was decoded with its whole batch, instead of `raw`."""


class Arrived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One item of a batch, with its id and its chat."""

    item: Item
    raw: msgspec.Raw
    """The item as delivered; it may be a view of the answer's body."""
    read: msgspec.Struct | None = None
    """
    The decoded message, so that it is not decoded again; it is not stored. Messages other than texts stay as delivered:
    their event is created on access.
    """
    message_id: str = ""
    """
    The platform's id. For a message without an id, or with "0", the digest of the item; empty if it is not a message.
    """
    chat: ContactId = ContactId("")
    """Chat of a message; empty for other items."""
    sender: ContactId | None = None
    """Author of a message, if it is a person."""
    time: int = 0
    """Seconds since 1970 (server's clock); 0 if the item has no time."""
    is_self: bool = False
    is_backlog: bool = False
    """Whether the message was written before this process began to sync."""
    is_quarantined: bool = False
    """Whether the item could not be decoded."""
    is_notice: bool = False
    """Whether the item is a notice, such as a recall."""

    @property
    def digest(self) -> int:
        """Hash of type, sender, time and content, because ids have collided; 0 for items other than messages."""
        if self.item.kind != "message":
            return 0
        if self.is_quarantined:
            return _digest(bytes(self.raw))
        wire = self.item.text or (self.read if isinstance(self.read, WireMessage) else read_wire(self.raw))
        return _digest(f"{wire.msg_type}\n{wire.from_user_name}\n{wire.create_time}\n{wire.content}".encode())

    def __repr__(self) -> str:
        return f"Arrived({self.message_id})"


def identify(item: Item, own_id: str, began: int = 0, raw: msgspec.Raw | None = None) -> Arrived:
    """
    Identify an item; returns a result for any content.

    Args:
        item: An item of any kind.
        own_id: Id of the account in the login that received it.
        began: Messages written before this time are backlog.
        raw: The item as delivered, if it does not contain that itself.
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
    if isinstance(wire, WireText):  # as nearly always; making the event is cheap, whatever the message contains
        # A view would keep the whole answer in memory as long as a program keeps the event.
        read = text_from_wire(wire, own_id, raw.copy())
        chat, sender, is_self, sent_at = read.chat, read.sender, read.is_self, read.time
    else:
        read = wire
        chat, sender, is_self, _ = parties(wire, own_id)
        sent_at = sound_time(wire.create_time)
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
        time=sent_at,
        is_self=is_self,
        is_backlog=0 < time < began,
        is_notice=kind in _NOTICES,
    )


def item_of(event: ContinuityLost | IdentityAmbiguous) -> Item:
    """Return an event of ours as an item to store."""
    return Item(kind="gap", raw=msgspec.Raw(msgspec.json.encode(event)))


def read_own_event(raw: bytes | msgspec.Raw) -> ContinuityLost | IdentityAmbiguous:
    """
    Decode an event of ours as it is stored; journals of earlier versions have it under an earlier name.

    Raises:
        msgspec.MsgspecError: The bytes are damaged.
    """
    try:
        return _OWN_EVENT.decode(raw)
    except msgspec.ValidationError:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
        earlier = _EARLIER_NAMES.get(str(fields.get("event")))
        if earlier is None:
            raise
        return _OWN_EVENT.decode(msgspec.json.encode(fields | {"type": earlier}))


_OWN_EVENT: msgspec.json.Decoder[ContinuityLost | IdentityAmbiguous] = msgspec.json.Decoder(
    ContinuityLost | IdentityAmbiguous
)
"""
Made once, at the import: msgspec examines a type when it is first decoded, and crashes if two threads do so at once.
"""

_EARLIER_NAMES = {"continuity_lost": "continuity.lost", "identity_ambiguous": "identity.ambiguous"}
"""Types by their names in the key `event`, which journals of earlier versions contain."""


_NO_ID = frozenset({"", "0"})
_STATUS_NOTIFY = int(MessageType.STATUS_NOTIFY)
_NOTICES = frozenset(map(int, (MessageType.SYSTEM_NOTICE, MessageType.SYSTEM, MessageType.RECALL)))


_BLANK = blake2b(digest_size=8)


def _digest(content: bytes) -> int:
    digest = _BLANK.copy()  # in half the time of a new one
    digest.update(content)
    return int.from_bytes(digest.digest(), signed=True)


def _name(raw: bytes) -> str:
    return blake2b(raw, digest_size=16).hexdigest()


def event_from_item(item: Item, own_id: str, read: msgspec.Struct | None = None) -> Event:
    """
    Return the event of an item.

    Args:
        item: An item of any kind.
        own_id: Id of the account in the login that received it.
        read: What `identify` decoded, if it was called.
    """
    if isinstance(read, Event):
        return read
    if item.text is not None:
        return text_from_wire(item.text, own_id, item.text)
    raw = item.raw
    try:
        match item.kind:
            case "message":
                wire = read if isinstance(read, WireMessage) else read_wire(raw)
                return message_from_wire(wire, own_id, raw)
            case "contact":
                changed = ContactChanged(contact=contact_from_wire(read_item(raw, WireContact), own_id))
                keep_raw(changed, raw)
                return changed
            case "deleted":
                deleted = ContactDeleted(id=ContactId(read_item(raw, DeletedContact).user_name))
                keep_raw(deleted, raw)
                return deleted
            case "gap":
                return read_own_event(raw)
            case "damaged":
                return QuarantinedMessage(raw="", reason="The stored bytes are damaged.")
    except (ProtocolError, msgspec.MsgspecError) as error:
        return _quarantined(item, error)


def _quarantined(item: Item, error: ProtocolError | msgspec.MsgspecError) -> QuarantinedMessage:
    return QuarantinedMessage(raw=bytes(item.raw).decode("utf-8", "replace"), reason=str(error))


def event_to_json(event: Event) -> str:
    """Write an event as one line of JSON; `type` names its kind."""
    return to_json(event)


def event_from_json(text: str | bytes) -> AnyEvent:
    """
    Read an event that `event_to_json` wrote.

    Raises:
        ValueError: The text is not an event.
    """
    try:
        event: AnyEvent = msgspec.json.decode(text, type=AnyEvent)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"This is not an event: {error}.") from None
    return event
