"""Values of the gateway that users create and change, such as keys and webhooks, stored as records."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.storage.tables.records import RecordStore


class StoredValue(Protocol):
    """A struct that is stored under its id."""

    @property
    def id(self) -> str:
        """Id of the value, unique among the values of its kind."""
        ...

    @property
    def created_at(self) -> float:
        """Time at which the value was created: seconds since 1970."""
        ...


V = TypeVar("V", bound=StoredValue)

_LETTERS = string.ascii_letters + string.digits


class StoredValues(Generic[V]):
    """
    All values of one kind; a subclass says how one is created.

    Args:
        records: The records.
        clock: Returns seconds since 1970.
        kind: The kind of their records.
        value_type: Struct of the values.
        check: Called with a value before it is stored; it raises `InvalidRequest` if the value is invalid.
    """

    def __init__(
        self,
        records: RecordStore,
        clock: Callable[[], float],
        kind: str,
        value_type: type[V],
        check: Callable[[V], object],
    ) -> None:
        self._records = records
        self._clock = clock
        self._kind = kind
        self._decoder = msgspec.json.Decoder(value_type)
        self._check = check

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._kind})"

    async def add(self, value: V) -> None:
        """
        Store a new value.

        Raises:
            RecordChanged: The id is taken.
        """
        self._check(value)
        await self._put(value, 0)

    async def find(self) -> list[V]:
        """Return all values, the oldest first."""
        found = [self._decoder.decode(record.body) for record in await self._records.find(self._kind)]
        return sorted(found, key=lambda value: value.created_at)

    async def get(self, value_id: str) -> V | None:
        """Return a value by its id; None for an unknown id."""
        record = await self._records.get(self._kind, value_id)
        return None if record is None else self._decoder.decode(record.body)

    async def change(self, value_id: str, change: Callable[[V], V]) -> V | None:
        """
        Replace a value by the result of a function of it, and return the new value; None for an unknown id.

        Raises:
            RecordChanged: Another caller has changed the value meanwhile.
            InvalidRequest: The new value is invalid.
        """
        record = await self._records.get(self._kind, value_id)
        if record is None:
            return None
        changed = change(self._decoder.decode(record.body))
        self._check(changed)
        await self._put(changed, record.version)
        self._note_change(value_id)
        return changed

    async def delete(self, value_id: str) -> bool:
        """Delete a value, and return whether it existed."""
        was_there = await self._records.delete(self._kind, value_id)
        self._note_change(value_id)
        return was_there

    def _note_change(self, value_id: str) -> None:
        """Forget what is in memory of a value that was changed or deleted here; a subclass may have something."""

    async def _put(self, value: V, version: int) -> None:
        body = msgspec.json.encode(value)
        await self._records.put(self._kind, value.id, body, version=version, time=self._clock())


def random_text(length: int) -> str:
    """Return random letters and digits, for an id or a secret."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
