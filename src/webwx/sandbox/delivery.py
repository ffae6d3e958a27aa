"""
Delivery: how messages reach phones and web logins, and how they are recalled.

A message appears on the phones of all its receivers, and in the stream of each receiver's web login. The sender's own
login gets what its phone sends, not what it sent itself (or an echo, by an option), and always the notice of a recall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.protocol.codes import RECALL_WINDOW, Ret, Selector
from webwx.sandbox import contents
from webwx.sandbox.errors import Refused
from webwx.sandbox.people import FILEHELPER, WorldMessage, WorldPerson

if TYPE_CHECKING:
    from webwx.protocol.codes import StatusNotify
    from webwx.sandbox.event_streams import EventStreams
    from webwx.sandbox.people import MessageContent
    from webwx.sandbox.population import Population
    from webwx.sandbox.sessions import WebSession


class MessageDelivery:
    """Delivers the messages of a world, and stores them."""

    def __init__(self, population: Population, streams: EventStreams) -> None:
        self._population = population
        self._streams = streams
        self._messages: dict[str, WorldMessage] = {}

    def send(
        self, sender: WorldPerson, to: str, content: MessageContent, *, by: WebSession | None = None
    ) -> WorldMessage:
        """
        Deliver a message to all its receivers.

        Args:
            sender: The sender.
            to: World id of the chat.
            content: The content.
            by: The session that sent it, which gets it only if echoes are on; None for a phone.

        Raises:
            Refused: The chat cannot be written to, or the sender's phone is offline.
        """
        if sender.is_offline:
            raise Refused(Ret.PHONE_OFFLINE)
        self._check_target(sender, to)
        message = self._new_message(sender, to, content)
        if sender.is_public and content.kind == "link":
            sender.published = message
        is_echoed = by is None or self._population.options.echo == "on"
        self._show(sender, message, is_unread=False, in_session=is_echoed)
        for receiver in self._receivers(sender, to):
            if to in self._population.chatrooms:
                self._show(receiver, message, is_unread=True)
            elif receiver.has_blocked(sender):
                self._notify_not_delivered(sender, receiver, "消息已发出，但被对方拒收了。")
            elif sender.id not in receiver.friends:
                self._notify_not_delivered(
                    sender,
                    receiver,
                    f"{receiver.nickname}开启了朋友验证，你还不是他（她）朋友。"
                    "请先发送朋友验证请求，对方验证通过后，才能聊天。",
                )
            else:
                self._show(receiver, message, is_unread=True)
        return message

    def publish(self, account: WorldPerson, content: MessageContent) -> None:
        """Make content the latest articles of a public account, without delivering it, as before it was followed."""
        account.published = self._new_message(account, account.id, content)

    def find(self, message_id: str) -> WorldMessage | None:
        """Return a message by id, visible or not; None if no message has this id."""
        return self._messages.get(message_id)

    @property
    def messages(self) -> tuple[WorldMessage, ...]:
        """All messages that were ever sent, oldest first."""
        return tuple(self._messages.values())

    def take(self, message: WorldMessage) -> None:
        """Restore a message with its id, without showing it on a phone."""
        self._messages[message.id] = message

    def message(self, message_id: str, viewer: WorldPerson) -> WorldMessage:
        """
        Return a message that a person can see.

        Raises:
            Refused: There is no message with this id in the person's chats.
        """
        message = self._messages.get(message_id)
        if message is None or not viewer.sees(message):
            raise Refused(Ret.SYSTEM_ERROR)
        return message

    def deliver(self, person: WorldPerson, chat: str, content: MessageContent) -> WorldMessage:
        """Show one person a message without an author in a chat, such as a notice or a request."""
        other = self._population.people.get(chat, person)
        message = self._new_message(other, chat if other is person else person.id, content)
        self._show(person, message, is_unread=content.kind != "system")
        return message

    def recall(self, person: WorldPerson, message_id: str) -> WorldMessage:
        """
        Recall a message and notify all who saw it.

        Raises:
            Refused: The message is unknown, another person's, recalled before, or older than two minutes.
        """
        message = self.message(message_id, person)
        room = self._population.chatrooms.get(message.to)
        if room and not room.has(person):
            raise Refused(Ret.CHAT_GONE)
        now = self._population.now
        is_own = message.sender is person and message.kind != "system"
        if not is_own or message.is_recalled or now - message.time > RECALL_WINDOW:
            raise Refused(Ret.SYSTEM_ERROR)
        message.is_recalled = True
        notice_id, old_id = self.new_id(), self._population.rng.getrandbits(30)
        for viewer in (person, *self._receivers(person, message.to)):
            if viewer.sees(message):
                self._population.notify_watchers(viewer.id, message.chat_of(viewer))
                self._streams.append(
                    viewer,
                    Selector.MESSAGES,
                    lambda view: view.recall(message, notice_id=notice_id, old_id=old_id, time=now),
                )
                if viewer is not person:
                    self._population.notify_listeners(viewer, message)
        return message

    def send_recent_chats(self, person: WorldPerson) -> str:
        """Send a new client the recent chats of the phone; return the id of that message."""
        notice_id, now = self.new_id(), self._population.now
        self._streams.append(
            person, Selector.PHONE_ACTIVITY, lambda view: view.recent_chats(notice_id=notice_id, time=now)
        )
        return notice_id

    def report_activity(self, person: WorldPerson, chat: str, code: StatusNotify) -> None:
        """Report to a person's web login that the phone opened or left a chat, by world id."""
        notice_id, now = self.new_id(), self._population.now
        self._streams.append(
            person, Selector.PHONE_ACTIVITY, lambda view: view.phone_activity(chat, code, notice_id=notice_id, time=now)
        )

    def new_id(self) -> str:
        """Return a new message id of 19 digits."""
        return str(self._population.rng.randrange(10**18, 9 * 10**18))

    def _check_target(self, sender: WorldPerson, to: str) -> None:
        room = self._population.chatrooms.get(to)
        if room:
            if not room.has(sender):
                raise Refused(Ret.CHAT_GONE)
        elif to != FILEHELPER and to not in sender.friends:
            raise Refused(Ret.TARGET_REFUSED)

    def _receivers(self, sender: WorldPerson, to: str) -> list[WorldPerson]:
        room = self._population.chatrooms.get(to)
        if room:
            return [member for member in room.members if member is not sender]
        return [self._population.people[to]] if to in self._population.people else []

    def _show(self, person: WorldPerson, message: WorldMessage, *, is_unread: bool, in_session: bool = True) -> None:
        person.receive(message, is_unread=is_unread)
        self._population.notify_watchers(person.id, message.chat_of(person))
        if in_session:
            self._streams.append(person, Selector.MESSAGES, lambda view: view.message(message))
        if person is not message.sender:
            self._population.notify_listeners(person, message)

    def _notify_not_delivered(self, sender: WorldPerson, receiver: WorldPerson, text: str) -> None:
        """Notify the sender that the message was not delivered, although the send succeeded."""
        self._show(sender, self._new_message(receiver, sender.id, contents.system(text)), is_unread=False)

    def _new_message(self, sender: WorldPerson, to: str, content: MessageContent) -> WorldMessage:
        message = WorldMessage(id=self.new_id(), content=content, sender=sender, to=to, time=self._population.now)
        self.take(message)
        return message
