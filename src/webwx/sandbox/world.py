"""
The world: people with phones, who is friends with whom, what was said, and who is logged in.

Phones act here directly (`say`, `scan`, `recall`), web clients through the answers; both meet in the same few verbs, so
the control API, the demo and the tests see what a client sees. Whatever could wake a held poll is told to the
subscribers.
"""

from __future__ import annotations

from secrets import SystemRandom
from typing import TYPE_CHECKING

from webwx.protocol.codes import RECALL_WINDOW, Ret, Selector
from webwx.protocol.sync import DeletedContact
from webwx.sandbox.clock import Clock, SystemClock
from webwx.sandbox.logins import LoginCode, Logins
from webwx.sandbox.people import BUILTIN, FILEHELPER, Chat, Chatroom, Message, MessageKind, Person
from webwx.sandbox.pictures import Gallery, Picture
from webwx.sandbox.refusals import Impossible, Refused
from webwx.sandbox.switches import Switches
from webwx.sandbox.view import View

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from webwx.sandbox.sessions import Session

ME = "me"
"""The first account, whatever its name."""

LOGOUT_SILENCE = 0.1
"""Seconds between a logout's answer and the end of a held poll."""


class World:
    """
    Everything the platform knows.

    Args:
        switches: How it behaves where it could behave otherwise.
        clock: What its windows and polls go by.
        dice: Where its ids and keys come from; seeded, every run is the same.
    """

    def __init__(
        self, *, switches: Switches | None = None, clock: Clock | None = None, dice: Random | None = None
    ) -> None:
        self.switches = switches or Switches()
        self.clock = clock or SystemClock()
        self.dice = dice or SystemRandom()
        self.people: dict[str, Person] = {}
        """By world id, in the order they came."""
        self.chatrooms: dict[str, Chatroom] = {}
        """By world id."""
        self.pictures = Gallery(self.dice)
        self.issued: set[str] = set()
        """Every secret ever handed out; none may turn up in a log, an error or a repr."""
        self.logins = Logins(self.clock, self.dice, self.issued)
        self._messages: dict[str, Message] = {}
        self._refusals: dict[str, list[int]] = {}
        self._subscribers: list[Callable[[str], object]] = []

    def __repr__(self) -> str:
        return f"World({', '.join(self.people)})"

    # -- time and wakes ----------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The time in seconds since 1970."""
        return self.clock.now()

    def wind(self, seconds: float) -> None:
        """Move the clock forward and wake every poll."""
        self.clock.wind(seconds)
        self.wake("")

    def subscribe(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """
        Call back with an account's world id whenever something may wake its polls, and with "" for everybody's.

        Returns:
            What ends the subscription.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def wake(self, account: str) -> None:
        """Tell the subscribers."""
        for callback in tuple(self._subscribers):
            callback(account)

    # -- bad days ----------------------------------------------------------------------------------------------------

    def refuse_next(self, endpoint: str, ret: int, *, times: int = 1) -> None:
        """Answer the next calls of an endpoint with this Ret (synccheck: this retcode)."""
        self._refusals.setdefault(endpoint, []).extend([ret] * times)

    def take_refusal(self, endpoint: str) -> int | None:
        """Give the Ret that was laid down for this call, once."""
        waiting = self._refusals.get(endpoint)
        return waiting.pop(0) if waiting else None

    # -- who is there ------------------------------------------------------------------------------------------------

    def add_person(self, nickname: str, id: str = "") -> Person:  # noqa: A002 - the word of the control API
        """Add somebody, without friends yet; the first one is `me`."""
        number = len(self.people) + 1
        person = Person(id=id or f"person{number}", nickname=nickname, uin=1_000_000_000 + number)
        if person.id in self.people or person.id in {ME, *BUILTIN}:
            raise Impossible(f"There is somebody of the id {person.id!r} already.")
        self.people[person.id] = person
        return person

    def person(self, name: str) -> Person:
        """
        Find somebody by world id, nickname, or as `me`.

        Raises:
            Impossible: There is nobody of that name.
        """
        if name == ME and self.people:
            return next(iter(self.people.values()))
        if name in self.people:
            return self.people[name]
        for person in self.people.values():
            if person.nickname == name:
                return person
        raise Impossible(f"There is nobody called {name!r}; there are {', '.join(self.people)}.")

    def befriend(self, one: str, other: str, remark: str = "") -> None:
        """Make two people friends; `remark` is what the first calls the second. Repeated, it changes the remark."""
        first, second = self.person(one), self.person(other)
        self._add_friend(first, second, remark)
        self._add_friend(second, first, second.friends.get(first.id, ""))

    def unfriend(self, who: str, friend: str) -> None:
        """Delete a friend. He is not told: he still has the other in his list, and learns it when he writes."""
        person, other = self.person(who), self.person(friend)
        person.friends.pop(other.id, None)
        session = self.logins.live(person)
        if session:
            name = View(self, session).name(other.id)
            session.stream.add(DeletedContact(user_name=name), Selector.CONTACT_ADDED)
            self.wake(person.id)

    def add_chatroom(self, name: str, members: list[str], id: str = "") -> Chatroom:  # noqa: A002 - as in add_person
        """Open a chatroom; the first member owns it."""
        room = Chatroom(
            id=id or f"room{len(self.chatrooms) + 1}", name=name, members=[self.person(member) for member in members]
        )
        self.chatrooms[room.id] = room
        for person in room.members:
            self._show_contact(person, room.id, Selector.CONTACT_ADDED)
        return room

    def rooms_of(self, person: Person) -> list[Chatroom]:
        """List the chatrooms somebody is in."""
        return [room for room in self.chatrooms.values() if person in room.members]

    def real_id(self, world_id: str) -> str:
        """Give the id that phones know, as it stands inside notices."""
        known = self.people.get(world_id) or self.chatrooms.get(world_id)
        return known.real_id if known else world_id

    def _add_friend(self, person: Person, friend: Person, remark: str) -> None:
        if person.friends.get(friend.id) != remark:
            selector = Selector.CONTACT_CHANGED if friend.id in person.friends else Selector.CONTACT_ADDED
            person.friends[friend.id] = remark
            self._show_contact(person, friend.id, selector)

    def _show_contact(self, person: Person, world_id: str, selector: Selector) -> None:
        session = self.logins.live(person)
        if session:
            session.stream.add(View(self, session).changed(world_id), selector)
            self.wake(person.id)

    # -- logging in --------------------------------------------------------------------------------------------------

    def scan(self, who: str = ME, uuid: str | None = None) -> LoginCode:
        """
        Point somebody's phone at a code, the newest when none is named.

        Raises:
            Impossible: There is no such person, or no such code.
        """
        return self._told(self.logins.scan(self.person(who), uuid))

    def confirm(self, uuid: str | None = None) -> LoginCode:
        """
        Press the button on the phone that scanned.

        Raises:
            Impossible: No code has been scanned.
        """
        return self._told(self.logins.confirm(uuid))

    def cancel(self, uuid: str | None = None) -> LoginCode:
        """
        Press the other button.

        Raises:
            Impossible: No code has been scanned.
        """
        return self._told(self.logins.cancel(uuid))

    def _told(self, code: LoginCode) -> LoginCode:
        self.wake("")
        return code

    def exchange(self, uuid: str, ticket: str) -> Session:
        """
        Open the session of a confirmed code; an earlier one of the same account ends.

        Raises:
            Refused: The ticket is not this code's, or has been used.
        """
        session = self.logins.exchange(uuid, ticket)
        self.wake(session.person.id)
        return session

    def next_account(self) -> Person:
        """Give the first account without a web login; the first of all when everybody has one."""
        return next((p for p in self.people.values() if not self.logins.is_busy(p)), self.person(ME))

    def log_out(self, who: str) -> None:
        """
        End somebody's web login on the phone.

        Raises:
            Impossible: There is none.
        """
        person = self.person(who)
        session = self.logins.live(person)
        if session is None:
            raise Impossible(f"{person.nickname} has no web login.")
        self.end(session, Ret.SESSION_NOT_FOUND)

    def end(self, session: Session, ret: Ret, *, silence: float = 0.0) -> None:
        """End a session; a held poll hears of it after the silence."""
        session.ended = ret
        session.silent_until = self.now + silence
        self.wake(session.person.id)

    # -- talking -----------------------------------------------------------------------------------------------------

    def say(self, sender: str, to: str, text: str) -> Message:
        """
        Write a text on somebody's phone.

        Args:
            sender: Who writes.
            to: A person, a chatroom by name or id, or `filehelper`.
            text: As it is typed.

        Raises:
            Impossible: There is no such person or chat.
            Refused: The chat cannot be written to.
        """
        person = self.person(sender)
        return self.send(person, self.chat_id(person, to), text=text)

    def picture(self, sender: str, to: str, content: bytes) -> Message:
        """
        Send a picture from somebody's phone.

        Raises:
            Impossible: There is no such person or chat.
            Refused: The chat cannot be written to.
        """
        person = self.person(sender)
        return self.send(person, self.chat_id(person, to), picture=self.pictures.add(content))

    def recall(self, sender: str, to: str, message_id: str | None = None) -> Message:
        """
        Take back what somebody sent, the last message there when none is named.

        Raises:
            Impossible: There is nothing to take back.
            Refused: It is too late, or somebody else's.
        """
        person = self.person(sender)
        if not message_id:
            chat = person.chats.get(self.chat_id(person, to), Chat())
            own = [m.id for m in chat.messages if m.sender is person and not m.is_recalled]
            if not own:
                raise Impossible(f"{person.nickname} has nothing to recall there.")
            message_id = own[-1]
        return self.take_back(person, message_id)

    def inbox(self, who: str) -> dict[str, Chat]:
        """Give what somebody's phone shows: chats by world id, the most recently used first."""
        person = self.person(who)
        return dict(reversed(person.chats.items()))

    def chat_id(self, person: Person, name: str) -> str:
        """
        Find the world id of a chat by the name a person would use.

        Raises:
            Impossible: There is no such person or chatroom.
        """
        if name in BUILTIN or name in self.chatrooms:
            return name
        for room in self.rooms_of(person):
            if room.name == name:
                return room.id
        return self.person(name).id

    def send(
        self, sender: Person, to: str, *, text: str = "", picture: Picture | None = None, by: Session | None = None
    ) -> Message:
        """
        Deliver a message to everybody it is for.

        Args:
            sender: Who sends.
            to: World id of the chat.
            text: What a text says.
            picture: What a picture shows.
            by: The session that sent it, which hears of it only if echoes are on; None: a phone.

        Raises:
            Refused: The chat cannot be written to.
        """
        self._check_target(sender, to)
        message = self._new_message(sender, to, "image" if picture else "text", text=text, picture=picture)
        is_echoed = by is None or self.switches.echo == "on"
        self._show(sender, message, is_unread=False, in_session=is_echoed)
        for receiver in self._receivers(sender, to):
            if to in self.chatrooms or sender.id in receiver.friends:
                self._show(receiver, message, is_unread=True)
            else:
                self._bounce(sender, receiver)
        return message

    def message(self, message_id: str, viewer: Person) -> Message:
        """
        Find a message that somebody can see.

        Raises:
            Refused: There is none of that id, or it is in none of this person's chats.
        """
        message = self._messages.get(message_id)
        if message is None or not viewer.sees(message):
            raise Refused(Ret.SYSTEM_ERROR)
        return message

    def take_back(self, person: Person, message_id: str) -> Message:
        """
        Recall a message and tell everybody who saw it.

        Raises:
            Refused: It is unknown, somebody else's, recalled before, or older than two minutes.
        """
        message = self.message(message_id, person)
        if message.to in self.chatrooms and person not in self.chatrooms[message.to].members:
            raise Refused(Ret.CHAT_GONE)
        is_late = self.now - message.time > RECALL_WINDOW
        if message.sender is not person or message.kind == "system" or message.is_recalled or is_late:
            raise Refused(Ret.SYSTEM_ERROR)
        message.is_recalled = True
        notice_id, old_id = self.new_message_id(), self.dice.getrandbits(30)
        for viewer in (person, *self._receivers(person, message.to)):
            session = self.logins.live(viewer)
            if session and viewer.sees(message):
                notice = View(self, session).recall(message, notice_id=notice_id, old_id=old_id, time=self.now)
                session.stream.add(notice, Selector.MESSAGES)
                self.wake(viewer.id)
        return message

    def mark_read(self, person: Person, chat: str) -> None:
        """Clear a chat's unread count on the phone. The other side is not told."""
        if chat in person.chats:
            person.chats[chat].unread = 0

    def announce(self, session: Session) -> str:
        """Let the phone answer a new client with its recent chats, and give that message's id."""
        notice_id = self.new_message_id()
        notice = View(self, session).recent_chats(notice_id=notice_id, time=self.now)
        session.stream.add(notice, Selector.PHONE_ACTIVITY)
        self.wake(session.person.id)
        return notice_id

    def new_message_id(self) -> str:
        """Make a message id: 19 digits."""
        return str(self.dice.randrange(10**18, 9 * 10**18))

    def _check_target(self, sender: Person, to: str) -> None:
        if to in self.chatrooms:
            if sender not in self.chatrooms[to].members:
                raise Refused(Ret.CHAT_GONE)
        elif to != FILEHELPER and to not in sender.friends:
            raise Refused(Ret.TARGET_REFUSED)

    def _receivers(self, sender: Person, to: str) -> list[Person]:
        if to in self.chatrooms:
            return [member for member in self.chatrooms[to].members if member is not sender]
        return [self.people[to]] if to in self.people else []

    def _show(self, person: Person, message: Message, *, is_unread: bool, in_session: bool = True) -> None:
        person.receive(message, is_unread=is_unread)
        session = self.logins.live(person)
        if session and in_session:
            session.stream.add(View(self, session).message(message), Selector.MESSAGES)
            self.wake(person.id)

    def _bounce(self, sender: Person, receiver: Person) -> None:
        """Say afterwards that the other side has deleted the sender: the send itself succeeded."""
        text = (
            f"{receiver.nickname}开启了朋友验证，你还不是他（她）朋友。请先发送朋友验证请求，对方验证通过后，才能聊天。"
        )
        self._show(sender, self._new_message(receiver, sender.id, "system", text=text), is_unread=False)

    def _new_message(
        self, sender: Person, to: str, kind: MessageKind, *, text: str = "", picture: Picture | None = None
    ) -> Message:
        message = Message(
            id=self.new_message_id(), kind=kind, sender=sender, to=to, time=self.now, text=text, picture=picture
        )
        self._messages[message.id] = message
        return message


def default_world(*, switches: Switches | None = None, clock: Clock | None = None, dice: Random | None = None) -> World:
    """Make the world that a sandbox starts with: four friends with accounts, and one chatroom with all of them."""
    world = World(switches=switches, clock=clock, dice=dice)
    for id_, nickname in (("xiaoming", "小明"), ("ahua", "阿华"), ("zhangsan", "张三"), ("lilei", "李雷")):
        world.add_person(nickname, id_)
    everybody = list(world.people)
    for at, one in enumerate(everybody):
        for other in everybody[at + 1 :]:
            world.befriend(one, other)
    world.befriend("xiaoming", "lilei", remark="Boss")
    world.add_chatroom("周末爬山", everybody, "hiking")
    return world
