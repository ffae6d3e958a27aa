"""Streams and subscriptions of the events of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from webwx.client.reading.stream import stored_stream
from webwx.client.remote.gateway_reader import GatewayReader

if TYPE_CHECKING:
    from webwx.client.reading.stream import EventStream
    from webwx.client.reading.subscription import Subscription
    from webwx.client.remote.calls import GatewayCalls


class RemoteEvents:
    """
    Streams and subscriptions of an account of a gateway.

    Args:
        calls: Calls of the gateway.
        retry_after: Seconds until a lost connection is opened again the first time.
    """

    def __init__(self, calls: GatewayCalls, retry_after: float) -> None:
        self._calls = calls
        self._retry_after = retry_after
        self._readers: WeakSet[GatewayReader] = WeakSet()

    def events(self, consumer: str, *, include_all: bool, follow: bool) -> EventStream:
        """Return a stream of events that acknowledges each one when the next one is requested."""
        return stored_stream(self.subscribe(consumer, follow=follow, shows=False), include_all=include_all)

    def subscribe(self, consumer: str, *, follow: bool, shows: bool) -> Subscription:
        """Return a subscription of a consumer, not yet opened."""
        del shows  # `close` says which events no handler has seen; after a lost connection each one may have been
        reader = GatewayReader(self._calls, consumer, self._retry_after, follow=follow)
        self._readers.add(reader)
        return reader

    async def wait_for_kept(self) -> None:
        """Return at once: the gateway archives media in its own process, which goes on without this one."""

    async def close(self) -> None:
        """Close the connections of all open subscriptions, once their acknowledgements are stored."""
        for reader in list(self._readers):
            await reader.disconnect()
