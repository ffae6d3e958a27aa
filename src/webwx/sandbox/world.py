"""
The world: people with phones, their friends and messages, and their logins.

Phones act here directly (`say`, `scan`, `recall`), web clients through the handlers; both use the same few methods, so
the control API, the demo and the tests see what a client sees. Subscribers are notified of every event that can wake a
held poll.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from webwx.protocol.appmsg import Article
from webwx.protocol.codes import Ret, Selector, StatusNotify
from webwx.protocol.sync import DeletedContact
from webwx.sandbox import contents
from webwx.sandbox.clock import SystemClock, VirtualClock, WorldClock
from webwx.sandbox.delivery import MessageDelivery
from webwx.sandbox.errors import Impossible, Refused
from webwx.sandbox.event_streams import EventStreams
from webwx.sandbox.faults import FaultInjector, FaultRule
from webwx.sandbox.forwarded import can_forward, forwarded
from webwx.sandbox.logins import LoginCode
from webwx.sandbox.media import MediaStore
from webwx.sandbox.membership import Membership
from webwx.sandbox.options import Options
from webwx.sandbox.people import ME, PUBLIC, WorldChat, WorldChatroom, WorldMessage, WorldPerson
from webwx.sandbox.population import Population
from webwx.sandbox.scheduler import Scheduler
from webwx.sandbox.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from webwx.protocol.hosts import Hosts
    from webwx.protocol.http import Response
    from webwx.sandbox.people import MessageContent
    from webwx.sandbox.sessions import WebSession

__all__ = ["ME", "Options", "SystemClock", "VirtualClock", "World", "WorldClock", "default_world"]


class World(Population):
    """
    The whole platform.

    Args:
        options: Options of its behaviour.
        clock: Clock of its time limits and polls.
        rng: Source of its ids and keys; with a seed, every run is equal.
    """

    def __init__(
        self, *, options: Options | None = None, clock: WorldClock | None = None, rng: Random | None = None
    ) -> None:
        super().__init__(options=options, clock=clock, rng=rng)
        self.media = MediaStore(self.rng)
        self.streams = EventStreams(self)
        """The changes that web logins fetch."""
        self.delivery = MessageDelivery(self, self.streams)
        self.membership = Membership(self, self.streams, self.delivery)
        self.faults = FaultInjector()
        """The faults; another set may replace it before a server is opened."""
        self.traffic = Traffic(self.clock, self.issued)
        """Recent traffic between clients and this server."""
        self.scheduler = Scheduler()
        """Actions that are due later."""
        self.keyed_answers: dict[str, Response] = {}
        """Answers of the control API to requests with an idempotency key, by the key, the oldest first."""
        self._is_playing = False

    # -- time and wakes ----------------------------------------------------------------------------------------------

    def wind(self, seconds: float) -> None:
        """Move the clock forward and wake every poll. Scheduled actions run on the way, each at its time."""
        until = self.now + seconds
        while self.scheduler.next is not None and self.scheduler.next <= until:
            self.clock.wind(max(0.0, self.scheduler.next - self.now))
            self.play()
        self.clock.wind(max(0.0, until - self.now))
        self.wake("")
        self.notify_watchers()

    def play(self) -> None:
        """Run all actions that are due."""
        if self._is_playing:
            return
        self._is_playing = True
        try:
            while action := self.scheduler.take(self.now):
                action()
        finally:
            self._is_playing = False

    # -- bad days ----------------------------------------------------------------------------------------------------

    def refuse_next(self, endpoint: str, ret: int, *, times: int = 1) -> None:
        """
        Answer the next calls of an endpoint with this Ret (synccheck: this retcode).

        Raises:
            Impossible: There is no such call.
        """
        self.faults.add(FaultRule(fault="ret", endpoint=endpoint, times=times, options={"ret": ret}))

    # -- friends and chatrooms ---------------------------------------------------------------------------------------

    def befriend(self, one: str, other: str, remark: str = "") -> None:
        """
        Make two people friends, or change the second one's remark in the first one's list.

        Raises:
            Impossible: There is no such person.
        """
        first, second = self.person(one), self.person(other)
        self._add_friend(first, second, remark)
        self._add_friend(second, first, second.friends.get(first.id, ""))

    def unfriend(self, who: str, friend: str) -> None:
        """Delete a friend. The other person keeps the friend in the list and learns of it only when writing."""
        person, other = self.person(who), self.person(friend)
        person.friends.pop(other.id, None)
        self.streams.append(person, Selector.CONTACT_ADDED, lambda view: DeletedContact(user_name=view.name(other.id)))

    def change_profile(
        self, who: str, *, nickname: str = "", signature: str | None = None, is_new_picture: bool = False
    ) -> None:
        """
        Change a person's nickname, signature or avatar; their friends are notified.

        Raises:
            Impossible: There is no such person.
        """
        person = self.person(who)
        if nickname:
            self.rename(person, nickname)
        person.signature = person.signature if signature is None else signature
        person.pictures += is_new_picture
        for friend in self.logins.online():
            if person.id in friend.friends:
                self.streams.append(friend, Selector.CONTACT_CHANGED, lambda view: view.changed(person.id))
        self.notify_watchers()

    def set_blocked(self, who: str, other: str, *, is_blocked: bool) -> None:
        """Put a person on a blacklist, or remove the person from it. The person notices it only in a later action."""
        person, blocked = self.person(who), self.person(other)
        if person is blocked:
            raise Impossible("A person cannot be on their own blacklist.", "oneself")
        if is_blocked:
            person.blocked.add(blocked.id)
        else:
            person.blocked.discard(blocked.id)
        if blocked.id in person.friends:
            self.streams.append(person, Selector.CONTACT_CHANGED, lambda view: view.changed(blocked.id))
        self.notify_watchers(person.id)

    def add_chatroom(self, name: str, members: list[str], id: str = "") -> WorldChatroom:  # noqa: A002 - as in add_person
        """
        Create a chatroom; the first member is its owner.

        Raises:
            Impossible: There is no such person, or the id is in use.
        """
        return self.membership.found(name, [self.person(member) for member in members], id)

    def _add_friend(self, person: WorldPerson, friend: WorldPerson, remark: str) -> None:
        if person.friends.get(friend.id) != remark:
            selector = Selector.CONTACT_CHANGED if friend.id in person.friends else Selector.CONTACT_ADDED
            person.friends[friend.id] = remark
            self.streams.append(person, selector, lambda view: view.changed(friend.id))

    # -- logging in --------------------------------------------------------------------------------------------------

    def new_code(self, host: str = "") -> LoginCode:
        """Create a code for a login at a host."""
        code = self.logins.new_code(host)
        self.notify_watchers()
        return code

    def scan(self, who: str = ME, uuid: str = "") -> LoginCode:
        """
        Scan a code, by default the newest one, with a person's phone.

        Raises:
            Impossible: There is no such person or code, or the phone is offline.
        """
        person = self.person(who)
        if person.is_public:
            raise Impossible(f"{person.nickname} is a public account: it cannot log in.", "public-account")
        if person.is_offline:
            raise Impossible(f"{person.nickname}'s phone is offline.", "phone-offline")
        return self._notified(self.logins.scan(person, uuid))

    def confirm(self, uuid: str = "") -> LoginCode:
        """
        Confirm the login on the phone that scanned the code.

        Raises:
            Impossible: No code has been scanned.
        """
        return self._notified(self.logins.confirm(uuid))

    def cancel(self, uuid: str = "") -> LoginCode:
        """
        Cancel the login on the phone that scanned the code.

        Raises:
            Impossible: No code has been scanned.
        """
        return self._notified(self.logins.cancel(uuid))

    def _notified(self, code: LoginCode) -> LoginCode:
        self.wake(code.uuid)
        self.notify_watchers()
        return code

    def expire(self, uuid: str = "") -> LoginCode:
        """
        Expire a code, by default the newest.

        Raises:
            Impossible: There is no such code.
        """
        return self._notified(self.logins.expire(uuid))

    def log_in(self, person: WorldPerson, *, family: Hosts | None = None, is_helper: bool = False) -> WebSession:
        """Open a web login; an earlier one of the same account ends."""
        lifetime = self.options.login_hours * 3600 or inf
        renews_skey = self.options.skey == "renewed"
        session = self.logins.open(
            person, family=family, is_helper=is_helper, lifetime=lifetime, renews_skey=renews_skey
        )
        self.wake(person.id)
        self.notify_watchers()
        return session

    def next_account(self) -> WorldPerson:
        """Return the first account without a web login; the first of all if everyone has one."""
        free = (p for p in self.people.values() if not p.is_public and not self.logins.is_busy(p))
        return next(free, self.person(ME))

    def log_out(self, who: str = ME) -> None:
        """
        End a person's web login on the phone.

        Raises:
            Impossible: The person has no web login.
        """
        self.end(self._login(who), Ret.SESSION_NOT_FOUND)

    def evict(self, who: str = ME) -> None:
        """
        End a person's web login because another client, outside this world, logs in.

        Raises:
            Impossible: The person has no web login.
        """
        self.end(self._login(who), Ret.SESSION_INVALID)

    def _login(self, who: str) -> WebSession:
        person = self.person(who)
        session = self.logins.live(person)
        if session is None:
            raise Impossible(f"{person.nickname} has no web login.", "no-web-login")
        return session

    def end(self, session: WebSession, ret: Ret, *, silence: float = 0.0) -> None:
        """End a session; a held poll is answered after the silence."""
        session.ended = ret
        session.silent_until = self.now + silence
        self.wake(session.person.id)
        self.notify_watchers()

    # -- talking -----------------------------------------------------------------------------------------------------

    def say(self, sender: str, to: str, text: str) -> WorldMessage:
        """
        Send a text from a person's phone.

        Args:
            sender: The sender.
            to: A person, a chatroom by name or id, or `filehelper`.
            text: The text as typed.

        Raises:
            Impossible: There is no such person or chat.
            Refused: The platform refuses the message.
        """
        return self.send(sender, to, contents.text(text))

    def quote(self, sender: str, to: str, message_id: str, text: str) -> WorldMessage:
        """
        Reply to a message from a person's phone, in the form that `options.quotes` names.

        Raises:
            Impossible: There is no such person, chat or message.
            Refused: The platform refuses the message.
        """
        person = self.person(sender)
        quoted = self.delivery.message(message_id, person)
        if self.options.quotes == "text":
            return self.send(sender, to, contents.text_quote(quoted, text))
        return self.send(sender, to, contents.quote(person, quoted, self.real_id(self.chat_id(person, to)), text))

    def picture(self, sender: str, to: str, content: bytes) -> WorldMessage:
        """Send a picture from a person's phone, as `send` does."""
        return self.send(sender, to, contents.image(self.media.add(content)))

    def file(self, sender: str, to: str, content: bytes, name: str) -> WorldMessage:
        """Send a file from a person's phone, as `send` does."""
        return self.send(sender, to, contents.file(self.person(sender), self.media.add(content, name)))

    def voice(self, sender: str, to: str, content: bytes, *, milliseconds: int = 1_000) -> WorldMessage:
        """Send a voice message from a person's phone, as `send` does."""
        return self.send(sender, to, contents.voice(self.person(sender), self.media.add(content), milliseconds))

    def video(self, sender: str, to: str, content: bytes, *, seconds: int = 1, is_short: bool = False) -> WorldMessage:
        """Send a video from a person's phone, as `send` does."""
        media_file = self.media.add(content)
        return self.send(sender, to, contents.video(self.person(sender), media_file, seconds, is_short=is_short))

    def sticker(self, sender: str, to: str, content: bytes) -> WorldMessage:
        """Send a sticker from a person's phone, as `send` does."""
        return self.send(sender, to, contents.sticker(self.person(sender), self.media.add(content)))

    def send(self, sender: str, to: str, content: MessageContent) -> WorldMessage:
        """
        Send any content from a person's phone.

        Raises:
            Impossible: There is no such person or chat.
            Refused: The chat cannot be written to.
        """
        person = self.person(sender)
        message = self.delivery.send(person, self.chat_id(person, to), content)
        self.play()
        return message

    def notify(self, who: str, chat: str, content: MessageContent) -> WorldMessage:
        """
        Show a person a notice of the platform in a chat.

        Raises:
            Impossible: There is no such person or chat.
        """
        person = self.person(who)
        message = self.delivery.deliver(person, self.chat_id(person, chat), content)
        self.play()
        return message

    def ask_friend(self, sender: str, to: str, greeting: str) -> WorldMessage:
        """
        Send a friend request. The ticket in the message accepts it.

        Raises:
            Impossible: There is no such person.
        """
        person, other = self.person(sender), self.person(to)
        ticket = f"v2_{self.rng.randbytes(32).hex()}@stranger"
        self.issued.add(ticket)
        other.asked_by[person.id] = ticket
        self.notify_watchers(other.id)
        shared = next((room.real_id for room in person.rooms.values() if room.has(other)), "")
        content = contents.friend_request(person, greeting, ticket, met_in=shared)
        message = self.delivery.deliver(other, person.id, content)
        self.play()
        return message

    def accept_friend(self, who: str, asked_by: str, ticket: str = "") -> None:
        """
        Accept a person's request; both sides are notified.

        Args:
            who: The person who accepts.
            asked_by: The person who asked.
            ticket: From the request; an empty one is accepted, because one client sends it.

        Raises:
            Impossible: There is no such person.
            Refused: There is no request, or the ticket is wrong.
        """
        person, other = self.person(who), self.person(asked_by)
        expected = person.asked_by.get(other.id)
        if expected is None or ticket not in {"", expected}:
            raise Refused(Ret.SYSTEM_ERROR)
        del person.asked_by[other.id]
        self.notify_watchers(person.id)
        self._add_friend(person, other, person.friends.get(other.id, ""))
        self._add_friend(other, person, other.friends.get(person.id, ""))
        self.delivery.deliver(person, other.id, contents.system(f"你已添加了{other.nickname}，现在可以开始聊天了。"))
        self.delivery.send(person, other.id, contents.text("我通过了你的朋友验证请求，现在我们可以开始聊天了"))

    def set_remark(self, person: WorldPerson, friend: str, remark: str) -> None:
        """
        Set the remark of a friend, by world id.

        Raises:
            Refused: The two are not friends.
        """
        if friend not in person.friends:
            raise Refused(Ret.TARGET_REFUSED)
        self._add_friend(person, self.people[friend], remark)

    def set_offline(self, who: str, *, is_offline: bool) -> None:
        """
        Disconnect a person's phone from the network, or reconnect it.

        Raises:
            Impossible: There is no such person.
        """
        self.person(who).is_offline = is_offline
        self.notify_watchers()

    def set_pinned(self, who: str, chat: str, *, is_pinned: bool) -> None:
        """
        Pin a chat to the top of a person's list, or unpin it.

        Raises:
            Impossible: There is no such person or chat.
        """
        person = self.person(who)
        world_id = self.chat_id(person, chat)
        if is_pinned:
            person.pinned.add(world_id)
        else:
            person.pinned.discard(world_id)
        self.streams.append(person, Selector.CONTACT_CHANGED, lambda view: view.changed(world_id))

    def set_saved(self, who: str, chatroom: str, *, is_saved: bool) -> None:
        """
        Save a chatroom to a person's address book, or remove it.

        Raises:
            Impossible: There is no such person or chatroom.
        """
        person = self.person(who)
        room = self.chatroom(person, chatroom)
        if is_saved:
            person.saved.add(room.id)
        else:
            person.saved.discard(room.id)
        self.streams.append(person, Selector.CONTACT_CHANGED, lambda view: view.changed(room.id))

    def recall(self, sender: str, to: str, message_id: str | None = None) -> WorldMessage:
        """
        Recall a person's message, by default the last one there.

        Raises:
            Impossible: There is nothing to recall.
            Refused: The message is older than two minutes, or another person's.
        """
        person = self.person(sender)
        if not message_id:
            chat = person.chats.get(self.chat_id(person, to), WorldChat())
            own = [m.id for m in chat.messages if m.sender is person and not m.is_recalled]
            if not own:
                raise Impossible(f"{person.nickname} has no message to recall there.", "nothing-to-recall")
            message_id = own[-1]
        message = self.delivery.recall(person, message_id)
        self.play()
        return message

    def read_chat(self, *, who: str = ME, chat: str, message_id: str = "") -> None:
        """
        Read a chat on a person's phone without opening it, as from a notification; clears its unread count.

        Args:
            who: The owner of the phone.
            chat: The chat.
            message_id: The last message that was read: later ones stay unread. By default all are read.

        Raises:
            Impossible: There is no such person or chat.
        """
        self._view_chat(who, chat, StatusNotify.READ, message_id)

    def open_chat(self, *, who: str = ME, chat: str) -> None:
        """
        Open a chat on a person's phone; clears its unread count.

        Raises:
            Impossible: There is no such person or chat.
        """
        self._view_chat(who, chat, StatusNotify.ENTER_CHAT)

    def _view_chat(self, who: str, chat: str, code: StatusNotify, message_id: str = "") -> None:
        person = self.person(who)
        world_id = self.chat_id(person, chat)
        self.mark_read(person, world_id, message_id)
        self.delivery.report_activity(person, world_id, code)

    def mark_read(self, person: WorldPerson, chat: str, message_id: str = "") -> None:
        """Mark a chat as read, by world id, up to a message or completely, without notifying a client."""
        person.mark_read(chat, message_id)
        self.notify_watchers(person.id, chat)

    def close_chat(self, *, who: str = ME, chat: str) -> None:
        """
        Go back from a chat to the list of chats on a person's phone.

        Raises:
            Impossible: There is no such person or chat.
        """
        person = self.person(who)
        self.delivery.report_activity(person, self.chat_id(person, chat), StatusNotify.QUIT_CHAT)

    def forward(self, sender: str, to: str, message_ids: Sequence[str]) -> list[WorldMessage]:
        """
        Forward messages that are on a person's phone: each becomes a new message of that person, of the same kind.

        Args:
            sender: The owner of the phone.
            to: A person, a chatroom by name or id, or `filehelper`.
            message_ids: Ids of the messages, in the order in which they are sent.

        Raises:
            Impossible: There is no such person, chat or message, or phones do not forward one of them; none is sent.
            Refused: The platform refuses the messages.
        """
        person = self.person(sender)
        chosen = [self._message_on_phone(person, message_id) for message_id in message_ids]
        if any(message.is_recalled or not can_forward(message.content) for message in chosen):
            raise Impossible("Phones do not forward one of these messages.", "no-forward")
        return [self.send(sender, to, forwarded(message.content, person)) for message in chosen]

    def _message_on_phone(self, person: WorldPerson, message_id: str) -> WorldMessage:
        message = self.delivery.find(message_id)
        chat = person.chats.get(message.chat_of(person)) if message else None
        if message is None or chat is None or message not in chat.messages:
            raise Impossible(f"{person.nickname}'s phone has no such message.", "no-message")
        return message

    def delete_messages(self, who: str, chat: str, message_ids: Sequence[str] = ()) -> None:
        """
        Delete messages of a chat on a person's phone, or all of them if no id is given.

        Others keep the messages, and so does the person's web login: nothing is sent.

        Raises:
            Impossible: There is no such person or chat.
        """
        person = self.person(who)
        world_id = self.chat_id(person, chat)
        person.delete(world_id, message_ids)
        self.notify_watchers(person.id, world_id)
        self.notify_watchers(person.id)

    def inbox(self, who: str) -> dict[str, WorldChat]:
        """
        Return the chats of a person's phone by world id, most recently used first.

        Raises:
            Impossible: There is no such person.
        """
        person = self.person(who)
        return {key: chat for key, chat in reversed(person.chats.items()) if chat.messages}


