"""The reader of events of several accounts, which pages, streams and WebSockets use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from webwx.errors import InvalidCursor
from webwx.gateway.port import AccountEvent, AccountStatus, SendChange
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.send_changes import SEND_CHANGED, is_named
from webwx.gateway.webhook_notices import WebhookNotice
from webwx.representations.events import type_of

if TYPE_CHECKING:
    from webwx.gateway.auth import Caller
    from webwx.gateway.open_streams import OpenStream
    from webwx.gateway.port import GatewayPort

HEARTBEAT = 15.0
"""Seconds without events after which a stream has a heartbeat."""

_PAGE = 200
"""Number of events of each account that a stream reads at a time."""


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """Events after the reader's cursor are gone; the reader continues from here."""

    cursor: str


StreamItem = AccountEvent | AccountStatus | WebhookNotice | SendChange | Reset | None
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

    def __init__(self, port: GatewayPort, accounts: list[int], types: tuple[str, ...]) -> None:
        self._port = port
        self._accounts = accounts
        self._types = types

    def wants(self, event_type: str) -> bool:
        """Return whether the reader reads events of a type."""
        return is_wanted(event_type, self._types)

    async def page(
        self, cursor: str, stream: OpenStream, *, limit: int, wait: float, since: float = 0, until: float = 0
    ) -> tuple[list[AccountEvent], str, bool]:
        """Return the next events, the cursor after them, and whether events before them are gone."""
        read = partial(self._port.read_events, self._accounts, limit=limit, since=since, until=until)
        await stream.turns.next()
        found = await read(cursor)
        if not found.events and wait:
            await stream.run(self._port.wait_for_events(self._accounts, found.cursor, wait=wait))
            stream.require_valid()
            await stream.turns.next()
            found = await read(found.cursor)
        wanted = [account_event for account_event in found.events if self.wants(type_of(account_event.event))]
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
        waiting = {asyncio.ensure_future(anext(source)): source for source in sources}
        ended = asyncio.ensure_future(stream.ended.wait())
        try:
            position = cursor
            while not stream.ended.is_set():
                await stream.turns.next()
                try:
                    page = await self._port.read_events(self._accounts, position, limit=_PAGE)
                except InvalidCursor:
                    position = await self._port.newest_cursor(self._accounts)
                    yield Reset(cursor=position)
                    continue
                if page.lost:
                    yield Reset(cursor=page.events[0].cursor if page.events else page.cursor)
                async for account_event in stream.turns.spread(page.events):
                    if self.wants(type_of(account_event.event)) and not stream.ended.is_set():
                        yield account_event
                position = page.cursor
                if page.events:
                    continue
                news = asyncio.ensure_future(self._port.wait_for_events(self._accounts, position, wait=HEARTBEAT))
                try:
                    done, _ = await asyncio.wait({news, *waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not news.done():
                        await _cancel(news)
                for task in [task for task in waiting if task in done]:
                    source = waiting.pop(task)
                    item = task.result()
                    waiting[asyncio.ensure_future(anext(source))] = source
                    if self._is_for_reader(item):
                        yield item
                if news in done and not news.result():
                    yield None
        finally:
            for each in (*waiting, ended):
                await _cancel(each)
            for source in sources:
                await source.aclose()

    def _is_for_reader(self, item: AccountStatus | WebhookNotice | SendChange) -> bool:
        match item:
            case AccountStatus():
                return item.number in self._accounts and self.wants("account.state")
            case WebhookNotice():
                return self.wants(item.type)
            case SendChange():
                return True


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def chosen_accounts(port: GatewayPort, caller: Caller, wanted: str | None) -> list[int]:
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


def is_wanted(event_type: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a type matches one of some patterns; without patterns, every type does."""
    return not patterns or any(fnmatchcase(event_type, pattern) for pattern in patterns)


def patterns_of(types: str | None) -> tuple[str, ...]:
    """Return patterns of types that are separated by commas."""
    return tuple(pattern for each in (types or "").split(",") if (pattern := each.strip()))
