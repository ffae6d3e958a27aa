"""What is done with the events of a webhook: single attempts, which are stored, and the pauses between them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.queues.keyed_queue import Failure, QueueEnded
from webwx.gateway.webhooks.attempts import WebhookAttempt  # msgspec reads the fields' types
from webwx.gateway.webhooks.request import pause_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from webwx.gateway.accounts.account import GatewayAccount, SendChange
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.webhooks.attempts import AttemptLog
    from webwx.gateway.webhooks.health import WebhookHealth
    from webwx.gateway.webhooks.notices import WebhookNotice
    from webwx.gateway.webhooks.sender import WebhookSender
    from webwx.gateway.webhooks.webhooks import StoredWebhook


class FailedRequest(Failure, frozen=True, kw_only=True):
    """A request that the server has not accepted."""

    made: WebhookAttempt


class WebhookEvents:
    """
    The work of the keyed queue of one webhook, and the attempts that are made beside it.

    Args:
        webhook: The webhook.
        sender: Sends the requests.
        attempts: Stores the attempts.
        health: Stores which webhooks fail.
        sleep: Waits for some seconds between the attempts at a report.
        rng: Adds a random time to the pauses between attempts.
    """

    def __init__(
        self,
        webhook: StoredWebhook,
        sender: WebhookSender,
        attempts: AttemptLog,
        health: WebhookHealth,
        sleep: Callable[[float], Awaitable[object]],
        rng: Random,
    ) -> None:
        self._webhook = webhook
        self._sender = sender
        self._attempts = attempts
        self._health = health
        self._sleep = sleep
        self._rng = rng

    # -- events of the queue -----------------------------------------------------------------------------------------

    def wants(self, account_event: AccountEvent) -> bool:
        """Return whether an event is sent."""
        return self._webhook.wants(account_event)

    def key_of(self, account_event: AccountEvent) -> str | int:
        """Return what the events that wait for each other have in common."""
        match self._webhook.ordering:
            case "chat":
                return str(getattr(account_event.event, "chat", None) or "")
            case "account":
                return ""
            case "none":
                return account_event.event.number

    async def attempt(self, account: GatewayAccount, account_event: AccountEvent) -> FailedRequest | None:  # noqa: ARG002 - the event is complete
        """
        Send an event.

        Raises:
            QueueEnded: The server has answered 410.
        """
        made = await self._sender.send(self._webhook, account_event)
        if made.is_delivered or made.status == HTTPStatus.GONE:
            self._attempts.append(self._webhook.id, made)
        if made.status == HTTPStatus.GONE:
            raise QueueEnded(account_event)
        return None if made.is_delivered else FailedRequest(code=made.outcome_code, error=made.outcome, made=made)

    def pause_after(self, failure: FailedRequest, failures: int) -> float | None:
        """Return the seconds until the next attempt; None after the last one."""
        return self._pause_after(failure.made, failures)

    async def note(self, account_event: AccountEvent, failure: FailedRequest | None, due: float | None) -> None:
        """Store a failed attempt, and whether the webhook fails."""
        if failure is None:
            await self._health.note_delivered(self._webhook.id)
            return
        self._attempts.append(self._webhook.id, msgspec.structs.replace(failure.made, next_attempt_at=due))
        if due is None:
            await self._health.note_given_up(self._webhook, account_event, failure.error)

    # -- attempts beside the queue -----------------------------------------------------------------------------------

    async def repeat(self, account_event: AccountEvent) -> WebhookAttempt:
        """
        Send an event again, once, without a change of its consumer.

        Raises:
            QueueEnded: The server has answered 410.
        """
        made = await self._sender.send(self._webhook, account_event, origin="replay")
        made = self._attempts.append(self._webhook.id, made)
        if made.status == HTTPStatus.GONE:
            raise QueueEnded(account_event)
        return made

    async def test(self, notice: WebhookNotice) -> WebhookAttempt:
        """Send a test event, once."""
        made = await self._sender.send_notice(self._webhook, notice, origin="test")
        return self._attempts.append(self._webhook.id, made)

    async def report_send(self, change: SendChange) -> None:
        """Send the change of a send, once: the next change replaces it."""
        self._attempts.append(self._webhook.id, await self._sender.send_change(self._webhook, change))

    async def report(self, notice: WebhookNotice) -> None:
        """Send an event about another webhook until it is accepted or given up."""
        attempt = 1
        while True:
            made = await self._sender.send_notice(self._webhook, notice, origin="notice", attempt=attempt)
            pause = None if made.is_delivered else self._pause_after(made, attempt)
            self._attempts.append(self._webhook.id, made)
            if pause is None:
                return
            await self._sleep(pause)
            attempt += 1

    def _pause_after(self, made: WebhookAttempt, failures: int) -> float | None:
        return pause_after(failures, is_private=self._webhook.allow_private, asked=made.asked, rng=self._rng)