_ARTICLES = tuple(
    Article(
        title=title, digest=digest, url=f"http://weekly.example/{number}", cover=f"http://weekly.example/{number}.jpg"
    )
    for number, (title, digest) in enumerate(
        [("香山红叶几时最好", "今年比去年晚一周。"), ("新手装备清单", "鞋要合脚，水要带够。")], 1
    )
)
"""Articles of the public account in the default world."""


def default_world(
    *, options: Options | None = None, clock: WorldClock | None = None, rng: Random | None = None
) -> World:
    """
    Create the default world of a sandbox.

    It has four friends with accounts, one chatroom with all of them, which they have saved to their contacts, and a
    public account that they follow, with two articles.
    """
    world = World(options=options, clock=clock, rng=rng)
    for id_, nickname in (("xiaoming", "小明"), ("ahua", "阿华"), ("zhangsan", "张三"), ("lilei", "李雷")):
        world.add_person(nickname, id_)
    ahua, lilei = world.person("ahua"), world.person("lilei")
    ahua.sex, ahua.province, ahua.city, ahua.signature = 2, "上海", "浦东", "慢慢来"
    lilei.sex, lilei.province, lilei.city = 1, "北京", "海淀"
    everybody = list(world.people)
    for at, one in enumerate(everybody):
        for other in everybody[at + 1 :]:
            world.befriend(one, other)
    world.befriend("xiaoming", "lilei", remark="Boss")
    world.add_chatroom("周末爬山", everybody, "hiking")
    for person in everybody:
        world.set_saved(person, "hiking", is_saved=True)
    account = world.add_person("爬山周刊", "weekly")
    account.verify_flag = PUBLIC
    first = _ARTICLES[0]
    world.delivery.publish(account, contents.link(account, first.title, first.url, first.digest, _ARTICLES))
    for person in everybody:
        world.befriend(person, account.id)
    return world
