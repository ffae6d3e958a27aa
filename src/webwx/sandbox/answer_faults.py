"""
Faults in the content of an answer, as values.

The core offers each fault the call before it is carried out and the answer afterwards. Each class is one item of the
catalogue (`faults`): the tag is its name, the first line of its docstring says what it does, and its fields are its
options. No fault changes the world, so that phones still show the true state and a test can compare.
"""

from __future__ import annotations

import dataclasses
import html
import json
import re
import sys
import zlib
from email.utils import formatdate
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

import msgspec

from webwx.protocol.codec import platform_json, write_json
from webwx.protocol.codes import Ret
from webwx.protocol.contacts import BATCHGETCONTACT, GETCONTACT
from webwx.protocol.http import Response
from webwx.protocol.login import TICKET
from webwx.protocol.media import GETMEDIA
from webwx.protocol.messages import APP, IMAGE, STICKER, TEXT, VIDEO
from webwx.protocol.sync import SYNCCHECK, WEBWXSYNC, CheckReply, SyncKey, read_sync_key
from webwx.sandbox.connection_faults import MEDIA_CALLS, At, Count
from webwx.sandbox.errors import Refused
from webwx.sandbox.hosts import cookie_domains
from webwx.sandbox.sessions import SESSION_COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from webwx.protocol.http import Headers, Request
    from webwx.sandbox.delivery import MessageDelivery
    from webwx.sandbox.logins import LoginRegistry
    from webwx.sandbox.sessions import WebSession

Document = dict[str, Any]
"""The JSON object of an answer."""

Instead = Response | msgspec.Struct | None
"""What replaces the execution of a call: an answer, a reply to be encoded, or None to execute it."""

_SENDS = frozenset({TEXT.name, IMAGE.name, VIDEO.name, STICKER.name, APP.name})
_CHECK = frozenset({SYNCCHECK.name})
_FETCH = frozenset({WEBWXSYNC.name})
_CONTACTS = frozenset({GETCONTACT.name})


class FaultedWorld(Protocol):
    """The part of a world that an answer fault uses."""

    logins: LoginRegistry
    delivery: MessageDelivery

    @property
    def now(self) -> float:
        """Seconds since 1970."""

    def say(self, sender: str, to: str, text: str) -> object:
        """Send a text from a person's phone."""

    def end(self, session: WebSession, ret: Ret) -> None:
        """End a web login."""


class FaultedCall(Protocol):
    """The part of a call that an answer fault reads and changes."""

    http: Request
    batch_size: int
    """Maximum number of changes in the answer of a fetch."""
    cookies: list[str]
    """`Set-Cookie` values of the answer."""

    @property
    def world(self) -> FaultedWorld:
        """The world of the call."""

    @property
    def origin(self) -> str:
        """The origin that received the call."""

    @property
    def session(self) -> WebSession:
        """The caller's active web login."""

    @property
    def any_session(self) -> WebSession:
        """The caller's web login, active or ended."""

    def set_cookie(self, name: str, value: str, lifetime: float, *, domain: str) -> None:
        """Set a cookie; without a domain, for this host only."""


class AnswerFault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault in the content of an answer."""

    calls: ClassVar[frozenset[str]] = frozenset()
    """The calls it applies to; empty for every call."""
    is_whole: ClassVar[bool] = False
    """Whether it replaces the whole answer, so that no other such fault applies to the same call."""

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        """
        Return a replacement for the answer, or None to execute the call.

        Raises:
            Refused: The call is refused.
        """
        return None

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        """Return the changed answer."""
        return response


# -- any call --------------------------------------------------------------------------------------------------------

_PAGE = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Try again later.</h1></body></html>"
_HTML = (("Content-Type", "text/html; charset=utf-8"),)

HttpError = Annotated[int, msgspec.Meta(ge=400, le=599)]
Redirect = Annotated[int, msgspec.Meta(ge=300, le=399)]


class RefusedByNumber(AnswerFault, frozen=True, kw_only=True, tag="ret"):
    """The call is refused with the return code `ret`: a Ret, synccheck's retcode, or the `window.code` of login."""

    is_whole: ClassVar[bool] = True
    ret: int = int(Ret.SYSTEM_ERROR)

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        raise Refused(self.ret)


