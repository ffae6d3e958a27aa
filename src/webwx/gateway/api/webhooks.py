"""Webhooks: addresses of other programs to which the gateway sends events."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation

from webwx.client.dead_letters import DeadLetter
from webwx.errors import NotLoggedIn
from webwx.gateway.account_consumers import require_room
from webwx.gateway.accounts import GatewayAccounts
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort, Limit
from webwx.gateway.auth import Caller
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.webhook_attempts import AttemptOrigin, WebhookAttempt
from webwx.gateway.webhook_delivery import WebhookDelivery
from webwx.gateway.webhook_replay import MOST_REPLAYED, events_between, events_by_id
from webwx.gateway.webhooks import NewWebhook, StoredWebhook, WebhookFormat, WebhookOrdering, Webhooks
from webwx.representations.events import type_of
from webwx.representations.fields import AccountNumbers, Name, Patterns, given_fields
from webwx.representations.route import LARGEST
from webwx.representations.times import moment, optional_moment

InjectedWebhooks = NamedDependency[SkipValidation[Webhooks]]
InjectedDeliveries = NamedDependency[SkipValidation[WebhookDelivery]]

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
    type: str
    """Type of the event."""
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
    type: str
    """Type of the event."""
    account: int
    """Number of the account."""
    attempts: int
    error: str
    """Outcome of the last attempt."""
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


async def _view_of_webhook(webhook: StoredWebhook, deliveries: WebhookDelivery) -> WebhookView:
    state: Literal["active", "retrying", "failing", "disabled"] = "active"
    if not webhook.enabled:
        state = "disabled"
    elif webhook.failing_since:
        state = "failing"
    elif await deliveries.is_retrying(webhook.id):
        state = "retrying"
    return WebhookView(
        id=webhook.id, name=webhook.name, url=webhook.url, accounts=webhook.accounts, types=webhook.types,
        chats=webhook.chats, is_self=webhook.is_self, format=webhook.format, ordering=webhook.ordering,
        report=webhook.report, allow_private=webhook.allow_private, state=state,
        disabled_reason=webhook.disabled_reason, failing_since=optional_moment(webhook.failing_since),
        consumer=webhook.consumer, created_at=moment(webhook.created_at),
    )  # fmt: skip


async def _view_of_new(made: NewWebhook, deliveries: WebhookDelivery) -> CreatedWebhook:
    return CreatedWebhook(webhook=await _view_of_webhook(made.webhook, deliveries), secret=made.secret)


def _view_of_attempt(made: WebhookAttempt, caller: Caller) -> DeliveryView:
    return DeliveryView(
        number=made.number, event=made.event, type=made.type, account=made.account, attempt=made.attempt,
        origin=made.origin, time=moment(made.time), milliseconds=made.milliseconds, delivered=made.is_delivered,
        status=made.status, error=made.error, answer=made.answer if caller.allows("admin") else None,
        next_attempt_at=optional_moment(made.next_attempt_at),
    )  # fmt: skip


def _view_of_letter(account: int, letter: DeadLetter) -> LostDeliveryView:
    return LostDeliveryView(
        event=f"{account}-{letter.event.number}", type=type_of(letter.event), account=account,
        attempts=letter.attempts, error=letter.error, time=moment(letter.time),
    )  # fmt: skip


def _reaches(caller: Caller, webhook: StoredWebhook) -> bool:
    """Return whether a caller reaches all accounts of a webhook."""
    if webhook.accounts is None:
        return caller.accounts is None
    return all(map(caller.reaches, webhook.accounts))


async def _reached(webhooks: Webhooks, caller: Caller, webhook_id: str) -> StoredWebhook:
    """
    Return a webhook whose accounts the caller reaches.

    Raises:
        GatewayProblem: There is no such webhook, or the caller does not reach all of its accounts.
    """
    webhook = await webhooks.get(webhook_id)
    if webhook is None or not _reaches(caller, webhook):
        raise GatewayProblem("not-found", "There is no such webhook, or the key does not reach all its accounts.")
    return webhook


def _check_accounts(port: GatewayAccounts, caller: Caller, accounts: Collection[int] | None) -> None:
    for account in accounts or ():
        if port.find_account(str(account)) is None or not caller.reaches(account):
            raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.")


def _check_report(caller: Caller, *, reports: bool) -> None:
    if reports and not caller.allows("send:filehelper"):
        raise GatewayProblem("forbidden", "A webhook with 'report' needs a key with the scope 'send:filehelper'.")


def _check_private(caller: Caller, *, is_private: bool) -> None:
    if is_private and not caller.allows("admin"):
        raise GatewayProblem("forbidden", "A webhook with 'allow_private' needs a key with the scope 'admin'.")


@get("/webhooks", scope="webhooks", summary="List webhooks", responses=problems(503))
async def list_webhooks(
    webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> WebhookList:
    """Return the webhooks whose accounts the key reaches."""
    found = [each for each in await webhooks.find() if _reaches(caller, each)]
    return WebhookList(webhooks=[await _view_of_webhook(each, deliveries) for each in found])


@post("/webhooks", scope="webhooks", summary="Create a webhook", responses=problems(404, 422, 503))
async def create_webhook(
    data: JSONBody[WebhookToCreate],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    port: InjectedPort,
    audited: InjectedAudited,
    caller: InjectedCaller,
) -> CreatedWebhook:
    """
    Create a webhook for the events from now on, and return its secret. No later answer shows the secret.

    The webhook gets the events of its accounts even if the key does not have the scope `events`.
    """
    _check_accounts(port, caller, data.accounts)
    _check_private(caller, is_private=data.allow_private)
    _check_report(caller, reports=data.report)
    fields = given_fields(data)
    if data.accounts is None:
        fields["accounts"] = caller.accounts
    webhook = StoredWebhook(id="", secret="", created_at=0, **fields)
    await require_room(port, webhook.serves)
    made = await webhooks.create(webhook)
    audited.target = made.webhook.id
    await deliveries.apply(made.webhook.id)
    return await _view_of_new(made, deliveries)


@get("/webhooks/{webhook_id:str}", scope="webhooks", summary="Show a webhook", responses=problems(404, 503))
async def show_webhook(
    webhook_id: FromPath[str], webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> WebhookView:
    """Return one webhook."""
    return await _view_of_webhook(await _reached(webhooks, caller, webhook_id), deliveries)


@patch(
    "/webhooks/{webhook_id:str}", scope="webhooks", summary="Change a webhook", responses=problems(404, 409, 422, 503)
)  # fmt: skip
async def change_webhook(
    webhook_id: FromPath[str],
    data: JSONBody[WebhookChange],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    port: InjectedPort,
    caller: InjectedCaller,
) -> WebhookView:
    """Change some fields of a webhook. It keeps its position, and events that wait for a retry are sent at once."""
    before = await _reached(webhooks, caller, webhook_id)
    changes = given_fields(data)
    _check_accounts(port, caller, changes.get("accounts"))
    if data.accounts is None:
        changes["accounts"] = caller.accounts
    _check_report(caller, reports=bool(changes.get("report")))
    if changes.get("enabled"):
        changes |= {"disabled_reason": "", "failing_since": 0.0}
    after = msgspec.structs.replace(before, **changes)
    await require_room(
        port, lambda number: after.enabled and after.serves(number),
        served=lambda number: before.enabled and before.serves(number),
    )  # fmt: skip

    def change(webhook: StoredWebhook) -> StoredWebhook:
        changed = msgspec.structs.replace(webhook, **changes)
        _check_private(caller, is_private=webhook.allow_private or changed.allow_private)
        return changed

    changed = await webhooks.change(webhook_id, change)
    if changed is None:
        raise GatewayProblem("not-found", "The webhook was deleted.")
    await deliveries.apply(webhook_id)
    return await _view_of_webhook(changed, deliveries)


@post(
    "/webhooks/{webhook_id:str}/rotate", scope="webhooks", summary="Replace a secret", responses=problems(404, 409, 503)
)  # fmt: skip
async def rotate_webhook(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    caller: InjectedCaller,
) -> CreatedWebhook:
    """Replace the secret of a webhook; for a day, requests are signed with the earlier one too."""
    await _reached(webhooks, caller, webhook_id)
    made = await webhooks.rotate(webhook_id)
    if made is None:
        raise GatewayProblem("not-found", "The webhook was deleted.")
    await deliveries.apply(webhook_id)
    return await _view_of_new(made, deliveries)


@post(
    "/webhooks/{webhook_id:str}/test", scope="webhooks", status_code=200, summary="Send a test event",
    responses=problems(404, 503),
)  # fmt: skip
async def test_webhook(
    webhook_id: FromPath[str], webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> DeliveryView:
    """Send an event of the type `webhook.test` once, and return the outcome."""
    webhook = await _reached(webhooks, caller, webhook_id)
    return _view_of_attempt(await deliveries.test(webhook), caller)


@get(
    "/webhooks/{webhook_id:str}/deliveries", scope="webhooks", summary="List deliveries", responses=problems(404, 503)
)  # fmt: skip
async def list_deliveries(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    caller: InjectedCaller,
    before: Annotated[
        int | None, QueryParameter(ge=1, le=LARGEST, description="Only attempts with a lower number")
    ] = None,
    limit: Limit = 50,
) -> DeliveryList:
    """Return the attempts at a webhook, the newest first; the latest thousand are stored."""
    await _reached(webhooks, caller, webhook_id)
    found = await deliveries.attempts.read(webhook_id, before=before, limit=limit + 1)
    shown = [_view_of_attempt(each, caller) for each in found[:limit]]
    return DeliveryList(deliveries=shown, next=shown[-1].number if len(found) > limit else None)


@get(
    "/webhooks/{webhook_id:str}/dead-letters", scope="webhooks", summary="List events that were given up",
    responses=problems(404, 503),
)  # fmt: skip
async def list_lost_deliveries(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    port: InjectedPort,
    caller: InjectedCaller,
    limit: Limit = 50,
) -> LostDeliveryList:
    """Return the events that were given up after their last attempt, the latest first."""
    webhook = await _reached(webhooks, caller, webhook_id)
    found: list[LostDeliveryView] = []
    for number in await port.list_numbers():
        if webhook.serves(number):
            with contextlib.suppress(NotLoggedIn):  # there was never a login, so there is no event
                letters = await port.account(number).client.list_dead_letters(consumer=webhook.consumer, limit=limit)
                found += (_view_of_letter(number, letter) for letter in letters)
    return LostDeliveryList(dead_letters=sorted(found, key=lambda each: each.time, reverse=True)[:limit])


@post(
    "/webhooks/{webhook_id:str}/dead-letters/{event_id:str}/revive", scope="webhooks", status_code=204,
    summary="Send an event once more", responses=problems(404, 424, 503),
)  # fmt: skip
async def revive_lost_delivery(
    webhook_id: FromPath[str],
    event_id: FromPath[str],
    webhooks: InjectedWebhooks,
    port: InjectedPort,
    caller: InjectedCaller,
) -> None:
    """Try once more to send an event that was given up; if this fails, the event is given up again."""
    webhook = await _reached(webhooks, caller, webhook_id)
    (account_event,) = await events_by_id(port, webhook, (event_id,))
    owned = await port.account(account_event.account).owned()
    if not await owned.revive(account_event.event.number, consumer=webhook.consumer):
        raise GatewayProblem("not-found", "The webhook has not given up this event.")


@post(
    "/webhooks/{webhook_id:str}/replay", scope="webhooks", status_code=202, summary="Send events again",
    responses=problems(404, 409, 424, 503),
)  # fmt: skip
async def replay_events(
    webhook_id: FromPath[str],
    data: JSONBody[ReplayToBegin],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    port: InjectedPort,
    caller: InjectedCaller,
) -> Replay:
    """
    Send events of the journal again in the background: each once, with its id, whether or not it was delivered before.

    The position of the webhook does not change, and new events are sent at the same time. The deliveries list the
    outcome of each event; a failed one is not tried again. A replay ends when the gateway ends.
    """
    webhook = await _reached(webhooks, caller, webhook_id)
    if (data.ids is None) == (data.since is None) or (data.ids is not None and data.until is not None):
        raise GatewayProblem("bad-request", "A replay has either 'ids', or 'from' and optionally 'to'.")
    if data.ids is not None:
        events = await events_by_id(port, webhook, data.ids)
    else:
        since, until = (0.0 if each is None else each.timestamp() for each in (data.since, data.until))
        events = await events_between(port, webhook, since, until)
    deliveries.replay(webhook_id, events)
    return Replay(events=len(events))


@delete("/webhooks/{webhook_id:str}", scope="webhooks", summary="Delete a webhook", responses=problems(404, 503))
async def delete_webhook(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    caller: InjectedCaller,
) -> None:
    """Delete a webhook; its waiting events are not sent."""
    await _reached(webhooks, caller, webhook_id)
    await webhooks.delete(webhook_id)
    await deliveries.apply(webhook_id)


webhooks_router = Router(
    "/",
    route_handlers=[
        list_webhooks, create_webhook, show_webhook, change_webhook, rotate_webhook, test_webhook, list_deliveries,
        list_lost_deliveries, revive_lost_delivery, replay_events, delete_webhook,
    ],
    tags=["webhooks"],
)  # fmt: skip
