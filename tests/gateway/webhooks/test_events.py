"""Single attempts: which of them have failed, what is stored of them, and which end a webhook."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.gateway.webhook_receiver import Pauses

from webwx.gateway.outgoing.outgoing import OutgoingClient
from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.queues.keyed_queue import QueueEnded
from webwx.gateway.webhooks.attempts import AttemptLog
from webwx.gateway.webhooks.events import WebhookEvents
from webwx.gateway.webhooks.health import WebhookHealth
from webwx.gateway.webhooks.request import PRIVATE_PAUSES
from webwx.gateway.webhooks.sender import WebhookSender
from webwx.gateway.webhooks.webhooks import StoredWebhook, new_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running
    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.gateway.accounts.account import EventConsumer
    from webwx.gateway.accounts.account_events import AccountEvent

CONSUMER = "webhook-w"


class Deliveries:
    """The parts of a delivery to one webhook, and a consumer with a waiting event."""

    def __init__(self, running: Running, client: OutgoingClient, webhook: StoredWebhook) -> None:
        gateway, now = running.gateway, running.world.clock.now
        owned = OwnedRecords(gateway.records, now)
        self.webhook = webhook
        self.attempts = AttemptLog(owned)
        health = WebhookHealth(running.port, gateway.webhooks, gateway.notices, now)
        sender = WebhookSender(lambda: client, now)
        self.events = WebhookEvents(webhook, sender, self.attempts, health, Pauses(), random.Random(1))

    async def statuses(self) -> list[int | None]:
        return [each.status for each in await self.attempts.read(self.webhook.id, limit=100)]


@pytest.fixture
async def deliveries(online: Running, receiver: WebhookReceiver) -> AsyncIterator[Deliveries]:
    webhook = StoredWebhook(
        id="w", secret=new_secret(), created_at=0, name="n", url=receiver.url, allow_private=True
    )  # fmt: skip
    async with OutgoingClient() as client:
        made = Deliveries(online, client, webhook)
        yield made
        await made.attempts.close()


async def taken(running: Running, consumer: EventConsumer) -> AccountEvent:
    """Return a text that waits for a consumer."""
    running.world.say("ahua", "me", "hello")
    while True:
        for account_event in await consumer.take():
            if getattr(account_event.event, "text", "") == "hello":
                return account_event
            consumer.ack(account_event.event.number)


async def test_an_accepted_event_is_delivered(online: Running, deliveries: Deliveries) -> None:
    account = online.port.account(1)
    async with account.events.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
    assert await deliveries.events.attempt(account, account_event) is None
    await deliveries.events.note(account_event, None, None)
    assert await deliveries.statuses() == [200]


async def test_a_refused_event_has_a_next_attempt_until_the_last_one(
    online: Running, deliveries: Deliveries, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "500 No"
    account = online.port.account(1)
    async with account.events.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
    failure = await deliveries.events.attempt(account, account_event)
    assert failure is not None
    assert failure.error == "The server answered 500."
    for failures, pause in enumerate(PRIVATE_PAUSES, 1):
        made = deliveries.events.pause_after(failure, failures)
        assert made is not None
        assert pause <= made <= 1.2 * pause
    assert deliveries.events.pause_after(failure, len(PRIVATE_PAUSES) + 1) is None
    await deliveries.events.note(account_event, failure, 1000.0)
    await deliveries.events.note(account_event, failure, None)
    latest, before = await deliveries.attempts.read("w", limit=2)
    assert (latest.next_attempt_at, before.next_attempt_at) == (None, 1000.0)


async def test_410_ends_the_queue(online: Running, deliveries: Deliveries, receiver: WebhookReceiver) -> None:
    receiver.answer = lambda _: "410 Gone"
    account = online.port.account(1)
    async with account.events.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
    with pytest.raises(QueueEnded) as ended:
        await deliveries.events.attempt(account, account_event)
    with pytest.raises(QueueEnded):
        await deliveries.events.repeat(account_event)
    assert ended.value.account_event == account_event
    assert await deliveries.statuses() == [410, 410]


async def test_a_replayed_event_is_sent_once_for_any_answer(
    online: Running, deliveries: Deliveries, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "500 No"
    account = online.port.account(1)
    async with account.events.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
    made = await deliveries.events.repeat(msgspec.structs.replace(account_event, attempt=1))
    assert (made.origin, made.status) == ("replay", 500)
    assert await deliveries.statuses() == [500]


async def test_a_report_ends_with_its_last_attempt(
    deliveries: Deliveries, receiver: WebhookReceiver
) -> None:  # fmt: skip
    receiver.answer = lambda _: "500 No"
    notice = deliveries.webhook.new_notice("webhook.failing", time=1000.0)
    await deliveries.events.report(notice)
    assert await deliveries.statuses() == [500] * (len(PRIVATE_PAUSES) + 1)
