"""
The world as one session sees it: people, chatrooms and messages as wire values, in that session's names.

Names and texts are escaped here, once, on their way out.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from webwx.protocol.appmsg import Article, read_app
from webwx.protocol.codes import MessageStatus, MessageType, StatusNotify
from webwx.protocol.contacts import PublicAccountNews, SubscribedArticle, WireContact, WireMember, WireUser
from webwx.protocol.content import RecallNotice, escape, write_recall_notice
from webwx.protocol.messages import RecommendInfo, WireMessage
from webwx.sandbox.people import BUILTIN, FILEHELPER, TEAM, WorldChatroom, WorldMessage, WorldPerson
from webwx.sandbox.pinyin import spell
from webwx.sandbox.stream import ChangedContact

if TYPE_CHECKING:
    from webwx.sandbox.media import MediaFile
    from webwx.sandbox.people import MessageContent
    from webwx.sandbox.population import Population
    from webwx.sandbox.sessions import WebSession

FRIEND_FLAG = 3
"""`ContactFlag` of a friend, and of a chatroom saved to the contacts."""

_CHAT_FLAG = 2
"""`ContactFlag` of a chatroom that is not saved; in the first snapshot it is 0."""

_BLOCKED_FLAG = 8

_PINNED_FLAG = 2048

_VERIFIED_TEAM = 56
"""`VerifyFlag` of the platform's own account."""

_TEAM_STATUS = 4
"""`AttrStatus` of that account."""

Shown = Literal["recent", "listed", "asked"]
"""Call in which a contact is shown: webwxinit, webwxgetcontact or webwxbatchgetcontact."""


