"""
Delivery of events to webhooks.

Each webhook is a consumer of the journal of each of its accounts, so its position is stored there, and a restart or an
absence loses nothing. Events of one chat are sent one after another, those of several chats at once. An event that
fails is tried again, and only the later events of its chat wait for it; after the last attempt it is a dead letter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, NoReturn

import msgspec

from webwx.errors import AlreadyRunning, LoggedOut, NotLoggedIn, RecordChanged, StorageError, WxError
from webwx.gateway.outgoing import OutgoingClient
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.webhook_queues import MOST_CHATS, EndpointGone, WebhookChats
from webwx.gateway.webhook_sender import WebhookSender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.gateway.port import AccountPort, EventConsumer, GatewayPort
    from webwx.gateway.webhook_retries import WebhookRetries
    from webwx.gateway.webhooks import StoredWebhook, Webhooks

_log = logging.getLogger("webwx.gateway")

_REOPEN = 5.0
"""Seconds until a consumer is opened again that another process, or a disk, has prevented."""


class WebhookRun:
    """
    The deliveries of one webhook, for all its accounts.

    Args:
        webhook: The webhook.
        port: The accounts.
        sender: Makes single attempts.
        retries: Says when the next attempt is.
        disable: Called when the server wants no more events.
    """

    def __init__(
        self,
        webhook: StoredWebhook,
        port: GatewayPort,
        sender: WebhookSender,
        retries: WebhookRetries,
        disable: Callable[[str], Awaitable[None]],
    ) -> None:
        self._webhook = webhook
        self._port = port
        self._sender = sender
        self._retries = retries
        self._disable = disable
        self._slots = asyncio.Semaphore(MOST_CHATS)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._renewed: dict[int, asyncio.Event] = {}
        """For each account an event that is set when it has come online."""
        self._opened: dict[int, asyncio.Event] = {}
        """For each account an event that is set once its consumer is open, or cannot be opened now."""

    def serve(self, account: int) -> None:
        """Deliver the events of an account, if they are not delivered already."""
        if not self._webhook.serves(account):
            return
        task = self._tasks.get(account)
        if task is None or task.done():
            self._renewed[account], self._opened[account] = asyncio.Event(), asyncio.Event()
            self._tasks[account] = asyncio.ensure_future(self._deliver_account(account))
        else:
            self._renewed[account].set()

    async def until_open(self) -> None:
        """Return once the webhook has a position in each account that is logged in."""
        for opened in self._opened.values():
            await opened.wait()

    async def stop(self) -> None:
        """Stop; what is not delivered is delivered by the next run."""
        tasks = [task for task in self._tasks.values() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _deliver_account(self, number: int) -> None:
        """Deliver the events of an account through every end of its login, until it is removed."""
        renewed, opened = self._renewed[number], self._opened[number]
        while True:
            renewed.clear()
            try:
                account = self._port.account(number)
                async with account.consume(self._webhook.consumer) as consumer:
                    opened.set()
                    await self._deliver_events(account, consumer, renewed)
            except EndpointGone:
                await self._disable(self._webhook.id)
                return
            except GatewayProblem:  # the account was removed
                return
            except (LoggedOut, NotLoggedIn):
                pass
            except (AlreadyRunning, StorageError) as error:
                _log.warning("Webhook %s waits for account %s: %s", self._webhook.id, number, error)
                await self._retries.sleep(_REOPEN)
                continue
            except WxError as error:  # the saved login cannot be read; a new one replaces it
                _log.warning("Webhook %s waits for account %s: %s", self._webhook.id, number, error)
            finally:
                opened.set()
            await renewed.wait()

    async def _deliver_events(self, account: AccountPort, consumer: EventConsumer, renewed: asyncio.Event) -> None:
        """Deliver until the login ends, and then what needs no retry."""
        try:
            async with asyncio.TaskGroup() as group:
                chats = WebhookChats(
                    self._webhook, account, consumer, self._sender, self._retries, self._slots, group
                )  # fmt: skip
                with contextlib.suppress(LoggedOut):  # the state of the account says so
                    await self._take_all(consumer, chats)
                await _first_of(chats.until_idle(), renewed.wait())
                chats.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _take_all(self, consumer: EventConsumer, chats: WebhookChats) -> None:
        while batch := await consumer.take():
            for told in batch:
                if self._webhook.wants(told):
                    chats.put(told)
                else:
                    consumer.ack(told.event.number)


class WebhookDelivery:
    """
    Delivers events to all enabled webhooks while the gateway runs.

    Args:
        port: The accounts.
        webhooks: The webhooks.
        clock: Returns seconds since 1970.
        retries: Says when an event is tried again.
    """

    def __init__(
        self, port: GatewayPort, webhooks: Webhooks, clock: Callable[[], float], retries: WebhookRetries
    ) -> None:
        self._port = port
        self._webhooks = webhooks
        self._retries = retries
        self._client = OutgoingClient()
        self.sender = WebhookSender(self._client, clock)
        """Sends tests, and has the latest attempts."""
        self._runs: dict[str, WebhookRun] = {}
        self._applying = asyncio.Lock()
        self._watching: asyncio.Future[NoReturn] | None = None

    def __repr__(self) -> str:
        return f"WebhookDelivery({len(self._runs)} webhooks)"

    async def start(self) -> None:
        """Begin to deliver."""
        self._watching = asyncio.ensure_future(self._watch())
        for webhook in await self._webhooks.find():
            if webhook.enabled:
                await self._begin(webhook)

    async def apply(self, webhook_id: str) -> None:
        """
        Deliver to a webhook as it is stored now; stop if it was disabled or deleted.

        A new webhook gets every event that arrives after this call, of the accounts that are logged in.
        """
        async with self._applying:
            run = self._runs.pop(webhook_id, None)
            if run is not None:
                await run.stop()
            webhook = await self._webhooks.get(webhook_id)
            if webhook is None:
                self.sender.forget(webhook_id)
            elif webhook.enabled:
                run = await self._begin(webhook)
                await run.until_open()

    async def close(self) -> None:
        """Stop all deliveries; the next start continues with what was not delivered."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        for run in self._runs.values():
            await run.stop()
        await self._client.close()

    async def _begin(self, webhook: StoredWebhook) -> WebhookRun:
        run = self._runs[webhook.id] = WebhookRun(webhook, self._port, self.sender, self._retries, self._disable)
        for status in await self._port.list_accounts():
            run.serve(status.number)
        return run

    async def _disable(self, webhook_id: str) -> None:
        """Disable a webhook whose server wants no more events."""
        _log.warning("Webhook %s is disabled: the server answered 410.", webhook_id)
        with contextlib.suppress(RecordChanged):  # by the API, and the changed webhook gets the same answer
            await self._webhooks.change(
                webhook_id,
                lambda each: msgspec.structs.replace(each, enabled=False, disabled_reason="The server answered 410."),
            )
        await self.apply(webhook_id)

    async def _watch(self) -> NoReturn:
        """Deliver the events of accounts that come online, new ones included."""
        async for status in self._port.watch_states():
            if status.state == "online":
                for run in self._runs.values():
                    run.serve(status.number)
        raise AssertionError("The states of the accounts have no end.")


async def _first_of(*works: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
