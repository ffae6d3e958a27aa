"""The events of one account that wait for a webhook, in queues that do not wait for each other."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.account_events import AccountEvent
from webwx.gateway.journal_lookup import find_event
from webwx.gateway.webhook_events import place_of

if TYPE_CHECKING:
    from webwx.gateway.accounts import EventConsumer, GatewayAccount
    from webwx.gateway.webhook_events import WebhookEvents
    from webwx.gateway.webhook_retries import WebhookRetries
    from webwx.gateway.webhooks import StoredWebhook

MOST_REQUESTS = 8
"""Number of requests to one webhook at the same time."""

MOST_READY = 1_000
"""Maximum number of events that are ready to be sent; at this number no further events are read."""

MOST_QUEUES = 2_000
"""Maximum number of queues; at this number no further events are read. Without an order, each event has a queue."""

_IN_MEMORY = 100
"""Number of events of a paused queue that stay in memory; of its later events only the numbers stay."""


class _Queue:
    """Events that are sent one after another."""

    def __init__(self) -> None:
        self.events: deque[AccountEvent | int] = deque()
        self.is_paused = False
        """Whether the first event of the queue has failed and waits for its next attempt."""

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


class WebhookQueues:
    """
    The waiting events of one webhook and account.

    With the ordering `chat` there is a queue for each chat, with `account` there is one, and with `none` each event has
    a queue of its own. A failing event holds up its queue only.

    Args:
        webhook: The webhook.
        account: The account.
        consumer: The open consumer.
        events: Makes single attempts.
        retries: Stores the time of the next attempt.
        slots: Limits the requests of the webhook.
        group: Runs the tasks.
    """

    def __init__(
        self,
        webhook: StoredWebhook,
        account: GatewayAccount,
        consumer: EventConsumer,
        events: WebhookEvents,
        retries: WebhookRetries,
        slots: asyncio.Semaphore,
        group: asyncio.TaskGroup,
    ) -> None:
        self._webhook = webhook
        self._account = account
        self._consumer = consumer
        self._events = events
        self._retries = retries
        self._slots = slots
        self._group = group
        self._queues: dict[str | int, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = 0
        """Number of events in queues that do not wait for an attempt."""
        self._is_idle = asyncio.Event()
        self._has_room = asyncio.Event()
        self._count(0)

    async def put(self, account_event: AccountEvent) -> None:
        """Append an event to its queue, once there is room."""
        await self._has_room.wait()
        key = self._key_of(account_event)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue()
            task = self._group.create_task(self._deliver_all(key, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.put(account_event)
        if not queue.is_paused:
            self._count(1)

    async def until_idle(self) -> None:
        """Return once every event is delivered, or waits for its next attempt."""
        await self._is_idle.wait()

    def cancel(self) -> None:
        """Stop the tasks; the remaining events stay unacknowledged."""
        for task in self._tasks:
            task.cancel()

    def _key_of(self, account_event: AccountEvent) -> str | int:
        match self._webhook.ordering:
            case "chat":
                return str(getattr(account_event.event, "chat", None) or "")
            case "account":
                return ""
            case "none":
                return account_event.event.number

    async def _deliver_all(self, key: str | int, queue: _Queue) -> None:
        while queue.events:
            waiting = queue.events[0]
            account_event = waiting if isinstance(waiting, AccountEvent) else await self._stored(waiting)
            if account_event is not None:  # otherwise it was deleted from the journal meanwhile
                await self._deliver(queue, account_event)
            queue.events.popleft()
            self._count(-1)
        del self._queues[key]
        self._count(0)

    async def _stored(self, number: int) -> AccountEvent | None:
        return await find_event(self._account.number, self._account.client, number)

    async def _deliver(self, queue: _Queue, account_event: AccountEvent) -> None:
        """Send an event until it is accepted or given up."""
        place = place_of(self._webhook, account_event)
        while True:
            may_have_failed = account_event.attempt > 1
            if may_have_failed and (pause := await self._retries.pause(place)):
                await self._pause(queue, pause)
            async with self._slots:
                if await self._events.deliver(self._webhook, account_event, self._consumer):
                    return
            account_event = msgspec.structs.replace(account_event, attempt=account_event.attempt + 1)

    async def _pause(self, queue: _Queue, seconds: float) -> None:
        queue.is_paused = True
        self._count(-len(queue.events))
        queue.shrink()
        await self._retries.sleep(seconds)
        queue.is_paused = False
        self._count(len(queue.events))

    def _count(self, change: int) -> None:
        self._ready += change
        _set(self._is_idle, is_set=not self._ready)
        _set(self._has_room, is_set=self._ready < MOST_READY and len(self._queues) < MOST_QUEUES)


def _set(event: asyncio.Event, *, is_set: bool) -> None:
    if is_set:
        event.set()
    else:
        event.clear()
