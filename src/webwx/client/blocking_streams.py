"""What `Client.events` and `Client.subscribe` return: the asynchronous streams, without `await`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from webwx.client.loop_thread import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from types import TracebackType
    from typing import Self

    from webwx.client.stream import EventStream
    from webwx.client.subscription import Delivered, Subscription
    from webwx.model.messages import Event

T_co = TypeVar("T_co", covariant=True)


class BlockingEventStream:
    """
    An iterator of events; `Client.events` returns it.

    A loop that may be left early closes it, with `with` or `close`, so that another can go on at once. A wait that is
    interrupted ends it as well.
    """

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        # A generator, because Python closes one that was left by `break` and has no reference any more.
        self._events = iterate(stream)

    def __repr__(self) -> str:
        return "BlockingEventStream()"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ack(self) -> None:
        """
        Acknowledge the last event, and return once that is stored.

        Raises:
            StorageError: It is not.
        """
        run(self._stream.ack())

    def close(self) -> None:
        """End the stream. The last event stays unacknowledged, unless `ack` was called."""
        self._events.close()


class BlockingSubscription:
    """A consumer of one account's events; `Client.subscribe` returns it, and it is open inside `with`."""

    def __init__(self, subscription: Subscription) -> None:
        self.name: str = subscription.name
        self._subscription = subscription

    def __repr__(self) -> str:
        return f"BlockingSubscription({self.name!r})"

    def __enter__(self) -> Self:
        run(self._subscription.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self._subscription.close())

    def take(self, limit: int = 100) -> list[Delivered]:
        """Return the next entries in the order of arrival; wait until there is one."""
        return run(self._subscription.take(limit))

    def ack(self, number: int) -> None:
        """Acknowledge an entry, and return once that is stored."""

        async def ack() -> None:
            self._subscription.ack(number)
            await self._subscription.flush()

        run(ack())

    def failed(self, number: int, error: str) -> int:
        """Note that an attempt at an entry has failed; return how many have."""
        return run(self._subscription.failed(number, error))

    def give_up(self, number: int, error: str) -> None:
        """Make an entry a dead letter, and acknowledge it."""
        run(self._subscription.give_up(number, error))


class _AsyncStream(Protocol[T_co]):
    def __anext__(self) -> Awaitable[T_co]: ...

    def aclose(self) -> Awaitable[None]: ...


def iterate(stream: _AsyncStream[T_co]) -> Generator[T_co, None, None]:
    """Yield what an asynchronous stream yields, and close it at the end."""
    try:
        while (each := run(_next(stream))) is not None:
            yield each
    finally:
        run(stream.aclose())


async def _next(stream: _AsyncStream[T_co]) -> T_co | None:
    return await anext(stream, None)
