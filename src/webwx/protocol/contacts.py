"""
The first snapshot of an account, its contacts and chatrooms.

What each call contains and how answers are merged: docs/protocol/contacts.md.
"""

from __future__ import annotations

import msgspec

from webwx.protocol.codec import MEDIA, Media, Wire
from webwx.protocol.endpoint import Endpoint, IfStated, InQuery
from webwx.protocol.hosts import Host
from webwx.protocol.http import TimeLimit
from webwx.protocol.login import Credentials, Reply
from webwx.protocol.sync import SyncKey


class WireMember(Wire, frozen=True, kw_only=True):
    """A member of a chatroom."""

    uin: int = 0
    user_name: str = ""
    nick_name: str = ""
    attr_status: int = 0
    py_initial: str = msgspec.field(name="PYInitial", default="")
    py_quan_pin: str = msgspec.field(name="PYQuanPin", default="")
    remark_py_initial: str = msgspec.field(name="RemarkPYInitial", default="")
    remark_py_quan_pin: str = msgspec.field(name="RemarkPYQuanPin", default="")
    member_status: int = 0
    display_name: str = ""
    key_word: str = ""


class WireContact(Wire, frozen=True, kw_only=True):
    """A person, an official account or a chatroom."""

    uin: int = 0
    user_name: str
    """Valid in this login only: `@…` for people, `@@…` for chatrooms; constant names for built-in accounts."""
    nick_name: str = ""
    head_img_url: str = ""
    contact_flag: int = 0
    """Bits: 1 contact, 2 chat, 4 chatroom, 8 blacklisted, 64 starred, 512 muted, 2048 pinned."""
    member_count: int = 0
    member_list: list[WireMember] = msgspec.field(default_factory=list)
    remark_name: str = ""
    hide_input_bar_flag: int = 0
    sex: int = 0
    signature: str = ""
    verify_flag: int = 0
    """Bit 8 marks an official account."""
    owner_uin: int = 0
    """Number (uin) of a chatroom's owner, in older answers."""
    py_initial: str = msgspec.field(name="PYInitial", default="")
    py_quan_pin: str = msgspec.field(name="PYQuanPin", default="")
    remark_py_initial: str = msgspec.field(name="RemarkPYInitial", default="")
    remark_py_quan_pin: str = msgspec.field(name="RemarkPYQuanPin", default="")
    star_friend: int = 0
    """1 is starred, in lists and details."""
    app_account_flag: int = 0
    statues: int = 0
    """The platform's spelling. For chatrooms: 1 notifies, 0 is muted, or unknown in a first snapshot."""
    attr_status: int = 0
    province: str = ""
    city: str = ""
    alias: str = ""
    sns_flag: int = 0
    uni_friend: int = 0
    display_name: str = ""
    chat_room_id: int = 0
    key_word: str = ""
    encry_chat_room_id: str = ""
    """Of a chatroom, only in its details; of a person it is empty or `0`."""
    is_owner: int = 0
    """1 if the account owns the chatroom, in newer answers; it is filled in details only."""
    chat_room_owner: str | msgspec.UnsetType = msgspec.UNSET
    """Id of a chatroom's owner in this login, in entries of webwxsync only."""


class WireUser(Wire, frozen=True, kw_only=True):
    """The account itself; the only place with a real uin."""

    uin: int = 0
    user_name: str = ""
    nick_name: str = ""
    head_img_url: str = ""
    remark_name: str = ""
    py_initial: str = msgspec.field(name="PYInitial", default="")
    py_quan_pin: str = msgspec.field(name="PYQuanPin", default="")
    remark_py_initial: str = msgspec.field(name="RemarkPYInitial", default="")
    remark_py_quan_pin: str = msgspec.field(name="RemarkPYQuanPin", default="")
    hide_input_bar_flag: int = 0
    star_friend: int = 0
    sex: int = 0
    signature: str = ""
    app_account_flag: int = 0
    verify_flag: int = 0
    contact_flag: int = 0
    web_wx_plugin_switch: int = 0
    head_img_flag: int = 0
    sns_flag: int = 0


class SubscribedArticle(Wire, frozen=True, kw_only=True):
    """An article in `MPSubscribeMsgList`."""

    title: str = ""
    digest: str = ""
    cover: str = ""
    """Address of its picture; `|width|height` may follow."""
    url: str = ""


