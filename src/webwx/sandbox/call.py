"""
One call as its handler receives it, and the registry of handlers.

A handler is a function of a call and the decoded request. It returns the reply's struct, returns a `Park` to be called
again later, or raises `Refused`.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from webwx.errors import ProtocolError
from webwx.protocol.codec import Wire, read_json, read_pairs
from webwx.protocol.codes import Ret
from webwx.protocol.cookies import read_cookie_header
from webwx.protocol.hosts import Host
from webwx.protocol.http import Park, Request, Response
from webwx.protocol.login import Credentials
from webwx.protocol.media import ParallelTicket, ParallelUploadRequest, UploadRequest, UploadTicket
from webwx.sandbox.errors import Refused
from webwx.sandbox.hosts import is_foreign

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.protocol.endpoint import Endpoint
    from webwx.sandbox.sessions import WebSession
    from webwx.sandbox.world import World

Q = TypeVar("Q", bound=msgspec.Struct)
R = TypeVar("R", bound=msgspec.Struct)

HANDLERS: dict[str, Callable[[Call, Any], msgspec.Struct | Park]] = {}
"""The handler of every endpoint, by the endpoint's name."""


def handles(
    endpoint: Endpoint[Q, R],
) -> Callable[[Callable[[Call, Q], R | Park]], Callable[[Call, Q], R | Park]]:
    """Register the handler of an endpoint. One of the wrong types is a type error."""

    def register(handler: Callable[[Call, Q], R | Park]) -> Callable[[Call, Q], R | Park]:
        HANDLERS[endpoint.name] = handler
        return handler

    return register


