"""Delivery of single events to webhooks: makes an attempt, stores it, and schedules the next one after a failure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.webhook_retries import EventPlace

if TYPE_CHECKING:
    from webwx.gateway.account_events import AccountEvent
    from webwx.gateway.accounts import EventConsumer, SendChange
    from webwx.gateway.webhook_attempts import AttemptLog, WebhookAttempt
    from webwx.gateway.webhook_health import WebhookHealth
    from webwx.gateway.webhook_notices import WebhookNotice
    from webwx.gateway.webhook_retries import WebhookRetries
    from webwx.gateway.webhook_sender import WebhookSender
    from webwx.gateway.webhooks import StoredWebhook


class EndpointGone(Exception):
    """
    The server has answered 410, so the gateway sends it no further events.

    Args:
        account_event: The event that was sent.
    """

    def __init__(self, account_event: AccountEvent) -> None:
        super().__init__()
        self.account_event = account_event


def place_of(webhook: StoredWebhook, account_event: AccountEvent) -> EventPlace:
    """Return the webhook, the account and the number of an event, which identify its delivery."""
    return EventPlace(webhook.id, account_event.account, account_event.event.number)


class WebhookEvents:
    """
    Makes attempts, one at a time.

    Args:
        sender: Sends the requests.
        attempts: Stores the attempts.
        retries: Stores the time of the next attempt.
        health: Stores which webhooks fail.
    """

    def __init__(
        self, sender: WebhookSender, attempts: AttemptLog, retries: WebhookRetries, health: WebhookHealth
    ) -> None:
        self._sender = sender
        self._attempts = attempts
        self._retries = retries
        self._health = health

    async def deliver(self, webhook: StoredWebhook, account_event: AccountEvent, consumer: EventConsumer) -> bool:
        """
        Make one attempt at an event of a consumer, and return False if another one follows.

        Raises:
            EndpointGone: The server has answered 410.
        """
        made, number, place = (
            await self._sender.send(webhook, account_event),
            account_event.event.number,
            place_of(webhook, account_event),
        )
        if made.is_delivered:
            consumer.ack(number)
            self._attempts.append(webhook.id, made)
            if account_event.attempt > 1:  # only after a failed attempt a time is stored
                await self._retries.settle(place)
            await self._health.note_delivered(webhook.id)
            return True
        if made.status == HTTPStatus.GONE:
            self._attempts.append(webhook.id, made)
            raise EndpointGone(account_event)
        failures = await consumer.failed(number, made.outcome)
        due = await self._retries.postpone(webhook, place, failures, made.asked)
        self._attempts.append(webhook.id, msgspec.structs.replace(made, next_attempt_at=due))
        if due is None:
            await consumer.give_up(number, made.outcome)
            await self._health.note_given_up(webhook, account_event, made.outcome)
        return due is None

    async def repeat(self, webhook: StoredWebhook, account_event: AccountEvent) -> WebhookAttempt:
        """
        Send an event again, once, without a change of its consumer.

        Raises:
            EndpointGone: The server has answered 410.
        """
        made = self._attempts.append(webhook.id, await self._sender.send(webhook, account_event, origin="replay"))
        if made.status == HTTPStatus.GONE:
            raise EndpointGone(account_event)
        return made

    async def test(self, webhook: StoredWebhook, notice: WebhookNotice) -> WebhookAttempt:
        """Send a test event, once."""
        return self._attempts.append(webhook.id, await self._sender.send_notice(webhook, notice, origin="test"))

    async def report_send(self, webhook: StoredWebhook, change: SendChange) -> None:
        """Send the change of a send, once: the next change replaces it."""
        self._attempts.append(webhook.id, await self._sender.send_change(webhook, change))

    async def report(self, webhook: StoredWebhook, notice: WebhookNotice) -> None:
        """Send an event about another webhook until it is accepted or given up."""
        attempt = 1
        while True:
            made = await self._sender.send_notice(webhook, notice, origin="notice", attempt=attempt)
            pause = None if made.is_delivered else self._retries.pause_after(webhook, attempt, made.asked)
            self._attempts.append(webhook.id, made)
            if pause is None:
                return
            await self._retries.sleep(pause)
            attempt += 1
