"""
People and chatrooms of one login.

Ids are new at every login, so nothing here may be kept as an identity; names are what a person knows, and two people
may share one.
"""

from __future__ import annotations

import re
from array import array
from functools import partial, reduce
from typing import TYPE_CHECKING, Literal, NewType

import msgspec

from webwx.errors import ProtocolError, StaleContact, UnknownContact
from webwx.model.roster import Listed, PackedRoster, Places
from webwx.model.text import plain_text
from webwx.protocol.codec import Wire, read_json
from webwx.protocol.contacts import WireContact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from webwx.model.roster import Roster

ContactId = NewType("ContactId", str)

FILEHELPER = ContactId("filehelper")

FILEHELPER_NAME = "文件传输助手"
"""Nickname of File Transfer Helper."""
"""The account's own chat with its phone, on every host."""

BUILT_IN = frozenset((
    "weibo", "qqmail", "fmessage", "tmessage", "qmessage", "qqsync", "floatbottle", "lbsapp", "shakeapp", "medianote",
    "qqfriend", "readerapp", "blogapp", "facebookapp", "masssendapp", "meishiapp", "feedsapp", "voip", "blogappweixin",
    "weixin", "brandsessionholder", "weixinreminder", "officialaccounts", "notification_messages", "wxitil",
    "userexperience_alarm", "newsapp", "filehelper",
))  # fmt: skip
"""Accounts of the platform itself, which keep plain names."""

Kind = Literal["friend", "chatroom", "official", "builtin", "self", "stranger"]

_IS_CONTACT = 1
_IS_PINNED = 2048
_IS_OFFICIAL = 8

_SHOWN_MEMBERS = 10
"""Members whose names stand for a chatroom without one."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a chatroom."""

    id: ContactId
    nickname: str = ""
    display_name: str = ""
    """Their name in this chatroom, when they have one."""

    @property
    def name(self) -> str:
        """The name to show in this chatroom; for a friend with a remark `Contacts.name_of` knows a better one."""
        return self.display_name or self.nickname or self.id


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A person, an official account or a chatroom."""

    id: ContactId
    """Valid in this login only."""
    nickname: str = ""
    """Their own name, or the chatroom's."""
    remark: str = ""
    """The name you gave them."""
    alias: str = ""
    """Their WeChat id, mostly hidden."""
    kind: Kind = "friend"
    members: tuple[Member, ...] = ()
    """Of a chatroom, once they are known."""
    is_pinned: bool = False
    """The chat stays on top of the list."""
    is_owner: bool = False
    """A chatroom of one's own."""
    avatar_key: str = ""
    """Of a chatroom: what the server wants to hear before it shows the pictures of members who are no friends."""
    uin: int = 0
    """The number at the platform, which is mostly 0 for anybody but oneself."""
    pinyin: str = ""
    """The nickname as it is sorted, in small letters."""
    remark_pinyin: str = ""
    """The same of the remark."""
    avatar: int = 0
    """Which picture it is: another number, another picture. 0: the server does not say."""
    signature: str = ""
    """What they say of themselves."""
    region: str = ""
    """Province and city."""
    sex: int = 0
    """1 male, 2 female, 0 unknown."""
    attr_status: int = 0
    """Properties of the profile, in bits that nobody has explained."""
    is_incomplete: bool = False
    """The server listed fewer members than the chatroom has; those who were known before are still among them."""

    @property
    def display_name(self) -> str:
        """The name to show: the remark, else the nickname, else the first members' names, else the id."""
        members = ", ".join(member.name for member in self.members[:_SHOWN_MEMBERS])
        return self.remark or self.nickname or members or self.id


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """What came back for the ids that were asked for."""

    found: tuple[Contact, ...]
    missing: tuple[ContactId, ...]
    """Ids that the server left out twice: it does not know them, or not in this login."""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """Who came into a chatroom, and who did not."""

    chatroom: Contact
    """With its members of now."""
    added: tuple[ContactId, ...] = ()
    """In the chatroom now."""
    invited: tuple[ContactId, ...] = ()
    """Got an invitation, and come in when they accept it."""
    refused: tuple[ContactId, ...] = ()
    """Could not be added: no friend, blocked, or they want to be asked first."""