class Call:
    """
    One call as the server sees it.

    Args:
        world: The world.
        endpoint: The endpoint.
        http: The request as received.
        request: The decoded request.
        parked: State of a parked call that is resumed.
    """

    def __init__(
        self,
        world: World,
        endpoint: Endpoint[Any, Any],
        http: Request,
        request: msgspec.Struct,
        parked: Park | None,
    ) -> None:
        self.world = world
        self._endpoint = endpoint
        self.http = http
        self.is_first = parked is None
        """Whether this is the first attempt, before the call was parked."""
        self.deadline = parked.until if parked else world.now + world.options.hold_seconds
        """Time at which a poll is answered without news."""
        self.batch_size = world.options.batch_size
        """Maximum number of changes in a fetch."""
        self.status = 200
        """HTTP status of the answer."""
        self.cookies: list[str] = []
        """`Set-Cookie` values of the answer."""
        self.digest = ""
        """MD5 of the picture or video in the answer, for its `ETag`; empty for any other answer."""
        self.modified = world.now
        """Time of that picture or video, for its `Last-Modified`."""
        self.instead: Response | None = None
        """Answer for a browser, in place of the encoded reply; None for a client."""
        self._request = request

    @property
    def origin(self) -> str:
        """The origin that received the call."""
        parts = urlsplit(self.http.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_over(self) -> bool:
        """Whether a poll has been held until its deadline."""
        return self.world.now >= self.deadline

    @property
    def session(self) -> WebSession:
        """
        Session of the call.

        Raises:
            Refused: There is no session, or the login has ended.
        """
        session = self.any_session
        if session.ended is not None:
            raise Refused(session.ended)
        return session

    @property
    def any_session(self) -> WebSession:
        """
        Return the session of the call, even if its login has ended.

        Only the sid identifies it: DeviceID, pass_ticket and skey of real clients are often old, wrong or empty.

        Raises:
            Refused: No session has this sid, or the request states two different ones. If an option demands it, also:
                the host is wrong, a cookie is missing, or the skey was never issued to the session.
        """
        sids = self._sids()
        session = self.world.logins.session(sids.pop()) if len(sids) == 1 else None
        if session is None:
            raise Refused(Ret.SESSION_INVALID)
        options = self.world.options
        if options.strict_hosts and session.family and is_foreign(self._endpoint, session.family, self.origin):
            raise Refused(Ret.SESSION_INVALID)
        if options.strict_cookies:
            self._check_cookies(session)
        skey = self._credentials().skey or read_pairs(self.http.query).get("skey", "")
        if options.strict_skey and skey and not session.owns(skey):
            raise Refused(Ret.COOKIE_INVALID)
        return session

    def park(self, account: str, *, until: float | None = None) -> Park:
        """Hold this poll until something happens to an account or a login code."""
        return Park(until=self.deadline if until is None else until, account=account)

    def set_cookie(self, name: str, value: str, lifetime: float, *, domain: str = "") -> None:
        """
        Set a cookie; without a domain, for this host only, as on a plain origin.

        The platform's cookies are `Secure`. Over plain http they are not: aiohttp and Python's own jar would store them
        and never send them back, and browsers send them to loopback addresses at most.
        """
        where = f" Domain={domain};" if domain else ""
        secure = "; Secure" if self.http.url.startswith("https:") else ""
        self.cookies.append(f"{name}={value};{where} Path=/; Expires={dashed_date(self.world.now + lifetime)}{secure}")

    def cookie(self, name: str) -> str:
        """Return a cookie of the request, or an empty text."""
        return read_cookie_header(self.http.header("Cookie")).get(name, "")

    def _check_cookies(self, session: WebSession) -> None:
        """Refuse a request without the session's cookies; at the file host, `webwx_data_ticket` is required too."""
        keys = session.keys
        is_file = self._endpoint.host is Host.FILE
        name, value = ("webwx_data_ticket", keys.data_ticket) if is_file else ("wxsid", keys.sid)
        if self.cookie(name) != value:
            raise Refused(Ret.SESSION_NOT_FOUND)

    def _sids(self) -> set[str]:
        """Return the sids of the cookie, the query and the body; a client states one of them, or the same in each."""
        in_body = self._credentials().sid, getattr(self._request, "sid", "")
        return {self.cookie("wxsid"), read_pairs(self.http.query).get("sid", ""), *in_body} - {""}

    def _credentials(self) -> Credentials:
        """Return `BaseRequest` of the body; in an upload it is nested one level deeper."""
        if isinstance(self._request, UploadRequest):
            return upload_ticket(self._request).credentials
        if isinstance(self._request, ParallelUploadRequest):
            return parallel_ticket(self._request).credentials
        credentials = getattr(self._request, "credentials", None)
        return credentials if isinstance(credentials, Credentials) else _in_body(self.http.content)


def dashed_date(seconds: float) -> str:
    """Write a time as the platform does in cookies: `Mon, 31-Dec-2018 11:12:23 GMT`."""
    date = formatdate(seconds, usegmt=True)
    return f"{date[:7]}-{date[8:11]}-{date[12:]}"


class _AnyBody(Wire, frozen=True, kw_only=True):
    """The fields that nearly every body has, also where a call does not use them."""

    credentials: Credentials = msgspec.field(name="BaseRequest", default=Credentials())


def _in_body(body: bytes) -> Credentials:
    try:
        return read_json(body, _AnyBody).credentials if body else Credentials()
    except ProtocolError:
        return Credentials()


def upload_ticket(request: UploadRequest) -> UploadTicket:
    """
    Read the JSON inside an upload.

    Raises:
        Refused: The JSON is unreadable.
    """
    try:
        return read_json(request.uploadmediarequest.encode(), UploadTicket)
    except ProtocolError:
        raise Refused(Ret.UNREADABLE_REQUEST) from None


def parallel_ticket(request: ParallelUploadRequest) -> ParallelTicket:
    """
    Read the JSON inside a chunk of a parallel upload.

    Raises:
        Refused: The JSON is unreadable.
    """
    try:
        return read_json(request.ticket.encode(), ParallelTicket)
    except ProtocolError:
        raise Refused(Ret.UNREADABLE_REQUEST) from None
