"""Contacts: kept for each login, and read when they are needed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.storage.arrivals import (
    OWN,
)

from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId, Member

if TYPE_CHECKING:
    from webwx.storage.base import AccountJournal

pytestmark = pytest.mark.plain


ANN = Contact(id=ContactId("@ann"), nickname="Ann", remark="Boss")
BEN = Contact(id=ContactId("@ben"), nickname="Ben")
ROOM = Contact(id=ContactId("@@room"), nickname="Room", kind="chatroom", members=(Member(id=BEN.id),))


@pytest.fixture
async def contacts(account: AccountJournal) -> Contacts:
    await account.save_contacts(OWN, [ANN, BEN, ROOM])
    return Contacts(roster=await account.roster(OWN))


async def test_every_contact_is_found_by_id_and_by_name(contacts: Contacts) -> None:
    assert [contacts.get(each.id) for each in (ANN, BEN, ROOM)] == [ANN, BEN, ROOM]
    assert [contacts.resolve(name) for name in ("Boss", "Ann", "Room")] == [ANN, ANN, ROOM]
    assert list(contacts)[1:] == [ANN, BEN, ROOM]
    assert ("@ann" in contacts, "@unknown" in contacts, len(contacts)) == (True, False, 4)
    assert contacts.get("@unknown") is None
    assert contacts.has_member("@@room", "@ben")
    contacts.pack()
    assert contacts.unstored() == []


async def test_an_earlier_name_finds_no_contact(account: AccountJournal) -> None:
    await account.save_contacts(OWN, [ANN])
    await account.save_contacts(OWN, [Contact(id=ANN.id, nickname="Anna")])

    contacts = Contacts(roster=await account.roster(OWN))

    assert (contacts.called("Boss"), [each.id for each in contacts.called("Anna")]) == ([], ["@ann"])


async def test_a_change_replaces_the_stored_contact(contacts: Contacts, account: AccountJournal) -> None:
    changed = contacts.change("@ann", remark="Chief")
    contacts.remove("@ben")

    assert contacts.unstored() == [changed]
    assert (contacts.resolve("Chief"), contacts.called("Ben"), len(contacts)) == (changed, [], 3)
    contacts.rest_on(await account.roster(OWN))
    assert (contacts.get("@ann"), contacts.get("@ben")) == (changed, None)


async def test_a_new_roster_has_contacts_that_were_added_later(contacts: Contacts, account: AccountJournal) -> None:
    new = Contact(id=ContactId("@new"), nickname="New")
    await account.save_contacts(OWN, [new], [BEN.id])

    assert new.id not in contacts
    assert [each.id for each in contacts] == ["filehelper", "@ann", "@@room"]
    assert contacts.get("@ben") is None, "deleted by another object"
    contacts.rest_on(await account.roster(OWN))
    assert contacts.get("@new") == new


async def test_a_new_login_has_the_contacts_that_it_was_opened_with(account: AccountJournal) -> None:
    own_id = ContactId("@again")
    roster = (await account.open_login(own_id, b"", 2, iter([BEN, ROOM]))).roster
    assert (list(roster), roster.get(BEN.id), roster.get(ANN.id), roster.is_kept) == ([BEN, ROOM], BEN, None, True)

    roster = (await account.open_login(own_id, b"", 3, [ANN])).roster
    assert list(roster) == [BEN, ROOM, ANN] == list(await account.roster(own_id))


async def test_an_unknown_login_has_no_contacts(account: AccountJournal) -> None:
    assert len(await account.roster(ContactId("@stranger"))) == 0


async def test_any_thread_may_read(contacts: Contacts) -> None:
    found: list[Contact | None] = []
    threads = [threading.Thread(target=lambda: found.append(contacts.get("@ann"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [ANN] * 4


async def test_a_roster_is_read_in_pieces_and_in_order(account: AccountJournal) -> None:
    crowd = [Contact(id=ContactId(f"@{number % 7}-{number}"), nickname=str(number)) for number in range(200)]
    await account.save_contacts(OWN, crowd)

    assert list(await account.roster(OWN)) == crowd
