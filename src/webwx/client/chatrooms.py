"""Chatrooms: open, add, invite, remove, rename, leave. The members are looked at after each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from webwx.client.contacts import ContactVerbs
from webwx.client.identity import To
from webwx.errors import ApiError, SendOutcomeUnknown, TooFewMembers, UnknownContact
from webwx.flows import chatrooms as chatroom_flows
from webwx.model.contacts import Admission, Contact, ContactId
from webwx.protocol.chatrooms import UPDATECHATROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webwx.flows.call import Flow
    from webwx.model.contacts import Member

T = TypeVar("T")

_FEWEST = 2
"""Others that a chatroom is opened with."""


class ChatroomVerbs(ContactVerbs):
    """Chatrooms of one account."""

    async def create_chatroom(self, people: Iterable[To | Member], *, name: str = "") -> Admission:
        """
        Open a chatroom with at least two others.

        Args:
            people: The others. The result says who could not be added.
            name: May be empty; then apps show the members' names.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            TooFewMembers: Fewer than two others; nothing was sent.
            UnknownContact: Nobody of a name, or several; nothing was sent.
            RateLimited: Too many chatrooms.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxcreatechatroom, webwxbatchgetcontact

        """
        ids = await self._ids_of(people)
        if len(ids) < _FEWEST:
            raise TooFewMembers("A chatroom needs at least two others; with one, just write to them.")
        opened = await self._change_room(
            lambda: chatroom_flows.create_chatroom(self._login, ids, name, self._cell.now())
        )
        self._contacts.merge(Contact(id=opened.chatroom, nickname=name, kind="chatroom", is_owner=True))
        return await self._admission(opened.chatroom, ids, opened.added)

    async def add_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """
        Add friends to a chatroom; to a large one they are invited, as the page does from about forty members.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: Nobody of a name, or several, or no chatroom; nothing was sent.
            RecipientRejected: You are no member.
            RateLimited: Too many changes.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (addmember, invitemember), webwxbatchgetcontact

        """
        room, ids = await self._chatroom(chatroom), await self._ids_of(people)
        if not room.members:
            room = await self._refreshed(room.id)
        if len(room.members) + len(ids) >= self._login.invite_start_count:
            return await self.invite_members(room, ids)
        added = await self._change_room(lambda: chatroom_flows.add_members(self._login, room.id, ids))
        admission = await self._admission(room.id, ids, added)
        if not admission.added and len(admission.chatroom.members) >= self._login.invite_start_count:
            # It has grown since it was last looked at, and nobody was let in.
            return await self.invite_members(admission.chatroom, ids)
        return admission

    async def invite_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """
        Send invitations to a chatroom, which have to be accepted.

        Raises: As `add_members`.

        Wire: webwxupdatechatroom (invitemember)

        """
        room, ids = await self._chatroom(chatroom), await self._ids_of(people)
        await self._change_room(lambda: chatroom_flows.invite_members(self._login, room.id, ids))
        return Admission(chatroom=room, invited=ids)

    async def remove_members(self, chatroom: To, people: Iterable[To | Member]) -> Contact:
        """
        Remove members from a chatroom of your own, and give it as it is then.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: Nobody of a name, or several, or no chatroom; nothing was sent.
            ApiError: Somebody is still there: the owner alone can remove.
            SendOutcomeUnknown: The answer was lost, or the members that came afterwards were incomplete.

        Wire: webwxupdatechatroom (delmember), webwxbatchgetcontact

        """
        room, ids = await self._chatroom(chatroom), await self._ids_of(people)
        await self._change_room(lambda: chatroom_flows.remove_members(self._login, room.id, ids))
        left = await self._refreshed(room.id)
        still_there = {member.id for member in left.members} & set(ids)
        if still_there and left.is_incomplete:
            raise SendOutcomeUnknown(
                "The server did not list all members afterwards, so they may or may not have been removed; "
                "look before you repeat it."
            )
        if still_there:
            raise ApiError(
                f"{len(still_there)} of {len(ids)} are still in the chatroom; its owner alone can remove members.",
                endpoint=UPDATECHATROOM.name,
            )
        return left

    async def rename_chatroom(self, chatroom: To, name: str) -> Contact:
        """
        Give a chatroom another name.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: Nobody of a name, or several, or no chatroom; nothing was sent.
            ApiError: You may not.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (modtopic)

        """
        room = await self._chatroom(chatroom)
        await self._change_room(lambda: chatroom_flows.rename_chatroom(self._login, room.id, name))
        return await self._changed(room, nickname=name, pinyin="")

    async def leave_chatroom(self, chatroom: To) -> None:
        """
        Leave a chatroom.

        Raises:
            NotOnThisHost: File Transfer Helper has no chatrooms; nothing was sent.
            UnknownContact: Nobody of that name, or several, or no chatroom; nothing was sent.
            SendOutcomeUnknown: The answer was lost.

        Wire: webwxupdatechatroom (quitchatroom)

        """
        room = await self._chatroom(chatroom)
        await self._change_room(lambda: chatroom_flows.leave_chatroom(self._login, room.id))
        self._contacts.remove(room.id)
        await self._save_contacts(gone=[room.id])

    async def _chatroom(self, chatroom: To) -> Contact:
        room = await self._known(chatroom)
        if room.kind != "chatroom":
            raise UnknownContact(f"{room.display_name!r} is no chatroom.")
        return room

    async def _ids_of(self, people: Iterable[To | Member]) -> tuple[ContactId, ...]:
        """Give the ids of people, each once and without oneself."""
        self._require_contacts("chatrooms")
        ids = dict.fromkeys([await self._id_of(each) for each in people])
        return tuple(each for each in ids if each != self._login.user_id)

    async def _change_room(self, make: Callable[[], Flow[T]]) -> T:
        """Drive a flow that changes a chatroom, at the account's pace."""
        return await self._paced("chatroom_changes", lambda: self._run(make()))

    async def _refreshed(self, chatroom: ContactId) -> Contact:
        """Look at a chatroom; one that the server does not show stays as it is known."""
        await self.get_contacts([chatroom])
        await self._save_contacts()
        return self._contacts.resolve(chatroom)

    async def _admission(
        self, chatroom: ContactId, wanted: tuple[ContactId, ...], added: tuple[ContactId, ...]
    ) -> Admission:
        """Say who came in, by the answer or by the looks of it: ids of members may be new after a change."""
        room = await self._refreshed(chatroom)
        inside = {member.id for member in room.members} | set(added)
        return Admission(
            chatroom=room,
            added=tuple(each for each in wanted if each in inside),
            refused=tuple(each for each in wanted if each not in inside),
        )
