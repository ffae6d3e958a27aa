"""
The chats that an adapter may see, and those to which it may write.

The program behind an adapter may be an agent that reads what other people write. So its owner decides once which chats
it reaches, and neither an argument of a call nor a message can change that. By default it is File Transfer Helper only.

    listing, search, waiting, media, resources, recalls      the chat has to be in `see`
    a send                                                   the chat has to be in `write`
    a forward                                                the message's chat in `see`, the recipient in `write`
    a recall of an own message                               the chat in both
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.client.people.identities import SURE
from webwx.errors import InvalidRequest, LocalStateError, NotLoggedIn, UnknownContact
from webwx.gateway.accounts.journal_lookup import user_of
from webwx.model.contacts import FILEHELPER, FILEHELPER_NAME, ContactId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.client.client import AsyncClient
    from webwx.model.contacts import Contact

EVERY_CHAT = "*"
"""Stands for all chats in a list."""

ChatEntry = str | int
"""`filehelper`, the number of a person or chatroom, or `*` for all chats."""


class ChatNotAllowed(InvalidRequest):
    """
    The adapter does not reach this chat.

    The text is the same for a chat that does not exist, so that it does not tell who is a contact.
    """


class ChatPermissions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The chats of an adapter.

    Numbers are those of identities: they stay valid after another login, after a merge, and on another machine. They
    are people of one WeChat user, as are all chats; if another one logs in as the account, they stand for no one. A
    program may have stored numbers of its own, and they would be those of other people then.
    """

    see: tuple[ChatEntry, ...] = (FILEHELPER,)
    """Chats whose messages the adapter reads."""
    write: tuple[ChatEntry, ...] = (FILEHELPER,)
    """Chats to which it sends."""
    user: int = 0
    """The user whose people the lists name, as `user_of` returns it; 0: they name none, or the user is unknown."""

    def __repr__(self) -> str:
        return f"ChatPermissions({len(self.see)} seen, {len(self.write)} written)"


def check_permissions(permissions: ChatPermissions) -> None:
    """
    Refuse lists with an entry that is not a chat, before they are stored.

    Raises:
        InvalidRequest: An entry is neither `filehelper`, nor `*`, nor a number.
    """
    for field, entries in (("see", permissions.see), ("write", permissions.write)):
        for entry in entries:
            if not (entry in (FILEHELPER, EVERY_CHAT) if isinstance(entry, str) else entry > 0):
                raise InvalidRequest(
                    f"{entry!r} is not a chat for an adapter; use 'filehelper', the number of a person or chatroom, or "
                    "'*' for all chats.",
                    field=field,
                )


def names_people(entries: Iterable[ChatEntry]) -> bool:
    """Return whether a list has people or chatrooms of a user: a number, or all chats."""
    return any(each == EVERY_CHAT or isinstance(each, int) for each in entries)


async def of_present_user(permissions: ChatPermissions, client: AsyncClient) -> ChatPermissions:
    """
    Return permissions whose lists name people of the user whom a client knows, unless their user is known already.

    Raises:
        StorageError: The journal cannot be read.
    """
    if permissions.user or not names_people((*permissions.see, *permissions.write)):
        return permissions
    with suppress(NotLoggedIn):
        return msgspec.structs.replace(permissions, user=await user_of(client))
    return permissions


def with_lists(
    permissions: ChatPermissions, user: int, *, see: tuple[ChatEntry, ...], write: tuple[ChatEntry, ...]
) -> ChatPermissions:
    """
    Return permissions with other lists; a list that stays as it is keeps no people of another user beside new ones.

    Args:
        permissions: The permissions.
        user: The user whose people the changed lists name, as `user_of` returns it.
        see: The new list of chats that are seen, or the present one.
        write: The new list of chats to which the adapter sends, or the present one.
    """
    changed = [new for new, old in ((see, permissions.see), (write, permissions.write)) if new != old]
    if not any(map(names_people, changed)):
        return msgspec.structs.replace(permissions, see=see, write=write)
    if permissions.user not in {0, user}:
        see, write = (
            _of_anyone(new) if new == old else new for new, old in ((see, permissions.see), (write, permissions.write))
        )
    return ChatPermissions(see=see, write=write, user=user)


def _of_anyone(entries: tuple[ChatEntry, ...]) -> tuple[ChatEntry, ...]:
    """Return the chats of a list that every user has: File Transfer Helper."""
    return tuple(each for each in entries if each == FILEHELPER)


class AllowedChat(NamedTuple):
    """One chat of the lists, as it is known now."""

    number: int
    """Number of the person or chatroom; 0 for File Transfer Helper without one."""
    kind: Literal["person", "chatroom", "official", "filehelper"]
    name: str
    names: frozenset[str]
    """Names by which a caller may call it."""
    ids: frozenset[ContactId]
    """Ids in all logins."""

    def is_called(self, which: str | int) -> bool:
        """Return whether a number, an id or a name is that of this chat."""
        return which == self.number if isinstance(which, int) else which in self.names or which in self.ids

    def is_called_only_by_name(self, which: str | int) -> bool:
        """Return whether a text is a name that another contact may have too, and no id."""
        return isinstance(which, str) and which not in self.ids and FILEHELPER not in self.ids


class _ListedChats(NamedTuple):
    """One of the two lists."""

    is_every: bool
    ids: frozenset[ContactId]


