"""
The updates that the server pushes to an open page.

Each page has its own update sources. A source names the page's messages that it handles, and yields its updates when it
is asked: after each change in the world and each message of the page. It remembers what it has sent, so an update holds
only differences. To push something else to the page, write a source and add it to `SOURCES` in `live`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from webwx.sandbox.logins import LoginStage
from webwx.sandbox.people import WorldChat, WorldMessage, WorldPerson
from webwx.sandbox.phone import screen

if TYPE_CHECKING:
    from webwx.sandbox.world import World

PAGE_OF_HISTORY = 50
"""Messages in one history update."""

RECALLABLE = 500
"""Number of newest messages of a chat that are checked for recalls; two minutes hold no more."""

MessageHandlers = Mapping[str, tuple[type[msgspec.Struct], Callable[[Any], None]]]
"""Message type and handler by the message's `kind`."""


class Update(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """A message to the page, tagged by its `kind`."""


class UpdateSource(Protocol):
    """A part of the page that the server keeps up to date."""

    handlers: MessageHandlers

    def note_change(self, owner: str, chat: str) -> None:
        """Mark what has changed, with the arguments of `World.watch`. It runs in any thread, so it must not do more."""
        ...

    def updates(self) -> Iterator[Update]:
        """Yield the updates that the page does not have yet."""
        ...


# -- the world -------------------------------------------------------------------------------------------------------


class PeopleUpdate(Update, frozen=True, kw_only=True, tag="people"):
    """People whose profile or picture is new to the page."""

    people: list[screen.PersonProfile]


class ClockUpdate(Update, frozen=True, kw_only=True, tag="clock"):
    """The world's time."""

    now: float
    runs: bool
    """Whether the clock runs; a virtual clock stands still until it is advanced."""


class PendingLogin(screen.PageValue, frozen=True, kw_only=True):
    """A login code that waits for a phone."""

    uuid: str
    stage: str
    who: str = ""
    """World id of the person who scanned it."""
    host: str = ""
    made: float
    """Creation time."""
    ends: float
    """Time at which it expires."""
    pushed: bool = False
    """Whether there is no code to scan, because the phone of an earlier login was asked to confirm."""


class OpenLogin(screen.PageValue, frozen=True, kw_only=True):
    """An open web login."""

    who: str
    since: float
    helper: bool = False
    """Whether it is a login of File Transfer Helper's page."""


class LoginsUpdate(Update, frozen=True, kw_only=True, tag="logins"):
    """All waiting login codes, newest first, and all open logins."""

    waiting: list[PendingLogin]
    open: list[OpenLogin]


class WorldUpdates:
    """People, logins and the clock."""

    def __init__(self, world: World) -> None:
        self.handlers: MessageHandlers = {}
        self._world = world
        self._is_changed = True
        self._faces: dict[str, screen.PersonProfile] = {}
        self._logins: LoginsUpdate | None = None
        self._now = 0.0

    def note_change(self, owner: str, chat: str) -> None:
        """Mark a change that has no owner."""
        del chat
        self._is_changed |= not owner

    def updates(self) -> Iterator[Update]:
        """Yield changed profiles, the time, and changed logins."""
        if not self._is_changed:
            return
        self._is_changed = False
        faces = {person.id: screen.face(person) for person in self._world.people.values()}
        new = [face for face in faces.values() if self._faces.get(face.id) != face]
        if new:
            self._faces = faces
            yield PeopleUpdate(people=new)
        yield ClockUpdate(now=self._world.now, runs=self._world.clock.seconds_until(self._world.now + 1) is not None)
        logins = _logins(self._world)
        if logins != self._logins:
            self._logins = logins
            yield logins


def _logins(world: World) -> LoginsUpdate:
    waiting = [
        PendingLogin(
            uuid=code.uuid,
            stage=code.stage.value,
            who=code.person.id if code.person else "",
            host=code.host,
            made=code.made,
            ends=code.ends,
            pushed=code.is_pushed,
        )
        for code in world.logins.waiting()
        if code.stage in {LoginStage.NEW, LoginStage.SCANNED, LoginStage.CONFIRMED}
    ]
    clients = [
        OpenLogin(who=session.person.id, since=session.started, helper=session.is_helper)
        for session in world.logins.open_sessions()
    ]
    return LoginsUpdate(waiting=waiting, open=clients)


# -- one person's phone ----------------------------------------------------------------------------------------------


class OpenView(msgspec.Struct, frozen=True, kw_only=True):
    """Open a phone, a chat on it, and a chatroom's member list."""

    who: str
    chat: str = ""
    room: str = ""


class LoadEarlier(msgspec.Struct, frozen=True, kw_only=True):
    """Load older messages of the open chat."""

    chat: str
    before: str
    """Id of the oldest message that the page has."""
    upto: str = ""
    """Id of a message that the answer must contain; empty for one page."""


class SearchMessages(msgspec.Struct, frozen=True, kw_only=True):
    """Search all messages on the phone; an empty text ends the search."""

    words: str


class PhoneUpdate(Update, frozen=True, kw_only=True, tag="phone"):
    """The chat list and the contacts of a phone: the changed rows only, unless `whole`."""

    who: str
    whole: bool = False
    rows: list[screen.ChatRow] = []
    emptied: list[str] = []
    """Ids of chats whose messages have all been deleted."""
    friends: list[screen.FriendRow] = []
    rooms: list[screen.ChatroomRow] = []
    gone: list[str] = []
    """Ids of removed friends and chatrooms."""
    asked: list[str] | None = None
    """World ids of people whose friend requests are open; None if unchanged."""


class HistoryUpdate(Update, frozen=True, kw_only=True, tag="history"):
    """Messages of the open chat, oldest first."""

    who: str
    chat: str
    place: str
    """
    How the messages are shown: `all` replaces the shown ones, `before` and `after` add some, `again` changes some,
    `deleted` removes some.
    """
    messages: list[screen.Bubble] = []
    deleted: list[str] = []
    """Ids of the messages to remove."""
    more: bool = False
    """Whether there are older messages; set with `all` and `before`."""


class MembersUpdate(Update, frozen=True, kw_only=True, tag="members"):
    """World ids of the members of the open chatroom, the owner first."""

    room: str
    members: list[str]


class SearchUpdate(Update, frozen=True, kw_only=True, tag="found"):
    """The newest messages on the phone that match the search."""

    who: str
    words: str
    hits: list[screen.SearchHit]


class PhoneUpdates:
    """The open phone and the chat that is open on it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.handlers: MessageHandlers = {
            "look": (OpenView, self._open_view),
            "earlier": (LoadEarlier, self._earlier),
            "search": (SearchMessages, self._search),
        }
        self._person: WorldPerson | None = None
        self._open: _OpenChat | None = None
        self._room = ""
        self._members: list[str] = []
        self._is_whole = False
        self._is_changed = False
        self._changed_chats: set[str] = set()
        self._orders: dict[str, tuple[int, int]] = {}
        """By chat: the number of messages that it had received by the last update, and its position in the list."""
        self._order = 0
        self._friends: dict[str, screen.FriendRow] = {}
        self._rooms: dict[str, screen.ChatroomRow] = {}
        self._asked: list[str] = []
        self._more: list[Update] = []
        self._words = ""
        self._is_searching = False
        """Whether the search has to run again."""

    def note_change(self, owner: str, chat: str) -> None:
        """Mark a change of this phone."""
        if self._person is None or owner != self._person.id:
            return
        if chat:
            self._changed_chats.add(chat)
            self._is_searching = True
        else:
            self._is_changed = True

    def updates(self) -> Iterator[Update]:
        """Yield changes of the phone, then of the chat."""
        if self._person is None:
            return
        yield from self._phone(self._person)
        room = self._person.rooms.get(self._room)
        members = [member.id for member in room.members] if room else []
        if members != self._members:
            self._members = members
            yield MembersUpdate(room=self._room, members=members)
        if self._open:
            yield from self._open.updates()
        waiting, self._more = self._more, []
        yield from waiting
        if self._words and self._is_searching:
            self._is_searching = False
            yield SearchUpdate(who=self._person.id, words=self._words, hits=screen.hits(self._person, self._words))

    def _open_view(self, at: OpenView) -> None:
        person = self._world.people.get(at.who)
        if person is not self._person:
            self._person, self._is_whole, self._open = person, True, None
            self._is_searching = True
        if self._open is None or self._open.chat_id != at.chat:
            self._open = _OpenChat(person, at.chat) if person and screen.can_open(person, at.chat) else None
        self._room, self._members = at.room or at.chat, []

    def _earlier(self, what: LoadEarlier) -> None:
        if self._open and self._open.chat_id == what.chat:
            self._more.append(self._open.earlier(what.before, what.upto))

    def _search(self, what: SearchMessages) -> None:
        self._words, self._is_searching = what.words.strip(), True

    def _phone(self, person: WorldPerson) -> Iterator[PhoneUpdate]:
        is_whole, self._is_whole = self._is_whole, False
        changed, self._changed_chats = self._changed_chats, set()
        if is_whole:
            self._orders, self._order = {}, 0
            self._friends, self._rooms, self._asked = {}, {}, []
        if is_whole or self._is_changed:
            self._is_changed = False
            yield self._contacts(person, changed, is_whole=is_whole)
        elif changed:
            yield PhoneUpdate(who=person.id, rows=self._rows(person, changed), emptied=_emptied(person, changed))

    def _contacts(self, person: WorldPerson, changed: set[str], *, is_whole: bool) -> PhoneUpdate:
        friends = screen.friends(person)
        rooms = screen.rooms(self._world, person)
        asked = list(person.asked_by)
        update = PhoneUpdate(
            who=person.id,
            whole=is_whole,
            rows=self._rows(person, set(person.chats)),
            emptied=_emptied(person, changed),
            friends=[friend for friend in friends.values() if self._friends.get(friend.id) != friend],
            rooms=[each for each in rooms.values() if self._rooms.get(each.id) != each],
            gone=[each for each in (*self._friends, *self._rooms) if each not in friends and each not in rooms],
            asked=asked if is_whole or asked != self._asked else None,
        )
        self._friends, self._rooms, self._asked = friends, rooms, asked
        return update

    def _rows(self, person: WorldPerson, wanted: set[str]) -> list[screen.ChatRow]:
        rows = []
        for chat_id, chat in tuple(person.chats.items()):  # least recently used first
            if chat_id in wanted and chat.messages:
                count, order = self._orders.get(chat_id, (0, 0))
                received = len(chat.messages) + len(chat.deleted)
                if received != count:
                    self._order += 1
                    order = self._order
                    self._orders[chat_id] = received, order
                rows.append(screen.row(person, chat_id, chat, order))
        return rows


def _emptied(person: WorldPerson, changed: set[str]) -> list[str]:
    return [chat for chat in changed if chat in person.chats and not person.chats[chat].messages]


class _OpenChat:
    """A chat that is open on a phone."""

    def __init__(self, person: WorldPerson, chat_id: str) -> None:
        self._person = person
        self.chat_id = chat_id
        self._known: set[str] | None = None
        """Ids of the messages at the last update; None before the first one."""
        self._recalled: set[str] = set()
        """Ids of the messages that the page shows as recalled."""

    def updates(self) -> Iterator[Update]:
        """Yield deleted, new and recalled messages."""
        messages = self._messages
        known = self._known
        if known is None:
            start = max(0, len(messages) - PAGE_OF_HISTORY)
            yield self._history("all", messages[start:], more=start > 0)
            self._known = {message.id for message in messages}
        else:
            deleted = known & self._chat.deleted
            if deleted:
                known -= deleted
                yield HistoryUpdate(who=self._person.id, chat=self.chat_id, place="deleted", deleted=sorted(deleted))
            new = list(takewhile(lambda message: message.id not in known, reversed(messages)))
            if new:
                known |= {message.id for message in new}
                yield self._history("after", new[::-1])
        newest = islice(reversed(messages), RECALLABLE)
        recalled = [each for each in newest if each.is_recalled and each.id not in self._recalled]
        if recalled:
            yield self._history("again", recalled)

    def earlier(self, before: str, upto: str) -> HistoryUpdate:
        """Return a page of messages before one of them, extended back to `upto` if that is older."""
        messages = self._messages
        places = {message.id: place for place, message in enumerate(messages) if message.id in {before, upto}}
        end = places.get(before, 0)
        start = max(0, min(end - PAGE_OF_HISTORY, places.get(upto, end)))
        return self._history("before", messages[start:end], more=start > 0)

    @property
    def _chat(self) -> WorldChat:
        return self._person.chats.get(self.chat_id, WorldChat())

    @property
    def _messages(self) -> list[WorldMessage]:
        return self._chat.messages

    def _history(self, place: str, messages: list[WorldMessage], *, more: bool = False) -> HistoryUpdate:
        self._recalled |= {message.id for message in messages if message.is_recalled}
        return HistoryUpdate(
            who=self._person.id,
            chat=self.chat_id,
            place=place,
            messages=screen.bubbles(self._person, messages),
            more=more,
        )
