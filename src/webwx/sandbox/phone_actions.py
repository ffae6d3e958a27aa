"""
The actions of one person's phone, as methods for a script, and some events of the person's web login.

In the reaction to a message, everything is sent to the chat of the message, unless `to` or `chat` names another one.
People and chatrooms are named by nickname, name or id, or as `me`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.sandbox.errors import Impossible
from webwx.sandbox.media import SOME_VIDEO, SOME_VOICE
from webwx.sandbox.pictures import avatar

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.sandbox.people import MessageContent, WorldChatroom, WorldMessage, WorldPerson
    from webwx.sandbox.world import World


class PhoneActions:
    """
    What one person can do on their phone.

    Args:
        world: The world of the person.
        person: The owner of the phone.
        chat: World id of the open chat; empty if no chat is open.
        later: Schedules a call after some seconds.
    """

    def __init__(
        self, world: World, person: WorldPerson, chat: str, later: Callable[[float, Callable[[], object]], None]
    ) -> None:
        self.world = world
        """The world, for everything that has no method here."""
        self.id = person.id
        """World id of the person."""
        self._person = person
        self._chat = chat
        self._later = later

    def __repr__(self) -> str:
        return f"PhoneActions({self.id})"

    @property
    def nickname(self) -> str:
        """Nickname of the person."""
        return self._person.nickname

    def person(self, name: str) -> PhoneActions:
        """
        Return the phone actions of another person, with no chat opened.

        Raises:
            Impossible: There is no such person.
        """
        return PhoneActions(self.world, self.world.person(name), "", self._later)

    def after(self, seconds: float, action: Callable[..., object], *arguments: object, **named: object) -> None:
        """
        Run an action later, as in `ahua.after(5, ahua.recall, pong)`.

        Raises:
            Impossible: The number of seconds is not valid.
        """
        self._later(seconds, lambda: action(*arguments, **named))

    # -- sending; all raise Impossible and Refused ---------------------------------------------------------------------

    def say(self, text: str, to: str = "") -> WorldMessage:
        """Write a text."""
        return self.world.say(self.id, self._where(to), text)

    def picture(self, content: bytes | None = None, to: str = "") -> WorldMessage:
        """Send a picture: the given one, or a new one of one colour."""
        return self.world.picture(self.id, self._where(to), content or self._drawn())

    def file(self, name: str, content: bytes = b"...", to: str = "") -> WorldMessage:
        """Send a file."""
        return self.world.file(self.id, self._where(to), content, name)

    def voice(self, content: bytes = SOME_VOICE, to: str = "", *, seconds: float = 1.0) -> WorldMessage:
        """Send a voice message."""
        return self.world.voice(self.id, self._where(to), content, milliseconds=int(seconds * 1000))

    def video(self, content: bytes = SOME_VIDEO, to: str = "", *, seconds: int = 1) -> WorldMessage:
        """Send a video."""
        return self.world.video(self.id, self._where(to), content, seconds=seconds)

    def sticker(self, content: bytes | None = None, to: str = "") -> WorldMessage:
        """Send a sticker: the given one, or a new one of one colour."""
        return self.world.sticker(self.id, self._where(to), content or self._drawn())

    def send(self, content: MessageContent, to: str = "") -> WorldMessage:
        """
        Send any content that `webwx.sandbox.contents` can build.

        Raises:
            Impossible: There is no such chat, or no chat is named.
            Refused: The platform refuses the message.
        """
        return self.world.send(self.id, self._where(to), content)

    def recall(self, message: WorldMessage | None = None, to: str = "") -> WorldMessage:
        """
        Recall a message, by default the last one in a chat.

        Raises:
            Impossible: There is nothing to recall.
            Refused: The message is older than two minutes, or another person's.
        """
        return self.world.recall(self.id, message.to if message else self._where(to), message.id if message else None)

    def forward(self, *messages: WorldMessage, to: str = "") -> list[WorldMessage]:
        """
        Forward messages.

        Raises:
            Impossible: A message is not on this phone or cannot be forwarded, there is no such chat, or none is named.
            Refused: The platform refuses the messages.
        """
        return self.world.forward(self.id, self._where(to), [message.id for message in messages])

    def delete(self, *messages: WorldMessage, chat: str = "") -> None:
        """
        Delete messages of a chat on this phone only, or all of them if none is named.

        Raises:
            Impossible: There is no such chat, or no chat is named.
        """
        self.world.delete_messages(self.id, self._where(chat), [message.id for message in messages])

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, chat: str = "") -> None:
        """
        Read a chat without opening it, as from a notification.

        Raises:
            Impossible: There is no such chat, or no chat is named.
        """
        self.world.read_chat(who=self.id, chat=self._where(chat))

    def open(self, chat: str = "") -> None:
        """
        Open a chat.

        Raises:
            Impossible: There is no such chat, or no chat is named.
        """
        self.world.open_chat(who=self.id, chat=self._where(chat))

    # -- friends -------------------------------------------------------------------------------------------------------

    def ask_friend(self, who: str, greeting: str = "") -> WorldMessage:
        """
        Send a friend request.

        Raises:
            Impossible: There is no such person.
        """
        return self.world.ask_friend(self.id, who, greeting)

    def accept_friend(self, who: str = "") -> None:
        """
        Accept a person's request, by default the one of the current message.

        Raises:
            Impossible: There is no such person, or no person is named.
            Refused: The person has not sent a request.
        """
        self.world.accept_friend(self.id, who or self._where(""))

    def unfriend(self, who: str) -> None:
        """
        Delete a friend.

        Raises:
            Impossible: There is no such person.
        """
        self.world.unfriend(self.id, who)

    def set_blocked(self, who: str, *, is_blocked: bool = True) -> None:
        """
        Put a person on the blacklist, or take them off it.

        Raises:
            Impossible: There is no such person, or the person is the owner of the phone.
        """
        self.world.set_blocked(self.id, who, is_blocked=is_blocked)

    # -- chatrooms; all raise Impossible, and Refused for actors who are not members -----------------------------------

    def create_chatroom(self, name: str, *members: str) -> WorldChatroom:
        """Open a chatroom with these people."""
        return self.world.membership.open(self._person, [self.world.person(each) for each in members], name)

    def add_members(self, chat: str, *members: str) -> None:
        """Add people to a chatroom."""
        self.world.membership.add(self._room(chat), [self.world.person(each) for each in members], by=self._person)

    def remove_members(self, chat: str, *members: str) -> None:
        """Remove people from a chatroom; only its owner can do it."""
        self.world.membership.remove(self._room(chat), [self.world.person(each) for each in members], by=self._person)

    def join_chatroom(self, chat: str, by: str = "me") -> None:
        """Open a member's invitation to a chatroom."""
        member = self.world.person(by)
        self.world.membership.join(self.world.chatroom(member, chat), self._person, by=member)

    def leave_chatroom(self, chat: str = "") -> None:
        """Leave a chatroom."""
        self.world.membership.leave(self._room(chat), self._person)

    def rename_chatroom(self, name: str, chat: str = "") -> None:
        """Rename a chatroom."""
        self.world.membership.rename(self._room(chat), name, by=self._person)

    # -- what happens to clients ---------------------------------------------------------------------------------------

    def log_out(self) -> None:
        """
        End this person's web login on the phone, as in `ahua.person("me").log_out()`.

        Raises:
            Impossible: The person has no web login.
        """
        self.world.log_out(self.id)

    def fault(self, rule: str) -> None:
        """
        Turn a fault on, such as `html_page:endpoint=webwxsync,times=3`.

        Raises:
            Impossible: There is no such fault.
        """
        self.world.faults.add(rule)

    def faults_off(self) -> None:
        """Turn all faults off."""
        self.world.faults.reset()

    def _where(self, named: str) -> str:
        if not named and not self._chat:
            raise Impossible("Name the chat, as in ahua.say('hello', to='me'): this is not a reaction to a message.")
        return named or self._chat

    def _room(self, named: str) -> WorldChatroom:
        return self.world.chatroom(self._person, self._where(named))

    def _drawn(self) -> bytes:
        return avatar(self.world.rng.randbytes(8).hex())
