"""Contacts, recent chats, chatrooms and friend requests."""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from operator import attrgetter

from litestar import Response, Router
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from webwx.errors import InvalidRequest
from webwx.gateway.accounts.contact_order import ContactOrder, ordered
from webwx.gateway.accounts.journal_lookup import required_event
from webwx.gateway.api.documented import PICTURE
from webwx.gateway.api.parameters import AccountNumber, EventNumber, InjectedPort, OwnedClient, StoredClient
from webwx.gateway.api.serve_route import serve
from webwx.model.contacts import Admission, Contact
from webwx.model.messages import FriendRequest
from webwx.model.publications import Publication
from webwx.protocol.media import image_type
from webwx.representations.contacts import (
    ACCEPT_FRIEND,
    ADD_FRIEND,
    ADD_MEMBERS,
    CHANGE_CONTACT,
    COUNT_UNREAD,
    CREATE_CHATROOM,
    FIND_PEOPLE,
    INVITE_MEMBERS,
    LEAVE_CHATROOM,
    LIST_ARTICLES,
    LIST_CHATS,
    LIST_CONTACTS,
    LOOK_CONTACTS_UP,
    MARK_READ,
    REMOVE_MEMBER,
    RENAME_CHATROOM,
    SHOW_AVATAR,
    SHOW_CONTACT,
    AdmissionView,
    ArticleView,
    AvatarQuery,
    ChatList,
    ChatroomChange,
    ChatroomToCreate,
    ContactChange,
    ContactDetails,
    ContactIds,
    ContactPage,
    ContactsQuery,
    ContactView,
    FoundContact,
    FoundContacts,
    FriendToAdd,
    MemberView,
    People,
    PublicationList,
    PublicationView,
    UnreadCount,
    Who,
)
from webwx.representations.times import optional_moment


def view_of_contact(contact: Contact) -> ContactView:
    """Return a contact as the API shows it."""
    return ContactView(
        id=contact.id, name=contact.display_name, nickname=contact.nickname, remark=contact.remark,
        alias=contact.alias, kind=contact.kind, is_pinned=contact.is_pinned, is_owner=contact.is_owner,
        owner=contact.owner, is_muted=contact.is_muted, is_starred=contact.is_starred, is_blocked=contact.is_blocked,
        member_count=len(contact.members),
    )  # fmt: skip


def view_of_publication(publication: Publication) -> PublicationView:
    """Return the latest articles of an official account as the API shows them."""
    articles = [
        ArticleView(title=each.title, url=each.url, digest=each.digest, cover_url=each.cover_url)
        for each in publication.articles
    ]
    return PublicationView(
        account=publication.account, name=publication.name, time=optional_moment(publication.time), articles=articles
    )


def which_of(text: str) -> Who:
    """Return the contact that a path or a query names: by number if it has digits only, else by name or id."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else text


@serve(LIST_CONTACTS)
async def list_contacts(
    number: AccountNumber,
    port: InjectedPort,
    contact_order: NamedDependency[SkipValidation[ContactOrder]],
    query: ContactsQuery,
) -> ContactPage:
    """Return the contacts of the present login."""
    wanted = (query.q or "").casefold()
    async with port.account(number).saved() as client:
        contacts = client.contacts
        if wanted:
            places = ordered(contact for contact in contacts if _matches(contact, wanted))
        else:
            places = contact_order.places(contacts)
        begin = 0 if query.after is None else bisect_right(places, query.after, key=attrgetter("key"))
        rest = (place for place in islice(places, begin, None) if query.kind in (None, place.kind))
        page = list(islice(rest, query.limit + 1))
        shown = [contact for place in page[: query.limit] if (contact := contacts.get(place.id)) is not None]
    return ContactPage(
        contacts=[view_of_contact(contact) for contact in shown],
        next=page[query.limit - 1].key if len(page) > query.limit else None,
    )


def _matches(contact: Contact, wanted: str) -> bool:
    names = (contact.display_name, contact.nickname, contact.remark, contact.alias, contact.pinyin)
    return any(wanted in name.casefold() for name in names)


@serve(LIST_CHATS)
async def list_chats(owned: OwnedClient) -> ChatList:
    """Return the recent chats, the newest first."""
    return ChatList(chats=[view_of_contact(chat) for chat in await owned.list_chats()])


@serve(LIST_ARTICLES)
async def list_articles(owned: OwnedClient) -> PublicationList:
    """Return the latest articles of the official accounts that the account follows, as the platform orders them."""
    return PublicationList(publications=[view_of_publication(each) for each in await owned.list_articles()])


@serve(LOOK_CONTACTS_UP)
async def look_contacts_up(query: ContactIds, owned: OwnedClient) -> FoundContacts:
    """Ask the platform for people and chatrooms by their ids in this login, also for those that are not contacts."""
    lookup = await owned.get_contacts(query.ids)
    return FoundContacts(found=[_found(contact) for contact in lookup.found], missing=list(lookup.missing))


@serve(FIND_PEOPLE)
async def find_people(query: ContactIds, stored: StoredClient) -> FoundContacts:
    """Return the contacts that had these ids, in this login or an earlier one."""
    found = [contact for contact in await stored.find_people(query.ids) if contact.id in query.ids]
    known = {contact.id for contact in found}
    return FoundContacts(
        found=[_found(contact) for contact in found], missing=[each for each in query.ids if each not in known]
    )


@serve(SHOW_CONTACT)
async def show_contact(
    number: AccountNumber, who: FromPath[str], stored: StoredClient, port: InjectedPort
) -> ContactDetails:
    """Return one contact, by its number, its name or its id, with its members if it is a chatroom."""
    async with port.account(number).saved() as client:
        contact = await client.find_contact(which_of(who))
    return ContactDetails(
        number=(await stored.who(contact.id)).number, contact=view_of_contact(contact),
        members=_members_of(contact),
    )  # fmt: skip


@serve(CHANGE_CONTACT)
async def change_contact(who: FromPath[str], data: JSONBody[ContactChange], owned: OwnedClient) -> ContactView:
    """Set the remark of a contact, or pin its chat."""
    contact = await owned.find_contact(which_of(who))
    if data.remark is not None:
        contact = await owned.set_remark(contact.id, data.remark)
    if data.pinned is not None:
        contact = await owned.set_pinned(contact.id, data.pinned)
    return view_of_contact(contact)


@serve(SHOW_AVATAR, responses=PICTURE)
async def show_avatar(who: FromPath[str], owned: OwnedClient, query: AvatarQuery) -> Response[bytes]:
    """Return the picture of a contact, or of a member of a chatroom."""
    met_in = None if query.met_in is None else which_of(query.met_in)
    picture = await owned.download_avatar(which_of(who), met_in=met_in)
    media_type = image_type(picture[:32]) or "application/octet-stream"
    return Response(picture, media_type=media_type, headers={"Cache-Control": "private, max-age=3600"})


@serve(MARK_READ)
async def mark_read(who: FromPath[str], owned: OwnedClient) -> None:
    """Mark a whole chat as read on the account's other devices; the other person is not notified."""
    await owned.mark_read(which_of(who))