class PublicAccountNews(Wire, frozen=True, kw_only=True):
    """The latest articles of an official account, in `MPSubscribeMsgList`."""

    user_name: str
    mp_article_count: int = msgspec.field(name="MPArticleCount", default=0)
    mp_article_list: list[SubscribedArticle] = msgspec.field(name="MPArticleList", default_factory=list)
    time: int = 0
    """Seconds since 1970."""
    nick_name: str = ""


class InitRequest(Wire, frozen=True, kw_only=True):
    """Open the session."""

    r: InQuery[int] = 0
    lang: InQuery[str] = ""
    """Sent by File Transfer Helper only."""
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())

    def __repr__(self) -> str:
        return "InitRequest(***)"


class InitReply(Reply, frozen=True, kw_only=True):
    """The first snapshot: recent chats, the account itself, the first sync key."""

    count: int = 0
    contact_list: list[msgspec.Raw] = msgspec.field(default_factory=list)
    sync_key: SyncKey = SyncKey()
    user: WireUser = WireUser()
    chat_set: str = ""
    """Recent chats, newest first, with a trailing comma."""
    skey: str = msgspec.field(name="SKey", default="")
    """The skey to use from now on."""
    client_version: int = 0
    system_time: int = 0
    gray_scale: int = 0
    invite_start_count: int = 0
    """Number of members from which people are invited instead of added."""
    mp_subscribe_msg_count: int = msgspec.field(name="MPSubscribeMsgCount", default=0)
    mp_subscribe_msg_list: list[msgspec.Raw] = msgspec.field(name="MPSubscribeMsgList", default_factory=list)
    """A `PublicAccountNews` for each official account with new articles."""
    click_report_interval: int = 0

    def __repr__(self) -> str:
        return f"InitReply(ret={self.base_response.ret})"


WEBWXINIT = Endpoint(
    name="webwxinit", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxinit",
    request=InitRequest, reply=InitReply, time_limit=TimeLimit.BULK,
    purpose="open the session: account, recent chats, first sync key",
)  # fmt: skip


class ContactsRequest(Wire, frozen=True, kw_only=True):
    """One page of the contact list."""

    skey: InQuery[str] = ""
    pass_ticket: InQuery[str] = ""
    r: InQuery[int] = 0
    seq: InQuery[int] = 0

    def __repr__(self) -> str:
        return f"ContactsRequest(seq={self.seq})"


class ContactsReply(Reply, frozen=True, kw_only=True):
    """Friends, official accounts and saved chatrooms, without members of chatrooms."""

    member_count: int = 0
    """Number of contacts on this page; for several pages unconfirmed."""
    member_list: IfStated[list[msgspec.Raw]] = msgspec.field(default_factory=list)
    seq: IfStated[int] = 0
    """`seq` of the next page; 0 on the last one."""


GETCONTACT = Endpoint(
    name="webwxgetcontact", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgetcontact", also=("POST",),
    request=ContactsRequest, reply=ContactsReply, time_limit=TimeLimit.BULK, purpose="list contacts, page by page",
    on_filehelper=False,
)  # fmt: skip


class ContactKey(Wire, frozen=True, kw_only=True):
    """One entry of a batch query."""

    user_name: str = ""
    encry_chat_room_id: str = ""
    """Id of the chatroom for a member's details, else empty."""


class BatchContactsRequest(Wire, frozen=True, kw_only=True):
    """Details of chatrooms, members and people."""

    type: InQuery[str] = "ex"
    r: InQuery[int] = 0
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    count: int = 0
    list: tuple[ContactKey, ...] = ()

    def __repr__(self) -> str:
        return f"BatchContactsRequest(count={self.count})"


class BatchContactsReply(Reply, frozen=True, kw_only=True):
    """The requested contacts, in any order; unknown ids are omitted."""

    count: int = 0
    contact_list: IfStated[list[msgspec.Raw]] = msgspec.field(default_factory=list)


BATCHGETCONTACT = Endpoint(
    name="webwxbatchgetcontact", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxbatchgetcontact",
    request=BatchContactsRequest, reply=BatchContactsReply, time_limit=TimeLimit.BULK,
    purpose="details of chatrooms, members and people",
    on_filehelper=False,
)  # fmt: skip


