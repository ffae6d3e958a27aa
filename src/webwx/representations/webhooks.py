"""Webhooks: addresses of other programs to which the gateway sends events, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from webwx.representations.events import EventType
from webwx.representations.fields import AccountNumbers, Name, Patterns
from webwx.representations.route import LARGEST, ApiRoute, Limit, NoQuery, RouteQuery

WebhookFormat = Literal["event", "cloudevents"]
"""`event`: the event as the API shows it. `cloudevents`: the same as the data of a structured CloudEvent 1.0."""

WebhookOrdering = Literal["chat", "account", "none"]
"""
Which events wait for each other. `chat`: those of one chat. `account`: those of one account. `none`: no event waits for
another one, so they may arrive in any order.
"""

AttemptOrigin = Literal["journal", "replay", "notice", "test"]
"""
Why an event was sent. `journal`: the event is new. `replay`: a caller has requested the event again. `notice`: the
gateway reports the state of another webhook. `test`: a caller has requested a test.
"""

MOST_REPLAYED = 1_000
"""Maximum number of events of a replay."""

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, without its secret."""

    id: str
    name: str
    url: str
    accounts: tuple[int, ...] | None
    """Numbers of the accounts whose events are sent; null: all, later ones included."""
    types: tuple[str, ...]
    """Patterns of the types to send; empty: all."""
    chats: tuple[str, ...]
    """Names or ids of the chats whose events are sent; empty: all."""
    is_self: bool | None
    """True: only what the account itself has written. False: only what others have written. Null: both."""
    format: WebhookFormat
    ordering: WebhookOrdering
    """Which events wait for each other: those of a chat, of an account, or none."""
    report: bool
    """Whether File Transfer Helper gets a line when the webhook fails or is disabled."""
    allow_private: bool
    """Whether the host may be in a private network or on this machine."""
    state: Literal["active", "retrying", "failing", "disabled"]
    """
    `active`, `retrying` (a failed event waits for its next attempt), `failing` (an event was given up, and none was
    delivered since) or `disabled`.
    """
    disabled_reason: str
    """Why the gateway has disabled the webhook; empty if it has not."""
    failing_since: datetime | None
    """Time at which an event was given up, if none was delivered since."""
    consumer: str
    """Name of the consumer that has the dead letters of the webhook."""
    created_at: datetime


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """The webhooks whose accounts the key reaches, the oldest first."""

    webhooks: list[WebhookView]


class CreatedWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with its secret, which only this answer shows."""

    webhook: WebhookView
    secret: str
    """Secret of Standard Webhooks: `whsec_` and base64."""

    def __repr__(self) -> str:
        return f"CreatedWebhook({self.webhook.id})"


class WebhookToCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook to create."""

    name: Name
    url: str
    accounts: AccountNumbers | None = None
    """Numbers of accounts; null: all that the key reaches."""
    types: Patterns = []
    """Patterns of types, such as `message.*`; empty: all."""
    chats: Patterns = []
    """Names or ids of chats; empty: all."""
    is_self: bool | None = None
    """True: only what the account itself has written. False: only what others have written. Null: both."""
    format: WebhookFormat = "event"
    ordering: WebhookOrdering = "chat"
    """Which events wait for each other: those of a chat, of an account, or none."""
    report: bool = False
    """Write a line to File Transfer Helper when the webhook fails or is disabled; needs the scope `send:filehelper`."""
    allow_private: bool = False
    """Allow a host in a private network or on this machine; needs the scope `admin`."""

    def __repr__(self) -> str:
        return "WebhookToCreate(***)"


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a webhook; a missing field is not changed."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    accounts: AccountNumbers | msgspec.UnsetType | None = msgspec.UNSET
    """Numbers of accounts; null: all that the key reaches."""
    types: Patterns | msgspec.UnsetType = msgspec.UNSET
    chats: Patterns | msgspec.UnsetType = msgspec.UNSET
    is_self: bool | msgspec.UnsetType | None = msgspec.UNSET
    format: WebhookFormat | msgspec.UnsetType = msgspec.UNSET
    ordering: WebhookOrdering | msgspec.UnsetType = msgspec.UNSET
    """Which events wait for each other: those of a chat, of an account, or none."""
    report: bool | msgspec.UnsetType = msgspec.UNSET
    """Write a line to File Transfer Helper when the webhook fails or is disabled; needs the scope `send:filehelper`."""
    allow_private: bool | msgspec.UnsetType = msgspec.UNSET
    """Allow a host in a private network or on this machine; needs the scope `admin`."""
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    """False: send nothing and keep the position. True: continue from the position."""

    def __repr__(self) -> str:
        return "WebhookChange(***)"


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a webhook, and its outcome."""

    number: int
    """Number of the delivery; it grows with each attempt at any event of the webhook."""
    event: str
    """Id of the event, the same for all attempts."""
    type: EventType
    account: int
    """Number of the account; 0 for an event without an account."""
    attempt: int
    """Number of the attempt, from 1."""
    origin: AttemptOrigin
    """`journal`: a new event. `replay`, `test`: at the request of a caller. `notice`: about another webhook."""
    time: datetime
    milliseconds: int
    """Duration of the request."""
    delivered: bool
    """Whether the server has accepted the event (2xx)."""
    status: int | None
    """Status of the answer; null if no answer arrived."""
    error: str
    """Why there was no answer."""
    error_code: str = ""
    """Code of the error, listed at `/docs/errors`; empty without an error, or if an earlier version stored it."""
    answer: str | None
    """The beginning of the answer; null without the scope `admin`, empty if private addresses are allowed."""
    next_attempt_at: datetime | None
    """Time of the next attempt; null if none follows."""


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts at a webhook, the newest first."""

    deliveries: list[DeliveryView]
    next: int | None
    """`before` for the next page; null after the last one."""


class LostDeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was given up after its last attempt."""

    event: str
    """Id of the event."""
    type: EventType
    account: int
    """Number of the account."""
    attempts: int
    error: str
    """Outcome of the last attempt."""
    error_code: str = ""
    """Code of the outcome, listed at `/docs/errors`; `handler-failed` if an earlier version stored the outcome."""
    time: datetime
    """Time of the last attempt."""


class LostDeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were given up, the latest first."""

    dead_letters: list[LostDeliveryView]


class ReplayToBegin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events to send again: the given ids, or all events of a period that the webhook wants."""

    ids: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST_REPLAYED)] | None = None
    """Ids of events, in the order in which they are sent."""
    since: _Moment | None = msgspec.field(default=None, name="from")
    """Time of the earliest event."""
    until: _Moment | None = msgspec.field(default=None, name="to")
    """Time of the latest event; null: now."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A replay that has begun."""

    events: int
    """Number of events that are sent, one after another, once each."""


class DeliveriesQuery(RouteQuery, frozen=True, kw_only=True):
    """Which attempts at a webhook are listed."""

    before: Annotated[int, msgspec.Meta(ge=1, le=LARGEST, description="Only attempts with a lower number")] | None = (
        None
    )
    limit: Limit = 50


class LostDeliveriesQuery(RouteQuery, frozen=True, kw_only=True):
    """How many events that were given up are listed."""

    limit: Limit = 50


LIST_WEBHOOKS: ApiRoute[NoQuery, None, WebhookList] = ApiRoute(
    method="GET", path="/webhooks", scope="webhooks", summary="List webhooks", reply=WebhookList, problems=(503,),
)  # fmt: skip

CREATE_WEBHOOK: ApiRoute[NoQuery, WebhookToCreate, CreatedWebhook] = ApiRoute(
    method="POST", path="/webhooks", scope="webhooks", summary="Create a webhook", body=WebhookToCreate,
    example=WebhookToCreate(name="orders", url="https://hooks.example/webwx", types=["message.*"]),
    reply=CreatedWebhook, problems=(404, 422, 503), created=True,
)  # fmt: skip

SHOW_WEBHOOK: ApiRoute[NoQuery, None, WebhookView] = ApiRoute(
    method="GET", path="/webhooks/{webhook_id}", scope="webhooks", summary="Show a webhook", reply=WebhookView,
    problems=(404, 503),
)  # fmt: skip

CHANGE_WEBHOOK: ApiRoute[NoQuery, WebhookChange, WebhookView] = ApiRoute(
    method="PATCH", path="/webhooks/{webhook_id}", scope="webhooks", summary="Change a webhook", body=WebhookChange,
    example=WebhookChange(types=["message.*"]), reply=WebhookView, problems=(404, 409, 422, 503),
)  # fmt: skip

ROTATE_WEBHOOK: ApiRoute[NoQuery, None, CreatedWebhook] = ApiRoute(
    method="POST", path="/webhooks/{webhook_id}/rotate", scope="webhooks", summary="Replace a secret",
    reply=CreatedWebhook, problems=(404, 409, 503), created=True,
)  # fmt: skip

TEST_WEBHOOK: ApiRoute[NoQuery, None, DeliveryView] = ApiRoute(
    method="POST", path="/webhooks/{webhook_id}/test", scope="webhooks", summary="Send a test event",
    reply=DeliveryView, problems=(404, 503),
)  # fmt: skip

LIST_DELIVERIES: ApiRoute[DeliveriesQuery, None, DeliveryList] = ApiRoute(
    method="GET", path="/webhooks/{webhook_id}/deliveries", scope="webhooks", summary="List deliveries",
    query=DeliveriesQuery, reply=DeliveryList, problems=(404, 503),
)  # fmt: skip

LIST_LOST_DELIVERIES: ApiRoute[LostDeliveriesQuery, None, LostDeliveryList] = ApiRoute(
    method="GET", path="/webhooks/{webhook_id}/dead-letters", scope="webhooks",
    summary="List events that were given up", query=LostDeliveriesQuery, reply=LostDeliveryList, problems=(404, 503),
)  # fmt: skip

REVIVE_LOST_DELIVERY: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path="/webhooks/{webhook_id}/dead-letters/{event_id}/revive", scope="webhooks",
    summary="Send an event once more", reply=type(None), problems=(404, 424, 503),
)  # fmt: skip

REPLAY_EVENTS: ApiRoute[NoQuery, ReplayToBegin, Replay] = ApiRoute(
    method="POST", path="/webhooks/{webhook_id}/replay", scope="webhooks", summary="Send events again",
    body=ReplayToBegin, example=ReplayToBegin(ids=("1-318",)), reply=Replay,
    problems=(404, 409, 424, 503), accepted=True,
)  # fmt: skip

DELETE_WEBHOOK: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path="/webhooks/{webhook_id}", scope="webhooks", summary="Delete a webhook", reply=type(None),
    problems=(404, 503),
)  # fmt: skip
