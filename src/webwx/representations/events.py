"""Events as the API shows them: dotted types, an envelope that is the same for all, and no keys of the platform."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, get_args

import msgspec

from webwx.errors import ProtocolError
from webwx.model.events import AnyEvent
from webwx.model.messages import Event, QuoteMessage, TextQuoteMessage
from webwx.model.serialization import to_builtins
from webwx.model.summary import Language, summarize_event, summarize_quoted
from webwx.representations.route import ApiRoute, Limit, RouteQuery, Since, Until

PRIVATE_FIELDS = frozenset({
    "attr_status", "avatar_key", "content", "encrypted_name", "media_id", "raw", "real_ids", "scene", "ticket", "uin",
})  # fmt: skip
"""Private fields, which the API never shows: the content contains media keys, and a ticket accepts a friend request."""


_TYPES = {
    "app_message": "message.app",
    "call_message": "message.call",
    "card_message": "message.card",
    "chatroom_dissolved": "chatroom.dissolved",
    "chatroom_owner_changed": "chatroom.owner_changed",
    "chatroom_rejoined": "chatroom.rejoined",
    "chatroom_renamed": "chatroom.renamed",
    "contact_changed": "contact.changed",
    "contact_deleted": "contact.deleted",
    "continuity_lost": "continuity.lost",
    "file_message": "message.file",
    "friend_added": "friend.added",
    "friend_confirmation_required": "friend.confirmation_required",
    "friend_request": "friend.requested",
    "group_note_message": "message.group_note",
    "history_message": "message.history",
    "identity_ambiguous": "identity.ambiguous",
    "image_message": "message.image",
    "link_message": "message.link",
    "live_location_ended": "message.live_location_ended",
    "live_location_message": "message.live_location",
    "location_message": "message.location",
    "loop_detected": "loop.detected",
    "member_joined": "chatroom.member_joined",
    "member_removed": "chatroom.member_removed",
    "message_recalled": "message.recalled",
    "message_rejected": "message.rejected",
    "mini_program_message": "message.mini_program",
    "music_message": "message.music",
    "pat": "message.pat",
    "phone_activity": "phone.activity",
    "possible_friend": "friend.possible",
    "quarantined_message": "message.quarantined",
    "quote_message": "message.quote",
    "red_packet_message": "message.red_packet",
    "red_packet_notice": "message.red_packet_notice",
    "state_timed_out": "state.timed_out",
    "split_bill_notice": "message.split_bill_notice",
    "sticker_message": "message.sticker",
    "system_message": "message.system",
    "text_message": "message.text",
    "text_quote_message": "message.quote",
    "transfer_message": "message.transfer",
    "unknown_message": "message.unknown",
    "video_message": "message.video",
    "voice_message": "message.voice",
}
"""Type of an event in the API, by the event's tag."""


EVENT_TYPES = (*sorted(set(_TYPES.values())), "account.state", "send.changed", "webhook.disabled", "webhook.failing")
"""All types of events."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """An event on one line, in each language; empty for an event without content, such as a change of a contact."""

    en: str = ""
    """English."""
    zh: str = ""
    """Chinese."""


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event."""

    id: str
    """Unique id: the number of the account and the number of the event."""
    number: int
    """Number of the event in its account; it grows in the order of arrival."""
    account: int
    """Number of the account."""
    type: str
    """Kind of the event, such as `message.text`."""
    time: datetime | None
    """Time of the event; null for an event without a time."""
    chat: str | None
    """Id of the chat in this login; null if the event belongs to no chat."""
    chat_name: str
    """Name of the chat to show."""
    sender: str | None
    """Id of the author in this login; null for a notice."""
    sender_name: str
    """Name of the author to show."""
    is_self: bool
    """Whether this account has written the message, here or on another device."""
    redelivered: bool
    """Whether the reader may have received the event before."""
    summary: Summary = Summary()
    """The event on one line of at most 200 characters: a text as it is, other kinds with the kind in brackets."""
    data: dict[str, Any]
    """The fields of this kind of event."""


def type_of(event: Event) -> str:
    """Return the type of an event in the API."""
    tag = type(event).__struct_config__.tag
    return _TYPES[str(tag)]


_IN_ENVELOPE = frozenset({"event", "number", "redelivered", "chat", "sender", "is_self", "time"})


