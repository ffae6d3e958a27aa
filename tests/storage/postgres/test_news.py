"""News of entries and sends: announced, and found by readers that missed the announcement of an entry."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.client.virtual_loop import run_with_virtual_clock
from tests.postgres import new_schema
from tests.storage.arrivals import FRIEND, arrival, messages, opened

from webwx.storage.leases import NEWS_DELAY, ClusterMember, StorageNews
from webwx.storage.postgres import news as postgres_news
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.news import changed_heads, entries_of, moved, payloads, sends_of, written
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.refusals import Fence

if TYPE_CHECKING:
    from tests.postgres import TemporarySchema

verify = pytest.mark.verify

MEMBER = ClusterMember("a", lambda account: Fence(account=account, epoch=1), 5)


@verify
async def test_a_reader_learns_of_the_entries_of_a_worker_by_its_announcement(schema: TemporarySchema) -> None:
    listener = await asyncpg.connect(schema.url)
    received: asyncio.Queue[dict[int, int]] = asyncio.Queue()
    await listener.add_listener(f"webwx {schema.name}", lambda *notice: received.put_nowait(entries_of(notice[-1])))
    async with PostgresJournal(schema.url, member=MEMBER) as worker, PostgresJournal(schema.url) as reader:
        accounts = [await opened(worker, uin) for uin in (1, 2)]
        news = moved(reader.database)
        first = asyncio.ensure_future(anext(news))
        seen = dict[int, int]()
        await asyncio.gather(*(account.ingest(arrival(*messages(1, 3))) for account in accounts))
        seen |= (await first).entries
        while seen != {1: 3, 2: 3}:
            seen |= (await anext(news)).entries
        announced: dict[int, int] = {}
        while announced != {1: 3, 2: 3}:
            announced |= await received.get()
        await news.aclose()
    await listener.close()


@verify
async def test_a_background_send_is_announced_by_its_own_transaction(schema: TemporarySchema) -> None:
    listener = await asyncpg.connect(schema.url)
    received: list[set[int]] = []
    await listener.add_listener(f"webwx-sends {schema.name}", lambda *notice: received.append(sends_of(notice[-1])))
    async with PostgresJournal(schema.url) as journal:
        for uin in (7, 8):  # the first send of an account without a row creates the row
            account = journal.account(uin)
            for key in ("a", "a", "b"):
                await account.outbox.add(
                    client_id=f"{key}{len(received)}", chat=FRIEND, kind="text", text="hi", key=key, time=0,
                    background=True,
                )  # fmt: skip
                await listener.fetchval("SELECT 1")
        assert received == [{7}, {7}, {8}, {8}]
        storage = PostgresStorage(schema.url)
        assert sorted(await storage.background_sends()) == [7, 8]
        await journal.account(7).outbox.end_background()
        assert list(await storage.background_sends()) == [8]
        await storage.close()
    await listener.close()


@verify
async def test_an_announcement_reaches_a_reader_long_before_its_next_look(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_news, "NEWS_DELAY", 3600.0)
    async with PostgresJournal(schema.url, member=MEMBER) as worker, PostgresJournal(schema.url) as reader:
        account = await opened(worker, 1)
        await account.ingest(arrival(*messages(1, 1)))
        news = moved(reader.database)
        assert (await anext(news)).entries == {1: 1}
        await account.ingest(arrival(*messages(2, 1)))
        async with asyncio.timeout(30):
            assert (await anext(news)).entries == {1: 2}
        await news.aclose()


@verify
def test_a_reader_finds_entries_that_were_not_announced_within_a_second() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        schema = new_schema()
        async with PostgresJournal(schema.url) as silent, PostgresJournal(schema.url) as reader:
            account = await opened(silent, 7)
            news = moved(reader.database)
            following = asyncio.ensure_future(anext(news))
            await asyncio.sleep(NEWS_DELAY / 2)
            began = loop.time()
            await account.ingest(arrival(*messages(1, 1)))
            assert await following == ({7: 1}, set())
            assert loop.time() - began <= NEWS_DELAY
            await news.aclose()

    run_with_virtual_clock(work)


@verify
def test_a_reader_goes_on_after_its_database_was_unreachable() -> None:
    async def work() -> None:
        schema = new_schema()
        async with PostgresJournal(schema.url, member=MEMBER) as worker, PostgresJournal(schema.url) as reader:
            account = await opened(worker, 7)
            news = moved(reader.database)
            following = asyncio.ensure_future(anext(news))
            await asyncio.sleep(NEWS_DELAY)
            await asyncio.to_thread(schema.end_sessions)
            await asyncio.sleep(3 * NEWS_DELAY)
            await asyncio.to_thread(schema.allow_sessions)
            await account.ingest(arrival(*messages(1, 1)))
            assert await following == ({7: 1}, set())
            await news.aclose()

    run_with_virtual_clock(work)


@verify
async def test_only_heads_of_accounts_that_have_changed_are_read_and_a_late_commit_is_not_missed(
    schema: TemporarySchema,
) -> None:
    async with PostgresJournal(schema.url) as journal:
        accounts = {uin: await opened(journal, uin) for uin in range(1, 21)}
        for account in accounts.values():
            await account.ingest(arrival(*messages(1, 1)))
        late, reader = [await asyncpg.connect(schema.url) for _ in range(2)]
        heads, horizon = await changed_heads(reader, "")
        assert heads == dict.fromkeys(accounts, 1)
        while heads:  # until transactions of the server itself have ended
            heads, horizon = await changed_heads(reader, horizon)

        async with late.transaction():
            await late.execute("UPDATE accounts SET last_number = 9 WHERE account = 20")
            await accounts[7].ingest(arrival(*messages(2, 1)))
            heads, horizon = await changed_heads(reader, horizon)
            assert (heads[7], 20 in heads and heads[20] == 9) == (2, False)
            heads, horizon = await changed_heads(reader, horizon)
        heads, _ = await changed_heads(reader, horizon)
        assert heads[20] == 9
        for each in (late, reader):
            await each.close()


@verify
async def test_news_end_without_an_error_after_their_journal_was_closed(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 7)
        await account.ingest(arrival(*messages(1, 1)))
        news = moved(journal.database)
        assert await anext(news) == ({7: 1}, set())
    following = asyncio.ensure_future(anext(news))
    await asyncio.sleep(0)
    following.cancel()
    await asyncio.wait([following])
    assert following.cancelled()


@verify
async def test_changed_sends_are_announced_to_all_readers_by_any_process(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url, member=MEMBER) as worker, PostgresJournal(schema.url) as other:
        await (await opened(worker, 1)).ingest(arrival(*messages(1, 1)))
        readers = [moved(journal.database) for journal in (worker, other)]
        for reader in readers:
            assert await anext(reader) == ({1: 1}, set())
        for journal, account in ((other, 1), (worker, 2)):
            following = [asyncio.ensure_future(anext(reader)) for reader in readers]
            await journal.announce_sends(account)
            assert await asyncio.gather(*following) == [({}, {account})] * 2
        for reader in readers:
            await reader.aclose()


@verify
async def test_sends_are_announced_once_the_database_is_reachable_again(schema: TemporarySchema) -> None:
    heard = asyncio.Event()
    listener = await asyncpg.connect(f"postgresql://postgres@/postgres?{schema.cluster.place}")
    await listener.add_listener(f"webwx-sends {schema.name}", lambda *_: heard.set())
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
        await asyncio.to_thread(schema.end_sessions)
        await journal.announce_sends(1)
        await asyncio.sleep(0.2)  # meanwhile it was tried
        assert not heard.is_set()
        await asyncio.to_thread(schema.allow_sessions)
        async with asyncio.timeout(60):
            await heard.wait()
    await listener.close()


@verify
async def test_each_change_of_a_send_is_announced_and_changes_of_a_moment_together(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal, PostgresJournal(schema.url) as reader:
        account = await opened(journal, 1)
        await account.ingest(arrival(*messages(1, 1)))
        news = moved(reader.database)
        await anext(news)
        outbox = account.outbox
        send = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="", key="k", time=1)
        assert await anext(news) == ({}, {1})
        await outbox.add(client_id="2", chat=FRIEND, kind="text", text="", key="k", time=2)  # this stores nothing
        assert await outbox.sending(send.number, 3, FRIEND)
        await outbox.settle(send.number, "sent", time=4, begun_at=3)
        assert await anext(news) == ({}, {1})
        await outbox.settle(send.number, "recalled", time=5)
        assert await anext(news) == ({}, {1})
        await news.aclose()


@verify
async def test_a_session_listens_for_sends_only_while_somebody_asks(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_news, "_LISTEN_FOR", 0.5)
    monkeypatch.setattr(postgres_news, "NEWS_DELAY", 0.01)
    listening = (
        "SELECT count(*) FROM pg_stat_activity"
        f" WHERE usename = '{schema.name}' AND query LIKE '%AS horizon%' AND pid <> pg_backend_pid()"
    )
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
        for _ in range(2):
            before = journal.fingerprint(1)
            async with asyncio.timeout(60):
                while journal.fingerprint(1) == before:  # noqa: ASYNC110 - it depends on another thread
                    await asyncio.sleep(0.01)
                while (await asyncio.to_thread(schema.execute, listening)).strip() != "0":  # noqa: ASYNC110 - it depends on another thread
                    await asyncio.sleep(0.01)


@verify
async def test_sends_that_were_not_announced_are_found_after_an_interruption(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        await opened(journal, 1)
        before = journal.fingerprint(1)
        async with asyncio.timeout(60):
            while (connected := journal.fingerprint(1)) == before:  # noqa: ASYNC110 - it depends on another thread
                await asyncio.sleep(0.01)
            await asyncio.to_thread(schema.end_sessions)
            await asyncio.to_thread(schema.allow_sessions)
            while journal.fingerprint(1) == connected:  # noqa: ASYNC110 - it depends on another thread
                await asyncio.sleep(0.01)


@verify
async def test_a_worker_listens_for_no_sends_of_others_because_it_makes_those_of_its_accounts(
    schema: TemporarySchema,
) -> None:
    async with PostgresJournal(schema.url, member=MEMBER) as worker:
        assert worker.fingerprint(1) is None


@verify
async def test_the_sends_of_many_accounts_are_announced(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal, PostgresJournal(schema.url) as reader:
        await (await opened(journal, 1)).ingest(arrival(*messages(1, 1)))
        news = moved(reader.database)
        await anext(news)
        accounts, seen = {10**15 + number for number in range(1_000)}, set[int]()
        await asyncio.gather(*map(journal.announce_sends, accounts))
        while seen != accounts:
            seen |= (await anext(news)).sends
        await news.aclose()


def test_announcements_of_many_accounts_are_split() -> None:
    news = StorageNews({account: account * 10**9 for account in range(1, 3_000)}, set(range(1, 3_000)))
    entries, sends = (list(payloads(parts)) for parts in written(news))
    assert min(len(entries), len(sends)) > 1
    assert max(map(len, [*entries, *sends])) < 8_000
    assert {account: number for part in entries for account, number in entries_of(part).items()} == news.entries
    assert set().union(*map(sends_of, sends)) == news.sends
    assert list(payloads([])) == []


@verify
async def test_a_reader_that_ends_while_its_session_is_opened_leaves_no_session(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        await journal.accounts()
        news = moved(journal.database)
        reading = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0)  # it has asked for a session
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{schema.name}'"
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(schema.execute, sessions)).strip() != "0":
            pass
