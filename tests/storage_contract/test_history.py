"""Queries: entries are found by number, id, chat, time and word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

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
)

from webwx.errors import StorageError
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import event_from_item
from webwx.model.messages import TextMessage
from webwx.storage.entries import EntryQuery
from webwx.storage.lookup import find_entry, find_message

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal, Journal

pytestmark = pytest.mark.plain


class TestLookingUp:
    async def test_a_message_of_any_age_is_found(self, account: AccountJournal) -> None:
        await account.ingest(arrival(message("7654321076543210765", "the original", at=1_700_000_000)))
        for first in range(1, 20_001, 2_000):
            await account.ingest(arrival(*messages(first, 2_000)))
        found = await find_message(account, "7654321076543210765")
        assert found is not None
        event = event_from_item(found.item, found.own_id)
        assert isinstance(event, TextMessage)
        assert event.text == "the original"
        assert await find_entry(account, found.number) == found

    async def test_an_unknown_entry_is_not_found(self, account: AccountJournal, journal: Journal) -> None:
        await account.ingest(arrival(message(1)))
        assert await find_message(account, "2") is None
        assert await find_message(account, "") is None
        assert await find_entry(account, 2) is None
        assert await find_entry(journal.account(77), 1) is None
        assert await account.find(EntryQuery(words="")) == []
        assert await account.find(EntryQuery(words=" ,. ")) == []

    async def test_the_newest_entries_are_listed_newest_first(self, account: AccountJournal) -> None:
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 11))))
        assert ids(await account.find(EntryQuery(limit=3))) == ["10", "9", "8"]
        assert ids(await account.find(EntryQuery(limit=3, before=8))) == ["7", "6", "5"]
        assert ids(await account.find(EntryQuery(since=1_004, until=1_006))) == ["6", "5", "4"]
        assert ids(await account.find(EntryQuery(before=1))) == []

    async def test_chats_are_distinguished(self, account: AccountJournal) -> None:
        for number in range(1, 10):
            await account.ingest(arrival(message(number, chat=(FRIEND, ROOM, ContactId("@x"))[number % 3])))
        assert ids(await account.find(EntryQuery(chats=(FRIEND,)))) == ["9", "6", "3"]
        assert ids(await account.find(EntryQuery(chats=(FRIEND, ROOM), limit=4))) == ["9", "7", "6", "4"]
        assert ids(await account.find(EntryQuery(chats=(FRIEND, ROOM), before=7, limit=2))) == ["6", "4"]
        assert ids(await account.find(EntryQuery(chats=(ContactId("@unknown"),)))) == []

    async def test_conditions_of_a_query_are_combined(self, account: AccountJournal) -> None:
        await account.ingest(
            arrival(
                *(message(number, "早上好", (FRIEND, ROOM)[number % 2], at=1_000 + number) for number in range(1, 9))
            )
        )
        (second,) = await account.find(EntryQuery(message_id="2"))
        assert ids(await account.find(EntryQuery(message_ids=("7", "2", "unknown", "7")))) == ["7", "2"]
        assert ids(await account.find(EntryQuery(message_ids=("7", "2"), chats=(ROOM,), until=1_008))) == ["7"]
        assert await account.find(EntryQuery(message_id="2", chats=(ROOM,))) == []
        assert await account.find(EntryQuery(message_id="2", numbers=(second.number + 1,))) == []
        assert ids(await account.find(EntryQuery(numbers=(second.number,), words="早上"))) == ["2"]
        numbers = (second.number, second.number + 5, second.number, 10_000)
        assert ids(await account.find(EntryQuery(numbers=numbers))) == ["7", "2"]
        assert ids(await account.find(EntryQuery(numbers=numbers, after=0, limit=1))) == ["2"]
        assert ids(await account.find(EntryQuery(words="早上", since=1_003, until=1_006, chats=(ROOM,)))) == ["5", "3"]
        assert await account.find(EntryQuery(is_notice=True, words="早上")) == []

    async def test_reading_continues_after_a_number_in_the_order_of_arrival(self, account: AccountJournal) -> None:
        await account.ingest(arrival(*messages(1, 5)))
        first = await account.find(EntryQuery(after=0, limit=2))
        assert ids(first) == ["1", "2"]
        rest = await account.find(EntryQuery(after=first[-1].number))
        assert ids(rest) == ["3", "4", "5"]
        assert await account.find(EntryQuery(after=rest[-1].number)) == []

    async def test_reading_after_a_number_is_combined_with_other_conditions(self, account: AccountJournal) -> None:
        for number in range(1, 9):
            await account.ingest(arrival(message(number, "早上好", (FRIEND, ROOM)[number % 2], at=1_000 + number)))
        (second,) = await account.find(EntryQuery(message_id="2"))
        after = second.number
        assert ids(await account.find(EntryQuery(after=after, chats=(ROOM,), limit=2))) == ["3", "5"]
        assert ids(await account.find(EntryQuery(after=after, words="早上", limit=3))) == ["3", "4", "5"]
        assert ids(await account.find(EntryQuery(after=after, before=after + 3, chats=(ROOM, FRIEND)))) == ["3", "4"]
        assert ids(await account.find(EntryQuery(after=after, until=1_004))) == ["3", "4"]
        assert await account.find(EntryQuery(after=after, message_id="2")) == []

    async def test_an_export_is_complete(self, account: AccountJournal) -> None:
        await account.ingest(arrival(*messages(1, 1_234)))
        assert [entry.number for entry in await everything(account)] == list(range(1, 1_235))

    async def test_contacts_of_every_login_are_found(self, account: AccountJournal) -> None:
        await account.save_contacts(OWN, [Contact(id=ContactId("@a"), nickname="A"), Contact(id=ContactId("@b"))])
        await account.save_contacts(OWN, [Contact(id=ContactId("@c"), remark="A")], [ContactId("@b")])
        assert [each.id for each in await account.people([ContactId("@a"), ContactId("@b")])] == ["@a"]
        assert sorted(await account.chats_named("A")) == ["@a", "@c"]
        with pytest.raises(StorageError, match="does not know this login"):
            await account.save_contacts(ContactId("@stranger"), [])

    async def test_ten_thousand_contacts_are_stored_and_read(self, account: AccountJournal) -> None:
        many = [Contact(id=ContactId(f"@{number}"), nickname=f"Name {number}") for number in range(10_000)]
        await account.save_contacts(OWN, many)
        assert len(await account.roster(OWN)) == 10_000

    async def test_entries_can_be_counted(self, account: AccountJournal) -> None:
        await account.ingest(arrival(*messages(1, 3), b'{"no": "message"}'))
        stats = await account.stats()
        assert (stats.entries, stats.batches, stats.quarantined, stats.conflicts) == (4, 1, 1, 0)
        assert stats.size > 0


class TestSearch:
    async def test_chinese_is_found_by_any_sequence_of_characters(self, account: AccountJournal) -> None:
        texts = ("早上好，世界", "晚上好", "明天早上见", "世 界")
        await account.ingest(arrival(*(message(number, text) for number, text in enumerate(texts, 1))))

        assert ids(await account.find(EntryQuery(words="上好"))) == ["2", "1"]
        assert ids(await account.find(EntryQuery(words="早上"))) == ["3", "1"]
        assert ids(await account.find(EntryQuery(words="世界"))) == ["4", "1"]
        assert ids(await account.find(EntryQuery(words="早上 世界"))) == ["1"], "all words, in any order"
        assert ids(await account.find(EntryQuery(words="上早"))) == []

    async def test_a_word_is_found_by_its_beginning_without_case_and_accents(self, account: AccountJournal) -> None:
        await account.ingest(
            arrival(message(1, "Back up the Café"), message(2, "backup ＡＢＣ"), message(3, "playback"))
        )

        assert ids(await account.find(EntryQuery(words="BACK"))) == ["2", "1"]
        assert ids(await account.find(EntryQuery(words="cafe"))) == ["1"]
        assert ids(await account.find(EntryQuery(words="abc"))) == ["2"]

    async def test_a_search_is_newest_first_and_can_be_limited_to_chats_and_numbers(
        self, account: AccountJournal
    ) -> None:
        await account.ingest(arrival(*(message(number, "好", (FRIEND, ROOM)[number % 2]) for number in range(1, 7))))

        assert ids(await account.find(EntryQuery(words="好", limit=2))) == ["6", "5"]
        assert ids(await account.find(EntryQuery(words="好", before=4))) == ["3", "2", "1"]
        assert ids(await account.find(EntryQuery(words="好", chats=(ROOM,), before=5))) == ["3", "1"]


async def test_notices_are_listed_newest_first(account: AccountJournal) -> None:
    notice = message(2, "You recalled a message").replace(b'"MsgType": 1,', b'"MsgType": 10000,')
    later = notice.replace(b'"MsgId": 2', b'"MsgId": 3')
    await account.ingest(arrival(message(1), notice, later, message(4)))

    assert ids(await account.find(EntryQuery(is_notice=True))) == ["3", "2"]
    assert ids(await account.find(EntryQuery(is_notice=True, before=3, limit=5))) == ["2"]
    assert ids(await account.find(EntryQuery(is_notice=True, chats=(ROOM,)))) == []


class TestTimes:
    """Times do not follow the order of arrival: messages of a pause arrive after it, and clocks differ."""

    TIMES = tuple(1_000 + number - (700 if number % 400 > 390 else 0) for number in range(1_700))

    async def found(self, account: AccountJournal, **conditions: Any) -> list[str]:
        return ids(await account.find(EntryQuery(**conditions)))

    def expected(self, *, since: int = 0, until: int = 0, limit: int, after: int | None = None) -> list[str]:
        wanted = [
            number for number, time in enumerate(self.TIMES, 1)
            if time >= since and (not until or time <= until) and number > (after or 0)
        ]  # fmt: skip
        return [str(number) for number in (wanted[:limit] if after is not None else wanted[::-1][:limit])]

    @pytest.mark.parametrize("chats", [(), (FRIEND,)], ids=["all", "one chat"])
    async def test_entries_are_found_by_time_in_the_order_of_arrival(
        self, account: AccountJournal, chats: tuple[ContactId, ...]
    ) -> None:
        for first in range(0, len(self.TIMES), 100):
            await account.ingest(arrival(*(message(n + 1, at=self.TIMES[n]) for n in range(first, first + 100))))
        for _ in ("while the latest are not indexed", "afterwards"):
            for since in (0, 1_350, 1_900, 2_650, 9_000):
                for until in (0, 900, 1_350, 1_950, 2_699):
                    for after in (None, 0, 1_100):
                        wanted = self.expected(since=since, until=until, limit=25, after=after)
                        found = await self.found(account, chats=chats, since=since, until=until, limit=25, after=after)
                        assert found == wanted, (since, until, after)
            while (await account.stats()).indexed < len(self.TIMES):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)

    async def test_a_frequent_word_is_found_in_a_small_chat(self, account: AccountJournal) -> None:
        small = [message(1, "早上好", ROOM), message(2, "晚上", ROOM), message(3, "好", ROOM)]
        await account.ingest(arrival(*small, *(message(n, "好") for n in range(4, 500))))
        for _ in ("while the latest are not indexed", "afterwards"):
            assert await self.found(account, words="好", chats=(ROOM,)) == ["3", "1"]
            assert await self.found(account, words="好", chats=(ROOM,), before=3) == ["1"]
            assert await self.found(account, words="好", chats=(ROOM,), after=0, limit=1) == ["1"]
            assert await self.found(account, words="好", chats=(FRIEND, ROOM), limit=2) == ["499", "498"]
            while (await account.stats()).indexed < 499:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)

    async def test_entries_are_found_by_time_after_a_purge(self, account: AccountJournal) -> None:
        for first in range(0, len(self.TIMES), 100):
            await account.ingest(arrival(*(message(n + 1, at=1_000 + n) for n in range(first, first + 100))))
        while (await account.stats()).indexed < len(self.TIMES):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        await account.purge(before=2_000)
        await account.ingest(arrival(*(message(n + 1, at=1_000 + n) for n in range(1_700, 2_400))))

        assert await self.found(account, until=2_001, limit=5) == ["1002", "1001"]
        assert await self.found(account, since=3_397, limit=5) == ["2400", "2399", "2398"]
        assert await self.found(account, since=3_397, limit=5, after=0) == ["2398", "2399", "2400"]


async def test_a_search_finds_frequent_and_rare_words_in_all_of_a_long_history(account: AccountJournal) -> None:
    chats = [FRIEND, ROOM, "@small"]

    def text_of(number: int) -> str:
        return " ".join(["all", *(["rare"] if number % 251 == 0 else []), *(["some"] if number % 17 == 0 else [])])

    def chat_of(number: int) -> str:
        return chats[2] if number % 100 == 0 else chats[number % 5 % 2]

    await account.ingest(arrival(*(message(n, text_of(n), chat_of(n), at=10_000 + n) for n in range(1, 2_501))))
    for words in ("all", "rare", "some rare"):
        for among in ((), (ROOM, FRIEND), tuple(chats)):
            matching = [
                n
                for n in range(1, 2_501)
                if set(words.split()) <= set(text_of(n).split()) and (not among or chat_of(n) in among)
            ]
            of_chats = tuple(map(ContactId, among))
            for limit in (3, 200):
                found = await account.find(EntryQuery(words=words, chats=of_chats, before=2_000, limit=limit))
                assert [each.number for each in found] == [n for n in reversed(matching) if n < 2_000][:limit]
                found = await account.find(EntryQuery(words=words, chats=of_chats, after=400, limit=limit))
                assert [each.number for each in found] == [n for n in matching if n > 400][:limit]
                found = await account.find(
                    EntryQuery(words=words, chats=of_chats, since=10_500, until=11_900, limit=limit)
                )
                assert [each.number for each in found] == [n for n in reversed(matching) if 500 <= n <= 1_900][:limit]
