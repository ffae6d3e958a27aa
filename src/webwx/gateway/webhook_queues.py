"""The events of one account that wait for a webhook, in one queue for each chat."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.port import AccountEvent

if TYPE_CHECKING:
    from webwx.gateway.port import AccountPort, EventConsumer
    from webwx.gateway.webhook_retries import WebhookRetries
    from webwx.gateway.webhook_sender import WebhookSender
    from webwx.gateway.webhooks import StoredWebhook

_log = logging.getLogger("webwx.gateway")

MOST_CHATS = 8
"""Number of chats of one webhook for which a request is open at the same time."""

_IN_MEMORY = 100
"""Number of waiting events of a chat that are held in memory; of the others only their numbers are."""


class EndpointGone(Exception):
    """A server has answered 410: it wants no more events."""


class WebhookChats:
    """
    The waiting events of one webhook and account, in one queue for each chat.

    Args:
        webhook: The webhook.
        account: The account.
        consumer: The open consumer.
        sender: Makes single attempts.
        retries: Says when the next attempt is.
        slots: Limits the requests of the webhook.
        group: Runs the tasks.
    """

    def __init__(
        self,
        webhook: StoredWebhook,
        account: AccountPort,
        consumer: EventConsumer,
        sender: WebhookSender,
        retries: WebhookRetries,
        slots: asyncio.Semaphore,
        group: asyncio.TaskGroup,
    ) -> None:
        self._webhook = webhook
        self._account = account
        self._consumer = consumer
        self._sender = sender
        self._retries = retries
        self._slots = slots
        self._group = group
        self._queues: dict[str, deque[AccountEvent | int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy = 0
        """Number of chats that do not wait for their next attempt."""
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def put(self, told: AccountEvent) -> None:
        """Append an event to the queue of its chat."""
        chat = str(getattr(told.event, "chat", None) or "")
        queue = self._queues.get(chat)
        if queue is None:
            self._queues[chat] = deque([told])
            self._begin()
            task = self._group.create_task(self._deliver_chat(chat))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            queue.append(told if len(queue) < _IN_MEMORY else told.event.number)

    async def until_idle(self) -> None:
        """Return once every event is delivered, or waits for its next attempt."""
        await self._is_idle.wait()

    def cancel(self) -> None:
        """Stop the tasks; what is not delivered stays unacknowledged."""
        for task in self._tasks:
            task.cancel()

    async def _deliver_chat(self, chat: str) -> None:
        queue = self._queues[chat]
        while queue:
            waiting = queue[0]
            told = waiting if isinstance(waiting, AccountEvent) else await self._account.find_event(waiting)
            if told is not None:  # otherwise it was deleted from the journal meanwhile
                await self._deliver(told)
            queue.popleft()
        del self._queues[chat]
        self._rest()

    async def _deliver(self, told: AccountEvent) -> None:
        """Send an event until it is accepted or given up."""
        number = told.event.number
        while True:
            async with self._slots:
                made = await self._sender.send(self._webhook, told)
            if made.is_delivered:
                self._consumer.ack(number)
                return
            if made.status == HTTPStatus.GONE:
                raise EndpointGone
            failures = await self._consumer.failed(number, made.outcome)
            pause = self._retries.pause(self._webhook, failures, made.asked)
            if pause is None:
                await self._consumer.give_up(number, made.outcome)
                _log.warning("Webhook %s: event %s is given up. %s", self._webhook.id, made.event, made.outcome)
                return
            self._rest()
            await self._retries.sleep(pause)
            self._begin()
            told = msgspec.structs.replace(told, attempt=told.attempt + 1)

    def _begin(self) -> None:
        self._busy += 1
        self._is_idle.clear()

    def _rest(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._is_idle.set()
