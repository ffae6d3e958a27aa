"""
Sync: `check` waits until there is something to fetch, `fetch` returns it. The caller stores the keys with the batch.

Rules of the loop: docs/protocol/sync.md.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from webwx.flows.call import Flow, call, exchange, judge, read, secrets_of
from webwx.model.delivery import MAX_ITEM, is_text
from webwx.model.events import Item
from webwx.model.raw_fields import TextAnswer
from webwx.protocol.codec import percent_encode, read_json, read_sound_json, write_json
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckRequest, SyncKey, SyncReply, SyncRequest, WholeSyncReply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from webwx.model.login import Login
    from webwx.protocol.http import Response
    from webwx.protocol.messages import WireText


MANY_TEXTS = 20
"""Minimum number of texts that share their answer: of fewer ones, what else is in an answer would take more memory."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one fetch, with the position after it."""

    items: tuple[Item, ...]
    """In the page's order: deletions, changes, messages."""
    fetch_key: SyncKey
    check_key: SyncKey
    skey: str
    """The new skey; empty if it has not changed."""
    has_more: bool
    """Whether to fetch again at once."""
    missing: int = 0
    """Number of messages that the answer announces and does not hold."""
    body: bytes = b""
    """The raw answer, if requested, without the login's keys, which must not be stored with messages."""
    texts_in: bytes = b""
    """The raw answer otherwise, for the fields of its texts; it may contain the login's keys and is never stored."""

    def __repr__(self) -> str:
        return f"Batch({len(self.items)} items)"

    def texts_as_delivered(self) -> Iterator[tuple[WireText, msgspec.Raw]]:
        """Yield each text that was decoded with the whole answer, with a copy of it as delivered."""
        if not self.texts_in or not any(item.text for item in self.items):
            return
        messages = [item for item in self.items if item.kind == "message"]  # the other list of messages comes last
        for raw, item in zip(read_json(self.texts_in, SyncReply).add_msg_list, messages, strict=False):
            if item.text is not None:
                # A view would keep the whole answer in memory as long as a program keeps the event.
                yield item.text, raw.copy()

    def text_answer(self) -> TextAnswer | None:
        """Return its texts as delivered, which share the answer if it has many of them and nothing else."""
        if self.texts_in and len(self.items) >= MANY_TEXTS and all(map(_TEXT_OF, self.items)):
            return TextAnswer(self.texts_in)
        texts = [raw for _, raw in self.texts_as_delivered()]
        return TextAnswer.of(texts) if texts else None

    def delivered(self) -> list[msgspec.Raw]:
        """Return each item as it was delivered, in order; most are views of the body."""
        if not self.body:  # of a text that was saved there is no more than its event needs
            return [item.raw if item.text is None else msgspec.Raw(write_json(item.text)) for item in self.items]
        gaps = [item.raw for item in self.items if item.kind == "gap"]  # our own records come before what was delivered
        return [*gaps, *read_json(self.body, SyncReply).delivered()]


def check(login: Login, now: float) -> Flow[bool]:
    """
    Wait up to about 25 s; return whether there is something to fetch.

    The selector's value is not interpreted further: clients that did missed messages permanently.

    Raises:
        LoggedOut: The login ended.

    Wire: synccheck
    """
    milliseconds = int(now * 1000)
    credentials = login.credentials
    request = CheckRequest(
        r=milliseconds, skey=credentials.skey, sid=credentials.sid, uin=int(credentials.uin),
        deviceid=credentials.device_id, synckey=str(login.check_key), timestamp=milliseconds,
        mmweb_appid=login.profile.mmweb_appid,
    )  # fmt: skip
    reply = yield from call(SYNCCHECK, request, login.hosts)
    judge(SYNCCHECK.name, reply.retcode)
    return reply.selector != 0


