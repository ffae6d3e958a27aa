"""
Chatrooms: create, add, invite, remove, rename, leave.

The members in the answers are not reliable; fetch the chatroom afterwards to be sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.errors import ProtocolError
from webwx.flows.call import Flow, call, judge, secrets_of
from webwx.model.contacts import ContactId
from webwx.protocol.chatrooms import (
    CREATECHATROOM,
    UPDATECHATROOM,
    CreateChatroomRequest,
    NewMember,
    UpdateChatroomRequest,
)
from webwx.protocol.codec import read_json
from webwx.protocol.codes import Ret
from webwx.protocol.contacts import WireMember

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from webwx.model.login import Login


class CreatedChatroom(msgspec.Struct, frozen=True, kw_only=True):
    """A new chatroom."""

    chatroom: ContactId
    added: tuple[ContactId, ...]
    """Ids of the members that the server reports as added."""


def create_chatroom(login: Login, people: Sequence[ContactId], name: str, now: float) -> Flow[CreatedChatroom]:
    """
    Create a chatroom with at least two others.

    Wire: webwxcreatechatroom
    """
    request = CreateChatroomRequest(
        r=int(now * 1000), pass_ticket=login.pass_ticket, member_count=len(people),
        member_list=tuple(NewMember(user_name=each) for each in people), topic=name, credentials=login.credentials,
    )  # fmt: skip
    reply = yield from call(CREATECHATROOM, request, login.hosts, also_fine=(Ret.PARTLY_DONE,))
    if not reply.chat_room_name:
        # "Partly done" without a chatroom is a refusal; anything else here makes no sense.
        judge(CREATECHATROOM.name, reply.base_response.ret, reply.base_response.err_msg, secrets_of(request))
        raise ProtocolError(f"{CREATECHATROOM.name}: the answer does not name the chatroom.")
    blocked = reply.black_list.split(",")
    added = tuple(each for each in _added(reply.member_list) if each not in blocked)
    return CreatedChatroom(chatroom=ContactId(reply.chat_room_name), added=added)


def add_members(login: Login, chatroom: ContactId, people: Sequence[ContactId]) -> Flow[tuple[ContactId, ...]]:
    """
    Add friends, and return the ids that the server reports as added.

    Wire: webwxupdatechatroom (addmember)
    """
    request = _update(login, chatroom, "addmember", add_member_list=",".join(people))
    reply = yield from call(UPDATECHATROOM, request, login.hosts, also_fine=(Ret.PARTLY_DONE,))
    return _added(reply.member_list)


def invite_members(login: Login, chatroom: ContactId, people: Sequence[ContactId]) -> Flow[None]:
    """
    Send invitations, which must be accepted.

    Wire: webwxupdatechatroom (invitemember)
    """
    request = _update(login, chatroom, "invitemember", invite_member_list=",".join(people))
    yield from call(UPDATECHATROOM, request, login.hosts, also_fine=(Ret.PARTLY_DONE,))


def remove_members(login: Login, chatroom: ContactId, people: Sequence[ContactId]) -> Flow[None]:
    """
    Remove members. A successful removal was observed to answer `Ret` 1, so the caller fetches the members afterwards.

    Wire: webwxupdatechatroom (delmember)
    """
    request = _update(login, chatroom, "delmember", del_member_list=",".join(people))
    yield from call(UPDATECHATROOM, request, login.hosts, also_fine=(Ret.PARAMETER_ERROR,))


def rename_chatroom(login: Login, chatroom: ContactId, name: str) -> Flow[None]:
    """
    Rename a chatroom.

    Wire: webwxupdatechatroom (modtopic)
    """
    yield from call(UPDATECHATROOM, _update(login, chatroom, "modtopic", new_topic=name), login.hosts)


def leave_chatroom(login: Login, chatroom: ContactId) -> Flow[None]:
    """
    Leave a chatroom.

    Wire: webwxupdatechatroom (quitchatroom)

    """
    yield from call(UPDATECHATROOM, _update(login, chatroom, "quitchatroom"), login.hosts)


def _update(login: Login, chatroom: ContactId, fun: str, **change: str) -> UpdateChatroomRequest:
    return UpdateChatroomRequest(
        fun=fun, pass_ticket=login.pass_ticket, chat_room_name=chatroom, credentials=login.credentials, **change
    )


def _added(members: Iterable[msgspec.Raw]) -> tuple[ContactId, ...]:
    """Return the ids of added members: those whose status is 0."""
    added = []
    for raw in members:
        try:
            member = read_json(bytes(raw), WireMember)
        except ProtocolError:
            continue
        if member.member_status == 0:
            added.append(ContactId(member.user_name))
    return tuple(added)
