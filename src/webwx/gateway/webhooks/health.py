"""
The state of webhooks whose server fails, and reports about it.

After the last attempt at an event the webhook is `failing`, until an event is delivered again. The answer 410 disables
it. Both changes are reported on the event streams, to other webhooks, and in File Transfer Helper if the webhook has
`report`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from webwx.errors import RecordChanged, WxError
from webwx.gateway.problems import GatewayProblem
from webwx.model.contacts import FILEHELPER

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.accounts.account import GatewayAccounts
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.webhooks.notices import WebhookNotices
    from webwx.gateway.webhooks.webhooks import StoredWebhook, Webhooks
    from webwx.representations.events import NoticeType

_log = logging.getLogger("webwx.gateway")

_GONE = "The server answered 410."


class WebhookHealth:
    """
    Stores which webhooks fail, and reports changes.

    Args:
        port: The accounts.
        webhooks: The webhooks.
        notices: Passes on the reports.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self, port: GatewayAccounts, webhooks: Webhooks, notices: WebhookNotices, clock: Callable[[], float]
    ) -> None:
        self._port = port
        self._webhooks = webhooks
        self._notices = notices
        self._clock = clock
        self._failing: set[str] = set()
        """Ids of the webhooks that fail."""

    def __repr__(self) -> str:
        return f"WebhookHealth({len(self._failing)} failing)"

    def begin(self, webhook: StoredWebhook) -> None:
        """Note the stored state of a webhook to which events are delivered from now on."""
        if webhook.failing_since:
            self._failing.add(webhook.id)
        else:
            self._failing.discard(webhook.id)

    async def note_delivered(self, webhook_id: str) -> None:
        """Note that a server has accepted an event."""
        if webhook_id in self._failing:
            self._failing.discard(webhook_id)
            await self._change(webhook_id, failing_since=0.0)

    async def note_given_up(self, webhook: StoredWebhook, account_event: AccountEvent, outcome: str) -> None:
        """Note that the last attempt at an event has failed."""
        _log.warning(
            "Webhook %s: event %s-%s is given up. %s",
            webhook.id,
            account_event.account,
            account_event.event.number,
            outcome,
        )
        if webhook.id not in self._failing:
            self._failing.add(webhook.id)
            await self._change(webhook.id, failing_since=self._clock())
            await self._report(webhook, account_event, "webhook.failing", f"An event was given up. {outcome}")

    async def disable(self, webhook: StoredWebhook, account_event: AccountEvent) -> None:
        """Disable a webhook whose server has answered 410."""
        _log.warning("Webhook %s is disabled. %s", webhook.id, _GONE)
        await self._change(webhook.id, enabled=False, disabled_reason=_GONE)
        await self._report(webhook, account_event, "webhook.disabled", _GONE)

    async def _change(self, webhook_id: str, **fields: float | bool | str) -> None:
        while True:
            try:
                await self._webhooks.note(webhook_id, **fields)
            except RecordChanged:  # by the API, at the same moment
                continue
            return

    async def _report(self, webhook: StoredWebhook, account_event: AccountEvent, kind: NoticeType, reason: str) -> None:
        self._notices.publish(webhook.new_notice(kind, time=self._clock(), reason=reason))
        if not webhook.report:
            return
        event = f"{account_event.account}-{account_event.event.number}"
        state = kind.removeprefix("webhook.")
        try:
            await self._port.account(account_event.account).sends.enqueue(
                FILEHELPER,
                f"Webhook {webhook.name!r} is {state}: {reason}",
                key=f"webhook-{webhook.id}-{state}-{event}",
            )
        except (GatewayProblem, WxError) as error:
            _log.warning("The state of webhook %s was not reported (%s).", webhook.id, type(error).__name__)
