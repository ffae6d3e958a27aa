"""
The population of a world: its people and chatrooms, their web logins, and the subscribers to their changes.

What a web login sees of it is a `View`; deliveries, faults and scheduled actions are the world's.
"""

from __future__ import annotations

from itertools import islice
from secrets import SystemRandom
from typing import TYPE_CHECKING

from webwx.sandbox.clock import SystemClock
from webwx.sandbox.errors import Impossible
from webwx.sandbox.logins import LoginRegistry
from webwx.sandbox.options import Options
from webwx.sandbox.people import BUILTIN, ME, WorldChatroom, WorldMessage, WorldPerson
from webwx.sandbox.subscribers import Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from random import Random

    from webwx.sandbox.clock import WorldClock

_MANY = 20
"""Maximum number of people that a sentence names."""


class Population:
    """
    The people and chatrooms of a world.

    Args:
        options: Options of the platform's behaviour.
        clock: Clock of its time limits and polls.
        rng: Source of its ids and keys; with a seed, every run is equal.
    """

    def __init__(
        self, *, options: Options | None = None, clock: WorldClock | None = None, rng: Random | None = None
    ) -> None:
        self.options = options or Options()
        self.clock = clock or SystemClock()
        self.rng = rng or SystemRandom()
        self.people: dict[str, WorldPerson] = {}
        """People by world id, in the order in which they were added."""
        self._called: dict[str, dict[str, WorldPerson]] = {}
        """People by nickname and by world id."""
        self.chatrooms: dict[str, WorldChatroom] = {}
        """Chatrooms by world id."""
        self.issued: set[str] = set()
        """Every secret that was ever issued; no log, error or repr may contain one."""
        self.logins = LoginRegistry(self.clock, self.rng, self.issued)
        self._subscribers: Subscribers[str] = Subscribers()
        self._watchers: Subscribers[str, str] = Subscribers()
        self._listeners: Subscribers[WorldPerson, WorldMessage] = Subscribers()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_some(self.people)})"

    @property
    def now(self) -> float:
        """The time in seconds since 1970."""
        return self.clock.now()

    # -- who is there ------------------------------------------------------------------------------------------------

    def add_person(self, nickname: str, id: str = "") -> WorldPerson:  # noqa: A002 - the word of the control API
        """
        Add a person, without friends yet; the first one is `me`.

        Raises:
            Impossible: The id is in use.
        """
        number = len(self.people) + 1
        person = WorldPerson(id=id or f"person{number}", nickname=nickname, uin=1_000_000_000 + number)
        self.settle(person)
        return person

    def settle(self, person: WorldPerson) -> None:
        """
        Add a person from another world.

        Raises:
            Impossible: The id is in use.
        """
        self._check_new(person.id)
        self.people[person.id] = person
        self._called.setdefault(person.nickname, {})[person.id] = person
        self.notify_watchers()

    def person(self, name: str) -> WorldPerson:
        """
        Return a person by world id, nickname, or as `me`.

        Raises:
            Impossible: There is no person of that name.
        """
        if name == ME and self.people:
            return next(iter(self.people.values()))
        if name in self.people:
            return self.people[name]
        for person in self.called(name):
            return person
        raise Impossible(f"There is no person {name!r}; the people are {_some(self.people)}.")

    def called(self, nickname: str) -> list[WorldPerson]:
        """List all people with a nickname."""
        return list(self._called.get(nickname, {}).values())

    def rename(self, person: WorldPerson, nickname: str) -> None:
        """Change a person's nickname without an event."""
        self._called[person.nickname].pop(person.id)
        self._called.setdefault(nickname, {})[person.id] = person
        person.nickname = nickname

    def found(self, name: str, members: Sequence[WorldPerson], id: str = "") -> WorldChatroom:  # noqa: A002 - as in add_person
        """
        Add a chatroom without an event; the first member is its owner.

        Raises:
            Impossible: The id is in use.
        """
        world_id = id or f"room{len(self.chatrooms) + 1}"
        self._check_new(world_id)
        room = self.chatrooms[world_id] = WorldChatroom(id=world_id, name=name, members=list(members))
        return room

    def chatroom(self, member: WorldPerson, name: str) -> WorldChatroom:
        """
        Return a chatroom that a person is in.

        Raises:
            Impossible: There is no chatroom with this name or id.
        """
        for room in member.rooms.values():
            if name in {room.name, room.id}:
                return room
        raise Impossible(f"{member.nickname} is in no chatroom called {name!r}.")

    def chat_id(self, person: WorldPerson, name: str) -> str:
        """
        Find the world id of a chat by the name a person would use.

        Raises:
            Impossible: There is no such person or chatroom.
        """
        if name in BUILTIN or name in self.chatrooms:
            return name
        for room in person.rooms.values():
            if room.name == name:
                return room.id
        return self.person(name).id

    def real_id(self, world_id: str) -> str:
        """Return the platform's real id, as it appears inside notices."""
        known = self.people.get(world_id) or self.chatrooms.get(world_id)
        return known.real_id if known else world_id

    def _check_new(self, world_id: str) -> None:
        if world_id == ME or any(world_id in taken for taken in (BUILTIN, self.people, self.chatrooms)):
            raise Impossible(f"The id {world_id!r} is taken.")

    # -- subscribers -------------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """
        Call back when an event may wake polls, with the account or code that they wait for.

        That is an account's world id, or a login code's uuid; an empty text means all of them.

        Returns:
            A function that ends the subscription.
        """
        return self._subscribers.add(callback)

    def wake(self, account: str) -> None:
        """Call the subscribers back."""
        self._subscribers.notify(account)

    def watch(self, callback: Callable[[str, str], object]) -> Callable[[], None]:
        """
        Call back whenever a phone changes, with its owner's world id and the chat's.

        An empty chat means that the contacts have changed. An empty owner means that something for all phones has
        changed: profiles, logins, or the clock.

        Returns:
            A function that ends the subscription.
        """
        return self._watchers.add(callback)

    def notify_watchers(self, owner: str = "", chat: str = "") -> None:
        """Call the watchers back."""
        self._watchers.notify(owner, chat)

    def listen(self, callback: Callable[[WorldPerson, WorldMessage], object]) -> None:
        """Call back for each person whose phone receives another person's message, and again when it is recalled."""
        self._listeners.add(callback)

    def notify_listeners(self, person: WorldPerson, message: WorldMessage) -> None:
        """Call the listeners back."""
        self._listeners.notify(person, message)


def _some(names: Collection[str]) -> str:
    """List the names of all people, or the first few and the number of the others."""
    others = len(names) - _MANY
    return ", ".join(islice(names, _MANY)) + (f" and {others:,} others" if others > 0 else "")
