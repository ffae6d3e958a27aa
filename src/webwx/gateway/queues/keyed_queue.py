"""
A queue of events for each key: the events of one key are handled one after another, and do not wait for other keys.

A keyed queue reads the events of its accounts as a consumer with a stored position, where these accounts run. So each
event is handled by one process, again after a crash, and by the next owner after a takeover. An event that fails is
tried again at stored times, and only the later events of its key wait for it; after the last attempt it is a dead
letter. What is done with an event is the `EventWork` of the queue's owner, such as a webhook or a rule for files.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from webwx.errors import LoggedOut
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.accounts.consumers import AccountConsumers
from webwx.gateway.accounts.journal_lookup import find_event
from webwx.gateway.problems import store_failure
from webwx.gateway.queues.retry_times import EventPlace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.gateway.accounts.account import EventConsumer, GatewayAccount, GatewayAccounts
    from webwx.gateway.queues.retry_times import RetryTimes

MOST_READY = 1_000
"""Maximum number of events that are ready for an attempt; at this number no further events are read."""

MOST_KEYS = 2_000
"""Default of the maximum number of keys with events; at this number no further events are read."""

_IN_MEMORY = 100
"""Number of events of a paused key that stay in memory; of its later events only the numbers stay."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failed attempt at an event."""

    code: str
    """Code of the error, as of a problem or of `FAILURES`; stored with the event."""
    error: str = ""
    """Why it has failed, without secrets and texts of chats; stored with the event. Empty if the code says it all."""
    is_passing: bool = False
    """Whether the event has not caused it, such as a full disk: it is not counted, and its pause is not stored."""

    @property
    def stored(self) -> str:
        """The failure as it is stored with the event."""
        return store_failure(self.code, self.error)


F = TypeVar("F", bound=Failure)


class QueueEnded(Exception):
    """
    Raised by an attempt: there will be no further attempts, and the events stay.

    Args:
        account_event: The event of the attempt.
    """

    def __init__(self, account_event: AccountEvent) -> None:
        super().__init__()
        self.account_event = account_event


class EventWork(Protocol[F]):
    """What a keyed queue does with events."""

    def wants(self, account_event: AccountEvent) -> bool:
        """Return whether an event is handled; others are acknowledged at once."""
        ...

    def key_of(self, account_event: AccountEvent) -> str | int:
        """Return the key of an event, such as its chat: events of one key are handled in their order."""
        ...

    async def attempt(self, account: GatewayAccount, account_event: AccountEvent) -> F | None:
        """
        Make one attempt at an event, which may have been made before; None if the event is handled.

        Raises:
            QueueEnded: No further event is to be handled.
            LoggedOut: The attempt needs a login; it is made again after the next one.
            NotLoggedIn: The same.
        """
        ...

    def pause_after(self, failure: F, failures: int) -> float | None:
        """
        Return the seconds until the next attempt; None if there is none.

        Args:
            failure: The latest attempt.
            failures: Number of failed attempts, counted across restarts; of a passing failure the number of those in
                this process.
        """
        ...

    async def note(self, account_event: AccountEvent, failure: F | None, due: float | None) -> None:
        """
        Note what became of an event after an attempt.

        Args:
            account_event: The event.
            failure: The failed attempt; None if the event is handled.
            due: Time of the next attempt: seconds since 1970; None: the event is handled, or a dead letter.
        """
        ...


class KeyedQueue(Generic[F]):
    """
    The keyed queue of one owner, for all its accounts.

    Args:
        owner: Id of the owner, for the stored times.
        consumer: Name of the consumer in the journal of each account.
        port: The accounts.
        serves: Returns whether the events of an account are read.
        work: What is done with events.
        times: Stores the times of the next attempts.
        sleep: Waits for some seconds.
        most_attempts: Maximum number of attempts at the same time.
        most_keys: Maximum number of keys with events, for each account.
        on_end: Called once for each account if an attempt has raised `QueueEnded`; it stops the consumers.
    """

    def __init__(
        self,
        owner: str,
        consumer: str,
        port: GatewayAccounts,
        serves: Callable[[int], bool],
        work: EventWork[F],
        times: RetryTimes,
        sleep: Callable[[float], Awaitable[object]],
        *,
        most_attempts: int,
        most_keys: int = MOST_KEYS,
        on_end: Callable[[QueueEnded], object] = lambda ended: None,  # noqa: ARG005
    ) -> None:
        self.owner = owner
        self.work = work
        self.times = times
        self.sleep = sleep
        self.most_keys = most_keys
        self.slots = asyncio.Semaphore(most_attempts)
        """Limits the attempts at the same time, those included that the owner makes beside the queue."""
        self.consumers = AccountConsumers(consumer, port, serves, self._handle_account, sleep)
        """The consumers, which the owner begins and stops."""
        self._on_end = on_end

    def __repr__(self) -> str:
        return f"KeyedQueue({self.owner})"

    async def _handle_account(self, account: GatewayAccount, consumer: EventConsumer) -> None:
        """Handle events until the login ends, and afterwards those that are ready and need no login."""
        try:
            async with asyncio.TaskGroup() as group:
                queue = AccountQueue(self, account, consumer, group)
                with contextlib.suppress(LoggedOut):  # the state of the account says so
                    await self._take_all(consumer, queue)
                await _first_of(queue.until_idle(), self.consumers.until_online(account.number))
                queue.cancel()
        except ExceptionGroup as failed:
            first = failed.exceptions[0]
            if not isinstance(first, QueueEnded):
                raise first from None
            self._on_end(first)

    async def _take_all(self, consumer: EventConsumer, queue: AccountQueue[F]) -> None:
        while batch := await consumer.take():
            for account_event in batch:
                if self.work.wants(account_event):
                    await queue.put(account_event)
                else:
                    consumer.ack(account_event.event.number)


