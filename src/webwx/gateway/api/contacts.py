"""Contacts, recent chats, chatrooms and friend requests."""

from __future__ import annotations

import heapq
from operator import itemgetter
from typing import Annotated

from litestar import Response, Router, delete, get, patch, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from webwx.errors import InvalidRequest
from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import AccountNumber, EventNumber, InjectedPort, OwnedClient, StoredClient
from webwx.gateway.journal_lookup import required_event
from webwx.model.contacts import Admission, Contact
from webwx.model.messages import FriendRequest
from webwx.model.publications import Publication
from webwx.protocol.media import image_type
from webwx.representations.contacts import (
    AdmissionView,
    ArticleView,
    ChatList,
    ChatroomChange,
    ChatroomToCreate,
    ContactChange,
    ContactDetails,
    ContactPage,
    ContactView,
    FoundContact,
    FoundContacts,
    FriendToAdd,
    MemberView,
    People,
    PublicationList,
    PublicationView,
    Who,
)
from webwx.representations.times import optional_moment

ContactIds = Annotated[
    list[str], QueryParameter(name="id", min_items=1, max_items=50, description="Ids; repeat the parameter for each")
]

_CHANGES = problems(403, 404, 409, 422, 424, 502, 503, 504)


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


@get("/accounts/{account:str}/contacts", scope="read", summary="List contacts", responses=problems(404, 424, 503))
async def list_contacts(
    number: AccountNumber,
    port: InjectedPort,
    q: Annotated[str | None, QueryParameter(description="Part of a name or of the alias")] = None,
    kind: Annotated[str | None, QueryParameter(description="`friend`, `chatroom`, `official`, ...")] = None,
    after: Annotated[str | None, QueryParameter(description="`next` of the previous page")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 200,
) -> ContactPage:
    """Return the contacts of the present login."""
    wanted = (q or "").casefold()
    async with port.account(number).saved() as client:
        contacts = list(client.contacts)
    found = (
        (f"{contact.display_name}\n{contact.id}", contact)
        for contact in contacts
        if (kind is None or contact.kind == kind) and (not wanted or _matches(contact, wanted))
    )
    # Sorting all contacts takes six times as long as finding the first ones after the previous page.
    rest = (each for each in found if after is None or each[0] > after)
    first = heapq.nsmallest(limit + 1, rest, key=itemgetter(0))
    page = first[:limit]
    return ContactPage(
        contacts=[view_of_contact(contact) for _, contact in page], next=page[-1][0] if len(first) > limit else None
    )


def _matches(contact: Contact, wanted: str) -> bool:
    names = (contact.display_name, contact.nickname, contact.remark, contact.alias, contact.pinyin)
    return any(wanted in name.casefold() for name in names)


@get("/accounts/{account:str}/chats", scope="read", summary="List recent chats", responses=problems(404, 424, 502, 503))
async def list_chats(owned: OwnedClient) -> ChatList:
    """Return the recent chats, the newest first."""
    return ChatList(chats=[view_of_contact(chat) for chat in await owned.list_chats()])


@get(
    "/accounts/{account:str}/articles", scope="read", summary="List articles of official accounts",
    responses=problems(404, 424, 502, 503),
)  # fmt: skip
async def list_articles(owned: OwnedClient) -> PublicationList:
    """Return the latest articles of the official accounts that the account follows, as the platform orders them."""
    return PublicationList(publications=[view_of_publication(each) for each in await owned.list_articles()])


@get(
    "/accounts/{account:str}/contacts/lookup", scope="read", summary="Look contacts up by id",
    responses=problems(404, 422, 424, 502, 503, 504),
)  # fmt: skip
async def look_contacts_up(ids: ContactIds, owned: OwnedClient) -> FoundContacts:
    """Ask the platform for people and chatrooms by their ids in this login, also for those that are not contacts."""
    lookup = await owned.get_contacts(ids)
    return FoundContacts(found=[_found(contact) for contact in lookup.found], missing=list(lookup.missing))


@get(
    "/accounts/{account:str}/people", scope="read", summary="Find people of any login",
    responses=problems(404, 424, 503),
)  # fmt: skip
async def find_people(ids: ContactIds, stored: StoredClient) -> FoundContacts:
    """Return the contacts that had these ids, in this login or an earlier one."""
    found = [contact for contact in await stored.find_people(ids) if contact.id in ids]
    known = {contact.id for contact in found}
    return FoundContacts(
        found=[_found(contact) for contact in found], missing=[each for each in ids if each not in known]
    )


@get(
    "/accounts/{account:str}/contacts/{who:str}", scope="read", summary="Show a contact",
    responses=problems(404, 422, 424, 503),
)  # fmt: skip
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


@patch("/accounts/{account:str}/contacts/{who:str}", scope="manage", summary="Change a contact", responses=_CHANGES)
async def change_contact(who: FromPath[str], data: JSONBody[ContactChange], owned: OwnedClient) -> ContactView:
    """Set the remark of a contact, or pin its chat."""
    contact = await owned.find_contact(which_of(who))
    if data.remark is not None:
        contact = await owned.set_remark(contact.id, data.remark)
    if data.pinned is not None:
        contact = await owned.set_pinned(contact.id, data.pinned)
    return view_of_contact(contact)


@get(
    "/accounts/{account:str}/contacts/{who:str}/avatar", scope="read:media", summary="Show a picture of a contact",
    responses={
        **problems(404, 422, 424, 502, 503, 504),
        200: ResponseSpec(bytes, generate_examples=False, media_type="image/jpeg", description="The picture"),
    },
)  # fmt: skip
async def show_avatar(
    who: FromPath[str],
    owned: OwnedClient,
    met_in: Annotated[str | None, QueryParameter(description="Chatroom of a member who is not a friend")] = None,
) -> Response[bytes]:
    """Return the picture of a contact, or of a member of a chatroom."""
    picture = await owned.download_avatar(which_of(who), met_in=None if met_in is None else which_of(met_in))
    media_type = image_type(picture[:32]) or "application/octet-stream"
    return Response(picture, media_type=media_type, headers={"Cache-Control": "private, max-age=3600"})


@post(
    "/accounts/{account:str}/contacts/{who:str}/read", scope="manage", status_code=204, summary="Mark a chat as read",
    responses=_CHANGES,
)  # fmt: skip
async def mark_read(who: FromPath[str], owned: OwnedClient) -> None:
    """Mark a whole chat as read on the account's other devices; the other person is not notified."""
    await owned.mark_read(which_of(who))


@post(
    "/accounts/{account:str}/friend-requests", scope="manage", status_code=204, summary="Send a friend request",
    responses=_CHANGES,
)  # fmt: skip
async def add_friend(data: JSONBody[FriendToAdd], owned: OwnedClient) -> None:
    """Send a friend request to one person."""
    await owned.add_friend(data.to, data.greeting)


@post(
    "/accounts/{account:str}/friend-requests/{event:int}/accept", scope="manage", status_code=204,
    summary="Accept a friend request", responses=_CHANGES,
)  # fmt: skip
async def accept_friend(event: EventNumber, owned: OwnedClient) -> None:
    """Accept a friend request, by the number of its event `friend.requested`."""
    request = await required_event(owned, event)
    if not isinstance(request, FriendRequest):
        raise InvalidRequest("This event is not a friend request.")
    await owned.accept_friend(request)


@post("/accounts/{account:str}/chatrooms", scope="manage", summary="Create a chatroom", responses=_CHANGES)
async def create_chatroom(data: JSONBody[ChatroomToCreate], owned: OwnedClient) -> AdmissionView:
    """Create a chatroom with at least two others."""
    return _view_of_admission(await owned.create_chatroom(data.members, name=data.name))


@patch("/accounts/{account:str}/chatrooms/{who:str}", scope="manage", summary="Rename a chatroom", responses=_CHANGES)
async def rename_chatroom(who: FromPath[str], data: JSONBody[ChatroomChange], owned: OwnedClient) -> ContactView:
    """Rename a chatroom."""
    return view_of_contact(await owned.rename_chatroom(which_of(who), data.name))


@post(
    "/accounts/{account:str}/chatrooms/{who:str}/members", scope="manage", status_code=200, summary="Add members",
    responses=_CHANGES,
)  # fmt: skip
async def add_members(who: FromPath[str], data: JSONBody[People], owned: OwnedClient) -> AdmissionView:
    """Add friends to a chatroom, or invite them to a large one."""
    return _view_of_admission(await owned.add_members(which_of(who), data.members))


@post(
    "/accounts/{account:str}/chatrooms/{who:str}/invitations", scope="manage", status_code=200,
    summary="Invite members", responses=_CHANGES,
)  # fmt: skip
async def invite_members(who: FromPath[str], data: JSONBody[People], owned: OwnedClient) -> AdmissionView:
    """Send invitations to a chatroom; each person has to accept."""
    return _view_of_admission(await owned.invite_members(which_of(who), data.members))


@delete(
    "/accounts/{account:str}/chatrooms/{who:str}/members/{member:str}", scope="manage", status_code=200,
    summary="Remove a member", responses=_CHANGES,
)  # fmt: skip
async def remove_member(who: FromPath[str], member: FromPath[str], owned: OwnedClient) -> ContactView:
    """Remove a member from a chatroom that the account owns."""
    return view_of_contact(await owned.remove_members(which_of(who), [which_of(member)]))


@delete("/accounts/{account:str}/chatrooms/{who:str}", scope="manage", summary="Leave a chatroom", responses=_CHANGES)
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
        show_contact, change_contact, show_avatar, mark_read, add_friend, accept_friend,
        create_chatroom, rename_chatroom, add_members, invite_members, remove_member, leave_chatroom,
    ],
    tags=["contacts"],
)  # fmt: skip