# -- avatars ---------------------------------------------------------------------------------------------------------


class AvatarRequest(Wire, frozen=True, kw_only=True):
    """The picture of a person, a member or a chatroom."""

    seq: InQuery[int] = 0
    """Version of the picture; 0 works."""
    username: InQuery[str] = ""
    skey: InQuery[str] = ""
    chatroomid: InQuery[str] = ""
    """For a member who is not a friend: the chatroom's `EncryChatRoomId`."""
    msgid: InQuery[str] = ""
    """For a stranger in a friend request or on a card: the id of that message."""
    type: InQuery[str] = ""
    """`big` for the large picture."""

    def __repr__(self) -> str:
        return "AvatarRequest(***)"


GETICON = Endpoint(
    name="webwxgeticon", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgeticon",
    request=AvatarRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK, purpose="avatar of a person",
)  # fmt: skip

GETHEADIMG = Endpoint(
    name="webwxgetheadimg", method="GET", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxgetheadimg",
    request=AvatarRequest, reply=Media, reply_shape=MEDIA, time_limit=TimeLimit.BULK, purpose="avatar of a chatroom",
)  # fmt: skip


# -- remark and pin --------------------------------------------------------------------------------------------------

SET_REMARK = 2
"""`CmdId` of a new remark."""
SET_PINNED = 3
"""`CmdId` of pin and unpin."""


class OplogRequest(Wire, frozen=True, kw_only=True):
    """Set a remark, or pin a chat. A pin must repeat the present remark, because a missing one erases it."""

    pass_ticket: InQuery[str] = ""
    user_name: str
    cmd_id: int
    op: int = msgspec.field(name="OP", default=0)
    """1 pins, 0 unpins."""
    remark_name: str | msgspec.UnsetType = msgspec.UNSET
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())

    def __repr__(self) -> str:
        return f"OplogRequest(cmd_id={self.cmd_id})"


OPLOG = Endpoint(
    name="webwxoplog", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxoplog",
    request=OplogRequest, reply=Reply, purpose="set a remark, pin a chat",
    limited=True, on_filehelper=False,
)  # fmt: skip


# -- friend requests -------------------------------------------------------------------------------------------------

ADD_FRIEND = 2
"""`Opcode` of sending a friend request."""
ACCEPT_FRIEND = 3
"""`Opcode` of accepting a friend request."""
SCENE_WEB = 33
"""`SceneList` entry of the web client."""


class VerifyUser(Wire, frozen=True, kw_only=True):
    """The person of a friend request."""

    value: str
    """Id of the person in this login."""
    verify_user_ticket: str = ""
    """`Ticket` of the friend request's `RecommendInfo`."""

    def __repr__(self) -> str:
        return "VerifyUser(***)"


class VerifyUserRequest(Wire, frozen=True, kw_only=True):
    """Send or accept a friend request."""

    r: InQuery[int] = 0
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    opcode: int
    verify_user_list_size: int = 1
    verify_user_list: tuple[VerifyUser, ...] = ()
    verify_content: str = ""
    """Greeting of a friend request that is sent."""
    scene_list_count: int = 1
    scene_list: tuple[int, ...] = (SCENE_WEB,)
    skey: str = msgspec.field(name="skey", default="")

    def __repr__(self) -> str:
        return f"VerifyUserRequest(opcode={self.opcode})"


VERIFYUSER = Endpoint(
    name="webwxverifyuser", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxverifyuser",
    request=VerifyUserRequest, reply=Reply, repeatable=False, purpose="send or accept a friend request",
    limited=True, on_filehelper=False,
)  # fmt: skip


class SearchContactRequest(Wire, frozen=True, kw_only=True):
    """Search for people."""

    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    key_word: str

    def __repr__(self) -> str:
        return "SearchContactRequest(***)"


class FoundUser(Wire, frozen=True, kw_only=True):
    """A person found by a search."""

    encry_user_name: str = ""


class SearchContactReply(Reply, frozen=True, kw_only=True):
    """The people found."""

    list: tuple[FoundUser, ...] = ()


SEARCHCONTACT = Endpoint(
    name="webwxsearchcontact", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsearchcontact",
    request=SearchContactRequest, reply=SearchContactReply, purpose="search for people; the page does not use it",
    on_filehelper=False,
)  # fmt: skip
