"""
Requests and answers as plain values.

A `Request` is complete: absolute address, headers, body. The client passes it to a transport, the sandbox builds it
from a socket, and in a test the client's request goes straight to the sandbox. Nothing here opens a connection.
"""

from __future__ import annotations

import enum
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

import msgspec

Headers = tuple[tuple[str, str], ...]

if TYPE_CHECKING:
    Buffer = bytes | memoryview
else:
    Buffer = bytes  # msgspec reads fields of one of the two only, and what is read here are bytes

Body = bytes | tuple[Buffer, ...]
"""A body, or the buffers that make it up."""


class TimeLimit(enum.StrEnum):
    """Kind of time limit of an answer; the transport knows the seconds."""

    CALL = "call"
    """An ordinary call."""
    POLL = "poll"
    """A long poll: the server holds it for about 25 s."""
    BULK = "bulk"
    """Contact lists and media."""


class Sink(Protocol):
    """Receives an answer's body piece by piece, if it may be too large for a `Response`."""

    def write(self, piece: bytes) -> None:
        """
        Receive the next piece.

        Raises:
            ProtocolError: The body exceeds the limit.
        """
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request."""

    endpoint: str
    """Name of the call, which errors and logs show instead of the address with its keys."""
    method: str
    """GET or POST."""
    url: str
    """Absolute and percent-encoded; it is sent unchanged."""
    headers: Headers = ()
    """Headers in the order in which they are sent."""
    body: Body = b""
    """A memory view in it stays valid until this request is answered or has failed, and no longer."""
    time_limit: TimeLimit = TimeLimit.CALL
    """Kind of time limit of the answer."""
    sink: Sink | None = None
    """Receives the answer's body; None: the body is in the `Response`."""

    def __repr__(self) -> str:
        return f"Request({self.endpoint})"

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.url).path)

    @property
    def query(self) -> str:
        """The raw query, without the question mark."""
        return urlsplit(self.url).query

    @property
    def content(self) -> bytes:
        """The body in one piece."""
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)

    def header(self, name: str) -> str:
        """Return a header's value, ignoring case, or an empty string."""
        return first_header(self.headers, name)

    def with_headers(self, *more: tuple[str, str]) -> Request:
        """Return the same request with further headers."""
        return msgspec.structs.replace(self, headers=self.headers + more)


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"

    def header(self, name: str) -> str:
        """Return a header's value, ignoring case, or an empty string."""
        return first_header(self.headers, name)

    def header_values(self, name: str) -> tuple[str, ...]:
        """Return every value of a header that may be repeated."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)


class Park(msgspec.Struct, frozen=True, kw_only=True):
    """
    Result of a server's core for a long poll that is not answered yet.

    The caller tries the request again with this value when the account's world has changed or its clock has reached
    `until`.
    """

    until: float
    """Time at which the poll is answered in any case (server's clock)."""
    account: str = ""
    """Account, or uuid of a login code, whose events wake the poll; empty: any event."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A flow's request for a piece of a file: the runner answers with its bytes."""

    source: str | bytes | BinaryIO
    """A path, bytes, or an open file."""
    start: int
    size: int

    def __repr__(self) -> str:
        return f"Read({self.start}, {self.size})"


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A flow's request to wait before it repeats a call that was answered with an unknown code."""

    endpoint: str
    ret: int


def first_header(headers: Headers, name: str) -> str:
    """Return the first value of a header, ignoring case, or an empty string."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return ""


_LONGEST_DATE = 64
"""Maximum length in characters of a date, and of a cached date."""


def http_time(value: str) -> float | None:
    """Decode an HTTP date to seconds since 1970; None if it is invalid. Without a zone it is UTC, as HTTP requires."""
    return _http_time(value) if len(value) <= _LONGEST_DATE else None


@lru_cache(maxsize=256)
def _http_time(value: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
