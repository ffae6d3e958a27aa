"""Names in place of the real ids in a notice."""

from __future__ import annotations

import msgspec
import pytest
from tests.samples import sample

from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId, Member
from webwx.model.messages import Pat, SystemMessage
from webwx.model.named_people import name_people, people_in_notice

AHUA, ROOM, STRANGER = ContactId("@ahua"), ContactId("@@room"), ContactId("@stranger")
CONTACTS = Contacts([
    Contact(id=AHUA, nickname="阿华"),
    Contact(id=ROOM, nickname="爬山", members=(
        Member(id=STRANGER, nickname="wxid_b", display_name="山友"), Member(id=ContactId("@nameless")),
    )),
])  # fmt: skip


def pat(text: str, actor: str | None, target: str | None, *, chat: ContactId = AHUA, **ids: ContactId | None) -> Pat:
    """A pat with real ids of its people."""
    known: Pat = msgspec.structs.replace(
        sample(Pat), chat=chat, text=text, actor=actor, target=target,
        real_ids=tuple(each for each in (actor, target) if each), **{"actor_id": None, "target_id": None, **ids}
    )  # fmt: skip
    return known


@pytest.mark.parametrize(
    ("before", "actor", "target", "text"),
    [
        (pat('"wxid_a" 拍了拍我', "wxid_a", None, actor_id=AHUA), "阿华", None, '"阿华" 拍了拍我'),
        (pat('我拍了拍 "wxid_a"', None, "wxid_a", target_id=AHUA), None, "阿华", '我拍了拍 "阿华"'),
        (
            pat('"wxid_a" 拍了拍 "wxid_b"', "wxid_a", "wxid_b", chat=ROOM, actor_id=AHUA, target_id=STRANGER),
            "阿华", "山友", '"阿华" 拍了拍 "山友"',
        ),
        (pat('"wxid_a" 拍了拍我', "wxid_a", None, actor_id=STRANGER), "对方", None, '"对方" 拍了拍我'),
        (pat('"wxid_a" tickled me', "wxid_a", None), "the other person", None, '"the other person" tickled me'),
        (
            pat('"wxid_a" 拍了拍我', "wxid_a", None, chat=ROOM, actor_id=ContactId("@nameless")),
            "群成员", None, '"群成员" 拍了拍我',
        ),
        (
            pat('"wxid_x" tickled "wxid_y"', "wxid_x", "wxid_y", chat=ROOM),
            "a member", "a member", '"a member" tickled "a member"',
        ),
        (
            pat('"li" 拍了拍 "lily"', "li", "lily", chat=ROOM, actor_id=AHUA, target_id=STRANGER),
            "阿华", "山友", '"阿华" 拍了拍 "山友"',
        ),
        (pat('"li" 拍了拍 "lily"', "li", "lily", chat=ROOM, actor_id=AHUA), "阿华", "群成员", '"阿华" 拍了拍 "群成员"'),
        (pat("", "", None, actor_id=AHUA), "", None, ""),
        (
            msgspec.structs.replace(pat('"阿华" 拍了拍我', "阿华", None, chat=ROOM), real_ids=()),
            "阿华", None, '"阿华" 拍了拍我',
        ),
    ],
)  # fmt: skip
def test_real_ids_are_replaced_by_names_or_by_a_word_for_a_person(
    before: Pat, actor: str | None, target: str | None, text: str
) -> None:
    named = msgspec.structs.replace(before)
    name_people(named, CONTACTS)
    assert (named.actor, named.target, named.text) == (actor, target, text)


def test_a_pat_without_an_author_has_the_names_of_real_ids_that_are_known() -> None:
    named = pat('"wxid_b" 拍了拍 "wxid_c"，"wxid_d"', "wxid_b", "wxid_c", chat=ROOM)
    msgspec.structs.force_setattr(named, "real_ids", ("wxid_b", "wxid_c", "wxid_d"))
    owners = {"wxid_b": Contact(id=STRANGER), "wxid_c": Contact(id=ContactId(""), nickname="小陈")}

    name_people(named, CONTACTS, owners)

    assert named.text == '"山友" 拍了拍 "小陈"，"群成员"'
    assert (named.actor, named.actor_id, named.target, named.target_id) == ("山友", STRANGER, "小陈", None)


def test_a_notice_of_another_kind_names_people_too() -> None:
    notice: SystemMessage = msgspec.structs.replace(
        sample(SystemMessage), chat=ROOM, text="wxid_b将wxid_c的消息设置为群待办", real_ids=("wxid_b", "wxid_c")
    )

    name_people(notice, CONTACTS, {"wxid_b": Contact(id=STRANGER)})

    assert notice.text == "山友将群成员的消息设置为群待办"
    assert people_in_notice(notice) == [ROOM]


def test_only_a_notice_with_real_ids_needs_contacts() -> None:
    assert people_in_notice(pat("", "a", None, actor_id=STRANGER, chat=ROOM)) == [ROOM, STRANGER]
    assert people_in_notice(pat("", "a", None, chat=ROOM)) == [ROOM]
    assert people_in_notice(pat("", None, None, chat=ROOM)) == []
