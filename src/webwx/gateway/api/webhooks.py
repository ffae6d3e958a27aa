"""Webhooks: addresses of other programs to which the gateway sends events."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.api.representations import moment
from webwx.gateway.auth import Caller
from webwx.gateway.port import GatewayPort
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.webhook_attempts import WebhookAttempt
from webwx.gateway.webhook_delivery import WebhookDelivery
from webwx.gateway.webhooks import NewWebhook, StoredWebhook, WebhookFormat, Webhooks
from webwx.storage.base import RecordStore

InjectedWebhooks = NamedDependency[SkipValidation[Webhooks]]
InjectedDeliveries = NamedDependency[SkipValidation[WebhookDelivery]]
InjectedStore = NamedDependency[SkipValidation[RecordStore]]

_WebhookName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Filter = Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...], msgspec.Meta(max_length=50)]
_Accounts = Annotated[tuple[int, ...], msgspec.Meta(min_length=1, max_length=1000)]


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
    """Send only what the account has written, or only what others have; null: both."""
    format: WebhookFormat
    allow_private: bool
    """Whether the host may be in a private network or on this machine."""
    state: str
    """`active`, `failing` (the latest attempt has failed) or `disabled`."""
    disabled_reason: str
    """Why the gateway has disabled it; empty if it has not."""
    consumer: str
    """Name of its consumer, which has its dead letters."""
    created_at: datetime


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """The webhooks whose accounts the key reaches, the oldest first."""

    webhooks: list[WebhookView]


class CreatedWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with its secret, which is shown this once."""

    webhook: WebhookView
    secret: str
    """Secret of Standard Webhooks: `whsec_` and base64."""

    def __repr__(self) -> str:
        return f"CreatedWebhook({self.webhook.id})"


class WebhookToCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook to create."""

    name: _WebhookName
    url: str
    accounts: _Accounts | None = None
    """Numbers of accounts; null: all that the key reaches."""
    types: _Filter = ()
    """Patterns of types, such as `message.*`; empty: all."""
    chats: _Filter = ()
    """Names or ids of chats; empty: all."""
    is_self: bool | None = None
    """Send only what the account has written, or only what others have; null: both."""
    format: WebhookFormat = "event"
    allow_private: bool = False
    """Allow a host in a private network or on this machine; needs the scope `admin`."""

    def __repr__(self) -> str:
        return "WebhookToCreate(***)"


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a webhook; a missing field stays as it is."""

    name: _WebhookName | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    accounts: _Accounts | msgspec.UnsetType = msgspec.UNSET
    types: _Filter | msgspec.UnsetType = msgspec.UNSET
    chats: _Filter | msgspec.UnsetType = msgspec.UNSET
    is_self: bool | msgspec.UnsetType | None = msgspec.UNSET
    format: WebhookFormat | msgspec.UnsetType = msgspec.UNSET
    allow_private: bool | msgspec.UnsetType = msgspec.UNSET
    """Allow a host in a private network or on this machine; needs the scope `admin`."""
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    """False: send nothing; the position stays, and true continues there."""

    def __repr__(self) -> str:
        return "WebhookChange(***)"


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a webhook, and what came of it."""

    event: str
    """Id of the event, the same for all attempts."""
    type: str
    """Type of the event."""
    account: int
    """Number of the account; 0 for a test."""
    attempt: int
    """Number of the attempt, from 1."""
    time: datetime
    milliseconds: int
    """Duration of the request."""
    delivered: bool
    """The server has accepted the event (2xx)."""
    status: int | None
    """Status of the answer; null if there was none."""
    error: str
    """Why there was no answer."""
    answer: str | None
    """The beginning of the answer; only for the scope `admin`, and never of a private address."""


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """The latest attempts of a webhook since the start of the gateway, the newest first."""

    deliveries: list[DeliveryView]


def _view_of_webhook(webhook: StoredWebhook, deliveries: WebhookDelivery) -> WebhookView:
    latest = deliveries.sender.attempts(webhook.id)[:1]
    is_failing = any(not each.is_delivered for each in latest)
    return WebhookView(
        id=webhook.id, name=webhook.name, url=webhook.url, accounts=webhook.accounts, types=webhook.types,
        chats=webhook.chats, is_self=webhook.is_self, format=webhook.format, allow_private=webhook.allow_private,
        state=("failing" if is_failing else "active") if webhook.enabled else "disabled",
        disabled_reason=webhook.disabled_reason, consumer=webhook.consumer, created_at=moment(webhook.created_at),
    )  # fmt: skip


def _view_of_new(made: NewWebhook, deliveries: WebhookDelivery) -> CreatedWebhook:
    return CreatedWebhook(webhook=_view_of_webhook(made.webhook, deliveries), secret=made.secret)


def _view_of_attempt(made: WebhookAttempt, caller: Caller) -> DeliveryView:
    return DeliveryView(
        event=made.event, type=made.type, account=made.account, attempt=made.attempt, time=moment(made.time),
        milliseconds=made.milliseconds, delivered=made.is_delivered, status=made.status, error=made.error,
        answer=made.answer if caller.allows("admin") else None,
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
        GatewayProblem: There is none.
    """
    webhook = await webhooks.get(webhook_id)
    if webhook is None or not _reaches(caller, webhook):
        raise GatewayProblem("not-found", "There is no such webhook, or the key does not reach all its accounts.")
    return webhook


def _check_accounts(port: GatewayPort, caller: Caller, accounts: tuple[int, ...] | None) -> None:
    for account in accounts or ():
        if port.find_account(str(account)) is None or not caller.reaches(account):
            raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.")


