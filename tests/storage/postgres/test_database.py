"""The connections: a restart of the server, errors, and unfinished jobs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from tests.relay import Relay
from tests.storage.arrivals import FRIEND, OWN, arrival, everything, ids, messages, opened

from webwx.errors import AlreadyRunning, StorageError
from webwx.model.messages import Receipt
from webwx.storage.account_folder import LoginName
from webwx.storage.leases import ClusterMember
from webwx.storage.open import is_any_at_work
from webwx.storage.postgres import database
from webwx.storage.postgres.journal import PostgresJournal
from webwx.storage.postgres.storage import PostgresStorage
from webwx.storage.refusals import Fence

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from tests.postgres import TemporarySchema

    from webwx.storage.postgres.journal import PostgresAccount

verify = pytest.mark.verify


@verify
async def test_after_a_crash_of_the_server_the_journal_goes_on_by_itself(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOOK_EVERY", 0.01)
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        await account.ingest(arrival(*messages(1, 3)))
        consumer = await account.consumer("bot")
        assert len(await consumer.take()) == 3
        schema.server.stop()
        for number in (1, 3):
            consumer.ack(number)
        with pytest.raises(StorageError, match="cannot be written"):
            await account.ingest(arrival(*messages(4, 1)))
        with pytest.raises(StorageError, match="cannot be written"):
            await consumer.flush()
        with pytest.raises(StorageError, match="cannot be read"):
            await account.state("pace")
        with pytest.raises(StorageError, match="cannot be written"):
            await account.consumer("other")
        with pytest.raises(StorageError, match="cannot be written"):
            await account.outbox.sending(1, 1.0, FRIEND)
        schema.server.start()

        assert await account.ingest(arrival(*messages(4, 1))) == 1
        await consumer.flush()
        async with PostgresJournal(schema.url) as other:
            with pytest.raises(AlreadyRunning):
                await other.account(1).consumer("bot")
        await consumer.close()
        reopened = await account.consumer("bot")
        assert ids(await reopened.take()) == ["2", "4"]


@verify
async def test_a_server_that_answers_no_more_is_left_for_the_next_one_of_the_url(schema: TemporarySchema) -> None:
    socket = schema.server.socket
    with Relay(socket) as one, Relay(socket) as two:
        member = ClusterMember("a", lambda account: Fence(account=account, epoch=1), timeout=2.0)
        async with PostgresJournal(schema.url_through(one, two), member=member) as journal:
            account = await opened(journal, 1)
            await asyncio.gather(*(account.state(str(number)) for number in range(database.MOST_CONNECTIONS)))
            consumer = await account.consumer("bot")
            await journal.database.run(lambda: journal.database.locks.take(2))
            one.cut()
            with pytest.raises(StorageError, match="no answer within 2 seconds"):
                await account.ingest(arrival(*messages(1, 1)))
            with pytest.raises(StorageError, match="no answer within 2 seconds"):
                await journal.database.run(lambda: journal.database.locks.take(1))  # these have their own connection
            # Without a limit of its own, the driver would wait for the lost server's answer to a cancelled statement.
            async with asyncio.timeout(60):
                assert await account.ingest(arrival(*messages(2, 1))) == 1
                assert ids(await consumer.take()) == ["2"]
                assert await journal.database.run(lambda: journal.database.locks.take(1))


@verify
async def test_a_statement_that_is_not_answered_in_time_closes_its_own_connection_only(schema: TemporarySchema) -> None:
    member = ClusterMember("a", lambda account: Fence(account=account, epoch=1), timeout=2.0)
    sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'webwx a'"

    async def open_all(account: PostgresAccount) -> set[str]:
        await asyncio.gather(*(account.state(str(number)) for number in range(database.MOST_CONNECTIONS)))
        return set((await asyncio.to_thread(schema.execute, sessions)).split())

    async with PostgresJournal(schema.url, member=member) as journal:
        account = await opened(journal, 1)
        before = await open_all(account)
        locking = await asyncpg.connect(schema.url)
        await locking.execute("BEGIN; SELECT FROM accounts FOR UPDATE")
        with pytest.raises(StorageError, match="no answer within 2 seconds"):
            await account.change_state("pace", lambda before: before + b"1")
        await locking.close()
        assert len(before - await open_all(account)) <= 1


FIELDS = b"SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
LAST_MESSAGE = b"E" + (4 + len(FIELDS)).to_bytes(4) + FIELDS


async def test_a_session_whose_end_the_server_has_announced_is_replaced(schema: TemporarySchema) -> None:
    with Relay(schema.server.socket) as relay:
        async with PostgresJournal(schema.url_through(relay)) as journal:
            account = await opened(journal, 1)
            consumer = await account.consumer("bot")

            relay.say(LAST_MESSAGE)
            assert await account.state("a") == b""
            with pytest.raises(StorageError, match="cannot be written: the connection was lost"):
                await account.consumer("other")  # its lock is in a session of its own
            await account.consumer("other")

            relay.say(LAST_MESSAGE)
            with pytest.raises(StorageError, match="cannot be written: the connection was lost"):
                await account.ingest(arrival(*messages(1, 1)))
            assert await account.ingest(arrival(*messages(1, 1))) == 1
            assert ids(await consumer.take()) == ["1"]


@verify
async def test_a_send_of_a_process_whose_connection_was_lost_is_not_settled_by_others(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOOK_EVERY", 0.01)
    async with PostgresJournal(schema.url) as journal, PostgresJournal(schema.url) as other:
        outbox = journal.account(1).outbox
        row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0, state="sending")
        schema.server.stop()
        schema.server.start()
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        while not schema.execute(held).startswith("1"):  # noqa: ASYNC110 - no event announces it
            await asyncio.sleep(0.01)

        assert await other.account(1).outbox.count() == {"sending": 1}
        await outbox.settle(row.number, "sent", time=2.0)
        assert await other.account(1).outbox.count() == {"sent": 1}


@verify
@pytest.mark.parametrize("what", ["outcome", "begin"])
async def test_outcome_that_cannot_be_stored_is_kept_and_stored_later(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(database, "LOOK_EVERY", 0.01)
    with Relay(schema.server.socket) as relay:
        member = ClusterMember("a", lambda account: Fence(account=account, epoch=1), timeout=1.0)
        async with PostgresJournal(schema.url_through(relay), member=member) as journal:
            outbox = (await opened(journal, 1)).outbox
            row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0, state="sending")
            relay.cut()
            if what == "outcome":
                receipt = Receipt(message_id="7", client_id="1", chat=FRIEND, time=2.0)
                await outbox.settle(row.number, "sent", time=2.0, receipt=receipt, begun_at=1.0)
            else:
                await outbox.settle(row.number, "queued", time=2.0, begun_at=1.0)
                with pytest.raises(StorageError):
                    await outbox.sending(row.number, 3.0, FRIEND)
            assert schema.execute("SELECT state FROM outbox").strip() == "sending"
            relay.mend()
            async with asyncio.timeout(60):
                while schema.execute("SELECT state FROM outbox").strip() == "sending":  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.01)
    assert schema.execute("SELECT state FROM outbox").strip() == ("sent" if what == "outcome" else "queued")


@verify
async def test_waiting_for_outcomes_is_an_error_as_long_as_they_cannot_be_stored(schema: TemporarySchema) -> None:
    with Relay(schema.server.socket) as relay:
        member = ClusterMember("a", lambda account: Fence(account=account, epoch=1), timeout=1.0)
        async with PostgresJournal(schema.url_through(relay), member=member) as journal:
            outbox = (await opened(journal, 1)).outbox
            row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0, state="sending")
            relay.cut()
            await outbox.settle(row.number, "sent", time=2.0, begun_at=1.0)
            with pytest.raises(StorageError):
                await outbox.flush()
            relay.mend()
            await outbox.flush()
            assert schema.execute("SELECT state FROM outbox").strip() == "sent"


@verify
async def test_an_error_shows_neither_the_password_nor_a_stored_value(schema: TemporarySchema) -> None:
    url = schema.url.replace("@/", ":hunter2@/")
    async with PostgresJournal(url) as journal:
        account = await opened(journal, 1)
        await account.outbox.add(client_id="secret-id", chat=FRIEND, kind="text", text="x", key="", time=1.0)
        with pytest.raises(StorageError) as caught:
            await account.outbox.add(client_id="secret-id", chat=FRIEND, kind="text", text="x", key="", time=1.0)

    assert "hunter2" not in f"{journal!r} {caught.value}"
    assert "secret-id" not in str(caught.value)


async def test_a_server_that_does_not_exist_is_named_in_the_error() -> None:
    async with PostgresJournal("postgresql://me:hunter2@/wx?host=/nowhere") as journal:
        with pytest.raises(StorageError, match="The journal in the database 'wx' on /nowhere cannot be read") as caught:
            await journal.accounts()
    assert "hunter2" not in str(caught.value)


@verify
async def test_a_virtual_clock_waits_for_unfinished_jobs(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        while is_any_at_work():  # noqa: ASYNC110 - a job ends a moment after its caller has the result
            await asyncio.sleep(0)
        storing = asyncio.ensure_future(account.ingest(arrival(*messages(1, 1))))
        await asyncio.sleep(0)
        assert is_any_at_work()
        await storing
    assert not is_any_at_work()


@verify
async def test_a_call_that_is_cancelled_is_stored_all_the_same(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        account = await opened(journal, 1)
        storing = asyncio.ensure_future(account.ingest(arrival(*messages(1, 2))))
        await asyncio.sleep(0)
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)
    async with PostgresJournal(schema.url) as journal:
        account = journal.account(1)
        await account.position(OWN)
        assert ids(await everything(account)) == ["1", "2"]


@verify
async def test_a_cancelled_call_leaves_no_lock_behind(schema: TemporarySchema) -> None:
    storage = PostgresStorage(schema.url, passphrase="three words long")
    name = LoginName("one", "filehelper")
    login, journal = storage.login(name), storage.journal(name)
    account = await opened(journal, 1)

    async def sync(has_begun: asyncio.Event) -> None:
        async with login.syncing():
            has_begun.set()
            await asyncio.Event().wait()

    async def consume(has_begun: asyncio.Event) -> None:
        consumer = await account.consumer("bot")
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await consumer.close()

    async def is_free(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> bool:
        has_begun = asyncio.Event()
        tasks = [asyncio.ensure_future(work(has_begun)), asyncio.ensure_future(has_begun.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return has_begun.is_set()

    for work in (sync, consume):
        for steps in range(40):  # some of them are in the middle of taking the lock
            task = asyncio.ensure_future(work(asyncio.Event()))
            for _ in range(steps * 20):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(60):
            while not await is_free(work):
                pass
    await storage.close()


@verify
async def test_a_change_that_waits_for_the_creation_of_the_account_locks_it_afterwards(schema: TemporarySchema) -> None:
    async with PostgresJournal(schema.url) as journal:
        await journal.accounts()  # creates the tables
    async with contextlib.AsyncExitStack() as closing:
        creating, changing, looking = [
            await database.open_connection(schema.url, {"application_name": "test"}, 60.0) for _ in range(3)
        ]
        for connection in (creating, changing, looking):
            closing.push_async_callback(connection.close)
        creation = creating.transaction()
        await creation.start()
        await database.hold_any(creating, 1)
        await changing.execute("BEGIN")
        waiting = asyncio.ensure_future(database.hold_any(changing, 1))
        while not await looking.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass
        await creation.commit()
        await waiting
        with pytest.raises(asyncpg.LockNotAvailableError):
            await looking.execute("SELECT true FROM accounts WHERE account = 1 FOR NO KEY UPDATE NOWAIT")


@verify
async def test_the_password_is_taken_from_the_password_file_and_no_error_shows_it(
    schema: TemporarySchema, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    schema.server.require_password(schema.name, "Gx7pQ2kLw")
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))

    async def accounts(url: str) -> list[int]:
        async with PostgresJournal(url) as journal:
            return await journal.accounts()

    wrong = schema.url.replace("@", ":wr0ngOne@", 1)
    with pytest.raises(StorageError, match="password authentication failed") as refused:
        await accounts(wrong)
    assert "wr0ngOne" not in f"{refused.value}{refused.value.__cause__}"
    file.write_text(f"*:*:*:{schema.name}:Gx7pQ2kLw\n")
    assert await accounts(schema.url) == []


@verify
async def test_an_invalid_parameter_of_the_url_is_an_error_without_the_url(schema: TemporarySchema) -> None:
    async with PostgresJournal(f"{schema.url}&sslmode=Gx7pQ2kLw") as journal:
        with pytest.raises(StorageError, match="a parameter of the URL") as refused:
            await journal.accounts()
    assert "Gx7pQ2kLw" not in str(refused.value)
