"""People: who is known, what they are called here, and how they become friends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from webwx.client.contact_lookup import ContactLookup
from webwx.client.identity import IdentityVerbs, To
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
from webwx.protocol.contacts import ContactKey
from webwx.storage.login import LoginFile, LoginMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from webwx.flows.call import Flow
    from webwx.model.contacts import Listing
    from webwx.model.messages import FriendRequest, Person

T = TypeVar("T")

_log = logging.getLogger("webwx.client")


class ContactVerbs(IdentityVerbs):
    """Contacts of one account."""

    def _prepare(self) -> None:
        super()._prepare()
        self._lookups = ContactLookup(self._look_up)

    async def close(self) -> None:
        """Save what the store does not know yet, and let go of all connections and files. The login lives on."""
        try:
            await self._lookups.close()
            if self._login.user_id and self._contacts.is_changed:
                await self._save_contacts()
        finally:
            await super().close()

    async def list_contacts(self) -> list[Contact]:
        """
        Fetch all contacts again, chatrooms with their members.

        Only somebody whom a complete list lacks is none any more; a chatroom whose members came incomplete says so.

        Raises:
            NotOnThisHost: File Transfer Helper has none.
            ProtocolError: The list came incomplete. Those who came are known, and all others are still.
            LoggedOut: The login ended.

        Wire: webwxgetcontact, webwxbatchgetcontact

        """
        self._require_contacts("contacts")
        known = {each.id for each in self._contacts}
        listing = await self._run(contact_flows.list_contacts(self._login, self._cell.now()))
        gone = await self._take_in(listing, known)
        everybody = list(self._contacts)
        await self._save_contacts(gone, everybody)
        self._introduce_everybody()
        if listing.lack:
            raise ProtocolError(
                f"The contact list came incomplete, and nobody was removed: {listing.lack}; fetch it again later."
            )
        return everybody

    async def _fetch_contacts(self) -> None:
        """Fetch all contacts for a new login, which needs no complete list."""
        known = {each.id for each in self._contacts}
        listing = await self._run(contact_flows.list_contacts(self._login, self._cell.now()))
        if listing.lack:
            _log.warning("The contact list came incomplete: %s; list_contacts() fetches it again.", listing.lack)
        await self._take_in(listing, known)

    async def _take_in(self, listing: Listing, known: Collection[ContactId]) -> list[ContactId]:
        """
        Take in a contact list, with details of chatrooms; gives the ids of those who are no contacts any more.

        Args:
            listing: The list.
            known: Who was known before it was asked for: others have become contacts meanwhile.
        """
        login = self._login
        chatrooms = dict.fromkeys((*filter(is_chatroom, known), *listing.chatrooms))
        keys = [ContactKey(user_name=each) for each in chatrooms]
        details = await self._run(contact_flows.list_details(login, keys, self._cell.now()))
        listing.add(details)
        before, strangers, others = self._contacts, list[Contact](), list[ContactId]()
        for contact in before:
            # Nobody who is met in a chatroom is listed.
            if contact.kind == "stranger":
                strangers.append(contact)
            else:
                others.append(contact.id)
        self._contacts = Contacts.listed(listing, login.user_id, strangers)
        self._lists_all = listing.is_complete
        whole = {each.id for each in details if names_all_members(each.raw)}
        gone = []
        for each in others:
            is_listed, is_room = each in self._contacts, is_chatroom(each)
            # Not every chatroom is listed either, and one that is left out of the details may still be there.
            if not is_listed and not is_room and listing.is_complete and each in known:
                gone.append(each)
            elif not is_listed or (is_room and each not in whole):
                self._keep_known(before, each)
        if self._journal is None:  # else they are about to be kept there
            # Waited for: a thread that packs thousands halves the speed at which the first messages come.
            await asyncio.to_thread(self._contacts.pack)
        return gone

    def _keep_known(self, before: Contacts, contact_id: ContactId) -> None:
        """Keep what was known of somebody of whom an answer does not tell all."""
        known, now = before.get(contact_id), self._contacts.get(contact_id)
        if known is not None:
            self._contacts.put(known if now is None else merged(known, now))

    async def list_chats(self) -> list[Contact]:
        """
        Fetch the recent chats, the newest first. Nothing is taken from what `events` will yield.

        Raises:
            LoggedOut: The login ended.

        Wire: webwxinit, webwxbatchgetcontact

        """
        reply = await self._run(login_flows.open_session(self._login, self._cell.now()))
        for contact in contact_flows.read_contacts(reply.contact_list, self._login.user_id):
            self._contacts.merge(contact)
        chats = [each for each in reply.chat_set.split(",") if each]
        unknown = [each for each in chats if self._contacts.get(each) is None]
        if unknown and self._login.profile.has_contacts:
            await self.get_contacts(unknown)
        await self._save_contacts()
        self._introduce(self._contacts)
        return [self._contacts.get(each) or Contact(id=ContactId(each), kind=_kind(each)) for each in chats]

    async def get_contacts(self, ids: Iterable[str]) -> Lookup:
        """
        Fetch people and chatrooms by id, chatrooms with their members, and say who is missing.

        Args:
            ids: Any number; the server is asked for fifty at a time, and once more for those it left out.

        Raises:
            NotOnThisHost: File Transfer Helper has none.
            LoggedOut: The login ended.

        Wire: webwxbatchgetcontact

        """
        self._require_contacts("contacts")
        keys = [ContactKey(user_name=each) for each in ids]
        lookup = await self._run(contact_flows.get_contacts(self._login, keys, self._cell.now()))
        found = tuple(self._contacts.merge(each) for each in lookup.found)
        self._introduce(found)
        return Lookup(found=found, missing=lookup.missing)

    async def set_remark(self, contact: To, remark: str) -> Contact:
        """
        Give somebody a name of your own; an empty one takes it away. Nobody but you sees it.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            UnknownContact: Nobody of that name, or several; nothing was sent.
            RateLimited: Too many changes.

        Wire: webwxoplog

        """
        known = await self._known(contact)
        await self._change(lambda: contact_flows.set_remark(self._login, known.id, remark))
        return await self._changed(known, remark=remark, remark_pinyin="")

    async def set_pinned(self, contact: To, is_pinned: bool = True) -> Contact:
        """
        Pin a chat to the top of the list on all devices, or let it go.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            UnknownContact: Nobody of that name, or several; nothing was sent.
            RateLimited: Too many changes.

        Wire: webwxoplog

        """
        known = await self._known(contact)
        # The request repeats the remark, which may be another one once this has waited.
        await self._change(
            lambda: contact_flows.set_pinned(self._login, self._contacts.get(known.id) or known, is_pinned=is_pinned)
        )
        return await self._changed(known, is_pinned=is_pinned)

    async def download_avatar(self, who: To | Member, *, met_in: To | None = None) -> bytes:
        """
        Download the picture of a person or a chatroom.

        Args:
            who: Whose.
            met_in: For a member who is no friend, the chatroom.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            MediaUnavailable: There is none, or you have asked too often.

        Wire: webwxgeticon, webwxgetheadimg

        """
        self._require_contacts("contacts")
        avatar_key = "" if met_in is None else (await self._known(met_in)).avatar_key
        return await self._run(contact_flows.download_avatar(self._login, await self._id_of(who), avatar_key))

    async def add_friend(self, person: To | Person | Member, greeting: str = "") -> None:
        """
        Ask somebody to become a friend; they are one once they accept. The platform limits this heavily.

        Args:
            person: From a card, a chatroom's members, or an id.
            greeting: What they read.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            RateLimited: Too many requests.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxverifyuser

        """
        self._require_contacts("friend requests")
        who = await self._id_of(person)
        await self._paced(
            "friend_requests",
            lambda: self._run(contact_flows.add_friend(self._login, who, greeting, self._cell.now())),
        )

    async def accept_friend(self, request: FriendRequest) -> None:
        """
        Accept somebody's request; they come as a `ContactChanged` and a `FriendAdded` event.

        Raises:
            NotOnThisHost: File Transfer Helper has no contacts; nothing was sent.
            ApiError: The request is not open any more.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxverifyuser

        """
        self._require_contacts("friend requests")
        who, ticket = request.person.id, request.ticket
        await self._change(lambda: contact_flows.accept_friend(self._login, who, ticket, self._cell.now()))

    async def _change(self, make: Callable[[], Flow[T]]) -> T:
        """Drive a flow that changes a contact, at the account's pace."""
        return await self._paced("contact_changes", lambda: self._run(make()))

    async def _known(self, contact: To) -> Contact:
        self._require_contacts("contacts")
        self._require_login()
        return await self._contact(contact)

    async def _changed(self, contact: Contact, **changes: object) -> Contact:
        changed = self._contacts.change(contact.id, **changes)
        self._introduce([changed])
        await self._save_contacts()
        return changed

    async def _kept_contacts(self) -> Contacts:
        """Give who was kept: by the journal when it has anybody, else beside the login."""
        if self._journal is not None:
            roster = await self._part_of_account().roster(ContactId(self._login.user_id))
            if len(roster):
                return Contacts(roster=roster)
        if isinstance(self._store, LoginMemory):
            return self._store.packed_contacts()
        return Contacts.packed(self._store.load_contacts())

    async def _save_contacts(
        self, gone: Collection[ContactId] = (), everybody: Sequence[Contact] | None = None
    ) -> None:
        """
        Keep everybody beside the login, and in the journal, from which the next process takes them.

        Args:
            gone: Who is none of them any more.
            everybody: All of them, if somebody has read them already.
        """
        if self._journal is not None:
            part, own_id = self._part_of_account(), ContactId(self._login.user_id)
            if await part.position(own_id) is not None:  # else it learns of them when the sync begins
                await part.save_contacts(own_id, self._contacts.unkept() if everybody is None else everybody, gone)
                await self._rest_on_journal()
        self._keep_contacts(everybody)

    async def _rest_on_journal(self) -> None:
        """Have whoever has not changed since read from the journal from now on, where they are kept."""
        self._contacts.rest_on(await self._part_of_account().roster(ContactId(self._login.user_id)))

    def _keep_contacts(self, everybody: Sequence[Contact] | None = None) -> None:
        """Keep everybody beside the login; `everybody` if somebody has read them already."""
        # A file takes them one by one, and what is in memory is not to be read at all.
        match self._store:
            case LoginMemory() as memory:
                memory.save_contacts(self._contacts)
            case LoginFile() as file:
                file.save_contacts(everybody or self._contacts)
            case store:
                store.save_contacts(list(everybody or self._contacts))
        self._contacts.is_changed = False

    def _forget(self) -> None:
        super()._forget()
        self._lookups.forget()

    # -- who turns up ------------------------------------------------------------------------------------------------

    def _meet(self, chat: str, sender: str | None = None) -> None:
        """Learn of a chat and its author by what is said there: neither must be in any list, and both have names."""
        if chat not in self._contacts:
            self._contacts.merge(Contact(id=ContactId(chat), kind=_kind(chat)))
            self._wish(chat)
        if sender is not None and not self._contacts.knows(chat, sender):
            self._wish(sender, chat)

    def _wish(self, contact_id: str, chatroom: str = "") -> None:
        if self._login.profile.has_contacts and contact_id not in BUILT_IN:
            self._lookups.ask(contact_id, chatroom)

    async def _look_up(self, keys: Sequence[ContactKey]) -> Collection[str]:
        contacts = await self._run(contact_flows.get_batch(self._login, keys, self._cell.now()))
        met = [self._contacts.merge(contact) for contact in contacts]
        self._introduce(met)
        return {contact.id for contact in met}


def _kind(contact_id: str) -> Kind:
    """Tell from an id alone what somebody is."""
    if is_chatroom(contact_id):
        return "chatroom"
    return "builtin" if contact_id in BUILT_IN else "stranger"
