"""Pages of the events of several accounts, with one cursor for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import msgspec

from webwx.errors import NotLoggedIn
from webwx.gateway.accounts.account_events import EventPage
from webwx.gateway.accounts.event_broadcast import BroadcastEvents, EventBroadcast
from webwx.storage.cursors import decode_cursor, encode_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.accounts.event_broadcast import LiveEvents


class JournalReads(Protocol):
    """Reads the journal of an account."""

    async def read_events(self, after: int = 0, *, limit: int) -> Sequence[object]:
        """Return the events after a number."""
        ...


class ReadEvents(BroadcastEvents, Protocol):
    """The events of an account that readers read."""

    @property
    def client(self) -> JournalReads:
        """Reads the account's journal."""
        ...


class _Announced:
    """What has made readers wake once, and what comes after it."""

    def __init__(self) -> None:
        self.has_come = asyncio.Event()
        self.accounts: Collection[int] = ()
        """Numbers of the accounts with new events, once it has come."""
        self.next: _Announced | None = None
        """The news after this one, once it has come."""


class EventPages:
    """
    Reads the events of several accounts.

    Args:
        events: Returns the events of an account by its number.
    """

    def __init__(self, events: Callable[[int], ReadEvents]) -> None:
        self._events = events
        self._broadcast = EventBroadcast(events)
        self._news = _Announced()
        """The news that have not come yet."""

    def __repr__(self) -> str:
        return "EventPages()"

    def wake(self, accounts: Collection[int]) -> None:
        """Wake the readers that wait for events of some accounts, because events were stored."""
        come, self._news = self._news, _Announced()
        come.accounts, come.next = accounts, self._news
        come.has_come.set()
        self._broadcast.wake(accounts)

    def newest_cursor(self, accounts: Collection[int]) -> str:
        """Return the cursor after all stored events of some accounts."""
        return encode_cursor({number: self._events(number).newest for number in accounts})

    async def read(
        self, accounts: Collection[int], cursor: str, *, limit: int, since: float = 0, until: float = 0
    ) -> EventPage:
        """
        Return the events of some accounts after a cursor, those of each account in the order of arrival.

        Args:
            accounts: Numbers of the accounts.
            cursor: Position to continue from; empty for the beginning.
            limit: Number of events of each account at most.
            since: Time of the earliest event: seconds since 1970.
            until: Time of the latest event; 0 for no limit.

        Raises:
            InvalidCursor: The text is not a cursor.
        """
        numbers, has_gaps = decode_cursor(cursor), bool(since or until)
        events: list[AccountEvent] = []
        is_lost = False
        for number in accounts:
            stored, after = self._events(number), numbers.get(number, 0)
            newest = stored.newest
            # Another process may know of events that this one does not know yet; otherwise the journal was replaced.
            if after > newest and not await _has_events_from(stored.client, after):
                after, is_lost = newest, True
            if after < newest:
                found = await stored.read_events(after, limit=limit, since=since, until=until)
                is_gap = bool(after and found and found[0].event.number > after + 1) and not has_gaps
                is_lost = is_lost or is_gap
                for account_event in found:
                    numbers[number] = account_event.event.number
                    events.append(msgspec.structs.replace(account_event, cursor=encode_cursor(numbers)))
                after = found[-1].event.number if found else newest
            numbers[number] = after
        return EventPage(events=events, cursor=encode_cursor(numbers), lost=is_lost)

    def join(self, accounts: Collection[int], cursor: str, on_news: Callable[[], object]) -> LiveEvents | None:
        """
        Return the events of some accounts from now on; None if some after a cursor are stored already.

        Args:
            accounts: Numbers of the accounts.
            cursor: Position after all events that the reader has read.
            on_news: Called when there are new events, or the reader has fallen behind.

        Raises:
            InvalidCursor: The text is not a cursor.
        """
        return self._broadcast.join(accounts, decode_cursor(cursor), on_news)

    async def wait(self, accounts: Collection[int], cursor: str, *, wait: float) -> bool:
        """Return True as soon as an event of some accounts is stored after a cursor; False after the wait."""
        numbers, wanted, changed, news = decode_cursor(cursor), frozenset(accounts), accounts, self._news
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while not any(
                    self._events(number).newest > numbers.get(number, 0) for number in changed if number in wanted
                ):
                    await news.has_come.wait()
                    assert news.next is not None  # noqa: S101 - for the type checker: it has come
                    changed, news = news.accounts, news.next
                return True
        return False


async def _has_events_from(client: JournalReads, number: int) -> bool:
    """Return whether the journal has an event with this number or a higher one."""
    try:
        return bool(await client.read_events(number - 1, limit=1))
    except NotLoggedIn:
        return False