def contact_from_wire(wire: WireContact, own_id: str) -> Contact:
    """Build a contact from what the server sent."""
    return Contact(
        id=ContactId(wire.user_name),
        nickname=plain_text(wire.nick_name),
        remark=plain_text(wire.remark_name),
        alias=wire.alias,
        kind=_kind(wire, own_id),
        members=tuple(
            Member(
                id=ContactId(member.user_name),
                nickname=plain_text(member.nick_name),
                display_name=plain_text(member.display_name),
            )
            for member in wire.member_list
        ),
        is_incomplete=len(wire.member_list) < wire.member_count,
        is_pinned=bool(wire.contact_flag & _IS_PINNED),
        is_owner=bool(wire.is_owner),
        avatar_key=wire.encry_chat_room_id if is_chatroom(wire.user_name) else "",
        uin=wire.uin,
        pinyin=wire.py_quan_pin,
        remark_pinyin=wire.remark_py_quan_pin,
        avatar=_avatar(wire.head_img_url),
        signature=plain_text(wire.signature),
        region=f"{wire.province} {wire.city}".strip(),
        sex=wire.sex,
        attr_status=wire.attr_status,
    )


_VERSION = re.compile(r"[?&]seq=(\d{1,18})(?!\d)")


def _avatar(url: str) -> int:
    """Read which picture an address shows."""
    found = _VERSION.search(url)
    return int(found[1]) if found else 0


def _kind(wire: WireContact, own_id: str) -> Kind:
    if wire.user_name == own_id:
        return "self"
    if is_chatroom(wire.user_name):
        return "chatroom"
    if wire.user_name in BUILT_IN:
        return "builtin"
    if wire.verify_flag & _IS_OFFICIAL:
        return "official"
    return "friend" if wire.contact_flag & _IS_CONTACT else "stranger"


def is_chatroom(contact_id: str) -> bool:
    """Say whether an id is a chatroom's."""
    return contact_id[:2] == "@@" or contact_id[-9:] == "@chatroom"  # asked of each message: half the time of methods


_ID = re.compile(r"@@?[0-9a-f]{16,}")


def is_id(text: str) -> bool:
    """Say whether a text can be nothing but an id: somebody who calls himself so must not be taken for its owner."""
    return text in BUILT_IN or _ID.fullmatch(text) is not None


class _Head(Wire, frozen=True, kw_only=True):
    """The part of a contact that tells it from others."""

    user_name: str


class _Members(Wire, frozen=True, kw_only=True):
    """The part of a contact that says how many members it has."""

    member_count: int = 0
    member_list: list[msgspec.Raw] = msgspec.field(default_factory=list)


def names_all_members(raw: bytes | msgspec.Raw) -> bool:
    """Say whether a chatroom was delivered with all its members."""
    read = read_json(raw, _Members)
    return 0 < len(read.member_list) >= read.member_count


def take_listed(items: Iterable[msgspec.Raw]) -> Iterator[Listed]:
    """Take in contacts, to be read when somebody looks at them: one without an id is left out and costs no other."""
    for raw in items:
        try:
            yield Listed(ContactId(read_json(raw, _Head).user_name), raw)
        except ProtocolError:
            continue


class Listing:
    """
    Contacts as they were delivered, by place: what came of each, and the hash of its id.

    What else they are made of is let go page by page: thousands of small objects leave holes in the memory of a
    process, which keeps them.
    """

    def __init__(self, listed: Iterable[Listed] = ()) -> None:
        self.hashes: array[int] = array("q")
        self.raws: list[bytes | msgspec.Raw] = []
        self.chatrooms: list[ContactId] = []
        """The ids of those who are one."""
        self.lack: str = ""
        """What shows that somebody is missing; empty when nothing does."""
        self.is_complete: bool = True
        """Whoever is not in it is no contact. False as well where an entry has no id that can be read."""
        self.add(listed)

    def add(self, listed: Iterable[Listed]) -> int:
        """Take in further ones, and return how many they were."""
        before = len(self.raws)
        for contact_id, raw in listed:
            self.hashes.append(hash(contact_id))
            self.raws.append(raw)
            if is_chatroom(contact_id):
                self.chatrooms.append(contact_id)
        return len(self.raws) - before


def read_listed(raws: Iterable[bytes | msgspec.Raw], own_id: str) -> Contact | None:
    """Read all that was said of somebody, the oldest first; None when nothing of it can be read."""
    said = []
    for raw in raws:
        try:
            said.append(contact_from_wire(read_json(raw, WireContact), own_id))
        except ProtocolError:
            continue
    return reduce(merged, said) if said else None


