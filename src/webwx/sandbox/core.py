"""
The server without a port: a `Request` goes in, a `Response` or a `Park` comes out.

The same core answers a test in process and a socket (`serve`). It finds the endpoint, decodes, asks the answer, and
encodes; who is calling and what happens then is the business of `visit` and `answers`.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from webwx.errors import ProtocolError
from webwx.protocol import ENDPOINTS
from webwx.protocol.codec import Media
from webwx.protocol.codes import PollCode, Ret
from webwx.protocol.http import Park, Request, Response
from webwx.protocol.login import BaseResponse, PollReply, QrReply, TicketReply
from webwx.protocol.sync import CheckReply
from webwx.sandbox import control
from webwx.sandbox.answers import ANSWERS
from webwx.sandbox.refusals import Refused
from webwx.sandbox.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from webwx.protocol.endpoint import Endpoint
    from webwx.sandbox.world import World


class Sandbox:
    """A server of the protocol over one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def answer(self, request: Request, parked: Park | None = None) -> Response | Park:
        """
        Answer a request, or park it.

        Args:
            request: What came.
            parked: The park this very request got before, when it is asked again: because the world has changed or
                the clock has reached its `until`.
        """
        if control.is_for(request):
            return self._dated(control.answer(self.world, request))
        if request.path == "/":
            return self._dated(Response(headers=(("Content-Type", "text/html"),), body=b"<title>webwx sandbox</title>"))
        endpoint = next((each for each in ENDPOINTS if each.matches(request.method, request.path)), None)
        if endpoint is None:
            return self._dated(Response(status=404, headers=(("Content-Type", "text/plain"),)))
        return self._call(endpoint, request, parked)

    def wind_to(self, until: float) -> None:
        """Wind the clock forward to a moment, unless it has passed."""
        self.world.wind(max(0.0, until - self.world.now))

    def _call(self, endpoint: Endpoint[Any, Any], request: Request, parked: Park | None) -> Response | Park:
        try:
            decoded = endpoint.decode_request(request)
        except ProtocolError:
            return self._dated(endpoint.encode_reply(refusal(endpoint, Refused(Ret.UNREADABLE_REQUEST))))
        visit = Visit(self.world, request, decoded, parked)
        try:
            reply = self._ask(endpoint, visit, decoded)
        except Refused as refused:
            reply = refusal(endpoint, refused)
        if isinstance(reply, Park):
            return reply
        response = endpoint.encode_reply(reply)
        cookies = tuple(("Set-Cookie", cookie) for cookie in visit.cookies)
        return self._dated(Response(status=visit.status, headers=response.headers + cookies, body=response.body))

    def _ask(self, endpoint: Endpoint[Any, Any], visit: Visit, decoded: msgspec.Struct) -> msgspec.Struct | Park:
        ret = self.world.take_refusal(endpoint.name) if visit.is_first else None
        if ret is not None:
            raise Refused(ret)
        return ANSWERS[endpoint.name](visit, decoded)

    def _dated(self, response: Response) -> Response:
        """Add the world's time: clients judge by it whether a message can still be recalled."""
        date = ("Date", formatdate(self.world.now, usegmt=True))
        return Response(status=response.status, headers=(*response.headers, date), body=response.body)


def refusal(endpoint: Endpoint[Any, Any], refused: Refused) -> msgspec.Struct:
    """Give the reply that says no: the number in its place, every other field zero or empty."""
    special = _REFUSALS.get(endpoint.reply)
    if special:
        return special(refused)
    reply: msgspec.Struct = endpoint.reply(base_response=BaseResponse(ret=refused.ret))
    return reply


_REFUSALS: dict[type[msgspec.Struct], Callable[[Refused], msgspec.Struct]] = {
    QrReply: lambda refused: QrReply(code=refused.ret),
    PollReply: lambda _: PollReply(code=PollCode.EXPIRED),
    TicketReply: lambda refused: TicketReply(ret=refused.ret, message=refused.message),
    CheckReply: lambda refused: CheckReply(retcode=refused.ret),
    Media: lambda _: Media(content_type="text/plain"),
}
"""Replies that have no `BaseResponse`; a medium that is refused is an empty one."""
