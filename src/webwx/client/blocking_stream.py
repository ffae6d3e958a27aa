"""A stream of events without `await`."""

from __future__ import annotations

from types import GeneratorType
from typing import TYPE_CHECKING, Protocol, TypeVar

from webwx.client.loop_thread import OwnLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from types import TracebackType
    from typing import Self

    from webwx.client.reading.stream import EventStream
    from webwx.model.messages import Event

T_co = TypeVar("T_co", covariant=True)


class BlockingEventStream:
    """
    An iterator of events; `Client.events` returns it.

    Close the stream with `with` or `close` if the loop may end early; only then can another loop go on at once. An
    interrupted wait ends the stream as well.
    """

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._loop = OwnLoop("stream")
        # A generator, because Python closes a generator that a loop left by `break` once nothing refers to it.
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
        is_read = isinstance(self._events, GeneratorType) and self._events.gi_running
        if error is not None and is_read:
            return  # another thread reads, and the stream ends with its wait; this error is the one to raise
        self.close()

    def ack(self) -> None:
        """
        Acknowledge the last event, and return once the acknowledgement is stored.

        Raises:
            StorageError: The acknowledgement is not stored.
        """
        self._loop.run(self._stream.ack())

    def close(self) -> None:
        """End the stream. The last event stays unacknowledged, unless `ack` was called."""
        self._events.close()


class _AsyncStream(Protocol[T_co]):
    def __anext__(self) -> Awaitable[T_co]: ...

    def aclose(self) -> Awaitable[None]: ...


def iterate(stream: _AsyncStream[T_co]) -> Generator[T_co, None, None]:
    """Return a generator of what an asynchronous stream yields, which closes the stream at its end."""
    return _iterate(stream, OwnLoop("stream"))


def _iterate(stream: _AsyncStream[T_co], loop: OwnLoop) -> Generator[T_co, None, None]:
    try:
        while (each := loop.run(_next(stream))) is not None:
            yield each
    finally:
        if loop.is_of_this_process:
            loop.run(stream.aclose())


async def _next(stream: _AsyncStream[T_co]) -> T_co | None:
    return await anext(stream, None)
