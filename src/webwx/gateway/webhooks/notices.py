"""
Events of the gateway itself: a webhook fails, or is disabled.

They are not in a journal. They are shown on the event streams and sent to the other webhooks while the gateway runs,
and the state of a webhook can be read at any time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from webwx.representations.events import NoticeContent, NoticeType, NoticeView
from webwx.representations.times import moment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection


class WebhookNotice(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the gateway itself."""

    id: str
    type: NoticeType
    time: float
    """Seconds since 1970."""
    webhook: str
    """Id of the webhook."""
    name: str
    """Name of the webhook."""
    accounts: tuple[int, ...] | None
    """Numbers of the webhook's accounts; None: all."""
    reason: str = ""
    """What happened, as a sentence."""

    def is_for(self, accounts: Collection[int] | None) -> bool:
        """Return whether readers of some accounts (None: all) may receive it: they need all accounts of the webhook."""
        return accounts is None or (self.accounts is not None and set(self.accounts) <= set(accounts))


def view_of_notice(notice: WebhookNotice) -> NoticeView:
    """Return an event of the gateway as the API shows it."""
    content = NoticeContent(webhook=notice.webhook, name=notice.name, reason=notice.reason)
    return NoticeView(id=notice.id, type=notice.type, time=moment(notice.time), data=content)


class WebhookNotices:
    """Passes events of the gateway to its connected readers."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[WebhookNotice]] = set()

    def __repr__(self) -> str:
        return f"WebhookNotices({len(self._watchers)} watchers)"

    def publish(self, notice: WebhookNotice) -> None:
        """Pass an event to every reader."""
        for watcher in self._watchers:
            watcher.put_nowait(notice)

    async def watch(self, accounts: Collection[int] | None = None) -> AsyncGenerator[WebhookNotice, None]:
        """Yield each event from now on that readers of some accounts (None: all) may receive."""
        queue: asyncio.Queue[WebhookNotice] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while True:
                notice = await queue.get()
                if notice.is_for(accounts):
                    yield notice
        finally:
            self._watchers.discard(queue)
