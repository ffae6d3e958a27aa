"""
Sync: the long poll that reports news, and the fetch that returns them.

There are two keys: `webwxsync` takes the last `SyncKey`, `synccheck` the last `SyncCheckKey`. Clients that use one for
both poll in a busy loop when the two differ. Rules of the loop: docs/protocol/sync.md.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.codec import NO_NUMBER, Wire, number, read_script
from webwx.protocol.endpoint import Endpoint, In, InQuery, Where
from webwx.protocol.hosts import Host
from webwx.protocol.http import Body, TimeLimit
from webwx.protocol.login import BaseResponse, Credentials, Reply
from webwx.protocol.messages import WireText


class KeyValue(Wire, frozen=True, kw_only=True):
    """One counter of a sync key."""

    key: int
    val: int


class SyncKey(Wire, frozen=True, kw_only=True):
    """A position in the account's stream of changes. Opaque; its order is kept."""

    count: int = 0
    list: tuple[KeyValue, ...] = ()

    def __str__(self) -> str:
        return "|".join(f"{pair.key}_{pair.val}" for pair in self.list)

    def or_older(self, older: SyncKey) -> SyncKey:
        """Return this key, or the older one if this is empty: an empty key never replaces a valid one."""
        return self if self.list else older

    def lost_counters(self, older: SyncKey) -> frozenset[int]:
        """Return the numbers of the counters of an older key that are lower in this key, or missing."""
        values = {pair.key: pair.val for pair in self.list}
        return frozenset(pair.key for pair in older.list if pair.key not in values or values[pair.key] < pair.val)

    def with_counters(self, older: SyncKey, numbers: frozenset[int]) -> SyncKey:
        """Return this key with some counters of an older one; those that are missing here come last."""
        if not numbers:
            return self
        kept = {pair.key: pair for pair in older.list if pair.key in numbers}
        pairs = (*(kept.pop(pair.key, pair) for pair in self.list), *kept.values())
        return SyncKey(count=len(pairs), list=pairs)


def read_sync_key(text: str) -> SyncKey:
    """Decode `1_700000001|2_700000002`; invalid pairs are skipped."""
    pairs = []
    for part in text.split("|"):
        key, val = (number(side, -1) for side in part.partition("_")[::2])
        if key >= 0 and val >= 0:
            pairs.append(KeyValue(key=key, val=val))
    return SyncKey(count=len(pairs), list=tuple(pairs))


class CheckRequest(Wire, frozen=True, kw_only=True):
    """Wait until there is something to fetch."""

    r: InQuery[int] = 0
    skey: InQuery[str] = ""
    sid: InQuery[str] = ""
    uin: InQuery[int] = 0
    deviceid: InQuery[str] = ""
    synckey: InQuery[str] = ""
    timestamp: Annotated[int, In(Where.QUERY, "_")] = 0
    mmweb_appid: InQuery[str] = ""

    def __repr__(self) -> str:
        return "CheckRequest(***)"


class CheckReply(Wire, frozen=True, kw_only=True):
    """State of the session, and whether there is something to fetch."""

    retcode: int
    selector: int = 0
    """Any value but 0: fetch. The value itself is not interpreted."""


class _CheckShape:
    def dump(self, value: CheckReply, *, is_reply: bool) -> tuple[str, Body]:
        del is_reply
        return "text/javascript", f'window.synccheck={{retcode:"{value.retcode}",selector:"{value.selector}"}}'.encode()

    def load(self, body: bytes, kind: type[CheckReply], content_type: str) -> CheckReply:
        del content_type
        values = read_script(body)
        # A missing retcode never ends a login: only a number that the server sent may.
        retcode = number(values.get("synccheck.retcode"), NO_NUMBER)
        if retcode == NO_NUMBER:
            raise ProtocolError("no retcode in the answer")
        return kind(retcode=retcode, selector=number(values.get("synccheck.selector"), 0))


SYNCCHECK = Endpoint(
    name="synccheck", method="GET", host=Host.PUSH, path="/cgi-bin/mmwebwx-bin/synccheck", time_limit=TimeLimit.POLL,
    request=CheckRequest, reply=CheckReply, reply_shape=_CheckShape(), purpose="wait until there is something to fetch",
)  # fmt: skip


class SyncRequest(Wire, frozen=True, kw_only=True):
    """Fetch the changes since a key."""

    sid: InQuery[str] = ""
    skey: InQuery[str] = ""
    pass_ticket: InQuery[str] = ""
    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())
    sync_key: SyncKey = SyncKey()
    rr: int = msgspec.field(name="rr", default=0)

    def __repr__(self) -> str:
        return "SyncRequest(***)"


class DeletedContact(Wire, frozen=True, kw_only=True):
    """A deleted friend, a chatroom that was left, or a chat that was removed on the phone."""

    user_name: str
    contact_flag: int = 0


class SyncReply(Reply, frozen=True, kw_only=True):
    """
    A batch of changes.

    Its items stay raw here and are decoded one by one, so that an invalid one does not affect the others.
    """

    add_msg_count: int = 0
    add_msg_list: list[msgspec.Raw] = msgspec.field(default_factory=list)
    msg_list: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    """Seen by one client beside or instead of `AddMsgList`; both are read."""
    mod_contact_count: int = 0
    mod_contact_list: list[msgspec.Raw] = msgspec.field(default_factory=list)
    del_contact_count: int = 0
    del_contact_list: list[msgspec.Raw] = msgspec.field(default_factory=list)
    mod_chat_room_member_count: int = 0
    mod_chat_room_member_list: list[msgspec.Raw] = msgspec.field(default_factory=list)
    profile: dict[str, Any] = msgspec.field(default_factory=dict)
    continue_flag: int = 0
    """If not 0, more items wait: fetch again at once."""
    sync_key: SyncKey = SyncKey()
    skey: str = msgspec.field(name="SKey", default="")
    """The new skey, if not empty."""
    sync_check_key: SyncKey = SyncKey()

    def delivered(self) -> list[msgspec.Raw]:
        """Return all items in the order of the platform's page: deletions, changes, messages."""
        return [
            *self.del_contact_list, *self.mod_contact_list, *self.mod_chat_room_member_list, *self.add_msg_list,
            *(self.msg_list or ()),
        ]  # fmt: skip

    def __repr__(self) -> str:
        return f"SyncReply(ret={self.base_response.ret}, messages={len(self.add_msg_list)})"


class WholeSyncReply(SyncReply, frozen=True, kw_only=True):
    """
    `SyncReply` decoded in one step, with only the fields of a text for each message.

    It takes half the time, but one invalid item makes all of it undecodable.
    """

    base_response: BaseResponse  # without a default, as what is `Stated`
    add_msg_list: list[WireText] = msgspec.field(default_factory=list)  # type: ignore[assignment]  # it is only read


WEBWXSYNC = Endpoint(
    name="webwxsync", method="POST", host=Host.MAIN, path="/cgi-bin/mmwebwx-bin/webwxsync",
    request=SyncRequest, reply=SyncReply, purpose="fetch changes",
)  # fmt: skip
