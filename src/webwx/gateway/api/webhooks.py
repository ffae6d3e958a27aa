"""Webhooks: addresses of other programs to which the gateway sends events."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Literal

import msgspec
from litestar import Response, Router
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.client.reading.dead_letters import DeadLetter
from webwx.errors import NotLoggedIn
from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.consumers import require_room
from webwx.gateway.api.audit_log import InjectedAudited
from webwx.gateway.api.parameters import InjectedCaller, InjectedPort
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem, read_failure
from webwx.gateway.webhooks.attempts import WebhookAttempt
from webwx.gateway.webhooks.delivery import WebhookDelivery
from webwx.gateway.webhooks.replay import events_between, events_by_id
from webwx.gateway.webhooks.webhooks import NewWebhook, StoredWebhook, Webhooks
from webwx.representations.fields import given_fields
from webwx.representations.route import API
from webwx.representations.times import moment, optional_moment
from webwx.representations.webhooks import (
    CHANGE_WEBHOOK,
    CREATE_WEBHOOK,
    DELETE_WEBHOOK,
    LIST_DELIVERIES,
    LIST_LOST_DELIVERIES,
    LIST_WEBHOOKS,
    REPLAY_EVENTS,
    REVIVE_LOST_DELIVERY,
    ROTATE_WEBHOOK,
    SHOW_WEBHOOK,
    TEST_WEBHOOK,
    CreatedWebhook,
    DeliveriesQuery,
    DeliveryList,
    DeliveryView,
    LostDeliveriesQuery,
    LostDeliveryList,
    LostDeliveryView,
    Replay,
    ReplayToBegin,
    WebhookChange,
    WebhookList,
    WebhookToCreate,
    WebhookView,
)

InjectedWebhooks = NamedDependency[SkipValidation[Webhooks]]
InjectedDeliveries = NamedDependency[SkipValidation[WebhookDelivery]]


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
        status=made.status, error=made.error, error_code=made.error_code,
        answer=made.answer if caller.allows("admin") else None,
        next_attempt_at=optional_moment(made.next_attempt_at),
    )  # fmt: skip


def _view_of_letter(account: int, letter: DeadLetter) -> LostDeliveryView:
    failure = read_failure(letter.error)
    return LostDeliveryView(
        event=f"{account}-{letter.event.number}", type=letter.event.type, account=account,
        attempts=letter.attempts, error=failure.text, error_code=failure.code, time=moment(letter.time),
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
            raise GatewayProblem(
                "not-found", "There is no such account, or the key does not reach it.", field="accounts"
            )


def _check_report(caller: Caller, *, reports: bool) -> None:
    if reports and not caller.allows("send:filehelper"):
        raise GatewayProblem(
            "forbidden", "A webhook with 'report' needs a key with the scope 'send:filehelper'.", field="report"
        )


def _check_private(caller: Caller, *, is_private: bool) -> None:
    if is_private and not caller.allows("admin"):
        raise GatewayProblem(
            "forbidden", "A webhook with 'allow_private' needs a key with the scope 'admin'.", field="allow_private"
        )


@serve(LIST_WEBHOOKS)
async def list_webhooks(
    webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> WebhookList:
    """Return the webhooks whose accounts the key reaches."""
    found = [each for each in await webhooks.find() if _reaches(caller, each)]
    return WebhookList(webhooks=[await _view_of_webhook(each, deliveries) for each in found])


@serve(CREATE_WEBHOOK)
async def create_webhook(
    data: JSONBody[WebhookToCreate],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    port: InjectedPort,
    audited: InjectedAudited,
    caller: InjectedCaller,
) -> Response[CreatedWebhook]:
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
    headers = {"Location": API + SHOW_WEBHOOK.at(made.webhook.id)}
    return Response(await _view_of_new(made, deliveries), headers=headers)


@serve(SHOW_WEBHOOK)
async def show_webhook(
    webhook_id: FromPath[str], webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> WebhookView:
    """Return one webhook."""
    return await _view_of_webhook(await _reached(webhooks, caller, webhook_id), deliveries)


@serve(CHANGE_WEBHOOK)
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


@serve(ROTATE_WEBHOOK)
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


@serve(TEST_WEBHOOK)
async def test_webhook(
    webhook_id: FromPath[str], webhooks: InjectedWebhooks, deliveries: InjectedDeliveries, caller: InjectedCaller
) -> DeliveryView:
    """Send an event of the type `webhook.test` once, and return the outcome."""
    webhook = await _reached(webhooks, caller, webhook_id)
    return _view_of_attempt(await deliveries.test(webhook), caller)


@serve(LIST_DELIVERIES)
async def list_deliveries(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    deliveries: InjectedDeliveries,
    caller: InjectedCaller,
    query: DeliveriesQuery,
) -> DeliveryList:
    """Return the attempts at a webhook, the newest first; the latest thousand are stored."""
    await _reached(webhooks, caller, webhook_id)
    found = await deliveries.attempts.read(webhook_id, before=query.before, limit=query.limit + 1)
    shown = [_view_of_attempt(each, caller) for each in found[: query.limit]]
    return DeliveryList(deliveries=shown, next=shown[-1].number if len(found) > query.limit else None)


@serve(LIST_LOST_DELIVERIES)
async def list_lost_deliveries(
    webhook_id: FromPath[str],
    webhooks: InjectedWebhooks,
    port: InjectedPort,
    caller: InjectedCaller,
    query: LostDeliveriesQuery,
) -> LostDeliveryList:
    """Return the events that were given up after their last attempt, the latest first."""
    webhook = await _reached(webhooks, caller, webhook_id)
    found: list[LostDeliveryView] = []
    for number in await port.list_numbers():
        if webhook.serves(number):
            with contextlib.suppress(NotLoggedIn):  # there was never a login, so there is no event
                letters = await port.account(number).client.list_dead_letters(
                    consumer=webhook.consumer, limit=query.limit
                )
                found += (_view_of_letter(number, letter) for letter in letters)
    return LostDeliveryList(dead_letters=sorted(found, key=lambda each: each.time, reverse=True)[: query.limit])


@serve(REVIVE_LOST_DELIVERY)
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


@serve(REPLAY_EVENTS)
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


@serve(DELETE_WEBHOOK)
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
