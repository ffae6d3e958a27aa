"""Contacts and chatrooms, and requests to change them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from webwx.model.contacts import Admission, Contact, ContactId, Kind, Member
from webwx.model.messages import LinkedArticle
from webwx.model.publications import Publication
from webwx.representations.route import ACCOUNT, ApiRoute, NoQuery, RouteQuery

if TYPE_CHECKING:
    from collections.abc import Iterable

Who = str | int
"""A remark, a nickname, an id, or the number of a contact."""


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a chatroom."""

    id: str
    name: str


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """A person, an official account or a chatroom."""

    id: str
    """Id of the contact in this login only; store the number instead."""
    name: str
    """The name to show."""
    nickname: str
    remark: str
    """The account's own name for the contact."""
    alias: str
    kind: Kind
    is_pinned: bool
    is_owner: bool
    """Whether the contact is a chatroom that the account owns."""
    owner: str
    """Id of a chatroom's owner in this login; empty if it is unknown."""
    is_muted: bool
    """Whether the phone does not notify about new messages of the contact."""
    is_starred: bool
    is_blocked: bool
    """Whether the account has blocked the contact."""
    member_count: int


class ContactDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A contact with its number."""

    number: int
    """Number of the contact, the same in every login."""
    contact: ContactView
    members: list[MemberView]


class FoundContact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact with its members if it is a chatroom."""

    contact: ContactView
    members: list[MemberView]


