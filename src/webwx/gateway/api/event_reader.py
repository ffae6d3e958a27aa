"""The reader of events of several accounts, which pages, streams and WebSockets use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import TYPE_CHECKING

from webwx.errors import InvalidCursor
from webwx.gateway.accounts.account import AccountStatus, SendChange
from webwx.gateway.accounts.event_broadcast import FollowedEvent, SharedEvent
from webwx.gateway.accounts.send_changes import SEND_CHANGED
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.webhooks.notices import WebhookNotice
from webwx.model.event_filters import check_patterns, is_named, matches
from webwx.representations.events import EVENT_TYPES, Reset

if TYPE_CHECKING:
    from webwx.gateway.access.auth import Caller
    from webwx.gateway.accounts.account import GatewayAccounts
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.accounts.event_broadcast import LiveEvents
    from webwx.gateway.http.open_streams import OpenStream

HEARTBEAT = 15.0
"""Seconds without events after which a stream has a heartbeat."""

_OTHERS = 100
"""Maximum number of items of other sources that wait for one reader."""

_PAGE = 200
"""Number of events of each account that a stream reads at a time."""


StreamItem = FollowedEvent | AccountStatus | WebhookNotice | SendChange | Reset | None
"""An item of a stream; None is a heartbeat."""


_Source = AsyncGenerator[AccountStatus | WebhookNotice | SendChange, None]
"""A source of items that are in no journal."""


class EventReader:
    """
    Reads the events of some accounts after a cursor.

    Args:
        port: The accounts.
        accounts: Numbers of the accounts.
        types: Patterns of the types to read, such as `message.*`; empty for all.
    """

    def __init__(self, port: GatewayAccounts, accounts: list[int], types: tuple[str, ...]) -> None:
        self._port = port
        self._accounts = accounts
        self._types = types
        self._wanted: dict[str, bool] = {}
        """Whether the reader reads events of a type, for the types so far."""

    def wants(self, event_type: str) -> bool:
        """Return whether the reader reads events of a type."""
        wanted = self._wanted.get(event_type)
        if wanted is None:
            wanted = self._wanted[event_type] = matches(event_type, self._types)
        return wanted

    async def page(
        self, cursor: str, stream: OpenStream, *, limit: int, wait: float, since: float = 0, until: float = 0
    ) -> tuple[list[AccountEvent], str, bool]:
        """Return the next events, the cursor after them, and whether events before them are gone."""
        read = partial(self._port.events.read, self._accounts, limit=limit, since=since, until=until)
        await stream.turns.next()
        found = await read(cursor)
        if not found.events and wait:
            await stream.run(self._port.events.wait(self._accounts, found.cursor, wait=wait))
            stream.require_valid()
            await stream.turns.next()
            found = await read(found.cursor)
        wanted = [account_event for account_event in found.events if self.wants(account_event.event.type)]
        return wanted, found.cursor, found.lost

    def follow(
        self, cursor: str, stream: OpenStream, notices: AsyncGenerator[WebhookNotice, None]
    ) -> AsyncGenerator[StreamItem, None]:
        """
        Return events, changes of states and events of the gateway itself, without end; None is a heartbeat.

        The changes of sends, from this call on, are among them only if the types name them.

        Args:
            cursor: Position to continue from. With an invalid one, `Reset` is the first item.
            stream: Has an event that is set when reading must end.
            notices: The events of the gateway itself that the reader may receive.
        """
        sources: list[_Source] = [self._port.watch_states(), notices]
        if is_named(SEND_CHANGED, self._types):
            sources.append(self._port.watch_sends(self._accounts))
        return self._follow(cursor, stream, sources)

    async def _follow(
        self, cursor: str, stream: OpenStream, sources: list[_Source]
    ) -> AsyncGenerator[StreamItem, None]:  # fmt: skip
        news = _StreamNews(sources, stream)
        try:
            position = cursor
            while not stream.ended.is_set():
                await stream.turns.next()
                try:
                    page = await self._port.events.read(self._accounts, position, limit=_PAGE)
                except InvalidCursor:
                    position = self._port.events.newest_cursor(self._accounts)
                    yield Reset(cursor=position)
                    continue
                if page.lost:
                    yield Reset(cursor=page.events[0].cursor if page.events else page.cursor)
                async for account_event in stream.turns.spread(page.events):
                    if self.wants(account_event.event.type) and not stream.ended.is_set():
                        news.note_item()
                        yield FollowedEvent(SharedEvent(account_event), account_event.cursor)
                position = page.cursor
                if news.needs_heartbeat():
                    yield None
                live = None if page.events else self._port.events.join(self._accounts, position, news.wake)
                if live is None:
                    continue
                try:
                    async for item in self._new_items(live, news, stream):
                        yield item
                finally:
                    live.leave()
                position = live.cursor
        finally:
            await news.close()

    async def _new_items(
        self, live: LiveEvents, news: _StreamNews, stream: OpenStream
    ) -> AsyncGenerator[StreamItem, None]:  # fmt: skip
        """Return what is new until the stream ends or the reader has to read pages again."""
        turns = stream.turns
        while not stream.ended.is_set():
            while (event := live.take()) is not None:
                if turns.is_over():
                    await turns.take_part()
                if self.wants(event.shared.account_event.event.type) and not stream.ended.is_set():
                    news.note_item()
                    yield event
            for item in news.take():
                if self._is_for_reader(item):
                    news.note_item()
                    yield item
            if live.is_behind:
                return
            await news.wait()
            if news.needs_heartbeat():
                yield None

    def _is_for_reader(self, item: AccountStatus | WebhookNotice | SendChange) -> bool:
        match item:
            case AccountStatus():
                return item.number in self._accounts and self.wants("account.state")
            case WebhookNotice():
                return self.wants(item.type)
            case SendChange():
                return True


class _StreamNews:
    """
    What wakes the reader of a stream: new events, items of other sources, and the end of the stream.

    Args:
        sources: Sources of items that are in no journal.
        stream: The stream.
    """

    def __init__(self, sources: list[_Source], stream: OpenStream) -> None:
        self._loop = asyncio.get_running_loop()
        self._sources = sources
        self._items: list[AccountStatus | WebhookNotice | SendChange] = []
        self._has_room = asyncio.Event()
        self._has_ended = False
        """Whether one of the sources has ended."""
        self._is_woken = False
        self._waiter: asyncio.Future[None] | None = None
        self._quiet_since = self._loop.time()
        """Time of the reader's last item (event loop's clock). One timer looks at it, instead of one for each item."""
        self._is_quiet = False
        """Whether the reader needs a heartbeat."""
        self._heartbeat = self._loop.call_later(HEARTBEAT, self._beat)
        self._tasks = [asyncio.ensure_future(self._receive(source)) for source in sources]
        self._tasks.append(asyncio.ensure_future(self._end(stream)))

    def wake(self) -> None:
        """Wake the reader."""
        self._is_woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return once there is something new, or the reader needs a heartbeat."""
        if not self._is_woken:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._is_woken = False

    def note_item(self) -> None:
        """Note that the reader gets an item; news that it does not want need a heartbeat like none."""
        self._quiet_since, self._is_quiet = self._loop.time(), False

    def needs_heartbeat(self) -> bool:
        """Return whether the reader has to get a heartbeat now, because it got no item for a heartbeat's time."""
        is_quiet, self._is_quiet = self._is_quiet, False
        return is_quiet

    def take(self) -> list[AccountStatus | WebhookNotice | SendChange]:
        """Remove and return the items of the other sources, and raise the error of one that has failed."""
        if self._has_ended:
            for task in self._tasks:
                if task.done():
                    task.result()
        if not self._items:
            return []
        items, self._items = self._items, []
        self._has_room.set()
        return items

    async def close(self) -> None:
        """Close the sources."""
        self._heartbeat.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for source in self._sources:
            await source.aclose()

    def _beat(self) -> None:
        now = self._loop.time()
        if now >= self._quiet_since + HEARTBEAT:
            self._quiet_since, self._is_quiet = now, True
            self.wake()
        self._heartbeat = self._loop.call_at(self._quiet_since + HEARTBEAT, self._beat)

    async def _receive(self, source: _Source) -> None:
        try:
            async for item in source:
                while len(self._items) >= _OTHERS:
                    self._has_room.clear()
                    await self._has_room.wait()
                self._items.append(item)
                self.wake()
        finally:
            self._has_ended = True
            self.wake()

    async def _end(self, stream: OpenStream) -> None:
        await stream.ended.wait()
        self.wake()


async def chosen_accounts(port: GatewayAccounts, caller: Caller, wanted: str | None) -> list[int]:
    """
    Return the numbers of the accounts to read: the named ones, or all that the caller reaches.

    Args:
        port: The accounts.
        caller: The caller.
        wanted: Numbers or names, separated by commas; None for all.

    Raises:
        GatewayProblem: There is no such account, or the caller does not reach it.
    """
    if wanted is None:
        return [number for number in await port.list_numbers() if caller.reaches(number)]
    numbers = []
    for which in wanted.split(","):
        number = port.find_account(which.strip())
        if number is None or not caller.reaches(number):
            raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.")
        numbers.append(number)
    return numbers


def patterns_of(types: str | None) -> tuple[str, ...]:
    """
    Return patterns of types that are separated by commas.

    Raises:
        InvalidRequest: A pattern matches no type of event.
    """
    patterns = tuple(pattern for each in (types or "").split(",") if (pattern := each.strip()))
    check_patterns(patterns, EVENT_TYPES)
    return patterns
