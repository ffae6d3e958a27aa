"""The order in which the API lists contacts, kept for the next page."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.model.address_book import Contacts
    from webwx.model.contacts import Contact, ContactId, Kind

_KEPT = 4
"""Number of logins whose order is kept; that of 20,000 contacts takes about 5 MB."""


class ContactPlace(NamedTuple):
    """The place of a contact."""

    key: str
    """By which contacts are ordered: the name to show and the id."""
    kind: Kind
    id: ContactId


class ContactOrder:
    """
    The order of the contacts of the logins that were listed last.

    To put contacts in order, all of them are decoded: 0.2 s for 20,000, so it is done once for all pages of them.
    """

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Contacts, tuple[int, list[ContactPlace]]] = WeakKeyDictionary()
        """Places by the contacts, with the version that they belong to; the least recent first."""

    def __repr__(self) -> str:
        return f"ContactOrder({len(self._kept)} logins)"

    def places(self, contacts: Contacts) -> list[ContactPlace]:
        """Return the places of all contacts of a login, in their order."""
        version = contacts.version
        kept = self._kept.pop(contacts, None)
        if kept is None or kept[0] != version:
            kept = version, ordered(contacts)
        self._kept[contacts] = kept
        while len(self._kept) > _KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        return kept[1]


def ordered(contacts: Iterable[Contact]) -> list[ContactPlace]:
    """Return the places of contacts, in their order."""
    places = (ContactPlace(f"{each.display_name}\n{each.id}", each.kind, each.id) for each in contacts)
    return sorted(places, key=attrgetter("key"))