class HtmlPage(AnswerFault, frozen=True, kw_only=True, tag="html_page"):
    """A web page with status 200; the call is not executed."""

    is_whole: ClassVar[bool] = True

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        return Response(headers=_HTML, body=_PAGE)


class HttpStatus(AnswerFault, frozen=True, kw_only=True, tag="status"):
    """A web page with the status `code`, such as 413, 429, 500 or 502; the call is not executed."""

    is_whole: ClassVar[bool] = True
    code: HttpError = 502

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        return Response(status=self.code, headers=_HTML, body=_PAGE)


class Unavailable(AnswerFault, frozen=True, kw_only=True, tag="unavailable"):
    """Status 503 with an empty body; the call is not executed."""

    is_whole: ClassVar[bool] = True

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        return Response(status=503)


class RedirectNowhere(AnswerFault, frozen=True, kw_only=True, tag="redirect_nowhere"):
    """A redirect with status `code` and without a Location; the call is not executed."""

    is_whole: ClassVar[bool] = True
    code: Redirect = 302

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        return Response(status=self.code)


class RedirectAway(AnswerFault, frozen=True, kw_only=True, tag="redirect_away"):
    """A redirect with status `code` to another host, `to`; the call is not executed."""

    is_whole: ClassVar[bool] = True
    code: Redirect = 302
    to: str = "https://evil.example/"

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        return Response(status=self.code, headers=(("Location", self.to),))


class ForeignJson(AnswerFault, frozen=True, kw_only=True, tag="foreign_json"):
    """JSON of a proxy or a captive portal, `body`, with status 200; the call is not executed."""

    is_whole: ClassVar[bool] = True
    body: str = '{"error":"blocked by proxy"}'

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        return Response(headers=(("Content-Type", "application/json"),), body=self.body.encode())


class NoRet(AnswerFault, frozen=True, kw_only=True, tag="no_ret"):
    """The call is executed, and its answer has no BaseResponse, so its result is missing."""

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return _edited(response, lambda answer: answer.pop("BaseResponse", None))


class NoMessageId(AnswerFault, frozen=True, kw_only=True, tag="no_message_id"):
    """A send is executed, and its answer has Ret 0 and an empty MsgID."""

    calls: ClassVar[frozenset[str]] = _SENDS

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return _edited(response, lambda answer: answer.update(MsgID=""))


class Empty(AnswerFault, frozen=True, kw_only=True, tag="empty"):
    """The call is executed, and its answer has no body."""

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return msgspec.structs.replace(response, body=b"")


class Truncated(AnswerFault, frozen=True, kw_only=True, tag="truncated"):
    """The answer's body ends after `at` bytes, with a matching Content-Length; -1 is a random position."""

    at: At = -1

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        at = rng.randrange(max(1, len(response.body))) if self.at < 0 else self.at
        return msgspec.structs.replace(response, body=response.body[:at])


class WrongCharset(AnswerFault, frozen=True, kw_only=True, tag="wrong_charset"):
    """The answer's Content-Type names the wrong `charset`."""

    charset: str = "iso-8859-1"

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        kind = response.header("Content-Type").partition(";")[0]
        return _with_header(response, "Content-Type", f"{kind}; charset={self.charset}")


class NoContentType(AnswerFault, frozen=True, kw_only=True, tag="no_content_type"):
    """The answer has no Content-Type."""

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return _with_header(response, "Content-Type", None)


class GzipWrong(AnswerFault, frozen=True, kw_only=True, tag="gzip_wrong"):
    """The answer claims to be gzip, and is not."""

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return _with_header(response, "Content-Encoding", "gzip")


class GzipBomb(AnswerFault, frozen=True, kw_only=True, tag="gzip_bomb"):
    """The answer is gzip, and unpacks to `mebibytes` of zeros."""

    mebibytes: Annotated[int, msgspec.Meta(ge=1, le=10_240)] = 256

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return _with_header(msgspec.structs.replace(response, body=_bomb(self.mebibytes)), "Content-Encoding", "gzip")


@cache
def _bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)  # 31: with the head of gzip
    zeros = bytes(1 << 20)
    return b"".join([*(packer.compress(zeros) for _ in range(mebibytes)), packer.flush()])


