"""When a failed event is sent to a webhook again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.webhook_request import pause_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from webwx.gateway.webhooks import StoredWebhook


class WebhookRetries:
    """
    When an event is tried again.

    Args:
        sleep: Waits for some seconds.
        rng: Spreads the attempts.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[object]], rng: Random) -> None:
        self.sleep = sleep
        self._rng = rng

    def pause(self, webhook: StoredWebhook, failures: int, asked: float) -> float | None:
        """Return the seconds until the next attempt; None after the last one."""
        return pause_after(failures, is_private=webhook.allow_private, asked=asked, rng=self._rng)
