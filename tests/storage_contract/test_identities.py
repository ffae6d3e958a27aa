"""Identities: a person or chatroom keeps its number in every login."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.model.crowd import Crowd, mistakes
from tests.storage.phone import DAY, FILEHELPER, NOW, Phone

from webwx.errors import InvalidRequest, StorageError, UnknownContact
from webwx.model.contacts import Contact, ContactId, Member
from webwx.model.identities import Identified, Identity
from webwx.storage.lookup import contact_ids_of, find_identity, find_identity_of
from webwx.storage.tables.identities.query import IdentityQuery
from webwx.storage.tables.identities.store import MATCHED_WITH_LOGIN

if TYPE_CHECKING:
    from collections.abc import Collection

    from webwx.storage.base import AccountJournal, Journal


async def test_identities_are_found_by_any_of_their_names(relogin: Phone) -> None:
    await relogin.identify(relogin.shown("ann", remark="Annie"), complete=False)
    await relogin.identify(relogin.room("room", "ann", "cid", nickname=""), complete=False)
    assert [each.kind for each in await relogin.account.identities.find(IdentityQuery(name="ann, cid"))] == ["chatroom"]
    for name in ("ann", "Annie"):
        assert [await relogin.number("ann")] == [
            each.number for each in await relogin.account.identities.find(IdentityQuery(name=name))
        ]
    assert await relogin.account.identities.find(IdentityQuery(name="unknown")) == []
    assert len(await relogin.account.identities.find(IdentityQuery())) == 5


async def test_a_chatroom_without_a_name_is_found_by_the_name_that_is_shown_now(relogin: Phone) -> None:
    find = relogin.account.identities.find
    await relogin.identify(relogin.room("room", "ann", "cid", nickname=""), complete=False)
    [room] = await find(IdentityQuery(name="ann, cid"))
    await relogin.identify(relogin.room("room", "ann", "dan", nickname=""), complete=False)
    assert [each.number for each in await find(IdentityQuery(name="ann, dan"))] == [room.number]
    assert await find(IdentityQuery(name="ann, cid")) == []


async def test_identities_are_found_by_a_real_id_of_any_login(relogin: Phone) -> None:
    find = relogin.account.identities.find
    await relogin.note_real_id("ann", "wxid_ann", 1)
    assert [each.number for each in await find(IdentityQuery(real_id="wxid_ann"))] == [await relogin.number("ann")]
    assert await find(IdentityQuery(real_id="wxid_ann", name="cid")) == []
    assert await find(IdentityQuery(real_id="wxid_bob")) == []


class TestNewLogin:
    async def test_its_contacts_are_matched_when_it_is_stored(self, relogin: Phone) -> None:
        ann, phone = await relogin.number("ann"), relogin
        found = await phone.log_in_with("ann", "new")
        assert [(each.contact_id, each.by) for each in found or ()] == [
            (phone.id("ann"), "matched"),
            (phone.id("new"), "seen"),
        ]
        assert await phone.number("ann") == ann
        assert await phone.identify(*map(phone.shown, ("ann", "new"))) == {}

    async def test_a_similar_contact_waits_until_the_list_is_complete(self, relogin: Phone) -> None:
        similar: dict[str, Any] = {"nickname": "ann", "avatar": 0}
        found = await relogin.log_in_with("other", complete=False, **similar)
        assert [each.by for each in found or ()] == ["waiting"]
        assert [each.by for each in (await relogin.identify(relogin.shown("other", **similar))).values()] == [
            "ambiguous"
        ]

    async def test_too_many_contacts_are_matched_later(self, phone: Phone) -> None:
        names = [f"person {number}" for number in range(MATCHED_WITH_LOGIN + 1)]
        assert await phone.log_in_with(*names) is None
        assert await phone.account.identities.find(IdentityQuery()) == []
        assert len(await phone.account.roster(phone.own_id)) == len(names)
        assert len(await phone.identify(*map(phone.shown, names))) == len(names)


class TestRealIds:
    async def test_a_permanent_id_recognises_a_contact_in_the_next_login(self, relogin: Phone) -> None:
        number = await relogin.number("ann")
        assert await relogin.note_real_id("ann", "wxid_ann") is None
        await relogin.log_in()
        await relogin.note_real_id("ann", "wxid_ann")
        found = await relogin.identify(relogin.shown("ann", nickname="Queen", avatar=5))
        assert ("certain", number) == (found[relogin.id("ann")].by, found[relogin.id("ann")].number)

    async def test_a_waiting_chatroom_is_recognised_by_a_permanent_id_later(self, relogin: Phone) -> None:
        await relogin.identify(relogin.room("room", "ann", "cid"), complete=False)
        await relogin.note_real_id("room", "1@chatroom")
        await relogin.log_in()
        everybody = [*map(relogin.shown, ("ann", "cid")), relogin.room("room")]
        assert (await relogin.identify(*everybody))[relogin.id("room")].by == "waiting"
        await relogin.note_real_id("room", "1@chatroom")
        assert (await relogin.identify(*everybody))[relogin.id("room")].number == await relogin.number("room", login=2)

    async def test_a_permanent_id_merges_a_new_identity_with_the_known_one(self, relogin: Phone) -> None:
        bob = await relogin.number("bob", login=1)
        await relogin.note_real_id("bob", "wxid_bob", login=1)
        new = (await relogin.identify(relogin.shown("bob", avatar=0), complete=False))[relogin.id("bob")].number
        found = await relogin.note_real_id("bob", "wxid_bob")
        assert found == Identified(contact_id=relogin.id("bob"), number=bob, by="certain", candidates=(new,))
        assert (await relogin.identity(new)).number == bob

    async def test_a_contact_that_was_matched_wrongly_gets_a_new_identity(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.note_real_id("ann", "wxid_ann", login=1)
        await relogin.log_in()
        await relogin.identify(relogin.shown("ann"))
        found = await relogin.note_real_id("ann", "wxid_other")
        assert found is not None
        assert found.number not in {0, ann}
        assert await relogin.number("ann") == found.number
        assert (await relogin.identity(ann)).contact_id == ""

    async def test_an_identity_with_a_contact_in_this_login_gets_no_second_one(self, relogin: Phone) -> None:
        ann, cid = await relogin.number("ann"), await relogin.number("cid")
        await relogin.note_real_id("ann", "wxid_ann")
        found = await relogin.note_real_id("cid", "wxid_ann")
        assert found == Identified(contact_id=relogin.id("cid"), number=cid, by="ambiguous", candidates=(ann,))
        assert await relogin.number("cid") == cid


class TestByHand:
    async def ambiguous(self, phone: Phone) -> tuple[int, int]:
        """Return the number of Bob, and the number of a contact that may be Bob."""
        found = await phone.identify(phone.shown("bob", avatar=0), complete=False)
        return await phone.number("bob", login=1), found[phone.id("bob")].number

    async def test_merged_identities_stay_one_in_later_logins(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        merged = await relogin.account.identities.merge(bob, new)
        assert (merged.number, merged.contact_id, merged.confidence) == (bob, relogin.id("bob"), 1.0)
        identities = relogin.account.identities
        for number in (bob, new):
            found = await find_identity(identities, number)
            assert found is not None
            assert found.number == bob
            assert await contact_ids_of(identities, number) == [relogin.id("bob", 2), relogin.id("bob", 1)]

    async def test_merged_identities_stay_one_against_any_evidence(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.account.identities.merge(bob, new)
        for login, wxid in ((1, "wxid_bob"), (2, "wxid_other")):
            assert await relogin.note_real_id("bob", wxid, login=login) is None
        assert await relogin.number("bob") == bob

    async def test_all_numbers_of_a_chain_of_merges_lead_to_the_last(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.log_in()
        await relogin.identify(relogin.shown("zoe"))
        zoe = await relogin.number("zoe")
        await relogin.account.identities.merge(bob, new)
        await relogin.account.identities.merge(zoe, bob)
        assert {zoe} == {(await relogin.identity(number)).number for number in (bob, new, zoe)}

    async def test_two_contacts_of_one_login_cannot_be_merged(self, relogin: Phone) -> None:
        with pytest.raises(InvalidRequest):
            await relogin.account.identities.merge(await relogin.number("ann"), await relogin.number("cid"))

    async def test_an_identity_cannot_be_merged_with_itself(self, relogin: Phone) -> None:
        bob, new = await self.ambiguous(relogin)
        await relogin.account.identities.merge(bob, new)
        for one, other in ((bob, bob), (bob, new), (new, bob)):
            with pytest.raises(InvalidRequest, match=f"Both are identity {bob} already"):
                await relogin.account.identities.merge(one, other)

    async def test_a_person_cannot_be_merged_with_a_chatroom(self, relogin: Phone) -> None:
        await relogin.identify(relogin.room("room", "ann", "cid"), complete=False)
        with pytest.raises(InvalidRequest):
            await relogin.account.identities.merge(await relogin.number("bob", login=1), await relogin.number("room"))

    async def test_an_unknown_number_is_an_error(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        for one, other in ((ann, 99), (99, ann)):
            with pytest.raises(UnknownContact):
                await relogin.account.identities.merge(one, other)
        with pytest.raises(UnknownContact):
            await relogin.account.identities.split(99, relogin.id("ann"))

    async def test_split_identities_stay_two_in_later_logins(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        await relogin.note_real_id("ann", "wxid_ann", login=1)
        other = await relogin.account.identities.split(ann, relogin.id("ann"))
        assert (other.contact_id, (await relogin.identity(ann)).contact_id) == (relogin.id("ann"), "")
        assert other.number not in {0, ann}
        await relogin.note_real_id("ann", "wxid_ann")
        assert await relogin.identify(relogin.shown("ann"), complete=False) == {}
        assert await relogin.number("ann") == other.number
        (link,) = await relogin.account.identities.links(other.number)
        assert (link.by, link.candidates) == ("hand", (ann,))

    async def test_split_identities_can_be_merged_again(self, relogin: Phone) -> None:
        ann = await relogin.number("ann")
        other = await relogin.account.identities.split(ann, relogin.id("ann"))
        assert (await relogin.account.identities.merge(ann, other.number)).contact_id == relogin.id("ann")

    async def test_a_foreign_id_or_the_only_id_of_an_identity_cannot_be_split(self, relogin: Phone) -> None:
        with pytest.raises(UnknownContact):
            await relogin.account.identities.split(await relogin.number("ann"), relogin.id("cid"))
        with pytest.raises(UnknownContact):
            await relogin.account.identities.split(await relogin.number("bob", login=1), relogin.id("bob", 1))


async def test_conditions_of_an_identity_query_narrow_each_other(relogin: Phone) -> None:
    identities = relogin.account.identities
    ann, cid = await relogin.number("ann"), await relogin.number("cid")
    (found,) = await identities.find(IdentityQuery(number=ann, contact_id=relogin.id("ann", 1), name="ann"))
    assert found.number == ann
    assert await identities.find(IdentityQuery(number=cid, contact_id=relogin.id("ann"))) == []
    assert await identities.find(IdentityQuery(number=cid, name="ann")) == []
    assert await identities.find(IdentityQuery(contact_id=ContactId("@unknown"))) == []
    assert await identities.find(IdentityQuery(number=99)) == []


async def test_contacts_and_their_real_ids_are_identified_together(relogin: Phone) -> None:
    zoe = relogin.shown("zoe")
    real_ids = {relogin.id("ann"): "wxid_ann", zoe.id: "wxid_zoe", relogin.id("cid"): "wxid_ann"}
    found = await relogin.account.identities.identify(
        relogin.own_id, [zoe], complete=False, time=NOW, real_ids=real_ids
    )
    assert [(each.contact_id, each.by) for each in found] == [(zoe.id, "seen"), (relogin.id("cid"), "ambiguous")]
    with pytest.raises(StorageError, match="does not know this login"):
        await relogin.account.identities.identify(ContactId("@x"), (), complete=False, time=NOW, real_ids=real_ids)


async def test_an_ambiguous_real_id_is_reported_once(relogin: Phone) -> None:
    await relogin.note_real_id("ann", "wxid_a")
    doubt = await relogin.note_real_id("cid", "wxid_a")
    assert doubt is not None
    assert doubt.by == "ambiguous"
    assert await relogin.note_real_id("cid", "wxid_a") is None


class TestIdentify:
    async def test_a_contact_keeps_its_number_over_logins(self, relogin: Phone) -> None:
        for name in ("ann", "cid"):
            assert await relogin.number(name, login=1) == await relogin.number(name, login=2)
        assert len({await relogin.number(name, login=1) for name in ("ann", "bob", "cid")}) == 3

    async def test_an_identity_has_its_present_contact_id(self, relogin: Phone) -> None:
        ann = await relogin.identity(await relogin.number("ann"))
        assert ann == Identity(
            number=ann.number, kind="person", name="ann", contact_id=relogin.id("ann"), confidence=ann.confidence,
            first_seen=NOW - DAY, last_seen=NOW,
        )  # fmt: skip
        bob = await relogin.identity(await relogin.number("bob", login=1))
        assert (bob.contact_id, bob.last_seen) == ("", NOW - DAY)

    async def test_all_links_of_an_identity_are_listed_newest_first(self, relogin: Phone) -> None:
        ids = await contact_ids_of(relogin.account.identities, await relogin.number("ann"))
        assert ids == [relogin.id("ann", 2), relogin.id("ann", 1)]

    async def test_each_link_has_its_reasons(self, relogin: Phone) -> None:
        newest, first = await relogin.account.identities.links(await relogin.number("ann"))
        assert [("matched", relogin.own_id), ("seen", "@me-1")] == [(each.by, each.own_id) for each in (newest, first)]
        assert "avatar" in {reason.what for reason in newest.reasons if reason.agrees}
        assert newest.confidence < 1

    async def test_a_contact_that_is_matched_twice_at_once_gets_one_number(self, relogin: Phone) -> None:
        newcomers = [relogin.shown(f"new {number}") for number in range(20)]
        found = await asyncio.gather(*(relogin.identify(*newcomers, complete=False) for _ in range(5)))
        assert {each.id for each in newcomers} == {each for some in found for each in some}
        assert sum(map(len, found)) == len(newcomers)

    async def test_a_linked_contact_keeps_its_number_under_any_name(self, relogin: Phone) -> None:
        number = await relogin.number("ann")
        changed = relogin.shown("ann", nickname="Queen of Hearts", avatar=7, region="北京 海淀")
        assert await relogin.identify(changed, relogin.shown("cid"), FILEHELPER) == {}
        assert (await relogin.identity(number)).name == "Queen of Hearts"
        await relogin.log_in()
        found = await relogin.identify(
            relogin.shown("ann", nickname="Queen of Hearts", avatar=7, region="北京 海淀", remark="Annie"),
            relogin.shown("ann2", nickname="ann"),
        )
        assert found[relogin.id("ann2")].number != number

    async def test_a_new_contact_with_a_known_name_gets_its_own_number(self, relogin: Phone) -> None:
        bob = await relogin.number("bob", login=1)
        found = await relogin.identify(relogin.shown("bob", avatar=699_999_999, region="上海"), complete=False)
        assert found[relogin.id("bob")].number not in {0, bob}

    async def test_a_contact_like_one_of_the_same_login_gets_another_identity(self, relogin: Phone) -> None:
        twin = relogin.shown("ann", id=relogin.id("twin"), remark="Annie")
        await relogin.identify(relogin.shown("ann", remark="Annie"), complete=False)
        found = await relogin.identify(twin, complete=False)
        assert (found[twin.id].by, found[twin.id].number == await relogin.number("ann")) == ("seen", False)

    async def test_an_ambiguous_contact_gets_a_new_identity_with_candidates(self, relogin: Phone) -> None:
        bob = await relogin.number("bob", login=1)
        found = (await relogin.identify(relogin.shown("bob", avatar=0), complete=False))[relogin.id("bob")]
        assert (found.by, found.candidates) == ("ambiguous", (bob,))
        (link,) = await relogin.account.identities.links(found.number)
        assert (link.by, link.candidates) == ("ambiguous", (bob,))

    async def test_uncertain_contacts_wait_for_the_complete_list(self, relogin: Phone) -> None:
        number = await relogin.number("ann")
        await relogin.log_in()
        first = await relogin.identify(relogin.shown("ann", avatar=0), complete=False)
        assert [("waiting", 0, (number,))] == [(each.by, each.number, each.candidates) for each in first.values()]
        assert await find_identity_of(relogin.account.identities, relogin.id("ann")) is None
        namesake, herself = (
            relogin.shown("ann", avatar=0),
            relogin.shown("ann-too", nickname="ann", avatar=relogin.shown("ann").avatar),
        )
        found = await relogin.identify(namesake, herself)
        assert found[herself.id].number == number
        assert found[namesake.id].number not in {0, number}

    async def test_a_chatroom_waits_until_its_members_are_known(self, phone: Phone) -> None:
        await phone.log_in()
        people = ("ann", "bob", "cid", "dan")
        await phone.identify(*map(phone.shown, people), phone.room("room", *people))
        await phone.log_in()
        number = await phone.number("room", login=1)
        found = await phone.identify(*map(phone.shown, people), phone.room("room"))
        assert (found[phone.id("room")].by, found[phone.id("room")].candidates) == ("waiting", (number,))
        found = await phone.identify(phone.room("room", *people), complete=False)
        assert (found[phone.id("room")].by, found[phone.id("room")].number) == ("matched", number)

    async def test_a_chatroom_is_recognised_by_members_under_changed_names(self, phone: Phone) -> None:
        await phone.log_in()
        people = [phone.shown(name, remark=f"{name} remarked") for name in ("ann", "bob", "cid", "dan")]
        await phone.identify(*people, phone.room("room", "ann", "bob", "cid", "dan"))
        await phone.log_in()
        people = [
            phone.shown(name, remark=f"{name} remarked", nickname=f"{name} renamed")
            for name in ("ann", "bob", "cid", "dan")
        ]
        room = phone.room("room", nickname="another name")
        members = tuple(Member(id=each.id, nickname=each.nickname) for each in people)
        found = await phone.identify(*people, Contact(id=room.id, nickname="room", kind="chatroom", members=members))
        assert found[room.id].number == await phone.number("room", login=1)

    async def test_an_id_that_never_changes_keeps_its_number(self, relogin: Phone) -> None:
        (link,) = await relogin.account.identities.links(
            (await relogin.identity(await self._filehelper(relogin))).number
        )
        assert (link.contact_id, link.own_id, link.by, link.confidence) == ("filehelper", "", "certain", 1.0)
        assert (await relogin.identity(link.number)).contact_id == "filehelper"

    async def _filehelper(self, phone: Phone) -> int:
        found = await find_identity_of(phone.account.identities, FILEHELPER.id)
        assert found is not None
        return found.number

    async def test_the_account_itself_has_one_number_in_every_login(self, phone: Phone) -> None:
        numbers = set()
        for _ in range(2):
            await phone.log_in()
            (found,) = (
                await phone.identify(Contact(id=phone.own_id, nickname=f"me {phone.login}", kind="self"))
            ).values()
            numbers.add(found.number)
        assert len(numbers) == 1

    async def test_strangers_get_no_identity(self, phone: Phone) -> None:
        await phone.log_in()
        assert await phone.identify(phone.shown("eve", kind="stranger")) == {}

    async def test_contacts_without_a_name_get_no_identity(self, phone: Phone) -> None:
        await phone.log_in()
        assert await phone.identify(phone.shown("eve", nickname="")) == {}

    async def test_a_login_without_contacts_removes_no_contact_ids(self, relogin: Phone, journal: Journal) -> None:
        # File Transfer Helper has a login of its own, beside the one that has the contacts.
        helper = journal.account(1)
        await helper.open_login(ContactId("@helper"), b"", NOW, [])
        await helper.identities.identify(ContactId("@helper"), [FILEHELPER], complete=False, time=NOW)
        ann = await relogin.number("ann")
        assert (await relogin.identity(ann)).contact_id == relogin.id("ann")
        there = await find_identity(helper.identities, ann)
        assert there is not None
        assert there.contact_id == ""

    async def test_an_unknown_login_is_an_error(self, phone: Phone) -> None:
        with pytest.raises(StorageError):
            await phone.identify(FILEHELPER)

    async def test_identities_of_two_accounts_are_separate(self, relogin: Phone, journal: Journal) -> None:
        other = Phone(journal.account(2))
        await other.log_in()
        found = await other.identify(other.shown("ann"), FILEHELPER)
        assert [each.by for each in found.values()] == ["seen", "certain"]
        assert await contact_ids_of(other.account.identities, found[other.id("ann")].number) == [other.id("ann")]
        assert len(await relogin.account.identities.find(IdentityQuery())) == 4
        assert await find_identity_of(other.account.identities, relogin.id("cid")) is None
        assert [each.name for each in await other.account.identities.find(IdentityQuery())] == ["ann", "文件传输助手"]


async def test_four_hundred_contacts_keep_their_numbers_over_five_logins(journal: Journal) -> None:
    account, crowd = journal.account(1), Crowd(400, 7)
    results: list[tuple[int, int, int]] = []
    for login in range(5):
        if login:
            crowd.change()
        contacts, who = crowd.log_in()
        own_id = ContactId(f"@me-{login}")
        await account.open_login(own_id, b"", NOW + login, [])
        some = contacts[: len(contacts) // 10]  # The recent chats arrive before the complete list.
        for part, complete in ((some, False), (contacts, True), (some, False)):
            await account.identities.identify(own_id, part, complete=complete, time=NOW + login)
        results += [(login, who[each], number) for each, number in (await numbers(account, contacts)).items()]
    wrong, recall = mistakes(results)
    assert wrong == 0
    assert recall >= 0.94


async def numbers(account: AccountJournal, contacts: Collection[Contact]) -> dict[ContactId, int]:
    ids = {contact.id for contact in contacts}
    everybody = await account.identities.find(IdentityQuery())
    return {each.contact_id: each.number for each in everybody if each.contact_id in ids}