class WrongClock(AnswerFault, frozen=True, kw_only=True, tag="wrong_clock"):
    """The answer's Date is `seconds` ahead of the server's clock; negative is behind."""

    seconds: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)] = 86_400.0

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return _with_header(response, "Date", formatdate(call.world.now + self.seconds, usegmt=True))


# -- poll and sync ---------------------------------------------------------------------------------------------------


class StickySelector(AnswerFault, frozen=True, kw_only=True, tag="sticky_selector"):
    """The poll answers at once with `selector`, even if there is nothing to fetch."""

    calls: ClassVar[frozenset[str]] = _CHECK
    is_whole: ClassVar[bool] = True
    selector: Annotated[int, msgspec.Meta(ge=1, le=999)] = 2

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        return CheckReply(retcode=call.any_session.ended or 0, selector=self.selector)


class UnknownSelector(AnswerFault, frozen=True, kw_only=True, tag="unknown_selector"):
    """If there is something to fetch, the poll answers with an unknown `selector`."""

    calls: ClassVar[frozenset[str]] = _CHECK
    selector: Annotated[int, msgspec.Meta(ge=1, le=999)] = 99

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        body = re.sub(rb'selector:"[1-9]\d*"', f'selector:"{self.selector}"'.encode(), response.body)
        return msgspec.structs.replace(response, body=body)


class FetchFault(AnswerFault, frozen=True, kw_only=True):
    """A fault in the answer of webwxsync."""

    calls: ClassVar[frozenset[str]] = _FETCH

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        def edit(answer: Document) -> None:
            if answer.get("BaseResponse", {}).get("Ret") == 0:
                self.edit(answer, call, rng)

        return _edited(response, edit)

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        """Change the fetched items."""


class RepeatedKey(FetchFault, frozen=True, kw_only=True, tag="repeated_key"):
    """The fetch returns the key of its request, so the same batch is fetched again."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        asked = WEBWXSYNC.decode_request(call.http).sync_key
        answer["SyncKey"] = answer["SyncCheckKey"] = json.loads(write_json(asked))


class NullKey(FetchFault, frozen=True, kw_only=True, tag="null_key"):
    """The fetch returns null for both keys."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        answer["SyncKey"] = answer["SyncCheckKey"] = None


class EmptyKey(FetchFault, frozen=True, kw_only=True, tag="empty_key"):
    """The fetch returns keys with Count 0."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        answer["SyncKey"] = answer["SyncCheckKey"] = {"Count": 0, "List": []}


class ShrunkKey(FetchFault, frozen=True, kw_only=True, tag="shrunk_key"):
    """The fetch returns keys with only the first `keep` counters."""

    keep: Count = 1

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        for name, pairs in _keys(answer).items():
            kept = pairs[: self.keep]
            answer[name] = {"Count": len(kept), "List": kept}


class RewoundKey(FetchFault, frozen=True, kw_only=True, tag="rewound_key"):
    """The fetch returns keys with their counters at the start, so the next fetch returns everything again."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        start = call.session.stream.fetch(SyncKey(), 0).key
        answer["SyncKey"] = answer["SyncCheckKey"] = json.loads(write_json(start))


class ReorderedKey(FetchFault, frozen=True, kw_only=True, tag="reordered_key"):
    """The fetch returns keys with their counters in another order."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        for name, pairs in _keys(answer).items():
            answer[name]["List"] = _in_another_order(pairs, rng)


class NoCheckKey(FetchFault, frozen=True, kw_only=True, tag="no_check_key"):
    """The fetch returns no SyncCheckKey."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        answer.pop("SyncCheckKey", None)


class ContinueRun(FetchFault, frozen=True, kw_only=True, tag="continue_run"):
    """The fetch returns `size` changes, and ContinueFlag 1 while there are more."""

    size: Count = 1

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        call.batch_size = self.size
        return None

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        for pairs in _keys(answer).values():
            key = read_sync_key("|".join(f"{pair['Key']}_{pair['Val']}" for pair in pairs))
            answer["ContinueFlag"] = int(call.session.stream.selector(key) != 0)


