"""
The runner of flows, and the session state of the account that it works for.

The state holds an account's cookies and keys in one place. The runner adds to a request what every request of the
account carries, and applies what an answer changes, so that concurrent flows never overwrite each other's changes.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from webwx.errors import ProtocolError, TransportError
from webwx.protocol.cookies import Carried
from webwx.protocol.http import Pause, Read, Request, Response, TimeLimit, http_time
from webwx.transport.file_chunks import read_window

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.flows.call import Flow
    from webwx.model.login import Login
    from webwx.protocol.hosts import Hosts
    from webwx.protocol.http import Buffer, Headers, Sink

T = TypeVar("T")

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
"""A browser's value; whether the platform checks it is not known."""


_REFUSED_FROM = HTTPStatus.BAD_REQUEST.value

_A_MILLISECOND = 10_000
"""Number of ids of sends in a millisecond."""

_A_JUMP = 60.0
"""Seconds by which two clocks must diverge for one of them to have been set."""

_IDS_SERVE = 1.0
"""Seconds in which the ids of a reserved millisecond are used for sends: an id shows roughly when its send was made."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Time limits in seconds."""

    connect: float = 10.0
    """Limit for opening a connection."""
    call: float = 30.0
    """Limit for an ordinary answer."""
    poll: float = 35.0
    """Limit for a long poll; the server holds it for about 25 s."""
    bulk: float = 120.0
    """Limit for contact lists and media; a download may take longer, but each of its pieces no longer than this."""
    slowest: float = 512.0
    """Minimum average of a download in bytes per second, after its first `bulk` seconds; 0: no minimum."""
    retry: float = 1.0
    """Pause before a chunk, a download, or a call with an unknown return code is retried."""
    keep_idle: float = 4.0
    """Maximum idle time of a connection: the outcome of a POST on a connection that the server closes is unknown."""

    def of(self, time_limit: TimeLimit) -> float:
        """Return the seconds for a kind of call."""
        seconds: float = getattr(self, time_limit)
        return seconds

    def until(self, time_limit: TimeLimit, began: float, now: float, size: int) -> float:
        """
        Return the deadline of a download, or of its next piece.

        Args:
            time_limit: The kind of call.
            began: Time of the request.
            now: Time of the last piece.
            size: Number of bytes so far.
        """
        return self.of(time_limit) + (min(now, began + size / self.slowest) if self.slowest else now)


MAX_BODY = {
    TimeLimit.CALL: 16 * 1024 * 1024,
    TimeLimit.POLL: 1024 * 1024,
    TimeLimit.BULK: 64 * 1024 * 1024,
}
"""Maximum size in bytes of an answer."""


