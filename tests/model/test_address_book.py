"""The contacts of one login, found by id, remark or nickname."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from webwx.errors import UnknownContact
from webwx.model.address_book import Contacts
from webwx.model.contacts import (
    BUILT_IN,
    Contact,
    ContactId,
    Member,
    contact_from_wire,
    names_all_members,
    read_listed,
)
from webwx.protocol.codec import write_json
from webwx.protocol.contacts import WireContact, WireMember

ME = "@me"


def contact(id: str, nickname: str = "", remark: str = "", **more: Any) -> Contact:  # noqa: A002 - the field's name
    return Contact(id=ContactId(id), nickname=nickname, remark=remark, **more)


LILEI = contact("@li", "李雷", "Boss")
ZHANG = contact("@zhang", "张三")
OTHER_ZHANG = contact("@zhang2", "张三", "邻居")


class TestFilehelper:
    def test_is_always_among_the_contacts(self) -> None:
        assert Contacts().resolve("filehelper").kind == "builtin"
        assert Contacts().resolve("文件传输助手").id == "filehelper"

    def test_cannot_be_removed(self) -> None:
        contacts = Contacts()
        contacts.remove("filehelper")

        assert [each.id for each in contacts] == ["filehelper"]

    def test_is_among_the_built_in_accounts(self) -> None:
        assert "filehelper" in BUILT_IN


class TestUpdated:
    def test_an_earlier_iteration_gets_the_changes_since(self) -> None:
        contacts = Contacts.packed([LILEI, ZHANG])
        earlier = list(contacts)
        renamed = contacts.change(LILEI.id, remark="老板")
        contacts.remove(ZHANG.id)
        contacts.merge(OTHER_ZHANG)

        assert [renamed, OTHER_ZHANG] == contacts.updated(earlier)[1:]
        assert contacts.updated(earlier) == list(contacts)


class TestResolve:
    contacts = Contacts([LILEI, ZHANG, contact("@boss", "Boss"), contact("@trick", "@li")])

    @pytest.mark.parametrize(
        ("to", "id_"), [("@li", "@li"), ("张三", "@zhang"), ("李雷", "@li"), (ZHANG, "@zhang"), ("Boss", "@li")]
    )
    def test_an_id_is_found_before_a_remark_and_a_remark_before_a_nickname(self, to: Contact | str, id_: str) -> None:
        assert self.contacts.resolve(to).id == id_

    def test_an_unknown_name_is_an_error_that_explains_how_names_are_matched(self) -> None:
        with pytest.raises(UnknownContact, match=r"'Bos'.*the whole name must match"):
            self.contacts.resolve("Bos")

    def test_an_id_of_another_login_is_an_error_that_names_the_cause(self) -> None:
        with pytest.raises(UnknownContact, match="change at every login"):
            self.contacts.resolve("@stale")

    def test_a_contact_of_another_login_is_found_by_its_id_only(self) -> None:
        with pytest.raises(UnknownContact):
            self.contacts.resolve(contact("@stale", "张三"))

    @pytest.mark.parametrize("to", ["", " "])
    def test_a_blank_name_is_an_error(self, to: str) -> None:
        with pytest.raises(UnknownContact):
            self.contacts.resolve(to)

    def test_a_name_of_two_contacts_is_an_error_that_lists_both(self) -> None:
        with pytest.raises(UnknownContact, match=r"2 contacts .*'@zhang', '@zhang2'"):
            Contacts([ZHANG, OTHER_ZHANG]).resolve("张三")


class TestFind:
    contacts = Contacts([LILEI, ZHANG, OTHER_ZHANG])

    def test_by_remark(self) -> None:
        assert self.contacts.find(remark="Boss") is LILEI

    def test_by_nickname_and_remark_together(self) -> None:
        assert self.contacts.find(nickname="张三", remark="邻居") is OTHER_ZHANG

    @pytest.mark.parametrize(
        "names",
        [{"remark": "李雷"}, {"nickname": "Boss"}, {"nickname": "李雷", "remark": "x"}, {}],
    )
    def test_a_remark_is_not_a_nickname_and_no_argument_finds_nothing(self, names: dict[str, str]) -> None:
        with pytest.raises(UnknownContact):
            self.contacts.find(**names)

    def test_a_name_of_two_contacts_is_an_error(self) -> None:
        with pytest.raises(UnknownContact, match="use one of the ids"):
            self.contacts.find(nickname="张三")


class TestMerge:
    @pytest.mark.parametrize(
        ("listed", "announced", "is_incomplete"), [(2, 2, False), (2, 0, False), (1, 2, True), (0, 2, True)]
    )
    def test_a_chatroom_shows_whether_its_list_of_members_is_complete(
        self, listed: int, announced: int, is_incomplete: bool
    ) -> None:
        members = [WireMember(user_name=f"@{number}") for number in range(listed)]
        wire = WireContact(user_name="@@room", member_count=announced, member_list=members)
        assert contact_from_wire(wire, ME).is_incomplete is is_incomplete
        assert names_all_members(write_json(wire)) is (listed > 0 and not is_incomplete)

    def test_an_incomplete_list_of_members_removes_none(self) -> None:
        a, b, renamed = (
            Member(id=ContactId(each), nickname=name) for each, name in (("@a", "A"), ("@b", "B"), ("@b", "C"))
        )
        contacts = Contacts([contact("@@room", kind="chatroom", members=(a, b))])
        part = contacts.merge(contact("@@room", kind="chatroom", members=(renamed,), is_incomplete=True))
        assert (part.members, part.is_incomplete) == ((a, renamed), True)
        assert contacts.merge(contact("@@room", "name", kind="chatroom")).is_incomplete
        whole = contacts.merge(contact("@@room", kind="chatroom", members=(b,)))
        assert (whole.members, whole.is_incomplete) == ((b,), False)

    def test_empty_fields_erase_nothing(self) -> None:
        member = Member(id=ContactId("@a"))
        contacts = Contacts([contact("@@r", "群", "我的群", alias="x", members=(member,), kind="chatroom")])
        merged = contacts.merge(contact("@@r", "新群", kind="stranger"))

        assert merged == contact("@@r", "新群", "我的群", alias="x", members=(member,), kind="chatroom")
        assert contacts.get("@@r") is merged

    def test_a_contact_is_found_by_its_new_name_only(self) -> None:
        contacts = Contacts([LILEI])
        assert contacts.resolve("Boss").id == "@li"
        contacts.merge(contact("@li", remark="老板"))

        assert contacts.resolve("老板").nickname == "李雷"
        with pytest.raises(UnknownContact):
            contacts.resolve("Boss")

    def test_a_new_contact_is_added(self) -> None:
        contacts = Contacts()
        contacts.merge(ZHANG)

        assert len(contacts) == 2
        assert repr(contacts) == "Contacts(2)"


class TestRemove:
    def test_a_removed_contact_is_not_found(self) -> None:
        contacts = Contacts([LILEI])
        assert contacts.resolve("Boss") is LILEI
        contacts.remove("@li")
        contacts.remove("@li")

        assert contacts.get("@li") is None
        with pytest.raises(UnknownContact):
            contacts.resolve("Boss")


def test_a_contact_may_be_removed_during_iteration() -> None:
    contacts = Contacts([LILEI, ZHANG])
    for each in contacts:
        contacts.remove(each.id)

    assert [each.id for each in contacts] == ["filehelper"]


class TestChatrooms:
    ROOM = WireContact(
        user_name="@@room",
        contact_flag=2051,
        is_owner=1,
        encry_chat_room_id="@0f1e",
        member_list=[
            WireMember(user_name="@li", nick_name="李雷", display_name="队长"),
            WireMember(user_name="@han", nick_name="韩梅梅"),
            WireMember(user_name="@x"),
        ],
    )

    def test_fields_are_decoded(self) -> None:
        room = contact_from_wire(self.ROOM, ME)

        assert (room.is_pinned, room.is_owner, room.avatar_key) == (True, True, "@0f1e")

    def test_without_a_name_the_display_name_lists_the_members(self) -> None:
        assert contact_from_wire(self.ROOM, ME).display_name == "队长, 韩梅梅, @x"

    def test_the_display_name_lists_ten_members_at_most(self) -> None:
        crowd = tuple(Member(id=ContactId(f"@{number}")) for number in range(11))

        assert contact("@@room", members=crowd).display_name.count(",") == 9

    def test_the_display_name_uses_the_remark_of_a_member(self) -> None:
        known = Contacts([LILEI])

        assert [known.name_of(member) for member in contact_from_wire(self.ROOM, ME).members] == [
            "Boss", "韩梅梅", "@x",
        ]  # fmt: skip

    def test_a_change_without_names_of_members_keeps_the_known_names(self) -> None:
        known = (
            Member(id=ContactId("@a"), nickname="阿华", display_name="花"),
            Member(id=ContactId("@b"), nickname="b"),
        )
        contacts = Contacts([contact("@@r", "群", kind="chatroom", members=known)])
        bare = tuple(Member(id=ContactId(each)) for each in ("@a", "@c"))
        merged = contacts.merge(contact("@@r", "群", kind="chatroom", members=bare))
        assert merged.members == (known[0], bare[1])

    def test_a_change_keeps_owner_and_key_but_may_unpin(self) -> None:
        known = Contacts([contact_from_wire(self.ROOM, ME)])
        changed = known.merge(contact_from_wire(WireContact(user_name="@@room", contact_flag=3), ME))

        assert (changed.is_owner, changed.avatar_key, changed.is_pinned) == (True, "@0f1e", False)

    @pytest.mark.parametrize(
        ("fields", "owner", "is_owner"),
        [
            ({"IsOwner": 1}, ME, True),
            ({"OwnerUin": 7}, ME, True),
            ({"ChatRoomOwner": ME}, ME, True),
            ({"ChatRoomOwner": "@li"}, "@li", False),
            ({"OwnerUin": 8, "MemberList": [{"UserName": "@li", "Uin": 8}]}, "@li", False),
            ({"OwnerUin": 9, "MemberList": [{"UserName": "@li", "Uin": 0}]}, "", False),
            ({"OwnerUin": 0, "IsOwner": 0, "ChatRoomOwner": "", "MemberList": [{"UserName": "@li"}]}, "", False),
            ({"ChatRoomOwner": None, "IsOwner": "1"}, ME, True),
        ],
    )
    def test_the_owner_of_a_chatroom_is_named_in_three_ways(
        self, fields: dict[str, object], owner: str, is_owner: bool
    ) -> None:
        room = read_listed([msgspec.json.encode({"UserName": "@@room"} | fields)], ME, 7)

        assert room is not None
        assert (room.owner, room.is_owner) == (owner, is_owner)

    def test_a_person_owns_no_chatroom_and_has_no_owner(self) -> None:
        person = contact_from_wire(WireContact(user_name="@li", owner_uin=7, is_owner=1), ME, 7)

        assert (person.owner, person.is_owner) == ("", False)

    @pytest.mark.parametrize(
        ("later", "owner"),
        [
            (WireContact(user_name="@@room", chat_room_owner="@li"), "@li"),
            (WireContact(user_name="@@room", encry_chat_room_id="@0f1e"), ""),
        ],
    )
    def test_an_owner_who_hands_the_chatroom_over_owns_it_no_more(self, later: WireContact, owner: str) -> None:
        known = Contacts([contact_from_wire(self.ROOM, ME)])
        assert known.resolve("@@room").owner == ME
        changed = known.merge(contact_from_wire(later, ME))

        assert (changed.is_owner, changed.owner) == (False, owner)

    def test_details_without_an_owner_keep_the_other_member_who_is_known_as_owner(self) -> None:
        known = Contacts([contact_from_wire(WireContact(user_name="@@room", chat_room_owner="@li"), ME)])
        changed = known.merge(contact_from_wire(WireContact(user_name="@@room", encry_chat_room_id="@0f1e"), ME))

        assert (changed.is_owner, changed.owner) == (False, "@li")

    @pytest.mark.parametrize(
        ("wire", "is_muted"),
        [
            (WireContact(user_name="@@room", statues=0, encry_chat_room_id="@0f1e"), True),
            (WireContact(user_name="@@room", statues=0, chat_room_owner="@li"), True),
            (WireContact(user_name="@@room", statues=1, chat_room_owner="@li"), False),
            (WireContact(user_name="@@room", statues=0), False),
            (WireContact(user_name="@li", contact_flag=3 | 512), True),
            (WireContact(user_name="@li", contact_flag=3, statues=0), False),
        ],
    )
    def test_a_contact_may_be_muted(self, wire: WireContact, is_muted: bool) -> None:
        assert contact_from_wire(wire, ME).is_muted is is_muted

    def test_a_first_snapshot_changes_no_muted_chatroom(self) -> None:
        muted = WireContact(user_name="@@room", statues=0, encry_chat_room_id="@0f1e")
        known = Contacts([contact_from_wire(muted, ME)])

        assert known.merge(contact_from_wire(WireContact(user_name="@@room", statues=0), ME)).is_muted
        heard = WireContact(user_name="@@room", statues=1, encry_chat_room_id="@0f1e")
        assert not known.merge(contact_from_wire(heard, ME)).is_muted

    @pytest.mark.parametrize(
        ("wire", "flags"),
        [
            (WireContact(user_name="@li", contact_flag=3 | 64), (True, False)),
            (WireContact(user_name="@li", contact_flag=3, star_friend=1), (True, False)),
            (WireContact(user_name="@li", contact_flag=3 | 8), (False, True)),
            (WireContact(user_name="@li", contact_flag=3 | 32768), (False, False)),
        ],
    )
    def test_a_friend_may_be_starred_or_blocked(self, wire: WireContact, flags: tuple[bool, bool]) -> None:
        read = contact_from_wire(wire, ME)

        assert (read.is_starred, read.is_blocked) == flags

    def test_flags_of_a_friend_are_kept_where_they_are_missing_and_removed_where_they_are_not(self) -> None:
        known = Contacts([contact_from_wire(WireContact(user_name="@li", contact_flag=3 | 8 | 64 | 512), ME)])
        bare = known.merge(contact_from_wire(WireContact(user_name="@li"), ME))
        assert (bare.is_starred, bare.is_blocked, bare.is_muted) == (True, True, True)
        plain = known.merge(contact_from_wire(WireContact(user_name="@li", contact_flag=3), ME))
        assert (plain.is_starred, plain.is_blocked, plain.is_muted) == (False, False, False)

    def test_a_change_of_the_name_removes_its_pinyin(self) -> None:
        known = Contacts([contact("@li", "李雷", "Boss", pinyin="lilei", remark_pinyin="boss", avatar=7, sex=1)])
        changed = known.merge(contact("@li", "李雷", "老板"))

        assert (changed.pinyin, changed.remark_pinyin, changed.avatar, changed.sex) == ("lilei", "", 7, 1)

    def test_a_change_of_a_friend_without_fields_does_not_unpin(self) -> None:
        known = Contacts([contact("@li", "李雷", is_pinned=True)])

        assert known.merge(contact_from_wire(WireContact(user_name="@li"), ME)).is_pinned


def test_a_person_has_no_avatar_key() -> None:
    assert contact_from_wire(WireContact(user_name="@a", encry_chat_room_id="0"), ME).avatar_key == ""


def test_a_search_covers_all_names_and_ignores_case() -> None:
    known = Contacts([LILEI, contact("@z", "Zoe", alias="zoe_1")])

    assert [each.id for each in known.search("BOSS")] == ["@li"]
    assert [each.id for each in known.search("OE_")] == ["@z"]
    assert known.search("unknown") == []


def test_contacts_know_whether_they_have_changed() -> None:
    known = Contacts([LILEI])
    was_changed = known.is_changed
    known.change("@li", remark="")
    assert (was_changed, known.is_changed) == (False, True)
    assert known.find(nickname="李雷").remark == ""
    known.is_changed = False
    known.remove("@li")
    assert known.is_changed


def test_a_sender_is_known_until_it_is_removed() -> None:
    member = Member(id=ContactId("@a"))
    contacts = Contacts([LILEI, contact("@@room", kind="chatroom", members=(member,))])
    for _ in range(2):
        assert contacts.knows("@li", None)
        assert contacts.knows("@li", "@li")
        assert contacts.knows("@@room", "@a")
        assert contacts.knows("@@room", "@li")
        assert not contacts.knows("@@room", "@stranger")
        assert not contacts.knows("@other", "@li")
    contacts.merge(contact("@stranger"))
    contacts.remove("@li")

    assert contacts.knows("@@room", "@stranger")
    assert not contacts.knows("@li", None)
    assert not contacts.knows("@@room", "@li")


def test_ten_thousand_senders_are_known() -> None:
    members = tuple(Member(id=ContactId(f"@{number}")) for number in range(10_500))
    contacts = Contacts([contact("@@room", kind="chatroom", members=members)])
    for _ in range(2):
        assert all(contacts.knows("@@room", f"@{number}") for number in range(10_500))
    assert not contacts.knows("@@room", "@10500")
