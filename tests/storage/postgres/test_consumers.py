"""Consumers in PostgreSQL: reads that fail, and crashes of workers that have lived on without their lease."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import arrival, messages, opened

from webwx.errors import StorageError
from webwx.storage.leases import ClusterMember
from webwx.storage.postgres import database
from webwx.storage.postgres.consumers import open_cursor
from webwx.storage.postgres.database import PostgresDatabase
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.refusals import Fence, NotOwner

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

    from webwx.storage.consumer import Consumer

pytestmark = pytest.mark.verify

KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'webwx {worker}'"


class Workers:
    """Workers that own account 1 one after the other; the next one begins when the lease of the last one ends."""

    def __init__(self, schema: TemporarySchema, closing: AsyncExitStack) -> None:
        self._schema = schema
        self._closing = closing
        self._count = 0
        self.journals: list[PostgresJournal] = []
        self.consumers: list[Consumer] = []

    async def take_over(self) -> Consumer:
        """Open the consumer in the next worker."""
        if self._count:
            self._schema.execute(f"UPDATE accounts SET epoch = {self._count + 1}")
            self._schema.execute(KILL.format(worker=f"w{self._count}"))
        self._count += 1
        epoch = self._count
        member = ClusterMember(f"w{epoch}", lambda account: Fence(account=account, epoch=epoch), timeout=30.0)
        journal = await self._closing.enter_async_context(PostgresJournal(self._schema.url, member=member))
        if epoch == 1:
            account = await opened(journal, 1)
            consumer = await account.consumer("bot")
            await account.ingest(arrival(*messages(1, 1)))
        else:
            consumer = await journal.account(1).consumer("bot")
        self.journals.append(journal)
        self.consumers.append(consumer)
        return consumer

    async def live_on(self, number: int) -> None:
        """Close the consumer of a worker that has lost the account."""
        with pytest.raises(NotOwner):
            await self.consumers[number].close()
        await self.journals[number].close()


async def test_worker_that_has_lived_on_takes_its_crashes_back(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOOK_EVERY", 3_600.0)
    async with AsyncExitStack() as closing:
        workers = Workers(schema, closing)
        for number in range(5):
            consumer = await workers.take_over()
            if number:
                await workers.live_on(number - 1)
            [entry] = await consumer.take()
            assert await consumer.recount_crashes(entry.number) == 0
            await consumer.add_poison_marker(entry.number)
            assert entry.crashes <= 1


async def test_worker_that_returns_late_prevents_that_an_event_is_given_up(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOOK_EVERY", 3_600.0)
    async with AsyncExitStack() as closing:
        workers = Workers(schema, closing)
        for crashes in range(4):
            consumer = await workers.take_over()
            [entry] = await consumer.take()
            assert crashes == entry.crashes
            if crashes < 3:
                await consumer.add_poison_marker(entry.number)
        assert await consumer.recount_crashes(entry.number) == 3
        for number in range(3):
            await workers.live_on(number)
        assert await consumer.recount_crashes(entry.number) < 2


async def test_a_worker_opens_a_consumer_without_the_dead_letters_that_it_has_passed(schema: TemporarySchema) -> None:
    member = ClusterMember("w1", lambda account: Fence(account=account, epoch=1), timeout=30.0)
    async with PostgresJournal(schema.url, member=member) as journal:
        account = await opened(journal, 1)
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 6)))
        await consumer.take()
        for number in (1, 2, 4):
            await consumer.give_up(number, "KeyError")
        consumer.ack(1)
        consumer.ack(2)
        await consumer.failed(5, "KeyError")
        await consumer.close()
        assert await account.revive("bot", 1)
    opening = PostgresDatabase(schema.url, member=member)
    known = await opening.run(lambda: open_cursor(opening, 1, "bot", is_from_beginning=False))
    await opening.close()

    assert known.state.acked == 2
    assert known.state.ahead == {1, 4}, "of the passed ones only the revived one"
    assert known.state.revived == {1}
    assert known.state.attempts == {1: 1, 5: 1}


async def test_what_was_read_before_a_failed_read_is_taken_by_the_next_call(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 8)))
        await consumer.take()
        consumer.ack(3)
        consumer.ack(4)
        await consumer.give_up(1, "KeyError")
        await consumer.close()
        consumer = await account.consumer("bot")
        await account.revive("bot", 1)
        schema.execute("UPDATE consumers SET started = 0")
        schema.execute(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN IF NEW.started > 5 THEN RAISE disk_full; END IF; RETURN NEW; END'"
        )
        schema.execute("CREATE TRIGGER stop BEFORE UPDATE ON consumers FOR EACH ROW EXECUTE FUNCTION stop()")
        with pytest.raises(StorageError):
            await consumer.take(5)
        schema.execute("DROP TRIGGER stop ON consumers")
        taken = [entry.number for _ in range(4) for entry in await consumer.take(2)]
        assert taken == [1, 2, 5, 6, 7, 8]
        consumer.ack(8)
        await consumer.close()
        again = await account.consumer("bot")
        assert [entry.number for entry in await again.take()] == [1, 2, 5, 6, 7]


async def test_what_a_failed_commit_has_not_stored_is_stored_by_the_next_one(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 4)))
        await consumer.take()
        schema.execute(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; RETURN NEW; END'"
        )
        schema.execute("CREATE TRIGGER stop BEFORE UPDATE ON consumers FOR EACH ROW EXECUTE FUNCTION stop()")
        consumer.ack(1)
        consumer.ack(3)
        with pytest.raises(StorageError):
            await consumer.flush()
        schema.execute("DROP TRIGGER stop ON consumers")
        await consumer.close()
        again = await account.consumer("bot")
        assert [entry.number for entry in await again.take()] == [2, 4]


async def test_a_worker_opens_a_new_consumer_with_the_name_of_a_deleted_one(schema: TemporarySchema) -> None:
    member = ClusterMember("w1", lambda account: Fence(account=account, epoch=1), timeout=30.0)
    async with PostgresJournal(schema.url, member=member) as journal:
        account = await opened(journal, 1)
        await (await account.consumer("bot")).close()
        assert await account.forget_consumer("bot")
        await (await account.consumer("bot")).close()
