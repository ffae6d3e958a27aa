"""
The recorded traffic: the last exchanges, for people to read.

Requests and answers are stored unchanged; they are decoded, redacted and shortened when they are shown. An exchange
changes twice, when it begins and when it ends, and each change has a number: a reader of all changes after a number
misses nothing, including a poll that is answered a minute later.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from webwx.protocol import find_endpoint
from webwx.protocol.codec import clean_text
from webwx.sandbox.errors import Impossible
from webwx.sandbox.redact import LONGEST, REDACTED, Redactor
from webwx.sandbox.subscribers import Subscribers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from webwx.protocol.http import Headers, Request, Response
    from webwx.sandbox.clock import WorldClock

SIZE = 500
"""Maximum number of exchanges that are kept."""

SHOWN = 4096
"""Maximum number of characters of a body that are shown; of an address, a tenth."""

_KEPT = SHOWN * 2 + LONGEST
"""
Maximum number of bytes of a body that are kept. More than is shown, so that a secret is recognized although it is cut.
"""

_RET = re.compile(rb'"Ret": ?(-?\d+)|retcode:"(-?\d+)"|window\.(?:QRLogin\.)?code ?= ?(-?\d+)|<ret>(-?\d+)</ret>')
"""The return code of an answer, in each form that it can have."""

_PICTURES = ("image/", "audio/", "video/", "application/octet-stream")
"""Content types of bodies that are not text."""

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]+")


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer, as one row."""

    number: int
    change: int
    """Number of its last change, counted over all exchanges."""
    time: float
    """Time of the request, by the world's clock."""
    endpoint: str
    """Name of the call; empty for a call that the protocol does not have."""
    method: str
    host: str
    address: str
    """Path and query, redacted."""
    is_open: bool
    """Whether it is not answered yet, as a long poll."""
    status: int | None
    """
    Status of the answer; None if there is no answer, because the client disconnected or a fault ended the connection.
    """
    ret: int | None
    """Return code, if the answer has one."""
    seconds: float
    """Duration in seconds of the world's clock; 0 while it is open."""
    sent: int
    """Bytes of the request's body."""
    received: int
    """Bytes of the answer's body."""
    faults: list[str]
    """Faults that happened to it."""


class ExchangeDetails(Exchange, frozen=True, kw_only=True):
    """An exchange with both bodies, which are shortened."""

    request_headers: list[tuple[str, str]]
    request_body: str
    answer_headers: list[tuple[str, str]]
    answer_body: str


class RecordedExchange:
    """An exchange as recorded, not decoded or redacted."""

    __slots__ = ("answer", "body", "change", "ended", "faults", "number", "received", "request", "sent", "time")

    def __init__(self, number: int, request: Request, time: float) -> None:
        self.number = number
        self.change = 0
        self.time = time
        self.request = (request.method, request.url, request.headers)
        pieces = (request.body,) if isinstance(request.body, bytes) else request.body
        self.body = b"".join(piece[:_KEPT] for piece in pieces)[:_KEPT]
        self.sent = sum(map(len, pieces))
        self.answer: tuple[int, Headers, bytes] | None = None
        self.received = 0
        self.ended: float | None = None
        self.faults: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"RecordedExchange({self.number})"


