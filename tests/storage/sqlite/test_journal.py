"""The journal in a file: what is stored, how it is found, and which failures the file survives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import (
    FRIEND,
    OWN,
    ROOM,
    UIN,
    arrival,
    everything,
    ids,
    message,
    messages,
    opened,
)

from webwx.errors import AlreadyRunning, StorageError
from webwx.model.contacts import Contact, ContactId
from webwx.storage.bodies import unpack
from webwx.storage.entries import EntryQuery
from webwx.storage.locks import make_private
from webwx.storage.lookup import find_message, find_send
from webwx.storage.sqlite import threads
from webwx.storage.sqlite.journal import SqliteAccount, SqliteJournal
from webwx.storage.sqlite.schema import FORMER
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.outbox import SendQuery
from webwx.storage.tables.timers import TimerQuery

if TYPE_CHECKING:
    pass

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of the statements that journals run which are opened later."""
    traced: list[str] = []
    connect = sqlite3.connect

    def tracing(*values: object, **options: object) -> sqlite3.Connection:
        db = connect(*values, **options)  # type: ignore[call-overload]  # as it was called
        db.set_trace_callback(traced.append)
        assert isinstance(db, sqlite3.Connection)
        return db

    monkeypatch.setattr(sqlite3, "connect", tracing)
    return traced


async def test_a_login_and_its_identities_are_one_transaction(statements: list[str], journal: SqliteJournal) -> None:
    ann = Contact(id=FRIEND, nickname="Ann")
    account = journal.account(UIN)
    assert await account.position(OWN) is None
    await account.open_login(OWN, b"begin", 0, [ann], complete=True)
    assert await account.identities.find(IdentityQuery(name="Ann"))

    transactions = [each for each in "\n".join(statements).split("COMMIT") if "CREATE TABLE" not in each]
    assert sum("INSERT" in each for each in transactions) == 1


async def test_what_is_stored_survives_a_power_failure_by_default(
    statements: list[str], journal: SqliteJournal
) -> None:
    await opened(journal)
    assert {each for each in statements if "synchronous =" in each} == {"PRAGMA synchronous = FULL"}


async def test_a_connection_is_closed_if_the_senders_cannot_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqliteJournal(path) as journal:
        await opened(journal)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE outbox RENAME COLUMN sender TO hidden")
    path.with_name(f".{path.name}.sender-dead").touch(0o600)
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*values: object, **options: object) -> sqlite3.Connection:
        connections.append(connect(*values, **options))  # type: ignore[call-overload]  # as it was called
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    async with SqliteJournal(path) as journal:
        with pytest.raises(StorageError, match="no such column"):
            await opened(journal)
    assert connections
    for each in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            each.execute("SELECT 1")


class TestIngest:
    async def test_a_batch_and_its_position_are_stored_in_one_transaction(
        self, account: SqliteAccount, path: Path
    ) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TRIGGER stop BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'stop'); END")
            with pytest.raises(StorageError):
                await account.ingest(arrival(message(1), position=b"after"))
            assert await account.position(OWN) == b"begin"
            assert db.execute("SELECT count(*) FROM batches").fetchone() == (0,)
            db.execute("DROP TRIGGER stop")

        assert await account.ingest(arrival(message(1), position=b"after")) == 1
        assert await account.position(OWN) == b"after"
        assert ids(await everything(account)) == ["1"]

    async def test_the_body_is_stored_unchanged(self, account: SqliteAccount, path: Path) -> None:
        batch = arrival(*messages(1, 3))
        await account.ingest(batch)
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert [unpack(body) for (body,) in db.execute("SELECT body FROM batches")] == [batch.body]

    async def test_the_number_of_statements_does_not_grow_with_the_batch(
        self, statements: list[str], journal: SqliteJournal
    ) -> None:
        counts = {}
        account = await opened(journal)
        consumer = await account.consumer("bot")
        for count in (1, 20, 200):
            statements.clear()
            await account.ingest(arrival(*messages(1_000 * count, count)))
            counts[count] = len(statements)
            await consumer.take(1_000)

        assert counts[20] <= counts[1] + 1
        assert counts[200] <= counts[1] + 1


