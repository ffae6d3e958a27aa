"""Promised sends: in order, despite temporary failures and the end of a process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from webwx.errors import ConnectFailed, RecipientRejected, StorageError, WxError
from webwx.gateway.background_sends import FILES, BackgroundSends, Promise
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.storage.tables.records import RecordStore


class Outbox:
    """Makes sends, or raises the errors of a test."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.failures: dict[int, list[WxError]] = {}
        self.tried = asyncio.Event()

    async def send(self, promise: Promise) -> None:
        self.tried.set()
        if self.failures.get(promise.number):
            raise self.failures[promise.number].pop()
        self.made.append(promise.number)


@contextlib.asynccontextmanager
async def at_work(records: RecordStore, outbox: Outbox, account: int = 1) -> AsyncIterator[BackgroundSends]:
    sends = BackgroundSends(account, records, outbox.send, lambda: 0.0)
    await sends.load()
    task = asyncio.ensure_future(sends.run())
    yield sends
    task.cancel()
    await asyncio.wait([task])


async def until_empty(sends: BackgroundSends) -> None:
    async with asyncio.timeout(20):
        while len(sends):  # noqa: ASYNC110 - no event marks the end of the last send
            await asyncio.sleep(0)


async def test_promised_sends_are_made_in_order_and_once() -> None:
    records, outbox = open_records("memory:"), Outbox()
    async with at_work(records, outbox) as sends:
        for number in (1, 2, 2, 3):
            await sends.add(Promise(number))
        await until_empty(sends)

    assert outbox.made == [1, 2, 3]
    assert await records.find("promise") == []


async def test_the_order_stays_after_a_temporary_failure() -> None:
    records, outbox = open_records("memory:"), Outbox()
    outbox.failures[1] = [ConnectFailed("no network")]
    async with at_work(records, outbox) as sends:
        await sends.add(Promise(1))
        await outbox.tried.wait()
        await sends.add(Promise(2))
        sends.wake()
        await until_empty(sends)

    assert outbox.made == [1, 2]


async def test_a_cancellation_ends_the_work_also_when_the_account_comes_online_at_that_moment() -> None:
    records, outbox = open_records("memory:"), Outbox()
    outbox.failures[1] = [ConnectFailed("no network")] * 2
    sends = BackgroundSends(1, records, outbox.send, lambda: 0.0)
    await sends.add(Promise(1))
    task = asyncio.ensure_future(sends.run())
    await outbox.tried.wait()
    await asyncio.sleep(0)
    sends.wake()
    await asyncio.sleep(0)  # until the wait has its result, and before the work goes on
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_refused_send_does_not_delay_the_next_one() -> None:
    records, outbox = open_records("memory:"), Outbox()
    outbox.failures[1] = [RecipientRejected("not a friend")]
    async with at_work(records, outbox) as sends:
        await sends.add(Promise(1))
        await sends.add(Promise(2))
        await until_empty(sends)

    assert outbox.made == [2]


async def test_promised_sends_survive_the_process_and_belong_to_one_account() -> None:
    records, outbox = open_records("memory:"), Outbox()
    for account, numbers in ((1, (10, 9)), (11, (4,))):
        sends = BackgroundSends(account, records, outbox.send, lambda: 0.0)
        for number in numbers:
            await sends.add(Promise(number))
    async with at_work(records, outbox) as later:
        await until_empty(later)

    assert outbox.made == [9, 10]


async def test_a_promised_file_is_reported_once_its_send_is_settled() -> None:
    records, outbox = open_records("memory:"), Outbox()
    outbox.failures[1] = [ConnectFailed("no network")]
    outbox.failures[2] = [RecipientRejected("not a friend")]
    settled: list[str] = []

    async def note(promise: Promise) -> None:
        settled.append(promise.file)

    files = BackgroundSends(1, records, outbox.send, lambda: 0.0, kind=FILES, settled=note)
    for number in (1, 2, 3):
        await files.add(Promise(number, f"file-{number}"))
    later = BackgroundSends(1, records, outbox.send, lambda: 0.0, kind=FILES, settled=note)
    await later.load()
    assert [promise.file for promise in later.promises] == ["file-1", "file-2", "file-3"]
    assert later.find(2) == Promise(2, "file-2")
    task = asyncio.ensure_future(later.run())
    await outbox.tried.wait()
    assert settled == []
    later.wake()
    await until_empty(later)
    task.cancel()
    await asyncio.wait([task])

    assert (outbox.made, settled) == ([1, 3], ["file-1", "file-2", "file-3"])
    texts = BackgroundSends(1, records, outbox.send, lambda: 0.0)
    await texts.load()
    assert len(texts) == 0


async def test_a_promise_whose_file_could_not_be_deleted_is_reported_again() -> None:
    records, outbox = open_records("memory:"), Outbox()
    reports: asyncio.Queue[str] = asyncio.Queue()

    async def report(promise: Promise) -> None:
        reports.put_nowait(promise.file)
        if len(outbox.made) == 1:
            raise StorageError("no database")

    sends = BackgroundSends(1, records, outbox.send, lambda: 0.0, kind=FILES, settled=report)
    await sends.add(Promise(1, "file-1"))
    task = asyncio.ensure_future(sends.run())
    assert await asyncio.wait_for(reports.get(), 20) == "file-1"
    assert len(sends) == 1
    sends.wake()
    await until_empty(sends)
    task.cancel()
    await asyncio.wait([task])
    assert reports.get_nowait() == "file-1"


async def test_a_promise_counts_until_its_file_was_reported() -> None:
    records = open_records("memory:")
    reports: asyncio.Queue[str] = asyncio.Queue()
    may_return = asyncio.Event()

    async def report(promise: Promise) -> None:
        reports.put_nowait(promise.file)
        await may_return.wait()

    sends = BackgroundSends(1, records, Outbox().send, lambda: 0.0, kind=FILES, settled=report)
    await sends.add(Promise(1, "file-1"))
    task = asyncio.ensure_future(sends.run())
    assert await asyncio.wait_for(reports.get(), 20) == "file-1"
    assert len(sends) == 1
    may_return.set()
    await until_empty(sends)
    task.cancel()
    await asyncio.wait([task])
