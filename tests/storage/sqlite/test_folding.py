"""Batches that are stored in one piece: nothing that anybody can ask for tells them from others."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.arrivals import (
    FRIEND,
    OWN,
    ROOM,
    arrival,
    contact_change,
    everything,
    ids,
    message,
    messages,
    opened,
)

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.events import QuarantinedMessage, event_from_item
from webwx.storage.lookup import find_message
from webwx.storage.sqlite import index as index_module
from webwx.storage.sqlite.checkup import check_up
from webwx.storage.sqlite.contacts import Thinning
from webwx.storage.sqlite.folding import FOLD_FROM, is_folded, read_folded
from webwx.storage.sqlite.index import Index
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal
from webwx.storage.sqlite.schema import connect

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.base import Entry

MANY = FOLD_FROM + 5


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing done behind anybody's back: the index waits for ever, and what is folded waits with it."""
    monkeypatch.setattr(index_module, "LATEST", 3_600.0)
    monkeypatch.setattr(index_module, "PATIENCE", 3_600.0)


pytestmark = pytest.mark.usefixtures("rests")


def folded(path: Path) -> list[tuple[int, int]]:
    """Give what is folded in a file: the first number of each batch, and how many."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT batch, count FROM folded ORDER BY batch").fetchall()


def rows(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        count: tuple[int] = db.execute("SELECT count(*) FROM entries").fetchone()
        return count[0]


class TestStoring:
    async def test_a_large_batch_of_texts_writes_no_rows(self, account: SqliteAccount, path: Path) -> None:
        assert await account.ingest(arrival(*messages(1, MANY), position=b"after")) == MANY

        assert (folded(path), rows(path)) == ([(1, MANY)], 0)
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT position FROM logins").fetchall() == [(b"after",)]

    async def test_few_messages_have_rows_at_once(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(*messages(1, FOLD_FROM - 1)))

        assert (folded(path), rows(path)) == ([], FOLD_FROM - 1)

    async def test_so_has_a_batch_with_anything_else_in_it(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(*messages(1, MANY), contact_change("New")))
        await account.ingest(arrival(*messages(100, MANY), message("0", "a text without an id")))

        assert (folded(path), rows(path)) == ([], 2 * MANY + 2)

    async def test_what_is_given_as_it_comes_is_what_is_read_later(self, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        texts = [message(str(each), f"@a:<br/>{each}", ROOM, at) for each, at in enumerate([1, 0, -5, 2**50] * 6, 1)]
        now = time.time()
        await account.ingest(msgspec.structs.replace(arrival(*texts, at=now), began=5))

        given = await consumer.take()
        found = await everything(account)
        assert [each.is_backlog for each in given[:4]] == [True, False, False, False]
        assert [each.time for each in given[:4]] == [1, int(now), int(now), int(now)]
        assert [_told(each) for each in given] == [_told(each) for each in found]
        assert [bytes(each.item.raw) for each in found] == texts

    async def test_small_and_large_batches_keep_their_order(self, account: SqliteAccount, path: Path) -> None:
        for first, count in ((1, MANY), (100, 2), (200, MANY), (300, 1)):
            await account.ingest(arrival(*messages(first, count)))

        assert folded(path) == [(1, MANY), (MANY + 3, MANY)]
        found = await everything(account)
        assert [each.number for each in found] == list(range(1, 2 * MANY + 4))
        assert ids(found) == [
            str(first + each) for first, n in ((1, MANY), (100, 2), (200, MANY), (300, 1)) for each in range(n)
        ]


def _told(entry: Entry) -> tuple[object, ...]:
    """Give all that an entry tells, whether it was read before or not."""
    return (
        entry.number, entry.own_id, entry.message_id, entry.chat, entry.time, entry.is_backlog,
        event_from_item(entry.item, entry.own_id, entry.read),
    )  # fmt: skip


class TestReading:
    async def test_whoever_reads_finds_all_of_it(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(*messages(1, MANY)))

        found = await find_message(account, str(MANY))
        assert found is not None
        assert (folded(path), rows(path)) == ([], MANY)

    async def test_however_much_that_is(self, account: SqliteAccount, path: Path) -> None:
        for first in range(1, 5_000, 500):
            await account.ingest(arrival(*messages(first, 500)))
        assert len(folded(path)) == 10

        assert (await account.stats()).entries == 5_000
        assert folded(path) == []

    async def test_another_process_does_not_wait_for_this_one(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        other = SqliteJournal(path)
        assert len(await everything(await opened(other))) == MANY
        await other.close()

        await account.ingest(arrival(*messages(100, MANY)))
        assert len(await everything(account)) == 2 * MANY

    async def test_nothing_is_lost_when_the_process_ends_before(self, path: Path) -> None:
        journal = SqliteJournal(path)
        account = await opened(journal)
        consumer = await account.consumer("bot")
        assert await consumer.take_waiting() == []
        await account.ingest(arrival(*messages(1, MANY)))
        (first, *_) = await consumer.take()
        consumer.ack(first.number)
        await journal.close()
        assert len(folded(path)) == 1

        journal = SqliteJournal(path)
        again = await journal.account(2_400_001).consumer("bot")
        assert [each.number for each in await again.take()] == list(range(2, MANY + 1))
        await journal.close()

    async def test_a_consumer_that_is_behind_reads_it_from_the_file(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        await account.ingest(arrival(*messages(100, MANY)))
        consumer = await account.consumer("late", since="beginning")

        taken = await consumer.take(1_000)
        await account.ingest(arrival(*messages(200, MANY)))
        taken += await consumer.take(1_000)
        assert [each.number for each in taken] == list(range(1, 3 * MANY + 1))

    async def test_a_disk_that_takes_nothing_is_told_of_and_tried_again(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
            with pytest.raises(StorageError, match="disk is full"):
                await find_message(account, "1")
            db.execute("DROP TRIGGER full")

        assert len(await everything(account)) == MANY

    async def test_a_body_that_was_damaged_keeps_nobody_from_the_rest(
        self, account: SqliteAccount, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE batches SET body = x'00'")
            db.commit()
        await account.ingest(arrival(*messages(100, MANY)))

        found = await everything(account)
        assert [each.number for each in found] == list(range(1, 2 * MANY + 1))
        assert ids(found)[MANY:] == [str(each) for each in range(100, 100 + MANY)]
        assert isinstance(event_from_item(found[0].item, OWN), QuarantinedMessage)
        assert (await account.stats()).quarantined == MANY
        assert "damaged" in caplog.text

    async def test_what_is_said_to_be_folded_and_is_not_there_holds_nobody_up(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("INSERT INTO folded VALUES (1000, 1, 0, 5)")
            db.commit()

        async with asyncio.timeout(10):
            assert len(await everything(account)) == MANY
        assert folded(path) == []

    async def test_whoever_may_only_look_finds_it_and_changes_nothing(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(message("7"), at=1.0))
        await account.ingest(arrival(*messages(1_000, MANY)))
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            assert read_folded(db) == [(number, str(998 + number)) for number in range(2, MANY + 2)]
        assert folded(path) == [(2, MANY)]

    async def test_a_checkup_counts_it(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(*messages(1, MANY)))

        told = check_up(path)
        assert (told.entries, told.is_sound) == (MANY, True)

    async def test_a_new_consumer_begins_behind_it(self, account: SqliteAccount) -> None:
        await account.consumer("first")
        await account.ingest(arrival(*messages(1, MANY)))
        consumer = await account.consumer("second")
        await account.ingest(arrival(message("100")))

        assert ids(await consumer.take()) == ["100"]


class TestKnowing:
    async def test_what_is_folded_is_known_when_it_comes_again(self, account: SqliteAccount) -> None:
        batch = arrival(*messages(1, MANY))
        assert await account.ingest(batch) == MANY
        assert await account.ingest(batch) == 0
        assert await account.ingest(arrival(message("5", "text 5"), message("100"))) == 1
        assert len(await everything(account)) == MANY + 1

    async def test_an_id_that_it_shares_with_another_message_tells_neither_away(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        assert await account.ingest(arrival(message("5", "another text"))) == 1
        assert (await account.stats()).conflicts == 1

    async def test_so_does_one_that_stands_in_it_twice(self, account: SqliteAccount, path: Path) -> None:
        texts = messages(1, MANY)
        assert await account.ingest(arrival(*texts, message("5", "another text"), texts[6])) == MANY + 1
        assert folded(path) == []
        assert (await account.stats()).conflicts == 1

    async def test_another_process_knows_it_too(self, account: SqliteAccount, path: Path) -> None:
        batch = arrival(*messages(1, MANY))
        await account.ingest(batch)
        other = SqliteJournal(path)
        assert await (await opened(other)).ingest(batch) == 0
        await other.close()

    async def test_a_batch_that_was_not_stored_is_not_known(self, account: SqliteAccount, path: Path) -> None:
        batch = arrival(*messages(1, MANY))
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TRIGGER stop BEFORE INSERT ON folded BEGIN SELECT RAISE(ABORT, 'stop'); END")
            with pytest.raises(StorageError):
                await account.ingest(batch)
            db.execute("DROP TRIGGER stop")

        assert await account.ingest(batch) == MANY


class TestIndexing:
    async def test_the_index_takes_it_in(self, account: SqliteAccount, path: Path) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        await account.ingest(arrival(message("100", "and another one")))
        index = Index()
        with contextlib.closing(connect(path)) as db:
            assert index.fill(db, 10) is True
            assert not is_folded(db)
            while index.fill(db, 10):
                pass
            assert db.execute("SELECT count(*), max(number) FROM by_id").fetchone() == (MANY + 1, MANY + 1)
            assert db.execute("SELECT number FROM indexed").fetchone() == (MANY + 1,)

    async def test_step_by_step_and_never_past_what_is_folded(self, account: SqliteAccount, path: Path) -> None:
        for first in (1, 100, 200):
            await account.ingest(arrival(*messages(first, MANY)))
            await account.ingest(arrival(message(str(first + 50))))
        index = Index()
        with contextlib.closing(connect(path)) as db:
            while index.fill(db, MANY):
                (indexed,) = db.execute("SELECT number FROM indexed").fetchone()
                (before,) = db.execute("SELECT count(*) FROM by_id WHERE number <= ?", (indexed,)).fetchone()
                assert before == indexed, "nothing was left out on the way"
        assert (await account.stats()).indexed == 3 * MANY + 3

    async def test_a_step_without_time_still_gets_on(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index_module, "SLICE", -1.0)
        for first in (1, 100):
            await account.ingest(arrival(*messages(first, MANY)))
        with contextlib.closing(connect(path)) as db:
            assert Index().fill(db, 1_000) is True
            assert folded(path) == [(MANY + 1, MANY)]

    async def test_a_step_without_time_never_takes_the_rest_for_done(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index_module, "SLICE", -1.0)
        monkeypatch.setattr("webwx.storage.sqlite.journal.FOLD_FROM", 1)
        for each in range(1, 4):
            await account.ingest(arrival(message(str(each))))
        with contextlib.closing(connect(path)) as db:
            index = Index()
            assert [index.fill(db, 1_000) for _ in range(3)] == [True, True, False]
            assert db.execute("SELECT number FROM indexed").fetchone() == (3,)

    async def test_nobody_is_let_go_of_before_it_is_known_what_was_said(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await account.ingest(arrival(*messages(1, MANY)))
        thinning = Thinning()
        with contextlib.closing(connect(path)) as db:
            assert thinning.work(db, is_idle=True)
            await account.stats()
            assert thinning.work(db, is_idle=True) is None

    async def test_what_is_deleted_leaves_nothing(self, account: SqliteAccount, path: Path) -> None:
        texts = [
            message(str(each), "secret" if each % 2 else "plain", ROOM if each % 2 else FRIEND)
            for each in range(1, MANY + 1)
        ]
        await account.ingest(arrival(*texts))
        assert await account.purge(chats=[ROOM]) == MANY - MANY // 2

        assert ids(await everything(account)) == [str(each) for each in range(2, MANY + 1, 2)]
        assert all(b"secret" not in bytes(each.item.raw) for each in await everything(account))


TEXTS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "8"]),
        st.sampled_from(["", "hello", "你好 &amp; <br/>", "@a:<br/>said", "a\\nb", "😀"]),
        st.sampled_from([FRIEND, ROOM, OWN, ContactId("@other")]),
        st.integers(-1, 2**41),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(batches=st.lists(TEXTS, min_size=1, max_size=4), began=st.sampled_from([0, 100]))
@settings(max_examples=40, derandomize=True, database=None)
def test_whatever_comes_its_rows_are_those_that_it_would_have_had_at_once(
    batches: list[list[tuple[str, str, str, int]]], began: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def rows_when(fold_from: int) -> tuple[list[int], list[tuple[object, ...]]]:
        path = tmp_path_factory.mktemp("folding") / "me.journal"
        journal = SqliteJournal(path)
        account = await opened(journal)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("webwx.storage.sqlite.journal.FOLD_FROM", fold_from)
            counts = [
                await account.ingest(
                    msgspec.structs.replace(arrival(*(message(*each) for each in batch), at=5_000.0), began=began)
                )
                for batch in batches
            ]
        await account.stats()
        await journal.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            return counts, db.execute("SELECT * FROM entries ORDER BY number").fetchall()

    assert asyncio.run(rows_when(1)) == asyncio.run(rows_when(1_000))