class AllowedChats:
    """
    The permissions, resolved for one account.

    Args:
        permissions: The two lists.
        chats: Chats of the lists by entry; one without a contact in any login is missing.
    """

    def __init__(self, permissions: ChatPermissions, chats: dict[ChatEntry, AllowedChat]) -> None:
        self._chats = chats
        self._see = self._list(permissions.see)
        self._write = self._list(permissions.write)

    def __repr__(self) -> str:
        return "AllowedChats(***)"

    def _list(self, entries: tuple[ChatEntry, ...]) -> _ListedChats:
        ids = frozenset(each for entry in entries if entry in self._chats for each in self._chats[entry].ids)
        return _ListedChats(EVERY_CHAT in entries, ids)

    @property
    def sees_every_chat(self) -> bool:
        """Whether the adapter sees all chats, also those that are not listed in `chats`."""
        return self._see.is_every

    @property
    def writes_every_chat(self) -> bool:
        """Whether the adapter sends to all chats."""
        return self._write.is_every

    @property
    def chats(self) -> list[AllowedChat]:
        """The chats that are listed for reading, in a fixed order: File Transfer Helper, then by number."""
        return self._in(self._see)

    @property
    def written_chats(self) -> list[AllowedChat]:
        """The chats that are listed for sends, in the same order."""
        return self._in(self._write)

    def _in(self, listed: _ListedChats) -> list[AllowedChat]:
        found = {chat.number: chat for chat in self._chats.values() if listed.is_every or chat.ids & listed.ids}
        return [found[number] for number in sorted(found)]

    def sees(self, chat: str | None) -> bool:
        """Return whether the adapter sees the messages of a chat, by its id in any login; None: of no chat."""
        return self._see.is_every or chat in self._see.ids

    def writes(self, chat: str) -> bool:
        """Return whether the adapter sends to a chat, by its id in any login."""
        return self._write.is_every or chat in self._write.ids

    def require_see(self, chat: str | None) -> None:
        """
        Refuse to show something of a chat that the adapter does not see.

        Raises:
            ChatNotAllowed: It does not.
        """
        if not self.sees(chat):
            raise _not_reached()

    def require_write(self, chat: str) -> None:
        """
        Refuse a send to a chat that is not listed for sends.

        Raises:
            ChatNotAllowed: It is not.
        """
        if not self.writes(chat):
            if not self.sees(chat):
                raise _not_reached()
            raise ChatNotAllowed("This chat may be read, but not written to; its owner can allow that.")

    def require_forward(self, chat: str | None, to: str) -> None:
        """
        Refuse to forward a message of a chat, unless this chat is seen and the recipient is listed for sends.

        Raises:
            ChatNotAllowed: One of them is not.
        """
        self.require_see(chat)
        self.require_write(to)

    def require_recall(self, chat: str) -> None:
        """
        Refuse to recall an own message of a chat that is not in both lists.

        Raises:
            ChatNotAllowed: It is not.
        """
        self.require_see(chat)
        self.require_write(chat)

    def resolve(self, which: str | int) -> AllowedChat | None:
        """
        Find a listed chat by its number, an id, or its exact name.

        None: all chats are allowed in one of the lists, so the account's own contacts decide who is called so. A listed
        person could otherwise take the name of any other contact, and would get what is meant for that one.

        Raises:
            ChatNotAllowed: No listed chat is called so, or several are.
        """
        found = {chat.ids: chat for chat in self._chats.values() if chat.is_called(which)}
        is_every = self._see.is_every or self._write.is_every
        if len(found) == 1:
            [chat] = found.values()
            return None if is_every and chat.is_called_only_by_name(which) else chat
        if found:
            numbers = ", ".join(str(each.number) for each in found.values())
            raise ChatNotAllowed(f"{len(found)} chats have the name {which!r}; use one of the numbers: {numbers}.")
        if is_every:
            return None
        raise _not_reached()


def _not_reached() -> ChatNotAllowed:
    return ChatNotAllowed(
        "There is no such chat among those that this program may reach; its owner can extend the list."
    )


async def allowed_chats(permissions: ChatPermissions, client: AsyncClient) -> AllowedChats:
    """
    Resolve the permissions for an account, as its journal knows the chats now.

    Args:
        permissions: The two lists.
        client: The account's client; it only reads.

    Raises:
        StorageError: The journal cannot be read.
    """
    is_other = permissions.user and await user_of(client) != permissions.user
    if is_other:
        permissions = ChatPermissions(see=_of_anyone(permissions.see), write=_of_anyone(permissions.write))
    listed = (*permissions.see, *permissions.write)
    entries = {entry for entry in listed if entry == FILEHELPER or isinstance(entry, int)}
    chats: dict[ChatEntry, AllowedChat] = {}
    for entry in sorted(entries, key=str):
        with suppress(UnknownContact):  # no journal of this account has it, so nothing is allowed by it
            chats[entry] = await _chat_of(entry, client)
    return AllowedChats(permissions, chats)


async def _chat_of(entry: ChatEntry, client: AsyncClient) -> AllowedChat:
    if entry == FILEHELPER:
        return AllowedChat(
            0, "filehelper", FILEHELPER_NAME, frozenset((FILEHELPER, FILEHELPER_NAME)), frozenset((FILEHELPER,))
        )
    identity = await client.who(entry)
    names: Iterable[str] = (identity.name,)
    with suppress(UnknownContact, LocalStateError):  # it may be a contact of an earlier login only
        names = (identity.name, *_names_of(await client.find_contact(identity.number)))
    links = await client.why(identity.number)
    ids = frozenset(link.contact_id for link in links if link.confidence >= SURE)  # an unsure one may be another person
    return AllowedChat(identity.number, identity.kind, identity.name, frozenset(filter(None, names)), ids)


def _names_of(contact: Contact) -> tuple[str, ...]:
    return (contact.remark, contact.nickname, contact.display_name)
