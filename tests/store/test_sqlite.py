"""The journal in a file: what goes in, how it is found, and what the file withstands."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.store.arrivals import (
    FRIEND,
    OWN,
    ROOM,
    UIN,
    arrival,
    contact_change,
    everything,
    ids,
    message,
    messages,
    opened,
)

from webwx.errors import AlreadyRunning, StorageError
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import ContinuityLost, IdentityAmbiguous, Item, event_from_item
from webwx.model.messages import TextMessage
from webwx.store.folding import FOLD_FROM
from webwx.store.schema import VERSION
from webwx.store.sqlite import SqliteAccount, SqliteJournal

if TYPE_CHECKING:
    from webwx.store.journal import Entry

pytestmark = pytest.mark.usefixtures("folds")

FIXTURES = Path(__file__).parent / "fixtures"


def gap_in(entry: Entry) -> ContinuityLost:
    assert entry.item.kind == "gap"
    return msgspec.json.decode(entry.item.raw, type=ContinuityLost)


class TestIngest:
    async def test_a_batch_and_its_position_are_stored_in_one_piece(self, account: SqliteAccount, path: Path) -> None:
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

    async def test_the_body_is_kept_as_it_came(self, account: SqliteAccount, path: Path) -> None:
        import zlib

        batch = arrival(*messages(1, 3))
        await account.ingest(batch)
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert [zlib.decompress(body) for (body,) in db.execute("SELECT body FROM batches")] == [batch.body]

    async def test_an_empty_batch_moves_the_position_alone(self, account: SqliteAccount, path: Path) -> None:
        assert await account.ingest(arrival(position=b"after")) == 0
        assert await account.position(OWN) == b"after"
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM batches").fetchone() == (0,)

    async def test_the_number_of_statements_does_not_grow_with_the_batch(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts = {}
        traced: list[str] = []
        connect = sqlite3.connect

        def tracing(*values: object, **options: object) -> sqlite3.Connection:
            db = connect(*values, **options)  # type: ignore[call-overload]  # as it was called
            db.set_trace_callback(traced.append)
            assert isinstance(db, sqlite3.Connection)
            return db

        monkeypatch.setattr(sqlite3, "connect", tracing)
        journal = SqliteJournal(path.with_name("other.journal"))
        account = await opened(journal)
        consumer = await account.consumer("bot")
        for count in (1, FOLD_FROM - 1, FOLD_FROM, 200):
            traced.clear()
            await account.ingest(arrival(*messages(1_000 * count, count)))
            counts[count] = len(traced)
            await consumer.take_waiting(1_000)
        await journal.close()

        assert counts[FOLD_FROM - 1] <= counts[1] + 1
        assert counts[200] <= counts[FOLD_FROM] + 1

    async def test_contacts_go_in_with_the_batch(self, account: SqliteAccount) -> None:
        boss = Contact(id=ContactId("@boss"), nickname="李雷", remark="Boss")
        gone = Contact(id=ContactId("@gone"), nickname="Gone")
        batch = arrival(contact_change("x"))
        await account.ingest(msgspec.structs.replace(batch, contacts=(boss, gone)))
        assert sorted(await account.contacts(OWN), key=lambda each: each.id) == [boss, gone]

        renamed = msgspec.structs.replace(boss, remark="Chief")
        await account.ingest(msgspec.structs.replace(arrival(), contacts=(renamed,), deleted=(gone.id,)))
        assert await account.contacts(OWN) == [renamed]
        assert await account.chats_named("Boss") == [boss.id], "what was said under the old name is found by it"
        assert await account.chats_named("Chief") == [boss.id]
        assert await account.chats_named("Gone") == [gone.id]

    async def test_a_time_that_nobody_told_is_that_of_the_arrival(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(contact_change("x"), message(1, at=5), at=77.5))
        assert [entry.time for entry in await everything(account)] == [77, 5]

    async def test_nothing_goes_in_before_a_login(self, journal: SqliteJournal) -> None:
        with pytest.raises(StorageError, match="before a login"):
            await journal.account(UIN).ingest(arrival(message(1)))

    async def test_a_batch_of_five_thousand_goes_in(self, account: SqliteAccount) -> None:
        assert await account.ingest(arrival(*messages(1, 5_000))) == 5_000
        assert len(await everything(account)) == 5_000


class TestDuplicates:
    async def test_a10a_a_batch_that_comes_five_times_is_stored_once(self, account: SqliteAccount) -> None:
        consumer = await account.consumer("bot")
        batch = arrival(contact_change("x"), *messages(1, 3))
        assert [await account.ingest(batch) for _ in range(5)] == [4, 0, 0, 0, 0]
        assert len(await consumer.take()) == 4
        assert await consumer.take_waiting() == []
        assert (await account.stats()).conflicts == 0

    async def test_a10b_two_messages_of_one_id_are_both_kept_and_counted(
        self, account: SqliteAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "webwx.store"):
            await account.ingest(arrival(message(1, "first")))
            assert await account.ingest(arrival(message(1, "second"), message(1, "second"))) == 1
        assert (await account.stats()).conflicts == 1
        assert len(caplog.records) == 1
        assert len(await everything(account)) == 2
        found = await account.find("1")
        assert found is not None
        assert found.number == 2, "the newest"

    @pytest.mark.parametrize("message_id", ["", "0"])
    async def test_a10c_without_an_id_the_whole_message_tells(self, account: SqliteAccount, message_id: str) -> None:
        first, second = message(message_id, "first"), message(message_id, "second")
        assert await account.ingest(arrival(first, second)) == 2
        assert await account.ingest(arrival(first, message(message_id, "third"))) == 1
        assert (await account.stats()).conflicts == 0

    async def test_a_duplicate_within_a_batch_is_one(self, account: SqliteAccount) -> None:
        assert await account.ingest(arrival(message(1), message(1), message(2))) == 2

    async def test_an_id_means_something_in_its_account_only(self, journal: SqliteJournal) -> None:
        one, two = await opened(journal, 1), await opened(journal, 2)
        assert await one.ingest(arrival(message(1))) == 1
        assert await two.ingest(arrival(message(1))) == 1

    async def test_a_change_may_come_back_to_what_it_was(self, account: SqliteAccount) -> None:
        for name in ("one", "two", "one"):
            assert await account.ingest(arrival(contact_change(name))) == 1


class TestLogins:
    async def test_a_login_that_nobody_knows_has_no_position(self, account: SqliteAccount) -> None:
        assert await account.position(ContactId("@stranger")) is None
        assert await account.position(OWN) == b"begin"

    async def test_a_new_login_leaves_a_gap_after_the_one_before(self, account: SqliteAccount) -> None:
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
        assert len(await account.contacts(new)) == 1

    async def test_the_first_login_and_the_same_again_leave_none(self, account: SqliteAccount) -> None:
        await account.open_login(OWN, b"again", time.time(), [])
        assert await everything(account) == []
        assert await account.position(OWN) == b"again"

    async def test_two_logins_of_an_account_keep_their_positions(self, journal: SqliteJournal) -> None:
        phone, web = journal.account(UIN), journal.account(UIN)
        await phone.open_login(ContactId("@phone"), b"p", 1.0, [])
        await web.open_login(ContactId("@web"), b"w", 2.0, [])
        await phone.ingest(arrival(message(1), position=b"p1"))
        await web.ingest(arrival(message(2), position=b"w1"))

        assert await phone.position(ContactId("@phone")) == b"p1"
        assert await phone.position(ContactId("@web")) == b"w1"

    async def test_accounts_are_listed_by_their_last_login(self, journal: SqliteJournal) -> None:
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

    async def test_are_entries_of_their_chat_and_leave_the_position_and_the_time_of_the_last_batch(
        self, account: SqliteAccount
    ) -> None:
        consumer = await account.consumer("bot")
        at = time.time() + 1_000
        await account.ingest(arrival(message(1), position=b"after", at=at))
        await account.add_note(OWN, self.NOTE, chat=FRIEND, time=at + 50)
        await account.open_login(ContactId("@new"), b"fresh", at + 90, [])

        _, note, gap = await consumer.take()
        assert event_from_item(note.item, OWN) == msgspec.json.decode(self.NOTE.raw, type=IdentityAmbiguous)
        assert (note.chat, note.time) == (FRIEND, int(at + 50))
        assert gap_in(gap).since == at
        assert await account.position(OWN) == b"after"

    async def test_need_a_login_that_is_known(self, account: SqliteAccount) -> None:
        with pytest.raises(StorageError):
            await account.add_note(ContactId("@stranger"), self.NOTE, chat=FRIEND, time=1.0)


class TestLookingUp:
    async def test_a14_a_message_is_found_whatever_its_age(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(message("7654321076543210765", "the original", at=1_700_000_000)))
        for first in range(1, 20_001, 2_000):
            await account.ingest(arrival(*messages(first, 2_000)))
        found = await account.find("7654321076543210765")
        assert found is not None
        event = event_from_item(found.item, found.own_id)
        assert isinstance(event, TextMessage)
        assert event.text == "the original"
        assert await account.entry(found.number) == found

    async def test_what_is_not_there_is_not_found(self, account: SqliteAccount, journal: SqliteJournal) -> None:
        await account.ingest(arrival(message(1)))
        assert await account.find("2") is None
        assert await account.find("") is None
        assert await account.entry(2) is None
        assert await journal.account(77).entry(1) is None
        assert await account.search("") == []
        assert await account.search(" ,. ") == []

    async def test_the_newest_entries_come_oldest_first(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(*(message(number, at=1_000 + number) for number in range(1, 11))))
        assert ids(await account.entries(limit=3)) == ["8", "9", "10"]
        assert ids(await account.entries(limit=3, before=8)) == ["5", "6", "7"]
        assert ids(await account.entries(since=1_004, until=1_006)) == ["4", "5", "6"]
        assert ids(await account.entries(before=1)) == []

    async def test_chats_are_told_apart(self, account: SqliteAccount) -> None:
        for number in range(1, 10):
            await account.ingest(arrival(message(number, chat=(FRIEND, ROOM, ContactId("@x"))[number % 3])))
        assert ids(await account.entries(chats=[FRIEND])) == ["3", "6", "9"]
        assert ids(await account.entries(chats=[FRIEND, ROOM], limit=4)) == ["4", "6", "7", "9"]
        assert ids(await account.entries(chats=[FRIEND, ROOM], before=7, limit=2)) == ["4", "6"]
        assert ids(await account.entries(chats=[ContactId("@nobody")])) == []

    async def test_an_export_gives_everything(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(*messages(1, 1_234)))
        assert [entry.number for entry in await everything(account)] == list(range(1, 1_235))

    async def test_people_are_known_whatever_the_login(self, account: SqliteAccount) -> None:
        await account.save_contacts(OWN, [Contact(id=ContactId("@a"), nickname="A"), Contact(id=ContactId("@b"))])
        await account.save_contacts(OWN, [Contact(id=ContactId("@c"), remark="A")], [ContactId("@b")])
        assert [each.id for each in await account.people([ContactId("@a"), ContactId("@b")])] == ["@a"]
        assert sorted(await account.chats_named("A")) == ["@a", "@c"]
        with pytest.raises(StorageError, match="does not know this login"):
            await account.save_contacts(ContactId("@stranger"), [])

    async def test_ten_thousand_contacts_go_in_and_out(self, account: SqliteAccount) -> None:
        many = [Contact(id=ContactId(f"@{number}"), nickname=f"Name {number}") for number in range(10_000)]
        await account.save_contacts(OWN, many)
        assert len(await account.contacts(OWN)) == 10_000

    async def test_what_there_is_can_be_counted(self, account: SqliteAccount) -> None:
        await account.ingest(arrival(*messages(1, 3), b'{"no": "message"}'))
        stats = await account.stats()
        assert (stats.entries, stats.batches, stats.quarantined, stats.conflicts) == (4, 1, 1, 0)
        assert stats.size > 50_000


# -- C4: poison ------------------------------------------------------------------------------------------------------

POISON = {
    "lone surrogate": rb'"\ud83d"',
    "nul": rb'"a\u0000b"',
    "raw nul": b'"a\x00b"',
    "huge number": b"9223372036854775808",
    "number of 5000 digits": b"9" * 5_000,
    "deep nesting": b"[" * 100_000,
    "balanced nesting": b"[" * 50_000 + b"]" * 50_000,
    "nan": b"NaN",
    "infinity": b"1e999",
    "broken utf-8": b'"\xff\xfe"',
    "null": b"null",
    "unclosed": b'"',
}
FIELDS = ("MsgId", "FromUserName", "ToUserName", "MsgType", "Content", "CreateTime", "Nonsense")


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_c4_whatever_a_field_holds_it_is_stored_and_the_next_message_comes(
    account: SqliteAccount, poison: bytes
) -> None:
    consumer = await account.consumer("bot")
    for field in FIELDS:
        plain = message(1, f"poison in {field}")
        good = b'"' + field.encode() + b'":'
        bad = b"{" + good + poison + b"," + plain[1:]  # a second one of its name, which rules where it is the last
        late = plain[:-1] + b"," + good + poison + b"}"
        assert await account.ingest(arrival(bad, late, message(f"next after {field}"))) >= 1
    taken: list[Entry] = []
    while more := await consumer.take_waiting():
        taken += more

    assert [entry.message_id for entry in taken if entry.message_id.startswith("next")] == [
        f"next after {field}" for field in FIELDS
    ]
    for entry in taken:
        event_from_item(entry.item, entry.own_id)
    async with asyncio.timeout(30):
        while (await account.stats()).indexed < taken[-1].number:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
    assert await account.search("poison nothing") == []


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "", "'; DROP TABLE entries; --", "😀" * 1_000])
async def test_c4_whatever_is_asked_for_is_only_a_value(account: SqliteAccount, text: str) -> None:
    await account.ingest(arrival(message(1)))
    assert await account.find(text) is None
    assert await account.search(text) == []
    assert await account.entries(chats=[ContactId(text)]) == []
    assert await account.chats_named(text) == []


# -- G10: many at once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writes", [200, pytest.param(10_000, marks=[pytest.mark.verify, pytest.mark.timeout(600)])])
async def test_g10_many_writers_and_readers_never_meet_a_lock(
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
            await account.outbox.list(limit=5)
            await account.entries(limit=5)
            reads += 1

    readers = [asyncio.ensure_future(read()) for _ in range(4)]
    await asyncio.gather(*(write(task) for task in range(8)))
    is_over = True
    await asyncio.gather(*readers)
    output, _ = await external.communicate(b"\n")

    assert external.returncode == 0
    assert len(await account.outbox.list(limit=10**6)) == 8 * writes
    with capsys.disabled():
        seconds = time.perf_counter() - begun
        print(f"\nG10: {8 * writes} writes, {reads} reads, {int(output)} outside, 0 locked, {seconds:.1f} s")


async def test_g10_two_processes_write_one_file(account: SqliteAccount, path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from webwx import SqliteJournal\n"
        "async def main():\n"
        "    outbox = SqliteJournal(sys.argv[1]).account(7).outbox\n"
        "    for number in range(100):\n"
        "        await outbox.add(client_id=str(number), chat='@a', kind='text', text='x', key='', time=1.0)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path), env=environment)
    for first in range(1, 1_001, 10):
        await account.ingest(arrival(*messages(first, 10)))
    await other.wait()

    assert other.returncode == 0
    assert len(await everything(account)) == 1_000


# -- the file --------------------------------------------------------------------------------------------------------


async def test_g_s2_whatever_is_made_is_private(journal: SqliteJournal, path: Path) -> None:
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


async def test_async_with_closes_it_and_leaves_nothing_but_the_file(path: Path) -> None:
    async with SqliteJournal(path) as journal:
        await journal.account(1).change_state("a test", lambda _: b"kept")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with pytest.raises(StorageError, match="closed"):
        await journal.account(1).state("a test")


def test_with_closes_it_and_leaves_nothing_but_the_file(path: Path) -> None:
    with SqliteJournal(path) as journal:
        asyncio.run(journal.account(1).change_state("a test", lambda _: b"kept"))
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    with pytest.raises(StorageError, match="closed"):
        asyncio.run(journal.account(1).state("a test"))


async def test_with_names_async_with_where_a_loop_runs(path: Path) -> None:
    with pytest.raises(RuntimeError, match="async with"), SqliteJournal(path):
        pass


def put(path: Path, content: bytes) -> None:
    """Write a file that is its owner's alone."""
    path.parent.mkdir(0o700)
    path.touch(0o600)
    path.write_bytes(content)


