"""
Who is meant, and who somebody was: ids are new at every login, and the journal's ledger says whose they were.

A message goes to somebody of this login and to nobody else. An id of an earlier login, or a number, leads there only by
the ledger, which gives one number to one person or chatroom for ever; a name never takes the place of an id.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from webwx.client.base import BaseClient
from webwx.errors import StaleContact, StorageError, UnknownContact
from webwx.model.contacts import Contact, ContactId, is_chatroom, is_id
from webwx.model.events import IdentityAmbiguous, Item
from webwx.model.identities import Identity, Link
from webwx.storage.base import IdentityQuery
from webwx.storage.lookup import find_identity, find_identity_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from webwx.model.contacts import Member
    from webwx.model.messages import Person, PhoneActivity
    from webwx.storage.base import AccountJournal

To: TypeAlias = Contact | Identity | str | int
"""Whom a verb is about: a contact, an id, a remark, a nickname; with a journal also an identity, or its number."""

SURE = 0.95
"""How sure the ledger has to be of a contact, for a number or an earlier id to lead to it."""

_log = logging.getLogger("webwx.client")


class IdentityVerbs(BaseClient):
    """Who is who, across the logins of one account."""

    def _prepare(self) -> None:
        super()._prepare()
        self._introductions = Introductions(self._identify)
        self._lists_all = True
        """Those known are all there are: the contact list that was fetched last was complete."""

    async def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections and files. The login lives on."""
        try:
            await self._introductions.done()
        finally:
            await super().close()

    async def who(self, which: To) -> Identity:
        """
        Say who somebody is, whatever their id was.

        Args:
            which: A number, a contact, an id of any login, or a name.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: Nobody of that number, id or name, or several of that name.
            StorageError: The journal cannot be read.
        """
        part = await self._readable_part()
        match which:
            case int() | Identity():
                return await self._numbered(part, which)
            case _:
                pass
        contact_id = self._id_meant(which)
        found = await find_identity_of(part.ledger, contact_id) if contact_id else None
        if found is not None:
            return found
        if contact_id:
            raise UnknownContact(
                "Nobody with that id has a number: it is in no contact list that this journal has seen."
            )
        name = str(which)
        named = await part.ledger.find(IdentityQuery(name=name))
        match named:
            case [identity]:
                return identity
            case []:
                raise UnknownContact(f"Nobody was ever called {name!r}, as far as the journal knows.")
            case _:
                numbers = ", ".join(str(each.number) for each in named)
                raise UnknownContact(f"{len(named)} were called {name!r}; choose one by number: {numbers}.")

    async def find_contact(self, which: To) -> Contact:
        """
        Find who is meant, among the contacts of this login.

        Args:
            which: A contact, an id, a remark or a nickname; with a journal also an identity, or its number.

        Raises:
            NotLoggedIn: There is no login.
            UnknownContact: Nobody of that name or number, or several.
            StaleContact: It is an id of an earlier login, or a number, and leads to nobody here.
        """
        self._require_login()
        return await self._contact(which)

    async def list_identities(self, name: str = "") -> list[Identity]:
        """
        List everybody who has a number, those of earlier logins too.

        Args:
            name: Only who was last shown as this, or has it as nickname or remark.

        Raises:
            NoJournal: There is none, and so no numbers.
            StorageError: The journal cannot be read.
        """
        return await (await self._readable_part()).ledger.find(IdentityQuery(name=name))

    async def why(self, which: To) -> list[Link]:
        """
        Say which contacts of which logins somebody was taken for, the newest first, each with the reasons.

        Args:
            which: As for `who`.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: Nobody of that number, id or name, or several of that name.
            StorageError: The journal cannot be read.
        """
        identity = await self.who(which)
        return await (await self._readable_part()).ledger.links(identity.number)

    async def merge_identities(self, one: To, other: To) -> Identity:
        """
        Say that two are one and the same, for good; the first one's number stays.

        Args:
            one: As for `who`.
            other: As for `who`; this number leads to the first one from now on.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: Nobody of a number, id or name, or several of a name.
            InvalidRequest: Twice the same, a person and a chatroom, or two who are both in this login.
            StorageError: The journal cannot be written.
        """
        first, second = await self.who(one), await self.who(other)
        return await (await self._readable_part()).ledger.merge(first.number, second.number)

    async def split_identity(self, which: To, contact_id: str) -> Identity:
        """
        Say that a contact is not who it was taken for, for good, and give who it is now.

        Args:
            which: Whom it was taken for, as for `who`.
            contact_id: Its id, as `why` gives it.

        Raises:
            NoJournal: There is none, and so no numbers.
            UnknownContact: Nobody of that number, id or name; or they never had that id, or no other.
            StorageError: The journal cannot be written.
        """
        identity = await self.who(which)
        return await (await self._readable_part()).ledger.split(identity.number, ContactId(contact_id))

    # -- whom a verb is about ----------------------------------------------------------------------------------------

    async def _target(self, to: To) -> ContactId:
        """
        Find where something goes, in this login.

        Raises:
            NotLoggedIn: There is no login.
            UnknownContact: Nobody of that name or number, or several.
            StaleContact: It is an id of an earlier login, or a number, and leads to nobody here.
        """
        self._require_login()
        contact_id = to if isinstance(to, str) else to.id if isinstance(to, Contact) else ""
        if self._contacts.has(contact_id):
            return ContactId(contact_id)  # what is known of them need not be read
        return (await self._contact(to)).id

    async def _contact(self, to: To) -> Contact:
        """
        Find who is meant, in this login.

        Raises:
            UnknownContact: Nobody of that name or number, or several.
            StaleContact: It is an id of an earlier login, or a number, and leads to nobody here.
        """
        match to:
            case str():
                contact_id = to
            case Contact():
                contact_id = to.id
            case _:
                part = await self._readable_part()
                return await self._contact_of(part, await self._numbered(part, to))
        known = self._contacts.get(contact_id)
        if known is not None:
            return known
        if isinstance(to, Contact) or self._is_unknown_id(to):
            return await self._contact_of_id(ContactId(contact_id))
        if not self._login.profile.has_contacts and not self._contacts.called(to):
            raise UnknownContact(
                f"File Transfer Helper web has one chat, 'filehelper', and no contact {to!r}; "
                "to write to contacts, log in with host 'web', if this account may use it."
            )
        return self._contacts.resolve(to)

    async def _id_of(self, who: To | Person | Member) -> ContactId:
        """
        Give somebody's id in this login; one that no login is known for is taken at its word.

        Raises:
            UnknownContact: Nobody of that name or number, or several.
            StaleContact: It is an id of an earlier login, or a number, and leads to nobody here.
        """
        self._require_login()
        which = who if isinstance(who, str | int | Contact | Identity) else who.id
        try:
            return (await self._contact(which)).id
        except StaleContact:
            met = which.id if isinstance(which, Contact) else which
            # A member of a chatroom, or somebody on a card, is in no list.
            if not isinstance(met, str) or await self._is_of_earlier_login(ContactId(met)):
                raise
            return ContactId(met)

    async def _is_of_earlier_login(self, contact_id: ContactId) -> bool:
        if self._journal is None or any(each.id == contact_id for room in self._contacts for each in room.members):
            return False
        part = await self._readable_part()
        return await find_identity_of(part.ledger, contact_id) is not None or bool(await part.people([contact_id]))

    async def _contact_of_id(self, contact_id: ContactId) -> Contact:
        """Find who had an id that this process does not know in this login; it may be another login's."""
        if self._journal is not None:
            part = await self._readable_part()
            identity = await find_identity_of(part.ledger, contact_id)
            if identity is not None:
                return await self._contact_of(part, identity)
            await self._catch_up_contacts(part)
            known = self._contacts.get(contact_id)
            if known is not None:
                return known
        raise StaleContact(
            f"Nobody here has the id {contact_id!r} (ids are new at every login); "
            "list the contacts to see who is known; nothing was sent."
        )

    async def _contact_of(self, part: AccountJournal, identity: Identity) -> Contact:
        """
        Find an identity among the contacts of this login.

        Raises:
            StaleContact: They are not among them, or not surely.
        """
        own_id = self._login.user_id
        here = [link for link in await part.ledger.links(identity.number) if link.own_id in {own_id, ""}]
        if any(link.contact_id not in self._contacts for link in here):
            await self._catch_up_contacts(part)
        for link in here:
            known = self._contacts.get(link.contact_id)
            if known is not None and link.confidence >= SURE:
                return known
        raise StaleContact(
            f"Number {identity.number} ({identity.name}) is not among the contacts of this login, "
            "or it is not sure who of them it is; nothing was sent."
        )

    async def _catch_up_contacts(self, part: AccountJournal) -> None:
        """Learn of whom another process has met in this login."""
        roster = await part.roster(ContactId(self._login.user_id))
        if len(roster):
            self._contacts.rest_on(roster)

    def _id_meant(self, which: Contact | str) -> ContactId | None:
        """Give the id of a contact, of any login; that of a name only if somebody here has it."""
        if isinstance(which, Contact):
            return which.id
        if self._is_unknown_id(which):
            return ContactId(which)
        if which not in self._contacts and not self._contacts.called(which):
            return None
        return self._contacts.resolve(which).id

    def _is_unknown_id(self, text: str) -> bool:
        return text not in self._contacts and (
            is_id(text) or (text.startswith("@") and not self._contacts.called(text))
        )

    @staticmethod
    async def _numbered(part: AccountJournal, which: int | Identity) -> Identity:
        number = which if isinstance(which, int) else which.number
        identity = await find_identity(part.ledger, number)
        if identity is None:
            raise UnknownContact(f"There is nobody with the number {number}; list the identities to see who is known.")
        return identity

    # -- what the ledger is told -------------------------------------------------------------------------------------

    async def _readable_part(self) -> AccountJournal:
        """
        Give this account's part of the journal, with all in the ledger that there is to tell.

        When nobody is logged in it is that of whoever was last.

        Raises:
            NoJournal: There is none.
            NotLoggedIn: There was never a login.
        """
        part = await super()._readable_part()
        if self._login.user_id:
            if not self._introductions.has_begun:
                self._introduce_everybody()
            await self._introductions.done()
        return part

    def _introduce(self, contacts: Iterable[Contact]) -> None:
        """Let the ledger know of contacts who are new or have changed, in the background."""
        if self._journal is not None:
            self._introductions.add(contacts)

    def _introduce_by_real_ids(self, activity: PhoneActivity) -> None:
        """Let the ledger know of the real ids that the phone told; none, if they are not surely in the same order."""
        pairs = list(zip(activity.recent, activity.real_ids, strict=False))
        if self._journal is not None and all(_may_be_same(contact_id, real_id) for contact_id, real_id in pairs):
            self._introductions.add((), real_ids={one: real for one, real in pairs if one != real})

    def _introduce_everybody(self) -> None:
        """Let the ledger know of everybody in this login, in the background."""
        if self._journal is not None:
            self._introductions.add_everybody()
        self._introductions.has_begun = True

    async def _identify(self, some: Iterable[Contact], real_ids: Mapping[ContactId, str], *, is_all: bool) -> None:
        part, own_id = self._part_of_account(), ContactId(self._login.user_id)
        if await part.position(own_id) is None:
            return  # it learns of them when the sync begins
        # They are read while they are told of: all of them at once would weigh more than all else.
        contacts = _Named(self._contacts) if is_all else some
        now, is_complete = self._cell.now(), is_all and self._lists_all and self._login.profile.has_contacts
        found_all = await part.ledger.identify(own_id, contacts, complete=is_complete, time=now, real_ids=real_ids)
        by_id = {contact.id: contact for contact in some}
        for found in {each.contact_id: each for each in found_all}.values():
            if found.by == "ambiguous":
                contact = by_id.get(found.contact_id) or self._contacts.get(found.contact_id)
                doubt = IdentityAmbiguous(
                    identity=found.number,
                    contact=contact or Contact(id=found.contact_id, kind="stranger"),
                    candidates=found.candidates,
                )
                item = Item(kind="gap", raw=msgspec.Raw(msgspec.json.encode(doubt)))
                await part.add_note(own_id, item, chat=found.contact_id, time=now)

    def _forget(self) -> None:
        super()._forget()
        self._introductions.forget()