@pytest.fixture
def soon_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the time after which a journal is idle to a few milliseconds."""
    monkeypatch.setattr(threads, "IDLE", 0.01)
    monkeypatch.setattr(threads, "LOOK_EVERY", 0.01)


async def idle() -> None:
    """Return once all journals are idle, which ends their threads."""
    for thread in threading.enumerate():
        if thread.name in {"webwx journal", "webwx journal reader"}:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()


@pytest.mark.usefixtures("soon_idle")
async def test_an_idle_journal_recognises_messages_that_another_process_has_stored(
    account: SqliteAccount, path: Path
) -> None:
    async with SqliteJournal(path) as other:
        for number in range(1, 6):
            assert await account.ingest(arrival(message(number))) == 1
            await idle()
            assert await (await opened(other)).ingest(arrival(message(100 + number))) == 1
            assert await account.ingest(arrival(message(100 + number))) == 0


@pytest.mark.usefixtures("soon_idle")
async def test_the_file_of_an_idle_journal_is_not_created_again_when_it_is_missing(
    account: SqliteAccount, path: Path
) -> None:
    await account.ingest(arrival(message(1)))
    path.unlink()
    await idle()

    with pytest.raises(StorageError, match="does not exist any more"):
        await account.find(EntryQuery())
    assert not path.exists()


# -- concurrency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writes", [200, pytest.param(10_000, marks=[pytest.mark.verify, pytest.mark.timeout(600)])])
async def test_many_writers_and_readers_never_fail_because_of_a_lock(
    account: SqliteAccount, path: Path, writes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    program = (
        "import sqlite3, sys, time\n"
        "db = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "reads = 0\n"
        "print('ready', flush=True)\n"
        "import select\n"
        "while not select.select([sys.stdin], [], [], 0)[0]:\n"
        "    db.execute('SELECT count(*), max(number) FROM outbox').fetchone(); reads += 1; time.sleep(0.001)\n"
        "print(reads, flush=True)\n"
    )
    external = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert external.stdout is not None
    await external.stdout.readline()
    begun, is_over, reads = time.perf_counter(), False, 0

    async def write(task: int) -> None:
        for number in range(writes):
            row = await account.outbox.add(
                client_id=f"{task}.{number}", chat=FRIEND, kind="text", text="x", key="", time=1.0
            )
            assert row.state == "queued"

    async def read() -> None:
        nonlocal reads
        while not is_over:
            await account.outbox.find(SendQuery(limit=5))
            await account.find(EntryQuery(limit=5))
            reads += 1

    readers = [asyncio.ensure_future(read()) for _ in range(4)]
    await asyncio.gather(*(write(task) for task in range(8)))
    is_over = True
    await asyncio.gather(*readers)
    output, _ = await external.communicate(b"\n")

    assert external.returncode == 0
    assert len(await account.outbox.find(SendQuery(limit=10**6))) == 8 * writes
    with capsys.disabled():
        seconds = time.perf_counter() - begun
        print(f"\nG10: {8 * writes} writes, {reads} reads, {int(output)} outside, 0 locked, {seconds:.1f} s")


# -- the file --------------------------------------------------------------------------------------------------------


async def test_every_new_file_is_private(journal: SqliteJournal, path: Path) -> None:
    before = os.umask(0)
    try:
        account = await opened(journal)
        await account.ingest(arrival(message(1)))
        await account.consumer("bot")
        await account.outbox.add(client_id="1", chat=FRIEND, kind="text", text="x", key="", time=1.0)
        await account.outbox.sending(1, 1.0, FRIEND)
        await journal.backup(path.with_suffix(".backup"))
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert len(modes) >= 6
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_async_with_closes_the_journal_and_leaves_only_its_file(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        await journal.account(1).change_state("a test", lambda _: b"kept")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with pytest.raises(StorageError, match="closed"):
        await journal.account(1).state("a test")


def test_with_closes_the_journal_and_leaves_only_its_file(path: Path) -> None:
    with SqliteJournal(path) as journal:
        asyncio.run(journal.account(1).change_state("a test", lambda _: b"kept"))
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with pytest.raises(StorageError, match="closed"):
        asyncio.run(journal.account(1).state("a test"))


async def test_with_in_a_running_loop_is_an_error_that_names_async_with(path: Path) -> None:
    with pytest.raises(RuntimeError, match="async with"), SqliteJournal(path):
        pass


def put(path: Path, content: bytes) -> None:
    """Write a private file."""
    path.parent.mkdir(0o700)
    path.touch(0o600)
    path.write_bytes(content)


async def test_a_file_that_is_not_a_journal_is_a_storage_error(path: Path) -> None:
    put(path, b"{}" * 4_096)
    journal = SqliteJournal(path)
    with pytest.raises(StorageError, match="not a database"):
        await opened(journal)
    with pytest.raises(StorageError, match="not a database"):
        await journal.backup(path.with_name("copy.journal"))
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    await journal.close()


async def test_a_backup_during_writes_has_all_earlier_entries(
    account: SqliteAccount, journal: SqliteJournal, path: Path
) -> None:
    target = path.with_name("copy.journal")
    stored = 0
    is_over = False

    async def write() -> None:
        nonlocal stored
        while not is_over:
            await account.ingest(arrival(*messages(stored + 1, 50)))
            stored += 50

    writing = asyncio.ensure_future(write())
    while stored < 500:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    before = stored
    await journal.backup(target)
    is_over = True
    await writing
    copy = SqliteJournal(target)
    numbers = [entry.number for entry in await everything(copy.account(UIN))]
    await copy.close()

    assert len(numbers) >= before
    assert numbers == list(range(1, len(numbers) + 1))
    with contextlib.closing(sqlite3.connect(target)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_backup_reports_its_progress_and_is_one_snapshot_beside_a_writer(
    journal: SqliteJournal, path: Path
) -> None:
    account = await opened(journal)
    await account.ingest(arrival(*messages(1, 50)))
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("CREATE TABLE filler (content)")
        writer.execute("INSERT INTO filler VALUES (zeroblob(20000000))")
        writer.commit()
    reported: list[tuple[int, int]] = []

    def write_meanwhile(done: int, whole: int) -> None:
        reported.append((done, whole))
        if len(reported) > 3:  # a copy that begins again ends, too
            return
        with contextlib.closing(sqlite3.connect(path)) as writer:
            writer.execute("INSERT INTO filler VALUES (1)")
            writer.commit()

    target = path.with_name("copy.journal")
    await journal.backup(target, write_meanwhile)
    done = [each for each, _ in reported]
    assert len(done) > 2
    assert done == sorted(set(done))  # a copy that began again would report less
    assert len({whole for _, whole in reported}) == 1
    assert reported[-1][0] == reported[-1][1] == target.stat().st_size
    with contextlib.closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM filler").fetchone() == (1,)


async def test_a_backup_replaces_no_file_and_leaves_no_incomplete_one(journal: SqliteJournal, path: Path) -> None:
    await opened(journal)
    target = path.with_name("copy.journal")
    target.write_text("mine")
    with pytest.raises(StorageError, match="already exists"):
        await journal.backup(target)
    assert target.read_text() == "mine"
    with pytest.raises(StorageError, match="cannot be"):
        await journal.backup(target / "beyond")
    assert [each.name for each in path.parent.glob(".copy*")] == []


async def test_a_backup_of_a_damaged_journal_names_the_journal_and_the_remedy(path: Path) -> None:
    make_private(path)
    path.write_bytes(b"no journal" * 10_000)
    target = path.with_name("copy.journal")
    with pytest.raises(StorageError, match=f"The journal {path} cannot be read: .*put a backup in its place"):
        await SqliteJournal(path).backup(target)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


async def test_a_journal_can_be_deleted_when_it_is_not_in_use(path: Path) -> None:
    journal, other = SqliteJournal(path), SqliteJournal(path)
    account = await opened(journal)
    consumer = await account.consumer("bot")
    with pytest.raises(AlreadyRunning):
        await other.delete()
    await consumer.close()
    await journal.delete()

    assert list(path.parent.iterdir()) == []
    with pytest.raises(StorageError, match="closed"):
        await account.stats()


async def test_a_closed_journal_refuses_calls_and_can_be_closed_again(path: Path) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    await journal.close()
    await journal.close()
    with pytest.raises(StorageError, match="closed"):
        await account.ingest(arrival(message(1)))
    assert [each.name for each in path.parent.iterdir()] == [path.name], "no log and no lock file is left"


@pytest.mark.parametrize("version", [FORMER])
async def test_a_file_of_each_version_opens_with_all_its_rows(path: Path, version: int) -> None:
    put(path, (FIXTURES / f"version-{version}.journal").read_bytes())
    journal = SqliteJournal(path, retention_days=0)
    account = journal.account(UIN)

    assert await journal.accounts() == [UIN]
    assert await account.position(OWN) == b"here"
    assert ids(await everything(account)) == ["1", "2", "", "3"]
    assert ids(await account.find(EntryQuery(words="好"))) == ["1"]
    assert ids(await account.find(EntryQuery(chats=(ROOM,)))) == ["2"]
    found = await find_message(account, "3")
    assert found is not None
    assert bytes(found.item.raw) == message("3", "still in the tail")
    assert await account.ingest(arrival(message("1", "你好世界"), message("4"))) == 1
    assert [contact.remark for contact in list(await account.roster(OWN))] == ["Boss"]
    assert await account.chats_named("Boss") == [ContactId("@boss")]
    sent = await find_send(account.outbox, key="daily")
    assert sent is not None
    assert (sent.state, sent.text, sent.receipt is not None) == ("sent", "text 1", True)
    consumer = await account.consumer("bot")
    assert [(entry.number, entry.redelivered) for entry in await consumer.take()] == [(2, True), (4, False), (5, False)]
    assert [letter.entry.number for letter in await account.dead_letters("bot")] == [3]
    kept = await account.media.find("1")
    assert (await account.state("pace"), kept and kept.state) == (b"{}", "too_large")
    assert [identity.name for identity in await account.identities.find(IdentityQuery())] == ["Boss"]
    timers = await account.timers.find(TimerQuery(bot="bot"))
    assert [(timer.name, timer.due_at) for timer in timers] == [("tea", 1_764_000_060.0)]
    await journal.close()