class Transport(Protocol):
    """Sends requests and returns answers. Replace it to use another HTTP library."""

    async def send(self, request: Request) -> Response:
        """
        Send one request and return the answer. If the request has a `sink`, the body may be written there.

        Raises:
            InvalidRequest: A server could read the request as another one; nothing was sent.
            ConnectFailed: Nothing was sent.
            TlsError: The server's certificate is not valid; nothing was sent.
            Timeout: No answer in time.
            TransportError: The answer is incomplete.
            ProtocolError: The answer is too large.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class RequestPlaces(Protocol):
    """Places of calls, of which a number may be in flight."""

    def take(self) -> bool:
        """Return whether a further call may be made at once; if so, `leave` has to follow."""
        ...

    async def enter(self) -> None:
        """
        Wait until a further call may be made; `leave` has to follow.

        Raises:
            ConnectFailed: The call may not be made any more; nothing was sent.
        """
        ...

    def leave(self) -> None:
        """Free a place."""
        ...


class RequestLimit(Protocol):
    """Limits the calls in flight."""

    def places_of(self, request: Request) -> RequestPlaces | None:
        """Return the places of calls such as this one; None if they are not limited."""
        ...


async def _reserve_alone(at_least: int) -> int:
    """Reserve an id that no other process can have."""
    return at_least


class SessionState:
    """One account's cookies, keys and cursor, updated by every answer."""

    def __init__(
        self,
        login: Login,
        clock: Callable[[], float],
        user_agent: str = USER_AGENT,
        reserve: Callable[[int], Awaitable[int]] = _reserve_alone,
    ) -> None:
        self.login: Login = login
        """The present snapshot."""
        self._clock = clock
        self._user_agent = user_agent
        self._reserve = reserve
        self._next_id = self._ids_end = 0
        self._ids_since = 0.0
        """Reserved ids of sends, and the time of their reservation."""
        self._carried = Carried(login.jar)
        self._carried_to: Hosts | None = None
        """Hosts for which these headers were built."""
        self._post_headers: Headers = ()
        """Further headers of a POST to these hosts."""
        self._last_headers: Headers = ()
        self._set_cookies: tuple[str, ...] = ()
        self._served: float | None = None
        """Date and cookies of the last answer; the next answer usually has the same."""
        self._aged_to = clock()
        """Time (our clock) to which the expiry of cookies was advanced."""
        self._both: tuple[float, float] | None = None
        """Both clocks, ours and the server's, at a moment since which neither was set."""

    def now(self) -> float:
        """Seconds since 1970 (server's clock if its answers have shown it, else ours)."""
        clock = self._clock  # called as it stands, Python would look for a method of that name, the long way
        return clock() + self.login.clock_skew

    def change(self, **fields: object) -> None:
        """Replace fields of the login."""
        self.login = msgspec.structs.replace(self.login, **fields)

    async def next_client_id(self) -> str:
        """
        Return the next id of a send: 13 digits of milliseconds and a counter of four.

        It increases strictly, even if the clock stands still or steps back. Sends share a millisecond for up to a
        second, so that reservations are not stored for each send.
        """
        now = self._clock()
        while self._next_id == self._ids_end or not self._ids_since <= now < self._ids_since + _IDS_SERVE:
            first = await self.next_media_id() * _A_MILLISECOND
            if first > self._next_id:  # else another task has reserved a later millisecond meanwhile
                self._next_id, self._ids_since, self._ids_end = first, now, first + _A_MILLISECOND
        made = self._next_id
        self._next_id = made + 1
        return str(made)

    async def next_media_id(self) -> int:
        """
        Return the next id of an upload: a millisecond that no other upload uses, in any process.

        So chunks of two uploads do not mix. The process that reserves a millisecond's last id owns it; if another
        process was faster, the next one is taken.
        """
        while True:
            made = max(int(self._clock() * 1000), self.login.last_client_id // _A_MILLISECOND + 1)
            last = made * _A_MILLISECOND + _A_MILLISECOND - 1
            reserved = await self._reserve(last)
            self.change(last_client_id=reserved)
            if reserved == last:
                return made

    def cookie(self, name: str, origin: str) -> str:
        """Return the value of a cookie that goes to an origin, or an empty string."""
        return self.login.jar.value(name, f"{origin}/", self._aged_to)

    def prepare(self, request: Request) -> Request:
        """Add the headers that every request of the account carries."""
        login = self.login
        if self._carried.jar is not login.jar or self._carried_to is not login.hosts:
            self._carried, self._carried_to = Carried(login.jar, self._common_headers()), login.hosts
            self._post_headers = (("Origin", login.hosts.main),) if login.profile.mmweb_appid else ()
        last = self._post_headers if request.method == "POST" else ()
        headers = self._carried.to(request.url, request.headers, self._aged_to, last)
        return msgspec.structs.replace(request, headers=headers)

    def _common_headers(self) -> Headers:
        login = self.login
        headers: Headers = (
            ("Accept", "application/json, text/plain, */*"),
            ("User-Agent", self._user_agent),
            ("Referer", f"{login.hosts.main}{login.profile.page}"),
        )
        return (*headers, ("mmweb_appid", login.profile.mmweb_appid)) if login.profile.mmweb_appid else headers

    def apply(self, request: Request, response: Response, asked_at: float) -> None:
        """
        Apply an answer: the server's clock, and cookies.

        The date of an error is ignored: it is often that of a proxy or of a machine that has just started.

        Args:
            request: The request.
            response: The answer.
            asked_at: Time of the request, from `now`. The date of an answer that took long is ignored.
        """
        if response.headers != self._last_headers:
            self._last_headers, self._set_cookies = response.headers, response.header_values("Set-Cookie")
            self._served = http_time(response.header("Date"))
        served = self._served
        if response.status < _REFUSED_FROM:
            self._set_clocks(served, asked_at)
        if self._set_cookies:
            aged_to = self._aged_to
            ahead = (self.now() if served is None else served) - aged_to
            one_origin = self.login.server is not None
            jar = self.login.jar.updated(request.url, self._set_cookies, aged_to, one_origin=one_origin, ahead=ahead)
            self.change(jar=jar)

    def _set_clocks(self, served: float | None, asked_at: float) -> None:
        """Apply the server's time, and age cookies by the time that passed on both clocks, because either may jump."""
        ours = self._clock()
        if served is None:
            if self._both is None:
                self._aged_to = ours
            return
        there = ours + self.login.clock_skew
        # The header counts whole seconds; a smaller difference says nothing.
        if not asked_at - 1 <= served <= there + 1:
            self.change(clock_skew=served - ours)
        if there - asked_at > _A_JUMP:  # long on its way
            return
        self._aged_to = ours
        self._both = self._both or (ours, served)
        passed, passed_there = ours - self._both[0], served - self._both[1]
        if abs(passed - passed_there) > _A_JUMP:
            self._both = (ours, served)
            self.change(jar=self.login.jar.aged(passed - max(0.0, min(passed, passed_there))))


async def run_async(
    flow: Flow[T],
    transport: Transport,
    session_state: SessionState,
    pause: Callable[[Pause], Awaitable[None]],
    read: Callable[[Read], Awaitable[Buffer]] = read_window,
    limit: RequestLimit | None = None,
) -> T:
    """
    Drive a flow to its end. Errors of the flow and of the transport pass through unchanged.

    Args:
        flow: The conversation.
        transport: Carries its requests.
        session_state: The account's session.
        pause: Waits when the flow asks for it.
        read: Reads when the flow asks for it.
        limit: Each request waits until the limit allows it; by default none waits.
    """
    try:
        step = next(flow)
        while True:
            answer: Response | Buffer | None
            try:
                if isinstance(step, Request):
                    places = None if limit is None else limit.places_of(step)
                    if places is not None and not places.take():
                        await places.enter()
                    try:
                        asked_at = session_state.now()
                        answer = await transport.send(session_state.prepare(step))
                    finally:
                        if places is not None:
                            places.leave()
                    if step.sink is not None:
                        answer = _drained(step.sink, answer)
                    session_state.apply(step, answer, asked_at)
                elif isinstance(step, Read):
                    answer = await read(step)
                else:
                    answer = None
                    await pause(step)
            except (TransportError, ProtocolError) as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def _drained(sink: Sink, response: Response) -> Response:
    """Write a body to the sink of its request; a transport that streams has done so already."""
    if response.body:
        sink.write(response.body)
    return msgspec.structs.replace(response, body=b"")