def _may_be_same(contact_id: ContactId, real_id: str) -> bool:
    """Say whether two ids may be of one account, as far as their looks tell."""
    if not contact_id.startswith("@"):
        return contact_id == real_id
    return is_chatroom(contact_id) == is_chatroom(real_id)


class _Named:
    """Those of some contacts who have a name: the others are nobody that the ledger could know again."""

    def __init__(self, contacts: Iterable[Contact]) -> None:
        self._contacts = contacts

    def __iter__(self) -> Iterator[Contact]:
        return (each for each in self._contacts if each.nickname or each.remark or each.members)


class Introductions:
    """
    Contacts of one login that the ledger has still to be told of; one task tells it, and nothing waits for that.

    Args:
        identify: Tells it of some.
    """

    def __init__(self, identify: Callable[..., Awaitable[None]]) -> None:
        self._identify = identify
        self._waiting: dict[ContactId, Contact] = {}
        self._real_ids: dict[ContactId, str] = {}
        self._is_all = False
        self._work: asyncio.Task[None] | None = None
        self.has_begun = False
        """Everybody known in this login has been told of, or is about to be."""

    def add(self, contacts: Iterable[Contact], *, real_ids: Mapping[ContactId, str] | None = None) -> None:
        """Have the ledger told of contacts."""
        self._waiting |= {each.id: each for each in _Named(contacts)}
        self._real_ids |= real_ids or {}
        self._begin()

    def add_everybody(self) -> None:
        """Have the ledger told of everybody in this login, as they are when it is told."""
        self._is_all = True
        self._begin()

    def _begin(self) -> None:
        if self._is_wanted() and (self._work is None or self._work.done()):
            self._work = asyncio.get_running_loop().create_task(self._tell())

    def _is_wanted(self) -> bool:
        return bool(self._waiting or self._real_ids or self._is_all)

    async def done(self) -> None:
        """Wait until the ledger has been told."""
        while self._work is not None and not self._work.done():
            await asyncio.wait([self._work])

    def forget(self) -> None:
        """Drop everything, because ids are new in the next login."""
        self._waiting, self._real_ids = {}, {}
        self._is_all = self.has_begun = False

    async def _tell(self) -> None:
        while self._is_wanted():
            contacts, real_ids, is_all = list(self._waiting.values()), dict(self._real_ids), self._is_all
            self._waiting, self._is_all = {}, False
            try:
                await self._identify(contacts, real_ids, is_all=is_all)
            except StorageError as error:
                self.has_begun = False
                _log.warning("The ledger could not be told who is there; it is told again: %s", error)
                return
            # Who is there can be said again at any time, but the phone tells a real id once.
            told = real_ids.items()
            self._real_ids = {one: real for one, real in self._real_ids.items() if (one, real) not in told}
