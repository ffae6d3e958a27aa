"""What the ledger is told: a number stays with who it was given to, whatever a login calls them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.model.crowd import Crowd, mistakes
from tests.store.phone import DAY, FILEHELPER, NOW, Phone

from webwx.errors import StorageError
from webwx.model.contacts import Contact, ContactId, Member
from webwx.model.ledger import Identity
from webwx.store.sqlite import SqliteAccount, SqliteJournal

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


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
