"""
The times at which failed events are tried again.

The time of each next attempt is a record, which is read before the attempt. So a restart continues the schedule of an
event, and so does another gateway after it has taken the account over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from webwx.gateway.owned_records import OwnedRecords


class EventPlace(NamedTuple):
    """An event that one owner of consumers handles."""

    owner: str
    """Id of the owner, such as a webhook."""
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


class RetryTimes:
    """
    The times of the next attempts, for all owners of a kind, such as all webhooks.

    Args:
        kind: Prefix of a kind of record; the times of each owner are records of a separate kind.
        records: Stores the times.
        clock: Returns seconds since 1970.
    """

    def __init__(self, kind: str, records: OwnedRecords, clock: Callable[[], float]) -> None:
        self._kind = kind
        self._records = records
        self._clock = clock

    def __repr__(self) -> str:
        return f"RetryTimes({self._kind!r})"

    async def is_waiting(self, owner: str) -> bool:
        """Return whether an event of an owner waits for its next attempt, at any gateway."""
        return bool(await self._records.stored.find(self._kind_of(owner)))

    async def pause(self, place: EventPlace) -> float:
        """Return the seconds until the next attempt at an event; 0 if no time is stored, or it is over."""
        record = await self._records.stored.get(self._kind_of(place.owner), place.name)
        return 0.0 if record is None else max(0.0, _DUE.decode(record.body).at - self._clock())

    def due_after(self, pause: float) -> float:
        """Return the time after a pause: seconds since 1970."""
        return self._clock() + pause

    async def postpone(self, place: EventPlace, pause: float) -> float:
        """Store that the next attempt at an event follows after a pause, and return its time."""
        due = self.due_after(pause)
        await self._records.put(self._kind_of(place.owner), place.name, msgspec.json.encode(_Due(due)))
        return due

    async def settle(self, place: EventPlace) -> None:
        """Delete the time of an event, because no attempt follows."""
        await self._records.delete(self._kind_of(place.owner), place.name)

    async def forget(self, owner: str, accounts: Collection[int] | None = None) -> None:
        """Delete the times of the events of an owner, so that they are tried at once; None: of all accounts."""
        kind = self._kind_of(owner)
        for record in await self._records.stored.find(kind):
            if accounts is None or int(record.id.partition("/")[0]) in accounts:
                await self._records.delete(kind, record.id)

    def _kind_of(self, owner: str) -> str:
        return f"{self._kind}/{owner}"