class ContinueForever(FetchFault, frozen=True, kw_only=True, tag="continue_forever"):
    """The fetch always returns ContinueFlag 1."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        answer["ContinueFlag"] = 1


class IncompleteList(FetchFault, frozen=True, kw_only=True, tag="missing_messages"):
    """The fetch announces its messages, and its list of messages is `list`: null, text, object, absent or short."""

    list: Literal["null", "text", "object", "absent", "short"] = "null"

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        messages = answer.pop("AddMsgList", None)
        empty: Document = {"null": None, "text": "", "object": {}}
        if not messages:
            answer["AddMsgList"] = messages
        elif self.list == "short":
            answer["AddMsgList"] = messages[:-1]
        elif self.list in empty:
            answer["AddMsgList"] = empty[self.list]


class DoubledBatch(FetchFault, frozen=True, kw_only=True, tag="doubled_batch"):
    """The fetch returns all messages twice."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        answer["AddMsgCount"] *= 2  # also of what another fault has left out
        if messages := _messages(answer):
            answer["AddMsgList"] = messages * 2


class ShuffledBatch(FetchFault, frozen=True, kw_only=True, tag="shuffled_batch"):
    """The fetch returns its messages in another order."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        if messages := _messages(answer):
            answer["AddMsgList"] = _in_another_order(messages, rng)


class MessageId(FetchFault, frozen=True, kw_only=True, tag="message_id"):
    """Every message of the fetch has the MsgId `id`, such as 0, nothing, or 18446744073709551616."""

    id: str = "0"

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        for message in _messages(answer):
            message["MsgId"] = self.id


class SameId(MessageId, frozen=True, kw_only=True, tag="same_id"):
    """Messages of different content have one MsgId, `id`."""

    id: str = "4600000000000000001"


class Flood(FetchFault, frozen=True, kw_only=True, tag="flood"):
    """A friend sends `count` texts, which arrive in one batch."""

    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 5_000

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        me = call.session.person
        friend = next(iter(me.friends), me.id)
        for number in range(self.count):
            call.world.say(friend, me.id, f"{number + 1} of {self.count}")
        call.batch_size = sys.maxsize
        return None


class UnknownChatroom(FetchFault, frozen=True, kw_only=True, tag="unknown_chatroom"):
    """Messages of others come from an unknown chatroom and an unknown member."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        me = call.session.names.name(call.session.person.id)
        chatroom = f"@@{rng.randbytes(32).hex()}"
        for message in _messages(answer):
            if message["ToUserName"] == me and message["FromUserName"] != me:
                member, _ = _member(message)
                message["FromUserName"] = chatroom
                if not member:
                    message["Content"] = f"@{rng.randbytes(32).hex()}:<br/>{message['Content']}"


class UnknownMember(FetchFault, frozen=True, kw_only=True, tag="unknown_member"):
    """Messages of a chatroom come from an unknown member."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        for message in _messages(answer):
            member, content = _member(message)
            if member:
                message["Content"] = f"@{rng.randbytes(32).hex()}:<br/>{content}"


class RecallWithoutId(FetchFault, frozen=True, kw_only=True, tag="recall_without_id"):
    """The notice of a recall has no message id."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        for message in _messages(answer):
            words = html.unescape(message["Content"])
            if "revokemsg" in words:
                message["Content"] = html.escape(_MESSAGE_ID.sub("", words), quote=False)


_MESSAGE_ID = re.compile(r"<(msgid|oldmsgid)>\d*</\1>")


class RotatedKey(FetchFault, frozen=True, kw_only=True, tag="rotated_skey"):
    """The fetch returns a new skey; with `strict_skey`, the old one is refused."""

    def edit(self, answer: Document, call: FaultedCall, rng: Random) -> None:
        session, logins = call.session, call.world.logins
        skey = logins.issue(f"@crypt_{rng.getrandbits(32):08x}_{rng.randbytes(16).hex()}")
        session.keys = dataclasses.replace(session.keys, first_skey=skey, skey=skey)
        answer["SKey"] = skey


# -- contacts --------------------------------------------------------------------------------------------------------


class ContactsFault(AnswerFault, frozen=True, kw_only=True):
    """A fault in the answer of webwxgetcontact."""

    calls: ClassVar[frozenset[str]] = _CONTACTS

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return _edited(response, lambda answer: self.edit(answer, rng))

    def edit(self, answer: Document, rng: Random) -> None:
        """Change a page of contacts."""


