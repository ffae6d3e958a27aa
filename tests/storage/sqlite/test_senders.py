"""Sends in the file: stored before they are transmitted, never repeated, never lost."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Literal

import pytest
from tests.failing_disk import FailingDisk
from tests.storage.arrivals import FRIEND, UIN

from webwx.errors import StorageError
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.storage.lookup import find_send
from webwx.storage.refusals import ChangeRefused
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal
from webwx.storage.tables.outbox import SendQuery

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.tables.outbox import Outgoing

NOW = int(time.time()) + 0.123456
"""Recent, because old sends are deleted."""


async def added(
    account: SqliteAccount, client_id: str, key: str = "", chat: ContactId = FRIEND, at: float = NOW
) -> Outgoing:
    return await account.outbox.add(
        client_id=client_id, chat=chat, kind="text", text=f"text {client_id}", key=key, time=at
    )


def receipt(client_id: str, message_id: str = "77") -> Receipt:
    return Receipt(message_id=message_id, client_id=client_id, chat=FRIEND, time=NOW)


async def test_a_send_is_stored_completely_before_it_is_transmitted(account: SqliteAccount, path: Path) -> None:
    row = await added(account, "17", key="daily")
    other = SqliteJournal(path)  # What another process would find if this one died here.

    assert (row.state, row.client_id, row.key, row.chat, row.text) == ("queued", "17", "daily", FRIEND, "text 17")
    assert (row.created_at, row.changed_at, row.receipt) == (NOW, NOW, None)
    assert await find_send(other.account(UIN).outbox, key="daily") == row
    assert repr(row) == "Outgoing(1, text, queued)"
    await other.close()


async def test_the_cost_of_a_send_with_a_key_does_not_grow_with_the_outbox(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, connect = 0, sqlite3.connect

    def step() -> None:
        nonlocal steps
        steps += 1

    def counting(*values: object, **options: object) -> sqlite3.Connection:
        db = connect(*values, **options)  # type: ignore[call-overload]  # as it was called
        db.set_progress_handler(step, 10)
        assert isinstance(db, sqlite3.Connection)
        return db

    async def cost(account: SqliteAccount, number: int) -> int:
        nonlocal steps
        steps = 0
        row = await added(account, f"new {number}", key=f"new key {number}")
        assert await added(account, "again", key=row.key) == row
        assert await find_send(account.outbox, key=row.key) == row
        return steps

    monkeypatch.setattr(sqlite3, "connect", counting)
    journal = SqliteJournal(path.with_name("other.journal"))
    account = journal.account(UIN)
    await added(account, "first", key="first key")
    few = await cost(account, 1)
    for number in range(200):
        await added(account, f"other {number}", key=f"other key {number}")
    many = await cost(account, 2)
    await journal.close()

    assert many < 2 * few


# -- what cannot be stored -------------------------------------------------------------------------------------------


async def state_of(account: SqliteAccount, number: int) -> str:
    send = await find_send(account.outbox, number=number)
    assert send is not None
    return send.state


@pytest.mark.parametrize("outcome", ["sent", "failed", "unknown", "queued"])
async def test_outcome_that_cannot_be_stored_is_kept_and_stored_later(
    disk: FailingDisk,
    path: Path,
    outcome: Literal["sent", "failed", "unknown", "queued"],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with SqliteJournal(path, retention_days=0) as journal:
        account = journal.account(UIN)
        row = await account.outbox.add(
            client_id="1", chat=FRIEND, kind="text", text="x", key="", time=NOW, state="sending"
        )
        disk.fails = "before"
        given = receipt("1") if outcome == "sent" else None
        await account.outbox.settle(row.number, outcome, time=NOW + 1, receipt=given, begun_at=NOW)
        with pytest.raises(StorageError, match="disk I/O error"):
            await added(account, "2")
        assert "it is kept, and stored as soon as that is possible" in caplog.text

        disk.fails = ""
        await added(account, "3")
        assert outcome == await state_of(account, row.number)


async def test_waiting_for_outcomes_is_an_error_as_long_as_they_cannot_be_stored(disk: FailingDisk, path: Path) -> None:
    async with SqliteJournal(path, retention_days=0) as journal:
        outbox = journal.account(UIN).outbox
        row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=NOW, state="sending")
        disk.fails = "before"
        await outbox.settle(row.number, "sent", time=NOW + 1, receipt=receipt("1"), begun_at=NOW)
        for _ in range(2):
            with pytest.raises(StorageError, match="disk I/O error"):
                await outbox.flush()
        assert [send.state for send in await outbox.find(SendQuery())] == ["sending"]

        disk.fails = ""
        await outbox.flush()
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT state FROM outbox").fetchall() == [("sent",)]


async def test_receipt_that_was_never_stored_is_read_by_the_next_process_from_the_lock_file(
    disk: FailingDisk, path: Path
) -> None:
    async with SqliteJournal(path, retention_days=0) as journal:
        outbox = journal.account(UIN).outbox
        row = await outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=NOW, state="sending")
        disk.fails = "before"
        await outbox.settle(row.number, "sent", time=NOW + 1, receipt=receipt("1"), begun_at=NOW)
    disk.fails = ""
    async with SqliteJournal(path, retention_days=0) as journal:
        assert await state_of(journal.account(UIN), row.number) == "sent"


@pytest.mark.parametrize("how", ["add", "sending"])
async def test_begin_that_may_have_been_stored_is_undone(disk: FailingDisk, path: Path, how: str) -> None:
    async with SqliteJournal(path, retention_days=0) as journal:
        account = journal.account(UIN)
        queued = await added(account, "1")
        disk.fails = "after"
        begin = (
            account.outbox.add(client_id="2", chat=FRIEND, kind="text", text="x", key="", time=NOW, state="sending")
            if how == "add"
            else account.outbox.sending(queued.number, NOW, FRIEND)
        )
        with pytest.raises(StorageError, match="disk I/O error"):
            await begin
        disk.fails = ""
        await added(account, "3")
        assert {send.state for send in await account.outbox.find(SendQuery())} == {"queued"}


async def test_client_id_of_another_send_undoes_nothing(account: SqliteAccount) -> None:
    for is_first in (True, False):
        with nullcontext() if is_first else pytest.raises(ChangeRefused):
            await account.outbox.add(
                client_id="1", chat=FRIEND, kind="text", text="x", key="", time=NOW, state="sending"
            )
    await added(account, "2")
    assert await state_of(account, 1) == "sending"


# -- what a dead process leaves --------------------------------------------------------------------------------------

SENDER = """
import asyncio, sys
from webwx import SqliteJournal