@serve(COUNT_UNREAD)
async def count_unread(who: FromPath[str], stored: StoredClient) -> UnreadCount:
    """Count the messages of others that arrived after the chat was last read, here or on another device."""
    return UnreadCount(unread=await stored.count_unread(which_of(who)))


@serve(ADD_FRIEND)
async def add_friend(data: JSONBody[FriendToAdd], owned: OwnedClient) -> None:
    """Send a friend request to one person."""
    await owned.add_friend(data.to, data.greeting)


@serve(ACCEPT_FRIEND)
async def accept_friend(event: EventNumber, owned: OwnedClient) -> None:
    """Accept a friend request, by the number of its event `friend.requested`."""
    request = await required_event(owned, event)
    if not isinstance(request, FriendRequest):
        raise InvalidRequest("This event is not a friend request.")
    await owned.accept_friend(request)


@serve(CREATE_CHATROOM)
async def create_chatroom(data: JSONBody[ChatroomToCreate], owned: OwnedClient) -> AdmissionView:
    """Create a chatroom with at least two others."""
    return _view_of_admission(await owned.create_chatroom(data.members, name=data.name))


@serve(RENAME_CHATROOM)
async def rename_chatroom(who: FromPath[str], data: JSONBody[ChatroomChange], owned: OwnedClient) -> ContactView:
    """Rename a chatroom."""
    return view_of_contact(await owned.rename_chatroom(which_of(who), data.name))


@serve(ADD_MEMBERS)
async def add_members(who: FromPath[str], data: JSONBody[People], owned: OwnedClient) -> AdmissionView:
    """Add friends to a chatroom, or invite them to a large one."""
    return _view_of_admission(await owned.add_members(which_of(who), data.members))


@serve(INVITE_MEMBERS)
async def invite_members(who: FromPath[str], data: JSONBody[People], owned: OwnedClient) -> AdmissionView:
    """Send invitations to a chatroom; each person has to accept."""
    return _view_of_admission(await owned.invite_members(which_of(who), data.members))


@serve(REMOVE_MEMBER)
async def remove_member(who: FromPath[str], member: FromPath[str], owned: OwnedClient) -> ContactView:
    """Remove a member from a chatroom that the account owns."""
    return view_of_contact(await owned.remove_members(which_of(who), [which_of(member)]))


@serve(LEAVE_CHATROOM)
async def leave_chatroom(who: FromPath[str], owned: OwnedClient) -> None:
    """Leave a chatroom."""
    await owned.leave_chatroom(which_of(who))


def _found(contact: Contact) -> FoundContact:
    return FoundContact(contact=view_of_contact(contact), members=_members_of(contact))


def _members_of(contact: Contact) -> list[MemberView]:
    return [MemberView(id=member.id, name=member.name) for member in contact.members]


def _view_of_admission(admission: Admission) -> AdmissionView:
    return AdmissionView(
        chatroom=view_of_contact(admission.chatroom), members=_members_of(admission.chatroom),
        added=list(admission.added), invited=list(admission.invited),
        refused=list(admission.refused),
    )  # fmt: skip


contacts_router = Router(
    "/",
    route_handlers=[
        list_contacts, list_chats, list_articles, look_contacts_up, find_people,
        show_contact, change_contact, show_avatar, mark_read, count_unread, add_friend, accept_friend,
        create_chatroom, rename_chatroom, add_members, invite_members, remove_member, leave_chatroom,
    ],
    tags=["contacts"],
)  # fmt: skip
