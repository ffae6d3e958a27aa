"""
A running world as bytes, so that it continues in another process.

It contains what the platform would store: people, chatrooms, messages, media, and every web login with its keys, its
names and its pending events, so that a client continues without a new login. The clock and the rng continue too.
Unconfirmed codes, faults and scheduled actions belong to the process and are not stored.

The first line is the format's number and a digest of the rest. The bytes contain the keys of every login, so only their
owner may read them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from math import inf
from random import Random
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import asdict

from webwx.protocol.codes import Ret, Selector, SyncKeyKind
from webwx.protocol.hosts import Hosts
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import DeletedContact, SyncKey
from webwx.sandbox.clock import SystemClock, VirtualClock
from webwx.sandbox.errors import Impossible
from webwx.sandbox.faults import FaultInjector
from webwx.sandbox.media import MediaFile
from webwx.sandbox.options import Options
from webwx.sandbox.people import MessageContent, MessageKind, WorldChat, WorldChatroom, WorldMessage, WorldPerson
from webwx.sandbox.sessions import SessionKeys, SessionNames, WebSession
from webwx.sandbox.stream import Change, ChangedContact, ChangeStream
from webwx.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.sandbox.stream import Item

FORMAT = 1
"""Number of the format; a program cannot read a higher one."""

_TITLE = b"webwx sandbox "

_ITEMS: dict[str, type[Item]] = {kind.__name__: kind for kind in (WireMessage, ChangedContact, DeletedContact)}
"""Kinds of events of a login, by name."""


class _Saved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a saved world; a field has the meaning of the field of the same name in the world."""


class SavedMediaFile(_Saved, frozen=True, kw_only=True):
    """A media file; equal bytes are stored once."""

    content: int
    """Index of its bytes."""
    name: str = ""
    md5: str
    aes_key: str
    cdn_url: str
    thumbnail_height: int = 0
    thumbnail_width: int = 0


class SavedMessage(_Saved, frozen=True, kw_only=True):
    """A message and its content."""

    id: str
    sender: str
    to: str
    time: float
    is_recalled: bool = False
    kind: MessageKind
    text: str = ""
    media_file: int | None = msgspec.field(default=None, name="medium")
    """Index of its media file."""
    about: str = ""
    leads_to: str = ""
    wire: WireMessage


class SavedChat(_Saved, frozen=True, kw_only=True):
    """A chat on a phone."""

    key: str
    """World id of the other person or the chatroom."""
    unread: int = 0
    messages: list[str] = []
    deleted: set[str] = set()


class SavedPerson(_Saved, frozen=True, kw_only=True):
    """A person and their phone."""

    id: str
    nickname: str
    uin: int
    verify_flag: int = 0
    alias: str = ""
    signature: str = ""
    sex: int = 0
    province: str = ""
    city: str = ""
    pictures: int = 1
    portrait: bytes = b""
    friends: dict[str, str] = {}
    blocked: set[str] = set()
    is_offline: bool = False
    pinned: set[str] = set()
    asked_by: dict[str, str] = {}
    chats: list[SavedChat] = []
    rooms: list[str] = []
    saved: set[str] = set()
    published: str = ""
    """Id of the latest message with articles of a public account; empty if there is none."""


class SavedChatroom(_Saved, frozen=True, kw_only=True):
    """A chatroom."""

    id: str
    name: str
    names: dict[str, str] = {}
    members: list[str]


class SavedChange(_Saved, frozen=True, kw_only=True):
    """An event of a login, delivered or pending."""

    kind: SyncKeyKind
    number: int
    selector: Selector
    sort: str
    """Name of the item's type in `_ITEMS`."""
    item: msgspec.Raw


class SavedUpload(_Saved, frozen=True, kw_only=True):
    """An incomplete upload."""

    client_media_id: int
    file: str
    chunks: dict[int, bytes]


class SavedSession(_Saved, frozen=True, kw_only=True):
    """A web login."""

    person: str
    keys: SessionKeys
    names: dict[str, str]
    started: float
    counters: dict[int, int]
    changes: list[SavedChange]
    silent: int = 0
    family: Hosts | None = None
    is_helper: bool = False
    uploads: list[SavedUpload] = []
    parallel: dict[str, dict[int, bytes]] = {}
    announced: dict[str, str] = {}
    media: dict[str, int] = {}
    """Indexes of the media."""
    accepted: dict[bytes, tuple[float, str]] = {}
    acts: list[float] = []
    fetches: int = 0
    fetched_from: SyncKey | None = None
    expires: float = inf
    ended: Ret | None = None
    silent_until: float = 0.0


