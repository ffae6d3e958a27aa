"""Appending: one statement for all accounts, fenced by the lock of each account's row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.storage.arrivals import FRIEND, OWN, ROOM, arrival, everything, ids, message, messages, opened

from webwx.storage.bodies import pack
from webwx.storage.cursors import read_accounts
from webwx.storage.entries import EntryQuery
from webwx.storage.leases import ClusterMember
from webwx.storage.postgres.database import SETTINGS
from webwx.storage.postgres.entries import APPEND_ALL, APPEND_ONE, LONG, vector_of
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.refusals import Fence, NotOwner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import TemporarySchema

verify = pytest.mark.verify


@pytest.fixture
async def journal(schema: TemporarySchema) -> AsyncIterator[PostgresJournal]:
    async with PostgresJournal(schema.url) as journal:
        yield journal


class Ownership:
    """The epochs under which a process believes to own its accounts."""

    def __init__(self) -> None:
        self.epoch = 1

    def fence(self, account: int) -> Fence:
        return Fence(account=account, epoch=self.epoch)


@verify
async def test_a_process_whose_account_was_taken_over_stores_nothing(schema: TemporarySchema) -> None:
    old = Ownership()
    async with PostgresJournal(schema.url, member=ClusterMember(worker="a", fence=old.fence, timeout=30)) as journal:
        account = await opened(journal, 1)
        await account.ingest(arrival(*messages(1, 2)))
        schema.execute("UPDATE accounts SET epoch = 2")

        for change in (
            account.ingest(arrival(*messages(3, 2))),
            account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0, state="sending"),
            account.change_state("pace", lambda _: b"1"),
            account.open_login(OWN, b"again", 2.0, []),
            account.purge(chats=[FRIEND]),
        ):
            with pytest.raises(NotOwner):
                await change
        assert ids(await everything(account)) == ["1", "2"]
        old.epoch = 2
        assert await account.ingest(arrival(*messages(3, 2))) == 2


@verify
async def test_a_refused_account_does_not_hold_up_its_neighbours(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        accounts = [await opened(journal, uin) for uin in range(1, 6)]
        schema.execute("UPDATE accounts SET epoch = 2 WHERE account = 3")
        results = await asyncio.gather(
            *(account.ingest(arrival(*messages(1, 2))) for account in accounts), return_exceptions=True
        )
    assert [isinstance(each, NotOwner) for each in results] == [False, False, True, False, False]
    assert [each for each in results if isinstance(each, int)] == [2, 2, 2, 2]


async def _until_it_waits(
    statement: asyncio.Future[object], connection: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    """Wait until a statement waits for a lock, or is done."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = $1"
    while not statement.done() and not await observer.fetchval(waits, connection.get_server_pid()):  # noqa: ASYNC110 - no event announces it
        await asyncio.sleep(0.01)


async def _append(connection: asyncpg.Connection, statement: str, login: int) -> object:
    """Append a message to account 1, whose epoch is 1."""
    columns = ([1], [0], [0], [0], [0], [7], [1], ["1"], ["@a"], [b"{}"], [None], [False])
    return await connection.fetch(statement, [1], [1], [login], [b"stale"], [1.0], [None], [pack(b"body")], *columns)


async def _rows_after_a_takeover(schema: TemporarySchema, statement: str) -> int:
    """Run an append that waits for a takeover of its account, and return the number of rows that it has stored."""
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
    one, other = [await asyncpg.connect(schema.url) for _ in range(2)]
    login = await one.fetchval("SELECT login FROM logins")
    takeover = other.transaction()
    await takeover.start()
    await other.execute("UPDATE accounts SET epoch = 2 WHERE account = 1")
    append = asyncio.ensure_future(_append(one, statement, login))
    await _until_it_waits(append, one, other)
    await takeover.commit()
    await append
    stored: int = await one.fetchval("SELECT count(*) FROM entries")
    for connection in (one, other):
        await connection.close()
    return stored


