"""Contacts and chatrooms, and requests to change them."""

from __future__ import annotations

import msgspec

Who = str | int
"""A remark, a nickname, an id, or the number of a contact."""


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a chatroom."""

    id: str
    name: str


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """A person, an official account or a chatroom."""

    id: str
    """Valid in this login only; store the number instead."""
    name: str
    """The name to show."""
    nickname: str
    remark: str
    """The account's own name for the contact."""
    alias: str
    kind: str
    is_pinned: bool
    is_owner: bool
    """A chatroom of the account's own."""
    member_count: int


class ContactDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A contact with its number."""

    number: int
    """The same in every login."""
    contact: ContactView
    members: list[MemberView]


class ContactPage(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts, ordered by their names to show."""

    contacts: list[ContactView]
    next: str | None
    """Value of `after` for the next page; null on the last one."""


class ChatList(msgspec.Struct, frozen=True, kw_only=True):
    """Recent chats, the newest first."""

    chats: list[ContactView]


class ContactChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of a contact; a missing field stays."""

    remark: str | None = None
    """The account's own name; empty to remove it."""
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
    """Who came into a chatroom, and who did not."""

    chatroom: ContactView
    added: list[str]
    invited: list[str]
    refused: list[str]
