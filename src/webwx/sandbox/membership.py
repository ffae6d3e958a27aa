"""
Membership: how people join and leave a chatroom, and what its members are notified of.

Each change produces a notice in the chat, worded for its reader, and the changed chatroom for every remaining member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.codes import Ret, Selector
from webwx.protocol.sync import DeletedContact
from webwx.sandbox import contents
from webwx.sandbox.errors import Refused
from webwx.sandbox.people import WorldChatroom, WorldPerson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from webwx.sandbox.delivery import MessageDelivery
    from webwx.sandbox.event_streams import EventStreams
    from webwx.sandbox.population import Population


MIN_OTHERS = 2
"""Minimum number of other members of a new chatroom."""


class Membership:
    """Changes of membership in one world."""

    def __init__(self, population: Population, streams: EventStreams, delivery: MessageDelivery) -> None:
        self._population = population
        self._streams = streams
        self._delivery = delivery

    def can_add(self, member: WorldPerson, other: WorldPerson) -> bool:
        """Return whether a person may be added directly: a mutual friend who has not blocked the member."""
        is_friend = other.id in member.friends and member.id in other.friends
        return is_friend and not other.is_public and not other.has_blocked(member)

    def is_by_invitation(self, room: WorldChatroom) -> bool:
        """Return whether a chatroom is so large that people can only be invited to it."""
        options = self._population.options
        return options.large_chatrooms == "invited" and len(room.members) >= options.invite_start_count

    def found(self, name: str, members: Sequence[WorldPerson], id: str = "") -> WorldChatroom:  # noqa: A002 - the word of the control API
        """
        Create a chatroom, which its members then have in their contacts; the first one is its owner.

        Raises:
            Impossible: The id is in use.
        """
        room = self._population.found(name, members, id)
        for person in room.members:
            self._streams.append(person, Selector.CONTACT_ADDED, lambda view: view.changed(room.id))
        return room

    def open(self, owner: WorldPerson, people: Sequence[WorldPerson], name: str) -> WorldChatroom:
        """Create a chatroom with people who can all be added, and notify everyone."""
        room = self.found(name, [owner, *people])
        self._announce(room, owner, people)
        return room

    def add(self, room: WorldChatroom, people: Sequence[WorldPerson], *, by: WorldPerson) -> None:
        """
        Add people on behalf of a member.

        Raises:
            Refused: The person who adds them is not a member.
        """
        self._check_member(room, by)
        new = [person for person in people if not room.has(person)]
        if not new:
            return
        room.add(new)
        self._show(room)
        self._announce(room, by, new)

    def invite(self, room: WorldChatroom, people: Iterable[WorldPerson], *, by: WorldPerson) -> None:
        """
        Send each person a card that adds them when they open it.

        Raises:
            Refused: The sender is not a member, or a person is not a friend.
        """
        self._check_member(room, by)
        card = contents.link(by, "邀请你加入群聊", "http://support.weixin.qq.com/", f"{by.nickname}邀请你加入群聊")
        invitation = msgspec.structs.replace(card, leads_to=room.id)
        for person in people:
            self._delivery.send(by, person.id, invitation)

    def join(self, room: WorldChatroom, person: WorldPerson, *, by: WorldPerson) -> None:
        """
        Add a person who opened a member's invitation.

        Raises:
            Refused: The sender of the invitation is not a member.
        """
        self._check_member(room, by)
        if not room.has(person):
            room.add([person])
            self._show(room)
            self._say(
                room,
                {by: f'" {person.nickname}"通过扫描你分享的二维码加入群聊'},
                f'" {person.nickname}"通过扫描"{by.nickname}"分享的二维码加入群聊',
            )

    def remove(self, room: WorldChatroom, people: Iterable[WorldPerson], *, by: WorldPerson) -> None:
        """
        Remove people.

        Raises:
            Refused: The person who removes them is not the owner.
        """
        self._check_member(room, by)
        if by is not room.owner:
            raise Refused(Ret.SYSTEM_ERROR)
        for person in people:
            if room.has(person) and person is not by:
                self._say(
                    room,
                    {by: f'你将"{person.nickname}"移出了群聊', person: f'你被"{by.nickname}"移出群聊'},
                )
                room.remove(person)
                self._forget(room, person)
        self._show(room)

    def rename(self, room: WorldChatroom, name: str, *, by: WorldPerson) -> None:
        """
        Rename a chatroom.

        Raises:
            Refused: The person is not a member.
        """
        self._check_member(room, by)
        room.name = name
        self._show(room)
        self._say(room, {by: f"你修改群名为“{name}”"}, f'"{by.nickname}"修改群名为“{name}”')

    def leave(self, room: WorldChatroom, person: WorldPerson) -> None:
        """
        Leave. If the owner leaves, the next member becomes the owner, without a notice.

        Raises:
            Refused: The person is not a member.
        """
        self._check_member(room, person)
        room.remove(person)
        self._forget(room, person)
        self._show(room)

    def _check_member(self, room: WorldChatroom, person: WorldPerson) -> None:
        if not room.has(person):
            raise Refused(Ret.CHAT_GONE)

    def _show(self, room: WorldChatroom) -> None:
        for member in room.members:
            self._streams.append(member, Selector.CONTACT_CHANGED, lambda view: view.changed(room.id))

    def _forget(self, room: WorldChatroom, person: WorldPerson) -> None:
        self._streams.append(person, Selector.CONTACT_ADDED, lambda view: DeletedContact(user_name=view.name(room.id)))

    def _announce(self, room: WorldChatroom, by: WorldPerson, new: Sequence[WorldPerson]) -> None:
        names = _quoted(new)
        words = {by: f"你邀请{names}加入了群聊"}
        for person in new:
            others = [other for other in new if other is not person]
            together = f"和{_quoted(others)}" if others else ""
            words[person] = f'"{by.nickname}"邀请你{together}加入了群聊'
        self._say(room, words, f'"{by.nickname}"邀请{names}加入了群聊')

    def _say(self, room: WorldChatroom, words: dict[WorldPerson, str], to_others: str = "") -> None:
        """Send one notice to some members, and another or none to all others."""
        for member in room.members:
            line = words.get(member, to_others)
            if line:
                self._delivery.deliver(member, room.id, contents.system(line))


def _quoted(people: Iterable[WorldPerson]) -> str:
    return f'"{"、".join(person.nickname for person in people)}"'
