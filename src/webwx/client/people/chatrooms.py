"""Chatrooms: create, add, invite, remove, rename, leave. The members are fetched and checked after each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from webwx.errors import ApiError, SendOutcomeUnknown, TooFewMembers, UnknownContact
from webwx.flows import chatrooms as chatroom_flows
from webwx.model.contacts import Admission, Contact, ContactId
from webwx.protocol.chatrooms import UPDATECHATROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webwx.client.login.session import ClientSession
    from webwx.client.people.contact_book import ContactBook
    from webwx.client.people.contacts import ContactDirectory
    from webwx.client.people.identities import AccountIdentities, To
    from webwx.client.sending.rate_limiter import Limiter
    from webwx.flows.call import Flow
    from webwx.model.contacts import Member

T = TypeVar("T")

_FEWEST = 2
"""Minimum number of other people in a new chatroom."""


class Chatrooms:
    """
    Chatrooms of one account.

    Args:
        session: The account's session.
        book: The contacts of the present login.
        directory: Fetches and changes contacts.
        identities: Finds the contact that a caller means.
        limiter: Delays changes that the platform limits.
    """

    def __init__(
        self,
        session: ClientSession,
        book: ContactBook,
        directory: ContactDirectory,
        identities: AccountIdentities,
        limiter: Limiter,
    ) -> None:
        self._session = session
        self._book = book
        self._directory = directory
        self._identities = identities
        self._limiter = limiter

    async def create_chatroom(self, people: Iterable[To | Member], *, name: str = "") -> Admission:
        ids = await self._ids_of(people)
        if len(ids) < _FEWEST:
            raise TooFewMembers("A chatroom needs at least two others; with one other, send to that contact.")
        opened = await self._change_room(
            lambda: chatroom_flows.create_chatroom(self._session.login, ids, name, self._session.now())
        )
        own_id = ContactId(self._session.login.user_id)
        self._book.contacts.merge(
            Contact(id=opened.chatroom, nickname=name, kind="chatroom", is_owner=True, owner=own_id)
        )
        return await self._admission(opened.chatroom, ids, opened.added)

    async def add_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        room, ids = await self._chatroom(chatroom), await self._ids_of(people)
        if not room.members:
            room = await self._refreshed(room.id)
        if len(room.members) + len(ids) >= self._session.login.invite_start_count:
            return await self.invite_members(room, ids)
        added = await self._change_room(lambda: chatroom_flows.add_members(self._session.login, room.id, ids))
        admission = await self._admission(room.id, ids, added)
        if not admission.added and len(admission.chatroom.members) >= self._session.login.invite_start_count:
            # The chatroom has grown since it was last fetched, and no member was added.
            return await self.invite_members(admission.chatroom, ids)
        return admission

    async def invite_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        room, ids = await self._chatroom(chatroom), await self._ids_of(people)
        await self._change_room(lambda: chatroom_flows.invite_members(self._session.login, room.id, ids))
        return Admission(chatroom=room, invited=ids)

    async def remove_members(self, chatroom: To, people: Iterable[To | Member]) -> Contact:
        room, ids = await self._chatroom(chatroom), await self._ids_of(people)
        await self._change_room(lambda: chatroom_flows.remove_members(self._session.login, room.id, ids))
        left = await self._refreshed(room.id)
        still_there = {member.id for member in left.members} & set(ids)
        if still_there and left.is_incomplete:
            raise SendOutcomeUnknown(
                "The server did not list all members afterwards, so it is unknown whether they were removed; "
                "check the chatroom before you repeat the call."
            )
        if still_there:
            raise ApiError(
                f"{len(still_there)} of {len(ids)} are still in the chatroom; only its owner can remove members.",
                endpoint=UPDATECHATROOM.name,
            )
        return left

    async def rename_chatroom(self, chatroom: To, name: str) -> Contact:
        room = await self._chatroom(chatroom)
        await self._change_room(lambda: chatroom_flows.rename_chatroom(self._session.login, room.id, name))
        return await self._directory.change(room, nickname=name, pinyin="")

    async def leave_chatroom(self, chatroom: To) -> None:
        room = await self._chatroom(chatroom)
        await self._change_room(lambda: chatroom_flows.leave_chatroom(self._session.login, room.id))
        self._book.contacts.remove(room.id)
        await self._book.save(gone=[room.id])

    async def _chatroom(self, chatroom: To) -> Contact:
        room = await self._directory.known(chatroom)
        if room.kind != "chatroom":
            raise UnknownContact(f"{room.display_name!r} is not a chatroom.")
        return room

    async def _ids_of(self, people: Iterable[To | Member]) -> tuple[ContactId, ...]:
        """Return the ids of people without duplicates and without the account's own id."""
        self._session.require_contacts("chatrooms")
        ids = dict.fromkeys([await self._identities.id_of(each) for each in people])
        return tuple(each for each in ids if each != self._session.login.user_id)

    async def _change_room(self, make: Callable[[], Flow[T]]) -> T:
        """Drive a flow that changes a chatroom, within the account's rate limit."""
        return await self._limiter.run("chatroom_changes", lambda: self._session.run(make()))

    async def _refreshed(self, chatroom: ContactId) -> Contact:
        """Fetch a chatroom; return the known one if the server does not return it."""
        await self._directory.get_contacts([chatroom])
        await self._book.save()
        return self._book.contacts.resolve(chatroom)

    async def _admission(
        self, chatroom: ContactId, wanted: tuple[ContactId, ...], added: tuple[ContactId, ...]
    ) -> Admission:
        """Return who was added, according to the answer or the members, whose ids may be new after a change."""
        room = await self._refreshed(chatroom)
        inside = {member.id for member in room.members} | set(added)
        return Admission(
            chatroom=room,
            added=tuple(each for each in wanted if each in inside),
            refused=tuple(each for each in wanted if each not in inside),
        )
