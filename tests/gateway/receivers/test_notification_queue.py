"""Messages of receivers before they reach the outbox: bursts, logins that end, restarts, files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.client.virtual_loop import on_virtual_clock
from tests.gateway.adapters.test_other_user import change_user
from tests.gateway.conftest import texts

from webwx.cli.sandbox.pictures import jpeg
from webwx.errors import StorageError
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.notify.message import OutgoingMessage
from webwx.gateway.notify.notification import AttachedFile
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.receivers.notification_queue import NotificationQueue
from webwx.gateway.receivers.receivers import StoredReceiver
from webwx.storage.sqlite.private import PrivateRecordStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.carriers import Counted
    from tests.gateway.conftest import Running, StartGateway

    from webwx.storage.tables.records import RecordChange, RecordStore

SEND_FILE = "webwxsendappmsg"
"""Name of the call that sends a file."""


async def receiver_of(running: Running, **fields: object) -> StoredReceiver:
    template = {"id": "", "name": "n", "kind": "json", "account": 1, "digest": "", "created_at": 0, **fields}
    return (await running.gateway.receivers.create(StoredReceiver(**template))).receiver  # type: ignore[arg-type]


class Clock:
    """A clock that only the test moves; the world's clock advances with every poll."""

    def __init__(self) -> None:
        self.now = 1_795_826_421.0

    def __call__(self) -> float:
        return self.now


def queue_of(running: Running, clock: Clock, records: RecordStore | None = None) -> NotificationQueue:
    """Return a new queue, which sends held messages only when the test flushes it."""
    gateway = running.gateway
    return NotificationQueue(
        gateway.port, records or gateway.records, gateway.receivers, gateway.notifications.folder, clock
    )


class FullDisk(PrivateRecordStore):
    """Records on a disk on which nothing can be deleted for a while."""

    is_full = False

    async def delete(self, kind: str, id: str, *, version: int | None = None) -> bool:  # noqa: A002
        if self.is_full:
            raise StorageError("The disk is full.")
        return await super().delete(kind, id, version=version)

    async def change(self, changes: Sequence[RecordChange], *, time: float) -> None:
        if self.is_full and any(each.body is None for each in changes):
            raise StorageError("The disk is full.")
        await super().change(changes, time=time)


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
        await running.port.account(1).client.logout()
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


@pytest.mark.parametrize("is_name", [True, False])
async def test_a_recipient_belongs_to_the_user_who_is_logged_in_at_the_first_message(
    online: Running, is_name: bool
) -> None:
    client = online.port.account(1).client
    known = await client.who("张三")
    receiver = await receiver_of(online, to=known.name if is_name else known.number)
    queue = online.gateway.notifications
    await queue.put(receiver, OutgoingMessage("for a friend"), "")
    [sent] = await client.list_sends()
    assert sent.chat == known.contact_id
    stored = await online.gateway.receivers.get(receiver.id)
    assert stored is not None
    assert (stored.user, stored.to) == (await user_of(client), receiver.to)
    await change_user(online)
    assert (await client.who(receiver.to)).contact_id  # another person is called so, or has the number
    await queue.put(stored, OutgoingMessage("for another user"), "")
    [later] = await client.list_sends()
    assert (later.text, later.chat) == ("for another user", "filehelper")


async def test_the_recipient_of_a_held_message_is_that_of_the_user_who_was_logged_in(online: Running) -> None:
    receiver = await receiver_of(online, to="张三")
    online.world.log_out()
    await online.port.account(1).check()
    await online.gateway.notifications.put(receiver, OutgoingMessage("held"), "")
    await online.log_in(who="ahua")
    await online.gateway.notifications.flush()
    [sent] = await online.port.account(1).client.list_sends()
    assert (sent.chat, "held" in sent.text) == ("filehelper", True)


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
    await running.port.account(1).client.logout()
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
    rows = await online.port.account(1).client.list_sends()
    assert sorted((row.kind, row.text) for row in rows) == [("file", "a.log"), ("text", "see file")]
    assert list(queue.folder.iterdir()) == []


