"""A database that was restored to an earlier moment, from a dump: what is assigned again, sent again, handled again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import FRIEND, OWN, UIN, arrival, ids, message, messages

from webwx.storage.account_folder import LoginName
from webwx.storage.entries import EntryQuery
from webwx.storage.leases import DEFAULT_TIMES
from webwx.storage.open import open_records, open_transfer
from webwx.storage.postgres.leases import PostgresLeases
from webwx.storage.postgres.restored import PostgresRestored
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.tables.media import ARCHIVE_CONSUMER
from webwx.storage.tables.outbox import SendQuery
from webwx.storage.tables.timers import TimerQuery
from webwx.storage.transfer import copy_journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.postgres import TemporarySchema

    from webwx.storage.postgres.consumers import PostgresConsumer
    from webwx.storage.postgres.journal import PostgresAccount
    from webwx.storage.restored import HeldWork, RestoredReset

pytestmark = pytest.mark.verify

NAME = LoginName("work", "wx.qq.com")


class Installation:
    """An installation whose storage is closed while its database is restored."""

    def __init__(self, schema: TemporarySchema) -> None:
        self._schema = schema
        self.open()

    def open(self) -> None:
        self.storage = PostgresStorage(self._schema.url, passphrase="three words long")
        self.account: PostgresAccount = self.storage.journal(NAME).account(UIN)

    async def restore(self, dump: str) -> RestoredReset:
        """Restore a dump, reset, and open the storage again."""
        await self.storage.close()
        self._schema.restore(dump)
        async with PostgresRestored(self._schema.url) as restored:
            done = await restored.reset()
        await self.reopen()
        return done

    async def reopen(self) -> None:
        await self.storage.close()
        self.open()
        await self.account.position(OWN)

    async def numbers(self, text: str) -> dict[str, int]:
        """Store one of each, and return their numbers."""
        entry = arrival(*messages(int(time.time() * 1000) % 10**9, 1))
        await self.account.ingest(entry)
        (stored,) = await self.account.find(EntryQuery(limit=1))
        send = await self.account.outbox.add(client_id=text, chat=FRIEND, kind="text", text="", key=text, time=1.0)
        timer = await self.account.timers.add(
            bot="bot", handler="h", key=text, name="", chat=FRIEND, payload=b"{}", due_at=time.time() + 3600, time=1.0
        )
        leases = PostgresLeases(self._schema.url, DEFAULT_TIMES)
        await leases.join(text, "host", 10)
        claimed = await leases.claim(text)
        await leases.leave(text)
        await leases.close()
        await self.reopen()  # under the new epoch
        audited = "INSERT INTO audit (time, actor, action, target, detail) VALUES (1, '', '', '', '') RETURNING number"
        return {
            "entry": stored.number, "send": send.number, "timer": timer.number, "epoch": claimed[UIN],
            "audit": int(self._schema.execute(audited)),
        }  # fmt: skip

    async def held(self) -> list[HeldWork]:
        async with PostgresRestored(self._schema.url) as restored:
            return await restored.held()


@pytest.fixture
async def installation(schema: TemporarySchema) -> AsyncIterator[Installation]:
    made = Installation(schema)
    await made.account.open_login(OWN, b"", time.time(), [])
    yield made
    await made.storage.close()


async def rest_of(consumer: PostgresConsumer) -> list[str]:
    """Take and acknowledge all entries of a consumer, and return their ids."""
    found: list[str] = []
    while taken := await consumer.take():
        found += ids(taken)
        for entry in taken:
            consumer.ack(entry.number)
    await consumer.flush()
    return found


async def test_after_a_restore_no_number_is_assigned_again(installation: Installation, schema: TemporarySchema) -> None:
    await installation.numbers("before")
    dump = schema.dump()
    lost = await installation.numbers("lost")
    done = await installation.restore(dump)

    assert done.accounts == 1
    later = await installation.numbers("later")
    assert {name for name, number in later.items() if number <= lost[name]} == set()


async def test_unfinished_sends_of_the_restored_moment_are_listed_and_unknown(
    installation: Installation, schema: TemporarySchema
) -> None:
    outbox = installation.account.outbox
    queued = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="mine", time=1.0)
    sent = await outbox.add(client_id="2", chat=FRIEND, kind="text", text="x", key="", time=1.0)
    await outbox.sending(sent.number, 1.0, FRIEND)
    await outbox.settle(sent.number, "sent", time=2.0)
    begun = await outbox.add(client_id="3", chat=FRIEND, kind="image", text="x", key="", time=1.0, state="sending")
    done = await installation.restore(schema.dump())

    assert [(each.account, each.number, each.kind, each.key) for each in done.sends] == [
        (str(NAME), queued.number, "text", "mine"), (str(NAME), begun.number, "image", "")
    ]  # fmt: skip
    found = await installation.account.outbox.find(SendQuery())
    assert {row.number: row.state for row in found} == {
        queued.number: "unknown", sent.number: "sent", begun.number: "unknown"
    }  # fmt: skip


async def test_a_message_of_the_second_of_the_reset_is_held_and_one_of_the_next_second_is_not(
    installation: Installation, schema: TemporarySchema
) -> None:
    await installation.account.consumer("bot", since="beginning")
    await installation.account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0)
    await installation.restore(schema.dump())
    reset_in = int(float(schema.execute("SELECT changed_at FROM outbox")))  # the reset has ended the send
    assert time.time() >= reset_in + 1

    await installation.account.ingest(arrival(message(1, at=reset_in), message(2, at=reset_in + 1)))
    assert await rest_of(await installation.account.consumer("bot")) == ["2"]


async def test_events_before_a_restore_are_held_until_they_are_released(
    installation: Installation, schema: TemporarySchema
) -> None:
    account, now = installation.account, int(time.time())
    bot = await account.consumer("bot", since="beginning")
    await account.consumer(ARCHIVE_CONSUMER, since="beginning")
    await account.ingest(arrival(*messages(1, 3)))
    first, *_ = await bot.take()
    bot.ack(first.number)
    await bot.flush()
    dump = schema.dump()
    assert await rest_of(bot) == []  # 2 and 3 were taken
    for number in (2, 3):
        bot.ack(number)
    await installation.restore(dump)

    account = installation.account
    bot = await account.consumer("bot")
    # The platform sends again what has arrived after the moment of the restore, and then what is new.
    await account.ingest(arrival(message(4, at=now - 60), message(5, at=now + 60)))
    assert await rest_of(bot) == ["5"]
    assert await rest_of(await account.consumer(ARCHIVE_CONSUMER)) == ["1", "2", "3", "4", "5"]
    (held,) = await installation.held()
    assert (held.account, held.consumer, held.events) == (str(NAME), "bot", 3)
    await bot.close()
    bot = await account.consumer("bot")
    assert await rest_of(bot) == []

    async with PostgresRestored(schema.url) as restored:
        assert (await restored.release("other")).events == 0
        assert (await restored.release("work", "bot")).events == 3
        assert await restored.held() == []
    bot.look_soon()
    assert await rest_of(bot) == ["2", "3", "4"]
    await bot.close()
    assert await rest_of(await account.consumer("bot")) == []


async def test_held_events_that_are_dropped_are_never_delivered(
    installation: Installation, schema: TemporarySchema
) -> None:
    bot = await installation.account.consumer("bot", since="beginning")
    await installation.account.ingest(arrival(*messages(1, 3)))
    assert len(await bot.take()) == 3
    await installation.restore(schema.dump())
    async with PostgresRestored(schema.url) as restored:
        assert (await restored.drop()).events == 3
        assert await restored.held() == []

    bot = await installation.account.consumer("bot")
    await installation.account.ingest(arrival(message(4, at=int(time.time()) - 60)))
    assert await rest_of(bot) == []
    assert [each.events for each in await installation.held()] == [1]
    async with PostgresRestored(schema.url) as restored:
        await restored.release("work/wx.qq.com")
    await installation.account.ingest(arrival(message(5, at=int(time.time()) - 60)))
    bot.look_soon()
    assert await rest_of(bot) == ["4", "5"]
    assert len(await installation.account.find(EntryQuery())) == 5


async def test_timers_that_were_due_before_a_restore_are_held(
    installation: Installation, schema: TemporarySchema
) -> None:
    timers = installation.account.timers
    for key, due_at in (("past", time.time() - 1), ("future", time.time() + 3600)):
        await timers.add(
            bot="bot", handler="h", key=key, name="", chat=FRIEND, payload=b"{}", due_at=due_at, time=time.time()
        )  # fmt: skip
    await installation.restore(schema.dump())

    timers = installation.account.timers
    assert [each.key for each in await timers.find(TimerQuery(bot="bot"))] == ["future"]
    assert [(each.consumer, each.events, each.timers) for each in await installation.held()] == [("bot", 0, 1)]
    async with PostgresRestored(schema.url) as restored:
        assert (await restored.release()).timers == 1
    assert [each.key for each in await timers.find(TimerQuery(bot="bot"))] == ["past", "future"]


async def test_in_a_copy_of_a_restored_database_held_timers_wait_and_held_events_are_dead_letters(
    installation: Installation, schema: TemporarySchema, tmp_path: Path
) -> None:
    await installation.account.consumer("bot", since="beginning")
    await installation.account.ingest(arrival(*messages(1, 1)))
    await installation.account.timers.add(
        bot="bot", handler="h", key="k", name="", chat=FRIEND, payload=b"{}", due_at=time.time() - 1, time=time.time()
    )
    await installation.restore(schema.dump())
    assert [(each.events, each.timers) for each in await installation.held()] == [(1, 1)]

    await copy_journal(open_transfer(schema.url, NAME), open_transfer(tmp_path / "me.journal", NAME))
    async with SqliteJournal(tmp_path / "me.journal", retention_days=0) as journal:
        account = journal.account(UIN)
        assert [each.key for each in await account.timers.find(TimerQuery(bot="bot"))] == ["k"]
        assert [letter.entry.message_id for letter in await account.dead_letters("bot")] == ["1"]


async def test_the_audit_log_stays_though_its_numbers_have_a_gap(
    schema: TemporarySchema, installation: Installation
) -> None:
    await installation.storage.records().append_audit("someone", "key.create", target="1", time=1.0)
    await installation.restore(schema.dump())
    for target in ("2", "3"):
        await installation.storage.records().append_audit("someone", "key.create", target=target, time=2.0)
    assert [each.target for each in await installation.storage.records().audit()] == ["3", "2", "1"]
    short = open_records(schema.url, audit_entries=2)
    await short.append_audit("someone", "key.create", target="4", time=3.0)
    assert [each.target for each in await short.audit()] == ["4", "3"]
    await short.close()
