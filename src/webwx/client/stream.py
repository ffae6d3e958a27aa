"""
A stream of events, with what says that one is done with.

Asking for the next event says it of the one before. Whoever stops leaves the last one open: with a journal it comes
again, in this process or in the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from webwx.model.messages import Event


class EventStream:
    """
    What `AsyncClient.events` gives: an asynchronous iterator.

    A loop that may be left early closes it, with `async with` or `aclose`, so that another can go on at once. A wait
    that is cancelled ends it as well.
    """

    def __init__(self, events: AsyncGenerator[Event, None], ack: Callable[[], Awaitable[None]]) -> None:
        # A generator, because the loop closes one that was left by `break` and is looked at by nobody any more.
        self._events = events
        self._ack = ack

    def __repr__(self) -> str:
        return "EventStream()"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events  # a loop asks it for each event, with nobody in between

    def __anext__(self) -> Awaitable[Event]:
        return self._events.__anext__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def ack(self) -> None:
        """
        Say that the last event is done with, and return once that is stored.

        Raises:
            StorageError: It is not.
        """
        await self._ack()

    async def aclose(self) -> None:
        """End the stream. The last event was not done with, unless `ack` has said so."""
        await self._events.aclose()
