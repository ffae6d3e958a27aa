"""Single requests to webhooks."""

from __future__ import annotations

import secrets
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import TransportError
from webwx.gateway.api.representations import type_of
from webwx.gateway.outgoing_addresses import AddressRefused
from webwx.gateway.webhook_attempts import WebhookAttempt
from webwx.gateway.webhook_request import asked_pause, body_of, headers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.outgoing import OutgoingClient
    from webwx.gateway.port import AccountEvent
    from webwx.gateway.webhooks import StoredWebhook

REMEMBERED_ATTEMPTS = 100
"""Number of the latest attempts of each webhook that are remembered, until the gateway stops."""

TEST_TYPE = "webhook.test"
"""Type of the event that the test button sends."""


class WebhookSender:
    """
    Sends single requests, and remembers the latest ones.

    Args:
        client: Sends the requests.
        clock: Returns seconds since 1970.
    """

    def __init__(self, client: OutgoingClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._attempts: dict[str, deque[WebhookAttempt]] = {}

    def attempts(self, webhook_id: str) -> list[WebhookAttempt]:
        """Return the latest attempts of a webhook, the newest first."""
        return list(reversed(self._attempts.get(webhook_id, ())))

    def forget(self, webhook_id: str) -> None:
        """Forget the attempts of a webhook."""
        self._attempts.pop(webhook_id, None)

    async def send(self, webhook: StoredWebhook, told: AccountEvent) -> WebhookAttempt:
        """Make one attempt at an event."""
        return await self._post(
            webhook, body_of(told, webhook.format), event=f"{told.account}-{told.event.number}",
            type=type_of(told.event), account=told.account, attempt=told.attempt,
        )  # fmt: skip

    async def send_test(self, webhook: StoredWebhook) -> WebhookAttempt:
        """Send an event of the type `webhook.test`, once."""
        event, now = f"test-{secrets.token_hex(8)}", datetime.fromtimestamp(self._clock(), UTC)
        body = msgspec.json.encode({"id": event, "type": TEST_TYPE, "time": now, "account": 0, "data": {}})
        untyped = msgspec.structs.replace(webhook, format="event")
        return await self._post(untyped, body, event=event, type=TEST_TYPE, account=0, attempt=1)

    async def _post(
        self, webhook: StoredWebhook, body: bytes, *, event: str, type: str, account: int, attempt: int  # noqa: A002
    ) -> WebhookAttempt:  # fmt: skip
        now, began = self._clock(), time.perf_counter()
        headers = headers_of(
            event_id=event, event_type=type, account=account, attempt=attempt, form=webhook.format,
            secrets=webhook.signing_secrets(now), now=now, body=body,
        )  # fmt: skip
        status, error, asked, text = None, "", 0.0, ""
        try:
            answer = await self._client.post(webhook.url, body, headers, allow_private=webhook.allow_private)
        except (AddressRefused, TransportError) as failure:
            error = str(failure)
        else:
            status, asked = answer.status, asked_pause(answer.status, answer.retry_after, now)
            text = "" if webhook.allow_private else answer.body.decode(errors="replace")
        made = WebhookAttempt(
            event=event, type=type, account=account, attempt=attempt, time=now, status=status, error=error, asked=asked,
            answer=text, milliseconds=round((time.perf_counter() - began) * 1000),
        )  # fmt: skip
        self._attempts.setdefault(webhook.id, deque(maxlen=REMEMBERED_ATTEMPTS)).append(made)
        return made
