"""Consumers of several accounts: opened for each account that is served, and again after a login or a hindrance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from webwx.errors import StorageError
from webwx.gateway.accounts.consumers import AccountConsumers, RunningConsumers
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.conftest import Running

    from webwx.gateway.accounts.account import EventConsumer, GatewayAccount


class Reader:
    """Reads the texts of all accounts, and sleeps until it is woken."""

    def __init__(self, running: Running) -> None:
        self.texts: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.failures = 0
        self.fails_at_end = False
        self.has_begun = asyncio.Event()
        self.sleeping = asyncio.Event()
        self.awake = asyncio.Event()
        self.consumers = AccountConsumers("test", running.port, lambda number: number < 3, self._read, self._sleep)
        self.all = RunningConsumers(running.port, "test", self._list_names)

    async def _read(self, account: GatewayAccount, consumer: EventConsumer) -> None:
        while batch := await consumer.take():
            if self.fails_at_end:
                self.has_begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    raise StorageError("The position cannot be stored.")
            if self.failures:
                self.failures -= 1
                raise StorageError("The disk is full.")
            for account_event in batch:
                if isinstance(account_event.event, TextMessage):
                    self.texts.put_nowait((account.number, account_event.event.text))
                consumer.ack(account_event.event.number)

    async def _list_names(self) -> set[str]:
        return {"test"}

    async def _sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeping.set()
        await self.awake.wait()

    async def next(self) -> tuple[int, str]:
        async with asyncio.timeout(20):
            return await self.texts.get()


@pytest.fixture
async def reader(online: Running) -> AsyncIterator[Reader]:
    reader = Reader(online)
    reader.all.start()
    yield reader
    await reader.all.close()


async def test_events_after_the_opening_are_read_once(online: Running, reader: Reader) -> None:
    await reader.all.begin("a", reader.consumers)
    await reader.consumers.until_open()
    online.world.say("ahua", "me", "one")
    assert await reader.next() == (1, "one")
    await reader.all.end("a")
    online.world.say("ahua", "me", "two")
    await online.until_text("two")
    await reader.all.begin("a", reader.consumers)
    assert await reader.next() == (1, "two")


async def test_an_account_that_comes_online_later_is_read_if_it_is_served(online: Running, reader: Reader) -> None:
    await reader.all.begin("a", reader.consumers)
    online.world.log_out("me")
    assert (await online.port.account(1).check()).state == "logged_out"
    await online.log_in()
    online.world.say("ahua", "me", "after the login")
    assert await reader.next() == (1, "after the login")


async def test_events_are_read_again_after_the_storage_has_failed(online: Running, reader: Reader) -> None:
    reader.failures = 1
    await reader.all.begin("a", reader.consumers)
    await reader.consumers.until_open()
    online.world.say("ahua", "me", "not stored")
    async with asyncio.timeout(20):
        await reader.sleeping.wait()
    assert reader.texts.empty()
    reader.awake.set()
    assert await reader.next() == (1, "not stored")


async def test_a_consumer_whose_end_cannot_be_stored_ends(online: Running, reader: Reader) -> None:
    reader.fails_at_end = True
    await reader.all.begin("a", reader.consumers)
    await reader.consumers.until_open()
    online.world.say("ahua", "me", "one")
    async with asyncio.timeout(20):
        await reader.has_begun.wait()
    await reader.consumers.stop_account(1)
    assert not reader.sleeping.is_set()


async def test_consumers_of_deleted_owners_are_deleted(online: Running, reader: Reader) -> None:
    await reader.all.begin("a", reader.consumers)
    await reader.consumers.until_open()
    account = online.port.account(1)
    for name in ("test-deleted", "other"):
        async with account.events.consume(name):
            pass
    before = {each.name for each in await account.client.list_consumers()}
    await reader.all.clean()
    assert before - {each.name for each in await account.client.list_consumers()} == {"test-deleted"}


async def test_the_consumer_of_a_removed_account_ends(online: Running, reader: Reader) -> None:
    await reader.all.begin("a", reader.consumers)
    await reader.consumers.until_open()
    assert await online.port.remove_account(1)
    await reader.all.end("a")
    assert reader.texts.empty()


async def test_an_account_ends_while_the_consumers_of_another_owner_begin(online: Running, reader: Reader) -> None:
    async def read(account: GatewayAccount, consumer: EventConsumer) -> None:
        reader.has_begun.set()
        try:
            await consumer.take()
        finally:
            await reader.all.begin("b", reader.consumers)

    await reader.all.begin("a", AccountConsumers("test-a", online.port, lambda _: True, read, asyncio.sleep))
    async with asyncio.timeout(20):
        await reader.has_begun.wait()
    assert await online.port.remove_account(1)


async def test_consumers_begin_with_the_sync_of_the_accounts_that_are_read(reader: Reader) -> None:
    assert [reader.consumers.names_on(number) for number in (1, 3)] == [["test"], []]


async def test_other_accounts_are_not_read(online: Running, reader: Reader) -> None:
    numbers = [(await online.port.add_account(name)).number for name in ("two", "three")]
    await online.log_in("three", "ahua")
    await reader.all.begin("a", reader.consumers)
    await reader.consumers.until_open()
    online.world.say("me", "ahua", "for three")
    await online.until_text("for three", account=numbers[1])
    online.world.say("zhangsan", "me", "for one")
    while True:
        number, text = await reader.next()
        assert number == 1
        if text == "for one":
            break