class SavedWorld(_Saved, frozen=True, kw_only=True):
    """The whole world."""

    options: Options = msgspec.field(name="switches")
    ahead: float | None = None
    """Offset of its clock from the machine's, in seconds; None for a clock that stands still."""
    now: float = 0.0
    """Time of a clock that stands still."""
    rng: tuple[int, tuple[int, ...], float | None] | None = msgspec.field(name="dice", default=None)
    """State of a seeded rng; None if the rng is the system's."""
    seed: int
    """Seed of the faults."""
    issued: list[str]
    contents: list[bytes]
    media: list[SavedMediaFile]
    found_by_keys: int
    """Number of the media that have keys of their own; the others are the same bytes under another name."""
    people: list[SavedPerson]
    chatrooms: list[SavedChatroom]
    messages: list[SavedMessage]
    sessions: list[SavedSession]


# -- saving ----------------------------------------------------------------------------------------------------------


def save(world: World) -> bytes:
    """Return a world as bytes; they contain secrets."""
    body = msgspec.msgpack.encode(_saved(world))
    return b"%b%d %b\n%b" % (_TITLE, FORMAT, hashlib.sha256(body).hexdigest().encode(), body)


class _MediumIndexes:
    """Assigns an index to each media file."""

    def __init__(self) -> None:
        self.media: list[SavedMediaFile] = []
        self.contents: list[bytes] = []
        self._places: dict[int, int] = {}
        self._contents: dict[bytes, int] = {}

    def place(self, media_file: MediaFile) -> int:
        """Return the index of a media file."""
        if id(media_file) not in self._places:
            self._places[id(media_file)] = len(self.media)
            self.media.append(SavedMediaFile(**asdict(media_file) | {"content": self._content(media_file.content)}))
        return self._places[id(media_file)]

    def _content(self, content: bytes) -> int:
        if content not in self._contents:
            self._contents[content] = len(self.contents)
            self.contents.append(content)
        return self._contents[content]


def _saved(world: World) -> SavedWorld:
    indexes = _MediumIndexes()
    for media_file in world.media.all:
        indexes.place(media_file)
    found_by_keys = len(indexes.media)
    return SavedWorld(
        options=world.options,
        ahead=world.clock.ahead if isinstance(world.clock, SystemClock) else None,
        now=0.0 if isinstance(world.clock, SystemClock) else world.now,
        rng=world.rng.getstate() if type(world.rng) is Random else None,  # the system's have no state
        seed=world.faults.seed,
        issued=sorted(world.issued),
        people=[_saved_person(person) for person in world.people.values()],
        chatrooms=[
            SavedChatroom(id=room.id, name=room.name, names=room.names, members=[each.id for each in room.members])
            for room in world.chatrooms.values()
        ],
        messages=[_saved_message(message, indexes.place) for message in world.delivery.messages],
        sessions=[_saved_session(session, indexes.place) for session in world.logins.sessions],
        contents=indexes.contents,
        media=indexes.media,
        found_by_keys=found_by_keys,
    )


_SAME = [name for name in SavedPerson.__struct_fields__ if name not in {"chats", "rooms", "published"}]
"""Fields of a person that are stored unchanged."""


def _saved_person(person: WorldPerson) -> SavedPerson:
    chats = [
        SavedChat(
            key=key,
            unread=chat.unread,
            messages=[message.id for message in chat.messages],
            deleted=chat.deleted,
        )
        for key, chat in person.chats.items()
    ]
    published = person.published.id if person.published else ""
    same = {name: getattr(person, name) for name in _SAME}
    return SavedPerson(**same, chats=chats, rooms=list(person.rooms), published=published)


def _saved_message(message: WorldMessage, place: Callable[[MediaFile], int]) -> SavedMessage:
    content = message.content
    return SavedMessage(
        id=message.id,
        sender=message.sender.id,
        to=message.to,
        time=message.time,
        is_recalled=message.is_recalled,
        kind=content.kind,
        text=content.text,
        media_file=None if content.media_file is None else place(content.media_file),
        about=content.about,
        leads_to=content.leads_to,
        wire=content.wire,
    )


def _saved_session(session: WebSession, place: Callable[[MediaFile], int]) -> SavedSession:
    return SavedSession(
        person=session.person.id,
        keys=session.keys,
        names=session.names.known,
        started=session.started,
        counters=session.stream.counters,
        changes=[
            SavedChange(
                kind=change.kind, number=change.number, selector=change.selector, sort=type(change.item).__name__,
                item=msgspec.Raw(msgspec.msgpack.encode(change.item)),
            )
            for change in session.stream.changes
        ],
        silent=session.stream.silent,
        family=session.family,
        is_helper=session.is_helper,
        uploads=[
            SavedUpload(client_media_id=number, file=file, chunks=chunks)
            for (number, file), chunks in session.uploads.items()
        ],
        parallel=session.parallel,
        announced=session.announced,
        media={media_id: place(media_file) for media_id, media_file in session.media.items()},
        accepted=session.accepted,
        acts=list(session.acts),
        fetches=session.fetches,
        fetched_from=session.fetched_from,
        expires=session.expires,
        ended=session.ended,
        silent_until=session.silent_until,
    )  # fmt: skip


