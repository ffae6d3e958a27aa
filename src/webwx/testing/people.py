"""
People with phones that a test uses, and their chatrooms.

A person sends (`say`, `picture`, `recall`) and reads the phone (`inbox`, `hears`). `hears` waits until the phone shows
a message, without sleeping, and returns each message once: a second `hears("pong")` waits for a second pong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeVar

from webwx.sandbox.errors import Impossible
from webwx.sandbox.media import SOME_VIDEO, SOME_VOICE
from webwx.sandbox.people import FILEHELPER, WorldChat
from webwx.testing.messages import PhoneMessage, transcript_of
from webwx.testing.stage import WorldStage

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.sandbox.people import MessageKind, WorldChatroom, WorldMessage, WorldPerson
    from webwx.sandbox.world import World

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000"
    "000c49444154789c636868680000030401814bd3d2100000000049454e44ae426082"
)
"""One grey pixel as PNG: the default picture."""


T = TypeVar("T")


class PeopleStage(WorldStage, Protocol):
    """The part of a test's sandbox that people and chatrooms use."""

    @property
    def account(self) -> PhoneUser:
        """The person whose bot is tested."""
        ...

    @property
    def friend(self) -> PhoneUser:
        """The account's first friend."""
        ...

    def person(self, name: str, /) -> PhoneUser:
        """Return the person with a nickname or world id."""
        ...

    def add_person(self, nickname: str, /) -> PhoneUser:
        """Add a friend of the account."""
        ...

    def name_of(self, world_id: str, /) -> str:
        """Return the name of a person or chatroom as phones show it."""
        ...

    def wait(self, look: Callable[[], T | None], /) -> T | None:
        """Return the first result of a function that is not None; None when the time is over."""
        ...

    def explanation(self) -> str:
        """Return possible reasons for a wait that timed out, one per line."""
        ...


