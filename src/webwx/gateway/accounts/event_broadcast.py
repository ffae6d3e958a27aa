"""
The broadcast of new events: each is read from the journal once, and passed to all readers that have read everything.

A reader that is behind reads pages of its own. Once it has read all stored events it joins, and gets the events that
are stored from then on without another look at the journal. It falls behind again, and reads pages again, if it does
not take its events, or if the journal does not continue where it should.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from webwx.storage.cursors import encode_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from webwx.gateway.accounts.account_events import AccountEvent

_PAGE = 200
"""Maximum number of events of one account that are read at a time."""

_WAITING = 200
"""Maximum number of events that wait for one reader; it then falls behind."""


class BroadcastEvents(Protocol):
    """The events of an account that are broadcast."""

    @property
    def newest(self) -> int:
        """Number of the newest event that this process knows."""
        ...

    async def read_events(
        self, after: int, *, limit: int, since: float = 0, until: float = 0
    ) -> list[AccountEvent]:  # fmt: skip
        """Return the events after a number, in the order of arrival."""
        ...


class SharedEvent:
    """
    An event that several readers show.

    Args:
        account_event: The event, without a cursor.
    """

    __slots__ = ("account_event", "cursors", "json", "server_sent")

    def __init__(self, account_event: AccountEvent) -> None:
        self.account_event = account_event
        self.json: bytes | None = None
        """The event as the API shows it; None until the first reader has encoded it."""
        self.cursors: dict[str, str] = {}
        """Position of a reader after the event, by that before it."""
        self.server_sent: tuple[str, bytes] = ("", b"")
        """The server-sent event that the last reader got, and its cursor: most readers get the same one."""

    def __repr__(self) -> str:
        return f"SharedEvent({self.account_event!r})"


class FollowedEvent(NamedTuple):
    """An event for one reader."""

    shared: SharedEvent
    cursor: str
    """Position of the reader after it."""


class LiveEvents:
    """
    The new events of some accounts for one reader.

    Args:
        numbers: Number of the last event of each account that the reader has read.
        channels: The broadcasts of these accounts.
        on_news: Called when there are new events, or the reader has fallen behind.
    """

    def __init__(self, numbers: Mapping[int, int], channels: Sequence[Channel], on_news: Callable[[], object]) -> None:
        self.is_behind = False
        """Whether the reader has to read pages again once no event waits."""
        self.on_news = on_news
        self._numbers = dict(numbers)
        self.cursor = encode_cursor(self._numbers)
        """Position after the last event that was taken."""
        self._channels = channels
        self._waiting: deque[SharedEvent] = deque()
        for each in channels:
            each.join(self, numbers.get(each.number, 0))

    def __repr__(self) -> str:
        return f"LiveEvents({len(self._waiting)} waiting)"

    def add(self, shared: SharedEvent) -> None:
        """Add the next event of an account; with too many the reader falls behind."""
        self.is_behind = self.is_behind or len(self._waiting) >= _WAITING
        if not self.is_behind:
            self._waiting.append(shared)

    def take(self) -> FollowedEvent | None:
        """Remove and return the next event; None if none waits."""
        while self._waiting:
            shared = self._waiting.popleft()
            account, number = shared.account_event.account, shared.account_event.event.number
            if number > self._numbers.get(account, 0):  # else the reader has had it in a page
                self._numbers[account] = number
                after = shared.cursors.get(self.cursor)
                if after is None:  # the first reader at this position
                    after = shared.cursors[self.cursor] = encode_cursor(self._numbers)
                self.cursor = after
                return FollowedEvent(shared, after)
        return None

    def leave(self) -> None:
        """Get no further events."""
        for each in self._channels:
            each.leave(self)


class Channel:
    """
    The broadcast of one account.

    Args:
        number: Number of the account.
        events: Returns the events of an account by its number.
    """

    def __init__(self, number: int, events: Callable[[int], BroadcastEvents]) -> None:
        self.number = number
        self._events = events
        self._position = 0
        """Number of the last event that was passed to the readers."""
        self._readers: dict[LiveEvents, None] = {}
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Channel({self.number}, {len(self._readers)} readers)"

    def join(self, live: LiveEvents, position: int) -> None:
        """Add a reader; one that has read further than others leaves out what it has had."""
        self._position = min(self._position, position) if self._readers else position
        self._readers[live] = None

    def leave(self, live: LiveEvents) -> None:
        """Remove a reader; without readers nothing is read."""
        self._readers.pop(live, None)
        if not self._readers and self._task is not None:
            self._task.cancel()

    def wake(self) -> None:
        """Read the events that were stored meanwhile."""
        if self._readers and (self._task is None or self._task.done() or self._task.cancelling()):
            self._task = asyncio.ensure_future(self._pass_on())

    async def _pass_on(self) -> None:
        while self._readers:
            position = self._position
            try:
                newest = self._events(self.number).newest
                if newest <= position:
                    return
                found = await self._events(self.number).read_events(position, limit=_PAGE)
            except Exception:  # noqa: BLE001 - each reader gets it from the page that it reads
                break
            if position != self._position:  # a reader that has read less has joined meanwhile
                continue
            if found and position and found[0].event.number > position + 1:  # events are gone, as each page tells
                break
            self._position = found[-1].event.number if found else newest
            for account_event in found:
                shared = SharedEvent(account_event)
                for reader in self._readers:
                    reader.add(shared)
            for reader in self._readers:
                reader.on_news()
        for reader in self._readers:
            reader.is_behind = True
            reader.on_news()
        self._readers.clear()


class EventBroadcast:
    """
    The broadcasts of all accounts.

    Args:
        events: Returns the events of an account by its number.
    """

    def __init__(self, events: Callable[[int], BroadcastEvents]) -> None:
        self._events = events
        self._channels: dict[int, Channel] = {}

    def __repr__(self) -> str:
        return f"EventBroadcast({len(self._channels)} accounts)"

    def join(
        self, accounts: Collection[int], numbers: Mapping[int, int], on_news: Callable[[], object]
    ) -> LiveEvents | None:
        """
        Return the events that are stored from now on; None if the reader has to read earlier ones first.

        Args:
            accounts: Numbers of the accounts.
            numbers: Number of the last event of each account that the reader has read.
            on_news: Called when there are new events, or the reader has fallen behind.
        """
        if any(self._events(each).newest > numbers.get(each, 0) for each in accounts):
            return None
        return LiveEvents(numbers, [self._channel(each) for each in accounts], on_news)

    def wake(self, accounts: Collection[int]) -> None:
        """Read the new events of some accounts, because events were stored."""
        for each in accounts:
            channel = self._channels.get(each)
            if channel is not None:
                channel.wake()

    def _channel(self, number: int) -> Channel:
        found = self._channels.get(number)
        if found is None:
            found = self._channels[number] = Channel(number, self._events)
        return found