class ContactLoop(ContactsFault, frozen=True, kw_only=True, tag="contact_loop"):
    """Every page of contacts announces the page after `seq`, so the list never ends."""

    seq: Count = 1

    def edit(self, answer: Document, rng: Random) -> None:
        answer["Seq"] = self.seq


class NoSeq(ContactsFault, frozen=True, kw_only=True, tag="no_seq"):
    """A page of contacts has no Seq."""

    def edit(self, answer: Document, rng: Random) -> None:
        answer.pop("Seq", None)


class NullList(ContactsFault, frozen=True, kw_only=True, tag="null_list"):
    """A page of contacts has null as MemberList; its MemberCount is correct."""

    def edit(self, answer: Document, rng: Random) -> None:
        answer["MemberList"] = None


class LostContacts(ContactsFault, frozen=True, kw_only=True, tag="lost_contacts"):
    """A page of contacts has only its first `most` contacts; its MemberCount is correct."""

    most: Count = 1

    def edit(self, answer: Document, rng: Random) -> None:
        answer["MemberList"] = answer.get("MemberList", [])[: self.most]


class LostMembers(AnswerFault, frozen=True, kw_only=True, tag="lost_members"):
    """A requested chatroom has only its first `most` members; its MemberCount is correct."""

    calls: ClassVar[frozenset[str]] = frozenset({BATCHGETCONTACT.name})
    most: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 1

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        def edit(answer: Document) -> None:
            for contact in answer.get("ContactList", []):
                contact["MemberList"] = contact["MemberList"][: self.most]

        return _edited(response, edit)


class ManyContacts(ContactsFault, frozen=True, kw_only=True, tag="many_contacts"):
    """A page of contacts has `count` additional friends."""

    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000

    def edit(self, answer: Document, rng: Random) -> None:
        pattern = answer["MemberList"][-1] if answer.get("MemberList") else {}
        answer.setdefault("MemberList", []).extend(
            pattern | {"UserName": f"@{rng.randbytes(32).hex()}", "NickName": f"Friend {number + 1}"}
            for number in range(self.count)
        )
        answer["MemberCount"] = len(answer["MemberList"])


class CutBatch(AnswerFault, frozen=True, kw_only=True, tag="cut_batch"):
    """Only the first `most` of the requested contacts are returned."""

    calls: ClassVar[frozenset[str]] = frozenset({BATCHGETCONTACT.name})
    most: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 50

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        def edit(answer: Document) -> None:
            answer["ContactList"] = answer.get("ContactList", [])[: self.most]
            answer["Count"] = len(answer["ContactList"])

        return _edited(response, edit)


# -- the session -----------------------------------------------------------------------------------------------------


class Evicted(AnswerFault, frozen=True, kw_only=True, tag="evicted"):
    """Another login replaces this session: retcode and Ret 1101."""

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        call.world.end(call.session, Ret.SESSION_INVALID)
        return None


class PhoneLogout(AnswerFault, frozen=True, kw_only=True, tag="phone_logout"):
    """The phone logs this session out: retcode and Ret 1100."""

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        call.world.end(call.session, Ret.SESSION_NOT_FOUND)
        return None


class PhoneOffline(AnswerFault, frozen=True, kw_only=True, tag="phone_offline"):
    """A send is refused because the phone has been offline for too long: Ret 3."""

    calls: ClassVar[frozenset[str]] = _SENDS
    is_whole: ClassVar[bool] = True

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        raise Refused(Ret.PHONE_OFFLINE)


class RotatedCookies(AnswerFault, frozen=True, kw_only=True, tag="rotated_cookies"):
    """The answer sets a new webwx_data_ticket; with `strict_cookies`, the old one is refused."""

    calls: ClassVar[frozenset[str]] = _CHECK | _FETCH

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        session, ticket = call.session, call.world.logins.issue(f"gS{rng.randbytes(11).hex()}")
        session.keys = dataclasses.replace(session.keys, data_ticket=ticket)
        call.set_cookie(_TICKET, ticket, SESSION_COOKIE, domain=cookie_domains(call.origin)[1])
        headers = (*_without_ticket(response), ("Set-Cookie", call.cookies[-1]))
        return msgspec.structs.replace(response, headers=headers)


