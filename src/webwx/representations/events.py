"""Events as the API shows them: dotted types, an envelope that is the same for all, and no keys of the platform."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, get_args

import msgspec

from webwx.errors import ProtocolError
from webwx.model.events import EVENT_TYPES as MODEL_TYPES
from webwx.model.events import AnyEvent
from webwx.model.messages import Event, QuoteMessage
from webwx.model.serialization import to_builtins
from webwx.model.summary import Language, summarize_event, summarize_quoted
from webwx.representations.route import ApiRoute, Limit, RouteQuery, Since, Until

PRIVATE_FIELDS = frozenset({
    "attr_status", "avatar_key", "content", "encrypted_name", "media_id", "raw", "real_ids", "scene", "ticket", "uin",
})  # fmt: skip
"""Private fields, which the API never shows: the content contains media keys, and a ticket accepts a friend request."""


EVENT_TYPES = (*MODEL_TYPES, "account.state", "send.changed", "webhook.disabled", "webhook.failing")
"""All types of events, those of the gateway itself included."""


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


_IN_ENVELOPE = frozenset({"type", "number", "redelivered", "chat", "sender", "is_self", "time"})


def summary_of(event: Event) -> Summary:
    """Return an event on one line."""
    return Summary(en=summarize_event(event), zh=summarize_event(event, "zh"))


def fields_of(event: Event) -> dict[str, Any]:
    """Return the fields of one kind of event, without those of the envelope and the private ones."""
    fields: dict[str, Any] = public(to_builtins(event))
    if isinstance(event, QuoteMessage):  # the content of what it quotes is private, so that readers cannot describe it
        fields["quoted"]["summary"] = {each: summarize_quoted(event.quoted, each) for each in get_args(Language)}
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

_BLANK = {"content": "", "media_id": "", "ticket": ""}
"""Values for the private fields of several kinds of events that have no default."""

_BLANK_OF = {"message.quarantined": {"raw": ""}}
"""Values for the private fields of one kind of event, by its type."""


def event_of(view: EventView) -> AnyEvent:
    """
    Return the event that the API shows; its private fields are empty.

    Raises:
        ProtocolError: The event is not one that this version knows.
    """
    fields = {
        **_filled(view.data), **_BLANK_OF.get(view.type, {}), "type": view.type, "number": view.number,
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
