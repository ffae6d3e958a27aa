"""
Streams of events: an asynchronous iterator that acknowledges each event when the next one is requested.

A reader that stops leaves the last event unacknowledged: with a journal it is delivered again, in this process or the
next.
"""

from __future__ import annotations

import asyncio
from types import AsyncGeneratorType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from webwx.client.login.session import ClientSession
    from webwx.client.reading.subscription import Subscription
    from webwx.client.sync.pending import PendingEvents
    from webwx.client.sync.sync_loop import SyncLoop
    from webwx.model.messages import Event

AHEAD_FROM = 20
"""
Minimum number of events in a batch for the next poll to be sent while they are delivered, because more may wait.

With fewer events a handler probably answers one of them, and the poll would occupy the connection.
"""


class EventStream:
    """
    An asynchronous iterator of events; `AsyncClient.events` returns it.

    Close the stream with `async with` or `aclose` if the loop may end early; only then can another loop go on at once.
    A cancelled wait ends the stream as well.
    """

    def __init__(self, events: AsyncGenerator[Event, None], ack: Callable[[], Awaitable[None]]) -> None:
        # A generator, because asyncio closes a generator that a loop left by `break` once nothing refers to it.
        self._events = events
        self._ack = ack

    def __repr__(self) -> str:
        return "EventStream()"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events  # a loop iterates over the generator itself, which is faster

    def __anext__(self) -> Awaitable[Event]:
        return self._events.__anext__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_read = isinstance(self._events, AsyncGeneratorType) and self._events.ag_running
        if error is not None and is_read:
            return  # another task reads, and the stream ends with its wait; this error is the one to raise
        await self.aclose()

    async def ack(self) -> None:
        """
        Acknowledge the last event, and return once the acknowledgement is stored.

        Raises:
            StorageError: The acknowledgement is not stored.
        """
        await self._ack()

    async def aclose(self) -> None:
        """
        End the stream. The last event stays unacknowledged, unless `ack` was called.

        Raises:
            RuntimeError: Another task waits for the next event; cancel it, which ends the stream as well.
        """
        await self._events.aclose()


class _Shown:
    """The number of the last event that a stream has yielded, and the highest number."""

    last = highest = 0

    def note(self, number: int) -> None:
        self.last, self.highest = number, max(number, self.highest)


def stored_stream(
    subscription: Subscription, *, include_all: bool, require_login: Callable[[], object] = lambda: None
) -> EventStream:
    """
    Return a stream of the events of a subscription.

    Args:
        subscription: The subscription, not yet opened.
        include_all: Whether to include activity of the phone and changes of contacts.
        require_login: Called before the subscription is opened; raises an error if there is no login.
    """
    shown = _Shown()

    async def ack() -> None:
        if shown.last:
            subscription.ack(shown.last)
            await subscription.flush()

    return EventStream(_stored_events(subscription, shown, include_all, require_login), ack)


async def _stored_events(
    subscription: Subscription, shown: _Shown, include_all: bool, require_login: Callable[[], object]
) -> AsyncGenerator[Event, None]:
    require_login()
    await _others_end()
    await subscription.open()
    try:
        while given := await subscription.take():
            for each in given:
                number = each.entry.number
                shown.note(number)
                subscription.show(number)
                if include_all or not each.event.is_quiet:
                    yield each.event
                subscription.ack(number)
    finally:
        await subscription.close(unseen_from=shown.highest + 1)


def fetched_stream(
    session: ClientSession, sync: SyncLoop, pending: PendingEvents, *, include_all: bool, follow: bool
) -> EventStream:
    """
    Return a stream of the pending events, which fetches new ones if none are pending.

    Args:
        session: The account's session.
        sync: The account's sync loop.
        pending: The batches that the sync loop stores.
        include_all: Whether to include activity of the phone and changes of contacts.
        follow: False ends the stream once no event waits.
    """

    async def ack() -> None:
        await session.save_changes()

    return EventStream(_fetched_events(session, sync, pending, include_all=include_all, follow=follow), ack)


async def _fetched_events(
    session: ClientSession, sync: SyncLoop, pending: PendingEvents, *, include_all: bool, follow: bool
) -> AsyncGenerator[Event, None]:
    session.login.require()
    await _others_end()
    async with session.store.syncing():
        saved = await session.catch_up()  # another process may have synced this login last
        if saved is not None:
            session.resume_pending(saved)
        own_id, items, take = session.login.user_id, session.pending, pending.take
        sync.begin()
        is_last = False
        try:
            while True:
                while items:
                    event = take(own_id)
                    if event is not None and (include_all or not event.is_quiet):
                        yield event
                if is_last:
                    return
                if follow:
                    await sync.pull(lambda: bool(items))
                    if len(items) >= AHEAD_FROM:
                        await sync.poll_ahead()
                else:
                    is_last = not await sync.fetch_waiting()
        finally:
            await session.save_changes()
            await sync.drop_poll()


async def _others_end() -> None:
    """Wait two turns of the event loop, in which a stream that was left by `break` begins to close."""
    for _ in range(2):
        await asyncio.sleep(0)