class NoTicket(AnswerFault, frozen=True, kw_only=True, tag="no_ticket"):
    """A login gets no webwx_data_ticket cookie, and no sync renews it."""

    calls: ClassVar[frozenset[str]] = frozenset({TICKET.name}) | _FETCH

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        return msgspec.structs.replace(response, headers=_without_ticket(response))


_TICKET = "webwx_data_ticket"


def _without_ticket(response: Response) -> Headers:
    return tuple(header for header in response.headers if not header[1].startswith(f"{_TICKET}="))


# -- media -----------------------------------------------------------------------------------------------------------


class MediaEmpty(Empty, frozen=True, kw_only=True, tag="media_empty"):
    """A media file has no bytes, as one that is not ready yet."""

    calls: ClassVar[frozenset[str]] = MEDIA_CALLS


class MediaGone(HttpStatus, frozen=True, kw_only=True, tag="media_gone"):
    """A media file is not found: status `code`."""

    calls: ClassVar[frozenset[str]] = MEDIA_CALLS
    code: HttpError = 404


class MediaPage(HtmlPage, frozen=True, kw_only=True, tag="media_page"):
    """A web page is returned instead of a media file."""

    calls: ClassVar[frozenset[str]] = MEDIA_CALLS


class MediaPartial(AnswerFault, frozen=True, kw_only=True, tag="media_partial"):
    """The first half of a media file is returned with status 206, even without a range request."""

    calls: ClassVar[frozenset[str]] = MEDIA_CALLS

    def after(self, call: FaultedCall, response: Response, rng: Random) -> Response:
        size = len(response.body)
        half = response.body[: max(1, size // 2)]
        cut = msgspec.structs.replace(response, status=206, body=half)
        return _with_header(cut, "Content-Range", f"bytes 0-{len(half) - 1}/{size}")


class RecalledFirst(AnswerFault, frozen=True, kw_only=True, tag="recalled_first"):
    """The sender recalls the message just before its media file is fetched."""

    calls: ClassVar[frozenset[str]] = MEDIA_CALLS - {GETMEDIA.name}  # a file is asked for without its message

    def before(self, call: FaultedCall, request: msgspec.Struct) -> Instead:
        message = call.world.delivery.message(getattr(request, "message_id", ""), call.session.person)
        if not message.is_recalled:
            call.world.delivery.recall(message.sender, message.id)
        return None


# -- answers ---------------------------------------------------------------------------------------------------------


def _with_header(response: Response, name: str, value: str | None) -> Response:
    """Replace a header; None removes it."""
    kept: Headers = tuple(header for header in response.headers if header[0].lower() != name.lower())
    return msgspec.structs.replace(response, headers=kept if value is None else (*kept, (name, value)))


def _keys(answer: Document) -> dict[str, list[Document]]:
    """Return the counters of both keys by key name; a key that another fault has removed is omitted."""
    return {name: key["List"] for name in ("SyncKey", "SyncCheckKey") if (key := answer.get(name))}


def _edited(response: Response, edit: Callable[[Document], object]) -> Response:
    """Edit the JSON object of an answer; any other answer is returned unchanged."""
    try:
        answer = json.loads(response.body)
    except ValueError:
        return response
    if not isinstance(answer, dict):
        return response
    edit(answer)
    return msgspec.structs.replace(response, body=platform_json(write_json(answer)))


def _messages(answer: Document) -> list[Document]:
    """Return the messages of a fetch; none if another fault has removed their list."""
    messages = answer.get("AddMsgList")
    return messages if isinstance(messages, list) else []


def _in_another_order(items: list[Document], rng: Random) -> list[Document]:
    shuffled = rng.sample(items, len(items))
    return shuffled if shuffled != items else [*items[1:], *items[:1]]


def _member(message: Document) -> tuple[str, str]:
    """Split a chatroom message into its prefix, which names the author, and its text; the prefix may be empty."""
    member, parting, content = message["Content"].partition(":<br/>")
    is_prefixed = bool(parting) and message["FromUserName"].startswith("@@") and member.startswith("@")
    return (member, content) if is_prefixed else ("", message["Content"])
