"""
What one person's phone shows, as values that are sent to the page.

People are referred to by world id, so that a new nickname is sent once and not with every row. Fields with default
values are omitted, because a phone may have ten thousand rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.appmsg import Reference, read_app, read_record
from webwx.protocol.codes import MessageType
from webwx.protocol.content import read_attributes
from webwx.protocol.quotes import read_text_quote
from webwx.sandbox.forwarded import can_forward
from webwx.sandbox.people import BUILTIN, WorldChat, WorldChatroom, WorldMessage, WorldPerson
from webwx.sandbox.pinyin import spell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.sandbox.people import MessageKind
    from webwx.sandbox.world import World

_PREVIEW = 80
"""Maximum length of the last message in the list of chats, in characters."""

_BEFORE_A_HIT = 16
"""Characters of a message that are shown before a search hit."""

_MOST_HITS = 50
"""Maximum number of messages that a search shows, newest first."""

_FEW_MEMBERS = 9

_FROM_APPS = frozenset({"link", "music", "mini_program", "quote", "history", "group_note", "transfer", "red_packet"})
"""Kinds whose content is the XML of an app message."""


class PageValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value sent to the page, without fields at their defaults."""


class PersonProfile(PageValue, frozen=True, kw_only=True):
    """Public profile of a person."""

    id: str
    nickname: str
    initials: str = ""
    """Initials of the nickname in capitals, as in `PYInitial`."""
    public: bool = False
    """Whether it is a public account."""
    picture: str = ""
    """Seed of their picture; it changes with the picture."""
    portrait: bool = False
    """Whether the picture is a file and not drawn."""
    signature: str = ""
    sex: int = 0
    region: str = ""
    offline: bool = False


class FriendRow(PageValue, frozen=True, kw_only=True):
    """A person in the contacts."""

    id: str
    remark: str = ""
    initials: str = ""
    """Initials of the remark, as in `RemarkPYInitial`."""
    blocked: bool = False


class ChatroomRow(PageValue, frozen=True, kw_only=True):
    """A chatroom in the contacts."""

    id: str
    name: str = ""
    size: int = 0
    members: list[str] = []
    """The first few members, for the name of an unnamed chatroom."""
    left: bool = False
    """Whether this person has left it; its chat stays."""


class Preview(PageValue, frozen=True, kw_only=True):
    """The last message of a chat, on one line."""

    kind: MessageKind
    sender: str = msgspec.field(name="from")
    text: str = ""
    recalled: bool = False


class ChatRow(PageValue, frozen=True, kw_only=True):
    """A chat in the list."""

    id: str
    order: int
    """Position in the list; a greater number is more recent."""
    time: float
    unread: int = 0
    pinned: bool = False
    last: Preview


class SearchHit(Preview, frozen=True, kw_only=True):
    """A message that a search found."""

    message: str
    """Id of the message."""
    chat: str
    time: float


class HistoryLine(PageValue, frozen=True, kw_only=True):
    """A message of a merged history."""

    name: str = ""
    text: str
    time: str = ""
    """As the forwarding phone shows it."""


class Bubble(PageValue, frozen=True, kw_only=True):
    """A message in a chat."""

    id: str
    sender: str = msgspec.field(name="from")
    kind: MessageKind
    time: float
    text: str = ""
    mine: bool = False
    recalled: bool = False
    stays: bool = False
    """Whether phones do not forward it."""
    type: str = ""
    """Media type of its content, by its first bytes."""
    size: int = 0
    seconds: float = 0
    title: str = ""
    note: str = ""
    """Second line: a description, an artist, lines of a history or a greeting."""
    url: str = ""
    about: str = ""
    """World id of the person on a card or of a friend request."""
    leads_to: str = ""
    """World id of the chatroom of an invitation."""
    lines: list[HistoryLine] = []
    """The messages of a merged history."""


def face(person: WorldPerson) -> PersonProfile:
    """Return a person's profile."""
    return PersonProfile(
        id=person.id, nickname=person.nickname, initials=spell(person.nickname)[0], public=person.is_public,
        picture=person.picture,
        portrait=person.pictures == 1 and person.portrait != b"", signature=person.signature, sex=person.sex,
        region=" ".join(part for part in (person.province, person.city) if part),
        offline=person.is_offline,
    )  # fmt: skip


def friends(person: WorldPerson) -> dict[str, FriendRow]:
    """List a person's friends by world id."""
    return {
        friend: FriendRow(id=friend, remark=remark, initials=spell(remark)[0], blocked=friend in person.blocked)
        for friend, remark in person.friends.items()
    }


