"""Contacts and chatrooms of an account of a gateway."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from webwx.client.remote.pages import read_pages
from webwx.errors import NotThroughGateway
from webwx.model.contacts import Contact, ContactId, Lookup
from webwx.model.identities import Identity
from webwx.representations.contacts import (
    ACCEPT_FRIEND,
    ADD_FRIEND,
    ADD_MEMBERS,
    CHANGE_CONTACT,
    CREATE_CHATROOM,
    INVITE_MEMBERS,
    LEAVE_CHATROOM,
    LIST_ARTICLES,
    LIST_CHATS,
    LIST_CONTACTS,
    LOOK_CONTACTS_UP,
    REMOVE_MEMBER,
    RENAME_CHATROOM,
    SHOW_AVATAR,
    SHOW_CONTACT,
    AvatarQuery,
    ChatroomChange,
    ChatroomToCreate,
    ContactChange,
    ContactIds,
    ContactsQuery,
    FoundContacts,
    FriendToAdd,
    People,
    admission_of,
    contact_of,
    publication_of,
)
from webwx.transport.download_sink import DownloadSink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.client.people.identities import To
    from webwx.client.remote.calls import GatewayCalls
    from webwx.model.contacts import Admission, Member
    from webwx.model.messages import FriendRequest, Person
    from webwx.model.publications import Publication
    from webwx.representations.route import ApiRoute

_LARGEST_PICTURE = 16 * 1024 * 1024

_IDS = 50
"""Maximum number of ids in one request."""


def recipient_of(to: object) -> str | int:
    """
    Return a contact as a request names it: by its number, its id or its name.

    Raises:
        NotThroughGateway: The value has none of these types.
    """
    match to:
        case str() | int():
            return to
        case Identity():
            return to.number
        case Contact():
            return to.id
        case _:
            found = getattr(to, "id", "")
            if not found:
                raise NotThroughGateway("A gateway finds a contact by its number, its id or its name only.")
            return str(found)


async def find_by_ids(
    calls: GatewayCalls, route: ApiRoute[ContactIds, None, FoundContacts], ids: Iterable[str]
) -> Lookup:
    """Return the contacts that a route of the gateway finds by ids, in as many requests as necessary."""
    found: list[Contact] = []
    missing_ids: list[ContactId] = []
    wanted = [*dict.fromkeys(ids)]
    for start in range(0, len(wanted), _IDS):
        answer = await calls.call(route, query=ContactIds(ids=wanted[start : start + _IDS]))
        found += [contact_of(each.contact, each.members) for each in answer.found]
        missing_ids += map(ContactId, answer.missing)
    return Lookup(found=tuple(found), missing=tuple(missing_ids))


class RemoteContacts:
    """
    Contacts of an account of a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    async def list_contacts(self) -> list[Contact]:
        """Return all contacts, ordered by their names."""

        async def read(after: str | None, limit: int) -> tuple[list[Contact], str | None]:
            page = await self._calls.call(LIST_CONTACTS, query=ContactsQuery(limit=limit, after=after))
            return [contact_of(view) for view in page.contacts], page.next

        return await read_pages(read)

    async def list_chats(self) -> list[Contact]:
        """Return the recent chats, the newest first."""
        listed = await self._calls.call(LIST_CHATS)
        return [contact_of(view) for view in listed.chats]

    async def list_articles(self) -> list[Publication]:
        """Return the latest articles of the official accounts that this account follows."""
        listed = await self._calls.call(LIST_ARTICLES)
        return [publication_of(view) for view in listed.publications]

    async def get_contacts(self, ids: Iterable[str]) -> Lookup:
        """Fetch people and chatrooms by id, including the members of chatrooms."""
        return await find_by_ids(self._calls, LOOK_CONTACTS_UP, ids)

    async def set_remark(self, contact: To, remark: str) -> Contact:
        """Set the remark of a contact."""
        return await self._change(contact, ContactChange(remark=remark))

    async def set_pinned(self, contact: To, is_pinned: bool) -> Contact:
        """Pin a chat to the top of the list, or unpin it."""
        return await self._change(contact, ContactChange(pinned=is_pinned))

    async def _change(self, contact: To, change: ContactChange) -> Contact:
        return contact_of(await self._calls.call(CHANGE_CONTACT, recipient_of(contact), body=change))

    async def download_avatar(self, who: To | Member, *, met_in: To | None = None) -> bytes:
        content = io.BytesIO()
        query = AvatarQuery(met_in=None if met_in is None else str(recipient_of(met_in)))
        sink = DownloadSink(content, _LARGEST_PICTURE)
        await self._calls.download(SHOW_AVATAR, recipient_of(who), sink=sink, query=query)
        return content.getvalue()

    async def add_friend(self, person: To | Person | Member, greeting: str) -> None:
        """Send a friend request."""
        body = FriendToAdd(to=recipient_of(person), greeting=greeting)
        await self._calls.call(ADD_FRIEND, body=body)

    async def accept_friend(self, request: FriendRequest) -> None:
        """Accept a friend request, by the number of its event."""
        await self._calls.call(ACCEPT_FRIEND, request.number)


class RemoteChatrooms:
    """
    Chatrooms of an account of a gateway.

    Args:
        calls: Calls of the gateway.
    """

    def __init__(self, calls: GatewayCalls) -> None:
        self._calls = calls

    async def create_chatroom(self, people: Iterable[To | Member], *, name: str) -> Admission:
        """Create a chatroom."""
        body = ChatroomToCreate(members=[recipient_of(each) for each in people], name=name)
        return admission_of(await self._calls.call(CREATE_CHATROOM, body=body))

    async def add_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        """Add friends to a chatroom."""
        body = People(members=[recipient_of(each) for each in people])
        return admission_of(await self._calls.call(ADD_MEMBERS, recipient_of(chatroom), body=body))

    async def invite_members(self, chatroom: To, people: Iterable[To | Member]) -> Admission:
        body = People(members=[recipient_of(each) for each in people])
        return admission_of(await self._calls.call(INVITE_MEMBERS, recipient_of(chatroom), body=body))

    async def remove_members(self, chatroom: To, people: Iterable[To | Member]) -> Contact:
        """Remove members from a chatroom, one after the other."""
        for each in people:
            await self._calls.call(REMOVE_MEMBER, recipient_of(chatroom), recipient_of(each))
        details = await self._calls.call(SHOW_CONTACT, recipient_of(chatroom))
        return contact_of(details.contact, details.members)

    async def rename_chatroom(self, chatroom: To, name: str) -> Contact:
        body = ChatroomChange(name=name)
        return contact_of(await self._calls.call(RENAME_CHATROOM, recipient_of(chatroom), body=body))

    async def leave_chatroom(self, chatroom: To) -> None:
        await self._calls.call(LEAVE_CHATROOM, recipient_of(chatroom))