async def test_a_file_that_is_none_is_an_error_of_ours(path: Path) -> None:
    put(path, b"{}" * 4_096)
    journal = SqliteJournal(path)
    with pytest.raises(StorageError, match="not a database"):
        await opened(journal)
    with pytest.raises(StorageError, match="not a database"):
        await journal.backup(path.with_name("copy.journal"))
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    await journal.close()


async def test_the_account_s_number_is_shown_nowhere(journal: SqliteJournal) -> None:
    account = journal.account(UIN)
    assert str(UIN) not in f"{account!r} {account.outbox!r} {journal!r}"


async def test_g_r16_a_backup_during_writes_has_all_up_to_then(
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


async def test_a_backup_replaces_nothing_and_leaves_nothing_half_done(journal: SqliteJournal, path: Path) -> None:
    await opened(journal)
    target = path.with_name("copy.journal")
    target.write_text("mine")
    with pytest.raises(StorageError, match="there already"):
        await journal.backup(target)
    assert target.read_text() == "mine"
    with pytest.raises(StorageError, match="cannot be"):
        await journal.backup(target / "beyond")
    assert [each.name for each in path.parent.glob(".copy*")] == []


async def test_a_journal_can_be_deleted_when_nobody_uses_it(path: Path) -> None:
    journal, other = SqliteJournal(path), SqliteJournal(path)
    consumer = await (await opened(journal)).consumer("bot")
    with pytest.raises(AlreadyRunning):
        await other.delete()
    await consumer.close()
    await journal.delete()

    assert list(path.parent.iterdir()) == []


async def test_what_is_closed_takes_nothing_more_and_can_be_closed_again(path: Path) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    await journal.close()
    await journal.close()
    with pytest.raises(StorageError, match="closed"):
        await account.ingest(arrival(message(1)))
    assert [each.name for each in path.parent.iterdir()] == [path.name], "neither a log nor a lock is left"


class TestStates:
    async def test_something_small_is_kept_for_each_account_by_name(self, account: SqliteAccount, path: Path) -> None:
        assert await account.state("pace") == b""
        assert await account.change_state("pace", lambda before: before + b"1") == b"1"
        assert await account.change_state("pace", lambda before: before + b"2") == b"12"

        other = SqliteJournal(path)
        assert await other.account(UIN).state("pace") == b"12"
        assert await other.account(UIN).state("timers") == b""
        assert await other.account(UIN + 1).state("pace") == b""
        await other.close()

    async def test_two_journals_that_change_one_at_once_lose_nothing(self, account: SqliteAccount, path: Path) -> None:
        other = SqliteJournal(path)
        both = (account, other.account(UIN))
        await asyncio.gather(*(each.change_state("count", lambda before: before + b".") for each in both * 20))
        assert await account.state("count") == b"." * 40
        await other.close()

    async def test_what_cannot_be_made_changes_nothing(self, account: SqliteAccount) -> None:
        await account.change_state("pace", lambda _: b"good")
        with pytest.raises(ZeroDivisionError):
            await account.change_state("pace", lambda _: bytes(1 // 0))
        assert await account.state("pace") == b"good"


@pytest.mark.parametrize("version", range(1, VERSION + 1))
async def test_g_r16_a_file_of_each_version_opens_with_all_that_is_in_it(path: Path, version: int) -> None:
    put(path, (FIXTURES / f"version-{version}.journal").read_bytes())
    journal = SqliteJournal(path, retention_days=0)
    account = journal.account(UIN)

    assert await journal.accounts() == [UIN]
    assert await account.position(OWN) == b"here"
    assert ids(await everything(account)) == ["1", "2", "", "3"]
    assert ids(await account.search("好")) == ["1"]
    assert ids(await account.entries(chats=[ROOM])) == ["2"]
    found = await account.find("3")
    assert found is not None
    assert bytes(found.item.raw) == message("3", "still in the tail" + ", and folded" * (version > 3))
    assert await account.ingest(arrival(message("1", "你好世界"), message("4"))) == 1
    assert [contact.remark for contact in await account.contacts(OWN)] == ["Boss"]
    assert await account.chats_named("Boss") == [ContactId("@boss")]
    sent = await account.outbox.get(key="daily")
    assert sent is not None
    assert (sent.state, sent.text, sent.receipt is not None) == ("sent", "text 1", True)
    consumer = await account.consumer("bot")
    assert [(entry.number, entry.redelivered) for entry in await consumer.take()] == [(2, True), (4, False), (5, False)]
    assert [letter.entry.number for letter in await account.dead_letters("bot")] == [3]
    if version > 1:
        kept = await account.kept.find("1")
        assert (await account.state("pace"), kept and kept.state) == (b"{}", "too_large")
        assert [identity.name for identity in await account.ledger.identities()] == ["Boss"]
    await journal.close()
