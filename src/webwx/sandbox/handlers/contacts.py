"""The first snapshot, contacts by pages and by name, avatars, remarks and pins, friend requests."""

from __future__ import annotations

import hashlib

import msgspec

from webwx.protocol.codec import Media, write_json
from webwx.protocol.codes import Ret
from webwx.protocol.contacts import (
    ACCEPT_FRIEND,
    ADD_FRIEND,
    BATCHGETCONTACT,
    GETCONTACT,
    GETHEADIMG,
    GETICON,
    OPLOG,
    SEARCHCONTACT,
    SET_PINNED,
    SET_REMARK,
    VERIFYUSER,
    WEBWXINIT,
    AvatarRequest,
    BatchContactsReply,
    BatchContactsRequest,
    ContactsReply,
    ContactsRequest,
    FoundUser,
    InitReply,
    InitRequest,
    OplogRequest,
    SearchContactReply,
    SearchContactRequest,
    VerifyUserRequest,
)
from webwx.protocol.login import Reply
from webwx.protocol.media import image_type
from webwx.sandbox.call import Call, handles
from webwx.sandbox.errors import Refused
from webwx.sandbox.people import BUILTIN
from webwx.sandbox.pictures import avatar
from webwx.sandbox.view import View

_CLIENT_VERSION = 654_311_968
_REPORT_INTERVAL = 600_000


@handles(WEBWXINIT)
def init(call: Call, request: InitRequest) -> InitReply:
    """Return the account and its recent chats. The page calls twice at once and must receive the same keys."""
    del request
    session = call.session
    view = View(call.world, session)
    hidden = call.world.chatrooms if call.world.options.chatrooms == "recent" else {}
    recent = [world_id for world_id in view.recent() if world_id not in hidden]
    articles = view.subscriptions()
    return InitReply(
        count=len(recent),
        contact_list=[_raw(view.contact(world_id, "recent")) for world_id in recent],
        sync_key=session.stream.newest,
        user=view.user(),
        chat_set="".join(f"{view.name(world_id)}," for world_id in recent),
        skey=session.keys.skey,
        client_version=_CLIENT_VERSION,
        system_time=int(call.world.now),
        gray_scale=1,
        invite_start_count=call.world.options.invite_start_count,
        mp_subscribe_msg_count=len(articles),
        mp_subscribe_msg_list=[_raw(each) for each in articles],
        click_report_interval=_REPORT_INTERVAL,
    )


@handles(GETCONTACT)
def list_contacts(call: Call, request: ContactsRequest) -> ContactsReply:
    """Return one page of the contact list: the account itself, built-in accounts, friends and saved chatrooms."""
    session = call.session
    me = session.person
    saved = me.saved if call.world.options.chatrooms == "listed" else ()
    everything = [me.id, *BUILTIN, *me.friends, *(room for room in me.rooms if room in saved)]
    start, size = max(0, request.seq), call.world.options.contact_page_size
    page = everything[start : start + size]
    view = View(call.world, session)
    return ContactsReply(
        member_count=len(page),
        member_list=[_raw(view.contact(world_id)) for world_id in page],
        seq=start + size if start + size < len(everything) else 0,
    )


@handles(BATCHGETCONTACT)
def get_contacts(call: Call, request: BatchContactsRequest) -> BatchContactsReply:
    """Return the requested contacts, chatrooms with their members. Names unknown to this login are left out."""
    session = call.session
    view = View(call.world, session)
    known = [world_id for key in request.list if (world_id := session.names.world_id(key.user_name)) is not None]
    return BatchContactsReply(
        count=len(known), contact_list=[_raw(view.contact(world_id, "asked")) for world_id in known]
    )


@handles(GETICON)
def show_icon(call: Call, request: AvatarRequest) -> Media:
    """Draw a person's avatar: one colour, equal until the avatar changes."""
    return _picture_of(call, request.username)


@handles(GETHEADIMG)
def show_chatroom_icon(call: Call, request: AvatarRequest) -> Media:
    """Draw a chatroom's picture."""
    return _picture_of(call, request.username)


def _picture_of(call: Call, name: str) -> Media:
    world_id = call.session.known(name)
    person = call.world.people.get(world_id)
    content = person.picture_bytes if person else avatar(world_id)
    call.digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Media(content_type=image_type(content), content=content)


@handles(OPLOG)
def change(call: Call, request: OplogRequest) -> Reply:
    """Set a remark, or pin a chat. A pin without the remark erases the remark, or keeps it, by an option."""
    world, session = call.world, call.session
    me, target = session.person, session.known(request.user_name)
    remark = request.remark_name or ""
    if request.cmd_id not in {SET_REMARK, SET_PINNED}:
        raise Refused(Ret.PARAMETER_ERROR)
    if request.cmd_id == SET_REMARK:
        world.set_remark(me, target, remark)
        return Reply()
    if target in me.friends and (remark or world.options.pin_without_remark == "erases"):
        world.set_remark(me, target, remark)
    world.set_pinned(me.id, target, is_pinned=request.op == 1)
    return Reply()


@handles(VERIFYUSER)
def verify(call: Call, request: VerifyUserRequest) -> Reply:
    """Send or accept a friend request for one person. An empty ticket is accepted, because one client sends it."""
    world, session = call.world, call.session
    if len(request.verify_user_list) != 1:
        raise Refused(Ret.PARAMETER_ERROR)
    (user,) = request.verify_user_list
    other = session.known(user.value)
    if other not in world.people:
        raise Refused(Ret.TARGET_REFUSED)
    if request.opcode == ADD_FRIEND:
        world.ask_friend(session.person.id, other, request.verify_content)
    elif request.opcode == ACCEPT_FRIEND:
        world.accept_friend(session.person.id, other, user.verify_user_ticket)
    else:
        raise Refused(Ret.PARAMETER_ERROR)
    return Reply()


@handles(SEARCHCONTACT)
def search(call: Call, request: SearchContactRequest) -> SearchContactReply:
    """Find people by their whole nickname."""
    names = call.session.names
    return SearchContactReply(
        list=tuple(FoundUser(encry_user_name=names.name(person.id)) for person in call.world.called(request.key_word))
    )


def _raw(contact: msgspec.Struct) -> msgspec.Raw:
    return msgspec.Raw(write_json(contact))