# -- loading ---------------------------------------------------------------------------------------------------------


def load(content: bytes, *, change: Callable[[Options], Options] = lambda own: own) -> World:
    """
    Return the world that was saved as these bytes.

    Args:
        content: The result of `save`.
        change: Function that returns changed options.

    Raises:
        Impossible: The bytes are not a saved world, are damaged, or were saved by a newer webwx.
    """
    head, _, body = content.partition(b"\n")
    number, _, digest = head.removeprefix(_TITLE).partition(b" ")
    if not head.startswith(_TITLE) or not number.isdigit():
        raise Impossible("This is not a saved sandbox.")
    if int(number) > FORMAT:
        raise Impossible("This was saved by a newer webwx; use that version, or start with another file.")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise Impossible("This saved sandbox is damaged; start with another file.")
    return _world(msgspec.msgpack.decode(body, type=SavedWorld), change)


def _world(saved: SavedWorld, change: Callable[[Options], Options]) -> World:
    rng = None
    if saved.rng is not None:
        rng = Random()  # noqa: S311 - the world's were seeded too
        rng.setstate(saved.rng)
    clock = VirtualClock(saved.now) if saved.ahead is None else SystemClock.ahead_by(saved.ahead)
    world = World(options=change(saved.options), clock=clock, rng=rng)
    world.faults = FaultInjector(seed=saved.seed)
    world.issued.update(saved.issued)
    media = [MediaFile(**asdict(each) | {"content": saved.contents[each.content]}) for each in saved.media]
    for media_file in media[: saved.found_by_keys]:
        world.media.take(media_file)
    for person in saved.people:
        world.settle(WorldPerson(**{name: getattr(person, name) for name in _SAME}))
    for room in saved.chatrooms:
        made = WorldChatroom(id=room.id, name=room.name, members=[world.people[each] for each in room.members])
        made.names.update(room.names)
        world.chatrooms[room.id] = made
    messages = {each.id: _message(each, world, media) for each in saved.messages}
    for message in messages.values():
        world.delivery.take(message)
    for person in saved.people:
        owner = world.people[person.id]
        owner.published = messages.get(person.published)
        owner.rooms = {room: world.chatrooms[room] for room in person.rooms}
        owner.chats = {
            chat.key: WorldChat(
                unread=chat.unread, messages=[messages[each] for each in chat.messages], deleted=chat.deleted
            )
            for chat in person.chats
        }
    for session in saved.sessions:
        world.logins.take(_session(session, world, media))
    return world


def _message(saved: SavedMessage, world: World, media: list[MediaFile]) -> WorldMessage:
    media_file = None if saved.media_file is None else media[saved.media_file]
    content = MessageContent(
        kind=saved.kind, text=saved.text, media_file=media_file, about=saved.about, leads_to=saved.leads_to,
        wire=saved.wire,
    )  # fmt: skip
    return WorldMessage(
        id=saved.id, content=content, sender=world.people[saved.sender], to=saved.to, time=saved.time,
        is_recalled=saved.is_recalled,
    )  # fmt: skip


def _session(saved: SavedSession, world: World, media: list[MediaFile]) -> WebSession:
    changes = [
        Change(
            kind=change.kind, number=change.number, selector=change.selector,
            item=msgspec.msgpack.decode(change.item, type=_ITEMS[change.sort]),
        )
        for change in saved.changes
    ]  # fmt: skip
    return WebSession(
        person=world.people[saved.person],
        keys=saved.keys,
        names=SessionNames(world.rng, saved.names),
        started=saved.started,
        stream=ChangeStream.resume(saved.counters, changes, saved.silent),
        family=saved.family,
        is_helper=saved.is_helper,
        uploads={(upload.client_media_id, upload.file): upload.chunks for upload in saved.uploads},
        parallel=saved.parallel,
        announced=saved.announced,
        media={media_id: media[place] for media_id, place in saved.media.items()},
        accepted=saved.accepted,
        acts=deque(saved.acts),
        fetches=saved.fetches,
        fetched_from=saved.fetched_from,
        expires=saved.expires,
        ended=saved.ended,
        silent_until=saved.silent_until,
    )