def rooms(world: World, person: WorldPerson) -> dict[str, ChatroomRow]:
    """List a person's chatrooms, and those the person has left whose chat still exists, by world id."""
    left = [
        world.chatrooms[chat_id]
        for chat_id, chat in person.chats.items()
        if chat.messages and chat_id in world.chatrooms and chat_id not in person.rooms
    ]
    return {each.id: _room(each, person) for each in (*person.rooms.values(), *left)}


def _room(chatroom: WorldChatroom, viewer: WorldPerson) -> ChatroomRow:
    members = [member.id for member in chatroom.members]
    return ChatroomRow(
        id=chatroom.id,
        name=chatroom.name,
        size=len(members),
        members=members[:_FEW_MEMBERS],
        left=not chatroom.has(viewer),
    )


def row(person: WorldPerson, chat_id: str, chat: WorldChat, order: int) -> ChatRow:
    """Return a chat as a row of the list; a chat has at least one message."""
    last = chat.messages[-1]
    return ChatRow(
        id=chat_id,
        order=order,
        time=last.time,
        unread=chat.unread,
        pinned=chat_id in person.pinned,
        last=Preview(
            kind=last.kind,
            sender=last.sender.id,
            text="" if last.is_recalled else last.text[:_PREVIEW],
            recalled=last.is_recalled,
        ),
    )


def hits(person: WorldPerson, words: str) -> list[SearchHit]:
    """List the newest messages on a phone that contain a text, ignoring case, without recalled ones."""
    wanted = words.lower()
    found = [
        (message, chat_id)
        for chat_id, chat in tuple(person.chats.items())
        for message in reversed(chat.messages)
        if not message.is_recalled and wanted in message.text.lower()
    ]
    found.sort(key=lambda each: each[0].time, reverse=True)
    return [_hit(message, chat_id, wanted) for message, chat_id in found[:_MOST_HITS]]


def _hit(message: WorldMessage, chat_id: str, wanted: str) -> SearchHit:
    start = message.text.lower().find(wanted) - _BEFORE_A_HIT
    shown = message.text[max(0, start) :][:_PREVIEW]
    return SearchHit(
        message=message.id,
        chat=chat_id,
        time=message.time,
        kind=message.kind,
        sender=message.sender.id,
        text=f"…{shown}" if start > 0 else shown,
    )


def bubbles(viewer: WorldPerson, messages: Iterable[WorldMessage]) -> list[Bubble]:
    """Return messages as a person sees them."""
    return [_bubble(viewer, message) for message in messages]


def _bubble(viewer: WorldPerson, message: WorldMessage) -> Bubble:
    content, is_mine = message.content, message.sender is viewer
    if message.is_recalled:
        return Bubble(
            id=message.id, sender=message.sender.id, kind=content.kind, time=message.time, mine=is_mine, recalled=True
        )
    media_file = content.media_file
    shown = Bubble(
        id=message.id,
        sender=message.sender.id,
        kind=content.kind,
        time=message.time,
        text=content.text,
        mine=is_mine,
        stays=not can_forward(content),
        type=media_file.content_type if media_file else "",
        size=len(media_file.content) if media_file else 0,
        seconds=content.wire.voice_length / 1000 or content.wire.play_length,
        url=content.wire.url,
        about=content.about,
        leads_to=content.leads_to,
    )
    if content.kind == "location":
        place = read_attributes(content.wire.ori_content, "location")
        return msgspec.structs.replace(shown, title=place.get("poiname", ""))
    quote = read_text_quote(content.wire.content) if content.kind == "quote" else None
    if quote is not None:
        return msgspec.structs.replace(shown, title=quote.reply, note=f"{quote.name}: {quote.quoted}")
    app = read_app(content.wire.content) if content.kind in _FROM_APPS else None
    if app is None:
        return shown
    note = _quoted(app.quoted) if app.quoted else app.description or app.source_name
    lines = [
        HistoryLine(name=each.sender_name, text=each.text, time=each.shown_time) for each in read_record(app.record)
    ]
    return msgspec.structs.replace(shown, title=app.title, note=note, url=app.url, lines=lines)


def _quoted(quoted: Reference) -> str:
    said = quoted.content if quoted.type == MessageType.TEXT else ""  # anything else would be XML
    return f"{quoted.sender_name}: {said}" if said else quoted.sender_name


def can_open(person: WorldPerson, chat_id: str) -> bool:
    """Return whether a person has or can begin a chat."""
    return any(chat_id in known for known in (person.chats, person.friends, person.rooms, BUILTIN))
