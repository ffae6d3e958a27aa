"""The kept order of contacts: made once for all pages, and again after a change."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING

from webwx.gateway.accounts.contact_order import ContactOrder
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId, Listed, Listing, is_chatroom, read_listed
from webwx.model.roster import PackedRoster
from webwx.protocol.codec import write_json
from webwx.protocol.contacts import WireContact

if TYPE_CHECKING:
    from collections.abc import Iterator


class Counted(Contacts):
    """Contacts that count how often all of them are read."""

    reads = 0

    def __iter__(self) -> Iterator[Contact]:
        self.reads += 1
        return super().__iter__()


def contacts_of(*names: str) -> Counted:
    return Counted(Contact(id=ContactId(f"@{name}"), nickname=name) for name in names)


def names_of(order: ContactOrder, contacts: Contacts) -> list[str]:
    return [place.key.partition("\n")[0] for place in order.places(contacts) if place.id != "filehelper"]


def test_all_contacts_are_read_once_until_one_changes() -> None:
    order, contacts = ContactOrder(), contacts_of("c", "a", "b")
    assert [names_of(order, contacts) for _ in range(3)] == [["a", "b", "c"]] * 3
    assert contacts.reads == 1

    contacts.merge(Contact(id=ContactId("@a"), nickname="d"))
    assert names_of(order, contacts) == ["b", "c", "d"]
    contacts.remove("@c")
    assert names_of(order, contacts) == ["b", "d"]
    assert contacts.reads == 3


def test_contacts_that_another_process_has_stored_are_listed() -> None:
    order, contacts = ContactOrder(), contacts_of()
    assert names_of(order, contacts) == []

    listing = Listing([Listed(ContactId("@a"), write_json(WireContact(user_name="@a", nick_name="a")))])
    contacts.rest_on(PackedRoster(listing, partial(read_listed, own_id="@me"), is_chatroom))
    assert names_of(order, contacts) == ["a"]


def test_the_order_of_the_logins_that_were_listed_last_is_kept() -> None:
    order, logins = ContactOrder(), [contacts_of("a") for _ in range(6)]
    for each in (*logins, logins[-1], logins[2], logins[0]):
        order.places(each)
    assert [each.reads for each in logins] == [2, 1, 1, 1, 1, 1]
    del logins, each
    gc.collect()
    assert repr(order) == "ContactOrder(0 logins)"
