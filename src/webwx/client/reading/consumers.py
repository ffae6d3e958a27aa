"""The consumers of an account's journal: their positions, and the deletion of a consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.storage.tables.consumers import ConsumerPosition


class StoredConsumers:
    """
    The consumers of one account, open or not.

    Args:
        updates: Returns the part of the journal that can be read.
    """

    def __init__(self, updates: IdentityUpdates) -> None:
        self._updates = updates

    async def list_consumers(self) -> list[ConsumerPosition]:
        """Return the consumers in the order of their names."""
        return await (await self._updates.readable_part()).consumers()

    async def forget_consumer(self, name: str) -> bool:
        """Delete a consumer with its position and its dead letters; return whether there was one."""
        return await (await self._updates.readable_part()).forget_consumer(name)
