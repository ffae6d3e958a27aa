"""Contacts that stay in the journal, and are read when they are looked up."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import OWN, arrival, message, opened

from webwx.errors import StorageError
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId, Member
from webwx.storage.sqlite.contacts import RosterCompaction
from webwx.storage.sqlite.index import Index
from webwx.storage.sqlite.journal import SqliteJournal
from webwx.storage.sqlite.schema import connect

if TYPE_CHECKING:
    from pathlib import Path

    from webwx.storage.sqlite.journal import SqliteAccount

NOW = time.time()
TOMORROW = NOW + 86_400
"""Later than any test of the run; their logins begin when the run begins."""
ANN = Contact(id=ContactId("@ann"), nickname="Ann", remark="Boss")
BEN = Contact(id=ContactId("@ben"), nickname="Ben")
ROOM = Contact(id=ContactId("@@room"), nickname="Room", kind="chatroom", members=(Member(id=BEN.id),))


@pytest.fixture
async def contacts(account: SqliteAccount) -> Contacts:
    await account.save_contacts(OWN, [ANN, BEN, ROOM])
    return Contacts(roster=await account.roster(OWN))


def on_disk(path: Path) -> bytes:
    # Read by another process: to open and close a file here would release the locks of SQLite in this process.
    return b"".join(
        subprocess.run(["cat", each], stdout=subprocess.PIPE, check=True).stdout for each in path.parent.iterdir()
    )


async def test_a_roster_can_be_read_after_the_journal_was_closed(path: Path) -> None:
    journal = SqliteJournal(path)
    account = await opened(journal)
    await account.save_contacts(OWN, [ANN])
    contacts = Contacts(roster=await account.roster(OWN))
    await journal.close()

    assert contacts.get("@ann") == ANN
    _delete(path)
    with pytest.raises(StorageError, match="does not exist any more"):
        contacts.resolve("Boss")
    with pytest.raises(StorageError, match="does not exist any more"):  # No roster was created.
        contacts.resolve("Boss")


def _delete(path: Path) -> None:
    path.unlink()


async def test_an_unreadable_file_is_an_error(contacts: Contacts, path: Path) -> None:
    assert contacts.get("@ann") == ANN
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE contacts RENAME COLUMN contact TO hidden")

    with pytest.raises(StorageError, match="cannot be read"):
        contacts.get("@ben")


async def test_unchanged_contacts_are_not_written_again(account: SqliteAccount, path: Path) -> None:
    await account.save_contacts(OWN, [ANN, BEN, ROOM])

    def numbers() -> list[tuple[str, int]]:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return db.execute("SELECT id, rowid FROM contacts ORDER BY id").fetchall()

    before = numbers()
    await account.save_contacts(OWN, [BEN, Contact(id=ANN.id, nickname="Anna"), ROOM])

    assert numbers() == before
    roster = await account.roster(OWN)
    assert [each.nickname for each in roster] == ["Anna", "Ben", "Room"], "the order of the first listing"


class TestThinning:
    """An earlier login keeps only the contacts that are not stored elsewhere."""

    NEXT = ContactId("@me-next")

    async def follow(self, account: SqliteAccount, *, at: float, is_stored: bool = True) -> None:
        await account.open_login(self.NEXT, b"", at, [])
        if is_stored:
            await account.identities.identify(self.NEXT, [], complete=True, time=at)

    async def listed(self, account: SqliteAccount, *contacts: Contact) -> None:
        await account.save_contacts(OWN, contacts)
        known = [each for each in contacts if each.kind != "stranger"]
        await account.identities.identify(OWN, known, complete=True, time=NOW)

    def compact(self, path: Path) -> None:
        compaction = RosterCompaction()
        with contextlib.closing(connect(path)) as db:
            while compaction.is_due:
                compaction.work(db)

    def left(self, path: Path) -> list[str]:
        """Return the ids of the contacts of the first login that are in the file."""
        with contextlib.closing(connect(path)) as db:
            rows = db.execute(
                "SELECT id FROM contacts JOIN logins USING (login) WHERE own_id = ? ORDER BY contacts.rowid", (OWN,)
            )
            return [each for (each,) in rows]

    async def test_a_contact_with_an_identity_is_deleted_and_still_found(
        self, account: SqliteAccount, path: Path
    ) -> None:
        stranger = Contact(id=ContactId("@eve"), nickname="Eve", kind="stranger")
        await self.listed(account, ANN, BEN, ROOM, stranger)
        await self.follow(account, at=TOMORROW)
        self.compact(path)

        assert self.left(path) == [stranger.id]
        found = {each.id: each for each in await account.people([ANN.id, BEN.id, ROOM.id, stranger.id])}
        names = {each: (contact.nickname, contact.remark, contact.kind) for each, contact in found.items()}
        assert names == {
            "@ann": ("Ann", "Boss", "friend"), "@ben": ("Ben", "", "friend"), "@@room": ("Room", "", "chatroom"),
            "@eve": ("Eve", "", "stranger"),
        }  # fmt: skip
        for name, expected in (("Boss", "@ann"), ("Ann", "@ann"), ("Room", "@@room"), ("Eve", "@eve")):
            assert await account.chats_named(name) == [expected]
        assert await account.chats_named("Unknown") == []

    async def test_a_removed_remark_is_not_shown_but_found(self, account: SqliteAccount, path: Path) -> None:
        await self.listed(account, ANN)
        await self.listed(account, Contact(id=ANN.id, nickname="Ann"))
        await self.follow(account, at=TOMORROW)
        self.compact(path)

        assert [each.display_name for each in await account.people([ANN.id])] == ["Ann"]
        assert await account.chats_named("Boss") == [ANN.id]

    async def test_chats_of_a_compacted_login_are_found_by_names_of_contacts(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await self.listed(account, ANN)
        await account.open_login(self.NEXT, b"", TOMORROW, [])
        anna = Contact(id=ContactId("@anna"), nickname="Anna", remark="Boss")
        await account.save_contacts(self.NEXT, [anna])
        await account.identities.identify(self.NEXT, [anna], complete=True, time=TOMORROW)
        self.compact(path)

        assert [each.nickname for each in await account.people([ANN.id, anna.id])] == ["Ann", "Anna"]
        assert await account.chats_named("Boss") == [anna.id, ANN.id], "newest first"
        assert await account.chats_named("Ann") == [ANN.id]

    @pytest.mark.parametrize("is_indexed", [False, True])
    async def test_a_chatroom_with_messages_keeps_its_members(
        self, account: SqliteAccount, path: Path, is_indexed: bool
    ) -> None:
        said, sent, silent = (
            Contact(id=ContactId(f"@@{name}"), nickname=name, kind="chatroom", members=ROOM.members)
            for name in ("said", "sent", "silent")
        )
        await self.listed(account, said, sent, silent)
        await account.ingest(arrival(message(1, "hello", said.id), at=NOW))
        await account.outbox.add(client_id="1", chat=sent.id, kind="text", text="x", key="", time=NOW)
        if is_indexed:
            with contextlib.closing(connect(path)) as db:
                Index().fill(db, 5_000)
        await self.follow(account, at=TOMORROW)
        self.compact(path)

        assert self.left(path) == [said.id, sent.id]
        assert [each.members for each in await account.people([silent.id])] == [()]

    @pytest.mark.parametrize("later", [1, 3_600])
    async def test_a_login_that_is_still_active_is_not_compacted(
        self, account: SqliteAccount, path: Path, later: float
    ) -> None:
        await self.listed(account, ANN)
        await account.ingest(arrival(message(1), at=TOMORROW + later))
        await self.follow(account, at=TOMORROW)
        self.compact(path)

        assert list(await account.roster(OWN)) == [ANN]

    async def test_a_login_is_not_compacted_before_the_next_one_has_a_complete_list(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await self.listed(account, ANN)
        await self.follow(account, at=TOMORROW, is_stored=False)
        self.compact(path)

        assert list(await account.roster(OWN)) == [ANN]

    async def test_an_earlier_login_has_no_roster_until_its_contacts_are_stored_again(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await self.listed(account, ANN, BEN)
        await self.follow(account, at=TOMORROW)
        self.compact(path)
        assert len(await account.roster(OWN)) == 0

        await account.save_contacts(OWN, [ANN, BEN])
        assert list(await account.roster(OWN)) == [ANN, BEN]

    async def test_compaction_is_done_in_pieces(
        self, account: SqliteAccount, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("webwx.storage.sqlite.contacts.COMPACTED", 2)
        await self.listed(account, *(Contact(id=ContactId(f"@{each}"), nickname=f"n{each}") for each in range(5)))
        await self.follow(account, at=TOMORROW)
        compaction, left = RosterCompaction(), []
        with contextlib.closing(connect(path)) as db:
            while compaction.is_due:
                compaction.work(db)
                left += db.execute("SELECT count(*) FROM contacts").fetchone()
            assert db.execute("SELECT count(*) FROM names").fetchone() == (0,)
        assert left == [3, 1, 0, 0]

    async def test_a_complete_list_lets_only_the_logins_of_its_account_be_checked(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await self.listed(account, ANN, BEN)
        await self.follow(account, at=TOMORROW)
        self.compact(path)  # also by the journal itself, which has nothing to check from here on
        compaction = RosterCompaction()
        tried: list[str] = []
        with contextlib.closing(connect(path)) as db:
            compaction.work(db)
            assert not compaction.is_due, "no login of any account has ended since"
            db.set_trace_callback(tried.append)
            compaction.look_soon(account=7)
            compaction.work(db)
            plans = [
                row[-1]
                for each in tried
                if each.startswith("SELECT")
                for row in db.execute(f"EXPLAIN QUERY PLAN {each}").fetchall()
            ]
        assert not compaction.is_due
        assert plans
        assert not [each for each in plans if each.startswith("SCAN")], plans

    async def test_a_journal_thins_a_login_once_the_next_one_is_complete(
        self, account: SqliteAccount, path: Path
    ) -> None:
        await self.listed(account, ANN, BEN)
        for day in (1, 2):  # The first time it could happen because the journal was just opened.
            await account.open_login(ContactId(f"@me-{day}"), b"", NOW + day * 86_400, [])
            await account.identities.identify(ContactId(f"@me-{day}"), [], complete=True, time=NOW + day * 86_400)
            async with asyncio.timeout(20):
                while self.left(path):  # noqa: ASYNC110 - no event announces it
                    await asyncio.sleep(0.01)
            await account.save_contacts(OWN, [ANN, BEN])

    async def test_the_bytes_of_deleted_contacts_are_gone(self, account: SqliteAccount, path: Path) -> None:
        members = (Member(id=ContactId("@secret-id"), nickname="secret member"),)
        await self.listed(account, Contact(id=ROOM.id, nickname="Room", kind="chatroom", members=members))
        await self.follow(account, at=TOMORROW)
        self.compact(path)
        await account.purge(before=1.0)  # This also copies the log into the file.

        assert b"secret member" not in on_disk(path)
