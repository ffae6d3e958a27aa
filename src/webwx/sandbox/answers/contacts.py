"""The first snapshot, and contacts by pages and by name."""

from __future__ import annotations

import msgspec

from webwx.protocol.codec import write_json
from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    WEBWXINIT,
    BatchContactsReply,
    BatchContactsRequest,
    ContactsReply,
    ContactsRequest,
    InitReply,
    InitRequest,
)
from webwx.sandbox.people import BUILTIN
from webwx.sandbox.view import View
from webwx.sandbox.visit import Visit, answers

_CLIENT_VERSION = 654_311_968
_INVITE_START = 40
_REPORT_INTERVAL = 600_000


@answers(WEBWXINIT)
def init(visit: Visit, request: InitRequest) -> InitReply:
    """Show the account and its recent chats. The page asks twice at once and must get the same keys both times."""
    del request
    session = visit.session
    view = View(visit.world, session)
    recent = view.recent()
    return InitReply(
        count=len(recent),
        contact_list=[_raw(view.contact(world_id)) for world_id in recent],
        sync_key=session.stream.newest,
        user=view.user(),
        chat_set=view.chat_set(),
        skey=session.keys.skey,
        client_version=_CLIENT_VERSION,
        system_time=int(visit.world.now),
        gray_scale=1,
        invite_start_count=_INVITE_START,
        click_report_interval=_REPORT_INTERVAL,
    )


@answers(GETCONTACT)
def list_contacts(visit: Visit, request: ContactsRequest) -> ContactsReply:
    """Give one page of everything in the address book: oneself, built-in accounts, friends and chatrooms."""
    session = visit.session
    me = session.person
    everything = [me.id, *BUILTIN, *me.friends, *(room.id for room in visit.world.rooms_of(me))]
    start, size = max(0, request.seq), visit.world.switches.contact_page_size
    page = everything[start : start + size]
    view = View(visit.world, session)
    return ContactsReply(
        member_count=len(page),
        member_list=[_raw(view.contact(world_id)) for world_id in page],
        seq=start + size if start + size < len(everything) else 0,
    )


@answers(BATCHGETCONTACT)
def get_contacts(visit: Visit, request: BatchContactsRequest) -> BatchContactsReply:
    """Give the contacts asked for, chatrooms with their members. Names this login never heard are left out."""
    session = visit.session
    view = View(visit.world, session)
    known = [world_id for key in request.list if (world_id := session.names.world_id(key.user_name)) is not None]
    return BatchContactsReply(
        count=len(known), contact_list=[_raw(view.contact(world_id, with_members=True)) for world_id in known]
    )


def _raw(contact: msgspec.Struct) -> msgspec.Raw:
    return msgspec.Raw(write_json(contact))
