"""
The server without a port: it takes a `Request` and returns a `Response` or a `Park`.

The same core answers a test in process and a socket (`serve`). It finds the endpoint, decodes, calls the handler, and
encodes; `call` identifies the caller, and `handlers` do the work.
"""

from __future__ import annotations

import re
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol import find_endpoint
from webwx.protocol.codec import Media
from webwx.protocol.codes import PollCode, Ret
from webwx.protocol.http import Park, Request, Response
from webwx.protocol.login import BaseResponse, PollReply, PushLoginReply, QrReply, TicketReply
from webwx.protocol.media import UPLOAD, UploadReply
from webwx.protocol.messages import SendReply, TextRequest
from webwx.protocol.sync import CheckReply, SyncReply
from webwx.sandbox import control
from webwx.sandbox.answer_faults import AnswerFault
from webwx.sandbox.call import Call
from webwx.sandbox.connection_faults import AtAnswer, AtRequest, Repeat, Throttle, raw_answer
from webwx.sandbox.errors import Refused
from webwx.sandbox.faults import ANSWER_FAULTS, InjectedFault, name_of, of_kind, steps_of
from webwx.sandbox.handlers import HANDLERS
from webwx.sandbox.handlers.sync import UNCHANGED_PROFILE
from webwx.sandbox.headers import headers_of
from webwx.sandbox.hosts import is_helper, page_permission
from webwx.sandbox.phone import pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.protocol.endpoint import Endpoint
    from webwx.sandbox.connection_faults import Steps
    from webwx.sandbox.traffic import RecordedExchange
    from webwx.sandbox.world import World

_REQUEST_KINDS = (*ANSWER_FAULTS, AtRequest, AtAnswer, Throttle, Repeat)
"""Kinds of faults that are chosen when a request arrives."""

_START_PAGE = b'<title>webwx sandbox</title><p><a href="/phone">The phones of this sandbox</a></p>'


class FaultyResponse(Response, frozen=True, kw_only=True):
    """An answer with connection faults: on a port it is sent in steps."""

    hits: tuple[InjectedFault, ...]

    def steps(self) -> Steps:
        """Return the response to send."""
        return steps_of(raw_answer(self), self.hits)


class HeldPoll(Park, frozen=True, kw_only=True):
    """A held poll with its faults and its entry in the recorded traffic."""

    hits: tuple[InjectedFault, ...]
    entry: RecordedExchange


