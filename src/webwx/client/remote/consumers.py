"""The consumers of an account of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.remote.calls import is_found
from webwx.representations.consumers import DELETE_CONSUMER, LIST_CONSUMERS
from webwx.storage.tables.consumers import ConsumerPosition

if TYPE_CHECKING:
    from webwx.client.remote.calls import GatewayCalls


class RemoteConsumers:
    """
    Consumers of an account of a gateway, open or not.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    async def list_consumers(self) -> list[ConsumerPosition]:
        """Return the consumers in the order of their names."""
        page = await self._calls.call(LIST_CONSUMERS)
        return [
            ConsumerPosition(
                name=each.name, acked=each.acknowledged, waiting=each.waiting, dead_letters=each.dead_letters
            )
            for each in page.consumers
        ]

    async def forget_consumer(self, name: str) -> bool:
        """Delete a consumer with its position and its dead letters; return whether there was one."""
        return await is_found(self._calls.call(DELETE_CONSUMER, name))