async def test_a_picture_is_sent_as_a_picture_and_an_invalid_one_as_a_file(online: Running) -> None:
    receiver = await receiver_of(online)
    queue = queue_of(online, Clock())
    whole = AttachedFile(name="a.bin", content=jpeg())
    broken = AttachedFile(name="b.png", content=b"\x89PNG\r\n\x1a\n", media_type="image/png")
    moving = AttachedFile(name="c.gif", content=b"GIF89a" + bytes(20))
    await queue.put(receiver, OutgoingMessage("", (whole, broken, moving)), "")
    await queue.flush()
    rows = {row.text: (row.kind, row.state) for row in await online.settled()}
    assert (rows["a.bin"], rows["b.png"][1], rows["c.gif"]) == (("image", "sent"), "sent", ("image", "sent"))


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
async def test_a_held_file_that_came_too_often_is_tried_again_after_half_a_minute(
    start_gateway: StartGateway, counted: Counted
) -> None:
    async with start_gateway() as running:
        await running.log_in()
        queue = queue_of(running, Clock())
        await queue.start()
        fault = running.world.faults.add(f"ret:endpoint={SEND_FILE},ret=1205")
        file = AttachedFile(name="a.log", content=b"log")
        await queue.put(await receiver_of(running), OutgoingMessage("", (file,)), "")
        await asyncio.sleep(20)
        attempts = counted.calls.count(SEND_FILE)
        running.world.faults.remove(fault.number)
        await asyncio.sleep(100)
        assert counted.calls.count(SEND_FILE) > attempts > 0
        rows = await running.port.account(1).client.list_sends()
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
    [row] = await online.port.account(1).client.list_sends()
    assert (row.chat, row.text) == ("filehelper", "a")


async def test_a_repeated_notification_is_sent_once_although_its_recipient_is_unknown(online: Running) -> None:
    receiver = await receiver_of(online, to="no such contact")
    for _ in range(2):
        await online.gateway.notifications.put(receiver, OutgoingMessage("a"), "k")
    assert await texts(online) == ["a"]


async def test_five_hundred_messages_of_a_receiver_are_held(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=1)
    queue = queue_of(online, Clock())
    for _ in range(501):
        await queue.put(receiver, OutgoingMessage("a"), "")
    assert queue.waiting(receiver.id) == 500
    with pytest.raises(Refusal) as refused:
        await queue.put(receiver, OutgoingMessage("a"), "")
    assert (refused.value.reason, refused.value.retry_after) == (RefusalReason.RATE_LIMITED, 60)


# -- nothing is lost, nothing arrives twice ----------------------------------------------------------------------------


async def test_a_message_that_arrives_between_two_attempts_at_a_digest_is_in_the_next_one(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=1)
    clock, records = Clock(), FullDisk()
    queue = queue_of(online, clock, records)
    for text in ("one", "two"):
        await queue.put(receiver, OutgoingMessage(text), "")
    clock.now += 60
    records.is_full = True
    await queue.flush()
    assert await texts(online) == ["one", "two"]
    await queue.put(receiver, OutgoingMessage("three"), "")
    records.is_full = False
    await queue.flush()
    clock.now += 60
    await queue.flush()
    assert (await texts(online), queue.waiting(receiver.id)) == (["one", "two", "three"], 0)


async def test_a_digest_that_was_not_finished_is_finished_by_the_next_process(online: Running) -> None:
    receiver = await receiver_of(online, messages_per_minute=1)
    clock, records = Clock(), FullDisk()
    queue = queue_of(online, clock, records)
    long = OutgoingMessage("x" * 15_000)
    for message in (OutgoingMessage("one"), long, long):
        await queue.put(receiver, message, "")
    clock.now += 60
    records.is_full = True
    await queue.flush()
    sent = await texts(online)
    assert [len(text) for text in sent] == [3, 15_801, len("message.txt")]
    records.is_full = False
    clock.now += 3600
    later = queue_of(online, clock, records)
    await later.start()
    await later.flush()
    await later.close()
    assert (await texts(online), later.waiting(receiver.id)) == (sent, 0)


