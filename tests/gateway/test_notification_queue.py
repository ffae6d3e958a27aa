"""Messages of receivers before they reach the outbox: bursts, logins that end, restarts, files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.virtual_loop import on_virtual_clock

from webwx.cli.pictures import jpeg
from webwx.gateway.notification_queue import NotificationQueue
from webwx.gateway.notify.message import OutgoingMessage
from webwx.gateway.notify.notification import AttachedFile
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.receivers import StoredReceiver

if TYPE_CHECKING:
    from tests.carriers import Counted
    from tests.gateway.conftest import Running, StartGateway

SEND_FILE = "webwxsendappmsg"
"""Name of the call that sends a file."""


async def receiver_of(running: Running, **fields: object) -> StoredReceiver:
    template = {"id": "", "name": "n", "kind": "json", "account": 1, "digest": "", "created_at": 0, **fields}
    return (await running.gateway.receivers.create(StoredReceiver(**template))).receiver  # type: ignore[arg-type]


async def texts(running: Running) -> list[str]:
    return [row.text for row in reversed(await running.port.account(1).list_sends())]


class Clock:
    """A clock that only the test moves; the world's clock advances with every poll."""

    def __init__(self) -> None:
        self.now = 1_795_826_421.0

    def __call__(self) -> float:
        return self.now


def queue_of(running: Running, clock: Clock) -> NotificationQueue:
    """Return a new queue, which sends held messages only when the test flushes it."""
    gateway = running.gateway
    return NotificationQueue(gateway.port, gateway.records, gateway.receivers, gateway.notifications.folder, clock)


async def test_a_burst_becomes_one_digest(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=2)
    clock = Clock()
    queue = queue_of(online, clock)
    for number in range(5):
        await queue.put(receiver, OutgoingMessage(f"alert {number}"), "")
    assert (await texts(online), queue.waiting(receiver.id)) == (["alert 0", "alert 1"], 3)
    await queue.flush()
    assert queue.waiting(receiver.id) == 3

    clock.now += 60
    await queue.flush()
    sent = await texts(online)
    assert (len(sent), queue.waiting(receiver.id)) == (3, 0)
    lines = sent[2].split("\n\n")
    assert lines[0] == "3 messages (at most 2 messages in 60 s, the rest as one digest)"
    assert [line[12:] for line in lines[1:]] == ["alert 2", "alert 3", "alert 4"]


