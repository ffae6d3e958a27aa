"""Ingest: a batch is stored once, in one transaction, with its position."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.storage.arrivals import (
    FRIEND,
    OWN,
    ROOM,
    UIN,
    arrival,
    contact_change,
    everything,
    message,
    messages,
    opened,
)
from tests.storage.entries import gap_in

from webwx.errors import StorageError
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import Arrived, ContinuityLost, IdentityAmbiguous, Item, event_from_item
from webwx.storage.entries import Arrival
from webwx.storage.lookup import find_message

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal, Journal
    from webwx.storage.entries import Entry


def _fields_of(entry: Entry) -> tuple[object, ...]:
    """Return all fields of an entry, with the event decoded."""
    event = event_from_item(entry.item, entry.own_id, entry.read)
    return (entry.number, entry.own_id, entry.message_id, entry.chat, entry.time, entry.is_backlog, event)


class TestIngest:
    async def test_an_empty_batch_moves_the_position_alone(self, account: AccountJournal) -> None:
        assert await account.ingest(arrival(position=b"after")) == 0
        assert await account.position(OWN) == b"after"
        assert (await account.stats()).batches == 0

    async def test_contacts_are_stored_with_the_batch(self, account: AccountJournal) -> None:
        boss = Contact(id=ContactId("@boss"), nickname="李雷", remark="Boss")
        gone = Contact(id=ContactId("@gone"), nickname="Gone")
        batch = arrival(contact_change("x"))
        await account.ingest(msgspec.structs.replace(batch, contacts=(boss, gone)))
        assert sorted(await account.roster(OWN), key=lambda each: each.id) == [boss, gone]

        renamed = msgspec.structs.replace(boss, remark="Chief")
        await account.ingest(msgspec.structs.replace(arrival(), contacts=(renamed,), deleted=(gone.id,)))
        assert list(await account.roster(OWN)) == [renamed]
        assert await account.chats_named("Boss") == [boss.id], "messages under the old name are found by it"
        assert await account.chats_named("Chief") == [boss.id]
        assert await account.chats_named("Gone") == [gone.id]

    async def test_a_message_without_a_time_has_the_time_of_arrival(self, account: AccountJournal) -> None:
        await account.ingest(arrival(contact_change("x"), message(1, at=5), at=77.5))
        assert [entry.time for entry in await everything(account)] == [77, 5]

    async def test_nothing_is_stored_before_a_login(self, journal: Journal) -> None:
        with pytest.raises(StorageError, match="no current login"):
            await journal.account(UIN).ingest(arrival(message(1)))

    async def test_an_entry_in_memory_equals_the_stored_one(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        texts = [message(str(each), f"@a:<br/>{each}", ROOM, at) for each, at in enumerate([1, 0, -5, 2**50] * 6, 1)]
        now = time.time()
        await account.ingest(arrival(*texts, at=now, began=5))

        taken = await consumer.take()
        found = await everything(account)
        assert [each.is_backlog for each in taken[:4]] == [True, False, False, False]
        assert [each.time for each in taken[:4]] == [1, int(now), int(now), int(now)]
        assert [_fields_of(each) for each in taken] == [_fields_of(each) for each in found]
        assert [bytes(each.item.raw) for each in found] == texts

    async def test_a_batch_of_five_thousand_is_stored(self, account: AccountJournal) -> None:
        assert await account.ingest(arrival(*messages(1, 5_000))) == 5_000
        assert len(await everything(account)) == 5_000


class TestDuplicates:
    async def test_a_batch_that_arrives_five_times_is_stored_once(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        batch = arrival(contact_change("x"), *messages(1, 3))
        assert [await account.ingest(batch) for _ in range(5)] == [4, 0, 0, 0, 0]
        assert len(await consumer.take()) == 4
        assert await consumer.take() == []
        assert (await account.stats()).conflicts == 0

    async def test_two_different_messages_of_one_id_are_both_stored_and_counted(
        self, account: AccountJournal, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "webwx.storage"):
            await account.ingest(arrival(message(1, "first")))
            assert await account.ingest(arrival(message(1, "second"), message(1, "second"))) == 1
        assert (await account.stats()).conflicts == 1
        assert len(caplog.records) == 1
        assert len(await everything(account)) == 2
        found = await find_message(account, "1")
        assert found is not None
        assert found.number == 2, "the newest message of the id"

    @pytest.mark.parametrize("message_id", ["", "0"])
    async def test_a_message_without_an_id_is_compared_as_a_whole(
        self, account: AccountJournal, message_id: str
    ) -> None:
        first, second = message(message_id, "first"), message(message_id, "second")
        assert await account.ingest(arrival(first, second)) == 2
        assert await account.ingest(arrival(first, message(message_id, "third"))) == 1
        assert (await account.stats()).conflicts == 0

    async def test_a_duplicate_within_a_batch_is_detected(self, account: AccountJournal) -> None:
        assert await account.ingest(arrival(message(1), message(1), message(2))) == 2

    async def test_two_accounts_may_have_messages_of_the_same_id(self, journal: Journal) -> None:
        one, two = await opened(journal, 1), await opened(journal, 2)
        assert await one.ingest(arrival(message(1))) == 1
        assert await two.ingest(arrival(message(1))) == 1

    async def test_a_contact_may_change_back(self, account: AccountJournal) -> None:
        for name in ("one", "two", "one"):
            assert await account.ingest(arrival(contact_change(name))) == 1


class TestLogins:
    async def test_an_unknown_login_has_no_position(self, account: AccountJournal) -> None:
        assert await account.position(ContactId("@stranger")) is None
        assert await account.position(OWN) == b"begin"

    async def test_a_new_login_stores_a_gap_after_the_previous_one(self, account: AccountJournal) -> None:
        consumer = await account.consumer("bot")
        await account.ingest(arrival(message(1), at=1_000.0 + time.time()))
        since = time.time() + 1_000
        new = ContactId("@new")
        await account.open_login(new, b"fresh", since + 50, [Contact(id=FRIEND, nickname="Friend")])
        await account.ingest(arrival(message(2), position=b"further"))

        old, gap, entry = await consumer.take()
        assert (old.own_id, gap.own_id, entry.own_id) == (OWN, new, new)
        assert gap_in(gap).reason == "new_login"
        assert gap_in(gap).until == since + 50
        assert gap_in(gap).since == pytest.approx(since, abs=60)
        assert await account.position(new) == b"further"
        assert await account.position(OWN) == b"here"
        assert len(await account.roster(new)) == 1

    async def test_a_gap_that_an_earlier_version_has_stored_is_read(self, account: AccountJournal) -> None:
        stored = msgspec.Raw(b'{"event":"continuity_lost","since":1000.0,"until":1001.0,"reason":"purged"}')
        gap = Arrived(item=Item(kind="gap", raw=stored), raw=stored, time=1_001)
        await account.ingest(arrival(gap, message(1)))

        first, _ = await everything(account)
        assert event_from_item(first.item, OWN) == ContinuityLost(since=1_000.0, until=1_001.0, reason="purged")

    async def test_a_gap_never_begins_after_its_end_although_the_servers_clock_was_ahead(
        self, journal: Journal
    ) -> None:
        account = journal.account(UIN)
        consumer = await account.consumer("bot")
        await account.open_login(ContactId("@one"), b"1", 100.0, [])
        await account.ingest(arrival(message(1), at=90_000.0))
        for number, moment in enumerate((200.0, 300.0), start=2):
            await account.open_login(ContactId(f"@{number}"), b"", moment, [])

        gaps = [gap_in(each) for each in await consumer.take() if each.item.kind == "gap"]
        assert [(gap.since, gap.until) for gap in gaps] == [(100.0, 200.0), (200.0, 300.0)]

    async def test_the_first_login_and_the_same_login_again_store_no_gap(self, account: AccountJournal) -> None:
        await account.open_login(OWN, b"again", time.time(), [])
        assert await everything(account) == []

    async def test_a_known_login_keeps_its_position(self, account: AccountJournal) -> None:
        await account.ingest(arrival(message(1), position=b"further"))
        opened = await account.open_login(OWN, b"again", time.time(), [])
        assert opened.position == await account.position(OWN) == b"further"

        opened = await account.open_login(ContactId("@new"), b"new", time.time(), [])
        assert opened.position == b"new"
        opened = await account.open_login(OWN, b"again", time.time(), [])
        assert opened.position == await account.position(OWN) == b"further"

    async def test_each_login_of_an_account_has_its_own_position(self, journal: Journal) -> None:
        phone, web = journal.account(UIN), journal.account(UIN)
        await phone.open_login(ContactId("@phone"), b"p", 1.0, [])
        await web.open_login(ContactId("@web"), b"w", 2.0, [])
        await phone.ingest(arrival(message(1), position=b"p1"))
        await web.ingest(arrival(message(2), position=b"w1"))

        assert await phone.position(ContactId("@phone")) == b"p1"
        assert await phone.position(ContactId("@web")) == b"w1"

    async def test_accounts_are_listed_by_their_last_login(self, journal: Journal) -> None:
        for uin, at in ((1, 10.0), (2, 30.0), (3, 20.0)):
            await journal.account(uin).open_login(OWN, b"", at, [])
        assert await journal.accounts() == [2, 3, 1]


class TestNotes:
    NOTE = Item(
        kind="gap",
        raw=msgspec.Raw(
            msgspec.json.encode(IdentityAmbiguous(identity=9, contact=Contact(id=FRIEND), candidates=(4,)))
        ),
    )

    def note(self, own_id: ContactId, at: float) -> Arrival:
        item = Arrived(item=self.NOTE, raw=self.NOTE.raw, chat=FRIEND, time=int(at))
        return Arrival(own_id=own_id, body=b"", items=(item,), position=None, time=at)

    async def test_are_entries_of_their_chat_and_leave_the_position_and_the_time_of_the_last_batch(
        self, account: AccountJournal
    ) -> None:
        consumer = await account.consumer("bot")
        at = time.time() + 1_000
        await account.ingest(arrival(message(1), position=b"after", at=at))
        await account.ingest(self.note(OWN, at + 50))
        await account.open_login(ContactId("@new"), b"fresh", at + 90, [])

        _, note, gap = await consumer.take()
        assert event_from_item(note.item, OWN) == msgspec.json.decode(self.NOTE.raw, type=IdentityAmbiguous)
        assert (note.chat, note.time) == (FRIEND, int(at + 50))
        assert gap_in(gap).since == at
        assert await account.position(OWN) == b"after"

    async def test_need_a_login_that_is_known(self, account: AccountJournal) -> None:
        with pytest.raises(StorageError):
            await account.ingest(self.note(ContactId("@stranger"), 1.0))
