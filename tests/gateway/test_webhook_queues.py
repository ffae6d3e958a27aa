"""Events that wait for a failing one: those of its chat, of its account, or none."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tracemalloc
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.client.virtual_loop import on_virtual_clock
from tests.gateway.webhook_receiver import Pauses, added

from webwx.gateway.account_events import AccountEvent
from webwx.gateway.owned_records import OwnedRecords
from webwx.gateway.webhook_events import place_of
from webwx.gateway.webhook_queues import WebhookQueues
from webwx.gateway.webhook_retries import WebhookRetries
from webwx.gateway.webhooks import StoredWebhook
from webwx.model.contacts import ContactId
from webwx.model.messages import TextMessage
from webwx.storage.sqlite.private import PrivateRecordStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import StartGateway
    from tests.gateway.webhook_receiver import WebhookReceiver

    from webwx.representations.webhooks import WebhookOrdering


CHAT = ContactId("@a")


@pytest.mark.parametrize(
    ("ordering", "meanwhile", "afterwards"),
    [
        ("chat", ["of another chat"], ["broken", "of its chat"]),
        ("account", [], ["broken", "of its chat", "of another chat"]),
        ("none", ["of its chat", "of another chat"], ["broken"]),
    ],
)
async def test_a_failing_event_delays_events_of_the_same_order(
    start_gateway: StartGateway,
    receiver: WebhookReceiver,
    ordering: WebhookOrdering,
    meanwhile: list[str],
    afterwards: list[str],
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda request: "500 No" if request.text == "broken" else "200 OK"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver, ordering=ordering)
        running.world.say("ahua", "me", "broken")
        assert await receiver.texts(1) == ["broken"]
        await pauses.begun.wait()
        running.world.say("ahua", "me", "of its chat")
        running.world.say("zhangsan", "me", "of another chat")
        await running.until_text("of another chat")
        assert sorted(await receiver.texts(len(meanwhile))) == sorted(meanwhile)
        assert receiver.requests.empty()
        receiver.answer = lambda _: "200 OK"
        pauses.released.set()
        assert await receiver.texts(len(afterwards)) == afterwards


@pytest.mark.parametrize("ordering", ["chat", "account", "none"])
async def test_more_events_than_fit_in_memory_are_all_sent(
    start_gateway: StartGateway, receiver: WebhookReceiver, ordering: WebhookOrdering
) -> None:
    pauses = Pauses(lasts=True)
    receiver.answer = lambda _: "500 No"
    async with start_gateway(sleep=pauses) as running:
        await running.log_in()
        await added(running, receiver, ordering=ordering)
        for number in range(150):
            running.world.say("ahua", "me", str(number))
        await running.until_text("149")
        await pauses.begun.wait()
        receiver.answer = lambda _: "200 OK"
        pauses.released.set()
        arrived: list[Any] = []
        while len({*arrived}) < 150:
            arrived += await receiver.texts(1)
        if ordering != "none":
            assert list(dict.fromkeys(arrived)) == [str(number) for number in range(150)]


@on_virtual_clock
async def test_a_webhook_gets_eight_requests_at_once(start_gateway: StartGateway) -> None:
    connections: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    async with listener:
        async with start_gateway() as running:
            await running.log_in()
            url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
            template = StoredWebhook(
                id="", secret="", created_at=0, name="n", url=url, ordering="none", allow_private=True
            )  # fmt: skip
            made = await running.gateway.webhooks.create(template)
            await running.gateway.deliveries.apply(made.webhook.id)
            for number in range(20):
                running.world.say("ahua", "me", str(number))
            await asyncio.sleep(10)
            assert len(connections) == 8
        # Not before: the gateway would connect again, for the other events.
        for writer in connections:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def account_event_of(number: int, text: str = "", *, attempt: int = 1) -> AccountEvent:
    event = TextMessage(
        message_id=str(number), chat=CHAT, sender=CHAT, is_self=False, time=0, text=text, content=text, number=number
    )  # fmt: skip
    return AccountEvent(account=1, event=event, attempt=attempt)


@contextlib.asynccontextmanager
async def queues_of(
    ordering: WebhookOrdering, *, failed: int = 0, pauses: Pauses | None = None
) -> AsyncIterator[WebhookQueues]:
    """Make queues from which nothing is sent; events before a number have failed, and wait for an hour."""
    webhook = StoredWebhook(id="w", secret="", created_at=0, name="n", url="https://h.example/", ordering=ordering)
    endless = pauses or Pauses(lasts=True)
    retries = WebhookRetries(OwnedRecords(PrivateRecordStore(), lambda: 0.0), lambda: 0.0, endless, random.Random(1))
    for number in range(1, failed + 1):
        await retries.postpone(webhook, place_of(webhook, account_event_of(number)), 1, 3600)
    unused = cast("Any", None)
    async with asyncio.TaskGroup() as group:
        queues = WebhookQueues(webhook, unused, unused, unused, retries, asyncio.Semaphore(0), group)
        yield queues
        queues.cancel()


async def count_put(queues: WebhookQueues, events: int, attempt: int, room: int) -> int:
    """Put events, at least as many as there should be room for, and return for how many there was room."""
    count = 0

    async def put_all() -> None:
        nonlocal count
        for number in range(1, events + 1):
            await queues.put(account_event_of(number, attempt=attempt))
            count += 1
            await asyncio.sleep(0)

    putting = asyncio.ensure_future(put_all())
    while count < room:  # noqa: ASYNC110 - nothing marks a place that is taken
        await asyncio.sleep(0)
    for _ in range(4 * events):
        await asyncio.sleep(0)
    putting.cancel()
    return count


@pytest.mark.parametrize(
    ("ordering", "failed", "room"), [("account", 0, 1_000), ("none", 0, 1_000), ("none", 3_000, 2_000)]
)
async def test_no_further_events_are_read_without_room(ordering: WebhookOrdering, failed: int, room: int) -> None:
    async with queues_of(ordering, failed=failed) as queues:
        assert await count_put(queues, 3_000, 2 if failed else 1, room) == room


async def test_a_hundred_events_behind_a_failed_one_stay_in_memory() -> None:
    size, count, pauses = 10_000, 1_000, Pauses(lasts=True)
    async with queues_of("chat", failed=1, pauses=pauses) as queues:
        await queues.put(account_event_of(1, attempt=2))
        await pauses.begun.wait()
        tracemalloc.start()
        try:
            for number in range(2, count + 1):
                await queues.put(account_event_of(number, "x" * size + str(number)))
                await asyncio.sleep(0)
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert 100 * size < used < 200 * size
