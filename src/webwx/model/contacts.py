"""
People and chatrooms of one login, and how they are decoded.

Ids are new at every login, so do not store one as an identity. Users know people by names, and two people may have the
same name.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Literal, NamedTuple, NewType

import msgspec

from webwx.errors import ProtocolError
from webwx.model.shown import Shown, ShownStruct
from webwx.model.text import plain_text
from webwx.protocol.codec import Wire, read_json
from webwx.protocol.contacts import WireContact, WireMember

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


ContactId = NewType("ContactId", str)

FILEHELPER = ContactId("filehelper")
"""Id of the account's chat with its own phone, on every host."""

FILEHELPER_NAME = "文件传输助手"
"""Nickname of that chat."""

BUILT_IN = frozenset((
    "weibo", "qqmail", "fmessage", "tmessage", "qmessage", "qqsync", "floatbottle", "lbsapp", "shakeapp", "medianote",
    "qqfriend", "readerapp", "blogapp", "facebookapp", "masssendapp", "meishiapp", "feedsapp", "voip", "blogappweixin",
    "weixin", "brandsessionholder", "weixinreminder", "officialaccounts", "notification_messages", "wxitil",
    "userexperience_alarm", "newsapp", "filehelper",
))  # fmt: skip
"""Ids of the platform's own accounts, which are the same in every login."""

Kind = Literal["friend", "chatroom", "official", "builtin", "self", "stranger"]

_IS_CONTACT = 1
_IS_BLOCKED = 8
_IS_STARRED = 64
_IS_MUTED = 512
_IS_PINNED = 2048
_IS_OFFICIAL = 8

_SHOWN_MEMBERS = 10
"""Number of members whose names stand for a chatroom without a name."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a chatroom."""

    id: Shown[ContactId]
    nickname: Shown[str] = ""
    display_name: Shown[str] = ""
    """Name of the member in this chatroom; empty if the member has set no name."""

    @property
    def name(self) -> str:
        """The name to show in this chatroom; use `Contacts.name_of` to include the account's remark."""
        return self.display_name or self.nickname or self.id