class PhoneUser:
    """
    A person with a phone.

    The default chat is the one with the account whose bot is tested; for that account itself it is File Transfer
    Helper. A chat is named by a person, a chatroom, or either's name.
    """

    def __init__(self, stage: PeopleStage, person: WorldPerson) -> None:
        self._stage = stage
        self._person = person
        self._shown_ids: set[str] = set()
        """Ids of messages that were returned by `hears`, or sent from this phone."""

    def __repr__(self) -> str:
        return f"PhoneUser({self.nickname!r})"

    @property
    def nickname(self) -> str:
        """Nickname that others see."""
        return self._person.nickname

    @property
    def id(self) -> str:
        """Id in the world, such as `ahua`; clients never see it."""
        return self._person.id

    # -- speaking ----------------------------------------------------------------------------------------------------

    def say(self, text: str, *, to: To | None = None) -> PhoneMessage:
        """
        Send a text.

        Raises:
            Impossible: There is no such chat.
            Refused: The platform refuses the message.
        """
        return self._send(lambda world, chat: world.say(self.id, chat, text), to)

    def quote(self, message: PhoneMessage, text: str, *, to: To | None = None) -> PhoneMessage:
        """Reply to a message of the chat, which is quoted. Raises as `say`."""
        return self._send(lambda world, chat: world.quote(self.id, chat, message.id, text), to)

    def picture(self, content: bytes = PICTURE, *, to: To | None = None) -> PhoneMessage:
        """Send a picture. Raises as `say`."""
        return self._send(lambda world, chat: world.picture(self.id, chat, content), to)

    def file(self, content: bytes = b"a file", name: str = "file.txt", *, to: To | None = None) -> PhoneMessage:
        """Send a file. Raises as `say`."""
        return self._send(lambda world, chat: world.file(self.id, chat, content, name), to)

    def voice(self, content: bytes = SOME_VOICE, *, to: To | None = None) -> PhoneMessage:
        """Send a voice message (MP3). Raises as `say`."""
        return self._send(lambda world, chat: world.voice(self.id, chat, content), to)

    def video(self, content: bytes = SOME_VIDEO, *, to: To | None = None) -> PhoneMessage:
        """Send a video: mp4. Raises as `say`."""
        return self._send(lambda world, chat: world.video(self.id, chat, content), to)

    def sticker(self, content: bytes = b"GIF89a", *, to: To | None = None) -> PhoneMessage:
        """Send a sticker: GIF. Raises as `say`."""
        return self._send(lambda world, chat: world.sticker(self.id, chat, content), to)

    def recall(self, message: PhoneMessage | None = None, *, to: To | None = None) -> None:
        """
        Recall a message of this person, by default the last one in the chat.

        Raises:
            Impossible: There is nothing to recall.
            Refused: The message is older than two minutes, or by another person.
        """
        chat = self._chat_id(to)
        self._stage.do(lambda world: world.recall(self.id, chat, message.id if message else None))

    def confirms_login(self) -> None:
        """
        Scan the newest login code and confirm it: `client.login(show_qr=lambda _: account.confirms_login())`.

        Raises:
            Impossible: There is no code.
        """
        self._stage.do(lambda world: (world.scan(self.id), world.confirm()))

    def _send(self, send: Callable[[World, str], WorldMessage], to: To | None) -> PhoneMessage:
        def sent(world: World) -> PhoneMessage:
            message = send(world, self._chat_id(to))
            self._shown_ids.add(message.id)
            return PhoneMessage.of(message, self._person)

        return self._stage.do(sent)

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def inbox(self) -> list[PhoneMessage]:
        """Messages in the chat with the account, oldest first."""
        return self.chat()

    def chat(self, with_: To | None = None) -> list[PhoneMessage]:
        """
        Return the messages of a chat, oldest first.

        Raises:
            Impossible: There is no such chat.
        """
        return self._stage.do(lambda _: self._messages(self._chat_id(with_)))

    def transcript(self, with_: To | None = None) -> str:
        """
        Return a chat as text, once the bots have handled all messages: `阿华: ping`, one message per line.

        Raises:
            Impossible: There is no such chat.
        """
        self._stage.settle()
        return transcript_of(self.chat(with_))

    def hears(
        self, what: str | re.Pattern[str] | None = None, *, kind: MessageKind | None = None, chat: To | None = None
    ) -> PhoneMessage:
        """
        Wait until the phone shows a message that was not returned before, and return it.

        Messages of this person do not count, except those that a web login sends to File Transfer Helper. Neither do
        the platform's notices, unless `kind="system"` asks for them.

        Args:
            what: Whole text of the message, or a pattern to search for; None: any text.
            kind: Kind of the message, such as `image`; None: any kind.
            chat: Chat of the message; default: the chat with the account.

        Raises:
            MessageNotReceived: The time is over, or the bot has ended. The text lists the messages on the phone.
        """
        __tracebackhide__ = True

        def fits(message: WorldMessage) -> bool:
            if not self._is_new(message) or (message.kind != kind if kind else message.kind == "system"):
                return False
            if isinstance(what, re.Pattern):
                return what.search(message.text) is not None
            return what is None or message.text == what

        name = repr(what.pattern if isinstance(what, re.Pattern) else what) if what is not None else "something"
        return self._wait_for(fits, f"{name} ({kind})" if kind else name, chat)

    def sees_recall(self, what: str | None = None, *, chat: To | None = None) -> PhoneMessage:
        """
        Wait until a message is recalled by its author, and return it.

        Args:
            what: Text of the message; None: any text.
            chat: Chat of the message; default: the chat with the account.

        Raises:
            MessageNotReceived: As `hears`.
        """
        __tracebackhide__ = True

        def fits(message: WorldMessage) -> bool:
            is_theirs = message.sender is not self._person
            return message.is_recalled and is_theirs and (what is None or message.text == what)

        return self._wait_for(fits, f"the recall of {'anything' if what is None else repr(what)}", chat)

    def hears_nothing(self, *, chat: To | None = None) -> bool:
        """
        Wait until the bots have handled all messages, and check that no new message is in the chat.

        Raises:
            UnexpectedMessage: There is a message that was not returned before.
        """
        __tracebackhide__ = True
        self._stage.settle()
        new = self._stage.do(
            lambda _: [
                PhoneMessage.of(each, self._person)
                for each in self._chat(self._chat_id(chat)).messages
                if self._is_new(each) and each.kind != "system"
            ]
        )
        if new:
            raise UnexpectedMessage(f"{self.nickname} expected no message, but the chat has:\n" + _lines(new))
        return True

    def _is_new(self, message: WorldMessage) -> bool:
        """Return whether a message was not returned before; own messages count in File Transfer Helper only."""
        is_shown = message.sender is not self._person or message.to == FILEHELPER
        return is_shown and message.id not in self._shown_ids

    def _wait_for(self, fits: Callable[[WorldMessage], bool], what: str, chat: To | None) -> PhoneMessage:
        __tracebackhide__ = True
        where = self._chat_id(chat)

        def look() -> PhoneMessage | None:
            found = next((each for each in self._chat(where).messages if fits(each)), None)
            return PhoneMessage.of(found, self._person) if found else None

        found = self._stage.wait(look)
        if found is None:
            shown = self._stage.do(lambda _: self._messages(where))
            title = "File Transfer Helper" if where == FILEHELPER else self._stage.name_of(where)
            raise MessageNotReceived(
                f"{self.nickname} waited for {what} in the chat with {title}, "
                + (f"which shows:\n{_lines(shown)}" if shown else "which is empty.")
                + self._stage.explanation()
            )
        self._shown_ids.add(found.id)
        return found

    def _messages(self, chat: str) -> list[PhoneMessage]:
        return [PhoneMessage.of(each, self._person) for each in self._chat(chat).messages]

    def _chat(self, chat: str) -> WorldChat:
        return self._person.chats.get(chat, WorldChat())

    def _chat_id(self, chat: To | None) -> str:
        if chat is None:
            account = self._stage.account
            return FILEHELPER if account.id == self.id else account.id
        if isinstance(chat, (PhoneUser, Chatroom)):
            return chat.id
        return self._stage.world.chat_id(self._person, chat)


