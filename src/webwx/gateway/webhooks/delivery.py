"""
Delivery of events to webhooks.

Each webhook is a consumer of the journal of each of its accounts, so its position is stored there, and no event is lost
by a restart or while an account is logged out. An event that fails is tried again at stored times, and only those later
events wait for it that the order of the webhook says.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from webwx.cluster.reachable import until_reachable
from webwx.gateway.accounts.consumers import RunningConsumers
from webwx.gateway.accounts.send_changes import SEND_CHANGED
from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.queues.keyed_queue import KeyedQueue, QueueEnded
from webwx.gateway.queues.retry_times import RetryTimes
from webwx.gateway.webhooks.attempts import AttemptLog
from webwx.gateway.webhooks.events import WebhookEvents
from webwx.gateway.webhooks.health import WebhookHealth
from webwx.gateway.webhooks.sender import WebhookSender
from webwx.gateway.webhooks.webhooks import CONSUMER_PREFIX, RETRY_KIND
from webwx.model.event_filters import is_named

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Sequence
    from random import Random
    from typing import Any

    from webwx.gateway.accounts.account import GatewayAccounts, SendChange
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.outgoing.outgoing import OutgoingClient
    from webwx.gateway.webhooks.attempts import WebhookAttempt
    from webwx.gateway.webhooks.notices import WebhookNotice, WebhookNotices
    from webwx.gateway.webhooks.webhooks import StoredWebhook, Webhooks
    from webwx.storage.tables.records import RecordStore

MOST_REQUESTS = 8
"""Number of requests to one webhook at the same time."""


class WebhookRun:
    """
    The deliveries of one webhook, for all its accounts.

    Args:
        webhook: The webhook.
        port: The accounts.
        events: Makes single attempts.
        times: Stores the times of the next attempts.
        sleep: Waits for some seconds until the next attempt.
        disable: Called with the event to which the server has answered 410.
    """

    def __init__(
        self,
        webhook: StoredWebhook,
        port: GatewayAccounts,
        events: WebhookEvents,
        times: RetryTimes,
        sleep: Callable[[float], Awaitable[object]],
        disable: Callable[[StoredWebhook, AccountEvent], Coroutine[Any, Any, None]],
    ) -> None:
        self.webhook = webhook
        self.queue = KeyedQueue(
            webhook.id, webhook.consumer, port, webhook.serves, events, times, sleep, most_attempts=MOST_REQUESTS,
            on_end=lambda ended: self._begin(disable(self.webhook, ended.account_event)),  # it ends the queue as well
        )  # fmt: skip
        """Delivers the events of all accounts of the webhook."""
        self._port = port
        self._events = events
        self._disable = disable
        self._replay: asyncio.Task[None] | None = None
        self._others: set[asyncio.Task[None]] = set()

    def replay(self, events: Sequence[AccountEvent]) -> bool:
        """Send events again, once each, in the background; return False if another replay is not finished."""
        if self._replay is not None and not self._replay.done():
            return False
        self._replay = self._begin(self._send_again(events))
        return True

    def report(self, notice: WebhookNotice) -> None:
        """Send an event about another webhook, in the background."""
        self._begin(self._events.report(notice))

    def follow_sends(self) -> None:
        """Send the changes of sends in the background, if the webhook names them."""
        if is_named(SEND_CHANGED, self.webhook.types):
            self._begin(self._report_sends(self._port.watch_sends()))

    async def _report_sends(self, changes: AsyncGenerator[SendChange, None]) -> None:
        async for change in changes:
            if self.webhook.wants_send(change) and change.account in await self._port.list_owned():
                await self._events.report_send(change)

    async def stop(self) -> None:
        """Stop the background tasks; the owner of the consumers stops the consumers."""
        tasks = [task for task in self._others if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)
        return task

    async def _send_again(self, events: Sequence[AccountEvent]) -> None:
        for account_event in events:
            try:
                async with self.queue.slots:
                    await self._events.repeat(account_event)
            except QueueEnded:
                await self._disable(self.webhook, account_event)
                return


class WebhookDelivery:
    """
    Delivers events to all enabled webhooks while the gateway runs.

    Args:
        port: The accounts.
        webhooks: The webhooks.
        records: Stores attempts and their times.
        notices: Passes on reports about webhooks that fail.
        clock: Returns seconds since 1970.
        sleep: Waits for some seconds until the next attempt.
        rng: Adds a random time to the pauses between attempts.
    """

    def __init__(
        self,
        port: GatewayAccounts,
        webhooks: Webhooks,
        records: RecordStore,
        notices: WebhookNotices,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        rng: Random,
    ) -> None:
        self._port = port
        self._webhooks = webhooks
        self._notices = notices
        self._clock = clock
        self._client: OutgoingClient | None = None
        owned = OwnedRecords(records, clock)
        self.attempts = AttemptLog(owned)
        """The latest attempts at all webhooks."""
        self._times = RetryTimes(RETRY_KIND, owned, clock)
        self._health = WebhookHealth(port, webhooks, notices, clock)
        self._sender = WebhookSender(self._connect, clock)
        self._sleep = sleep
        self._rng = rng
        self._runs: dict[str, WebhookRun] = {}
        self._running = RunningConsumers(port, CONSUMER_PREFIX, self._consumer_names)
        self._applying = asyncio.Lock()
        self._watching: asyncio.Future[NoReturn] | None = None

    def __repr__(self) -> str:
        return f"WebhookDelivery({len(self._runs)} webhooks)"

    async def start(self) -> None:
        """Begin to deliver."""
        self._running.start()
        self._watching = asyncio.ensure_future(self._watch_notices())
        for webhook in await until_reachable(self._webhooks.find):
            if webhook.enabled:
                await self._begin(webhook)
        await self._running.clean_soon()

    async def _consumer_names(self) -> set[str]:
        return {webhook.consumer for webhook in await self._webhooks.find()}

    async def refresh(self) -> None:
        """Deliver to the webhooks as other gateways have stored them."""
        stored = {webhook.id: webhook for webhook in await self._webhooks.find() if webhook.enabled}
        for webhook_id in stored.keys() | self._runs.keys():
            webhook, run = stored.get(webhook_id), self._runs.get(webhook_id)
            if webhook is None or run is None or webhook.revision != run.webhook.revision:
                await self._apply(webhook_id, await self._port.list_owned())
            elif webhook.failing_since != run.webhook.failing_since:
                run.webhook = webhook
                self._health.begin(webhook)

    async def apply(self, webhook_id: str) -> None:
        """
        Deliver to a webhook as it is stored now; stop if it was disabled or deleted.

        A new webhook gets every event that arrives after this call, of the accounts that are logged in. Events that
        wait for their next attempt are sent at once.
        """
        await self._apply(webhook_id)

    async def _apply(self, webhook_id: str, accounts: Collection[int] | None = None) -> None:
        """Deliver to a webhook as it is stored now, and send waiting events of some accounts (None: all) at once."""
        async with self._applying:
            run = self._runs.pop(webhook_id, None)
            if run is not None:
                await self._stop(run)
            await self._times.forget(webhook_id, accounts)
            webhook = await self._webhooks.get(webhook_id)
            if webhook is None:
                await self.attempts.forget(webhook_id)
                await self._running.clean()
            elif webhook.enabled:
                run = await self._begin(webhook)
                await run.queue.consumers.until_open()

    async def is_retrying(self, webhook_id: str) -> bool:
        """Return whether an event of a webhook waits for its next attempt, at any gateway."""
        return await self._times.is_waiting(webhook_id)

    async def test(self, webhook: StoredWebhook) -> WebhookAttempt:
        """Send an event of the type `webhook.test` once, and return the outcome."""
        return await self._events_of(webhook).test(webhook.new_notice("webhook.test", time=self._clock()))

    def replay(self, webhook_id: str, events: Sequence[AccountEvent]) -> None:
        """
        Send events to a webhook again, once each, in the background; its position does not change.

        Raises:
            GatewayProblem: The webhook is disabled, or an earlier replay is not finished.
        """
        run = self._runs.get(webhook_id)
        if run is None:
            raise GatewayProblem("conflict", "The webhook is disabled; enable it first.")
        if not run.replay(events):
            raise GatewayProblem("conflict", "An earlier replay of this webhook is not finished.")

    async def close(self) -> None:
        """Stop all deliveries; the next start continues with the remaining events."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await self._running.close()
        for run in list(self._runs.values()):  # one that was disabled is removed meanwhile
            await run.stop()
        await self.attempts.close()
        if self._client is not None:
            await self._client.close()

    def _connect(self) -> OutgoingClient:
        """Return the client of all webhooks."""
        if self._client is None:
            from webwx.gateway.outgoing.outgoing import OutgoingClient  # a gateway without webhooks starts sooner

            self._client = OutgoingClient()
        return self._client

    async def _begin(self, webhook: StoredWebhook) -> WebhookRun:
        self._health.begin(webhook)
        run = self._runs[webhook.id] = WebhookRun(
            webhook, self._port, self._events_of(webhook), self._times, self._sleep, self._disable
        )  # fmt: skip
        await self._running.begin(webhook.id, run.queue.consumers)
        run.follow_sends()
        return run

    def _events_of(self, webhook: StoredWebhook) -> WebhookEvents:
        return WebhookEvents(webhook, self._sender, self.attempts, self._health, self._sleep, self._rng)

    async def _stop(self, run: WebhookRun) -> None:
        await self._running.end(run.webhook.id)
        await run.stop()

    async def _disable(self, webhook: StoredWebhook, account_event: AccountEvent) -> None:
        await self._health.disable(webhook, account_event)
        await self.apply(webhook.id)

    async def _watch_notices(self) -> NoReturn:
        """Report the failures of a webhook to the other webhooks."""
        async for notice in self._notices.watch():
            for run in self._runs.values():
                if run.webhook.wants_notice(notice):
                    run.report(notice)
        raise AssertionError("The stream of gateway events has ended.")
