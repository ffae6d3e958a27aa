"""Contacts as the server lists them, remarks, pinned chats, and friend requests."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from webwx.client.people.contact_lookup import ContactLookup
from webwx.errors import ProtocolError
from webwx.flows import contacts as contact_flows
from webwx.flows import login as login_flows
from webwx.model.address_book import Contacts
from webwx.model.contacts import (
    BUILT_IN,
    Contact,
    ContactId,
    Kind,
    Lookup,
    Member,
    is_chatroom,
    merged,
    names_all_members,
)
from webwx.model.publications import read_publications
from webwx.protocol.contacts import ContactKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from webwx.client.login.account_storage import AccountStorage
    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.identities import AccountIdentities, To
    from webwx.client.people.identity_updates import IdentityUpdates
    from webwx.client.sending.rate_limiter import Limiter
    from webwx.flows.call import Flow
    from webwx.model.contacts import Listing
    from webwx.model.messages import FriendRequest, Person
    from webwx.model.publications import Publication

T = TypeVar("T")

_log = logging.getLogger("webwx.client")


class ContactDirectory:
    """
    Contacts of one account, as the server lists them, and friend requests.

    Args:
        session: The account's session.
        storage: The account's storage.
        book: The contacts of the present login.
        identities: Finds the contact that a caller means.
        updates: Matches contacts with identities.
        limiter: Delays changes that the platform limits.
    """

    def __init__(
        self,
        session: ClientSession,
        storage: AccountStorage,
        book: ContactBook,
        identities: AccountIdentities,
        updates: IdentityUpdates,
        limiter: Limiter,
    ) -> None:
        self._session = session
        self._storage = storage
        self._book = book
        self._identities = identities
        self._updates = updates
        self._limiter = limiter
        self.lookups: ContactLookup = ContactLookup(self._look_up)
        """Lookup of unknown contacts that appear in messages."""

    async def list_contacts(self) -> list[Contact]:
        self._session.require_contacts("contacts")
        known = {each.id for each in await self._book.everybody()}
        listing = await self._session.run(contact_flows.list_contacts(self._session.login, self._session.now()))
        gone = await self._take_in(listing, known)
        everybody = await self._book.everybody()
        await self._book.save(gone, everybody)
        self._updates.add_everybody()
        if listing.lack:
            raise ProtocolError(
                f"The contact list is incomplete, and no contact was removed: {listing.lack}; fetch it again later."
            )
        return everybody

    async def fetch_all(self) -> None:
        """Fetch all contacts for a new login; log a warning if the list is incomplete."""
        known = {each.id for each in await self._book.everybody()}
        listing = await self._session.run(contact_flows.list_contacts(self._session.login, self._session.now()))
        if listing.lack:
            _log.warning("The contact list is incomplete: %s; list_contacts() fetches it again.", listing.lack)
        await self._take_in(listing, known)

    async def _take_in(self, listing: Listing, known: Collection[ContactId]) -> list[ContactId]:
        """
        Store a contact list and fetch the chatrooms in it; return the ids of removed contacts.

        Args:
            listing: The list.
            known: Ids that were known before the request; newer contacts are not removed.
        """
        login = self._session.login
        chatrooms = dict.fromkeys((*filter(is_chatroom, known), *listing.chatrooms))
        keys = [ContactKey(user_name=each) for each in chatrooms]
        details = await self._session.run(contact_flows.list_details(login, keys, self._session.now()))
        listing.add(details)
        strangers, others = list[Contact](), list[ContactId]()
        everybody, before = await self._book.everybody(), self._book.contacts
        for contact in everybody:
            # A stranger from a chatroom is in no list, so the list does not show a removal.
            if contact.kind == "stranger":
                strangers.append(contact)
            else:
                others.append(contact.id)
        self._book.contacts = Contacts.listed(listing, login.user_id, strangers, own_uin=login.account.uin)
        self._book.lists_all = listing.is_complete
        whole = {each.id for each in details if names_all_members(each.raw)}
        gone = []
        for each in others:
            is_listed, is_room = each in self._book.contacts, is_chatroom(each)
            # The list lacks some chatrooms, and one that is missing in the details may still exist.
            if not is_listed and not is_room and listing.is_complete and each in known:
                gone.append(each)
            elif not is_listed or (is_room and each not in whole):
                self._keep_known(before, each)
        if not self._storage.has_journal:  # otherwise the caller stores them in the journal
            # Not in the background: a thread that packs thousands of contacts halves the speed of the first messages.
            await asyncio.to_thread(self._book.contacts.pack)
        return gone

    def _keep_known(self, before: Contacts, contact_id: ContactId) -> None:
        """Keep the known fields of a contact if an answer lacks them or has a part of them."""
        known, now = before.get(contact_id), self._book.contacts.get(contact_id)
        if known is not None:
            self._book.contacts.put(known if now is None else merged(known, now))

    async def list_chats(self) -> list[Contact]:
        reply = await self._session.run(login_flows.open_session(self._session.login, self._session.now()))
        account = self._session.login.account
        for contact in contact_flows.read_contacts(reply.contact_list, account.id, account.uin):
            self._book.contacts.merge(contact)
        chats = [each for each in reply.chat_set.split(",") if each]
        unknown = [each for each in chats if self._book.contacts.get(each) is None]
        if unknown and self._session.login.profile.has_contacts:
            await self.get_contacts(unknown)
        await self._book.save()
        self._updates.add(await self._book.everybody())
        return [self._book.contacts.get(each) or Contact(id=ContactId(each), kind=_kind(each)) for each in chats]

    async def list_articles(self) -> list[Publication]:
        """Fetch the latest articles of the official accounts that this account follows."""
        reply = await self._session.run(login_flows.open_session(self._session.login, self._session.now()))
        return read_publications(reply.mp_subscribe_msg_list)

    async def get_contacts(self, ids: Iterable[str]) -> Lookup:
        self._session.require_contacts("contacts")
        keys = [ContactKey(user_name=each) for each in ids]
        lookup = await self._session.run(contact_flows.get_contacts(self._session.login, keys, self._session.now()))
        found = tuple(self._book.contacts.merge(each) for each in lookup.found)
        self._updates.add(found)
        return Lookup(found=found, missing=lookup.missing)

    async def set_remark(self, contact: To, remark: str) -> Contact:
        """Set the remark of a contact."""
        known = await self.known(contact)
        await self._run_change(lambda: contact_flows.set_remark(self._session.login, known.id, remark))
        return await self.change(known, remark=remark, remark_pinyin="")

    async def set_pinned(self, contact: To, is_pinned: bool = True) -> Contact:
        known = await self.known(contact)
        # The request repeats the remark, which may change while the rate limit delays this.
        await self._run_change(
            lambda: contact_flows.set_pinned(
                self._session.login, self._book.contacts.get(known.id) or known, is_pinned=is_pinned
            )
        )
        return await self.change(known, is_pinned=is_pinned)

    async def download_avatar(self, who: To | Member, *, met_in: To | None = None) -> bytes:
        self._session.require_contacts("contacts")
        avatar_key = "" if met_in is None else (await self.known(met_in)).avatar_key
        return await self._session.run(
            contact_flows.download_avatar(self._session.login, await self._identities.id_of(who), avatar_key)
        )

    async def add_friend(self, person: To | Person | Member, greeting: str = "") -> None:
        """Send a friend request."""
        self._session.require_contacts("friend requests")
        who = await self._identities.id_of(person)
        await self._limiter.run(
            "friend_requests",
            lambda: self._session.run(
                contact_flows.add_friend(self._session.login, who, greeting, self._session.now())
            ),
        )

    async def accept_friend(self, request: FriendRequest) -> None:
        """Accept a friend request."""
        self._session.require_contacts("friend requests")
        who, ticket = request.person.id, request.ticket
        await self._run_change(
            lambda: contact_flows.accept_friend(self._session.login, who, ticket, self._session.now())
        )

    async def _run_change(self, make: Callable[[], Flow[T]]) -> T:
        """Drive a flow that changes a contact, within the account's rate limit."""
        return await self._limiter.run("contact_changes", lambda: self._session.run(make()))

    async def known(self, contact: To) -> Contact:
        """
        Find the contact that a caller means, for a change.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts.
            NotLoggedIn: There is no login.
            UnknownContact: No contact has that name, or several have.
        """
        self._session.require_contacts("contacts")
        await self._session.require_login()
        return await self._identities.contact(contact)

    async def change(self, contact: Contact, **changes: object) -> Contact:
        """Change fields of a contact and store it; return it as it is now."""
        changed = self._book.contacts.change(contact.id, **changes)
        self._updates.add([changed])
        await self._book.save()
        return changed

    async def close(self) -> None:
        """Stop looking up contacts, and store those that have changed."""
        await self.lookups.close()
        await self._book.save_changes()

    # -- contacts in messages ----------------------------------------------------------------------------------------

    def look_up_unknown(self, chat: str, sender: str | None = None) -> None:
        """Look up the chat and the author of a message if they are unknown; the contact list may lack both."""
        if chat not in self._book.contacts:
            self._book.contacts.merge(Contact(id=ContactId(chat), kind=_kind(chat)))
            self._look_up_later(chat)
        if sender is not None and not self._book.contacts.knows(chat, sender):
            self._look_up_later(sender, chat)

    def _look_up_later(self, contact_id: str, chatroom: str = "") -> None:
        if self._session.login.profile.has_contacts and contact_id not in BUILT_IN:
            self.lookups.ask(contact_id, chatroom)

    async def _look_up(self, keys: Sequence[ContactKey]) -> Collection[str]:
        contacts = await self._session.run(contact_flows.get_batch(self._session.login, keys, self._session.now()))
        met = [self._book.contacts.merge(contact) for contact in contacts]
        self._updates.add(met)
        return {contact.id for contact in met}


def _kind(contact_id: str) -> Kind:
    """Return the kind of a contact as far as its id shows the kind."""
    if is_chatroom(contact_id):
        return "chatroom"
    return "builtin" if contact_id in BUILT_IN else "stranger"
