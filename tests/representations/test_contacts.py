"""Contacts of the API become contacts of the library again."""

from __future__ import annotations

import pytest

from webwx.gateway.api.contacts import view_of_contact, view_of_publication
from webwx.model.contacts import Admission, Contact, ContactId, Member
from webwx.model.messages import LinkedArticle
from webwx.model.publications import Publication
from webwx.representations.contacts import AdmissionView, MemberView, admission_of, contact_of, publication_of

ROOM = Contact(
    id=ContactId("@@room"), nickname="计划", remark="plan", kind="chatroom", is_pinned=True, is_owner=True,
    owner=ContactId("@me"), is_muted=True, is_starred=True, is_blocked=True,
    members=(Member(id=ContactId("@a"), nickname="阿华"),),
)  # fmt: skip


def test_a_chatroom_comes_back_with_its_members() -> None:
    members = [MemberView(id=member.id, name=member.name) for member in ROOM.members]
    assert contact_of(view_of_contact(ROOM), members) == ROOM


def test_an_admission_comes_back() -> None:
    members = [MemberView(id=member.id, name=member.name) for member in ROOM.members]
    view = AdmissionView(
        chatroom=view_of_contact(ROOM), members=members, added=["@a"], invited=["@b"], refused=["@c"]
    )  # fmt: skip
    admission = admission_of(view)
    assert isinstance(admission, Admission)
    assert (admission.added, admission.invited, admission.refused) == (("@a",), ("@b",), ("@c",))
    assert admission.chatroom == ROOM


@pytest.mark.parametrize("time", [0, 1_560_000_000])
def test_a_publication_comes_back(time: int) -> None:
    articles = (LinkedArticle(title="一", url="http://a", digest="摘要", cover_url="http://c"),)
    published = Publication(account=ContactId("@gh"), name="晨报", time=time, articles=articles)
    assert publication_of(view_of_publication(published)) == published
