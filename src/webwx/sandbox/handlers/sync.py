"""Sync: the long poll, and the fetch. Both read positions in the session's stream and do not change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from webwx.protocol.codec import write_json
from webwx.protocol.codes import SyncKeyKind
from webwx.protocol.http import Park
from webwx.protocol.messages import WireMessage
from webwx.protocol.sync import (
    SYNCCHECK,
    WEBWXSYNC,
    CheckReply,
    CheckRequest,
    DeletedContact,
    SyncReply,
    SyncRequest,
    read_sync_key,
)
from webwx.sandbox.call import Call, handles
from webwx.sandbox.hosts import cookie_domains
from webwx.sandbox.sessions import SESSION_COOKIE
from webwx.sandbox.stream import ChangeBatch, ChangedContact

if TYPE_CHECKING:
    from webwx.protocol.sync import SyncKey
    from webwx.sandbox.sessions import WebSession

_UIN_COOKIE = 3 * 86400
"""Seconds until the `wxuin` cookie of a sync expires; that of a login expires with the other cookies."""


@handles(SYNCCHECK)
def check(call: Call, request: CheckRequest) -> CheckReply | Park:
    """Return whether there are events after a key; hold the poll until there are."""
    session = call.any_session
    account = session.person.id
    if session.ended is not None:
        if call.world.now < session.silent_until:
            return call.park(account, until=session.silent_until)
        return CheckReply(retcode=session.ended)
    is_oldest = call.world.options.selector == "oldest"
    selector = session.stream.selector(read_sync_key(request.synckey), is_oldest=is_oldest)
    if selector or call.is_over:
        return CheckReply(retcode=0, selector=selector)
    return call.park(account, until=min(call.deadline, session.expires))


@handles(WEBWXSYNC)
def fetch(call: Call, request: SyncRequest) -> SyncReply:
    """
    Return the events after a key, oldest first, and renew the session's cookies.

    The same key returns the same answer again; by an option, sometimes the answer before it.
    """
    session = call.session
    key = session.fetch_from(request.sync_key, call.world.options.replay_every)
    batch = session.stream.fetch(key, call.batch_size)
    messages = _items(batch, WireMessage)
    changed = _items(batch, ChangedContact)
    deleted = _items(batch, DeletedContact)
    _renew_cookies(call, session, batch.key)
    return SyncReply(
        add_msg_count=len(messages),
        add_msg_list=messages,
        mod_contact_count=len(changed),
        mod_contact_list=changed,
        del_contact_count=len(deleted),
        del_contact_list=deleted,
        profile=UNCHANGED_PROFILE,
        sync_key=batch.key,
        sync_check_key=batch.check_key,
    )


def _renew_cookies(call: Call, session: WebSession, key: SyncKey) -> None:
    own, shared = cookie_domains(call.origin)
    time = next((pair.val for pair in key.list if pair.key == SyncKeyKind.TIME), 0)
    for name, value, lifetime, domain in (
        ("wxloadtime", f"{int(session.started)}_expired", SESSION_COOKIE, own),
        ("wxpluginkey", str(time), SESSION_COOKIE, own),
        ("wxuin", str(session.person.uin), _UIN_COOKIE, own),
        ("wxsid", session.keys.sid, SESSION_COOKIE, own),
        ("webwx_data_ticket", session.keys.data_ticket, SESSION_COOKIE, shared),
    ):
        call.set_cookie(name, value, lifetime, domain=domain)


UNCHANGED_PROFILE: dict[str, Any] = {
    "BitFlag": 0,
    "UserName": {"Buff": ""},
    "NickName": {"Buff": ""},
    "BindUin": 0,
    "BindEmail": {"Buff": ""},
    "BindMobile": {"Buff": ""},
    "Status": 0,
    "Sex": 0,
    "PersonalCard": 0,
    "Alias": "",
    "HeadImgUpdateFlag": 0,
    "HeadImgUrl": "",
    "Signature": "",
}
"""A profile with `BitFlag` 0, which means that nothing in it has changed."""


def _items(batch: ChangeBatch, kind: type[msgspec.Struct]) -> list[msgspec.Raw]:
    return [msgspec.Raw(write_json(change.item)) for change in batch.changes if isinstance(change.item, kind)]
