"""Consumers: the frames of their WebSocket, and their dead letters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec

from webwx.representations.accounts import AccountView
from webwx.representations.events import EventView, NoticeType, NoticeView
from webwx.representations.problems import Problem
from webwx.representations.route import ACCOUNT, ApiRoute, Before, Limit, NoQuery, RouteQuery
from webwx.representations.sends import SendChangeView

EventNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Number of an event."""


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="hello", forbid_unknown_fields=True):
    """The first message of a client: it selects the events to send, and the position to begin at."""

    after: str | None = None
    """Cursor to continue from; null: only new events."""
    consumer: str | None = None
    """Name of a consumer, whose position is stored; a consumer reads one account only."""
    accounts: list[str] | None = None
    """Numbers or names of the accounts; null: all."""
    types: list[str] = []
    """Types of events, or patterns of types; empty: all."""
    follow: bool = True
    """For a consumer: false ends with the frame `end` once no event waits."""
    acknowledged: Annotated[list[EventNumber], msgspec.Meta(max_length=1000)] = []
    """For a consumer: events that were acknowledged on a lost connection, perhaps without effect."""


class Ack(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="ack", forbid_unknown_fields=True):
    """A message of a client with a consumer, which acknowledges an event."""

    number: EventNumber
    """Number of the event; 0 for none."""
    confirm: bool = False
    """Whether to answer `acknowledged` once this and all earlier acknowledgements are stored."""


_Error = Annotated[str, msgspec.Meta(max_length=1000)]


class FailedAttempt(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="failed", forbid_unknown_fields=True
):
    """A message of a client with a consumer: an attempt at an event has failed. The answer is `failed`."""

    number: EventNumber
    error: _Error
    """Type of the error and where it was raised; no private content."""


class GivenUp(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="give_up", forbid_unknown_fields=True):
    """A message of a client with a consumer, which makes an event a dead letter. The answer is `given_up`."""

    number: EventNumber
    error: _Error
    """As in `failed`."""


class Leave(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="leave", forbid_unknown_fields=True):
    """The last message of a client with a consumer; the answer is `left` once every acknowledgement is stored."""

    unseen_from: EventNumber = 0
    """No handler has seen the events from this number on, so they are not marked as redelivered; 0: all were seen."""


class EventFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="event"):
    """An event for a client."""

    event: EventView
    cursor: str = ""
    """Cursor after this event; empty for a consumer."""
    attempt: int = 1
    """For a consumer: the number of the attempt at this event."""


class ReadyFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="ready"):
    """The answer to the first message: what happens from now on follows."""

    cursor: str | None = None
    """Cursor from which the events follow; null for a consumer."""


class ResetFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="reset"):
    """Events after the client's cursor are gone; the events continue from here."""

    cursor: str


class AccountStateFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="account.state"):
    """The state of an account has changed."""

    data: AccountView


class NoticeFrame(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the gateway itself."""

    op: NoticeType
    data: NoticeView


class SendChangedFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="send.changed"):
    """A send was stored, or its state has changed; only if `types` of the first message names it."""

    data: SendChangeView


class AnswerFrame(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a message of a client with a consumer; answers come in the order of the messages."""

    op: Literal["acknowledged", "failed", "given_up"]
    data: int
    """`failed`: how often the event has failed so far. Else the number of the event."""


class EndFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="end"):
    """No event follows; the client may still acknowledge."""

    data: Problem | None = None
    """Why the consumer has ended; null if no event waits and the client does not follow."""


class LeftFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="left"):
    """The answer to `leave`: every acknowledgement is stored."""


class ErrorFrame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="error"):
    """The client's message or its request is refused, or the gateway failed; the connection is closed after it."""

    data: Problem


ClientFrame = Ack | FailedAttempt | GivenUp | Leave
"""A message of a client after its first one."""

ServerFrame = (
    EventFrame | ReadyFrame | ResetFrame | AccountStateFrame | NoticeFrame | SendChangedFrame | AnswerFrame | EndFrame
    | LeftFrame | ErrorFrame
)  # fmt: skip
"""A message to a client."""

CLIENT_FRAMES: tuple[type[msgspec.Struct], ...] = (Hello, *get_args(ClientFrame))

SERVER_FRAMES: tuple[type[msgspec.Struct], ...] = get_args(ServerFrame)


class OtherFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Any message to a client but an event, as a client reads it."""

    op: str
    cursor: str | None = None
    data: object = None


class ConsumerView(msgspec.Struct, frozen=True, kw_only=True):
    """A reader of an account's events with a stored position."""

    name: str
    acknowledged: int
    """All events up to this number are acknowledged."""
    waiting: int
    """Number of events after `acknowledged` that are not acknowledged."""
    dead_letters: int
    """Number of events that the consumer has given up."""


class ConsumerPage(msgspec.Struct, frozen=True, kw_only=True):
    """The consumers of an account, in the order of their names."""

    consumers: list[ConsumerView]


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a consumer has given up."""

    event: EventView
    attempts: int
    error: str
    """Type of the last error and where it was raised; for an error with a code of its own, the sentence of the code."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; `handler-failed` if the error has no code of its own."""
    time: datetime


class DeadLetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters, the newest first."""

    dead_letters: list[DeadLetterView]
    before: int | None
    """Parameter `before` of the next page; None after the last page."""


class DeadLettersQuery(RouteQuery, frozen=True, kw_only=True):
    """Which dead letters are listed."""

    before: Before = None
    limit: Limit = 50


LIST_CONSUMERS: ApiRoute[NoQuery, None, ConsumerPage] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/consumers", scope="read", summary="List consumers", reply=ConsumerPage,
    problems=(404, 424, 503),
)  # fmt: skip

DELETE_CONSUMER: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path=f"{ACCOUNT}/consumers/{{consumer}}", scope="manage", summary="Delete a consumer",
    reply=type(None), problems=(404, 409, 424, 503),
)  # fmt: skip

LIST_DEAD_LETTERS: ApiRoute[DeadLettersQuery, None, DeadLetterPage] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/consumers/{{consumer}}/dead-letters", scope="read", summary="List dead letters",
    query=DeadLettersQuery, reply=DeadLetterPage, problems=(404, 424, 503),
)  # fmt: skip

REVIVE_DEAD_LETTER: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/consumers/{{consumer}}/dead-letters/{{event:int}}/revive", scope="manage",
    summary="Revive a dead letter", reply=type(None), problems=(404, 424, 503),
)  # fmt: skip