class Contact(ShownStruct, frozen=True, kw_only=True):
    """A person, an official account or a chatroom."""

    id: Shown[ContactId]
    """Id of the contact, valid in this login only."""
    nickname: Shown[str] = ""
    """Own name of a person, or name of a chatroom."""
    remark: Shown[str] = ""
    """The account's own name for this contact."""
    alias: Shown[str] = ""
    """WeChat id; the platform usually hides it."""
    kind: Shown[Kind] = "friend"
    members: Shown[tuple[Member, ...]] = ()
    """Members of a chatroom, if they are known."""
    is_pinned: Shown[bool] = False
    """Whether the chat is pinned to the top of the list."""
    is_owner: Shown[bool] = False
    """Whether the account owns this chatroom; False also if the server has not named the owner."""
    avatar_key: str = ""
    """For a chatroom: key that the server requires for avatars of members who are not friends."""
    uin: int = 0
    """Number at the platform (uin); usually 0, except for the account itself."""
    pinyin: Shown[str] = ""
    """Pinyin of the nickname, in small letters."""
    remark_pinyin: Shown[str] = ""
    """Pinyin of the remark, in small letters."""
    avatar: Shown[int] = 0
    """Version of the avatar; 0 if the server does not send it."""
    signature: Shown[str] = ""
    """Signature of the profile."""
    region: Shown[str] = ""
    """Province and city."""
    sex: Shown[int] = 0
    """1 male, 2 female, 0 unknown."""
    attr_status: int = 0
    """Undocumented bits about the profile."""
    is_incomplete: Shown[bool] = False
    """Whether the server listed fewer members than the chatroom has. Members that were known before are kept."""
    owner: Shown[ContactId] = ContactId("")
    """Id of a chatroom's owner in this login; empty if it is unknown."""
    is_muted: Shown[bool] = False
    """Whether the phone does not notify about new messages of this contact."""
    is_starred: Shown[bool] = False
    """Whether the contact is one of the starred friends."""
    is_blocked: Shown[bool] = False
    """Whether the account has blocked this contact."""

    @property
    def display_name(self) -> str:
        """The name to show: the remark, else the nickname, else the first members' names, else the id."""
        return (
            self.remark
            or self.nickname
            or ", ".join(member.name for member in self.members[:_SHOWN_MEMBERS])
            or self.id
        )


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a lookup by ids."""

    found: tuple[Contact, ...]
    missing: tuple[ContactId, ...]
    """Ids that the server omitted twice, because it does not know them in this login."""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """Result of adding people to a chatroom."""

    chatroom: Contact
    """The chatroom after the change."""
    added: tuple[ContactId, ...] = ()
    """People who are in the chatroom now."""
    invited: tuple[ContactId, ...] = ()
    """People who received an invitation and join when they accept it."""
    refused: tuple[ContactId, ...] = ()
    """People who could not be added: not a friend, blocked, or a confirmation is required."""


def contact_from_wire(wire: WireContact, own_id: str, own_uin: int = 0) -> Contact:
    """
    Build a contact from its fields on the wire.

    Args:
        wire: The fields.
        own_id: Id of the account in this login.
        own_uin: Number (uin) of the account, by which older servers name the owner of a chatroom; 0 if unknown.
    """
    kind = _kind(wire, own_id)
    owner = _owner(wire, own_id, own_uin) if kind == "chatroom" else ""
    return Contact(
        id=ContactId(wire.user_name),
        nickname=plain_text(wire.nick_name),
        remark=plain_text(wire.remark_name),
        alias=wire.alias,
        kind=kind,
        members=_members(wire.member_list) if wire.member_list else (),
        is_incomplete=len(wire.member_list) < wire.member_count,
        is_pinned=bool(wire.contact_flag & _IS_PINNED),
        is_owner=bool(owner) and owner == own_id,
        avatar_key=wire.encry_chat_room_id if kind == "chatroom" else "",
        uin=wire.uin,
        pinyin=wire.py_quan_pin,
        remark_pinyin=wire.remark_py_quan_pin,
        avatar=_avatar(wire.head_img_url),
        signature=plain_text(wire.signature),
        region=f"{wire.province} {wire.city}".strip(),
        sex=wire.sex,
        attr_status=wire.attr_status,
        owner=ContactId(owner),
        is_muted=_is_muted(wire, kind),
        is_starred=bool(wire.star_friend or wire.contact_flag & _IS_STARRED),
        is_blocked=bool(wire.contact_flag & _IS_BLOCKED),
    )


def _owner(wire: WireContact, own_id: str, own_uin: int) -> str:
    """Return the id of a chatroom's owner; empty if the server does not say it."""
    if wire.chat_room_owner:
        return wire.chat_room_owner
    if wire.is_owner or (wire.owner_uin and wire.owner_uin == own_uin):
        return own_id
    if not wire.owner_uin:
        return ""
    return next((member.user_name for member in wire.member_list if member.uin == wire.owner_uin), "")


def _is_muted(wire: WireContact, kind: Kind) -> bool:
    if kind != "chatroom":
        return bool(wire.contact_flag & _IS_MUTED)
    # The first snapshot has 0 in this field of chatrooms that notify; details and entries of webwxsync state it.
    return wire.statues == 0 and bool(wire.encry_chat_room_id or wire.chat_room_owner)


def _members(listed: Iterable[WireMember]) -> tuple[Member, ...]:
    return tuple(
        Member(
            id=ContactId(member.user_name),
            nickname=plain_text(member.nick_name),
            display_name=plain_text(member.display_name),
        )
        for member in listed
    )


# It begins with a literal, because such a pattern is found in half the time.
_VERSION = re.compile(r"seq=(?<=[?&]seq=)(\d{1,18})(?!\d)")


def _avatar(url: str) -> int:
    """Return the version of the picture at an address."""
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
    """Return whether an id belongs to a chatroom."""
    # Asked of each message: `in` excludes the ids of people in a quarter of the time of a slice.
    return ("@@" in contact_id and contact_id[:2] == "@@") or (
        "@chatroom" in contact_id and contact_id[-9:] == "@chatroom"
    )


_ID = re.compile(r"@@?[0-9a-f]{16,}")


def is_id(text: str) -> bool:
    """Return whether a text can only be an id: a contact with that nickname must not be taken for the id's owner."""
    return text in BUILT_IN or _ID.fullmatch(text) is not None


class _Head(Wire, frozen=True, kw_only=True):
    """Fields that identify a contact."""

    user_name: str


class _Members(Wire, frozen=True, kw_only=True):
    """Fields that state the number of members of a contact."""

    member_count: int = 0
    member_list: list[msgspec.Raw] = msgspec.field(default_factory=list)