async def test_a_message_that_arrives_while_logged_out_is_held_and_shows_its_age(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        receiver = await receiver_of(running)
        await running.port.account(1).log_out()
        await running.gateway.notifications.put(receiver, OutgoingMessage("disk full"), "k")
        assert await texts(running) == []
        running.world.wind(2 * 3600)
    async with start_gateway() as running:  # held messages survive the process
        assert running.gateway.notifications.waiting(receiver.id) == 1
        await running.log_in()
        await running.gateway.notifications.flush()
        [text] = await texts(running)
        assert text.endswith("late\ndisk full")
        assert "2 h" in text.partition("\n")[0]
        await running.gateway.notifications.put(receiver, OutgoingMessage("disk full"), "k")
        assert len(await texts(running)) == 1


async def test_messages_that_two_queues_hold_at_the_same_time_are_both_sent(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=1)
    clock = Clock()
    queues = [queue_of(online, clock) for _ in range(2)]
    for queue in queues:
        for text in ("sent", "held"):
            await queue.put(receiver, OutgoingMessage(text), "")
    clock.now += 60
    later = queue_of(online, clock)
    await later.start()
    await later.flush()
    await later.close()
    [*_, text] = await texts(online)
    assert [line[12:] for line in text.split("\n\n")[1:]] == ["held", "held"]


async def test_a_receiver_may_refuse_messages_while_logged_out(running: Running) -> None:
    await running.log_in()
    receiver = await receiver_of(running, holds=False)
    await running.port.account(1).log_out()
    with pytest.raises(Refusal) as refused:
        await running.gateway.notifications.put(receiver, OutgoingMessage("a"), "")
    assert refused.value.reason is RefusalReason.OFFLINE


async def test_text_and_files_are_sent_in_order_and_once(online: Running) -> None:
    receiver = await receiver_of(online)
    queue = queue_of(online, Clock())
    file = AttachedFile(name="../a.log", content=b"log", media_type="text/plain")
    for _ in range(2):
        await queue.put(receiver, OutgoingMessage("see file", (file,)), "same key")
    await queue.flush()
    rows = await online.port.account(1).list_sends()
    assert sorted((row.kind, row.text) for row in rows) == [("file", "a.log"), ("text", "see file")]
    assert list(queue.folder.iterdir()) == []


async def test_a_picture_is_sent_as_a_picture_and_an_invalid_one_as_a_file(online: Running) -> None:
    receiver = await receiver_of(online)
    queue = queue_of(online, Clock())
    whole = AttachedFile(name="a.bin", content=jpeg())
    broken = AttachedFile(name="b.png", content=b"\x89PNG\r\n\x1a\n", media_type="image/png")
    await queue.put(receiver, OutgoingMessage("", (whole, broken)), "")
    await queue.flush()
    rows = await online.port.account(1).list_sends()
    assert [(row.kind, row.state) for row in rows if row.text == "a.bin"] == [("image", "sent")]
    assert [row.state for row in rows if row.text == "b.png"] == ["sent"]


async def test_the_key_of_a_held_message_is_known_for_a_week_after_it_was_sent(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=1)
    clock = Clock()
    queue = queue_of(online, clock)

    async def restart() -> NotificationQueue:
        again = queue_of(online, clock)
        await again.start()
        await again.close()
        return again

    for text in ("one", "two"):
        await queue.put(receiver, OutgoingMessage(text), text)
    clock.now += 60
    await queue.flush()
    assert len(await texts(online)) == 2
    clock.now += 7 * 24 * 3600
    await (await restart()).put(receiver, OutgoingMessage("two"), "two")
    assert len(await texts(online)) == 2
    clock.now += 1
    await restart()
    assert await online.gateway.records.find("notified") == []


@on_virtual_clock
async def test_a_held_file_that_was_refused_is_tried_again_after_half_a_minute(
    start_gateway: StartGateway, counted: Counted
) -> None:
    async with start_gateway() as running:
        await running.log_in()
        queue = queue_of(running, Clock())
        await queue.start()
        fault = running.world.faults.add(f"ret:endpoint={SEND_FILE},ret=1204")
        file = AttachedFile(name="a.log", content=b"log")
        await queue.put(await receiver_of(running), OutgoingMessage("", (file,)), "")
        await asyncio.sleep(20)
        attempts = counted.calls.count(SEND_FILE)
        running.world.faults.remove(fault.number)
        await asyncio.sleep(8)
        assert counted.calls.count(SEND_FILE) == attempts > 0
        await asyncio.sleep(4)
        rows = await running.port.account(1).list_sends()
        assert [(row.kind, row.text, row.state) for row in rows] == [("file", "a.log", "sent")]
        await queue.close()


async def test_the_messages_of_a_deleted_receiver_are_deleted(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=1)
    clock = Clock()
    queue = queue_of(online, clock)
    for _ in range(2):
        await queue.put(receiver, OutgoingMessage("a"), "")
    await online.gateway.receivers.delete(receiver.id)
    clock.now += 60
    await queue.flush()
    assert (await texts(online), queue.waiting(receiver.id)) == (["a"], 0)


async def test_an_unknown_recipient_is_replaced_by_file_transfer_helper(online: Running) -> None:
    receiver = await receiver_of(online, to="no such contact")
    await online.gateway.notifications.put(receiver, OutgoingMessage("a"), "")
    [row] = await online.port.account(1).list_sends()
    assert (row.chat, row.text) == ("filehelper", "a")


async def test_five_hundred_messages_of_a_receiver_are_held(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=1)
    queue = queue_of(online, Clock())
    for _ in range(501):
        await queue.put(receiver, OutgoingMessage("a"), "")
    assert queue.waiting(receiver.id) == 500
    with pytest.raises(Refusal) as refused:
        await queue.put(receiver, OutgoingMessage("a"), "")
    assert (refused.value.reason, refused.value.retry_after) == (RefusalReason.RATE_LIMITED, 60)