class _EventsOfKey:
    """Events that are handled one after another."""

    def __init__(self) -> None:
        self.events: deque[AccountEvent | int] = deque()
        self.is_paused = False
        """Whether the first event has failed and waits for its next attempt."""

    def put(self, account_event: AccountEvent) -> None:
        self.events.append(
            account_event.event.number if self.is_paused and len(self.events) >= _IN_MEMORY else account_event
        )

    def shrink(self) -> None:
        """Keep only the numbers of the later events."""
        self.events = deque(
            each.event.number if at >= _IN_MEMORY and isinstance(each, AccountEvent) else each
            for at, each in enumerate(self.events)
        )


class AccountQueue(Generic[F]):
    """
    The waiting events of one account in a keyed queue. A failing event holds up its key only.

    Args:
        queue: The queue.
        account: The account.
        consumer: The open consumer.
        group: Runs the tasks.
    """

    def __init__(
        self, queue: KeyedQueue[F], account: GatewayAccount, consumer: EventConsumer, group: asyncio.TaskGroup
    ) -> None:
        self._queue = queue
        self._account = account
        self._consumer = consumer
        self._group = group
        self._keys: dict[str | int, _EventsOfKey] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = 0
        """Number of events of keys that do not wait for an attempt."""
        self._is_idle = asyncio.Event()
        self._has_room = asyncio.Event()
        self._count(0)

    async def put(self, account_event: AccountEvent) -> None:
        """Append an event to those of its key, once there is room."""
        await self._has_room.wait()
        key = self._queue.work.key_of(account_event)
        waiting = self._keys.get(key)
        if waiting is None:
            waiting = self._keys[key] = _EventsOfKey()
            task = self._group.create_task(self._handle_all(key, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.put(account_event)
        if not waiting.is_paused:
            self._count(1)

    async def until_idle(self) -> None:
        """Return once every event is handled, or waits for its next attempt."""
        await self._is_idle.wait()

    def cancel(self) -> None:
        """Stop the tasks; the remaining events stay unacknowledged."""
        for task in self._tasks:
            task.cancel()

    async def _handle_all(self, key: str | int, waiting: _EventsOfKey) -> None:
        while waiting.events:
            first = waiting.events[0]
            account_event = first if isinstance(first, AccountEvent) else await self._stored(first)
            if account_event is not None:  # otherwise it was deleted from the journal meanwhile
                await self._handle(waiting, account_event)
            waiting.events.popleft()
            self._count(-1)
        del self._keys[key]
        self._count(0)

    async def _stored(self, number: int) -> AccountEvent | None:
        return await find_event(self._account.number, self._account.client, number)

    async def _handle(self, waiting: _EventsOfKey, account_event: AccountEvent) -> None:
        """Make attempts at an event until it is handled or a dead letter."""
        work, times, number = self._queue.work, self._queue.times, account_event.event.number
        place = EventPlace(self._queue.owner, self._account.number, number)
        passing = 0
        while True:
            may_have_failed = account_event.attempt > 1  # only after a failed attempt a time is stored
            if may_have_failed and (pause := await times.pause(place)):
                await self._pause(waiting, pause)
            async with self._queue.slots:
                failure = await work.attempt(self._account, account_event)
            if failure is None:
                self._consumer.ack(number)
                if may_have_failed:
                    await times.settle(place)
                await work.note(account_event, None, None)
                return
            passing += failure.is_passing
            failures = passing if failure.is_passing else await self._consumer.failed(number, failure.stored)
            next_pause = work.pause_after(failure, failures)
            if next_pause is None:
                await times.settle(place)
                await self._consumer.give_up(number, failure.stored)
                await work.note(account_event, failure, None)
                return
            if failure.is_passing:
                await work.note(account_event, failure, times.due_after(next_pause))
                await self._pause(waiting, next_pause)
            else:
                await work.note(account_event, failure, await times.postpone(place, next_pause))
            account_event = msgspec.structs.replace(account_event, attempt=account_event.attempt + 1)

    async def _pause(self, waiting: _EventsOfKey, seconds: float) -> None:
        waiting.is_paused = True
        self._count(-len(waiting.events))
        waiting.shrink()
        await self._queue.sleep(seconds)
        waiting.is_paused = False
        self._count(len(waiting.events))

    def _count(self, change: int) -> None:
        self._ready += change
        _set(self._is_idle, is_set=not self._ready)
        _set(self._has_room, is_set=self._ready < MOST_READY and len(self._keys) < self._queue.most_keys)


def _set(event: asyncio.Event, *, is_set: bool) -> None:
    if is_set:
        event.set()
    else:
        event.clear()


async def _first_of(*works: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
