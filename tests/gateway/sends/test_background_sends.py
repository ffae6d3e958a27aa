"""The send queue: rows of the outbox, made in order, despite temporary failures and the end of a process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, UIN, opened

from webwx.errors import (
    ConnectFailed,
    NotLoggedIn,
    RecipientRejected,
    SendOutcomeUnknown,
    StorageError,
    UnknownContact,
    WxError,
)
from webwx.gateway.sends.background_sends import AccountOutbox, BackgroundSends, QueuedSend, queued
from webwx.model.messages import Receipt
from webwx.storage.lookup import find_send
from webwx.storage.open import open_journal
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.tables.outbox import Outbox


class Platform:
    """Makes sends, or raises the errors of a test."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.made: list[str] = []
        self.failures: dict[str, list[WxError]] = {}
        self.ended: list[str] = []
        self.end_failures: list[WxError] = []
        self.tried = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def make(self, send: QueuedSend) -> None:
        self.tried.set()
        if self.failures.get(send.key):
            raise self.failures[send.key].pop()
        receipt = Receipt(message_id="1", client_id=send.key, chat=FRIEND, time=0)
        if await self.outbox.sending(send.number, 0, FRIEND):
            await self.outbox.settle(send.number, "sent", time=0, receipt=receipt)
            self.made.append(send.key)

    async def end(self, send: QueuedSend) -> None:
        self.ended.append(send.key)
        await self.may_end.wait()
        if self.end_failures:
            raise self.end_failures.pop()


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    journal = open_journal("memory:")
    yield journal
    await journal.close()


@pytest.fixture
async def account(journal: Journal) -> AccountJournal:
    return await opened(journal)


@pytest.fixture
def platform(account: AccountJournal) -> Platform:
    return Platform(account.outbox)


def new_sends(platform: Platform) -> BackgroundSends:
    return BackgroundSends(
        lambda: AccountOutbox(UIN, platform.outbox), platform.make, platform.end, lambda: 0.0
    )  # fmt: skip


@contextlib.asynccontextmanager
async def at_work(platform: Platform) -> AsyncIterator[BackgroundSends]:
    sends = new_sends(platform)
    await sends.load()
    tasks = [asyncio.ensure_future(work) for work in sends.works()]
    yield sends
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def store(platform: Platform, key: str, file: str = "", *, background: bool = True) -> QueuedSend:
    """Store a send of another process."""
    row = await platform.outbox.add(
        client_id=key, chat=FRIEND, kind="text", text="hi", key=key, time=0, background=background and not file
    )
    if file:
        await platform.outbox.move_to_background(row.number, file=file)
    found = await find_send(platform.outbox, number=row.number)
    assert found is not None
    return queued(found)


async def until_empty(sends: BackgroundSends) -> None:
    async with asyncio.timeout(20):
        while len(sends):  # noqa: ASYNC110 - no event marks the end of the last send
            await asyncio.sleep(0)


async def test_sends_are_made_in_order_and_once(platform: Platform) -> None:
    async with at_work(platform) as sends:
        stored = [await store(platform, key) for key in "abc"]
        for send in (stored[0], stored[2], stored[1], stored[1]):
            sends.add(send)
        await until_empty(sends)

    assert platform.made == ["a", "b", "c"]
    assert await platform.outbox.find(SendQuery(background=True)) == []


async def test_the_order_stays_after_a_temporary_failure(platform: Platform) -> None:
    platform.failures["a"] = [ConnectFailed("no network")]
    async with at_work(platform) as sends:
        sends.add(await store(platform, "a"))
        await platform.tried.wait()
        sends.add(await store(platform, "b"))
        sends.wake()
        await until_empty(sends)

    assert platform.made == ["a", "b"]


async def test_a_cancellation_ends_the_work_also_when_the_account_comes_online_at_that_moment(
    platform: Platform,
) -> None:
    platform.failures["a"] = [ConnectFailed("no network")] * 2
    async with at_work(platform) as sends:
        sends.add(await store(platform, "a"))
        await platform.tried.wait()
        await asyncio.sleep(0)
        sends.wake()
        await asyncio.sleep(0)  # until the wait has its result, and before the work goes on
    assert platform.made == []


async def test_a_refused_send_does_not_delay_the_next_one(platform: Platform) -> None:
    send = await store(platform, "a")
    await store(platform, "b")
    await platform.outbox.sending(send.number, 0, FRIEND)
    await platform.outbox.settle(send.number, "queued", time=0, begun_at=0)
    platform.failures["a"] = [RecipientRejected("not a friend")]
    async with at_work(platform) as sends:
        await until_empty(sends)
    assert platform.made == ["b"]


async def test_a_send_that_can_never_be_made_fails(platform: Platform) -> None:
    send = await store(platform, "a")
    platform.failures["a"] = [UnknownContact("gone")]
    async with at_work(platform) as sends:
        await until_empty(sends)
    found = await find_send(platform.outbox, number=send.number)
    assert found is not None
    assert found.state == "failed"