async def test_requests_with_one_key_that_arrive_together_while_logged_out_are_sent_once(online: Running) -> None:
    receiver = await receiver_of(online)
    await online.port.account(1).client.logout()
    clock = Clock()
    queues = [queue_of(online, clock) for _ in range(2)]
    file = AttachedFile(name="a.log", content=b"log")
    answers = await asyncio.gather(
        *(queue.put(receiver, OutgoingMessage("once", (file,)), "same key") for queue in queues for _ in range(10))
    )
    assert len({answer.number for answer in answers}) == 1
    assert len(await online.gateway.records.find("held")) == 1
    assert len(list(queues[0].folder.iterdir())) == 1


async def test_a_request_that_was_stored_in_the_outbox_is_not_held_when_it_is_repeated(online: Running) -> None:
    receiver = await receiver_of(online)
    queue = queue_of(online, Clock())
    await queue.put(receiver, OutgoingMessage("once"), "same key")
    await online.port.account(1).client.logout()
    await queue.put(receiver, OutgoingMessage("once"), "same key")
    assert queue.waiting(receiver.id) == 0
    assert await texts(online) == ["once"]


async def test_a_file_for_an_unknown_recipient_goes_to_file_transfer_helper(online: Running) -> None:
    receiver = await receiver_of(online, to="no such contact")
    queue = queue_of(online, Clock())
    await queue.put(receiver, OutgoingMessage("a", (AttachedFile(name="a.log", content=b"log"),)), "")
    await queue.flush()
    rows = await online.port.account(1).client.list_sends()
    assert {(row.chat, row.text) for row in rows} == {("filehelper", "a"), ("filehelper", "a.log")}


async def test_an_empty_file_is_named_in_the_text(online: Running) -> None:
    receiver = await receiver_of(online)
    queue = queue_of(online, Clock())
    await queue.put(receiver, OutgoingMessage("see file", (AttachedFile(name="a.log", content=b""),)), "")
    await queue.flush()
    assert await texts(online) == ["see file\n[a.log is empty]"]


@pytest.mark.parametrize("name", ["..", "/", "logs/..", "\x07", ""])
async def test_a_file_whose_name_says_nothing_is_called_file(online: Running, name: str) -> None:
    receiver = await receiver_of(online)
    queue = queue_of(online, Clock())
    await queue.put(receiver, OutgoingMessage("", (AttachedFile(name=name, content=b""),)), "")
    await queue.flush()
    assert await texts(online) == ["[file is empty]"]


async def test_a_long_file_name_is_cut(online: Running) -> None:
    receiver = await receiver_of(online)
    queue = queue_of(online, Clock())
    await queue.put(receiver, OutgoingMessage("", (AttachedFile(name="x" * 300, content=b""),)), "")
    await queue.flush()
    assert await texts(online) == [f"[{'x' * 200} is empty]"]


async def test_one_receiver_whose_messages_cannot_be_sent_does_not_stop_the_others(online: Running) -> None:
    receivers = [await receiver_of(online) for _ in range(2)]
    queue = queue_of(online, Clock())
    for receiver in receivers:
        await queue.put(receiver, OutgoingMessage("", (AttachedFile(name="a.log", content=b"log"),)), "")
    next(iter(queue.folder.iterdir())).unlink()
    await queue.flush()
    assert len(await texts(online)) == 1
    assert sum(queue.waiting(receiver.id) for receiver in receivers) == 1


async def test_the_key_of_a_message_that_was_sent_at_once_is_forgotten_after_a_week(online: Running) -> None:
    receiver = await receiver_of(online)
    clock = Clock()
    queue = queue_of(online, clock)
    await queue.put(receiver, OutgoingMessage("one"), "one")
    assert len(await online.gateway.records.find("notified")) == 1
    clock.now += 7 * 24 * 3600 + 1
    await queue.flush()
    assert await online.gateway.records.find("notified") == []
