"""Matching of new and changed contacts with identities, by one task in the background."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from webwx.errors import StorageError
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import Arrived, IdentityAmbiguous, item_of
from webwx.model.identities import is_recognizable
from webwx.storage.entries import Arrival

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.model.identities import Identified
    from webwx.model.messages import PhoneActivity
    from webwx.storage.base import AccountJournal

_log = logging.getLogger("webwx.client")


class IdentityUpdates:
    """
    Passes new and changed contacts to the journal in the background, which matches them with identities.

    Does nothing without a journal.

    Args:
        session: The account's session.
        storage: The account's storage.
        book: The contacts of the present login.
    """

    def __init__(self, session: ClientSession, storage: AccountStorage, book: ContactBook) -> None:
        self._session = session
        self._storage = storage
        self._book = book
        self.queue: UpdateQueue = UpdateQueue(self._identify)

    def add(self, contacts: Iterable[Contact]) -> None:
        """Match new or changed contacts."""
        if self._storage.has_journal:
            self.queue.add(contacts)

    def add_real_ids(self, activity: PhoneActivity) -> None:
        """Store the real ids that the phone has sent."""
        if self._storage.has_journal:
            pairs = zip(activity.recent, activity.real_ids, strict=False)
            self.queue.add((), real_ids={one: real for one, real in pairs if one != real})

    def add_everybody(self) -> None:
        """Match all contacts of this login."""
        if self._storage.has_journal:
            self.queue.add_everybody()
        self.queue.has_begun = True

    async def begin(self, identified: Sequence[Identified] | None) -> None:
        """
        Begin a login that was just stored in the journal.

        Args:
            identified: Result of matching its contacts; None if they are not matched yet.
        """
        if identified is None:
            self.add_everybody()
            return
        self.queue.has_begun = True
        await self._report(identified, {}, self._session.now())

    async def _identify(self, some: Iterable[Contact], real_ids: Mapping[ContactId, str], *, is_all: bool) -> None:
        part, own_id, now = self._storage.part(), ContactId(self._session.login.user_id), self._session.now()
        if await part.position(own_id) is None:
            return  # the start of the sync stores them
        # Contacts are read one by one: all at once would take more memory than everything else.
        contacts = self._book.contacts if is_all else some
        is_complete = is_all and self._book.is_complete
        identified = await part.identities.identify(own_id, contacts, complete=is_complete, time=now, real_ids=real_ids)
        await self._report(identified, {contact.id: contact for contact in some}, now)

    async def _report(
        self, identified: Iterable[Identified], contacts: Mapping[ContactId, Contact], now: float
    ) -> None:
        """Store an event for each contact with an ambiguous result."""
        own_id = ContactId(self._session.login.user_id)
        for found in {each.contact_id: each for each in identified}.values():
            if found.by == "ambiguous":
                contact = contacts.get(found.contact_id) or self._book.contacts.get(found.contact_id)
                doubt = IdentityAmbiguous(
                    identity=found.number,
                    contact=contact or Contact(id=found.contact_id, kind="stranger"),
                    candidates=found.candidates,
                )
                item = item_of(doubt)
                note = Arrived(item=item, raw=item.raw, chat=found.contact_id, time=int(now))
                await self._storage.part().ingest(
                    Arrival(own_id=own_id, body=b"", items=(note,), position=None, time=now)
                )

    async def readable_part(self) -> AccountJournal:
        """
        Return this account's part of the journal once every contact is matched.

        Without a login, the account is the one that was logged in last.

        Raises:
            NoJournal: There is no journal.
            NotLoggedIn: There was never a login.
        """
        part = await self._storage.latest_part()
        if self._session.login.user_id:
            if not self.queue.has_begun:
                self.add_everybody()
            await self.queue.done()
        return part


class UpdateQueue:
    """
    Contacts and real ids of one login that wait to be matched by one task.

    Args:
        identify: Matches some of the contacts.
    """

    def __init__(self, identify: Callable[..., Awaitable[None]]) -> None:
        self._identify = identify
        self._waiting: dict[ContactId, Contact] = {}
        self._real_ids: dict[ContactId, str] = {}
        self._is_all = False
        self._work: asyncio.Task[None] | None = None
        self.has_begun: bool = False
        """Whether all contacts of this login have been matched, or wait to be matched."""

    def add(self, contacts: Iterable[Contact], *, real_ids: Mapping[ContactId, str] | None = None) -> None:
        """Add contacts, and the real ids of contacts."""
        self._waiting |= {each.id: each for each in contacts if is_recognizable(each)}
        self._real_ids |= real_ids or {}
        self._begin()

    def add_everybody(self) -> None:
        """Add all contacts of this login; their fields are read when they are matched."""
        self._is_all = True
        self._begin()

    def _begin(self) -> None:
        if self._is_wanted() and (self._work is None or self._work.done()):
            self._work = asyncio.get_running_loop().create_task(self._match())

    def _is_wanted(self) -> bool:
        return bool(self._waiting or self._real_ids or self._is_all)

    async def done(self) -> None:
        """Wait until the queue is empty or matching has failed."""
        while self._work is not None and not self._work.done():
            await asyncio.wait([self._work])

    def forget(self) -> None:
        """Drop everything, because ids are new in the next login."""
        self._waiting, self._real_ids = {}, {}
        self._is_all = self.has_begun = False

    async def _match(self) -> None:
        while self._is_wanted():
            contacts, real_ids, is_all = list(self._waiting.values()), dict(self._real_ids), self._is_all
            self._waiting, self._is_all = {}, False
            try:
                await self._identify(contacts, real_ids, is_all=is_all)
            except StorageError as error:
                self.has_begun = False
                _log.warning("Contacts could not be matched with identities; the journal retries it: %s", error)
                return
            # Contacts can be added again at any time, but the phone sends a real id once.
            stored = real_ids.items()
            self._real_ids = {one: real for one, real in self._real_ids.items() if (one, real) not in stored}
