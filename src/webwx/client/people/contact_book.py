"""The contacts of the present login: in memory, beside the saved login, and in the journal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.model.address_book import Contacts
from webwx.model.contacts import ContactId

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.model.contacts import Contact
    from webwx.storage.base import AccountJournal


class ContactBook:
    """
    The contacts of the present login in memory, and their storage.

    Args:
        session: The account's session.
        storage: The account's storage.
    """

    def __init__(self, session: ClientSession, storage: AccountStorage) -> None:
        self.contacts: Contacts = Contacts()
        """All known contacts of this login; replaced by a new object after each complete list and each login."""
        self.lists_all = True
        """Whether the last fetched contact list was complete."""
        self._session = session
        self._storage = storage

    def __repr__(self) -> str:
        return f"ContactBook({len(self.contacts)} contacts)"

    @property
    def is_complete(self) -> bool:
        """Whether these are all contacts of the account."""
        return self.lists_all and self._session.login.profile.has_contacts

    async def everybody(self) -> list[Contact]:
        """Return all contacts. They are read in another thread; the result includes changes made meanwhile."""
        while True:
            contacts = self.contacts
            read = await asyncio.to_thread(list, contacts)
            if contacts is self.contacts:
                return contacts.updated(read)

    async def load(self) -> None:
        """Read the contacts of the session's login: from the journal if it has them, otherwise from the saved login."""
        self.contacts = await self._stored()

    async def _stored(self) -> Contacts:
        if self._storage.has_journal:
            roster = await self._storage.part().roster(ContactId(self._session.login.user_id))
            if len(roster):
                return Contacts(roster=roster)
        return await self._session.store.load_contacts()

    async def save(self, gone: Collection[ContactId] = (), everybody: Sequence[Contact] | None = None) -> None:
        """
        Store the contacts with the login, and in the journal, from which the next process reads them.

        Args:
            gone: Ids of removed contacts.
            everybody: All contacts, if the caller has read them already.
        """
        if self._storage.has_journal:
            part, own_id = self._storage.part(), ContactId(self._session.login.user_id)
            if await part.position(own_id) is not None:  # otherwise the start of the sync stores them
                await part.save_contacts(own_id, self.contacts.unstored() if everybody is None else everybody, gone)
                self.contacts.rest_on(await part.roster(own_id))
        await self.save_beside_login()

    async def catch_up(self, part: AccountJournal) -> None:
        """Add the contacts that another process has stored in this login."""
        roster = await part.roster(ContactId(self._session.login.user_id))
        if len(roster):
            self.contacts.rest_on(roster)

    async def save_beside_login(self) -> None:
        """Store the contacts with the login."""
        contacts = self.contacts
        contacts.is_changed = False
        try:
            await self._session.store.save_contacts(contacts)
        except BaseException:
            contacts.is_changed = True
            raise

    async def save_changes(self) -> None:
        """Store the contacts if they have changed."""
        if self._session.login.user_id and self.contacts.is_changed:
            await self.save()

    def forget(self) -> None:
        """Drop all contacts, because ids are new in the next login."""
        self.contacts = Contacts()
