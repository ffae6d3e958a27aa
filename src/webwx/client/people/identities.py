"""
Identities: ids are new at every login, and the journal stores which ids belong to one person or chatroom.

A message goes to a contact of this login only. An id of an earlier login, or a number, is resolved only by the
evidence in the journal, where a number belongs to one person or chatroom for ever; a name never replaces an id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from webwx.errors import InvalidRequest, StaleContact, UnknownContact
from webwx.model.contacts import Contact, ContactId, is_id
from webwx.model.identities import Identity, Link
from webwx.storage.lookup import find_identity, find_identity_of
from webwx.storage.tables.identities.query import IdentityQuery

if TYPE_CHECKING:
    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.model.contacts import Member
    from webwx.model.messages import Person
    from webwx.storage.base import AccountJournal

To: TypeAlias = Contact | Identity | str | int
"""Target of a call: a contact, an id, a remark, a nickname; with a journal also an identity, or its number."""

SURE = 0.95
"""Minimum certainty of a match by which a number or an id of an earlier login becomes a contact."""


class AccountIdentities:
    """
    Identities across the logins of one account, and resolution of a caller's target in this login.

    Args:
        session: The account's session.
        storage: The account's storage.
        book: The contacts of the present login.
        updates: Contacts that wait to be matched with identities.
    """

    def __init__(
        self, session: ClientSession, storage: AccountStorage, book: ContactBook, updates: IdentityUpdates
    ) -> None:
        self._session = session
        self._storage = storage
        self._book = book
        self._readable_part = updates.readable_part

    async def who(self, which: To) -> Identity:
        part = await self._readable_part()
        match which:
            case int() | Identity():
                return await self.numbered(part, which)
            case _:
                pass
        contact_id = self.id_meant(which)
        found = await find_identity_of(part.identities, contact_id) if contact_id else None
        if found is not None:
            return found
        if contact_id:
            raise UnknownContact("No identity has that id: no contact list in this journal contains it.")
        name = str(which)
        named = await part.identities.find(IdentityQuery(name=name))
        match named:
            case [identity]:
                return identity
            case []:
                raise UnknownContact(f"No contact in the journal ever had the name {name!r}.")
            case _:
                numbers = ", ".join(str(each.number) for each in named)
                raise UnknownContact(
                    f"{len(named)} contacts have or had the name {name!r}; use one of the numbers: {numbers}."
                )

    async def user(self) -> int:
        """Return the platform's number of the user whose identities these are: of this login, or of the last one."""
        return await self._storage.latest_uin()

    async def find_contact(self, which: To) -> Contact:
        await self._session.require_login()
        return await self.contact(which)

    async def list_identities(self, name: str = "") -> list[Identity]:
        return await (await self._readable_part()).identities.find(IdentityQuery(name=name))

    async def why(self, which: To) -> list[Link]:
        identity = await self.who(which)
        return await (await self._readable_part()).identities.links(identity.number)

    async def merge_identities(self, one: To, other: To) -> Identity:
        first, second = await self.who(one), await self.who(other)
        return await (await self._readable_part()).identities.merge(first.number, second.number)

    async def split_identity(self, which: To, contact_id: str) -> Identity:
        identity = await self.who(which)
        return await (await self._readable_part()).identities.split(identity.number, ContactId(contact_id))

    # -- target of a call --------------------------------------------------------------------------------------------

    async def target(self, to: To) -> ContactId:
        """
        Return the id of a receiver in this login.

        Raises:
            NotLoggedIn: There is no login.
            UnknownContact: No contact has that name or number, or several have.
            StaleContact: An id of an earlier login, or a number, that matches no contact of this login.
        """
        await self._session.require_login()
        contact_id = to if isinstance(to, str) else to.id if isinstance(to, Contact) else ""
        if self._book.contacts.has(contact_id):
            return ContactId(contact_id)  # the contact itself need not be read
        return (await self.contact(to)).id

    async def contact(self, to: To) -> Contact:
        """
        Find the contact that a caller means, in this login.

        Raises:
            UnknownContact: No contact has that name or number, or several have.
            StaleContact: An id of an earlier login, or a number, that matches no contact of this login.
        """
        match to:
            case str():
                contact_id = to
            case Contact():
                contact_id = to.id
            case _:
                part = await self._readable_part()
                return await self._contact_of(part, await self.numbered(part, to))
        known = self._book.contacts.get(contact_id)
        if known is not None:
            return known
        if isinstance(to, Contact) or self._is_unknown_id(to):
            return await self._contact_of_id(ContactId(contact_id))
        if not self._session.login.profile.has_contacts and not self._book.contacts.called(to):
            raise UnknownContact(
                f"File Transfer Helper web has one chat, 'filehelper', and no contact {to!r}; "
                "to write to contacts, log in with host 'web', if this account may use it."
            )
        return self._book.contacts.resolve(to)

    async def id_of(self, who: To | Person | Member) -> ContactId:
        """
        Return the id of a contact in this login; an id that belongs to no known login is returned unchanged.

        Raises:
            UnknownContact: No contact has that name or number, or several have.
            StaleContact: An id of an earlier login, or a number, that matches no contact of this login.
        """
        await self._session.require_login()
        which = who if isinstance(who, str | int | Contact | Identity) else who.id
        try:
            return (await self.contact(which)).id
        except StaleContact:
            met = which.id if isinstance(which, Contact) else which
            # Members of chatrooms and people on cards may be in no contact list.
            if not isinstance(met, str) or await self._is_of_earlier_login(ContactId(met)):
                raise
            return ContactId(met)

    async def _is_of_earlier_login(self, contact_id: ContactId) -> bool:
        if not self._storage.has_journal or any(
            each.id == contact_id for room in await self._book.everybody() for each in room.members
        ):
            return False
        part = await self._readable_part()
        return await find_identity_of(part.identities, contact_id) is not None or bool(await part.people([contact_id]))

    async def _contact_of_id(self, contact_id: ContactId) -> Contact:
        """Find the contact of an id that this process does not know; the id may be of another login."""
        if self._storage.has_journal:
            part = await self._readable_part()
            identity = await find_identity_of(part.identities, contact_id)
            if identity is not None:
                return await self._contact_of(part, identity)
            await self._book.catch_up(part)
            known = self._book.contacts.get(contact_id)
            if known is not None:
                return known
        raise StaleContact(
            f"No contact has the id {contact_id!r} (ids change at every login); "
            "list the contacts to find it; nothing was sent."
        )

    async def _contact_of(self, part: AccountJournal, identity: Identity) -> Contact:
        """
        Find an identity among the contacts of this login.

        Raises:
            StaleContact: No contact of this login matches the identity, or the match is not certain.
        """
        own_id = self._session.login.user_id
        here = [link for link in await part.identities.links(identity.number) if link.own_id in {own_id, ""}]
        if any(link.contact_id not in self._book.contacts for link in here):
            await self._book.catch_up(part)
        for link in here:
            known = self._book.contacts.get(link.contact_id)
            if known is not None and link.confidence >= SURE:
                return known
        raise StaleContact(
            f"Number {identity.number} ({identity.name!r}) is not among the contacts of this login, "
            "or the match is not certain; nothing was sent."
        )

    def id_meant(self, which: Contact | str) -> ContactId | None:
        """Return the id of a contact of any login; a name is resolved among the contacts of this login only."""
        if isinstance(which, Contact):
            return which.id
        if self._is_unknown_id(which):
            return ContactId(which)
        if which not in self._book.contacts and not self._book.contacts.called(which):
            return None
        return self._book.contacts.resolve(which).id

    def _is_unknown_id(self, text: str) -> bool:
        return text not in self._book.contacts and (
            is_id(text) or (text.startswith("@") and not self._book.contacts.called(text))
        )

    @staticmethod
    async def numbered(part: AccountJournal, which: int | Identity) -> Identity:
        """
        Return the present identity of a number.

        Raises:
            InvalidRequest: The value stands for no contact, such as a message.
            UnknownContact: No identity has that number.
        """
        if not isinstance(which, int | Identity):
            raise InvalidRequest(
                "A chat or a person is a contact, an id, a name, an identity or its number, and no "
                f"{type(which).__name__}; nothing was sent. The chat of a message is its field chat."
            )
        number = which if isinstance(which, int) else which.number
        identity = await find_identity(part.identities, number)
        if identity is None:
            raise UnknownContact(f"No identity has the number {number}; list the identities to find it.")
        return identity
