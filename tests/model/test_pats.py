"""Names in place of the real ids in a pat."""

from __future__ import annotations

import msgspec
import pytest
from tests.samples import sample

from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId, Member
from webwx.model.messages import Pat
from webwx.model.pats import name_people, people_in_pat

AHUA, ROOM, STRANGER = ContactId("@ahua"), ContactId("@@room"), ContactId("@stranger")
CONTACTS = Contacts([
    Contact(id=AHUA, nickname="阿华"),
    Contact(id=ROOM, nickname="爬山", members=(
        Member(id=STRANGER, nickname="wxid_b", display_name="山友"), Member(id=ContactId("@nameless")),
    )),
])  # fmt: skip


def pat(text: str, actor: str | None, target: str | None, *, chat: ContactId = AHUA, **ids: ContactId | None) -> Pat:
    known: Pat = msgspec.structs.replace(
        sample(Pat), chat=chat, text=text, actor=actor, target=target, **{"actor_id": None, "target_id": None, **ids}
    )
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
        (pat('"wxid_a" 拍了拍我', "wxid_a", None, actor_id=STRANGER), "wxid_a", None, '"wxid_a" 拍了拍我'),
        (
            pat('"wxid_a" 拍了拍我', "wxid_a", None, chat=ROOM, actor_id=ContactId("@nameless")),
            "wxid_a", None, '"wxid_a" 拍了拍我',
        ),
        (pat('"阿华" 拍了拍我', "阿华", None), "阿华", None, '"阿华" 拍了拍我'),
        (
            pat('"li" 拍了拍 "lily"', "li", "lily", chat=ROOM, actor_id=AHUA, target_id=STRANGER),
            "阿华", "山友", '"阿华" 拍了拍 "山友"',
        ),
        (pat('"li" 拍了拍 "lily"', "li", "lily", chat=ROOM, actor_id=AHUA), "阿华", "lily", '"阿华" 拍了拍 "lily"'),
        (pat("", "", None, actor_id=AHUA), "", None, ""),
    ],
)  # fmt: skip
def test_real_ids_of_known_people_are_replaced_by_names(
    before: Pat, actor: str | None, target: str | None, text: str
) -> None:
    named = msgspec.structs.replace(before)
    name_people(named, CONTACTS)
    assert (named.actor, named.target, named.text) == (actor, target, text)


def test_only_a_pat_with_ids_needs_contacts() -> None:
    assert people_in_pat(pat("", "a", None, actor_id=STRANGER, chat=ROOM)) == [ROOM, STRANGER]
    assert people_in_pat(pat("", "a", None, chat=ROOM)) == []
