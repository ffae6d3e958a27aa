"""
Chatrooms: create, add, invite, remove, rename, leave.

`ErrMsg` is not empty on success here, and a successful removal has been seen to answer `Ret` 1: decide by `Ret` and
fetch the members afterwards. Behaviour of the calls: docs/protocol/chatrooms.md.
"""

from __future__ import annotations

import msgspec

from webwx.protocol.codec import Wire
from webwx.protocol.endpoint import Endpoint, InQuery
from webwx.protocol.hosts import Host
from webwx.protocol.login import Credentials, Reply


class NewMember(Wire, frozen=True, kw_only=True):
    """An initial member of a chatroom."""

    user_name: str


class CreateChatroomRequest(Wire, frozen=True, kw_only=True):
    """Create a chatroom with at least two others."""

    r: InQuery[int] = 0
    pass_ticket: InQuery[str] = ""
    member_count: int = 0
    member_list: tuple[NewMember, ...] = ()
    """The other members, without the account itself."""
    topic: str = ""
    """Name of the chatroom; may be empty."""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())

    def __repr__(self) -> str:
        return f"CreateChatroomRequest(member_count={self.member_count})"


class CreateChatroomReply(Reply, frozen=True, kw_only=True):
    """The new chatroom."""

    topic: str = ""
    py_initial: str = msgspec.field(name="PYInitial", default="")
    quan_pin: str = ""
    member_count: int = 0
    member_list: list[msgspec.Raw] = msgspec.field(default_factory=list)
    chat_room_name: str = ""
    """Id of the chatroom in this login."""
    black_list: str = ""
    """Ids, joined by commas, of people who have blocked the account."""


CREATECHATROOM = Endpoint(
    name="webwxcreatechatroom", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxcreatechatroom",
    request=CreateChatroomRequest, reply=CreateChatroomReply, repeatable=False, purpose="create a chatroom",
    limited=True, on_filehelper=False,
)  # fmt: skip


class UpdateChatroomRequest(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Change a chatroom; `fun` names the change, and only its field is sent."""

    fun: InQuery[str] = ""
    """`addmember`, `invitemember`, `delmember`, `modtopic` or `quitchatroom`."""
    pass_ticket: InQuery[str] = ""
    add_member_list: str | msgspec.UnsetType = msgspec.UNSET
    """Ids joined by commas."""
    invite_member_list: str | msgspec.UnsetType = msgspec.UNSET
    del_member_list: str | msgspec.UnsetType = msgspec.UNSET
    new_topic: str | msgspec.UnsetType = msgspec.UNSET
    chat_room_name: str
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())

    def __repr__(self) -> str:
        return f"UpdateChatroomRequest(fun={self.fun})"


class UpdateChatroomReply(Reply, frozen=True, kw_only=True):
    """The added members, if any."""

    member_count: int = 0
    member_list: list[msgspec.Raw] = msgspec.field(default_factory=list)


UPDATECHATROOM = Endpoint(
    name="webwxupdatechatroom", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxupdatechatroom",
    request=UpdateChatroomRequest, reply=UpdateChatroomReply, repeatable=False,
    purpose="add, invite or remove members, rename or leave a chatroom",
    limited=True, on_filehelper=False,
)  # fmt: skip
