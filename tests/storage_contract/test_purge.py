"""Purge and retention: deleted rows cannot be found, and a consumer that had not read them gets a gap."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import (
    FRIEND,
    OWN,
    ROOM,
    arrival,
    everything,
    ids,
    message,
    messages,
    opened,
)
from tests.storage.entries import gap_in

from webwx.model.contacts import Contact, ContactId
from webwx.model.events import ContinuityLost
from webwx.storage.entries import EntryQuery
from webwx.storage.lookup import find_message
from webwx.storage.tables import retention
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from tests.storage_contract.engines import StorageEngine

    from webwx.storage.base import AccountJournal, Journal


DAY = 86_400.0
NOW = time.time()


class TestPurge:
    async def test_numbers_of_deleted_entries_are_not_reused(self, account: AccountJournal) -> None:
        await account.ingest(arrival(*messages(1, 3)))
        await account.purge(chats=[FRIEND])
        await account.ingest(arrival(*messages(4, 1)))
        assert [entry.number for entry in await everything(account)] == [4]

    async def test_sends_are_deleted_except_those_in_flight(self, account: AccountJournal) -> None:
        for number, chat in enumerate((FRIEND, FRIEND, ROOM), 1):
            await account.outbox.add(
                client_id=str(number), chat=chat, kind="text", text="x", key="", time=1_000.0 * number
            )
        await account.outbox.sending(2, 1.0, FRIEND)
        assert await account.purge(chats=[FRIEND]) == 1
        assert [row.client_id for row in await account.outbox.find(SendQuery())] == ["3", "2"]
        assert await account.purge(before=4_000) == 1
        assert [row.client_id for row in await account.outbox.find(SendQuery())] == ["2"]

    async def test_more_rows_than_one_transaction_deletes_are_deleted(
        self, account: AccountJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retention, "STEP", 2)
        for number in range(3):
            await account.outbox.add(client_id=f"{number}", chat=FRIEND, kind="text", text="x", key="", time=1_000.0)
            await account.timers.add(
                bot="bot", handler="tea", key=f"{number}", name="", chat=FRIEND, payload=b"1", due_at=1.0, time=1.0
            )
        assert await account.purge(chats=[FRIEND]) == 6

    async def test_another_account_is_not_affected(self, journal: Journal) -> None:
        one, two = await opened(journal, 1), await opened(journal, 2)
        await one.ingest(arrival(*messages(1, 3)))
        await two.ingest(arrival(*messages(1, 3)))
        assert await one.purge(before=NOW) == 3
        assert len(await everything(two)) == 3
        assert len(await two.find(EntryQuery(words="text"))) == 3

    async def test_identities_of_earlier_logins_are_deleted_and_those_of_this_one_kept(
        self, account: AccountJournal
    ) -> None:
        await account.save_contacts(OWN, [Contact(id=ContactId("@old"), nickname="Boss")])
        await account.open_login(ContactId("@me2"), b"", NOW + DAY, [Contact(id=ContactId("@new"), nickname="Boss")])
        await account.purge(before=NOW + 10 * DAY)

        assert await account.chats_named("Boss") == [ContactId("@new")]
        assert list(await account.roster(OWN)) == []
        assert len(await account.roster(ContactId("@me2"))) == 1


class TestGaps:
    async def test_entries_that_all_consumers_have_read_leave_no_gap(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 4)))
        for entry in await consumer.take():
            consumer.ack(entry.number)
        await consumer.flush()
        await account.purge(chats=[FRIEND])
        assert await everything(account) == []

    async def test_entries_acknowledged_out_of_order_leave_no_gap(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 5))))
        await consumer.take()
        for number in (2, 4):
            consumer.ack(number)
        await consumer.close()
        await account.purge(chats=[FRIEND])

        (entry,) = await (await account.consumer("bot")).take()
        assert (entry.number, gap_in(entry)) == (3, ContinuityLost(since=1_001.0, until=1_003.0, reason="purged"))


class TestWhatIsDeleted:
    async def test_nothing_of_a_purged_chat_is_found(self, account: AccountJournal) -> None:
        await account.ingest(
            arrival(message(1, "秘密 secretword"), message(2, "other", ROOM), message(3, "secretword"))
        )
        assert await account.purge(chats=[FRIEND]) == 2

        assert ids(await everything(account)) == ["2"]
        assert await account.find(EntryQuery(words="secretword")) == await account.find(EntryQuery(words="秘")) == []
        assert await find_message(account, "1") is None
        assert await account.find(EntryQuery(chats=(FRIEND,))) == []

    async def test_older_entries_are_deleted_and_conditions_are_combined(self, account: AccountJournal) -> None:
        await account.ingest(arrival(*(message(number, at=1_000 * number) for number in range(1, 11))))
        assert await account.purge(before=5_000, chats=[ROOM]) == 0
        assert await account.purge(before=5_000) == 4
        assert await account.purge(before=8_000, chats=[FRIEND]) == 3
        assert await account.purge() == 0
        assert ids(await everything(account)) == ["8", "9", "10"]

    async def test_a_purged_message_can_be_stored_again(self, account: AccountJournal) -> None:
        await account.ingest(arrival(message(1)))
        await account.purge(chats=[FRIEND])
        assert await account.ingest(arrival(message(1))) == 1

    async def test_a_consumer_gets_a_gap_in_place_of_the_last_deleted_entry(self, account: AccountJournal) -> None:
        behind, ahead = await account.consumer("behind"), await account.consumer("ahead")
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 7))))
        for entry in await ahead.take():
            ahead.ack(entry.number)
        await behind.close()
        await account.purge(before=1_004)
        await account.ingest(arrival(*messages(7, 1)))

        assert ids(await ahead.take()) == ["7"]
        first, *others = await (await account.consumer("behind")).take()
        assert gap_in(first) == ContinuityLost(since=1_001.0, until=1_003.0, reason="purged")
        assert first.number == 3, "at the place of the messages"
        assert ids(others) == ["4", "5", "6", "7"]

    async def test_gaps_in_a_row_become_one(self, account: AccountJournal) -> None:
        await (await account.consumer("bot")).close()
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 12))))
        await account.purge(before=1_005)
        await account.purge(before=1_011)

        first, last = await (await account.consumer("bot")).take()
        assert gap_in(first) == ContinuityLost(since=1_001.0, until=1_010.0, reason="purged")
        assert last.message_id == "11"

    async def test_an_open_consumer_gets_the_entries_or_a_gap(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(*messages(1, 4)))
        assert ids(await consumer.take(2)) == ["1", "2"]
        await account.purge(chats=[FRIEND])
        await account.ingest(arrival(message(5, chat=ROOM)))

        *missed, last = [entry for _ in range(2) for entry in await consumer.take()]
        assert last.message_id == "5"
        assert ids(missed) == ["3", "4"] or [gap_in(each).reason for each in missed] == ["purged"]


class TestRetention:
    async def test_entries_are_deleted_after_the_retention_days(self, engine: StorageEngine) -> None:
        journal = engine.open(retention_days=10)
        account = await opened(journal)
        await account.ingest(arrival(message(1, "old"), at=NOW - 11 * DAY))
        await account.ingest(arrival(message(2, "written long ago", at=1_000), at=NOW))
        async with asyncio.timeout(20):
            while len(await everything(account)) > 1:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.1)

        assert ids(await everything(account)) == ["2"], "the days count from the arrival"
        await journal.close()

    async def test_with_zero_days_nothing_is_deleted(self, engine: StorageEngine) -> None:
        journal = engine.open(retention_days=0)
        account = await opened(journal)
        await account.ingest(arrival(message(1), at=1_000.0))
        await account.ingest(arrival(message(2), at=NOW))

        assert ids(await everything(account)) == ["1", "2"]
        await journal.close()