@verify
async def test_an_append_that_waits_for_a_takeover_is_refused(schema: TemporarySchema) -> None:
    assert await _rows_after_a_takeover(schema, APPEND_ONE) == 0


@verify
async def test_a_fence_that_locks_nothing_would_let_the_append_through(schema: TemporarySchema) -> None:
    without_lock = APPEND_ONE.replace("FOR NO KEY UPDATE OF a", "")
    assert without_lock != APPEND_ONE
    assert await _rows_after_a_takeover(schema, without_lock) == 1


@verify
async def test_an_account_that_is_locked_is_appended_once_it_is_free(
    schema: TemporarySchema, journal: PostgresJournal
) -> None:
    busy, free = [await opened(journal, uin) for uin in (1, 2)]
    holder = await asyncpg.connect(schema.url)
    lock = holder.transaction()
    await lock.start()
    await holder.execute("SELECT FROM accounts WHERE account = 1 FOR UPDATE")
    waiting = asyncio.ensure_future(busy.ingest(arrival(*messages(1, 2))))
    for first in (1, 3):
        assert await free.ingest(arrival(*messages(first, 2))) == 2
    assert not waiting.done()
    await lock.rollback()
    assert await waiting == 2
    await holder.close()


@verify
async def test_two_processes_that_store_the_same_messages_at_once_store_each_once(schema: TemporarySchema) -> None:
    journals = [PostgresJournal(schema.url) for _ in range(3)]
    accounts = [await opened(journal, 1) for journal in journals]
    for first in range(1, 60, 3):
        stored = await asyncio.gather(*(account.ingest(arrival(*messages(first, 5))) for account in accounts))
        assert sum(stored) == (5 if first == 1 else 3)
    found = await everything(accounts[0])

    assert [entry.number for entry in found] == list(range(1, len(found) + 1)), "no gap"
    assert len(set(ids(found))) == len(found)
    for journal in journals:
        await journal.close()


@verify
async def test_a_cursor_with_a_number_for_each_account_sees_what_commits_late_and_one_over_a_sequence_does_not(
    schema: TemporarySchema, journal: PostgresJournal
) -> None:
    _, other = [await opened(journal, uin) for uin in (1, 2)]
    schema.execute("ALTER TABLE entries ADD COLUMN place bigint GENERATED ALWAYS AS IDENTITY")
    late, reader = [await asyncpg.connect(schema.url) for _ in range(2)]
    place, accounts, cursor, seen = 0, set[int](), "", set[int]()

    async def read() -> None:
        nonlocal place, cursor
        for row in await reader.fetch("SELECT account, place FROM entries WHERE place > $1 ORDER BY place", place):
            accounts.add(row["account"])
            place = row["place"]
        page = await read_accounts(journal, [1, 2], cursor=cursor)
        seen.update(uin for uin, _ in page.entries)
        cursor = page.cursor

    async with late.transaction():
        await _append(late, APPEND_ONE, await reader.fetchval("SELECT login FROM logins WHERE account = 1"))
        await other.ingest(arrival(*messages(1, 1)))
        await read()
    await read()

    assert seen == {1, 2}
    assert accounts == {2}
    for connection in (late, reader):
        await connection.close()


@verify
async def test_a_cursor_over_several_accounts_misses_nothing_while_they_are_appended(schema: TemporarySchema) -> None:
    journals = [PostgresJournal(schema.url) for _ in range(2)]
    accounts = [await opened(journals[uin % 2], uin) for uin in range(1, 7)]

    async def append(account: object, uin: int) -> None:
        for first in range(1, 60, 2):
            await accounts[uin - 1].ingest(arrival(*messages(first, 2)))

    work = asyncio.gather(*(append(account, uin) for uin, account in enumerate(accounts, 1)))
    cursor, seen = "", dict[int, list[int]]()
    while True:
        is_last = work.done()
        page = await read_accounts(journals[0], range(1, 7), cursor=cursor)
        for uin, entry in page.entries:
            seen.setdefault(uin, []).append(entry.number)
        cursor = page.cursor
        if is_last and not page.entries:
            break
    await work
    assert seen == {uin: list(range(1, 61)) for uin in range(1, 7)}
    for journal in journals:
        await journal.close()


