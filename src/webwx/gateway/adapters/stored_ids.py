"""
Numbers that adapters give to things, because a protocol has numbers where WeChat has texts.

A number belongs to one thing for ever, at all nodes: it is a record, and two nodes that need a number for the same
thing at once get the same one. A thing is named by what stays: for a person or a chatroom the number of the identity,
which is also found after the identity was merged with another one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import RecordChanged
from webwx.storage.tables.records import RecordChange

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore

_HIGHEST = "highest"
"""Id of the record with the highest number of a space."""


class _NumberedThing(msgspec.Struct, frozen=True):
    """The body of a record: a thing and its number; the thing is empty in the record of the highest number."""

    number: int
    thing: str = ""


_BODY = msgspec.json.Decoder(_NumberedThing)


class StoredIds:
    """
    The numbers of one adapter.

    Args:
        adapter: Name of the adapter.
        records: The records.
        clock: Returns seconds since 1970.
    """

    def __init__(self, adapter: str, records: RecordStore, clock: Callable[[], float]) -> None:
        self._adapter = adapter
        self._records = records
        self._clock = clock

    def __repr__(self) -> str:
        return f"StoredIds({self._adapter})"

    async def number_of(self, space: str, thing: str) -> int:
        """
        Return the number of a thing; a new one gets the next number of its space, from 1 on.

        Args:
            space: The things that are numbered together, such as `chats/1` for the chats of account 1.
            thing: What the number stands for, such as the number of an identity.

        Raises:
            StorageError: The number was not stored.
        """
        kind = self._kind(space)
        by_thing = f"thing/{hashlib.sha256(thing.encode()).hexdigest()}"
        while True:
            known = await self._records.get(kind, by_thing)
            if known is not None:
                return _BODY.decode(known.body).number
            highest = await self._records.get(kind, _HIGHEST)
            version, number = (0, 1) if highest is None else (highest.version, _BODY.decode(highest.body).number + 1)
            body = msgspec.json.encode(_NumberedThing(number, thing))
            changes = [
                _change(kind, _HIGHEST, msgspec.json.encode(_NumberedThing(number)), version),
                _change(kind, by_thing, body),
                _change(kind, f"number/{number}", body),
            ]
            try:
                await self._records.change(changes, time=self._clock())
            except RecordChanged:  # another caller has taken the number, or numbered the thing
                continue
            return number

    async def thing_of(self, space: str, number: int) -> str | None:
        """Return the thing with a number; None if no thing has it."""
        found = await self._records.get(self._kind(space), f"number/{number}")
        return None if found is None else _BODY.decode(found.body).thing

    def _kind(self, space: str) -> str:
        return f"{self._adapter}/ids/{space}"


def _change(kind: str, record_id: str, body: bytes, version: int = 0) -> RecordChange:
    return RecordChange(kind=kind, id=record_id, version=version, body=body)