def names_all_members(raw: bytes | msgspec.Raw) -> bool:
    """Return whether a chatroom was delivered with its complete member list."""
    read = read_json(raw, _Members)
    return 0 < len(read.member_list) >= read.member_count


def take_listed(items: Iterable[msgspec.Raw]) -> Iterator[Listed]:
    """Return contacts to be decoded on access; an entry without an id is omitted."""
    for raw in items:
        try:
            yield Listed(ContactId(read_json(raw, _Head).user_name), raw)
        except ProtocolError:
            continue


class Listed(NamedTuple):
    """A contact as delivered, of which only the id is decoded."""

    id: ContactId
    raw: bytes | msgspec.Raw


class Listing:
    """
    Contacts as delivered, by position: the pieces of each, and the hash of its id.

    Temporary objects are released page by page: thousands of small objects leave holes in the memory of a process that
    it never returns.
    """

    def __init__(self, listed: Iterable[Listed] = ()) -> None:
        self.hashes: array[int] = array("q")
        self.raws: list[bytes | msgspec.Raw] = []
        self.chatrooms: list[ContactId] = []
        """Ids of the chatrooms."""
        self.lack: str = ""
        """Why contacts seem to be missing; empty if nothing indicates that."""
        self.is_complete: bool = True
        """Whether the list has every contact. False also if an entry has no readable id."""
        self.add(listed)

    def add(self, listed: Iterable[Listed]) -> int:
        """Add contacts, and return how many were added."""
        before = len(self.raws)
        for contact_id, raw in listed:
            self.hashes.append(hash(contact_id))
            self.raws.append(raw)
            if is_chatroom(contact_id):
                self.chatrooms.append(contact_id)
        return len(self.raws) - before


def read_listed(raws: Iterable[bytes | msgspec.Raw], own_id: str, own_uin: int = 0) -> Contact | None:
    """Decode all parts of a contact, oldest first; None if none of them can be decoded. See `contact_from_wire`."""
    known: Contact | None = None
    for raw in raws:
        try:
            read = contact_from_wire(read_json(raw, WireContact), own_id, own_uin)
        except ProtocolError:
            continue
        known = read if known is None else merged(known, read)
    return known


def merged(known: Contact, newer: Contact) -> Contact:
    """
    Return a contact merged with newer data of the server.

    Empty names and lists never erase known values, because changes carry fewer fields than first snapshots. An
    incomplete list of members removes none. Flags become false only by an answer that states them: of a person who is
    a contact, or the details or a change of a chatroom.
    """
    # Changes come without pinyin, and that of an earlier name would be wrong.
    pinyin = known.pinyin if newer.nickname in {"", known.nickname} else ""
    remark_pinyin = known.remark_pinyin if newer.remark in {"", known.remark} else ""
    lacks_flags = newer.kind == "stranger"
    # Details have the key, and changes the owner; the first snapshot has neither, and zeros.
    lacks_owner = not (newer.avatar_key or newer.owner)
    lacks_mute = lacks_owner if newer.kind == "chatroom" else lacks_flags
    was_own = known.is_owner and not lacks_owner
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
        is_pinned=newer.is_pinned or (lacks_flags and known.is_pinned),
        is_owner=newer.is_owner or (lacks_owner and known.is_owner),
        avatar_key=newer.avatar_key or known.avatar_key,
        uin=newer.uin or known.uin,
        pinyin=newer.pinyin or pinyin,
        remark_pinyin=newer.remark_pinyin or remark_pinyin,
        avatar=newer.avatar or known.avatar,
        signature=newer.signature or known.signature,
        region=newer.region or known.region,
        sex=newer.sex or known.sex,
        attr_status=newer.attr_status or known.attr_status,
        owner=newer.owner or (ContactId("") if was_own else known.owner),
        is_muted=newer.is_muted or (lacks_mute and known.is_muted),
        is_starred=newer.is_starred or (lacks_flags and known.is_starred),
        is_blocked=newer.is_blocked or (lacks_flags and known.is_blocked),
    )


def _merged_members(known: tuple[Member, ...], newer: tuple[Member, ...]) -> tuple[Member, ...]:
    """Return the present members of a chatroom. In the first snapshot, an unsaved chatroom has ids and no names."""
    if not newer or all(member.nickname for member in newer):
        return newer or known
    named = {member.id: member for member in known}
    return tuple(member if member.nickname else named.get(member.id, member) for member in newer)
