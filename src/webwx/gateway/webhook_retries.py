"""
The times at which failed events are sent to webhooks again.

The time of each next attempt is a record, which is read before the attempt. So a restart continues the schedule of an
event, and so does another gateway after it has taken the account over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from webwx.gateway.webhook_request import pause_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from random import Random

    from webwx.gateway.owned_records import OwnedRecords
    from webwx.gateway.webhooks import StoredWebhook

_KIND = "webhook-retry"
"""Prefix of a kind of record; the times of the events of each webhook are records of a separate kind."""


class EventPlace(NamedTuple):
    """An event that is sent to a webhook."""

    webhook: str
    """Id of the webhook."""
    account: int
    """Number of the account."""
    number: int
    """Number of the event in its account."""

    @property
    def name(self) -> str:
        """Id of the record."""
        return f"{self.account}/{self.number}"


class _Due(msgspec.Struct, frozen=True):
    """The body of a record."""

    at: float
    """Time of the next attempt: seconds since 1970."""


_DUE = msgspec.json.Decoder(_Due)


class WebhookRetries:
    """
    The times of the next attempts.

    Args:
        records: Stores the times.
        clock: Returns seconds since 1970.
        sleep: Waits for some seconds.
        rng: Adds a random time to the pauses between attempts.
    """

    def __init__(
        self,
        records: OwnedRecords,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        rng: Random,
    ) -> None:
        self.sleep = sleep
        self._records = records
        self._clock = clock
        self._rng = rng

    def __repr__(self) -> str:
        return "WebhookRetries()"

    async def is_waiting(self, webhook_id: str) -> bool:
        """Return whether an event of a webhook waits for its next attempt, at any gateway."""
        return bool(await self._records.find(_kind_of(webhook_id)))

    async def pause(self, place: EventPlace) -> float:
        """Return the seconds until the next attempt at an event; 0 if no attempt has failed, or the next one is due."""
        record = await self._records.get(_kind_of(place.webhook), place.name)
        return 0.0 if record is None else max(0.0, _DUE.decode(record.body).at - self._clock())

    def pause_after(self, webhook: StoredWebhook, failures: int, asked: float) -> float | None:
        """Return the seconds after a failed attempt until the next one; None after the last one."""
        return pause_after(failures, is_private=webhook.allow_private, asked=asked, rng=self._rng)

    async def postpone(self, webhook: StoredWebhook, place: EventPlace, failures: int, asked: float) -> float | None:
        """
        Store the time of the next attempt at an event, and return it; None after the last attempt.

        Args:
            webhook: The webhook.
            place: The event.
            failures: Number of failed attempts.
            asked: Seconds to wait, as the server has requested.
        """
        pause = self.pause_after(webhook, failures, asked)
        if pause is None:
            await self.settle(place)
            return None
        due = self._clock() + pause
        await self._records.put(_kind_of(place.webhook), place.name, msgspec.json.encode(_Due(due)))
        return due

    async def settle(self, place: EventPlace) -> None:
        """Delete the time of an event, because no attempt follows."""
        await self._records.delete(_kind_of(place.webhook), place.name)

    async def forget(self, webhook_id: str, accounts: Collection[int] | None = None) -> None:
        """Delete the times of the events of a webhook, so that they are sent at once; None: of all accounts."""
        kind = _kind_of(webhook_id)
        for record in await self._records.find(kind):
            if accounts is None or int(record.id.partition("/")[0]) in accounts:
                await self._records.delete(kind, record.id)


def _kind_of(webhook_id: str) -> str:
    return f"{_KIND}/{webhook_id}"
