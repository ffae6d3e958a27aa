"""
What a sync can tell, and how an undelivered rest of it is kept.

A batch is taken over raw, item by item; each becomes an event when it is looked at. One that cannot be read becomes a
`QuarantinedMessage`, so that it never costs the others.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from webwx.errors import ProtocolError
from webwx.model.contacts import Contact, ContactId, contact_from_wire
from webwx.model.delivery import message_from_wire
from webwx.model.messages import AnyMessage, Event, MessageRecalled, PhoneActivity
from webwx.protocol.codec import read_json
from webwx.protocol.contacts import WireContact
from webwx.protocol.messages import WireMessage
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


AnyEvent = AnyMessage | MessageRecalled | PhoneActivity | ContactChanged | ContactDeleted | QuarantinedMessage


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a batch, not yet looked at."""

    kind: Literal["message", "contact", "deleted"]
    raw: msgspec.Raw
    """As delivered."""


def event_from_item(item: Item, own_id: str) -> Event:
    """Look at an item: the event it is."""
    raw = bytes(item.raw)
    try:
        match item.kind:
            case "message":
                return message_from_wire(read_json(raw, WireMessage), own_id, raw)
            case "contact":
                return ContactChanged(contact=contact_from_wire(read_json(raw, WireContact), own_id))
            case "deleted":
                return ContactDeleted(id=ContactId(read_json(raw, DeletedContact).user_name))
    except ProtocolError as error:
        return QuarantinedMessage(raw=raw.decode("utf-8", "replace"), reason=str(error))


def event_to_json(event: Event) -> str:
    """Write an event as one line of JSON; `event` names its kind."""
    return msgspec.json.encode(event).decode()


def event_from_json(text: str | bytes) -> AnyEvent:
    """
    Read an event that `event_to_json` wrote.

    Raises:
        ValueError: It is none.
    """
    try:
        event: AnyEvent = msgspec.json.decode(text, type=AnyEvent)
    except msgspec.MsgspecError as error:
        raise ValueError(f"This is no event: {error}.") from None
    return event
