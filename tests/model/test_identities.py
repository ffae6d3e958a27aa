"""Identity matching across logins: what counts as evidence, and that no match is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.model.crowd import Crowd, mistakes

from webwx.model.contacts import Contact, ContactId, Member
from webwx.model.identities import MEMBERS, Evidence, KnownIdentity, Match, evidence_of, is_lasting, match

if TYPE_CHECKING:
    from collections.abc import Sequence

ANN = Evidence(
    kind="person", nickname="Ann", pinyin="ann", avatar=637128364, signature="so it goes", region="广东 深圳", sex=2,
    attr_status=102437,
)  # fmt: skip
BOB = Evidence(
    kind="person", nickname="Bob", pinyin="bob", remark="房东", remark_pinyin="fangdong", avatar=620902857, sex=1,
    region="上海 浦东", attr_status=4133,
)  # fmt: skip
OTHERS = [
    Evidence(kind="person", nickname=f"person {n}", avatar=650_000_000 + n, region="北京 海淀", sex=1 + n % 2)
    for n in range(40)
]


def marks(*nicknames: int) -> tuple[tuple[int, int], ...]:
    """Return members whose nicknames have no number."""
    return tuple((each, 0) for each in nicknames)


HIKE = Evidence(kind="chatroom", nickname="羽毛球", members=marks(*range(100, 110)))


def changed(evidence: Evidence, **changes: object) -> Evidence:
    return Evidence(**{**{name: getattr(evidence, name) for name in evidence.__struct_fields__}, **changes})


def found(one: Evidence, *known: Evidence, is_careful: bool = False) -> Match:
    """Return the match of a contact among these and many others; the known ones are numbered from 1."""
    return found_all([one, *OTHERS], *known, is_careful=is_careful)[0]


def found_all(seen: Sequence[Evidence], *known: Evidence, is_careful: bool = False) -> list[Match]:
    everybody = [*known, *OTHERS]
    identities = [KnownIdentity(number, evidence) for number, evidence in enumerate(everybody, 1)]
    ids = [ContactId(f"@{place}") for place in range(len(seen))]
    matches = match(dict(zip(ids, seen, strict=True)), identities, everybody, is_careful=is_careful)
    return [matches[each] for each in ids]


def number_of(result: Match) -> int:
    return result.identity.number if result.identity else 0


class TestEvidence:
    def test_of_a_person_is_the_fields_of_the_contact(self) -> None:
        contact = Contact(
            id=ContactId("@a"), nickname="Ann", pinyin="ann", avatar=637128364, signature="so it goes",
            region="广东 深圳", sex=2, attr_status=102437,
        )  # fmt: skip
        assert evidence_of(contact) == ANN

    def test_of_a_chatroom_holds_digests_of_all_members_but_oneself(self) -> None:
        members = tuple(Member(id=ContactId(f"@{name}"), nickname=name) for name in ("me", "ann", "bob"))
        room = Contact(id=ContactId("@@r"), kind="chatroom", members=members)
        without_me = Contact(id=ContactId("@@s"), kind="chatroom", members=members[:0:-1])
        assert len(evidence_of(room, "@me").members) == 2
        assert evidence_of(without_me, "@me") == evidence_of(room, "@me")

    def test_of_a_large_chatroom_is_bounded(self) -> None:
        members = tuple(Member(id=ContactId(f"@{n}"), nickname=f"member {n}") for n in range(MEMBERS + 100))
        room = Contact(id=ContactId("@@r"), kind="chatroom", members=members)
        assert len(evidence_of(room).members) == MEMBERS

    def test_with_an_empty_field_keeps_the_earlier_value(self) -> None:
        assert changed(ANN, nickname="Anna") == Evidence(kind="person", nickname="Anna").filled_from(ANN)

    def test_an_id_without_an_at_sign_is_permanent(self) -> None:
        assert [is_lasting(each) for each in ("filehelper", "gh_1", "@a", "@@r")] == [True, True, False, False]


class TestPeople:
    def test_unchanged_evidence_is_a_match_with_its_reasons(self) -> None:
        result = found(ANN, ANN, BOB)
        assert (result.by, number_of(result)) == ("matched", 1)
        assert result.confidence > 0.999
        assert {"nickname", "avatar", "signature", "region", "attr_status", "sex"} == {
            reason.what for reason in result.reasons if reason.agrees
        }

    @pytest.mark.parametrize(
        "change",
        [
            {"nickname": "Anna B", "pinyin": "annab"},
            {"avatar": 611111111},
            {"signature": "other words"},
            {"signature": ""},
            {"region": "四川 成都"},
            {"remark": "Annie", "remark_pinyin": "annie"},
            {"attr_status": 99},
        ],
    )
    def test_one_change_is_still_the_same_person(self, change: dict[str, object]) -> None:
        assert number_of(found(changed(ANN, **change), ANN, BOB)) == 1

    def test_a_unique_name_alone_is_never_enough(self) -> None:
        only_name = Evidence(kind="person", nickname="Zoe", pinyin="zoe")
        result = found(only_name, only_name)
        assert (result.by, number_of(result), result.candidates) == ("ambiguous", 0, (1,))

    def test_a_stranger_with_the_name_of_a_lost_contact_is_a_new_identity(self) -> None:
        namesake = changed(ANN, avatar=699999999, signature="", region="北京 海淀", attr_status=7)
        assert found(namesake, ANN, BOB)[:2] == ("seen", None)

    def test_another_person_under_the_same_remark_is_a_new_identity(self) -> None:
        landlord = changed(BOB, nickname="Karl", pinyin="karl", avatar=688888888, attr_status=102437)
        assert None is found(landlord, ANN, BOB).identity

    def test_a_unique_remark_with_the_same_nickname_is_enough(self) -> None:
        known = Evidence(kind="person", nickname="Zoe", remark="邓宇萍")
        assert number_of(found(known, known)) == 1

    def test_two_contacts_of_one_name_are_distinguished_by_any_other_attribute(self) -> None:
        twin = changed(ANN, avatar=688888888, signature="", attr_status=7)
        assert [number_of(each) for each in found_all([twin, ANN], ANN, twin)] == [2, 1]

    def test_two_indistinguishable_contacts_are_new_and_name_both_candidates(self) -> None:
        first, second = found_all([ANN, ANN], ANN, ANN)
        assert (first.by, second.by) == ("ambiguous", "ambiguous")
        assert {1, 2} == set(first.candidates) == set(second.candidates)

    def test_one_of_two_indistinguishable_contacts_names_both_candidates(self) -> None:
        assert found(ANN, ANN, ANN).by == "ambiguous"

    def test_two_new_contacts_like_a_known_one_are_both_ambiguous(self) -> None:
        assert [each.by for each in found_all([ANN, ANN], ANN)] == ["ambiguous", "ambiguous"]

    def test_a_contact_is_matched_once_a_similar_one_is_matched(self) -> None:
        # They differ in the picture alone, and the picture number of the second one is so low that it is weak evidence.
        first = changed(ANN, remark="邓宇萍")
        second = changed(first, avatar=3)
        assert [number_of(each) for each in found_all([first, second], first, second)] == [1, 2]
        assert found(second, first, second).by == "ambiguous"

    def test_a_changed_emoji_in_the_name_is_the_same_name(self) -> None:
        one = Evidence(kind="person", nickname="王小明🌸", pinyin="wangxiaoming?", remark="邓宇萍")
        reasons = found(changed(one, nickname="王小明😀"), one).reasons
        assert [(reason.what, reason.agrees) for reason in reasons] == [("remark", True), ("pinyin", True)]

    def test_a_low_picture_number_is_weak_evidence(self) -> None:
        one = Evidence(kind="person", nickname="Zoe", avatar=3)
        assert found(one, one).by == "ambiguous"

    def test_a_common_value_is_weak_evidence(self) -> None:
        lazy = [Evidence(kind="person", nickname=f"n{n}", signature="这个人很懒") for n in range(40)]
        one = Evidence(kind="person", nickname="Zoe", signature="这个人很懒")
        assert found(one, one, *lazy).by == "ambiguous"
        assert number_of(found(one, one)) == 1

    def test_more_evidence_is_needed_while_contacts_may_be_missing(self) -> None:
        one = Evidence(kind="person", nickname="Zoe", signature="so it goes")
        assert (found(one, one).by, found(one, one, is_careful=True).by) == ("matched", "ambiguous")
        assert found(ANN, ANN, is_careful=True).by == "matched"

    def test_without_known_identities_every_contact_is_new(self) -> None:
        assert {ContactId("@a"): Match("seen")} == match({ContactId("@a"): ANN}, [], [])


class TestCertainAttributes:
    @pytest.mark.parametrize("mark", [{"alias": "ann_77"}, {"uin": 77}, {"wxid": "wxid_77"}, {"is_self": True}])
    def test_one_is_enough_even_if_all_else_differs(self, mark: dict[str, object]) -> None:
        result = found(changed(BOB, **mark), changed(ANN, **mark), BOB)
        assert (result.by, number_of(result), result.confidence) == ("certain", 1, 1.0)
        assert [*mark] == [reason.what for reason in result.reasons]

    @pytest.mark.parametrize("name", ["alias", "wxid"])
    def test_a_different_one_prevents_a_match_even_if_all_else_agrees(self, name: str) -> None:
        assert found(changed(ANN, **{name: "one"}), changed(ANN, **{name: "two"})).by == "seen"

    def test_the_more_reliable_one_decides(self) -> None:
        result = found(changed(ANN, uin=7, alias="new"), changed(ANN, uin=7, alias="old"))
        assert (result.by, result.reasons[0].what) == ("certain", "uin")
        assert found(changed(ANN, uin=7, alias="same"), changed(ANN, uin=8, alias="same")).by == "seen"

    def test_one_that_two_contacts_share_is_not_certain(self) -> None:
        one, other = changed(ANN, alias="shared"), changed(BOB, alias="shared")
        matches = found_all([one, other], one, other)
        assert [(each.by, number_of(each)) for each in matches] == [("matched", 1), ("matched", 2)]


class TestChatrooms:
    def test_the_same_name_and_members_are_a_match(self) -> None:
        assert number_of(found(HIKE, HIKE)) == 1

    def test_some_members_may_change(self) -> None:
        assert number_of(found(changed(HIKE, members=marks(*range(101, 111))), HIKE)) == 1

    def test_members_are_matched_by_either_nickname(self) -> None:
        before = changed(HIKE, members=tuple((mark, mark + 1) for mark in range(10)))
        assert (
            number_of(found(changed(before, members=tuple((mark + 50, mark + 1) for mark in range(10))), before)) == 1
        )
        assert number_of(found(changed(before, members=marks(*range(10))), before)) == 1

    def test_a_renamed_chatroom_is_a_match(self) -> None:
        assert number_of(found(changed(HIKE, nickname="乒乓球", is_owner=True), changed(HIKE, is_owner=True))) == 1

    def test_the_same_name_with_other_members_is_another_one(self) -> None:
        for shared in (0, 3, 5, 7):
            members = marks(*range(110 - shared, 120 - shared))
            assert None is found(changed(HIKE, members=members), HIKE).identity

    def test_a_name_alone_is_not_enough(self) -> None:
        assert found(changed(HIKE, members=()), HIKE).by == "ambiguous"

    def test_without_a_name_all_members_must_be_the_same(self) -> None:
        unnamed = changed(HIKE, nickname="")
        assert number_of(found(unnamed, unnamed)) == 1
        assert None is found(changed(unnamed, members=(*unnamed.members[1:], (7, 0))), unnamed).identity

    def test_three_members_alone_are_ambiguous(self) -> None:
        small = changed(HIKE, nickname="", members=marks(1, 2))
        assert found(small, small).by == "ambiguous"

    def test_evidence_of_another_kind_is_no_match(self) -> None:
        assert found(changed(ANN, kind="official"), ANN).by == "seen"


# -- matching over several logins ------------------------------------------------------------------------------------


def judged(size: int, seed: int, *, has_avatars: bool) -> tuple[int, float]:
    """Return the number of wrong matches over five logins, and the share of known contacts that were recognised."""
    crowd = Crowd(size, seed, has_avatars=has_avatars)
    known: dict[int, Evidence] = {}
    results: list[tuple[int, int, int]] = []
    for login in range(5):
        if login:
            crowd.change()
        contacts, who = crowd.log_in()
        numbers: dict[ContactId, int] = {}
        for is_room in (False, True):
            some = [contact for contact in contacts if (contact.kind == "chatroom") is is_room]
            seen = {contact.id: evidence_of(contact, numbers=numbers) for contact in some}
            identities = [KnownIdentity(number, evidence) for number, evidence in known.items()]
            for contact_id, result in match(seen, identities, list(known.values())).items():
                before = result.identity.evidence if result.identity else seen[contact_id]
                number = result.identity.number if result.identity else len(known) + 1
                numbers[contact_id], known[number] = number, seen[contact_id].filled_from(before)
                results.append((login, who[contact_id], number))
    return mistakes(results)


@pytest.mark.parametrize(("has_avatars", "least"), [(True, 0.95), (False, 0.70)])
def test_many_contacts_are_recognised_over_five_logins_without_a_wrong_match(has_avatars: bool, least: float) -> None:
    wrong, recall = judged(500, 1, has_avatars=has_avatars)
    assert wrong == 0
    assert recall >= least


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("has_avatars", "least"), [(True, 0.95), (False, 0.70)])
def test_ten_thousand_people_over_five_logins(has_avatars: bool, least: float, seed: int) -> None:
    wrong, recall = judged(10_000, seed, has_avatars=has_avatars)
    print(f"with pictures: {has_avatars}, seed {seed}: {wrong} wrong, {recall:.2%} known again")
    assert wrong == 0
    assert recall >= least