@verify
async def test_a_text_with_more_tokens_than_an_index_has_positions_is_found(journal: PostgresJournal) -> None:
    account = await opened(journal, 1)
    long = " ".join(f"w{number}" for number in range(20_000))
    texts = {1: long, 2: "好" * 400 + "坏蛋", 3: "x" * 3_000, 4: "w7 w9"}
    await account.ingest(arrival(*(message(number, text) for number, text in texts.items())))

    async def found(words: str) -> list[str]:
        return ids(await account.find(EntryQuery(words=words)))

    assert await found("w19998") == ["1"]
    assert await found("坏蛋") == ["2"]
    assert await found("蛋坏") == []
    assert await found("x" * 2_900) == ["3"]
    assert await found("x" * 3_001) == []
    assert await found("w9") == ["4", "1"]


def test_a_vector_has_positions_unless_there_are_too_many() -> None:
    assert vector_of(["你", "好"]) == ("'你':1 '好':2", 0)
    assert vector_of([]) == (None, 0)
    assert vector_of(["a", "b"] * 300) == ("'a' 'b'", LONG)
    assert vector_of(["x" * 600]) == (f"'{'x' * 500}'", LONG)


def test_only_an_append_for_several_accounts_skips_locked_ones() -> None:
    assert "SKIP LOCKED" in APPEND_ALL
    assert "SKIP LOCKED" not in APPEND_ONE


@verify
@pytest.mark.parametrize("statement", [APPEND_ALL, APPEND_ONE])
async def test_an_append_never_reads_the_whole_table_of_entries(schema: TemporarySchema, statement: str) -> None:
    async with PostgresJournal(schema.url) as journal:
        await journal.accounts()  # creates the tables, whose statistics are those of empty ones
    connection = await asyncpg.connect(schema.url, server_settings=SETTINGS)
    try:
        await connection.execute(f"PREPARE append AS {statement}")
        plan = await connection.fetch(f"EXPLAIN EXECUTE append ({', '.join(['NULL'] * 19)})")
    finally:
        await connection.close()
    scans = [line for (line,) in plan if " on entries " in line]
    assert scans
    assert not [line for line in scans if "Seq Scan" in line]


@verify
async def test_the_times_of_whole_blocks_are_stored_also_behind_deleted_ones(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        await account.ingest(arrival(*(message(n, at=9_000 - n) for n in range(1, 1_100))))
        schema.execute("DELETE FROM entries WHERE number < 512")
        await account.ingest(arrival(*(message(n, at=9_000 + n) for n in range(1_100, 1_600))))
    found = schema.execute("SELECT block || ' ' || earliest || ' ' || latest FROM entry_blocks ORDER BY block")
    assert found.splitlines() == [f"1 {9_000 - 1_023} {9_000 - 512}", f"2 {9_000 - 1_099} {9_000 + 1_535}"]


@verify
async def test_deleted_entries_are_not_counted_with_their_blocks(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        bot = await account.consumer("bot", since="beginning")
        await account.ingest(arrival(*messages(1, 1_000), *messages(1_001, 300, ROOM)))
        await account.ingest(arrival(*messages(2_001, 700)))
        await bot.close()
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        assert await account.purge(chats=[ROOM]) == 300
        [found] = await account.consumers()
    stored = schema.execute("SELECT block || ' ' || entries FROM entry_blocks ORDER BY block").splitlines()
    per_block = "SELECT number / 512 || ' ' || count(*) FROM entries GROUP BY number / 512 ORDER BY number / 512"
    counted = schema.execute(per_block)
    assert found.waiting == 1_701  # and a gap
    assert len(stored) > 2
    assert stored == counted.splitlines()[: len(stored)]
