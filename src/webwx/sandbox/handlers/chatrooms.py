"""Chatrooms: open, add, invite, remove, rename, leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webwx.protocol.chatrooms import (
    CREATECHATROOM,
    UPDATECHATROOM,
    CreateChatroomReply,
    CreateChatroomRequest,
    UpdateChatroomReply,
    UpdateChatroomRequest,
)
from webwx.protocol.codec import write_json
from webwx.protocol.codes import Ret
from webwx.protocol.login import BaseResponse
from webwx.sandbox.call import Call, handles
from webwx.sandbox.errors import Refused
from webwx.sandbox.membership import MIN_OTHERS
from webwx.sandbox.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webwx.sandbox.people import WorldChatroom, WorldPerson

_HAS_BLOCKED = 3
"""`MemberStatus` of a person who has blocked the adder. Only the meaning of 0 (added) is known for certain."""

_WANTS_TO_BE_ASKED = 4
"""`MemberStatus` of any other person who could not be added."""


@handles(CREATECHATROOM)
def create(call: Call, request: CreateChatroomRequest) -> CreateChatroomReply:
    """Create a chatroom with the people who can be added; the answer marks the others."""
    me, membership = call.session.person, call.world.membership
    people = _people(call, [member.user_name for member in request.member_list])
    willing = [person for person in people if membership.can_add(me, person)]
    if len(willing) < MIN_OTHERS:
        raise Refused(Ret.PARAMETER_ERROR)
    room = membership.open(me, willing, request.topic)
    is_whole = len(willing) == len(request.member_list)
    view = View(call.world, call.session)
    return CreateChatroomReply(
        base_response=BaseResponse(
            ret=Ret.OK if is_whole else Ret.PARTLY_DONE, err_msg="Everything is OK" if is_whole else ""
        ),
        topic=request.topic,
        member_count=len(people),
        member_list=_members(call, people, willing),
        chat_room_name=view.name(room.id),
        black_list=",".join(view.name(person.id) for person in people if person.has_blocked(me)),
    )


@handles(UPDATECHATROOM)
def update(call: Call, request: UpdateChatroomRequest) -> UpdateChatroomReply:
    """Change a chatroom. One client omits the whole query, so the field in the body decides which change is meant."""
    me, membership, room = call.session.person, call.world.membership, _room(call, request.chat_room_name)
    match request.fun or _fun(request):
        case "addmember":
            return _add(call, room, _ids(request.add_member_list))
        case "invitemember":
            membership.invite(room, _people(call, _ids(request.invite_member_list)), by=me)
        case "delmember":
            membership.remove(room, _people(call, _ids(request.del_member_list)), by=me)
        case "modtopic":
            membership.rename(room, request.new_topic or "", by=me)
        case "quitchatroom":
            membership.leave(room, me)
        case _:
            raise Refused(Ret.PARAMETER_ERROR)
    return UpdateChatroomReply()


def _add(call: Call, room: WorldChatroom, names: list[str]) -> UpdateChatroomReply:
    me, membership = call.session.person, call.world.membership
    people = _people(call, names)
    is_open = not membership.is_by_invitation(room)
    willing = [person for person in people if is_open and membership.can_add(me, person)]
    membership.add(room, willing, by=me)
    return UpdateChatroomReply(
        base_response=BaseResponse(ret=Ret.OK if len(willing) == len(names) else Ret.PARTLY_DONE),
        member_count=len(people),
        member_list=_members(call, people, willing),
    )


def _fun(request: UpdateChatroomRequest) -> str:
    for fun, field in (
        ("addmember", request.add_member_list),
        ("invitemember", request.invite_member_list),
        ("delmember", request.del_member_list),
        ("modtopic", request.new_topic),
    ):
        if field:
            return fun
    return ""


def _ids(joined: str | msgspec.UnsetType) -> list[str]:
    return [each for each in (joined or "").split(",") if each]


def _room(call: Call, name: str) -> WorldChatroom:
    room = call.world.chatrooms.get(call.session.known(name))
    if room is None:
        raise Refused(Ret.CHAT_GONE)
    return room


def _people(call: Call, names: Iterable[str]) -> list[WorldPerson]:
    """Return people by this login's names; names of other accounts, such as built-in ones, are skipped."""
    world_ids = [call.session.names.world_id(name) or "" for name in names]
    return [call.world.people[world_id] for world_id in world_ids if world_id in call.world.people]


def _members(call: Call, people: Iterable[WorldPerson], willing: list[WorldPerson]) -> list[msgspec.Raw]:
    me, view = call.session.person, View(call.world, call.session)

    def status(person: WorldPerson) -> int:
        if person in willing:
            return 0
        return _HAS_BLOCKED if person.has_blocked(me) else _WANTS_TO_BE_ASKED

    return [msgspec.Raw(write_json(view.member(person, status=status(person)))) for person in people]