class Traffic:
    """
    The last exchanges.

    Args:
        clock: Clock of the world.
        issued: Every secret that was issued, to be redacted.
        size: Maximum number of exchanges.
    """

    def __init__(self, clock: WorldClock, issued: AbstractSet[str], size: int = SIZE) -> None:
        self._clock = clock
        self._redactor = Redactor(issued)
        self._entries: deque[RecordedExchange] = deque(maxlen=size)
        self._begun = 0
        self.changes = 0
        """Number of the last change."""
        self.forgotten = 0
        """Number of the last exchange that was cleared."""
        self._subscribers: Subscribers[()] = Subscribers()

    # -- what happens ------------------------------------------------------------------------------------------------

    def begin(self, request: Request) -> RecordedExchange:
        """Record a request."""
        self._begun += 1
        entry = RecordedExchange(self._begun, request, self._clock.now())
        self._entries.append(entry)
        self._change(entry)
        return entry

    def end(self, entry: RecordedExchange, answer: Response | None, faults: Iterable[str] = ()) -> None:
        """Record an answer; None if no answer will follow."""
        entry.ended = self._clock.now()
        entry.faults = tuple(faults)
        if answer is not None:
            entry.answer = (answer.status, answer.headers, answer.body[:_KEPT])
            entry.received = len(answer.body)
        self._change(entry)

    def clear(self) -> None:
        """Remove every exchange."""
        self._entries.clear()
        self.forgotten = self._begun
        self._notify()

    def subscribe(self, callback: Callable[[], object]) -> Callable[[], None]:
        """
        Call a function after every change.

        Returns:
            A function that ends the subscription.
        """
        return self._subscribers.add(callback)

    def _change(self, entry: RecordedExchange) -> None:
        entry.change = self.changes + 1
        self._notify()

    def _notify(self) -> None:
        self.changes += 1
        self._subscribers.notify()

    # -- what is shown -----------------------------------------------------------------------------------------------

    def since(self, change: int = 0, endpoint: str = "", *, most: int = SIZE) -> list[Exchange]:
        """Return the latest changes after a number, in order, of one call or of all."""
        changed = [entry for entry in tuple(self._entries) if entry.change > change]
        changed.sort(key=lambda entry: entry.change)
        shown = [self._exchange(entry) for entry in changed[-most:]]
        return [exchange for exchange in shown if endpoint in {"", exchange.endpoint}]

    def open(self, number: int) -> ExchangeDetails:
        """
        Return a complete exchange.

        Raises:
            Impossible: There is no exchange of this number, or it was removed.
        """
        for entry in tuple(self._entries):
            if entry.number == number:
                return self._opened(entry)
        raise Impossible(
            f"There is no exchange {number}; only the last {self._entries.maxlen} are kept.", "no-exchange"
        )

    def _exchange(self, entry: RecordedExchange) -> Exchange:
        method, url, _ = entry.request
        host, slash, address = url.partition("://")[2].partition("/")
        path = unquote((slash + address).partition("?")[0])
        status, _, body = entry.answer or (None, (), b"")
        number, endpoint = _RET.search(body), find_endpoint(method, path)
        return Exchange(
            number=entry.number,
            change=entry.change,
            time=entry.time,
            endpoint=endpoint.name if endpoint else "",
            method=method,
            host=clean_text(host),
            address=self._shown(slash + address, SHOWN // 10),
            is_open=entry.ended is None,
            status=status,
            ret=int(next(filter(None, number.groups()))) if number else None,
            seconds=0.0 if entry.ended is None else max(0.0, entry.ended - entry.time),
            sent=entry.sent,
            received=entry.received,
            faults=list(entry.faults),
        )

    def _opened(self, entry: RecordedExchange) -> ExchangeDetails:
        _, _, request_headers = entry.request
        _, answer_headers, body = entry.answer or (None, (), b"")
        return ExchangeDetails(
            **msgspec.structs.asdict(self._exchange(entry)),
            request_headers=self._headers(request_headers),
            request_body=self._text(entry.body, request_headers),
            answer_headers=self._headers(answer_headers),
            answer_body=self._text(body, answer_headers),
        )

    def _headers(self, headers: Headers) -> list[tuple[str, str]]:
        return [
            # JSON cannot encode the HTTP library's own string type.
            (clean_text(str(name)), REDACTED if name.lower().endswith("authorization") else self._shown(value))
            for name, value in headers
        ]

    def _shown(self, text: str, limit: int | None = None) -> str:
        return clean_text(self._redactor.redact(text, limit))

    def _text(self, body: bytes, headers: Headers) -> str:
        content_type = next((value.lower() for name, value in headers if name.lower() == "content-type"), "")
        if content_type.startswith(_PICTURES):
            return ""
        text = self._redactor.redact(body.decode("utf-8", "replace"), _KEPT - LONGEST)
        if text.startswith(("{", "[")):
            text = indented(text)
        return _UNREADABLE.sub("…", text)[:SHOWN]


# -- JSON to read ----------------------------------------------------------------------------------------------------

_PART = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def indented(text: str) -> str:
    """Indent JSON, also if it is cut or has a redacted value in place of a number."""
    shown: list[str] = []
    depth, before = 0, ""
    for part in _PART.findall(text):
        if part in {"]", "}"}:
            depth = max(0, depth - 1)
            shown.append("" if before in {"[", "{"} else _line(depth))
        elif before in {"[", "{", ","}:
            shown.append(_line(depth))
        shown.append(f"{part} " if part == ":" else part)
        depth += part in {"[", "{"}
        before = part
    return "".join(shown)


def _line(depth: int) -> str:
    return "\n" + "  " * depth
