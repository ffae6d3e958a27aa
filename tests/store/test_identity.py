"""The ledger in the file: a number stays with who it was given to, whatever a login calls them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.model.crowd import Crowd, mistakes

from webwx.errors import RefusedLocally, StorageError, UnknownContact
from webwx.model.contacts import Contact, ContactId, Member
from webwx.model.ledger import Identified, Identity
from webwx.store.identity import SqliteLedger
from webwx.store.schema import APPLICATION, MIGRATIONS, connect
from webwx.store.sqlite import SqliteAccount, SqliteJournal
from webwx.store.writer import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

NOW = float(int(time.time()))
DAY = 86_400.0
FILEHELPER = Contact(id=ContactId("filehelper"), nickname="文件传输助手", kind="builtin")


class Phone:
    """An account whose every login has new ids."""

    def __init__(self, account: SqliteAccount) -> None:
        self.account = account
        self.login = 0

    async def log_in(self, at: float = NOW) -> None:
        self.login += 1
        await self.account.open_login(self.own_id, b"", at, [])

    @property
    def own_id(self) -> ContactId:
        return ContactId(f"@me-{self.login}")

    def id(self, name: str, login: int = 0) -> ContactId:
        return ContactId(f"{'@@' if name.startswith('room') else '@'}{name}-{login or self.login}")

    def shown(self, name: str, **changes: Any) -> Contact:
        """Give what this login shows of somebody."""
        fields: dict[str, Any] = {
            "id": self.id(name), "nickname": name, "avatar": zlib.crc32(name.encode()), "region": "广东 深圳"
        }  # fmt: skip
        return Contact(**(fields | changes))

    def room(self, name: str, *members: str, **changes: Any) -> Contact:
        listed = tuple(Member(id=self.id(each), nickname=each) for each in members)
        return self.shown(name, kind="chatroom", members=listed, avatar=0, region="", **changes)

    async def tell(self, *contacts: Contact, complete: bool = True, at: float = NOW) -> dict[ContactId, Identified]:
        found = await self.account.ledger.identify(self.own_id, contacts, complete=complete, time=at)
        return {each.contact_id: each for each in found}

    async def number(self, name: str, login: int = 0) -> int:
        found = await self.account.ledger.identity_of(self.id(name, login))
        assert found is not None
        return found.number

    async def identity(self, number: int) -> Identity:
        found = await self.account.ledger.identity(number)
        assert found is not None
        return found


@pytest.fixture
def phone(journal: SqliteJournal) -> Phone:
    return Phone(journal.account(1))


@pytest.fixture
async def relogin(phone: Phone) -> Phone:
    """Give a phone in its second login, where nobody has changed but Bob, who is gone."""
    await phone.log_in(NOW - DAY)
    await phone.tell(*map(phone.shown, ("ann", "bob", "cid")), FILEHELPER, at=NOW - DAY)
    await phone.log_in()
    await phone.tell(*map(phone.shown, ("ann", "cid")), FILEHELPER)
    return phone


class TestIdentify:
    async def test_c15_a_number_stays_with_somebody_over_logins(self, relogin: Phone) -> None:
        for name in ("ann", "cid"):
            assert await relogin.number(name, login=1) == await relogin.number(name, login=2)
        assert len({await relogin.number(name, login=1) for name in ("ann", "bob", "cid")}) == 3

    async def test_an_identity_says_where_it_is_now(self, relogin: Phone) -> None:
        ann = await relogin.identity(await relogin.number("ann"))
        assert ann == Identity(
            number=ann.number, kind="person", name="ann", contact_id=relogin.id("ann"), confidence=ann.confidence,
            first_seen=NOW - DAY, last_seen=NOW,
        )  # fmt: skip
        bob = await relogin.identity(await relogin.number("bob", login=1))
        assert (bob.contact_id, bob.last_seen) == ("", NOW - DAY)

    async def test_all_ids_are_given_the_newest_first(self, relogin: Phone) -> None:
        ids = await relogin.account.ledger.contact_ids(await relogin.number("ann"))
        assert ids == [relogin.id("ann", 2), relogin.id("ann", 1)]

    async def test_why_tells_the_reasons_of_each_link(self, relogin: Phone) -> None:
        newest, first = await relogin.account.ledger.why(await relogin.number("ann"))
        assert [("matched", relogin.own_id), ("seen", "@me-1")] == [(each.by, each.own_id) for each in (newest, first)]
        assert "avatar" in {reason.what for reason in newest.reasons if reason.agrees}
        assert newest.confidence < 1

    async def test_the_same_contacts_in_another_order_wait_for_nobody_who_writes(
        self, relogin: Phone, path: Path
    ) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            assert await relogin.tell(FILEHELPER, *map(relogin.shown, ("cid", "ann"))) == {}

    async def test_whoever_is_told_of_twice_at_once_gets_one_number(self, relogin: Phone) -> None:
        newcomers = [relogin.shown(f"new {number}") for number in range(20)]
        found = await asyncio.gather(*(relogin.tell(*newcomers, complete=False) for _ in range(5)))
        assert {each.id for each in newcomers} == {each for some in found for each in some}
        assert sum(map(len, found)) == len(newcomers)

    async def test_who_is_linked_stays_so_under_any_name(self, relogin: Phone) -> None:
        number = await relogin.number("ann")
        changed = relogin.shown("ann", nickname="Queen of Hearts", avatar=7, region="北京 海淀")
        assert await relogin.tell(changed, relogin.shown("cid"), FILEHELPER) == {}
        assert (await relogin.identity(number)).name == "Queen of Hearts"
        await relogin.log_in()
        found = await relogin.tell(
            relogin.shown("ann", nickname="Queen of Hearts", avatar=7, region="北京 海淀", remark="Annie"),
            relogin.shown("ann2", nickname="ann"),
        )
        assert found[relogin.id("ann2")].number != number

    async def test_c15_a_stranger_who_took_the_name_gets_a_number_of_their_own(self, relogin: Phone) -> None:
        bob = await relogin.number("bob", login=1)
        found = await relogin.tell(relogin.shown("bob", avatar=699_999_999, region="上海"), complete=False)
        assert found[relogin.id("bob")].number not in {0, bob}

    async def test_c15_who_looks_like_somebody_who_is_there_is_somebody_else(self, relogin: Phone) -> None:
        twin = relogin.shown("ann", id=relogin.id("twin"), remark="Annie")
        await relogin.tell(relogin.shown("ann", remark="Annie"), complete=False)
        found = await relogin.tell(twin, complete=False)
        assert (found[twin.id].by, found[twin.id].number == await relogin.number("ann")) == ("seen", False)

    async def test_c15_who_may_be_somebody_is_a_new_one_and_said_to_be(self, relogin: Phone) -> None:
        bob = await relogin.number("bob", login=1)
        found = (await relogin.tell(relogin.shown("bob", avatar=0), complete=False))[relogin.id("bob")]
        assert (found.by, found.candidates) == ("ambiguous", (bob,))
        (link,) = await relogin.account.ledger.why(found.number)
        assert (link.by, link.candidates) == ("ambiguous", (bob,))

    async def test_c15_nobody_is_judged_before_all_contacts_were_told(self, relogin: Phone) -> None:
        number = await relogin.number("ann")
        await relogin.log_in()
        first = await relogin.tell(relogin.shown("ann", avatar=0), complete=False)
        assert [("waiting", 0, (number,))] == [(each.by, each.number, each.candidates) for each in first.values()]
        assert await relogin.account.ledger.identity_of(relogin.id("ann")) is None
        namesake, herself = (
            relogin.shown("ann", avatar=0),
            relogin.shown("ann-too", nickname="ann", avatar=relogin.shown("ann").avatar),
        )
        found = await relogin.tell(namesake, herself)
        assert found[herself.id].number == number
        assert found[namesake.id].number not in {0, number}

    async def test_a_chatroom_waits_until_its_members_are_known(self, phone: Phone) -> None:
        await phone.log_in()
        people = ("ann", "bob", "cid", "dan")
        await phone.tell(*map(phone.shown, people), phone.room("room", *people))
        await phone.log_in()
        number = await phone.number("room", login=1)
        found = await phone.tell(*map(phone.shown, people), phone.room("room"))
        assert (found[phone.id("room")].by, found[phone.id("room")].candidates) == ("waiting", (number,))
        found = await phone.tell(phone.room("room", *people), complete=False)
        assert (found[phone.id("room")].by, found[phone.id("room")].number) == ("matched", number)

    async def test_a_chatroom_is_known_by_its_members_whatever_they_are_called(self, phone: Phone) -> None:
        await phone.log_in()
        people = [phone.shown(name, remark=f"{name} remarked") for name in ("ann", "bob", "cid", "dan")]
        await phone.tell(*people, phone.room("room", "ann", "bob", "cid", "dan"))
        await phone.log_in()
        people = [
            phone.shown(name, remark=f"{name} remarked", nickname=f"{name} renamed")
            for name in ("ann", "bob", "cid", "dan")
        ]
        room = phone.room("room", nickname="another name")
        members = tuple(Member(id=each.id, nickname=each.nickname) for each in people)
        found = await phone.tell(*people, Contact(id=room.id, nickname="room", kind="chatroom", members=members))
        assert found[room.id].number == await phone.number("room", login=1)

    async def test_an_id_that_never_changes_has_one_number_for_ever(self, relogin: Phone) -> None:
        (link,) = await relogin.account.ledger.why((await relogin.identity(await self._filehelper(relogin))).number)
        assert (link.contact_id, link.own_id, link.by, link.confidence) == ("filehelper", "", "certain", 1.0)
        assert (await relogin.identity(link.number)).contact_id == "filehelper"

    async def _filehelper(self, phone: Phone) -> int:
        found = await phone.account.ledger.identity_of(FILEHELPER.id)
        assert found is not None
        return found.number

    async def test_oneself_is_the_same_in_every_login(self, phone: Phone) -> None:
        numbers = set()
        for _ in range(2):
            await phone.log_in()
            (found,) = (await phone.tell(Contact(id=phone.own_id, nickname=f"me {phone.login}", kind="self"))).values()
            numbers.add(found.number)
        assert len(numbers) == 1

    async def test_strangers_are_passed_over(self, phone: Phone) -> None:
        await phone.log_in()
        assert await phone.tell(phone.shown("eve", kind="stranger")) == {}

    async def test_a_login_without_contacts_takes_nobodys_id_away(self, relogin: Phone, journal: SqliteJournal) -> None:
        # File Transfer Helper is a login of its own, beside the one that has the contacts.
        helper = journal.account(1)
        await helper.open_login(ContactId("@helper"), b"", NOW, [])
        await helper.ledger.identify(ContactId("@helper"), [FILEHELPER], complete=False, time=NOW)
        ann = await relogin.number("ann")
        assert (await relogin.identity(ann)).contact_id == relogin.id("ann")
        there = await helper.ledger.identity(ann)
        assert there is not None
        assert there.contact_id == ""

    async def test_a_login_that_the_journal_does_not_know_is_an_error(self, phone: Phone) -> None:
        with pytest.raises(StorageError):
            await phone.tell(FILEHELPER)

    async def test_accounts_know_nothing_of_each_other(self, relogin: Phone, journal: SqliteJournal) -> None:
        other = Phone(journal.account(2))
        await other.log_in()
        found = await other.tell(other.shown("ann"), FILEHELPER)
        assert [each.by for each in found.values()] == ["seen", "certain"]
        assert await relogin.account.ledger.identity(found[FILEHELPER.id].number) is None
        assert await other.account.ledger.why(await relogin.number("cid")) == []
        assert [each.name for each in await other.account.ledger.identities()] == ["ann", "文件传输助手"]

    async def test_identities_are_found_by_any_of_their_names(self, relogin: Phone) -> None:
        await relogin.tell(relogin.shown("ann", remark="Annie"), complete=False)
        await relogin.tell(relogin.room("room", "ann", "cid", nickname=""), complete=False)
        assert [each.kind for each in await relogin.account.ledger.identities("ann, cid")] == ["chatroom"]
        for name in ("ann", "Annie"):
            assert [await relogin.number("ann")] == [
                each.number for each in await relogin.account.ledger.identities(name)
            ]
        assert await relogin.account.ledger.identities("nobody") == []
        assert len(await relogin.account.ledger.identities()) == 5


class TestFaces:
    """What was known of somebody is kept once, for all logins in which it was the same."""

    async def rows(self, path: Path, table: str) -> int:
        with contextlib.closing(sqlite3.connect(path)) as db:
            (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)

    async def test_what_a_login_says_once_more_is_not_kept_once_more(self, relogin: Phone, path: Path) -> None:
        before = await self.rows(path, "faces")
        for _ in range(3):
            await relogin.log_in()
            await relogin.tell(*map(relogin.shown, ("ann", "cid")), FILEHELPER)

        assert (await self.rows(path, "faces"), await self.rows(path, "findings")) == (before, 3)
        assert len(await relogin.account.ledger.contact_ids(await relogin.number("ann"))) == 5

    async def test_what_changes_in_a_login_leaves_the_earlier_ones_as_they_were(
        self, relogin: Phone, path: Path
    ) -> None:
        ann, before = await relogin.number("ann"), await self.rows(path, "faces")
        for nickname in ("Queen", "Queen of Hearts"):
            await relogin.tell(relogin.shown("ann", nickname=nickname), complete=False)
        assert await self.rows(path, "faces") == before + 1, "what was not said in an earlier login is written over"
        assert [link.name for link in await relogin.account.ledger.why(ann)] == ["Queen of Hearts", "ann"]
        first = await relogin.account.ledger.split(ann, relogin.id("ann", 1))
        await relogin.log_in()
        found = await relogin.tell(relogin.shown("ann"), relogin.shown("ann2", nickname="Queen of Hearts", avatar=7))
        assert found[relogin.id("ann")].candidates[0] == first.number or (
            found[relogin.id("ann")].number == first.number
        )

    async def test_a_real_id_is_nothing_that_earlier_logins_knew(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        first = await relogin.account.ledger.split(ann, relogin.id("ann", 1))
        await relogin.log_in()
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        found = (await relogin.tell(relogin.shown("ann")))[relogin.id("ann")]
        assert (found.by, found.number) == ("certain", ann)
        assert found.number != first.number

    async def test_a_real_id_noted_of_an_earlier_login_is_known_in_all_later_ones(
        self, relogin: Phone, path: Path
    ) -> None:
        await relogin.account.ledger.note_real_id(relogin.id("ann", 1), "wxid_ann")
        with contextlib.closing(sqlite3.connect(path)) as db:
            faces = db.execute(
                "SELECT count(DISTINCT face), count(*), min(json_extract(evidence, '$.wxid')) FROM links"
                " JOIN faces USING (face) WHERE links.number = ?",
                (await relogin.number("ann"),),
            ).fetchone()
        assert faces == (1, 2, "wxid_ann")

    async def test_who_was_split_off_has_a_face_of_their_own(self, relogin: Phone, path: Path) -> None:
        ann = await relogin.number("ann")
        other = await relogin.account.ledger.split(ann, relogin.id("ann"))
        await relogin.tell(relogin.shown("ann", nickname="Queen"), complete=False)
        assert (await relogin.identity(other.number)).name == "Queen"
        (link,) = await relogin.account.ledger.why(ann)
        assert link.name == "ann"
        assert [each.number for each in await relogin.account.ledger.identities("ann")] == [ann]

    async def test_nothing_is_left_of_what_was_known_in_logins_that_are_purged(
        self, relogin: Phone, path: Path
    ) -> None:
        await relogin.tell(relogin.shown("ann", nickname="Queen"), complete=False)
        await relogin.account.purge(before=NOW - DAY / 2)
        with contextlib.closing(sqlite3.connect(path)) as db:
            names = {name for (name,) in db.execute("SELECT json_extract(evidence, '$.nickname') FROM faces")}
        assert names == {"Queen", "cid", FILEHELPER.nickname}


class TestRealIds:
    async def test_somebody_is_known_by_it_in_the_next_login(self, relogin: Phone) -> None:
        number = await relogin.number("ann")
        assert await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann") is None
        await relogin.log_in()
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        found = await relogin.tell(relogin.shown("ann", nickname="Queen", avatar=5))
        assert ("certain", number) == (found[relogin.id("ann")].by, found[relogin.id("ann")].number)

    async def test_who_waits_is_known_by_it_at_the_next_look_at_the_same_list(self, relogin: Phone) -> None:
        await relogin.tell(relogin.room("room", "ann", "cid"), complete=False)
        await relogin.account.ledger.note_real_id(relogin.id("room"), "1@chatroom")
        await relogin.log_in()
        everybody = [*map(relogin.shown, ("ann", "cid")), relogin.room("room")]
        assert (await relogin.tell(*everybody))[relogin.id("room")].by == "waiting"
        await relogin.account.ledger.note_real_id(relogin.id("room"), "1@chatroom")
        assert (await relogin.tell(*everybody))[relogin.id("room")].number == await relogin.number("room", login=2)

    async def test_c15_who_was_thought_new_becomes_who_they_are(self, relogin: Phone) -> None:
        bob = await relogin.number("bob", login=1)
        await relogin.account.ledger.note_real_id(relogin.id("bob", 1), "wxid_bob")
        new = (await relogin.tell(relogin.shown("bob", avatar=0), complete=False))[relogin.id("bob")].number
        found = await relogin.account.ledger.note_real_id(relogin.id("bob"), "wxid_bob")
        assert found == Identified(contact_id=relogin.id("bob"), number=bob, by="certain", candidates=(new,))
        assert (await relogin.identity(new)).number == bob

    async def test_c15_who_was_taken_for_another_is_somebody_new(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.account.ledger.note_real_id(relogin.id("ann", 1), "wxid_ann")
        await relogin.log_in()
        await relogin.tell(relogin.shown("ann"))
        found = await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_other")
        assert found is not None
        assert found.number not in {0, ann}
        assert await relogin.number("ann") == found.number
        assert (await relogin.identity(ann)).contact_id == ""

    async def test_who_already_has_somebody_in_this_login_is_not_given_a_second_one(self, relogin: Phone) -> None:
        ann, cid = await relogin.number("ann"), await relogin.number("cid")
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        found = await relogin.account.ledger.note_real_id(relogin.id("cid"), "wxid_ann")
        assert found == Identified(contact_id=relogin.id("cid"), number=cid, by="ambiguous", candidates=(ann,))
        assert await relogin.number("cid") == cid


class TestByHand:
    async def ambiguous(self, phone: Phone) -> tuple[int, int]:
        """Give the number of Bob, and that of somebody who may be him."""
        found = await phone.tell(phone.shown("bob", avatar=0), complete=False)
        return await phone.number("bob", login=1), found[phone.id("bob")].number

    async def test_c15_merged_are_one_for_ever(self, relogin: Phone, path: Path) -> None:
        bob, new = await self.ambiguous(relogin)
        merged = await relogin.account.ledger.merge(bob, new)
        assert (merged.number, merged.contact_id, merged.confidence) == (bob, relogin.id("bob"), 1.0)
        opened_by_another = SqliteJournal(path)
        ledger = opened_by_another.account(1).ledger
        for number in (bob, new):
            found = await ledger.identity(number)
            assert found is not None
            assert found.number == bob
            assert await ledger.contact_ids(number) == [relogin.id("bob", 2), relogin.id("bob", 1)]
        await opened_by_another.close()

    async def test_c15_merged_are_one_against_any_evidence(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.account.ledger.merge(bob, new)
        for login, wxid in ((1, "wxid_bob"), (2, "wxid_other")):
            assert await relogin.account.ledger.note_real_id(relogin.id("bob", login), wxid) is None
        assert await relogin.number("bob") == bob

    async def test_numbers_that_were_merged_one_into_the_other_all_lead_to_the_last(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.log_in()
        await relogin.tell(relogin.shown("zoe"))
        zoe = await relogin.number("zoe")
        await relogin.account.ledger.merge(bob, new)
        await relogin.account.ledger.merge(zoe, bob)
        assert {zoe} == {(await relogin.identity(number)).number for number in (bob, new, zoe)}

    async def test_two_of_one_login_are_two(self, relogin: Phone) -> None:
        with pytest.raises(RefusedLocally):
            await relogin.account.ledger.merge(await relogin.number("ann"), await relogin.number("cid"))

    async def test_a_person_and_a_chatroom_are_two(self, relogin: Phone) -> None:
        await relogin.tell(relogin.room("room", "ann", "cid"), complete=False)
        with pytest.raises(RefusedLocally):
            await relogin.account.ledger.merge(await relogin.number("bob", login=1), await relogin.number("room"))

    async def test_a_number_that_nobody_has_is_an_error(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        for one, other in ((ann, 99), (99, ann)):
            with pytest.raises(UnknownContact):
                await relogin.account.ledger.merge(one, other)
        with pytest.raises(UnknownContact):
            await relogin.account.ledger.split(99, relogin.id("ann"))

    async def test_c15_split_are_two_for_ever(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.account.ledger.note_real_id(relogin.id("ann", 1), "wxid_ann")
        other = await relogin.account.ledger.split(ann, relogin.id("ann"))
        assert (other.contact_id, (await relogin.identity(ann)).contact_id) == (relogin.id("ann"), "")
        assert other.number not in {0, ann}
        await relogin.account.ledger.note_real_id(relogin.id("ann"), "wxid_ann")
        assert await relogin.tell(relogin.shown("ann"), complete=False) == {}
        assert await relogin.number("ann") == other.number
        (link,) = await relogin.account.ledger.why(other.number)
        assert (link.by, link.candidates) == ("hand", (ann,))

    async def test_what_was_split_can_be_merged_again(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        other = await relogin.account.ledger.split(ann, relogin.id("ann"))
        assert (await relogin.account.ledger.merge(ann, other.number)).contact_id == relogin.id("ann")

    async def test_an_id_that_was_never_theirs_or_is_their_only_one_is_not_split(self, relogin: Phone) -> None:
        with pytest.raises(UnknownContact):
            await relogin.account.ledger.split(await relogin.number("ann"), relogin.id("cid"))
        with pytest.raises(UnknownContact):
            await relogin.account.ledger.split(await relogin.number("bob", login=1), relogin.id("bob", 1))


async def test_what_is_purged_leaves_nobody_behind_who_was_only_there(relogin: Phone, path: Path) -> None:
    ann, bob = await relogin.number("ann"), await relogin.number("bob", login=1)
    await relogin.account.ledger.note_real_id(relogin.id("bob", 1), "wxid_bob")
    await relogin.account.purge(before=NOW - DAY / 2)
    assert await relogin.account.ledger.identity(bob) is None
    assert await relogin.account.ledger.contact_ids(ann) == [relogin.id("ann")]
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM real_ids").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM identities WHERE number = ?", (bob,)).fetchone() == (0,)
    await relogin.log_in()
    (new,) = (await relogin.tell(relogin.shown("bob"))).values()
    assert new.number > bob


async def test_c15_a_crowd_keeps_its_numbers_over_five_logins(journal: SqliteJournal) -> None:
    account, crowd = journal.account(1), Crowd(400, 7)
    told: list[tuple[int, int, int]] = []
    for login in range(5):
        if login:
            crowd.live_on()
        contacts, who = crowd.log_in()
        own_id = ContactId(f"@me-{login}")
        await account.open_login(own_id, b"", NOW + login, [])
        some = contacts[: len(contacts) // 10]  # the recent chats come before the list
        for part, complete in ((some, False), (contacts, True), (some, False)):
            await account.ledger.identify(own_id, part, complete=complete, time=NOW + login)
        told += [(login, who[each], number) for each, number in (await numbers(account, contacts)).items()]
    wrong, recall = mistakes(told)
    assert wrong == 0
    assert recall >= 0.94


async def numbers(account: SqliteAccount, contacts: Collection[Contact]) -> dict[ContactId, int]:
    ids = {contact.id for contact in contacts}
    everybody = await account.ledger.identities()
    return {each.contact_id: each.number for each in everybody if each.contact_id in ids}


async def test_c15_what_is_asked_for_one_id_costs_the_same_among_however_many(tmp_path: Path) -> None:
    costs = []
    for people in (20, 2_000):
        path = tmp_path / f"{people}.journal"
        journal = SqliteJournal(path)
        phone = Phone(journal.account(1))
        for _ in range(2):
            await phone.log_in()
            await phone.tell(*(phone.shown(f"person {number}") for number in range(people)))
        await journal.close()
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        def counted(path: Path = path, step: Callable[[], None] = step) -> sqlite3.Connection:
            db = connect(path)
            db.set_progress_handler(step, 10)
            return db

        thread = Reader(counted, "counted")
        ledger = SqliteLedger(partial(asyncio.sleep, 0, 1), lambda: 2, thread, thread)
        assert await ledger.identity_of(phone.id("person 7", 1)) is not None  # opens the file as well
        steps = 0
        assert await ledger.identity_of(phone.id("person 7", 1)) is not None
        assert await ledger.note_real_id(phone.id("person 7"), "wxid_seven") is None
        assert await ledger.note_real_id(phone.id("person 7"), "wxid_seven") is None
        costs.append(steps)
        await thread.close()
    few, many = costs
    assert many < 2 * few


def version_2(path: Path) -> None:
    """Make a file of version 2: Ann in three logins, renamed in the last; Bob, who was split off her; filehelper."""
    connect(path).close()
    path.unlink()
    path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("".join(MIGRATIONS[:2]))
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute("PRAGMA user_version = 2")
        db.execute("INSERT INTO accounts (account, uin) VALUES (1, '1')")
        for login in (1, 2, 3):
            row = (login, 1, f"@me-{login}", b"", NOW + login, NOW + login, b"told")
            db.execute(
                "INSERT INTO logins (login, account, own_id, position, opened_at, last_at, listed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        db.executemany(
            "INSERT INTO identities VALUES (?, 1, ?, ?, ?)",
            [(1, "person", NOW, 0), (2, "person", NOW, 0), (3, "person", NOW, 0), (4, "person", NOW, 1)],
        )
        ann = '{"kind":"person","nickname":"ann","avatar":7,"wxid":"wxid_ann"}'
        bob = '{"kind":"person","nickname":"ann","avatar":7}'
        queen = '{"kind":"person","nickname":"queen","avatar":7,"wxid":"wxid_ann"}'
        same = '{"by":"matched","confidence":0.99,"reasons":[{"what":"avatar","weight":22.0,"agrees":true}]}'
        links = [
            (1, 1, "@ann-1", 1, "ann", 11, ann, '{"by":"seen"}', NOW + 1),
            (1, 1, "@bob-1", 2, "ann", 12, bob, '{"by":"hand","candidates":[1]}', NOW + 1),
            (1, 2, "@ann-2", 1, "ann", 11, ann, same, NOW + 2),
            (1, 3, "@ann-3", 1, "queen", 13, queen, same, NOW + 3),
            (1, 0, "filehelper", 3, "File Transfer", 14, '{"kind":"person"}', '{"by":"certain"}', NOW + 1),
        ]
        db.executemany("INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", links)
        db.executemany("INSERT INTO apart VALUES (?, ?)", [(1, 2), (2, 1)])
        db.executemany("INSERT INTO real_ids VALUES (1, ?, ?)", [("@ann-1", "wxid_ann"), ("@new-3", "wxid_new")])
        db.commit()


async def test_g_r16_the_ledger_of_version_2_knows_the_same(journal: SqliteJournal, path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    version_2(path)
    ledger = journal.account(1).ledger

    told = {each.number: each for each in await ledger.identities()}
    assert {number: (each.name, each.contact_id) for number, each in told.items()} == {
        1: ("queen", "@ann-3"), 2: ("ann", ""), 3: ("File Transfer", "filehelper")
    }  # fmt: skip
    assert [each.last_seen for each in told.values()] == [NOW + 3, NOW + 1, NOW + 3]
    assert [(link.contact_id, link.own_id, link.name, link.by) for link in await ledger.why(1)] == [
        ("@ann-3", "@me-3", "queen", "matched"),
        ("@ann-2", "@me-2", "ann", "matched"),
        ("@ann-1", "@me-1", "ann", "seen"),
    ]
    (newest, *_) = await ledger.why(1)
    assert (newest.confidence, [reason.what for reason in newest.reasons]) == (0.99, ["avatar"])
    merged = await ledger.identity(4)
    assert merged is not None
    assert merged.number == 1
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM faces").fetchone() == (4,), "Ann's, Bob's own, and filehelper's"
        assert db.execute("SELECT login, id FROM real_ids ORDER BY id").fetchall() == [(1, "@ann-1"), (3, "@new-3")]
    phone = Phone(journal.account(1))
    phone.login = 3
    await phone.log_in()
    await ledger.note_real_id(phone.id("ann"), "wxid_ann")
    found = (await phone.tell(phone.shown("ann", avatar=9)))[phone.id("ann")]
    assert (found.by, found.number) == ("certain", 1)


async def test_c15_a_login_costs_the_same_after_however_many(phone: Phone, path: Path) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def counted() -> sqlite3.Connection:
        db = connect(path)
        db.set_progress_handler(step, 10)
        return db

    costs = []
    for login in range(1, 25):
        await phone.log_in(NOW + login)
        people = [phone.shown(f"person {number}") for number in range(50)]
        everybody = [*people, phone.room("room", *(each.nickname for each in people))]
        thread = Reader(counted, "counted")  # which takes back what it was told
        ledger = SqliteLedger(partial(asyncio.sleep, 0, 1), partial(int, login), thread, thread)
        steps = 0
        await ledger.identify(phone.own_id, everybody, complete=True, time=NOW + login)
        await ledger.identities()
        costs.append(steps)
        await thread.close()
        await phone.tell(*everybody, at=NOW + login)
    assert costs[-1] < 1.2 * costs[2]


async def test_a_doubt_about_a_real_id_is_told_once(relogin: Phone) -> None:
    ledger = relogin.account.ledger
    await ledger.note_real_id(relogin.id("ann"), "wxid_a")
    doubt = await ledger.note_real_id(relogin.id("cid"), "wxid_a")
    assert doubt is not None
    assert doubt.by == "ambiguous"
    assert await ledger.note_real_id(relogin.id("cid"), "wxid_a") is None
