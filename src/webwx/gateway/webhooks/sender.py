"""Single requests to webhooks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from webwx.errors import TransportError
from webwx.gateway.accounts.send_changes import SEND_CHANGED
from webwx.gateway.outgoing.addresses import AddressRefused
from webwx.gateway.problems import code_of_error
from webwx.gateway.webhooks.attempts import WebhookAttempt
from webwx.gateway.webhooks.request import asked_pause, body_of, body_of_change, body_of_notice, headers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webwx.gateway.accounts.account import SendChange
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.outgoing.outgoing import OutgoingClient
    from webwx.gateway.webhooks.notices import WebhookNotice
    from webwx.gateway.webhooks.webhooks import StoredWebhook
    from webwx.representations.webhooks import AttemptOrigin


_SHORTEST_SECRET = 8
"""Minimum number of characters of a text that is replaced; a shorter one may occur in any answer."""


class WebhookSender:
    """
    Makes single attempts.

    Args:
        connect: Returns the client that sends the requests; called for each attempt.
        clock: Returns seconds since 1970.
    """

    def __init__(self, connect: Callable[[], OutgoingClient], clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock

    async def send(
        self, webhook: StoredWebhook, account_event: AccountEvent, *, origin: AttemptOrigin = "journal"
    ) -> WebhookAttempt:
        """Make one attempt at an event."""
        return await self._post(
            webhook, body_of(account_event, webhook.format),
            event=f"{account_event.account}-{account_event.event.number}", type=account_event.event.type,
            account=account_event.account, attempt=account_event.attempt, origin=origin,
        )  # fmt: skip

    async def send_notice(
        self, webhook: StoredWebhook, notice: WebhookNotice, *, origin: AttemptOrigin, attempt: int = 1
    ) -> WebhookAttempt:
        """Make one attempt at an event of the gateway itself, which is not in a journal."""
        return await self._post(
            webhook, body_of_notice(notice, webhook.format), event=notice.id, type=notice.type, account=0,
            attempt=attempt, origin=origin,
        )  # fmt: skip

    async def send_change(self, webhook: StoredWebhook, change: SendChange) -> WebhookAttempt:
        """Make the only attempt at the change of a send, which is not in a journal."""
        event_id = f"{change.account}-send-{change.send.number}-{change.send.state}"
        return await self._post(
            webhook, body_of_change(change, event_id, webhook.format), event=event_id, type=SEND_CHANGED,
            account=change.account, attempt=1, origin="notice",
        )  # fmt: skip

    async def _post(
        self, webhook: StoredWebhook, body: bytes, *, event: str, type: str, account: int, attempt: int,  # noqa: A002
        origin: AttemptOrigin,
    ) -> WebhookAttempt:  # fmt: skip
        now, began = self._clock(), time.perf_counter()
        headers = headers_of(
            event_id=event, event_type=type, account=account, attempt=attempt, form=webhook.format,
            secrets=webhook.signing_secrets(now), now=now, body=body,
        )  # fmt: skip
        status, error, error_code, asked, text = None, "", "", 0.0, ""
        try:
            answer = await self._connect().post(webhook.url, body, headers, allow_private=webhook.allow_private)
        except (AddressRefused, TransportError) as failure:
            error, error_code = str(failure), code_of_error(failure)
        else:
            status, asked = answer.status, asked_pause(answer.status, answer.retry_after, now)
            secrets = (*webhook.signing_secrets(now), headers.get("webhook-signature", ""))
            text = "" if webhook.allow_private else without_secrets(answer.body, webhook.url, secrets)
        return WebhookAttempt(
            event=event, type=type, account=account, attempt=attempt, origin=origin, time=now, status=status,
            error=error, error_code=error_code, asked=asked, answer=text,
            milliseconds=round((time.perf_counter() - began) * 1000),
        )  # fmt: skip


def without_secrets(body: bytes, url: str, secrets: Iterable[str]) -> str:
    """
    Return an answer as text, with stars instead of secrets that the server repeats.

    Args:
        body: The answer.
        url: Address of the webhook; its path and its query may hold a token.
        secrets: Other texts that are secret.
    """
    text, parts = body.decode(errors="replace"), urlsplit(url)
    query = [value for _, value in parse_qsl(parts.query, keep_blank_values=True)]
    hidden = {url, parts.path, parts.query, *parts.path.split("/"), *query, *secrets}
    for each in sorted(hidden | {unquote(each) for each in hidden}, key=len, reverse=True):
        if len(each) >= _SHORTEST_SECRET:
            text = text.replace(each, "***")
    return text
