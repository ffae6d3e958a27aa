"""
Streams of events: an asynchronous iterator that acknowledges each event when the next one is asked for.

A reader that stops leaves the last event unacknowledged: with a journal it comes again, in this process or in the next.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.model.events import is_quiet

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from webwx.client.pending import PendingEvents
    from webwx.client.session import ClientSession
    from webwx.client.subscription import Subscription
    from webwx.client.sync_loop import SyncLoop
    from webwx.model.messages import Event

AHEAD_FROM = 20
"""
Events of one batch from which on the next poll is on its way while they are handed out: more may wait. With few of them
a handler rather answers one, and would find the connection taken.
"""


class EventStream:
    """
    What `AsyncClient.events` gives: an asynchronous iterator.

    A loop that may be left early closes it, with `async with` or `aclose`, so that another can go on at once. A wait
    that is cancelled ends it as well.
    """

    def __init__(self, events: AsyncGenerator[Event, None], ack: Callable[[], Awaitable[None]]) -> None:
        # A generator, because asyncio closes one that was left by `break` once nothing refers to it.
        self._events = events
        self._ack = ack

    def __repr__(self) -> str:
        return "EventStream()"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events  # a loop asks the generator itself for each event

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
        Acknowledge the last event, and return once that is stored.

        Raises:
            StorageError: It is not.
        """
        await self._ack()

    async def aclose(self) -> None:
        """End the stream. The last event was not done with, unless `ack` has said so."""
        await self._events.aclose()


class _Shown:
    """The number of the last event that a stream has yielded, and the highest number."""

    last = highest = 0

    def note(self, number: int) -> None:
        self.last, self.highest = number, max(number, self.highest)


def stored_stream(session: ClientSession, subscription: Subscription, *, include_all: bool) -> EventStream:
    """
    Return a stream of what a subscription delivers.

    Args:
        session: The account's session.
        subscription: The subscription, not yet opened.
        include_all: False leaves out activity of the phone and changes of contacts.
    """
    shown = _Shown()

    async def ack() -> None:
        if shown.last:
            subscription.ack(shown.last)
            await subscription.flush()

    return EventStream(_stored_events(session, subscription, shown, include_all=include_all), ack)


async def _stored_events(
    session: ClientSession, subscription: Subscription, shown: _Shown, *, include_all: bool
) -> AsyncGenerator[Event, None]:
    session.login.require()
    await _others_end()
    await subscription.open()
    try:
        while given := await subscription.take():
            for each in given:
                number = each.entry.number
                shown.note(number)
                subscription.show(number)
                if include_all or not is_quiet(each.event):
                    yield each.event
                subscription.ack(number)
    finally:
        await subscription.close(unseen_from=shown.highest + 1)


def fetched_stream(
    session: ClientSession, sync: SyncLoop, pending: PendingEvents, *, include_all: bool, follow: bool
) -> EventStream:
    """
    Return a stream of what is pending, which fetches when nothing is.

    Args:
        session: The account's session.
        sync: Polls and fetches.
        pending: What the sync loop stores.
        include_all: False leaves out activity of the phone and changes of contacts.
        follow: False ends the stream as soon as nothing waits any more.
    """

    async def ack() -> None:
        session.save_changes()

    return EventStream(_fetched_events(session, sync, pending, include_all=include_all, follow=follow), ack)


async def _fetched_events(
    session: ClientSession, sync: SyncLoop, pending: PendingEvents, *, include_all: bool, follow: bool
) -> AsyncGenerator[Event, None]:
    session.login.require()
    await _others_end()
    with session.store.syncing():
        saved = session.catch_up()  # it may have been another process that synced this login last
        if saved is not None:
            session.resume_pending(saved)
        own_id, items, take = session.login.user_id, session.pending, pending.take
        sync.begin()
        try:
            while True:
                while items:
                    event = take(own_id)
                    if event is not None and (include_all or not is_quiet(event)):
                        yield event
                if follow:
                    await sync.pull(lambda: bool(items))
                    if len(items) >= AHEAD_FROM:
                        await sync.poll_ahead()
                elif not await sync.fetch_waiting():
                    return
        finally:
            session.save_changes()
            await sync.drop_poll()


async def _others_end() -> None:
    """Wait two turns of the event loop, in which a stream that was left by `break` begins to close."""
    for _ in range(2):
        await asyncio.sleep(0)