class Chatroom:
    """A group chat, as seen by its members."""

    def __init__(self, stage: PeopleStage, room: WorldChatroom) -> None:
        self._stage = stage
        self._room = room

    def __repr__(self) -> str:
        return f"Chatroom({self.name!r})"

    @property
    def name(self) -> str:
        """Name that phones show."""
        return self._room.title

    @property
    def id(self) -> str:
        """Id in the world, such as `hiking`; clients never see it."""
        return self._room.id

    @property
    def members(self) -> list[PhoneUser]:
        """Members, the owner first."""
        return [self._stage.person(person.id) for person in self._room.members]

    def add(self, *people: PhoneUser | str, by: PhoneUser | None = None) -> None:
        """
        Add people, in one call.

        Args:
            people: People, or their nicknames; a nickname that no person has makes a new person, a friend of everyone.
            by: The member who adds them; default: the sandbox's friend.

        Raises:
            Refused: That person is not a member.
        """
        who = [each if isinstance(each, PhoneUser) else self._person(each) for each in people]
        host = by or self._stage.friend
        self._stage.do(
            lambda world: world.membership.add(
                self._room, [world.person(each.id) for each in who], by=world.person(host.id)
            )
        )

    def remove(self, *people: PhoneUser | str) -> None:
        """
        Remove people, or those with these nicknames, as the owner.

        Raises:
            Impossible: There is no person of that name.
        """
        who = [each if isinstance(each, PhoneUser) else self._stage.person(each) for each in people]
        self._stage.do(
            lambda world: world.membership.remove(
                self._room, [world.person(each.id) for each in who], by=self._room.members[0]
            )
        )

    def _person(self, nickname: str) -> PhoneUser:
        """Return the person of a name; a new person if the name is unknown."""
        try:
            return self._stage.person(nickname)
        except Impossible:
            return self._stage.add_person(nickname)


To = PhoneUser | Chatroom | str
"""A chat: a person, a chatroom, or either's name."""


class MessageNotReceived(AssertionError):
    """A phone did not show the expected message."""


class UnexpectedMessage(AssertionError):
    """A phone shows a message that was not expected."""


def _lines(messages: list[PhoneMessage]) -> str:
    return "\n".join(f"  {message}" for message in messages)