def merged(known: Contact, newer: Contact) -> Contact:
    """
    Give what is known of somebody, once the server has said something newer.

    Empty names and lists never erase what is known: changes carry fewer fields than first snapshots. An incomplete list
    of members takes none away.
    """
    # Changes come without pinyin, and that of an earlier name would be wrong.
    pinyin = known.pinyin if newer.nickname in {"", known.nickname} else ""
    remark_pinyin = known.remark_pinyin if newer.remark in {"", known.remark} else ""
    members = _merged_members(known.members, newer.members)
    if newer.is_incomplete:
        members = tuple({each.id: each for each in (*known.members, *members)}.values())
    return msgspec.structs.replace(
        newer,
        nickname=newer.nickname or known.nickname,
        remark=newer.remark or known.remark,
        alias=newer.alias or known.alias,
        members=members,
        is_incomplete=newer.is_incomplete if newer.is_incomplete or newer.members else known.is_incomplete,
        kind=known.kind if newer.kind == "stranger" else newer.kind,
        is_pinned=known.is_pinned if newer.kind == "stranger" else newer.is_pinned,
        is_owner=newer.is_owner or known.is_owner,
        avatar_key=newer.avatar_key or known.avatar_key,
        uin=newer.uin or known.uin,
        pinyin=newer.pinyin or pinyin,
        remark_pinyin=newer.remark_pinyin or remark_pinyin,
        avatar=newer.avatar or known.avatar,
        signature=newer.signature or known.signature,
        region=newer.region or known.region,
        sex=newer.sex or known.sex,
        attr_status=newer.attr_status or known.attr_status,
    )


def _merged_members(known: tuple[Member, ...], newer: tuple[Member, ...]) -> tuple[Member, ...]:
    """Return who is in a chatroom now; the first snapshot of one that is not saved has ids and no names."""
    if not newer or all(member.nickname for member in newer):
        return newer or known
    named = {member.id: member for member in known}
    return tuple(member if member.nickname else named.get(member.id, member) for member in newer)


_encode = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(Contact).decode


def _decode(raws: Sequence[bytes]) -> Contact:
    """Read a contact that we have written."""
    return _read(raws[-1])


_FILEHELPER = Contact(id=FILEHELPER, nickname=FILEHELPER_NAME, kind="builtin")

_KNOWN = 10_000
"""Members of chatrooms that are known at once to be known; a number is kept of each."""

_AS_LISTED = Contact(id=ContactId(""))
"""In place of somebody who has not changed."""

_NOBODY = PackedRoster(Listing(), lambda _: None, is_chatroom)


