"""
What travels, as plain values.

A `Request` is whole: absolute address, headers, body. The SDK hands it to a transport, the sandbox takes it from a
socket, and in a test one goes straight into the other. Nothing here opens anything.
"""

from __future__ import annotations

import enum
from datetime import UTC
from email.utils import parsedate_to_datetime
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


class Patience(enum.StrEnum):
    """How long an answer may take; the transport turns it into seconds."""

    CALL = "call"
    """An ordinary call."""
    POLL = "poll"
    """A long poll: the server holds it for about 25 s."""
    BULK = "bulk"
    """Contact lists and media."""


class Sink(Protocol):
    """Where an answer's body goes piece by piece, when it may be too large for a `Response`."""

    def write(self, piece: bytes) -> None:
        """
        Take the next piece.

        Raises:
            ProtocolError: It is more than this will take.
        """
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request."""

    endpoint: str
    """Name of the call: what errors and logs show instead of the address, which holds keys."""
    method: str
    """GET or POST."""
    url: str
    """Absolute and already percent-encoded: to be sent as it is."""
    headers: Headers = ()
    """In the order they are sent."""
    body: Body = b""
    """A view in it holds what it does until this request is answered or has failed, and no longer."""
    patience: Patience = Patience.CALL
    """How long an answer may take."""
    sink: Sink | None = None
    """Where the answer's body goes, in place of the `Response`; None: into it."""

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
    A server's core says: no answer yet, keep this poll.

    The shell asks again, with this value, when the account's world has changed or its clock has reached `until`.
    """

    until: float
    """Time at which the poll is answered in any case (server clock)."""
    account: str = ""
    """Wakes the poll: any event of this account, or of the login code with this uuid; empty: any event."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A flow's request for a piece of a file: the runner answers with its bytes."""

    source: str | bytes | BinaryIO
    """A path, the bytes themselves, or a file that is open."""
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
"""Characters of a date that is still read, and remembered."""


def http_time(value: str) -> float | None:
    """Read an HTTP date as seconds since 1970; None if it is invalid. Without a zone it is UTC, as HTTP says."""
    return _http_time(value) if len(value) <= _LONGEST_DATE else None


@lru_cache(maxsize=256)
def _http_time(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
