"""
People, chatrooms, messages and what phones show of them.

Every person and chatroom has a world id: short, readable, the same in every login. The `@…` names of the protocol
belong to a session and are created there.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from webwx.protocol.messages import WireMessage
from webwx.sandbox.media import MediaFile
from webwx.sandbox.pictures import avatar

if TYPE_CHECKING:
    from collections.abc import Iterable

ME = "me"
"""The first account, for any name."""

FILEHELPER = "filehelper"
"""World id and wire name of the one chat that every account has."""

TEAM = "weixin"
"""World id and wire name of the platform's own account, which cannot be written to."""

BUILTIN = {FILEHELPER: "文件传输助手", TEAM: "微信团队"}
"""Accounts that exist in every login, with their nicknames."""

MessageKind = Literal[
    "text", "image", "voice", "video", "sticker", "file", "location", "live_location", "card", "friend_request", "link",
    "music", "mini_program", "quote", "history", "transfer", "red_packet", "call", "system", "raw",
]  # fmt: skip

KINDS: tuple[MessageKind, ...] = get_args(MessageKind)


class MessageContent(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a message, the same for all receivers."""

    kind: MessageKind
    text: str = ""
    """What phones show of it."""
    medium: MediaFile | None = None
    about: str = ""
    """World id of the person on a card or behind a request."""
    leads_to: str = ""
    """World id of the chatroom of an invitation."""
    wire: WireMessage = WireMessage(msg_id="")
    """Its fields as they are delivered, but for names, ids, and escaping."""

    def __repr__(self) -> str:
        return f"MessageContent({self.kind})"


@dataclass(eq=False, kw_only=True)
class WorldMessage:
    """A message, once for all who see it."""

    id: str
    """Decimal, 19 digits: `MsgId` on every side."""
    content: MessageContent
    sender: WorldPerson
    to: str
    """World id of the chat as the sender sees it."""
    time: float
    is_recalled: bool = False

    @property
    def kind(self) -> MessageKind:
        """What it is."""
        return self.content.kind

    @property
    def text(self) -> str:
        """What phones show of it."""
        return self.content.text

    @property
    def medium(self) -> MediaFile | None:
        """Its picture, video, voice, sticker or file."""
        return self.content.medium

    def chat_of(self, viewer: WorldPerson) -> str:
        """Return the world id of the chat in which a person sees this."""
        return self.sender.id if self.to == viewer.id else self.to


@dataclass(eq=False, kw_only=True)
class WorldChat:
    """A conversation on one person's phone."""

    unread: int = 0
    messages: list[WorldMessage] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class WorldPerson:
    """A person with an account and a phone."""

    id: str
    nickname: str
    uin: int
    verify_flag: int = 0
    """Of a public account: 8, or 24 for a verified one; 0 for a person."""
    alias: str = ""
    """The WeChat id that this person has chosen; pages show it to friends, though the platform has not for years."""
    signature: str = ""
    sex: int = 0
    """1 male, 2 female, 0 unknown."""
    province: str = ""
    city: str = ""
    pictures: int = 1
    """How many pictures this person has had; the last one is shown."""
    portrait: bytes = b""
    """A picture of their own, for as long as it is their first; empty: it is drawn."""
    friends: dict[str, str] = field(default_factory=dict)
    """World ids of this person's friends, each with the remark it has here. The other side may see it otherwise."""
    blocked: set[str] = field(default_factory=set)
    """World ids of those on this person's blacklist; friends stay friends."""
    is_offline: bool = False
    """The phone has no network: nothing is sent, by it or by its web login."""
    pinned: set[str] = field(default_factory=set)
    """World ids of the chats on top of the list."""
    asked_by: dict[str, str] = field(default_factory=dict)
    """World ids of those who want to become friends, each with the ticket that accepts."""
    chats: dict[str, WorldChat] = field(default_factory=dict)
    """By world id, least recently used first."""
    rooms: dict[str, WorldChatroom] = field(default_factory=dict)
    """The chatrooms this person is in, by world id; they themselves write this."""
    saved: set[str] = field(default_factory=set)
    """World ids of the chatrooms that are saved to the address book."""

    @property
    def real_id(self) -> str:
        """The id the phone knows, as it stands inside notices."""
        return f"gh_{self.id}" if self.is_public else f"wxid_{self.id}"

    @property
    def is_public(self) -> bool:
        """Whether this is a public account, which has followers and no phone to log in with."""
        return self.verify_flag != 0

    @property
    def picture(self) -> str:
        """What the picture is drawn from."""
        return self.id if self.pictures == 1 else f"{self.id}/{self.pictures}"

    @property
    def face(self) -> bytes:
        """Their picture itself."""
        return (self.portrait if self.pictures == 1 else b"") or avatar(self.picture)

    @property
    def attr_status(self) -> int:
        """Bits of the profile: they differ between people and stay with them. Beyond 31 bits, as the platform's are."""
        return 0 if self.is_public else zlib.crc32(self.id.encode())

    @property
    def sns_flag(self) -> int:
        """Bits for what they show of their moments: one of the usual values."""
        return 0 if self.is_public else (1, 17, 49)[zlib.crc32(self.id.encode()) % 3]

    def mark_read(self, key: str) -> None:
        """Clear a chat's unread count, without a notification."""
        if key in self.chats:
            self.chats[key].unread = 0

    def has_blocked(self, other: WorldPerson) -> bool:
        """Return whether another person is on this person's blacklist."""
        return other.id in self.blocked

    def sees(self, message: WorldMessage) -> bool:
        """Return whether a message is in one of this person's chats."""
        chat = self.chats.get(message.chat_of(self))
        return chat is not None and message in chat.messages

    def receive(self, message: WorldMessage, *, is_unread: bool) -> None:
        """Show a message on the phone and move its chat to the top."""
        key = message.chat_of(self)
        chat = self.chats.pop(key, None) or WorldChat()
        chat.messages.append(message)
        chat.unread += is_unread
        self.chats[key] = chat


class WorldChatroom:
    """
    A group chat.

    Who is in it stands in two places, here and with each member, for both are asked for with every message.
    """

    def __init__(self, *, id: str, name: str, members: Iterable[WorldPerson] = ()) -> None:  # noqa: A002 - as a person has it
        self.id = id
        self.name = name
        self.names: dict[str, str] = {}
        """What members call themselves here, by world id."""
        self._members: dict[str, WorldPerson] = {}
        self.add(members)

    @property
    def members(self) -> tuple[WorldPerson, ...]:
        """All members, the owner first."""
        return tuple(self._members.values())

    @property
    def owner(self) -> WorldPerson | None:
        """Who has been in it for longest; None when all have gone."""
        return next(iter(self._members.values()), None)

    def has(self, person: WorldPerson) -> bool:
        """Return whether a person is a member."""
        return person.id in self._members

    def add(self, people: Iterable[WorldPerson]) -> None:
        """Add people at the end."""
        for person in people:
            self._members[person.id] = person
            person.rooms[self.id] = self

    def remove(self, person: WorldPerson) -> None:
        """Remove a person."""
        del self._members[person.id]
        del person.rooms[self.id]
        person.saved.discard(self.id)

    @property
    def title(self) -> str:
        """Name on phones: the chatroom's, or its members' if it has none."""
        return self.name or "、".join(member.nickname for member in self.members)

    @property
    def real_id(self) -> str:
        """The id the phone knows, as it stands inside notices."""
        return f"{self.id}@chatroom"