async def test_a_send_that_another_process_is_sending_waits_for_its_outcome(platform: Platform) -> None:
    send = await store(platform, "a")
    await platform.outbox.sending(send.number, 0, FRIEND)
    async with at_work(platform) as sends:
        platform.failures["a"] = [SendOutcomeUnknown("another process")]
        sends.add(send)
        await platform.tried.wait()
        await asyncio.sleep(0)
        assert sends.has(send.number)
        await platform.outbox.settle(send.number, "queued", time=0, begun_at=0)
        sends.wake()
        await until_empty(sends)
    assert platform.made == ["a"]


async def test_sends_survive_the_process_and_those_of_callers_are_left_alone(platform: Platform) -> None:
    await store(platform, "of a caller", background=False)
    for key in "ab":
        await store(platform, key)
    async with at_work(platform) as sends:
        await until_empty(sends)
    assert platform.made == ["a", "b"]


async def test_sends_of_other_processes_are_made_once_they_are_announced(platform: Platform) -> None:
    earlier = await store(platform, "earlier", background=False)
    async with at_work(platform) as sends:
        await store(platform, "a")
        sends.load_soon()
        async with asyncio.timeout(20):
            while not platform.made:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        await platform.outbox.move_to_background(earlier.number)
        sends.load_soon(all_of_them=True)
        async with asyncio.timeout(20):
            while len(platform.made) < 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
    assert platform.made == ["a", "earlier"]


async def test_the_sends_of_another_account_under_the_same_name_are_read_anew(
    journal: Journal, platform: Platform
) -> None:
    other = Platform((await opened(journal, UIN + 1)).outbox)
    await store(other, "first")
    await store(platform, "a")
    current = [AccountOutbox(UIN, platform.outbox)]
    sends = BackgroundSends(lambda: current[0], platform.make, platform.end, lambda: 0.0)
    await sends.load()
    current[0] = AccountOutbox(UIN + 1, other.outbox)
    await sends.load()
    assert len(sends) == 1
    current[0] = AccountOutbox(UIN, platform.outbox)
    await sends.load()
    assert len(sends) == 1


async def test_files_have_a_queue_of_their_own(platform: Platform) -> None:
    platform.failures["a file"] = [ConnectFailed("no network")]
    await store(platform, "a file", file="name")
    await store(platform, "a text")
    async with at_work(platform) as sends:
        assert [send.file for send in sends.files] == ["name"]
        async with asyncio.timeout(20):
            while platform.made != ["a text"]:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        sends.wake()
        await until_empty(sends)
    assert platform.made == ["a text", "a file"]


async def test_a_send_counts_until_its_end_was_handled(platform: Platform) -> None:
    platform.end_failures = [StorageError("no database")]
    platform.may_end.clear()
    await store(platform, "a")
    async with at_work(platform) as sends:
        async with asyncio.timeout(20):
            while not platform.ended:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        assert len(sends) == 1
        platform.may_end.set()
        platform.failures["a"] = [SendOutcomeUnknown("it was sent before")]
        async with asyncio.timeout(20):
            while len(sends):
                sends.wake()
                await asyncio.sleep(0)
    assert platform.ended[:2] == ["a", "a"]
    assert platform.made == ["a"]


async def test_what_is_to_be_done_before_the_first_reading_is_repeated_after_a_failure(platform: Platform) -> None:
    earlier = await store(platform, "earlier", background=False)
    failures = [StorageError("The disk is full.")]

    async def prepare(outbox: Outbox) -> None:
        if failures:
            raise failures.pop()
        await outbox.move_to_background(earlier.number)

    sends = BackgroundSends(
        lambda: AccountOutbox(UIN, platform.outbox), platform.make, platform.end, lambda: 0.0, prepare=prepare
    )  # fmt: skip
    with pytest.raises(StorageError):
        await sends.load()
    await sends.load()
    assert sends.has(earlier.number)


async def test_a_queue_goes_on_after_an_attempt_during_which_a_login_began(platform: Platform) -> None:
    is_logging_in = True

    def outbox() -> AccountOutbox:
        if is_logging_in and platform.tried.is_set():
            raise NotLoggedIn("There is no login.")
        return AccountOutbox(UIN, platform.outbox)

    platform.failures["a"] = [SendOutcomeUnknown("no state can be read")]
    await store(platform, "a")
    sends = BackgroundSends(outbox, platform.make, platform.end, lambda: 0.0)
    await sends.load()
    tasks = [asyncio.ensure_future(work) for work in sends.works()]
    await platform.tried.wait()
    await asyncio.sleep(0)
    is_logging_in = False
    async with asyncio.timeout(20):
        while platform.made != ["a"]:
            sends.wake()
            await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
