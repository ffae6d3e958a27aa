"""Matching of contacts with identities, for all engines."""

from __future__ import annotations

import msgspec

from webwx.model.contacts import Contact, ContactId, Member
from webwx.model.identities import Evidence, KnownIdentity
from webwx.storage.identity_matching import (
    LinkedContact,
    PeoplePass,
    compare,
    contact_of,
    digest_of_all,
    digest_of_sum,
    encode_contacts,
    judge,
    with_real_ids,
)

ME = ContactId("@me")
ANN = Contact(id=ContactId("@ann"), nickname="Ann", avatar=123_456_789)
BEN = Contact(id=ContactId("@ben"), nickname="Ben")
EVE = Contact(id=ContactId("@eve"), nickname="Eve", kind="stranger")
ROOM = Contact(id=ContactId("@@room"), nickname="Room", kind="chatroom")


def test_contacts_are_new_changed_or_unchanged() -> None:
    first = compare([ANN, BEN, EVE], ME, {})
    assert (set(first.seen), set(first.changed)) == ({ANN.id, BEN.id}, set()), "a stranger is left out"
    linked: dict[str, LinkedContact] = {
        each: LinkedContact(number, first.seen[each].digest) for number, each in enumerate((ANN.id, BEN.id), 1)
    }
    renamed = Contact(id=BEN.id, nickname="Benny")

    again = compare([ANN, renamed], ME, linked)
    assert (set(again.seen), set(again.changed), again.taken) == (set(), {BEN.id}, {1, 2})
    assert again.changed[BEN.id].name == "Benny"


def test_the_digest_of_all_contacts_does_not_depend_on_their_order() -> None:
    assert digest_of_all([ANN, BEN]) == digest_of_all([BEN, ANN]) != digest_of_all([ANN])


def test_a_comparison_has_the_sum_of_the_digests_of_all_contacts() -> None:
    nameless = Contact(id=ContactId("@nameless"))
    contacts = [ANN, BEN, EVE, ROOM, nameless]

    assert digest_of_sum(compare(contacts, ME, {}).sum) == digest_of_all(contacts)


def test_contacts_that_are_encoded_already_have_the_same_digests() -> None:
    contacts = [ANN, BEN, ROOM]

    assert compare(contacts, ME, {}, encode_contacts(contacts)) == compare(contacts, ME, {})


def test_a_chatroom_has_changed_if_a_member_has_got_an_identity() -> None:
    room = msgspec.structs.replace(ROOM, members=(Member(id=ANN.id, nickname="Ann"),))
    linked: dict[str, LinkedContact] = {room.id: LinkedContact(1, compare([room], ME, {}).seen[room.id].digest)}
    assert not compare([room], ME, linked).changed

    assert set(compare([room], ME, linked | {ANN.id: LinkedContact(2, 0)}).changed) == {room.id}


def test_a_pass_over_people_omits_chatrooms() -> None:
    for contacts, has_chatrooms in (([ANN, BEN], False), ([ANN, ROOM, BEN], True)):
        people = PeoplePass(contacts)
        assert list(people) == [ANN, BEN]
        assert people.has_chatrooms is has_chatrooms


def test_a_real_id_makes_an_identity_certain() -> None:
    seen = with_real_ids(compare([ANN], ME, {}).seen, [(ANN.id, "wxid_ann"), (BEN.id, "wxid_ben")])
    identity = KnownIdentity(7, Evidence(kind="person", nickname="Queen", wxid="wxid_ann"))

    matches, waiting = judge(seen, [identity], set(), is_complete=True, may_wait=False)
    assert [(each.by, each.identity) for each in matches.values()] == [("certain", identity)]
    assert not waiting


def test_an_identity_with_a_contact_in_this_login_gets_no_second_one() -> None:
    seen = with_real_ids(compare([ANN], ME, {}).seen, [(ANN.id, "wxid_ann")])
    identity = KnownIdentity(7, Evidence(kind="person", wxid="wxid_ann"))

    matches, _ = judge(seen, [identity], {7}, is_complete=True, may_wait=False)
    assert [each.identity for each in matches.values()] == [None]


def test_a_chatroom_without_members_waits_and_uncertain_people_wait_for_the_complete_list() -> None:
    members = (Member(id=ANN.id, nickname="Ann"),)
    room = Contact(id=ContactId("@@room"), nickname="Room", kind="chatroom")
    known = Contact(id=room.id, nickname="Room", kind="chatroom", members=members)
    identity = KnownIdentity(7, compare([known], ME, {}).seen[room.id].evidence)
    for contact, may_wait, waits in ((room, False, True), (ANN, True, True), (ANN, False, False)):
        identities = [identity, KnownIdentity(8, Evidence(kind="person", nickname="Ann"))]
        seen = compare([contact], ME, {}).seen
        matches, waiting = judge(seen, identities, set(), is_complete=True, may_wait=may_wait)
        assert [each.by for each in matches.values()] == ["ambiguous"]
        assert (contact.id in waiting) is waits


def test_an_identity_has_the_name_that_a_contact_had() -> None:
    known = Evidence(kind="person", nickname="Ann", alias="annie")

    assert contact_of(ANN.id, "Boss", known) == Contact(id=ANN.id, nickname="Ann", remark="Boss", alias="annie")
    assert contact_of(ContactId("filehelper"), "x", Evidence(kind="person")).kind == "builtin"