class View:
    """The world with the ids that one session sees."""

    def __init__(self, population: Population, session: WebSession) -> None:
        self._population = population
        self._session = session
        self._me = session.person

    def name(self, world_id: str) -> str:
        """Return the session's name of a person, a chatroom or a built-in account."""
        return self._session.names.name(world_id, is_chatroom=world_id in self._population.chatrooms)

    # -- contacts ----------------------------------------------------------------------------------------------------

    def user(self) -> WireUser:
        """Show the account itself."""
        name = self.name(self._me.id)
        return WireUser(
            uin=self._me.uin,
            user_name=name,
            nick_name=escape(self._me.nickname),
            head_img_url=_icon(name, self._version(self._me)) + self._session.keys.skey,
            sex=self._me.sex,
            signature=escape(self._me.signature),
            head_img_flag=1,
            sns_flag=self._me.sns_flag,
        )

    def contact(self, world_id: str, shown: Shown = "listed") -> WireContact:
        """Show a person, a chatroom or a built-in account. With `skey`, the address of its picture ends in the skey."""
        room = self._population.chatrooms.get(world_id)
        if room:
            contact = self._chatroom(room, shown)
        elif world_id in BUILTIN:
            contact = self._builtin(world_id)
        else:
            contact = self._person(self._population.people[world_id], shown)
        if shown == "asked":
            return contact
        return replace(contact, head_img_url=contact.head_img_url + self._session.keys.skey)

    def changed(self, world_id: str) -> ChangedContact:
        """Show a contact as sync shows a changed one."""
        contact = self.contact(world_id, "asked")
        room = self._population.chatrooms.get(world_id)
        return ChangedContact(
            user_name=contact.user_name,
            nick_name=contact.nick_name,
            sex=contact.sex,
            alias=contact.alias,
            signature=contact.signature,
            attr_status=contact.attr_status,
            province=contact.province,
            city=contact.city,
            chat_room_owner=self.name(room.owner.id) if room and room.owner else "",
            head_img_url=contact.head_img_url + self._session.keys.skey,
            contact_flag=contact.contact_flag,
            member_count=contact.member_count,
            member_list=contact.member_list,
            verify_flag=contact.verify_flag,
            remark_name=contact.remark_name,
            statues=contact.statues,
            sns_flag=contact.sns_flag,
            key_word=contact.key_word,
        )

    def recent(self) -> list[str]:
        """Return the world ids of the recent chats, newest first; File Transfer Helper and chatrooms always count."""
        if self._session.is_helper:
            return [FILEHELPER]
        used = [world_id for world_id, chat in reversed(self._me.chats.items()) if chat.messages]
        always = [FILEHELPER, *(room.id for room in self._me.rooms.values())]
        return used + [world_id for world_id in always if world_id not in used]

    def subscriptions(self) -> list[PublicAccountNews]:
        """Show the latest articles of each public account; none in a session of File Transfer Helper."""
        if self._session.is_helper:
            return []
        accounts = (self._population.people[each] for each in self._me.friends)
        return [shown for account in accounts if account.is_public and (shown := self._subscription(account))]

    def _subscription(self, account: WorldPerson) -> PublicAccountNews | None:
        message = account.published
        app = read_app(message.content.wire.content) if message else None
        if message is None or app is None:
            return None
        articles = app.articles or (Article(title=app.title, digest=app.description, url=app.url),)
        return PublicAccountNews(
            user_name=self.name(account.id),
            mp_article_count=len(articles),
            mp_article_list=[
                SubscribedArticle(title=escape(each.title), digest=escape(each.digest), cover=each.cover, url=each.url)
                for each in articles
            ],
            time=int(message.time),
            nick_name=escape(account.nickname),
        )

    def _person(self, person: WorldPerson, shown: Shown) -> WireContact:
        name = self.name(person.id)
        is_contact = person.id in self._me.friends or person is self._me
        blocked = _BLOCKED_FLAG if self._me.has_blocked(person) else 0
        remark = self._me.friends.get(person.id, "")
        initials, pinyin = spell(person.nickname)
        remark_initials, remark_pinyin = spell(remark)
        return WireContact(
            user_name=name,
            nick_name=escape(person.nickname),
            head_img_url=_icon(name, self._version(person)),
            contact_flag=FRIEND_FLAG | blocked | self._pin(person.id) if is_contact else 0,
            remark_name=escape(remark),
            py_initial=initials,
            py_quan_pin=pinyin,
            remark_py_initial=remark_initials,
            remark_py_quan_pin=remark_pinyin,
            sex=person.sex,
            signature=escape(person.signature),
            verify_flag=person.verify_flag,
            province=person.province,
            city=person.city,
            alias=person.alias,
            attr_status=person.attr_status,
            sns_flag=person.sns_flag,
            key_word="gh_" if person.is_public else "",
            encry_chat_room_id="0" if shown == "asked" else "",
        )

    def _version(self, person: WorldPerson) -> int:
        """Return the version number of an avatar."""
        return zlib.crc32(person.picture.encode()) if self._population.options.picture_versions == "sent" else 0

    def _builtin(self, world_id: str) -> WireContact:
        initials, pinyin = spell(BUILTIN[world_id])
        is_team = world_id == TEAM
        return WireContact(
            user_name=world_id,
            nick_name=BUILTIN[world_id],
            head_img_url=_icon(world_id),
            contact_flag=FRIEND_FLAG,
            signature="微信团队官方帐号" if is_team else "",
            py_initial=initials,
            py_quan_pin=pinyin,
            verify_flag=_VERIFIED_TEAM if is_team else 0,
            attr_status=_TEAM_STATUS if is_team else 0,
            key_word=world_id[:3],
        )

    def _chatroom(self, room: WorldChatroom, shown: Shown) -> WireContact:
        """
        Return a chatroom as a contact.

        The contact list has the saved chatrooms, without members. The first snapshot has these in the same form, and
        the others with their members' ids but not their names.
        """
        name = self.name(room.id)
        is_saved = room.id in self._me.saved
        members: list[WireMember] = []
        if shown == "asked":
            members = [self.member(person, room) for person in room.members]
        elif not is_saved:
            members = [WireMember(user_name=self.name(person.id)) for person in room.members]
        unsaved_flag = 0 if shown == "recent" else _CHAT_FLAG
        is_owner = room.owner is self._me
        initials, pinyin = spell(room.name)
        return WireContact(
            user_name=name,
            nick_name=escape(room.name),
            py_initial=initials,
            py_quan_pin=pinyin,
            head_img_url=f"/cgi-bin/mmwebwx-bin/webwxgetheadimg?seq=0&username={name}&skey=",
            contact_flag=(FRIEND_FLAG if is_saved else unsaved_flag) | self._pin(room.id),
            member_count=len(members),
            member_list=members,
            owner_uin=self._me.uin if is_owner else 0,
            statues=1,
            encry_chat_room_id=f"@{_digest(room.id)}" if shown == "asked" else "",
            is_owner=int(is_owner),
        )

    def member(self, person: WorldPerson, room: WorldChatroom | None = None, *, status: int = 0) -> WireMember:
        """Return a person as a member of a chatroom, or as one who could not be added."""
        return WireMember(
            user_name=self.name(person.id),
            nick_name=escape(person.nickname),
            attr_status=person.attr_status,
            display_name=escape(room.names.get(person.id, "")) if room else "",
            member_status=status,
        )

    def _pin(self, world_id: str) -> int:
        return _PINNED_FLAG if world_id in self._me.pinned else 0

    # -- messages ----------------------------------------------------------------------------------------------------

    def message(self, message: WorldMessage) -> WireMessage:
        """Show a message as sync delivers it."""
        content = message.content
        prefix = ""
        sender, receiver = message.sender.id, message.to
        if message.to in self._population.chatrooms and (message.sender is not self._me or content.kind == "system"):
            prefix = "" if content.kind == "system" else self._prefix(message)
            sender, receiver = message.to, self._me.id
        envelope = self._envelope(message.id, sender, receiver, message.time)
        wire = content.wire
        return replace(
            wire,
            msg_id=envelope.msg_id,
            new_msg_id=envelope.new_msg_id,
            from_user_name=wire.from_user_name or envelope.from_user_name,
            to_user_name=envelope.to_user_name,
            create_time=envelope.create_time,
            content=prefix + self._content(message),
            file_name=escape(wire.file_name),
            url=escape(wire.url),
            media_id=self._media_id(content),
            recommend_info=self._recommended(content),
        )

    def _content(self, message: WorldMessage) -> str:
        content = message.content
        if content.kind == "location":
            # The path stands unescaped behind the address, and clients know a location by it.
            path = "/cgi-bin/mmwebwx-bin/webwxgetpubliclinkimg?url=xxx"
            return f"{escape(content.wire.content)}:<br/>{path}&msgid={message.id}&pictype=location"
        if content.kind == "image" and content.media_file:
            return self._picture_content(content.media_file, content.wire.content)
        return escape(content.wire.content)

    def _media_id(self, content: MessageContent) -> str:
        """Return an id of a file that is valid in this session alone."""
        if content.kind != "file" or content.media_file is None:
            return ""
        media_id = self._population.logins.new_media_id()
        self._session.media[media_id] = content.media_file
        return media_id

    def _recommended(self, content: MessageContent) -> RecommendInfo:
        shown = content.wire.recommend_info
        return replace(
            shown,
            user_name=self.name(content.about) if content.about else "",
            nick_name=escape(shown.nick_name),
            content=escape(shown.content),
            signature=escape(shown.signature),
        )

    def recall(self, message: WorldMessage, *, notice_id: str, old_id: int, time: float) -> WireMessage:
        """
        Return the notice of a recall.

        Own recalls in a chatroom come from the chatroom and without a prefix, so neither names nor prefixes show their
        author.
        """
        in_chatroom = message.to in self._population.chatrooms
        xml = write_recall_notice(
            RecallNotice(
                message_id=message.id,
                text=recall_text(message, self._me),
                session=self._population.real_id(message.chat_of(self._me)),
                old_message_id=str(old_id),
            )
        )
        sender, receiver = (message.to, self._me.id) if in_chatroom else (message.sender.id, message.to)
        prefix = self._prefix(message) if in_chatroom and message.sender is not self._me else ""
        return replace(
            self._envelope(notice_id, sender, receiver, time),
            msg_type=MessageType.RECALL,
            status=MessageStatus.SYSTEM,
            content=prefix + escape(xml),
        )

    def recent_chats(self, *, notice_id: str, time: float) -> WireMessage:
        """Show the recent chats that the phone sends a new client: by names and, by an option, by real ids."""
        recent = self.recent()
        real_ids = ",".join(self._population.real_id(world_id) for world_id in recent)
        xml = (
            f"<msg>\n<op id='4'>\n<username>{real_ids}</username>\n<unreadchatlist>\n</unreadchatlist>\n"
            "<unreadfunctionlist></unreadfunctionlist>\n</op>\n</msg>"
        )
        return replace(
            self._envelope(notice_id, self._me.id, self._me.id, time),
            msg_type=MessageType.STATUS_NOTIFY,
            content=self._notice(xml),
            status_notify_code=StatusNotify.RECENT_CHATS,
            status_notify_user_name=",".join(self.name(world_id) for world_id in recent),
        )

    def phone_activity(self, chat: str, code: StatusNotify, *, notice_id: str, time: float) -> WireMessage:
        """Show that the phone read, opened or left a chat: a message from oneself to the chat."""
        xml = f"<msg>\n<op id='{code:d}'>\n<username>{self._population.real_id(chat)}</username>\n</op>\n</msg>"
        return replace(
            self._envelope(notice_id, self._me.id, chat, time),
            msg_type=MessageType.STATUS_NOTIFY,
            content=self._notice(xml),
            status_notify_code=code,
            status_notify_user_name=self.name(chat),
        )

    def _notice(self, xml: str) -> str:
        return escape(xml) if self._population.options.real_ids == "sent" else ""

    def _envelope(self, message_id: str, sender: str, receiver: str, time: float) -> WireMessage:
        return WireMessage(
            msg_id=message_id,
            new_msg_id=int(message_id),
            from_user_name=self.name(sender),
            to_user_name=self.name(receiver),
            create_time=int(time),
        )

    def _prefix(self, message: WorldMessage) -> str:
        """Return the prefix that names the author in a chatroom; own messages have none."""
        return f"{self.name(message.sender.id)}:<br/>"

    def _picture_content(self, media_file: MediaFile, xml: str) -> str:
        """Return a picture's content in one of three forms; only the first can be forwarded."""
        match self._population.options.picture_content:
            case "full":
                return escape(xml)
            case "keyless":
                length = len(media_file.content)
                return escape(f'<msg><img length="{length}" hdlength="0" /><commenturl></commenturl></msg>')
            case "hash":
                return f"@{hashlib.sha256(media_file.cdn_url.encode()).hexdigest()}"


def recall_text(message: WorldMessage, viewer: WorldPerson) -> str:
    """Return the notice in place of a recalled message."""
    return "你撤回了一条消息" if message.sender is viewer else f'"{message.sender.nickname}" 撤回了一条消息'


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _icon(name: str, version: int = 0) -> str:
    return f"/cgi-bin/mmwebwx-bin/webwxgeticon?seq={version}&username={name}&skey="
