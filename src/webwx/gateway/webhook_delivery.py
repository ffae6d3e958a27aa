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
import secrets
import time
from collections import deque
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

import msgspec

from webwx.errors import AlreadyRunning, LoggedOut, NotLoggedIn, RecordChanged, StorageError, TransportError, WxError
from webwx.gateway.api.representations import type_of
from webwx.gateway.outgoing import OutgoingClient
from webwx.gateway.outgoing_addresses import AddressRefused
from webwx.gateway.port import AccountEvent
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.webhook_request import asked_pause, body_of, headers_of, pause_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from webwx.gateway.port import AccountPort, EventConsumer, GatewayPort
    from webwx.gateway.webhooks import StoredWebhook, Webhooks

_log = logging.getLogger("webwx.gateway")

MOST_CHATS = 8
"""Number of chats of one webhook for which a request is open at the same time."""

REMEMBERED_ATTEMPTS = 100
"""Number of the latest attempts of each webhook that are remembered, until the gateway stops."""

TEST_TYPE = "webhook.test"
"""Type of the event that the test button sends."""

_IN_MEMORY = 100
"""Number of waiting events of a chat that are held in memory; of the others only their numbers are."""

_REOPEN = 5.0
"""Seconds until a consumer is opened again that another process, or a disk, has prevented."""


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a webhook, and what came of it."""

    event: str
    """Id of the event."""
    type: str
    """Type of the event."""
    account: int
    attempt: int
    """Number of the attempt, from 1."""
    time: float
    """Start of the request: seconds since 1970."""
    milliseconds: int
    """Duration of the request."""
    status: int | None = None
    """Status of the answer; None if there was none."""
    error: str = ""
    """Why there was no answer."""
    asked: float = 0.0
    """Seconds that the server has asked to wait."""
    answer: str = ""
    """The beginning of the answer; empty for a private address."""

    def __repr__(self) -> str:
        return f"WebhookAttempt({self.event}, {self.attempt}, {self.status})"

    @property
    def is_delivered(self) -> bool:
        """Whether the server has accepted the event."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def outcome(self) -> str:
        """What came of it, as a sentence."""
        return self.error or f"The server answered {self.status}."


class EndpointGone(Exception):
    """A server has answered 410: it wants no more events."""


class WebhookSender:
    """
    Sends single requests, and remembers the latest ones.

    Args:
        client: Sends the requests.
        clock: Returns seconds since 1970.
    """

    def __init__(self, client: OutgoingClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._attempts: dict[str, deque[WebhookAttempt]] = {}

    def attempts(self, webhook_id: str) -> list[WebhookAttempt]:
        """Return the latest attempts of a webhook, the newest first."""
        return list(reversed(self._attempts.get(webhook_id, ())))

    def forget(self, webhook_id: str) -> None:
        """Forget the attempts of a webhook."""
        self._attempts.pop(webhook_id, None)

    async def send(self, webhook: StoredWebhook, told: AccountEvent) -> WebhookAttempt:
        """Make one attempt at an event."""
        return await self._post(
            webhook, body_of(told, webhook.format), event=f"{told.account}-{told.event.number}",
            type=type_of(told.event), account=told.account, attempt=told.attempt,
        )  # fmt: skip

    async def send_test(self, webhook: StoredWebhook) -> WebhookAttempt:
        """Send an event of the type `webhook.test`, once."""
        event, now = f"test-{secrets.token_hex(8)}", datetime.fromtimestamp(self._clock(), UTC)
        body = msgspec.json.encode({"id": event, "type": TEST_TYPE, "time": now, "account": 0, "data": {}})
        untyped = msgspec.structs.replace(webhook, format="event")
        return await self._post(untyped, body, event=event, type=TEST_TYPE, account=0, attempt=1)

    async def _post(
        self, webhook: StoredWebhook, body: bytes, *, event: str, type: str, account: int, attempt: int  # noqa: A002
    ) -> WebhookAttempt:  # fmt: skip
        now, began = self._clock(), time.perf_counter()
        headers = headers_of(
            event_id=event, event_type=type, account=account, attempt=attempt, form=webhook.format,
            secrets=webhook.signing_secrets(now), now=now, body=body,
        )  # fmt: skip
        status, error, asked, text = None, "", 0.0, ""
        try:
            answer = await self._client.post(webhook.url, body, headers, allow_private=webhook.allow_private)
        except (AddressRefused, TransportError) as failure:
            error = str(failure)
        else:
            status, asked = answer.status, asked_pause(answer.status, answer.retry_after, now)
            text = "" if webhook.allow_private else answer.body.decode(errors="replace")
        made = WebhookAttempt(
            event=event, type=type, account=account, attempt=attempt, time=now, status=status, error=error, asked=asked,
            answer=text, milliseconds=round((time.perf_counter() - began) * 1000),
        )  # fmt: skip
        self._attempts.setdefault(webhook.id, deque(maxlen=REMEMBERED_ATTEMPTS)).append(made)
        return made


class WebhookRetries:
    """
    When an event is tried again.

    Args:
        sleep: Waits for some seconds.
        rng: Spreads the attempts.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[object]], rng: Random) -> None:
        self.sleep = sleep
        self._rng = rng

    def pause(self, webhook: StoredWebhook, failures: int, asked: float) -> float | None:
        """Return the seconds until the next attempt; None after the last one."""
        return pause_after(failures, is_private=webhook.allow_private, asked=asked, rng=self._rng)


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
