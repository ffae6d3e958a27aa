"""Single deliveries: which events are acknowledged, tried again and given up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.gateway.webhook_receiver import Pauses

from webwx.gateway.outgoing import OutgoingClient
from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.webhook_attempts import AttemptLog
from webwx.gateway.webhook_events import EndpointGone, WebhookEvents, place_of
from webwx.gateway.webhook_health import WebhookHealth
from webwx.gateway.webhook_request import PRIVATE_PAUSES
from webwx.gateway.webhook_retries import WebhookRetries
from webwx.gateway.webhook_sender import WebhookSender
from webwx.gateway.webhooks import StoredWebhook, new_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running
    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.gateway.account_events import AccountEvent
    from webwx.gateway.accounts import EventConsumer

CONSUMER = "webhook-w"


class Deliveries:
    """The parts of a delivery to one webhook, and a consumer with a waiting event."""

    def __init__(self, running: Running, client: OutgoingClient, webhook: StoredWebhook) -> None:
        gateway, now = running.gateway, running.world.clock.now
        owned = OwnedRecords(gateway.records, now)
        self.webhook = webhook
        self.attempts = AttemptLog(owned)
        self.retries = WebhookRetries(owned, now, Pauses(), random.Random(1))
        health = WebhookHealth(running.port, gateway.webhooks, gateway.notices, now)
        self.events = WebhookEvents(WebhookSender(lambda: client, now), self.attempts, self.retries, health)

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


async def test_an_accepted_event_is_acknowledged_and_not_delivered_again(
    online: Running, deliveries: Deliveries
) -> None:
    account = online.port.account(1)
    async with account.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
        assert await deliveries.events.deliver(deliveries.webhook, account_event, consumer)
    async with account.consume(CONSUMER) as consumer:
        assert (await taken(online, consumer)).event.number > account_event.event.number
    assert await deliveries.statuses() == [200]


async def test_a_refused_event_has_a_next_attempt_until_the_last_one(
    online: Running, deliveries: Deliveries, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "500 No"
    account, webhook = online.port.account(1), deliveries.webhook
    async with account.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
        for _ in PRIVATE_PAUSES:
            assert not await deliveries.events.deliver(webhook, account_event, consumer)
            assert await deliveries.retries.pause(place_of(webhook, account_event)) > 0
        assert await deliveries.events.deliver(webhook, account_event, consumer)
        assert await deliveries.retries.pause(place_of(webhook, account_event)) == 0
    [letter] = await account.client.list_dead_letters(consumer=CONSUMER, limit=10)
    latest, before = await deliveries.attempts.read("w", limit=2)
    assert letter.event.number == account_event.event.number
    assert (latest.next_attempt_at, before.next_attempt_at is None) == (None, False)


async def test_410_ends_a_delivery_and_the_event_stays(
    online: Running, deliveries: Deliveries, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "410 Gone"
    account = online.port.account(1)
    async with account.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
        with pytest.raises(EndpointGone) as gone:
            await deliveries.events.deliver(deliveries.webhook, account_event, consumer)
        with pytest.raises(EndpointGone):
            await deliveries.events.repeat(deliveries.webhook, account_event)
    assert gone.value.account_event == account_event
    async with account.consume(CONSUMER) as consumer:
        again = await consumer.take()
    assert [each.event.number for each in again] == [account_event.event.number]


async def test_a_replayed_event_is_sent_once_for_any_answer(
    online: Running, deliveries: Deliveries, receiver: WebhookReceiver
) -> None:
    receiver.answer = lambda _: "500 No"
    account = online.port.account(1)
    async with account.consume(CONSUMER) as consumer:
        account_event = await taken(online, consumer)
    made = await deliveries.events.repeat(deliveries.webhook, msgspec.structs.replace(account_event, attempt=1))
    assert (made.origin, made.status) == ("replay", 500)
    assert await deliveries.statuses() == [500]


async def test_a_report_ends_with_its_last_attempt(
    deliveries: Deliveries, receiver: WebhookReceiver
) -> None:  # fmt: skip
    receiver.answer = lambda _: "500 No"
    notice = deliveries.webhook.new_notice("webhook.failing", time=1000.0)
    await deliveries.events.report(deliveries.webhook, notice)
    assert await deliveries.statuses() == [500] * (len(PRIVATE_PAUSES) + 1)
