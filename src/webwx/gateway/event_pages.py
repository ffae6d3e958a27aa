"""Pages of the events of several accounts, with one cursor for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import msgspec

from webwx.gateway.port import EventPage
from webwx.storage.cursors import decode_cursor, encode_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from webwx.gateway.port import AccountEvent


class ReadAccount(Protocol):
    """An account whose events are read."""

    @property
    def newest(self) -> int:
        """Number of the newest event that this process knows."""
        ...

    async def read_events(
        self, after: int, *, limit: int, since: float = 0, until: float = 0
    ) -> list[AccountEvent]:  # fmt: skip
        """Return the events after a number, in the order of arrival."""
        ...

    async def has_events_from(self, number: int) -> bool:
        """Return whether the journal has an event with this number or a higher one."""
        ...


class EventPages:
    """
    Reads the events of several accounts; `GatewayPort` states what its methods return.

    Args:
        account: Returns an account by its number.
    """

    def __init__(self, account: Callable[[int], ReadAccount]) -> None:
        self._account = account
        self._news = asyncio.Event()
        """Set, and replaced, when events were stored."""

    def __repr__(self) -> str:
        return "EventPages()"

    def wake(self) -> None:
        """Wake all readers that wait, because events were stored."""
        self._news.set()
        self._news = asyncio.Event()

    def newest_cursor(self, accounts: Collection[int]) -> str:
        """Return the cursor after all stored events of some accounts."""
        return encode_cursor({number: self._account(number).newest for number in accounts})

    async def read(
        self, accounts: Collection[int], cursor: str, *, limit: int, since: float, until: float
    ) -> EventPage:  # fmt: skip
        """Return the events of some accounts after a cursor, those of each account in the order of arrival."""
        numbers, has_gaps = decode_cursor(cursor), bool(since or until)
        events: list[AccountEvent] = []
        is_lost = False
        for number in accounts:
            account, after = self._account(number), numbers.get(number, 0)
            newest = account.newest
            # Another process may know of events that this one does not know yet.
            if after > newest and not await account.has_events_from(after):  # the journal was replaced by an older one
                after, is_lost = newest, True
            if after < newest:
                found = await account.read_events(after, limit=limit, since=since, until=until)
                is_gap = bool(after and found and found[0].event.number > after + 1) and not has_gaps
                is_lost = is_lost or is_gap
                for account_event in found:
                    numbers[number] = account_event.event.number
                    events.append(msgspec.structs.replace(account_event, cursor=encode_cursor(numbers)))
                after = found[-1].event.number if found else newest
            numbers[number] = after
        return EventPage(events=events, cursor=encode_cursor(numbers), lost=is_lost)

    async def wait(self, accounts: Collection[int], cursor: str, *, wait: float) -> bool:
        """Return True as soon as an event of some accounts is stored after a cursor; False after the wait."""
        numbers = decode_cursor(cursor)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while True:
                    news = self._news
                    if any(self._account(number).newest > numbers.get(number, 0) for number in accounts):
                        return True
                    await news.wait()
        return False