class SandboxCore:
    """A server of the protocol over one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        """
        Answer a request, or park it.

        Args:
            request: The request.
            parked: The `Park` that this request received before, when it is tried again because the world has changed
                or the clock has reached its `until`.
        """
        beside = self._answer_own_request(request)
        if beside is not None:
            self.world.play()
            return self._finished(request, beside)
        traffic = self.world.traffic
        held = parked if isinstance(parked, HeldPoll) else None
        entry = held.entry if held else traffic.begin(request)
        answer = self._answer(request, parked, entry)
        self.world.play()
        if isinstance(answer, Park):
            return answer
        answer = self._finished(request, answer)
        hits = answer.hits if isinstance(answer, FaultyResponse) else ()
        traffic.end(entry, None if of_kind(hits, AtRequest) else answer, [name_of(hit.fault) for hit in hits])
        return answer

    def give_up(self, parked: Park) -> None:
        """Record that a poll's client has disconnected."""
        if isinstance(parked, HeldPoll):
            self.world.traffic.end(parked.entry, None)

    def wind_to(self, until: float) -> None:
        """Move the clock forward to a time, or only to the next scheduled action before it."""
        planned = self.world.scheduler.next
        moment = until if planned is None else min(until, planned)
        self.world.wind(max(0.0, moment - self.world.now))

    def _finished(self, request: Request, answer: Response) -> Response:
        headers = (*answer.headers, *page_permission(request))
        if not answer.header("Date"):
            # Clients judge by the world's time whether a message can still be recalled.
            headers = (*headers, ("Date", formatdate(self.world.now, usegmt=True)))
        return msgspec.structs.replace(answer, headers=headers)

    def _answer_own_request(self, request: Request) -> Response | None:
        """Answer a request of the sandbox itself that is not part of the protocol."""
        if control.is_for(request):
            return control.answer(self.world, request)
        if pages.is_for(request):
            return pages.answer(self.world, request)
        if request.path == "/":
            return Response(headers=(("Content-Type", "text/html"),), body=_START_PAGE)
        return None

    def _answer(self, request: Request, parked: Park | None, entry: RecordedExchange) -> Response | Park:
        request = normalized_path(request)
        if request.method == "OPTIONS":
            if request.path == UPLOAD.path:  # clients that are no browsers ask too, at any host
                refused = BaseResponse(ret=Ret.PARAMETER_ERROR)
                return UPLOAD.encode_reply(UploadReply(base_response=refused, encry_file_name=msgspec.UNSET))
            if page_permission(request):
                return Response()  # with status 200, which one client insists on
        # Who asks for the head of something asks for the thing, and the shell leaves the body out.
        endpoint = find_endpoint("GET" if request.method == "HEAD" else request.method, request.path)
        if endpoint is None:
            return Response(status=404, headers=(("Content-Type", "text/plain"),))
        if parked is None:
            hits = self.world.faults.match(_REQUEST_KINDS, endpoint.name)
        else:
            hits = parked.hits if isinstance(parked, HeldPoll) else ()
        if of_kind(hits, AtRequest):
            return FaultyResponse(hits=hits)
        answer = self._call(endpoint, request, parked, hits)
        if isinstance(answer, Park):
            return HeldPoll(until=answer.until, account=answer.account, hits=hits, entry=entry)
        if not hits:
            return answer
        if of_kind(hits, Repeat):
            self._call(endpoint, request, None, ())
        return FaultyResponse(status=answer.status, headers=answer.headers, body=answer.body, hits=hits)

    def _call(
        self, endpoint: Endpoint[Any, Any], request: Request, parked: Park | None, hits: tuple[InjectedFault, ...]
    ) -> Response | Park:
        try:
            decoded = endpoint.decode_request(request)
        except ProtocolError:
            return endpoint.encode_reply(refusal(endpoint, Refused(Ret.UNREADABLE_REQUEST)))
        call = Call(self.world, endpoint, request, decoded, parked)
        faults = of_kind(hits, AnswerFault)
        try:
            reply = self._ask(endpoint, call, decoded, [fault for fault, _ in faults])
        except Refused as refused:
            reply = refusal(endpoint, refused)
            if isinstance(decoded, TextRequest) and refused.ret == Ret.SYSTEM_ERROR:
                # The platform refuses a text with another answer than it refuses other sends.
                reply = SendReply(
                    base_response=BaseResponse(ret=refused.ret), msg_id="0", local_id=decoded.msg.local_id
                )
        if isinstance(reply, Park):
            return reply
        if isinstance(reply, Response):
            response = reply
        else:
            written = call.instead or endpoint.encode_reply(reply)
            cookies = tuple(("Set-Cookie", cookie) for cookie in call.cookies)
            headers = (*written.headers, *cookies, *headers_of(endpoint, call))
            response = Response(status=call.status, headers=headers, body=written.body)
            known = request.header("If-None-Match")
            if known and known == response.header("ETag"):
                response = msgspec.structs.replace(response, status=304, body=b"")
        for fault, rng in faults:
            with suppress(Refused):  # no session: there is no login whose answer could be changed
                response = fault.after(call, response, rng)
        return response

    def _ask(
        self, endpoint: Endpoint[Any, Any], call: Call, decoded: msgspec.Struct, faults: list[AnswerFault]
    ) -> msgspec.Struct | Response | Park:
        for fault in faults if call.is_first else ():
            instead = fault.before(call, decoded)
            if instead is not None:
                return instead
        if not endpoint.on_filehelper and is_helper(call.http):
            raise Refused(Ret.PARAMETER_ERROR)
        most = self.world.options.acts_per_minute
        if most and endpoint.limited:
            call.session.act(self.world.now, most)
        return HANDLERS[endpoint.name](call, decoded)


def normalized_path(request: Request) -> Request:
    """Remove doubled and trailing slashes from a path, which clients send that join addresses carelessly."""
    parts = urlsplit(request.url)
    path = _SLASHES.sub("/", parts.path).rstrip("/") or "/"
    return request if path == parts.path else msgspec.structs.replace(request, url=parts._replace(path=path).geturl())


_SLASHES = re.compile("//+")


def refusal(endpoint: Endpoint[Any, Any], refused: Refused) -> msgspec.Struct:
    """Return the reply of a refusal: the return code, and every other field zero or empty."""
    special = _REFUSALS.get(endpoint.reply)
    if special:
        return special(refused)
    reply: msgspec.Struct = endpoint.reply(base_response=BaseResponse(ret=refused.ret))
    return reply


_POLL_CODES = {int(code) for code in PollCode}

_REFUSALS: dict[type[msgspec.Struct], Callable[[Refused], msgspec.Struct]] = {
    QrReply: lambda refused: QrReply(code=refused.ret),
    PollReply: lambda refused: PollReply(code=refused.ret if refused.ret in _POLL_CODES else PollCode.EXPIRED),
    PushLoginReply: lambda refused: PushLoginReply(ret=str(refused.ret), msg=refused.message),
    TicketReply: lambda refused: TicketReply(ret=refused.ret, message=refused.message),
    CheckReply: lambda refused: CheckReply(retcode=refused.ret),
    SyncReply: lambda refused: SyncReply(base_response=BaseResponse(ret=refused.ret), profile=UNCHANGED_PROFILE),
    Media: lambda _: Media(content_type="text/plain"),
}
"""Refusals of calls whose reply has no `BaseResponse` or more fields; a refused download is empty."""
