"""
The times of the messages that receivers have sent lately, as records that several gateways share.

A message of a receiver may arrive at any gateway, so each gateway reads the times of all before it sends a message by
itself. A change is stored only if no other gateway has changed the record meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged
from webwx.gateway.notify.digest import Burst

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.notify.digest import DigestRule
    from webwx.storage.tables.records import RecordStore, StoredRecord

_KIND = "receiver.sent"
"""Kind of the records."""

_OLD = 3600.0
"""Seconds after which the times of a receiver no longer matter for any rule."""

_TIMES = msgspec.json.Decoder(tuple[float, ...])


class SentTimes:
    """
    When receivers have sent their latest messages.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock

    def __repr__(self) -> str:
        return "SentTimes()"

    async def get(self, receiver: str) -> tuple[float, ...]:
        """Return the times of a receiver, the oldest first."""
        return _times_of(await self._records.get(_KIND, receiver))

    async def take(self, receiver: str, rule: DigestRule, now: float) -> tuple[tuple[float, ...], bool]:
        """Return the times of a receiver, and whether it may send a message now; if so, the message is counted."""
        while True:
            record = await self._records.get(_KIND, receiver)
            burst: Burst[None] = Burst(sent=_times_of(record))
            burst, is_now = burst.offer(None, now, rule)
            if not is_now or await self._store(receiver, record, burst.sent):
                return burst.sent, is_now

    async def count_digest(self, receiver: str, rule: DigestRule, now: float) -> tuple[float, ...]:
        """Count a digest that was sent, and return the times of a receiver."""
        while True:
            record = await self._records.get(_KIND, receiver)
            sent = (*(at for at in _times_of(record) if now < at + rule.period), now)
            if await self._store(receiver, record, sent):
                return sent

    async def forget(self, receiver: str) -> None:
        """Delete the times of a receiver that was deleted."""
        await self._records.delete(_KIND, receiver)

    async def forget_old(self) -> None:
        """Delete times that no longer matter."""
        for record in await self._records.find(_KIND):
            if self._clock() - record.changed_at > _OLD:
                await self._records.delete(_KIND, record.id)

    async def _store(self, receiver: str, record: StoredRecord | None, sent: tuple[float, ...]) -> bool:
        """Store the times of a receiver; return False if another gateway has changed them."""
        version = 0 if record is None else record.version
        try:
            await self._records.put(_KIND, receiver, msgspec.json.encode(sent), version=version, time=self._clock())
        except RecordChanged:
            return False
        return True


def _times_of(record: StoredRecord | None) -> tuple[float, ...]:
    return () if record is None else _TIMES.decode(record.body)
