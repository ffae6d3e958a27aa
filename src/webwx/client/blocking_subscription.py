"""A subscription without `await`."""

# Written by `make blocking` from Subscription; do not edit.

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.client.loop_thread import OwnLoop
from webwx.client.reading.subscription import Subscription

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from webwx.client.reading.delivered import Delivered


class BlockingSubscription:
    """A consumer of one account's events; `Client.subscribe` returns it, and it is open inside `with`."""

    def __init__(self, subscription: Subscription) -> None:
        self.name: str = subscription.name
        self._subscription = subscription
        self._loop = OwnLoop("subscription")

    def __repr__(self) -> str:
        return f"BlockingSubscription({self.name!r})"

    def __enter__(self) -> Self:
        self._loop.run(self._subscription.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop.is_of_this_process:
            self._loop.run(self._subscription.close())

    def ack(self, number: int) -> None:
        """Acknowledge an entry, and return once the acknowledgement is stored."""

        async def ack() -> None:
            self._subscription.ack(number)
            await self._subscription.flush()

        self._loop.run(ack())

    def take(self, limit: int = 100) -> list[Delivered]:
        """
        Return the next entries in the order of arrival; wait until an entry has arrived.

        An empty list means that no further entry will come: the subscription was stopped, the client was closed, or no
        entry waits and this subscription does not follow.

        Raises:
            LoggedOut: The login has ended, and no entry waits.
            StorageError: The journal cannot be read; a subscription that follows waits until it can.
        """
        return self._loop.run(self._subscription.take(limit))

    def failed(self, number: int, error: str) -> int:
        """Store that an attempt at an entry has failed; return the number of failed attempts."""
        return self._loop.run(self._subscription.failed(number, error))

    def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, which acknowledges it."""
        self._loop.run(self._subscription.give_up(number, error))