def _check_private(caller: Caller, *, is_private: bool) -> None:
    if is_private and not caller.allows("admin"):
        raise GatewayProblem("forbidden", "A webhook with 'allow_private' needs a key with the scope 'admin'.")


@get("/webhooks", scope="webhooks", summary="List webhooks", responses=problems(503))
async def list_webhooks(
    webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> WebhookList:
    """Return the webhooks whose accounts the key reaches."""
    found = [each for each in await webhooks.find() if _reaches(caller, each)]
    return WebhookList(webhooks=[_view_of_webhook(each, deliveries) for each in found])


@post("/webhooks", scope="webhooks", summary="Create a webhook", responses=problems(404, 422, 503))
async def create_webhook(
    data: JSONBody[WebhookToCreate],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    port: InjectedPort,
    records: InjectedStore,
    caller: InjectedCaller,
) -> CreatedWebhook:
    """
    Create a webhook, which gets the events from now on, and return its secret, the only time that it is shown.

    It gets the events of its accounts whether or not the key has the scope `events`.
    """
    _check_accounts(port, caller, data.accounts)
    _check_private(caller, is_private=data.allow_private)
    fields: dict[str, Any] = msgspec.structs.asdict(data)
    if data.accounts is None:
        fields["accounts"] = caller.accounts
    made = await webhooks.create(StoredWebhook(id="", secret="", created_at=0, **fields))
    await _audit(records, caller, "webhook.create", made.webhook.id)
    await deliveries.apply(made.webhook.id)
    return _view_of_new(made, deliveries)


@get("/webhooks/{webhook_id:str}", scope="webhooks", summary="Show a webhook", responses=problems(404, 503))
async def show_webhook(
    webhook_id: FromPath[str], webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> WebhookView:
    """Return one webhook."""
    return _view_of_webhook(await _reached(webhooks, caller, webhook_id), deliveries)


@patch(
    "/webhooks/{webhook_id:str}", scope="webhooks", summary="Change a webhook", responses=problems(404, 409, 422, 503)
)  # fmt: skip
async def change_webhook(
    webhook_id: FromPath[str],
    data: JSONBody[WebhookChange],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    port: InjectedPort,
    records: InjectedStore,
    caller: InjectedCaller,
) -> WebhookView:
    """Change some fields of a webhook; its position stays, and what waits for a retry is sent at once."""
    await _reached(webhooks, caller, webhook_id)
    given = msgspec.structs.asdict(data)
    changes = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    _check_accounts(port, caller, changes.get("accounts"))
    if changes.get("enabled"):
        changes["disabled_reason"] = ""

    def change(webhook: StoredWebhook) -> StoredWebhook:
        changed = msgspec.structs.replace(webhook, **changes)
        _check_private(caller, is_private=webhook.allow_private or changed.allow_private)
        return changed

    changed = await webhooks.change(webhook_id, change)
    if changed is None:
        raise GatewayProblem("not-found", "The webhook was deleted.")
    await _audit(records, caller, "webhook.change", webhook_id)
    await deliveries.apply(webhook_id)
    return _view_of_webhook(changed, deliveries)


@post(
    "/webhooks/{webhook_id:str}/rotate", scope="webhooks", summary="Replace a secret", responses=problems(404, 409, 503)
)  # fmt: skip
async def rotate_webhook(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    records: InjectedStore,
    caller: InjectedCaller,
) -> CreatedWebhook:
    """Replace the secret of a webhook; for a day, requests are signed with the earlier one too."""
    await _reached(webhooks, caller, webhook_id)
    made = await webhooks.rotate(webhook_id)
    if made is None:
        raise GatewayProblem("not-found", "The webhook was deleted.")
    await _audit(records, caller, "webhook.rotate", webhook_id)
    await deliveries.apply(webhook_id)
    return _view_of_new(made, deliveries)


@post(
    "/webhooks/{webhook_id:str}/test", scope="webhooks", status_code=200, summary="Send a test event",
    responses=problems(404, 503),
)  # fmt: skip
async def send_test_event(
    webhook_id: FromPath[str], webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> DeliveryView:
    """Send an event of the type `webhook.test` once, and return what came of it."""
    webhook = await _reached(webhooks, caller, webhook_id)
    return _view_of_attempt(await deliveries.sender.send_test(webhook), caller)


@get(
    "/webhooks/{webhook_id:str}/deliveries", scope="webhooks", summary="List deliveries", responses=problems(404, 503)
)  # fmt: skip
async def list_deliveries(
    webhook_id: FromPath[str], webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> DeliveryList:
    """Return the latest attempts since the start of the gateway, the newest first."""
    await _reached(webhooks, caller, webhook_id)
    return DeliveryList(
        deliveries=[_view_of_attempt(each, caller) for each in deliveries.sender.attempts(webhook_id)]
    )  # fmt: skip


@delete("/webhooks/{webhook_id:str}", scope="webhooks", summary="Delete a webhook", responses=problems(404, 503))
async def delete_webhook(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    records: InjectedStore,
    caller: InjectedCaller,
) -> None:
    """Delete a webhook; what waits for it is not sent."""
    await _reached(webhooks, caller, webhook_id)
    await webhooks.delete(webhook_id)
    await deliveries.apply(webhook_id)
    await _audit(records, caller, "webhook.delete", webhook_id)


async def _audit(records: RecordStore, caller: Caller, action: str, webhook_id: str) -> None:
    await records.append_audit(caller.id, action, target=webhook_id, time=time.time())


webhooks_router = Router(
    "/",
    route_handlers=[
        list_webhooks, create_webhook, show_webhook, change_webhook, rotate_webhook, send_test_event, list_deliveries,
        delete_webhook,
    ],
    tags=["webhooks"],
)  # fmt: skip