class FoundContacts(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a search by ids."""

    found: list[FoundContact]
    missing: list[str]
    """Ids of which no contact was found."""


class ContactPage(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts, ordered by their names to show."""

    contacts: list[ContactView]
    next: str | None
    """Value of `after` for the next page; null on the last one."""


class ChatList(msgspec.Struct, frozen=True, kw_only=True):
    """Recent chats, the newest first."""

    chats: list[ContactView]


class UnreadCount(msgspec.Struct, frozen=True, kw_only=True):
    """The unread messages of a chat."""

    unread: int | None
    """Number of messages that arrived after the chat was last read; null if the gateway has no message of any chat."""


class ArticleView(msgspec.Struct, frozen=True, kw_only=True):
    """An article of an official account."""

    title: str
    url: str
    digest: str
    """Words of the official account about the article."""
    cover_url: str
    """Address of its picture."""


class PublicationView(msgspec.Struct, frozen=True, kw_only=True):
    """The latest articles of an official account."""

    account: str
    """Id of the official account in this login."""
    name: str
    time: datetime | None
    """Time of the publication; null if unknown."""
    articles: list[ArticleView]


class PublicationList(msgspec.Struct, frozen=True, kw_only=True):
    """The latest articles of the official accounts that the account follows."""

    publications: list[PublicationView]


class ContactChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a contact; a missing field is not changed."""

    remark: str | None = None
    """The account's own name for the contact; empty to remove it."""
    pinned: bool | None = None


class FriendToAdd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A friend request to send."""

    to: Who
    greeting: str = ""


class ChatroomToCreate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chatroom to create."""

    members: list[Who]
    name: str = ""


class ChatroomChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chatroom's new name."""

    name: str


class People(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People to add to a chatroom or to remove."""

    members: list[Who]


class AdmissionView(msgspec.Struct, frozen=True, kw_only=True):
    """The result of adding people to a chatroom."""

    chatroom: ContactView
    members: list[MemberView]
    """The members after the change."""
    added: list[str]
    invited: list[str]
    refused: list[str]


# -- routes ------------------------------------------------------------------------------------------------------------

_CHANGES = (403, 404, 409, 422, 424, 502, 503, 504)


class ContactsQuery(RouteQuery, frozen=True, kw_only=True):
    """Which contacts are listed."""

    q: Annotated[str | None, msgspec.Meta(description="Part of a name or of the alias")] = None
    kind: Annotated[Kind | None, msgspec.Meta(description="Only contacts of this kind; default: all")] = None
    after: Annotated[str | None, msgspec.Meta(description="`next` of the previous page")] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class ContactIds(RouteQuery, frozen=True, kw_only=True):
    """Ids of contacts."""

    ids: Annotated[
        list[str], msgspec.Meta(min_length=1, max_length=50, description="Ids; repeat the parameter for each")
    ] = msgspec.field(name="id")


LIST_CONTACTS: ApiRoute[ContactsQuery, None, ContactPage] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/contacts", scope="read", summary="List contacts", query=ContactsQuery,
    reply=ContactPage, problems=(404, 424, 503),
)  # fmt: skip

LIST_CHATS: ApiRoute[NoQuery, None, ChatList] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/chats", scope="read", summary="List recent chats", reply=ChatList,
    problems=(404, 424, 502, 503),
)  # fmt: skip

LIST_ARTICLES: ApiRoute[NoQuery, None, PublicationList] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/articles", scope="read", summary="List articles of official accounts",
    reply=PublicationList, problems=(404, 424, 502, 503),
)  # fmt: skip

LOOK_CONTACTS_UP: ApiRoute[ContactIds, None, FoundContacts] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/contacts/lookup", scope="read", summary="Look contacts up by id", query=ContactIds,
    reply=FoundContacts, problems=(404, 422, 424, 502, 503, 504),
)  # fmt: skip

FIND_PEOPLE: ApiRoute[ContactIds, None, FoundContacts] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/people", scope="read", summary="Find people of any login", query=ContactIds,
    reply=FoundContacts, problems=(404, 424, 503),
)  # fmt: skip

SHOW_CONTACT: ApiRoute[NoQuery, None, ContactDetails] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/contacts/{{who}}", scope="read", summary="Show a contact", reply=ContactDetails,
    problems=(404, 422, 424, 503),
)  # fmt: skip

CHANGE_CONTACT: ApiRoute[NoQuery, ContactChange, ContactView] = ApiRoute(
    method="PATCH", path=f"{ACCOUNT}/contacts/{{who}}", scope="manage", summary="Change a contact", body=ContactChange,
    example=ContactChange(remark="Boss"), reply=ContactView, problems=_CHANGES,
)  # fmt: skip


class AvatarQuery(RouteQuery, frozen=True, kw_only=True):
    """Whose picture is shown."""

    met_in: Annotated[str | None, msgspec.Meta(description="Chatroom of a member who is not a friend")] = None


SHOW_AVATAR: ApiRoute[AvatarQuery, None, bytes] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/contacts/{{who}}/avatar", scope="read:media", summary="Show a picture of a contact",
    query=AvatarQuery, reply=bytes, problems=(404, 422, 424, 502, 503, 504),
)  # fmt: skip

MARK_READ: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/contacts/{{who}}/read", scope="manage", summary="Mark a chat as read",
    reply=type(None), problems=_CHANGES,
)  # fmt: skip

COUNT_UNREAD: ApiRoute[NoQuery, None, UnreadCount] = ApiRoute(
    method="GET", path=f"{ACCOUNT}/contacts/{{who}}/unread", scope="read", summary="Count unread messages",
    reply=UnreadCount, problems=(404, 422, 424, 503),
)  # fmt: skip

ADD_FRIEND: ApiRoute[NoQuery, FriendToAdd, None] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/friend-requests", scope="manage", summary="Send a friend request", body=FriendToAdd,
    example=FriendToAdd(to="Ah Hua", greeting="We met in Shanghai."), reply=type(None), problems=_CHANGES,
)  # fmt: skip

ACCEPT_FRIEND: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/friend-requests/{{event:int}}/accept", scope="manage",
    summary="Accept a friend request", reply=type(None), problems=_CHANGES,
)  # fmt: skip

CREATE_CHATROOM: ApiRoute[NoQuery, ChatroomToCreate, AdmissionView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/chatrooms", scope="manage", summary="Create a chatroom", body=ChatroomToCreate,
    reply=AdmissionView, problems=_CHANGES, created=True,
)  # fmt: skip

RENAME_CHATROOM: ApiRoute[NoQuery, ChatroomChange, ContactView] = ApiRoute(
    method="PATCH", path=f"{ACCOUNT}/chatrooms/{{who}}", scope="manage", summary="Rename a chatroom",
    body=ChatroomChange, reply=ContactView, problems=_CHANGES,
)  # fmt: skip

ADD_MEMBERS: ApiRoute[NoQuery, People, AdmissionView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/chatrooms/{{who}}/members", scope="manage", summary="Add members", body=People,
    reply=AdmissionView, problems=_CHANGES,
)  # fmt: skip

INVITE_MEMBERS: ApiRoute[NoQuery, People, AdmissionView] = ApiRoute(
    method="POST", path=f"{ACCOUNT}/chatrooms/{{who}}/invitations", scope="manage", summary="Invite members",
    body=People, reply=AdmissionView, problems=_CHANGES,
)  # fmt: skip

REMOVE_MEMBER: ApiRoute[NoQuery, None, ContactView] = ApiRoute(
    method="DELETE", path=f"{ACCOUNT}/chatrooms/{{who}}/members/{{member}}", scope="manage", summary="Remove a member",
    reply=ContactView, problems=_CHANGES,
)  # fmt: skip

LEAVE_CHATROOM: ApiRoute[NoQuery, None, None] = ApiRoute(
    method="DELETE", path=f"{ACCOUNT}/chatrooms/{{who}}", scope="manage", summary="Leave a chatroom", reply=type(None),
    problems=_CHANGES,
)  # fmt: skip


# -- as values of the library ------------------------------------------------------------------------------------------


def contact_of(view: ContactView, members: Iterable[MemberView] = ()) -> Contact:
    """Return a contact with the fields that the API shows."""
    return Contact(
        id=ContactId(view.id), nickname=view.nickname, remark=view.remark, alias=view.alias,
        kind=view.kind, is_pinned=view.is_pinned, is_owner=view.is_owner,
        owner=ContactId(view.owner), is_muted=view.is_muted, is_starred=view.is_starred, is_blocked=view.is_blocked,
        members=tuple(Member(id=ContactId(member.id), nickname=member.name) for member in members),
    )  # fmt: skip


def publication_of(view: PublicationView) -> Publication:
    """Return the latest articles of an official account."""
    articles = tuple(
        LinkedArticle(title=each.title, url=each.url, digest=each.digest, cover_url=each.cover_url)
        for each in view.articles
    )
    time = int(view.time.timestamp()) if view.time else 0
    return Publication(account=ContactId(view.account), name=view.name, time=time, articles=articles)


def admission_of(view: AdmissionView) -> Admission:
    """Return the result of adding people to a chatroom."""
    return Admission(
        chatroom=contact_of(view.chatroom, view.members), added=tuple(map(ContactId, view.added)),
        invited=tuple(map(ContactId, view.invited)), refused=tuple(map(ContactId, view.refused)),
    )  # fmt: skip
