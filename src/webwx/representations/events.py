"""Events as the API shows them: dotted types, an envelope that is the same for all, and no keys of the platform."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from webwx.errors import ProtocolError
from webwx.model.events import EVENT_TYPES as MODEL_TYPES
from webwx.model.events import AnyEvent
from webwx.model.messages import Event, Quoted, QuoteMessage
from webwx.model.serialization import to_builtins
from webwx.model.shown import Shown, shown_fields
from webwx.model.summary import Language, summarize_event, summarize_quoted
from webwx.representations.route import ApiRoute, Limit, RouteQuery, Since, Until

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT_TYPES = (*MODEL_TYPES, "account.state", "send.changed", "webhook.disabled", "webhook.failing")
"""All types of events, those of the gateway itself included."""

EventType: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted({*EVENT_TYPES, "webhook.test"})})]
"""Type of an event."""


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


class QuotedView(Quoted, frozen=True, kw_only=True):
    """The message that a reply quotes, as the API shows it."""

    summary: Shown[Summary]
    """The quoted message on one line, in each language."""


_IN_ENVELOPE = frozenset({"type", "number", "redelivered", "chat", "sender", "is_self", "time"})


def is_in_envelope(name: str) -> bool:
    """Return whether a field of an event is one of the envelope, or has no place in the API."""
    return name in _IN_ENVELOPE


def summary_of(event: Event) -> Summary:
    """Return an event on one line."""
    return Summary(en=summarize_event(event), zh=summarize_event(event, "zh"))


def fields_of(event: Event) -> dict[str, Any]:
    """Return the fields of one kind of event that may be shown, without those of the envelope."""
    fields: dict[str, Any] = to_builtins(_shown(event))
    if isinstance(
        event, QuoteMessage
    ):  # the content of what it quotes is not shown, so that readers cannot describe it
        fields["quoted"]["summary"] = {each: summarize_quoted(event.quoted, each) for each in get_args(Language)}
    return {name: value for name, value in fields.items() if name not in _IN_ENVELOPE}


def _shown(value: Any) -> Any:
    """Return the JSON form of a value, of a struct only the fields that may be shown, at any depth."""
    match value:
        case msgspec.Struct():
            kind = type(value)
            return {**tag_of(kind), **{name: _shown(getattr(value, name)) for name in shown_fields(kind)}}
        case list() | tuple():
            return [_shown(each) for each in value]
        case _:
            return value


def tag_of(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the key and value that name a class in JSON; empty if it has no name there."""
    config = kind.__struct_config__
    return {} if config.tag_field is None else {config.tag_field: str(config.tag)}


class EventsView(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events."""

    events: list[EventView]
    next: str
    """Cursor for the next page."""
    lost: bool
    """Whether events between the given cursor and this page were deleted before they were read."""


NoticeType = Literal["webhook.disabled", "webhook.failing", "webhook.test"]
"""
`webhook.disabled`: the gateway has disabled a webhook. `webhook.failing`: the gateway has given up an event.
`webhook.test`: the test button of a webhook was pressed; only this webhook gets the event.
"""


class NoticeContent(msgspec.Struct, frozen=True, kw_only=True):
    """The webhook that an event is about."""

    webhook: str
    """Id of the webhook."""
    name: str
    """Name of the webhook."""
    reason: str
    """What happened, as a sentence."""


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the gateway itself, as readers see it."""

    id: str
    type: NoticeType
    time: datetime
    account: Literal[0] = 0
    """Always 0, because the event belongs to no account."""
    data: NoticeContent


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """Events after the reader's cursor are gone; the reader continues from here."""

    cursor: str


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


class StreamQuery(RouteQuery, frozen=True, kw_only=True):
    """Which events are followed."""

    after: After = None
    accounts: Accounts = None
    types: Types = None


STREAM_EVENTS: ApiRoute[StreamQuery, None, bytes] = ApiRoute(
    method="GET", path="/events/stream", scope="events", summary="Follow events (SSE)", query=StreamQuery, reply=bytes,
    problems=(404, 503),
)  # fmt: skip

EVENTS_SOCKET = "/events/ws"
"""Path of the WebSocket below the API's."""


# -- and back ----------------------------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """How a class is read from what is shown of it."""

    shown: frozenset[str]
    """Names of the fields that may be shown."""
    blank: dict[str, str]
    """Values of the other fields that have no default: all of them are texts."""
    inside: dict[str, tuple[type[msgspec.Struct], ...]]
    """For each field, the classes of the values inside it."""


@cache
def _plan_of(kind: type[msgspec.Struct]) -> _Plan:
    shown, fields = frozenset(shown_fields(kind)), msgspec.structs.fields(kind)
    return _Plan(
        shown=shown,
        blank={field.name: "" for field in fields if field.name not in shown and field.required},
        inside={field.name: tuple(_structs_in(field.type)) for field in fields},
    )


def _structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the classes of structs in a type, such as `Person` in `tuple[Person, ...] | None`."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for each in get_args(kind):
        yield from _structs_in(each)


_KINDS: dict[str, type[AnyEvent]] = {kind.__struct_config__.tag: kind for kind in get_args(AnyEvent)}
"""Class of an event by its type."""


def event_of(view: EventView) -> AnyEvent:
    """
    Return the event that the API shows; its private fields are empty.

    Raises:
        ProtocolError: The event is not one that this version knows.
    """
    kind = _KINDS.get(view.type)
    if kind is not None:
        fields = {
            **view.data, "number": view.number, "redelivered": view.redelivered, "chat": view.chat or "",
            "sender": view.sender, "is_self": view.is_self,
            "time": 0 if view.time is None else int(view.time.timestamp()),
        }  # fmt: skip
        with suppress(msgspec.ValidationError, RecursionError):
            return msgspec.convert(_filled(kind, fields), kind)
    raise ProtocolError(f"The gateway sent an unknown event {view.type!r}; it may have another version.")


def _filled(kind: type[msgspec.Struct], shown: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a struct in JSON: those that may be shown, and the others empty, at any depth."""
    plan = _plan_of(kind)
    fields = {name: _filled_inside(plan.inside[name], shown[name]) for name in plan.shown & shown.keys()}
    return {**plan.blank, **tag_of(kind), **fields}


def _filled_inside(kinds: tuple[type[msgspec.Struct], ...], value: Any) -> Any:
    match value:
        case dict():
            kind = next((each for each in kinds if tag_of(each).items() <= value.items()), None)
            return value if kind is None else _filled(kind, value)
        case list():
            return [_filled_inside(kinds, each) for each in value]
        case _:
            return value