async def main():
    outbox = SqliteJournal(sys.argv[1], retention_days=0).account(int(sys.argv[2])).outbox
    for number, state in enumerate(("queued", "sending", "sent"), 1):
        row = await outbox.add(client_id=f"9{number}", chat="@friend", kind="text", text="x", key=state, time=1.0)
        if state != "queued":
            await outbox.sending(row.number, 1.0, row.chat)
        if state == "sent":
            await outbox.settle(row.number, "sent", time=1.0)
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["add", "get", "remove"])
async def test_the_first_reader_sees_that_the_outcome_is_unknown(account: SqliteAccount, path: Path, how: str) -> None:
    row = await added(account, "1", key="daily")
    await account.outbox.sending(row.number, NOW, FRIEND)
    other = SqliteJournal(path)
    outbox = other.account(UIN).outbox
    for lock in path.parent.glob(".*sender*"):  # As if the process had died, and another had deleted its lock file.
        lock.unlink()

    match how:
        case "add":
            assert (await added(other.account(UIN), "2", key="daily")).state == "unknown"
        case "get":
            found = await find_send(outbox, number=row.number)
            assert found is not None
            assert found.state == "unknown"
        case "remove":
            assert await outbox.remove(row.number) is True
    await other.close()


KILLED = """
import asyncio, os, signal, sys
from webwx import ContactId, Receipt, SqliteJournal

async def main():
    journal = SqliteJournal(sys.argv[1], retention_days=0)
    for uin in (1, 2):
        outbox = journal.account(uin).outbox
        await outbox.add(client_id="lost", chat="@friend", kind="text", text="x", key="lost", time=1.0, state="sending")
        for number in range(int(sys.argv[2])):
            row = await outbox.add(
                client_id=str(number), chat="@friend", kind="text", text="x", key=str(number), time=1.0, state="sending"
            )
            receipt = Receipt(message_id=str(number), client_id=row.client_id, chat=ContactId("@friend"), time=1.0)
            await outbox.settle(row.number, "sent", time=1.0, receipt=receipt)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there, an outcome is stored before it is returned")
@pytest.mark.parametrize("count", [1, 1_000])
async def test_an_outcome_that_is_not_stored_yet_survives_a_kill(path: Path, count: int) -> None:
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(path), str(count))
    await killed.wait()
    async with SqliteJournal(path) as journal:
        for uin in (1, 2):
            outbox = journal.account(uin).outbox
            found = await outbox.find(SendQuery(key=str(count - 1)))
            assert [(row.state, row.receipt and row.receipt.message_id) for row in found] == [("sent", str(count - 1))]
            assert (await outbox.count()).get("sending", 0) == 0
        assert [row.state for row in await outbox.find(SendQuery(key="lost"))] == ["unknown"]
    assert list(path.parent.glob(".*sender*")) == []


async def test_a_lookup_by_key_waits_for_no_outcome(account: SqliteAccount) -> None:
    row = await account.outbox.add(
        client_id="1", chat=FRIEND, kind="text", text="x", key="daily", time=NOW, state="sending"
    )
    await account.outbox.settle(row.number, "sent", time=NOW, receipt=receipt("1"))
    found = await find_send(account.outbox, key="daily")
    assert found is not None
    assert (found.state, found.receipt) == ("sent", receipt("1"))


async def test_an_outcome_that_is_not_stored_yet_comes_before_every_later_change(account: SqliteAccount) -> None:
    row = await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=NOW, state="sending")
    await account.outbox.settle(row.number, "sent", time=NOW, receipt=receipt("1"), begun_at=NOW)
    assert not await account.outbox.move_to_background(row.number)
    assert await account.outbox.remove(row.number)


async def test_lock_files_of_dead_processes_are_removed_by_the_next_writer(path: Path) -> None:
    for _ in range(3):
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SENDER, str(path), str(UIN + 1), stdout=asyncio.subprocess.PIPE
        )
        assert other.stdout is not None
        await other.stdout.readline()
        other.kill()
        await other.wait()
    living = SqliteJournal(path)
    row = await added(living.account(UIN), "1")
    await living.account(UIN).outbox.sending(row.number, NOW, FRIEND)
    assert len(list(path.parent.glob(".*sender*"))) == 1, "the lock file of the open journal"
    async with SqliteJournal(path) as journal:
        await added(journal.account(UIN), "2")
        assert [row.state for row in await journal.account(UIN).outbox.find(SendQuery())] == ["queued", "sending"]
    await living.close()
    assert list(path.parent.glob(".*sender*")) == []


async def test_closing_marks_sends_in_flight_as_unknown(path: Path) -> None:
    journal = SqliteJournal(path)
    row = await added(journal.account(UIN), "1")
    await journal.account(UIN).outbox.sending(row.number, NOW, FRIEND)
    await journal.close()
    journal = SqliteJournal(path)

    assert [row.state for row in await journal.account(UIN).outbox.find(SendQuery())] == ["unknown"]
    assert list(path.parent.glob(".*sender*")) == []
    await journal.close()
