"""
The limit of an account's calls in flight: sixteen to each host, and the others wait, first come first served.

Without it a hundred chats that are answered at the same time would open a hundred connections with TLS; a browser opens
six. The fetch of new messages, lists of contacts, uploads, downloads and the logout are counted apart, so that none of
them waits for the others; polls are not counted. A call that waits has not begun, so its time limit has not either.

A send whose begin is stored has to wait for a commit. If the next sends began one by one, as places become free, each
commit would store one or two of them; so with a journal free places are gathered for a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from webwx.errors import ConnectFailed
from webwx.protocol import ENDPOINTS
from webwx.protocol.codec import MEDIA, MULTIPART
from webwx.protocol.http import TimeLimit
from webwx.protocol.login import LOGOUT
from webwx.protocol.sync import WEBWXSYNC
from webwx.transport.prompt_future import PromptFuture

if TYPE_CHECKING:
    from typing import Any

    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.http import Request

_log = logging.getLogger("webwx.client")

MOST_CALLS = 16
"""Maximum number of calls in flight to one host, of each kind."""

LONG_WAIT = 10.0
"""Seconds after which waiting calls are logged."""

_GATHER = 0.001
"""Seconds in which free places are gathered, unless all are free before."""


def _kind(endpoint: Endpoint[Any, Any]) -> str:
    if endpoint is WEBWXSYNC:
        return "fetch"
    if endpoint is LOGOUT:
        return "logout"
    if endpoint.reply_shape is MEDIA:
        return "download"
    return "upload" if endpoint.body is MULTIPART else endpoint.time_limit


_KINDS = {each.name: _kind(each) for each in ENDPOINTS}

_SCHEME = len("https://")


class CallPlaces:
    """
    The calls of one kind to one host that may be in flight.

    Args:
        origin: The host as an address, for the log.
        gathers: Whether waiting calls begin together, once all places are free or a millisecond after the first one.
    """

    def __init__(self, origin: str, *, gathers: bool = False) -> None:
        self._origin = origin
        self._gathers = gathers
        self._free = MOST_CALLS
        self._waiting: deque[PromptFuture[None]] | None = None
        """Calls that wait, made when the first one does: even an empty deque takes 0.6 KB of each account."""
        self._timer: asyncio.Handle | None = None
        """Begins waiting calls; it is set while calls wait and places are free."""
        self._check: asyncio.TimerHandle | None = None
        """Checks whether calls wait for long."""

    def __repr__(self) -> str:
        return f"CallPlaces({self._free} free, {self.waiting} waiting)"

    @property
    def waiting(self) -> int:
        """Number of calls that wait for a place."""
        return len(self._waiting or ())

    def take(self) -> bool:
        """Return whether a further call may be made at once; if so, `leave` has to follow."""
        if self._free and not self._waiting:
            self._free -= 1
            return True
        return False

    async def enter(self) -> None:
        """
        Wait until a further call may be made; `leave` has to follow.

        Raises:
            ConnectFailed: The client was closed, or its login was dropped, meanwhile; nothing was sent.
        """
        if self.take():
            return
        turn: PromptFuture[None] = PromptFuture(asyncio.get_running_loop())
        if not self._waiting:
            self._stop_timers()  # they may be of a loop that has ended
            self._check_later(turn)
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if self._waiting and turn in self._waiting:  # else a call has left meanwhile, and has passed over it
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Free a place for the call that has waited longest, which begins in the next iteration of the event loop."""
        self._free += 1
        if not self._waiting:
            return
        if self._gathers and self._free == MOST_CALLS and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:  # one callback begins all calls for which a place becomes free meanwhile
            loop = self._waiting[0].get_loop()
            at_once = not self._gathers or self._free == MOST_CALLS
            self._timer = loop.call_soon(self._begin_next) if at_once else loop.call_later(_GATHER, self._begin_next)

    def refuse(self) -> None:
        """Fail the calls that wait."""
        waiting, self._waiting = self._waiting, None
        if waiting:
            waiting[0].get_loop().call_soon(_fail, waiting)

    def _begin_next(self) -> None:
        self._timer = None
        while self._waiting and self._free:
            turn = self._waiting.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    def _check_later(self, last: asyncio.Future[None]) -> None:
        self._check = asyncio.get_running_loop().call_later(LONG_WAIT, self._check_waits, last)

    def _check_waits(self, last: asyncio.Future[None]) -> None:
        """Log once that calls wait, if the last one of the previous check still does; check until none waits."""
        if not last.done():
            _log.warning(
                "Calls to %s have waited for %.0f s, because %d earlier ones have no answer yet; %d calls wait.",
                self._origin, LONG_WAIT, MOST_CALLS - self._free, self.waiting,
            )  # fmt: skip
        elif self._waiting:
            self._check_later(self._waiting[-1])

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._check):
            if timer is not None:
                timer.cancel()
        self._timer = self._check = None


class CallLimit:
    """
    The calls in flight of one account.

    Args:
        stores_sends: Whether a send is stored before it is made.
    """

    def __init__(self, *, stores_sends: bool) -> None:
        self._stores_sends = stores_sends
        self._places: dict[tuple[str, str], CallPlaces] = {}
        self._asked: tuple[str, str] | None = None
        """Address and call of the last request; most requests repeat them."""
        self._found: CallPlaces | None = None

    def places_of(self, request: Request) -> CallPlaces | None:
        """Return the places of calls such as this one; None for a poll, which is not counted."""
        asked = request.url, request.endpoint
        if asked != self._asked:
            self._asked, self._found = asked, self._find(request)
        return self._found

    def _find(self, request: Request) -> CallPlaces | None:
        if request.time_limit is TimeLimit.POLL:
            return None
        end = request.url.find("/", _SCHEME)
        return self.places(request.url[:end], _KINDS.get(request.endpoint, request.time_limit))

    def places(self, origin: str, kind: str = TimeLimit.CALL) -> CallPlaces:
        """Return the places of one kind of calls to an origin; default: ordinary calls, such as sends."""
        key = origin, kind
        found = self._places.get(key)
        if found is None:
            gathers = self._stores_sends and kind == TimeLimit.CALL
            found = self._places[key] = CallPlaces(origin, gathers=gathers)
        return found

    @property
    def waiting(self) -> int:
        """Number of calls that wait for a place."""
        return sum(each.waiting for each in self._places.values())

    def refuse(self) -> None:
        """Fail all calls that wait, because they would be made after the client is closed, or in another login."""
        for each in self._places.values():
            each.refuse()


def _fail(waiting: deque[PromptFuture[None]]) -> None:
    """Fail calls that wait; no task may be running."""
    for turn in waiting:
        if not turn.done():
            turn.set_exception(
                ConnectFailed("The client was closed or logged out while this call waited; nothing was sent.")
            )
