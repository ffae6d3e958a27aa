"""The roster: contacts that are packed into bytes are found and read like others."""

from __future__ import annotations

from array import array

import msgspec
import pytest

from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId, Listing, Member, take_listed
from webwx.model.roster import Places
from webwx.protocol.codec import write_json
from webwx.protocol.contacts import WireContact, WireMember

ME = "@me"
MANY = 500


def listed(*contacts: WireContact | bytes) -> list[msgspec.Raw]:
    """Return contacts as a page of the contact list holds them."""
    body = b"[" + b",".join(each if isinstance(each, bytes) else write_json(each) for each in contacts) + b"]"
    return msgspec.json.decode(body, type=list[msgspec.Raw])


def friend(number: int) -> WireContact:
    return WireContact(user_name=f"@{number}", nick_name=f"Friend {number}", contact_flag=1, signature="x" * 200)


ROOM = WireContact(user_name="@@room", nick_name="Room", remark_name="Ours")
MEMBERS = [WireMember(user_name="@a", nick_name="Ann"), WireMember(user_name="@b", nick_name="Ben")]


@pytest.fixture(params=[False, True], ids=["as it came", "packed"])
def crowd(request: pytest.FixtureRequest) -> Contacts:
    details = WireContact(user_name="@@room", nick_name="Room", member_list=MEMBERS)
    contacts = Contacts.listed(Listing(take_listed(listed(*map(friend, range(MANY)), ROOM, details))), ME)
    if request.param:
        contacts.pack()
        contacts.pack()
    return contacts


def test_every_contact_is_found_by_id_and_by_name(crowd: Contacts) -> None:
    assert [f"Friend {number}" for number in range(MANY)] == [
        contact.nickname for number in range(MANY) if (contact := crowd.get(f"@{number}")) is not None
    ]
    assert crowd.find(nickname="Friend 77").id == "@77"
    assert crowd.resolve("Ours").id == "@@room"
    assert (len(crowd), "@499" in crowd, "@500" in crowd) == (MANY + 2, True, False)
    assert crowd.get("@500") is None
    assert crowd.called("Friend 500") == []


def test_iteration_yields_each_contact_once_in_the_order_of_the_list(crowd: Contacts) -> None:
    assert ["filehelper", *(f"@{number}" for number in range(MANY)), "@@room"] == [each.id for each in crowd]


def test_the_fields_of_a_contact_that_is_listed_twice_are_merged(crowd: Contacts) -> None:
    room = crowd.resolve("@@room")

    assert (room.remark, [member.name for member in room.members]) == ("Ours", ["Ann", "Ben"])
    assert [crowd.has_member("@@room", each) for each in ("@a", "@b", "@c")] == [True, True, False]
    assert not crowd.has_member("@@nowhere", "@a")


def test_a_change_replaces_what_was_listed(crowd: Contacts) -> None:
    assert crowd.has_member("@@room", "@b")
    crowd.put(Contact(id=ContactId("@@room"), kind="chatroom", members=(Member(id=ContactId("@c")),)))
    crowd.merge(Contact(id=ContactId("@1"), nickname="Other"))
    crowd.merge(Contact(id=ContactId("@new"), nickname="Friend 1"))
    crowd.remove("@2")

    assert [crowd.has_member("@@room", each) for each in ("@b", "@c")] == [False, True]
    assert crowd.find(nickname="Friend 1").id == "@new"
    assert crowd.find(nickname="Other").id == "@1"
    assert (crowd.resolve("@1").signature, crowd.get("@2")) == ("x" * 200, None)
    assert crowd.called("Friend 2") == []
    assert MANY + 2 == len(crowd) == len(list(crowd))
    assert "@2" not in [each.id for each in crowd]


def test_a_copy_is_independent(crowd: Contacts) -> None:
    crowd.remove("@1")
    copy = Contacts.packed(crowd)
    copy.remove("@2")

    assert [("@1" in each, "@2" in each) for each in (crowd, copy)] == [(False, True), (False, False)]


def test_a_change_without_an_id_is_an_error(crowd: Contacts) -> None:
    with pytest.raises(KeyError):
        crowd.change("@unknown", remark="x")


def test_an_unreadable_contact_is_skipped() -> None:
    broken = Contacts.listed(
        Listing(take_listed(listed(b'{"UserName":"@a","UserName":{}}', b'{"NickName":"x"}', friend(1)))), ME
    )

    assert [each.id for each in broken] == ["filehelper", "@1"]


def test_saved_contacts_can_be_packed() -> None:
    people = [Contact(id=ContactId(f"@{number}"), nickname=f"Friend {number}") for number in range(MANY)]

    packed = Contacts.packed(people)

    assert people == list(packed)[1:]
    assert people[7] == packed.find(nickname="Friend 7")
    assert not packed.is_changed


def test_the_platforms_name_of_filehelper_replaces_the_built_in_one() -> None:
    own = Contacts.listed(
        Listing(take_listed(listed(WireContact(user_name="filehelper", nick_name="File Transfer")))), ME
    )

    assert [each.nickname for each in own] == ["File Transfer"]
    assert (len(own), own.resolve("File Transfer").id) == (1, "filehelper")
    assert own.called("文件传输助手") == []


def test_a_text_is_found_at_all_its_places() -> None:
    places = Places.of("abaca")

    assert [places.find(each) for each in "abcd"] == [[0, 2, 4], [1], [3], []]
    assert places.again == {0: [2, 4]}
    assert [each in places for each in "abcd"] == [True, True, True, False]
    assert (len(places), len(Places.of("")), "a" in Places.of("")) == (5, 0, False)


def test_texts_with_similar_hashes_are_distinguished() -> None:
    alike = array("q", [7, 7 + 2**40, -1, 7 + 2**41, 7])

    assert Places(alike).again == {0: [4]}
    assert len(Places(array("q", range(MANY))).again) == 0


@pytest.mark.parametrize("size", [2**16 - 1, 2**16])
def test_the_last_text_of_a_large_table_is_found(size: int) -> None:
    places = Places.of(map(str, range(size)))
    assert [places.first(str(each)) for each in (0, size - 1, size)] == [0, size - 1, -1]
