"""
People, chatrooms, messages, and what phones show of them.

Every person and chatroom has a world id: short, readable, and the same in every login. The `@…` names of the protocol
belong to a session and are created there.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from webwx.protocol.messages import WireMessage
from webwx.sandbox.media import MediaFile
from webwx.sandbox.pictures import avatar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ME = "me"
"""World id of the first account, whatever its name."""

FILEHELPER = "filehelper"
"""World id and wire name of the chat that every account has."""

TEAM = "weixin"
"""World id and wire name of the platform's own account, which does not accept messages."""

PUBLIC, VERIFIED = 8, 24
"""`VerifyFlag` of a public account, and of a verified one."""

BUILTIN = {FILEHELPER: "文件传输助手", TEAM: "微信团队"}
"""Accounts that exist in every login, with their nicknames."""

MessageKind = Literal[
    "text", "image", "voice", "video", "sticker", "file", "location", "live_location", "card", "friend_request", "link",
    "music", "mini_program", "quote", "history", "group_note", "transfer", "red_packet", "call", "system", "raw",
]  # fmt: skip

KINDS: tuple[MessageKind, ...] = get_args(MessageKind)


class MessageContent(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a message, the same for all receivers."""

    kind: MessageKind
    text: str = ""
    """Text that phones show for it."""
    media_file: MediaFile | None = None
    about: str = ""
    """World id of the person on a card or of a friend request."""
    leads_to: str = ""
    """World id of the chatroom of an invitation."""
    wire: WireMessage = WireMessage(msg_id="")
    """Fields of the content on the wire, without names and ids, not escaped."""

    def __repr__(self) -> str:
        return f"MessageContent({self.kind})"


@dataclass(eq=False, kw_only=True)
class WorldMessage:
    """A message, stored once for all who receive it."""

    id: str
    """Decimal, 19 digits; `MsgId` for sender and receivers."""
    content: MessageContent
    sender: WorldPerson
    to: str
    """World id of the chat, as seen by the sender."""
    time: float
    is_recalled: bool = False

    @property
    def kind(self) -> MessageKind:
        """Kind of its content."""
        return self.content.kind

    @property
    def text(self) -> str:
        """Text that phones show for it."""
        return self.content.text

    @property
    def media_file(self) -> MediaFile | None:
        """Picture, video, voice, sticker or file of the message."""
        return self.content.media_file

    def chat_of(self, viewer: WorldPerson) -> str:
        """Return the world id of the chat in which a person sees it."""
        return self.sender.id if self.to == viewer.id else self.to


@dataclass(eq=False, kw_only=True)
class WorldChat:
    """A conversation on one person's phone."""

    unread: int = 0
    messages: list[WorldMessage] = field(default_factory=list)
    """Messages on the phone, oldest first."""
    deleted: set[str] = field(default_factory=set)
    """Ids of the messages that were deleted on the phone; web logins still have them."""


@dataclass(eq=False, kw_only=True)
class WorldPerson:
    """A person with an account and a phone."""

    id: str
    nickname: str
    uin: int
    verify_flag: int = 0
    """`VerifyFlag`: `PUBLIC`, `VERIFIED`, or 0 for a person."""
    alias: str = ""
    """The WeChat id that this person has chosen. Pages show it to friends; the platform no longer does."""
    signature: str = ""
    sex: int = 0
    """1 male, 2 female, 0 unknown."""
    province: str = ""
    city: str = ""
    pictures: int = 1
    """Number of pictures that this person has had; the last one is shown."""
    portrait: bytes = b""
    """First picture, if it is a file; empty: the picture is drawn."""
    friends: dict[str, str] = field(default_factory=dict)
    """World ids of this person's friends, each with its remark here. Friendship may be one-sided."""
    blocked: set[str] = field(default_factory=set)
    """World ids of the people on this person's blacklist; friends stay friends."""
    is_offline: bool = False
    """Whether the phone has no network: neither the phone nor its web login can send."""
    pinned: set[str] = field(default_factory=set)
    """World ids of the pinned chats."""
    asked_by: dict[str, str] = field(default_factory=dict)
    """World ids of the people whose friend requests are open, each with the ticket that accepts it."""
    chats: dict[str, WorldChat] = field(default_factory=dict)
    """Chats by world id, least recently used first."""
    rooms: dict[str, WorldChatroom] = field(default_factory=dict)
    """Chatrooms of this person by world id; `WorldChatroom` updates it."""
    saved: set[str] = field(default_factory=set)
    """World ids of the chatrooms that are saved to the contacts."""
    published: WorldMessage | None = None
    """Latest message with articles of a public account."""

    @property
    def real_id(self) -> str:
        """The platform's real id, as used in notices."""
        return f"gh_{self.id}" if self.is_public else f"wxid_{self.id}"

    @property
    def is_public(self) -> bool:
        """Whether this is a public account, which has followers and cannot log in."""
        return self.verify_flag != 0

    @property
    def picture(self) -> str:
        """Seed from which the picture is drawn."""
        return self.id if self.pictures == 1 else f"{self.id}/{self.pictures}"

    @property
    def picture_bytes(self) -> bytes:
        """JPEG, PNG or GIF bytes of the person's picture."""
        return (self.portrait if self.pictures == 1 else b"") or avatar(self.picture)

    @property
    def attr_status(self) -> int:
        """`AttrStatus`: differs between people and never changes. It exceeds 31 bits, as on the platform."""
        return 0 if self.is_public else zlib.crc32(self.id.encode())

    @property
    def sns_flag(self) -> int:
        """`SnsFlag`: what they show of their moments, one of the usual values."""
        return 0 if self.is_public else (1, 17, 49)[zlib.crc32(self.id.encode()) % 3]

    def mark_read(self, key: str, message_id: str = "") -> None:
        """Mark a chat as read, up to a message or completely, without a notification."""
        if key in self.chats:
            chat = self.chats[key]
            chat.unread = min(chat.unread, self._count_after(chat, message_id))

    def _count_after(self, chat: WorldChat, message_id: str) -> int:
        """Return the number of messages of others after a message; 0 for an empty or unknown id."""
        later = list(takewhile(lambda message: message.id != message_id, reversed(chat.messages)))
        is_known = message_id != "" and len(later) < len(chat.messages)
        return sum(map(self._can_be_unread, later)) if is_known else 0

    def has_blocked(self, other: WorldPerson) -> bool:
        """Return whether another person is on this person's blacklist."""
        return other.id in self.blocked

    def sees(self, message: WorldMessage) -> bool:
        """Return whether a message has reached this person, deleted or not."""
        chat = self.chats.get(message.chat_of(self))
        return chat is not None and (message in chat.messages or message.id in chat.deleted)

    def delete(self, key: str, message_ids: Collection[str]) -> None:
        """Delete messages of a chat on this phone, or all of them if no id is given; unknown ids are ignored."""
        chat = self.chats.get(key, WorldChat())
        gone = {each.id for each in chat.messages if not message_ids or each.id in message_ids}
        unread = self._unread_of(chat)
        chat.unread -= sum(message.id in gone for message in unread)
        chat.messages = [each for each in chat.messages if each.id not in gone]
        chat.deleted |= gone

    def _unread_of(self, chat: WorldChat) -> list[WorldMessage]:
        """Return the unread messages of a chat: the last ones of others."""
        others = (each for each in reversed(chat.messages) if self._can_be_unread(each))
        return list(islice(others, chat.unread))

    def _can_be_unread(self, message: WorldMessage) -> bool:
        return message.sender is not self and message.kind != "system"

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

    Membership is stored twice, here and with each member, because both are read for every message.
    """

    def __init__(self, *, id: str, name: str, members: Iterable[WorldPerson] = ()) -> None:  # noqa: A002 - as a person has it
        self.id = id
        self.name = name
        self.names: dict[str, str] = {}
        """Names of the members in this chatroom, by world id."""
        self._members: dict[str, WorldPerson] = {}
        self.add(members)

    @property
    def members(self) -> tuple[WorldPerson, ...]:
        """All members, the owner first."""
        return tuple(self._members.values())

    @property
    def owner(self) -> WorldPerson | None:
        """The member who joined first; None if all have left."""
        return next(iter(self._members.values()), None)

    def has(self, person: WorldPerson) -> bool:
        """Return whether a person is a member."""
        return person.id in self._members

    def add(self, people: Iterable[WorldPerson]) -> None:
        """Add people as the last members."""
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
        """Name on phones: that of the chatroom or, for a chatroom without a name, the names of its members."""
        return self.name or "、".join(member.nickname for member in self.members)

    @property
    def real_id(self) -> str:
        """The platform's real id, as used in notices."""
        return f"{self.id}@chatroom"
