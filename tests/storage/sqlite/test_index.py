"""Late indexes: a lookup finds the same as a scan, before and after indexing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.arrivals import FRIEND, OWN, ROOM, arrival, everything, ids, message, messages, opened

from webwx.model.contacts import Contact, ContactId
from webwx.storage.entries import EntryQuery
from webwx.storage.lookup import find_message
from webwx.storage.sqlite import index as index_module
from webwx.storage.sqlite.index import Index, key_of
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal
from webwx.storage.sqlite.schema import connect
from webwx.storage.tokenizer import Query, cut

if TYPE_CHECKING:
    from pathlib import Path


def fill(path: Path, limit: int = 5_000) -> None:
    """Index all entries through another connection."""
    with contextlib.closing(connect(path)) as db:
        while Index().fill(db, limit):
            pass


@pytest.mark.parametrize(
    ("text", "key"),
    [("0", 0), ("123456789012345678", 123456789012345678), ("7654321076543210765", None), ("@abc", None), ("1²", None)],
)
def test_a_key_has_64_bits_for_any_id(text: str, key: int | None) -> None:
    assert key is None or key == key_of(text)
    assert -(2**63) <= key_of(text) < 2**63
    assert key_of(text) == key_of(text)


async def test_ids_of_equal_keys_are_distinguished(path: Path, account: SqliteAccount) -> None:
    await account.ingest(arrival(message("0012", "first")))
    fill(path)
    assert key_of("0012") == key_of("12")

    assert await find_message(account, "12") is None
    assert await account.ingest(arrival(message("12", "second"))) == 1
    found = await find_message(account, "0012")
    assert found is not None
    assert found.number == 1


async def test_lookups_find_the_same_in_the_tail_and_in_the_index(path: Path, account: SqliteAccount) -> None:
    await account.ingest(arrival(message(1, "早上好"), message(2, "晚上好", ROOM), message(3, "backup", ROOM)))
    for _ in range(2):
        found = await find_message(account, "2")
        assert found is not None
        assert found.number == 2
        assert ids(await account.find(EntryQuery(chats=(ROOM,)))) == ["3", "2"]
        assert ids(await account.find(EntryQuery(words="上好"))) == ["2", "1"]
        assert ids(await account.find(EntryQuery(words="好", chats=(FRIEND,)))) == ["1"]
        assert ids(await account.find(EntryQuery(words="back"))) == ["3"]
        assert ids(await account.find(EntryQuery(words="好", before=2))) == ["1"]
        fill(path)
    assert (await account.stats()).indexed == 3


async def test_lookups_search_the_index_and_the_tail(path: Path, account: SqliteAccount) -> None:
    await account.ingest(arrival(*messages(1, 5)))
    fill(path, 2)
    await account.ingest(arrival(*messages(6, 5)))

    assert ids(await account.find(EntryQuery(words="text"))) == [str(number) for number in range(10, 0, -1)]
    assert ids(await account.find(EntryQuery(words="text", limit=3))) == ["10", "9", "8"]
    assert ids(await account.find(EntryQuery(words="text", limit=7))) == [str(number) for number in range(10, 3, -1)]
    for query in (EntryQuery(after=0, words="text", limit=7), EntryQuery(after=0, chats=(FRIEND,), limit=7)):
        assert ids(await account.find(query)) == [str(number) for number in range(1, 8)]
    assert ids(await account.find(EntryQuery(after=1, words="text", limit=1))) == ["2"]
    assert ids(await account.find(EntryQuery(chats=(FRIEND,), limit=7))) == [str(number) for number in range(10, 3, -1)]


async def test_the_tail_is_indexed_when_the_writer_is_idle(account: SqliteAccount) -> None:
    await account.ingest(arrival(*messages(1, 5)))
    async with asyncio.timeout(60):
        while (await account.stats()).indexed < 5:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
    assert ids(await account.find(EntryQuery(words="text"))) == ["5", "4", "3", "2", "1"]


def test_a_busy_writer_indexes_after_some_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_store(path, 30))
    index = Index()
    with contextlib.closing(connect(path)) as db:
        pause = index.work(db, is_idle=False)
        assert pause is not None
        assert pause > 0
        assert _indexed(db) == 0
        monkeypatch.setattr(index_module, "LATEST", 0.0)
        index.work(db, is_idle=False)
        assert _indexed(db) == 30


def test_a_long_tail_is_indexed_although_the_writer_is_busy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_store(path, 30))
    monkeypatch.setattr(index_module, "LONGEST", 15)
    monkeypatch.setattr(index_module, "STEP", 10)
    monkeypatch.setattr(index_module, "IDLE", 3_600.0)  # A slow machine does not count as an idle writer.
    index = Index()
    with contextlib.closing(connect(path)) as db:
        assert index.work(db, is_idle=False) == 0.0
        assert _indexed(db) == 10
        index.work(db, is_idle=True)
        assert _indexed(db) == 20, "one step at a time, so that a batch waits for one step only"


def test_a_step_that_takes_long_is_interrupted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_store(path, 30))
    monkeypatch.setattr(index_module, "SLICE", -1.0)
    index = Index()
    with contextlib.closing(connect(path)) as db:
        assert index.fill(db, 100) is True
        assert _indexed(db) == 1
        while index.fill(db, 100):
            pass
        assert _indexed(db) == 30
        assert db.execute("SELECT count(*) FROM words").fetchone() == (30,)


def test_a_few_messages_are_indexed_together_with_later_ones(path: Path) -> None:
    asyncio.run(_store(path, 1))
    index = Index()
    with contextlib.closing(connect(path)) as db:
        pause = index.work(db, is_idle=True)
        assert pause is not None
        assert 0 < pause <= index_module.PATIENCE
        assert _indexed(db) == 0


async def test_the_cache_is_large_while_indexing_and_small_afterwards(path: Path, account: SqliteAccount) -> None:
    def cache_of(db: sqlite3.Connection) -> int:
        (size,) = db.execute("PRAGMA cache_size").fetchone()
        return abs(int(size))

    sizes: list[int] = []

    def watch(statement: str) -> None:
        if statement.startswith("INSERT INTO by_id"):
            sizes.append(cache_of(db))

    await account.ingest(arrival(*messages(1, 5)))
    with contextlib.closing(connect(path)) as db:
        before = cache_of(db)
        db.set_trace_callback(watch)
        Index().fill(db, 10)
        assert [size > 10 * before for size in sizes] == [True]
        assert cache_of(db) == before


async def test_a_batch_touches_no_index(account: SqliteAccount, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        await account.ingest(arrival(*messages(1, 100)))
        rows = [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("by_id", "by_chat", "words")]

    assert rows == [(0,), (0,), (0,)]


async def test_duplicates_are_detected_after_indexing_and_after_a_restart(path: Path) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    batch = arrival(*messages(1, 1_000))
    assert await account.ingest(batch) == 1_000
    assert await account.ingest(batch) == 0
    await journal.close()

    for step in (0, 300, 5_000):  # Nothing indexed, a part, all.
        if step:
            with contextlib.closing(connect(path)) as db:
                Index().fill(db, step)
        journal = SqliteJournal(path)
        account = journal.account((await journal.accounts())[0])
        await account.position(OWN)
        assert await account.ingest(batch) == 0
        await journal.close()
    assert ids(await everything(await opened(SqliteJournal(path)))) == [str(number) for number in range(1, 1_001)]


async def test_a_batch_that_was_rolled_back_is_not_a_duplicate(account: SqliteAccount) -> None:
    await account.ingest(arrival(message("1")))
    unwritable = Contact(id=ContactId("@a"), nickname="\ud800")
    with pytest.raises(UnicodeEncodeError):
        await account.ingest(msgspec.structs.replace(arrival(message("2")), contacts=(unwritable,)))

    assert await account.ingest(arrival(message("2"))) == 1


WORDS = st.text(st.sampled_from("你好世界手 ab,."), min_size=1, max_size=8)


@given(st.lists(WORDS, min_size=1, max_size=12), st.integers(0, 12), WORDS)
def test_a_search_finds_what_a_scan_finds(texts: list[str], indexed: int, words: str) -> None:
    async def found(path: Path) -> list[str]:
        journal = SqliteJournal(path)
        account = await opened(journal)
        await account.ingest(arrival(*(message(number, text) for number, text in enumerate(texts, 1))))
        if indexed:
            with contextlib.closing(connect(path)) as db:
                Index().fill(db, indexed)
        entries = await account.find(EntryQuery(words=words))
        await journal.close()
        return ids(entries)

    import tempfile
    from pathlib import Path

    query = Query.of(words)
    with tempfile.TemporaryDirectory() as folder:
        expected = [str(number) for number, text in enumerate(texts, 1) if query.finds(cut(text))]
        assert asyncio.run(found(Path(folder) / "me.journal")) == expected[::-1]


async def _store(path: Path, count: int) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    await account.ingest(arrival(*messages(1, count)))
    await journal.close()


def _indexed(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT number FROM indexed").fetchone()[0])


async def test_the_times_of_whole_blocks_are_stored_also_behind_deleted_ones(
    path: Path, account: SqliteAccount
) -> None:
    await account.ingest(arrival(*(message(n, at=9_000 - n) for n in range(1, 1_100))))
    with contextlib.closing(connect(path)) as db:
        db.execute("DELETE FROM entries WHERE number < 512")
    fill(path)
    await account.ingest(arrival(*(message(n, at=9_000 + n) for n in range(1_100, 1_600))))
    fill(path)
    with contextlib.closing(connect(path)) as db:
        found = db.execute("SELECT block, earliest, latest FROM entry_blocks").fetchall()
    assert found == [(1, 9_000 - 1_023, 9_000 - 512), (2, 9_000 - 1_099, 9_000 + 1_535)]


async def test_deleted_entries_are_not_counted_with_their_blocks(path: Path, account: SqliteAccount) -> None:
    other = await opened(SqliteJournal(path), 7)
    bot = await account.consumer("bot", since="beginning")
    await account.ingest(arrival(*messages(1, 1_000), *messages(1_001, 300, ROOM)))
    await other.ingest(arrival(*messages(1, 500)))
    await account.ingest(arrival(*messages(2_001, 700)))
    await bot.close()
    fill(path)
    assert await account.purge(chats=[ROOM]) == 300
    [found] = await account.consumers()
    with contextlib.closing(connect(path)) as db:
        stored = db.execute("SELECT block, account, entries FROM entry_blocks").fetchall()
        counted = db.execute("SELECT number / 512, account, count(*) FROM entries GROUP BY 1, 2").fetchall()
    assert found.waiting == 1_701  # and a gap
    assert len(stored) > 4
    assert stored == counted[: len(stored)]