def summary_of(event: Event) -> Summary:
    """Return an event on one line."""
    return Summary(en=summarize_event(event), zh=summarize_event(event, "zh"))


def fields_of(event: Event) -> dict[str, Any]:
    """Return the fields of one kind of event, without those of the envelope and the private ones."""
    fields: dict[str, Any] = public(to_builtins(event))
    if isinstance(event, QuoteMessage):  # the content of what it quotes is private, so that readers cannot describe it
        fields["quoted"]["summary"] = {each: summarize_quoted(event.quoted, each) for each in get_args(Language)}
        fields["quoted"]["is_in_text"] = isinstance(event, TextQuoteMessage)
    return {name: value for name, value in fields.items() if name not in _IN_ENVELOPE}


def public(value: Any) -> Any:
    """Return a JSON value without the private fields, at any depth."""
    match value:
        case dict():
            return {name: public(each) for name, each in value.items() if not _is_private(name, each)}
        case list() | tuple():
            return [public(each) for each in value]
        case _:
            return value


def _is_private(name: str, value: Any) -> bool:
    # The original of a recall is an event; that of a location is XML.
    return name in PRIVATE_FIELDS or (name == "original" and isinstance(value, str))


class EventsView(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events."""

    events: list[EventView]
    next: str
    """Cursor for the next page."""
    lost: bool
    """Whether events between the given cursor and this page were deleted before they were read."""


# -- routes ------------------------------------------------------------------------------------------------------------

LONGEST_WAIT = 25.0
"""Seconds for which a page may wait for an event."""

Accounts = Annotated[str | None, msgspec.Meta(description="Numbers or names, separated by commas; default: all")]

Types = Annotated[str | None, msgspec.Meta(description="Types or patterns, such as `message.*`, separated by commas")]

After = Annotated[str | None, msgspec.Meta(description="Cursor to continue from, as `next` of a page")]


class EventsQuery(RouteQuery, frozen=True, kw_only=True):
    """Which events are read."""

    after: After = None
    accounts: Accounts = None
    types: Types = None
    since: Since = 0
    until: Until = 0
    limit: Limit = 100
    wait: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an event")] = 0


READ_EVENTS: ApiRoute[EventsQuery, None, EventsView] = ApiRoute(
    method="GET", path="/events", scope="events", summary="Read events by page", query=EventsQuery, reply=EventsView,
    problems=(404, 422, 503),
)  # fmt: skip


# -- and back ----------------------------------------------------------------------------------------------------------

_TAGS = {shown: tag for tag, shown in _TYPES.items() if tag != "text_quote_message"}
"""Tag of an event by its type in the API."""

_BLANK = {"content": "", "media_id": "", "ticket": ""}
"""Values for the private fields of several kinds of events that have no default."""

_BLANK_OF = {"quarantined_message": {"raw": ""}}
"""Values for the private fields of one kind of event, by its tag."""


def event_of(view: EventView) -> AnyEvent:
    """
    Return the event that the API shows; its private fields are empty.

    Raises:
        ProtocolError: The event is not one that this version knows.
    """
    tag = _TAGS.get(view.type)
    quoted = view.data.get("quoted")
    if tag == "quote_message" and isinstance(quoted, dict) and quoted.get("is_in_text"):
        tag = "text_quote_message"  # both are quotes for users of the API
    fields = {
        **_filled(view.data), **_BLANK_OF.get(tag or "", {}), "event": tag, "number": view.number,
        "redelivered": view.redelivered,
        "chat": view.chat or "", "sender": view.sender, "is_self": view.is_self,
        "time": 0 if view.time is None else int(view.time.timestamp()),
    }  # fmt: skip
    try:
        event: AnyEvent = msgspec.convert(fields, AnyEvent)
    except (msgspec.ValidationError, RecursionError):
        raise ProtocolError(f"The gateway sent an unknown event {view.type!r}; it may have another version.") from None
    return event


def _filled(value: Any) -> Any:
    """Return a JSON value whose objects have the private fields, empty."""
    match value:
        case dict():
            return {**_BLANK, **{name: _filled(each) for name, each in value.items()}}
        case list():
            return [_filled(each) for each in value]
        case _:
            return value
