"""
The contacts of one login: found by id in constant time, and by name through an index.

Most contacts stay packed in a roster until they are read; changed ones are stored beside it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from webwx.errors import StaleContact, UnknownContact
from webwx.model.contacts import (
    FILEHELPER,
    FILEHELPER_NAME,
    Contact,
    ContactId,
    Listed,
    Listing,
    Member,
    is_chatroom,
    is_id,
    merged,
    read_listed,
)
from webwx.model.roster import PackedRoster, Places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from webwx.model.roster import Roster

_encode = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(Contact).decode


def _decode(raws: Sequence[bytes]) -> Contact:
    """Decode a contact that this library has encoded."""
    return _read(raws[-1])


_FILEHELPER = Contact(id=FILEHELPER, nickname=FILEHELPER_NAME, kind="builtin")

_KNOWN = 10_000
"""Maximum number of members whose chatroom is cached, each as a hash."""

_AS_LISTED = Contact(id=ContactId(""))
"""Mark of a contact that is as in the roster."""

_NOBODY = PackedRoster(Listing(), lambda _: None, is_chatroom)


class Contacts:
    """
    The contacts of one login, found by id in constant time and by name through an index.

    `filehelper` is always present. A contact that has not changed since it was listed stays packed and is decoded on
    access, so that thousands need little memory. An iteration and `search` decode all contacts; with many contacts, do
    so in another thread, not in a coroutine.

    Args:
        known: Decoded contacts.
        roster: Packed contacts; `known` overrides them.
    """

    def __init__(self, known: Iterable[Contact] = (), *, roster: Roster = _NOBODY) -> None:
        self._roster = roster
        self._changed: dict[str, Contact | None] = {}
        """Contacts that are not in the roster or differ from it; None for a removed one."""
        self._by_name: tuple[int, dict[str, list[Contact]]] = (-1, {})
        """Name index, and the `_version` that it belongs to."""
        self._version = 0
        self._known: set[int] = set()
        """Hashes of chats and authors that `knows` has found since the last change."""
        self._members: dict[str, Places] = {}
        """Members of the chatrooms that `knows` has read."""
        for contact in known:
            self.merge(contact)
        self.is_changed: bool = False
        """Whether a contact has changed since this was created or saved."""

    @classmethod
    def listed(cls, listing: Listing, own_id: str, known: Iterable[Contact] = (), *, own_uin: int = 0) -> Contacts:
        """Return the contacts that the server has listed, and further ones; see `contact_from_wire`."""
        read = partial(read_listed, own_id=own_id, own_uin=own_uin)
        return cls(known, roster=PackedRoster(listing, read, is_chatroom))

    @classmethod
    def packed(cls, known: Iterable[Contact]) -> Contacts:
        """Return contacts with different ids in packed form."""
        listing = Listing(Listed(each.id, _encode(each)) for each in known)
        kept = cls(roster=PackedRoster(listing, _decode, is_chatroom))
        kept.pack()
        return kept

    @property
    def version(self) -> int:
        """Number of changes so far: what was made of the contacts holds until the next one."""
        return self._version

    def copy(self) -> Contacts:
        """Return a copy that later changes do not affect."""
        copied = Contacts(roster=self._roster)
        copied._changed = dict(self._changed)
        return copied

    def pack(self) -> None:
        """Compress packed contacts that are not compressed yet; it may run in any thread."""
        self._roster.pack()

    def rest_on(self, roster: Roster) -> None:
        """Keep changed contacts, and take all others from this roster from now on."""
        self._roster = roster
        self._version += 1  # it may have contacts that another process has stored
        self._known = set()

    def unstored(self) -> list[Contact]:
        """Return the contacts whose present state the journal may not have."""
        if not self._roster.is_kept:
            return list(self)
        return [contact for contact in dict(self._changed).values() if contact is not None]

    def updated(self, earlier: Iterable[Contact]) -> list[Contact]:
        """Return the contacts of an earlier iteration over this object as they are now, and those added since."""
        changed = dict(self._changed)
        known = [changed.pop(contact.id, contact) for contact in earlier]
        return [contact for contact in (*known, *changed.values()) if contact is not None]

    def __iter__(self) -> Iterator[Contact]:
        # One thread changes contacts while others read them: what is gone through is a copy.
        changed = dict(self._changed)
        first = self.get(FILEHELPER) or _FILEHELPER
        yield first
        for contact in self._roster:
            now = changed.pop(contact.id, contact)
            if now is not None and now.id != FILEHELPER:
                yield now
        yield from (contact for contact in changed.values() if contact is not None and contact.id != FILEHELPER)

    def __contains__(self, contact_id: object) -> bool:
        return isinstance(contact_id, str) and self.has(contact_id)

    def has(self, contact_id: str) -> bool:
        """Return whether a contact has this id. Called for each send; `in` would take two lookups."""
        if contact_id in self._changed:
            return self._changed[contact_id] is not None
        return contact_id == FILEHELPER or self._roster.ids.first(contact_id) >= 0

    def __len__(self) -> int:
        changed, ids = dict(self._changed), self._roster.ids
        new = sum(contact is not None and each not in ids for each, contact in changed.items())
        gone = sum(contact is None and each in ids for each, contact in changed.items())
        is_implied = FILEHELPER not in ids and FILEHELPER not in changed
        return len(self._roster) + new - gone + is_implied

    def __repr__(self) -> str:
        return f"Contacts({len(self)})"

    def merge(self, newer: Contact) -> Contact:
        """
        Merge the server's data of a contact, and return the result.

        Empty names and lists never erase known values, because changes have fewer fields than first snapshots.
        """
        known = self.get(newer.id)
        return self.put(newer if known is None else merged(known, newer))

    def put(self, contact: Contact) -> Contact:
        """Store a contact exactly as given, including empty fields, and return it."""
        self._set(contact.id, contact)
        return contact

    def change(self, contact_id: str, **changes: object) -> Contact:
        """
        Change fields of a known contact, also to empty values, and return the result.

        Raises:
            KeyError: No contact has this id.
        """
        known = self.get(contact_id)
        if known is None:
            raise KeyError(contact_id)
        return self.put(msgspec.structs.replace(known, **changes))

    def remove(self, contact_id: str) -> None:
        """Remove a contact; an unknown id is not an error."""
        if contact_id != FILEHELPER and contact_id in self:
            self._set(contact_id, None)

    def _set(self, contact_id: str, contact: Contact | None) -> None:
        self._changed[contact_id] = contact
        self._members.pop(contact_id, None)
        self._version += 1
        self._known = set()  # at last: what is found out meanwhile, in another thread, goes into the one before
        self.is_changed = True

    def get(self, contact_id: str) -> Contact | None:
        """Return the contact with this id."""
        changed = self._changed.get(contact_id, _AS_LISTED)
        if changed is _AS_LISTED:
            return self._roster.get(contact_id) or (_FILEHELPER if contact_id == FILEHELPER else None)
        return changed

    def has_member(self, chatroom: str, member: str) -> bool:
        """Return whether a contact is known to be in a chatroom; the member list is cached."""
        members = self._members.get(chatroom)
        if members is None:
            known = self.get(chatroom)
            members = self._members[chatroom] = Places.of(each.id for each in (known.members if known else ()))
        return member in members

    def knows(self, chat: str, author: str | None) -> bool:
        """
        Return whether a chat and its author are known, the author as a contact or as a member of the chatroom.

        It is called for each message, so members that were found once are usually not searched again until a change.
        """
        if author is None or author == chat:
            return self.has(chat)
        known, asked = self._known, hash((chat, author))
        if asked in known:
            return True
        is_known = self.has(chat) and (self.has(author) or self.has_member(chat, author))
        if is_known and len(known) < _KNOWN:
            known.add(asked)
        return is_known

    def name_of(self, member: Member) -> str:
        """Return the name to show for a member of a chatroom; the account's own remark comes first."""
        known = self.get(member.id)
        return (known.remark if known else "") or member.name

    def search(self, text: str) -> list[Contact]:
        """List the contacts whose remark, nickname or WeChat id contains a text, ignoring case."""
        wanted = text.casefold()
        return [
            contact
            for contact in self
            if any(wanted in name.casefold() for name in (contact.remark, contact.nickname, contact.alias))
        ]

    def find(self, *, nickname: str | None = None, remark: str | None = None) -> Contact:
        """
        Return the one contact with this nickname, this remark, or both.

        Raises:
            UnknownContact: No contact matches, or several do.
        """
        names = [name for name in (remark, nickname) if name]
        found = [
            contact
            for contact in (self._named(names[0]) if names else ())
            if (remark is None or contact.remark == remark) and (nickname is None or contact.nickname == nickname)
        ]
        return self._only(found, " and ".join(names))

    def resolve(self, to: Contact | str) -> Contact:
        """
        Return the contact that a contact, an id, a remark or a nickname stands for; a remark precedes a nickname.

        Raises:
            UnknownContact: No contact matches, or several do.
            StaleContact: The text is an id, but not one of this login.
        """
        name = to.id if isinstance(to, Contact) else to
        known = self.get(name)
        if known is not None:
            return known
        return self._only([] if isinstance(to, Contact) else self.called(name), name)

    def called(self, name: str) -> list[Contact]:
        """List the contacts with this remark, else those with this nickname; an id is not a name."""
        found = [] if is_id(name) else self._named(name)
        by_remark = [contact for contact in found if contact.remark == name]
        return by_remark or found

    def _named(self, name: str) -> list[Contact]:
        # An index is of one state, and what it is made of is a copy: see `__iter__`.
        version, index = self._by_name
        if version != self._version:
            version, index = self._version, {}
            for contact in filter(None, dict(self._changed).values()):
                for each in {contact.nickname, contact.remark} - {""}:
                    index.setdefault(each, []).append(contact)
            self._by_name = version, index
        listed = [_FILEHELPER] if name == _FILEHELPER.nickname and FILEHELPER not in self._roster.ids else []
        listed += self._roster.named(name)
        return [contact for contact in listed if contact.id not in self._changed] + index.get(name, [])

    @staticmethod
    def _only(found: list[Contact], name: str) -> Contact:
        match found:
            case [contact]:
                return contact
            case [] if name.startswith("@"):
                raise StaleContact(
                    f"No contact has the id {name!r} (ids change at every login); list the contacts to find it."
                )
            case []:
                raise UnknownContact(
                    f"No contact is named {name!r} (the whole name must match); list the contacts to find it."
                )
            case _:
                ids = ", ".join(repr(contact.id) for contact in found)
                raise UnknownContact(f"{len(found)} contacts are called {name!r}; use one of the ids: {ids}.")