def fetch(login: Login, now: float, *, with_body: bool = False) -> Flow[Batch]:
    """
    Fetch what has happened since the login's sync key. Fetching with the same key again returns the same items.

    Args:
        login: The login.
        now: Seconds since 1970 (server clock).
        with_body: Return the raw answer too, to be stored.

    Raises:
        LoggedOut: The login ended.

    Wire: webwxsync
    """
    credentials = login.credentials
    request = SyncRequest(
        sid=credentials.sid, skey=credentials.skey, pass_ticket=login.pass_ticket, credentials=credentials,
        sync_key=login.fetch_key, rr=~int(now),
    )  # fmt: skip
    response = yield from exchange(WEBWXSYNC, request, login.hosts)
    reply = _read(response)
    judge(WEBWXSYNC.name, reply.base_response.ret, reply.base_response.err_msg, secrets_of(request))
    skey, items = reply.skey, _items(reply, response)
    if with_body or not all(map(_TEXT_OF, items)):
        # Keys stand in the addresses of chatrooms' pictures; texts have none, and are searched where they are kept.
        body = _masked(response.body, skey, credentials.skey, credentials.sid, login.pass_ticket)
        if body != response.body:
            response = msgspec.structs.replace(response, body=body)
            reply = _read(response)
            items = _items(reply, response)
    return Batch(
        items=tuple(items),
        fetch_key=reply.sync_key.or_older(login.fetch_key),
        check_key=reply.sync_check_key.or_older(reply.sync_key).or_older(login.check_key),
        skey=skey,
        has_more=reply.continue_flag != 0,
        missing=max(0, reply.add_msg_count - len(reply.add_msg_list) - len(reply.msg_list or ())),
        body=response.body if with_body else b"",
        texts_in=b"" if with_body else response.body,
    )


_TEXT_OF = attrgetter("text")


def _read(response: Response) -> SyncReply:
    """Decode an answer: as a whole if all of it is valid and no item can be too large, else item by item."""
    may_be_whole = response.status == HTTPStatus.OK and len(response.body) <= MAX_ITEM
    whole = read_sound_json(response.body, WholeSyncReply) if may_be_whole else None
    return read(WEBWXSYNC, response) if whole is None else whole


def _items(reply: SyncReply, response: Response) -> list[Item]:
    """Return the items of an answer, in the order of the platform's page."""
    return [
        *[Item(kind="deleted", raw=raw.copy()) for raw in reply.del_contact_list],
        *[Item(kind="contact", raw=raw.copy()) for raw in reply.mod_contact_list],
        # No recorded answer fills it; the platform's page expects chatrooms with their members there.
        *[Item(kind="contact", raw=raw.copy()) for raw in reply.mod_chat_room_member_list],
        *_messages(reply, response),
        *[Item(kind="message", raw=raw.copy()) for raw in reply.msg_list or ()],
    ]


def _messages(reply: SyncReply, response: Response) -> list[Item]:
    """Return the messages of an answer: texts as decoded, all others as delivered."""
    if not isinstance(reply, WholeSyncReply):
        return [Item(kind="message", raw=raw.copy()) for raw in reply.add_msg_list]
    items: list[Item] = []
    raws: list[msgspec.Raw] = []
    for place, wire in enumerate(reply.add_msg_list):
        if is_text(wire):
            items.append(Item(kind="message", text=wire))
        else:
            raws = raws or read(WEBWXSYNC, response).add_msg_list
            items.append(Item(kind="message", raw=raws[place].copy()))
    return items


_PLAIN = re.compile(r"[A-Za-z0-9_]+")

_SHORTEST_KEY = 8
"""Minimum length of a key in characters; a shorter text may occur in any message."""


def _masked(body: bytes, *keys: str) -> bytes:
    """Replace keys by stars, in each spelling."""
    for key in {key for key in keys if len(key) >= _SHORTEST_KEY}:
        core = max(_PLAIN.findall(key), key=len, default=key)  # equal, whatever its notation
        if body.rfind(core.encode()) >= 0:  # backwards, in two thirds of the time
            for spelling in {key, percent_encode(key), key.replace("/", "\\/")}:
                body = body.replace(spelling.encode(), b"*" * len(spelling.encode()))
    return body