class Contacts:
    """
    Everybody known in this login, found by id at once and by name through an index.

    `filehelper` is always there. Thousands weigh little: whoever has not changed since they were listed is kept packed,
    and read when somebody looks.

    Args:
        known: Who is known.
        roster: Whom they are beside.
    """

    def __init__(self, known: Iterable[Contact] = (), *, roster: Roster = _NOBODY) -> None:
        self._roster = roster
        self._changed: dict[str, Contact | None] = {}
        """Who is not, or not as, in the roster; None: gone."""
        self._by_name: tuple[int, dict[str, list[Contact]]] = (-1, {})
        """An index of these, and which `_version` it is of."""
        self._version = 0
        self._known: set[int] = set()
        """Hashes of what `knows` has said yes to, since somebody has changed."""
        self._members: dict[str, Places] = {}
        """Who is in a chatroom, of those that somebody has asked about."""
        for contact in known:
            self.merge(contact)
        self.is_changed: bool = False
        """Something has changed since this was made or saved."""

    @classmethod
    def listed(cls, listing: Listing, own_id: str, known: Iterable[Contact] = ()) -> Contacts:
        """Begin with what the server has listed, and with further people."""
        return cls(known, roster=PackedRoster(listing, partial(read_listed, own_id=own_id), is_chatroom))

    @classmethod
    def packed(cls, known: Iterable[Contact]) -> Contacts:
        """Begin with any number of people, no two with one id."""
        if isinstance(known, cls):
            return known.copy()
        listing = Listing(Listed(each.id, _encode(each)) for each in known)
        kept = cls(roster=PackedRoster(listing, _decode, is_chatroom))
        kept.pack()
        return kept

    def copy(self) -> Contacts:
        """Give the same once more, so that changes of one are none of the other."""
        copied = Contacts(roster=self._roster)
        copied._changed = dict(self._changed)
        return copied

    def pack(self) -> None:
        """Compress what is not compressed yet, in any thread."""
        self._roster.pack()

    def rest_on(self, roster: Roster) -> None:
        """Keep who has changed, and take all others from another roster from now on."""
        self._roster = roster
        self._known = set()

    def unkept(self) -> list[Contact]:
        """Give whoever the journal may not hold as they are now."""
        if not self._roster.is_kept:
            return list(self)
        return [contact for contact in dict(self._changed).values() if contact is not None]

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
        """Say whether somebody has this id; it is asked of each send, and `in` would ask in two steps."""
        if contact_id in self._changed:
            return self._changed[contact_id] is not None
        return contact_id == FILEHELPER or self._roster.ids.first(contact_id) >= 0

    def __len__(self) -> int:
        changed, ids = dict(self._changed), self._roster.ids
        new = sum(contact is not None and each not in ids for each, contact in changed.items())
        gone = sum(contact is None and each in ids for each, contact in changed.items())
        is_unsaid = FILEHELPER not in ids and FILEHELPER not in changed
        return len(self._roster) + new - gone + is_unsaid

    def __repr__(self) -> str:
        return f"Contacts({len(self)})"

    def merge(self, newer: Contact) -> Contact:
        """
        Take in what the server says of somebody, and give the result.

        Empty names and lists never erase what is known: changes carry fewer fields than first snapshots.
        """
        known = self.get(newer.id)
        return self.put(newer if known is None else merged(known, newer))

    def put(self, contact: Contact) -> Contact:
        """Take somebody in exactly as they are, empty names too, and give the same back."""
        self._set(contact.id, contact)
        return contact

    def change(self, contact_id: str, **changes: object) -> Contact:
        """
        Change fields of somebody who is known, to empty ones too, and give the result.

        Raises:
            KeyError: Nobody has this id.
        """
        known = self.get(contact_id)
        if known is None:
            raise KeyError(contact_id)
        return self.put(msgspec.structs.replace(known, **changes))

    def remove(self, contact_id: str) -> None:
        """Forget somebody; an unknown id is no error."""
        if contact_id != FILEHELPER and contact_id in self:
            self._set(contact_id, None)

    def _set(self, contact_id: str, contact: Contact | None) -> None:
        self._changed[contact_id] = contact
        self._members.pop(contact_id, None)
        self._version += 1
        self._known = set()  # at last: what is found out meanwhile, in another thread, goes into the one before
        self.is_changed = True

    def get(self, contact_id: str) -> Contact | None:
        """Look somebody up by id."""
        changed = self._changed.get(contact_id, _AS_LISTED)
        if changed is _AS_LISTED:
            return self._roster.get(contact_id) or (_FILEHELPER if contact_id == FILEHELPER else None)
        return changed

    def has_member(self, chatroom: str, member: str) -> bool:
        """Say whether somebody is known to be in a chatroom; it is not read anew for each question."""
        members = self._members.get(chatroom)
        if members is None:
            known = self.get(chatroom)
            members = self._members[chatroom] = Places.of(each.id for each in (known.members if known else ()))
        return member in members

    def knows(self, chat: str, author: str | None) -> bool:
        """
        Say whether a chat is known, and who has written there: as a contact, or as one of the chatroom's members.

        It is asked of each message, so the members that it has said yes to are mostly not looked up again until
        somebody changes.
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
        """Give the name to show for a member of a chatroom: one's own remark comes first."""
        known = self.get(member.id)
        return (known.remark if known else "") or member.name

    def search(self, text: str) -> list[Contact]:
        """List everybody whose remark, nickname or WeChat id holds a text, whatever its case."""
        wanted = text.casefold()
        return [
            contact
            for contact in self
            if any(wanted in name.casefold() for name in (contact.remark, contact.nickname, contact.alias))
        ]

    def find(self, *, nickname: str | None = None, remark: str | None = None) -> Contact:
        """
        Find the one contact with this nickname, this remark, or both.

        Raises:
            UnknownContact: There is none, or there are several.
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
        Find who is meant by a contact, an id, a remark or a nickname; a remark wins over a nickname.

        Raises:
            UnknownContact: Nobody, or several.
            StaleContact: It is an id, of an earlier login or nobody's.
        """
        name = to.id if isinstance(to, Contact) else to
        known = self.get(name)
        if known is not None:
            return known
        return self._only([] if isinstance(to, Contact) else self.called(name), name)

    def called(self, name: str) -> list[Contact]:
        """List who has this remark, else who has this nickname; an id is no name."""
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
                    f"Nobody here has the id {name!r} (ids are new at every login); "
                    "list the contacts to see who is known."
                )
            case []:
                raise UnknownContact(
                    f"Nobody here is called {name!r} (names are matched whole); list the contacts to see who is known."
                )
            case _:
                ids = ", ".join(contact.id for contact in found)
                raise UnknownContact(f"{len(found)} contacts are called {name!r}; choose one by id: {ids}.")
